"""Sequences, which only MariaDB has (https://mariadb.com/kb/en/create-sequence/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, replaced
from kolumn.engine.resource import Ref
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.tokens import fold, literal, qualified
from kolumn.providers.mysql.reading import Entry, Reading, Row

_MOST = 2**63 - 2


@dataclass(frozen=True)
class Sequence:
    """A sequence of numbers."""

    name: str = attribute("Name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Database it is in; empty for the one managed", default="", grammar="schema")
    start: int | None = attribute(
        "First number; the least when left out, the greatest downwards", default=None
    )
    increment: int = attribute("Step from one number to the next", default=1)
    min_value: int | None = attribute("Least number", default=None)
    max_value: int | None = attribute("Greatest number", default=None)
    cache: int = attribute("Numbers taken at a time", default=1000)
    cycle: bool = attribute("Whether it begins again at its end", default=False)
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.increment == 0:
            yield Problem("increment must not be 0", code="invalid_value", path="increment")
        if self.cache < 0:
            yield Problem("cache must be 0 or more", code="invalid_value", path="cache")
        least, most = self.min_value, self.max_value
        if least is not None and most is not None and least >= most:
            yield Problem(
                "min_value must be less than max_value", code="conflicting_attributes", path="min_value"
            )


class SequenceHandler(MySQLHandler[Sequence]):
    """Sequences."""

    type = "sequence"
    description = "A sequence of numbers (MariaDB)"
    MODEL = Sequence
    KEYWORD: ClassVar[str] = "SEQUENCE"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"start", "increment", "min_value", "max_value", "cache", "cycle"}
    )
    renames = True

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of the sequences' names."""
        if not server.sequences:
            return {}
        return {
            "sequences": """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_type = 'SEQUENCE' AND {in_databases:table_schema}
"""
        }

    def further_queries(self, rows: Mapping[str, list[Row]], server: Server) -> Mapping[str, str]:
        """Return the one query of what all sequences are: each is a table of one row."""
        parts = [
            f"SELECT {literal(schema)}, {literal(name)}, minimum_value, maximum_value, start_value, increment, "
            f"cache_size, cycle_option FROM {qualified(schema, name)}"
            for schema, name in rows.get("sequences", [])
        ]
        return {"sequence_rows": " UNION ALL ".join(parts)} if parts else {}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the sequences."""
        for row in reading.rows.get("sequence_rows", []):
            ref = Ref(self.type, fold(row[1]), reading.place(row[0]))
            yield Entry(ref, (row[0], row[1], *map(int, row[2:])), aside=reading.is_aside(row[0]))

    def build(self, entry: Entry, reading: Reading) -> Sequence:
        """Return the sequence."""
        schema, name, least, most, start, increment, cache, cycle = entry.row
        return Sequence(
            name=name,
            schema=reading.schema(schema),
            start=start,
            increment=increment,
            min_value=least,
            max_value=most,
            cache=cache,
            cycle=bool(cycle),
        )

    def normal(self, model: Sequence) -> Sequence:
        """Return the normal form, in which all that follows is said."""
        up = model.increment > 0
        least = model.min_value if model.min_value is not None else 1 if up else -(_MOST + 1)
        most = model.max_value if model.max_value is not None else _MOST if up else -1
        start = model.start if model.start is not None else least if up else most
        return replaced(super().normal(model), {"min_value": least, "max_value": most, "start": start})

    def definition_sql(self, model: Sequence, server: Server) -> Iterator[str]:
        """Yield CREATE SEQUENCE."""
        yield f"CREATE SEQUENCE {self.address(model)} {self._options(model)}"

    def alteration_sql(
        self, before: Sequence, after: Sequence, fields: tuple[str, ...], server: Server
    ) -> Iterator[str]:
        """Yield ALTER SEQUENCE."""
        yield f"ALTER SEQUENCE {self.address(after)} {self._options(after)}"

    def _options(self, model: Sequence) -> str:
        full = self.normal(model)
        return (
            f"START WITH {full.start} INCREMENT BY {full.increment} MINVALUE {full.min_value} "
            f"MAXVALUE {full.max_value} CACHE {full.cache} {'CYCLE' if full.cycle else 'NOCYCLE'}"
        )
