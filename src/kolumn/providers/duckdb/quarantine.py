"""DuckDB's quarantine: tables in the schema of Kolumn's own.

DuckDB moves no table between schemas, so the rows are copied: one statement of a database that is made for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Operation, Statement
from kolumn.engine.quarantine.operations import MoveAside, MoveBack, PutBackValues
from kolumn.engine.quarantine.place import Place
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.duckdb import render
from kolumn.providers.duckdb.connection.file import LOCK
from kolumn.providers.duckdb.language.tokens import fold, folded, full_name, quote, tokenize, unquote
from kolumn.providers.duckdb.model import DuckDBTable
from kolumn.providers.duckdb.rebuild import STASH, Around, own_keys, refill, stash, stored
from kolumn.providers.duckdb.resources import mentions
from kolumn.providers.duckdb.triggers import again
from kolumn.sql.model import Check
from kolumn.sql.quarantine import NUMBER, SQLQuarantine
from kolumn.sql.tokens import QUOTED, WORD


class DuckDBQuarantine(SQLQuarantine):
    """Copies tables to `schema`, Kolumn's own."""

    def __init__(self, handlers: Iterable[Any], schema: str) -> None:
        super().__init__(handlers)
        self._schema = schema

    def place(self, ref: Ref, model: Any, entry: str) -> Place:
        """Return a name in Kolumn's schema."""
        return Place(f"quarantine_{entry}_{model.name}", self._schema)

    def bare(self, model: Any, live: Snapshot) -> Any:
        """Return a table without foreign keys, and without texts that call what may go."""
        model = super().bare(model, live)
        if not isinstance(model, DuckDBTable):
            return model
        schema = self.tables.dialect.normal_schema(model.schema)
        for each in dict.fromkeys(model.constraints()):
            if isinstance(each, Check) and self._calls(each.expression, schema, live):
                model = model.without_constraint(each)
        columns = tuple(
            replaced(each, {"default": None}) if self._calls(each.default or "", schema, live) else each
            for each in model.columns
        )
        return replaced(model, {"columns": columns, "triggers": ()})

    def _calls(self, text: str, schema: str, live: Snapshot) -> bool:
        found = mentions.of_expression(text, schema)
        return any(each.type in ("function", "sequence") and each in live for each in found)

    def mentions(self, text: str, name: str) -> bool:
        """Whether an expression has a word that may be the column."""
        return any(
            token.kind in (WORD, QUOTED) and fold(unquote(token.text)) == fold(name)
            for token in tokenize(text)
        )

    def quoted(self, name: str) -> str:
        """Return the quoted name."""
        return quote(name)

    def address(self, schema: str, name: str) -> str:
        """Return schema and name."""
        return full_name(schema, name)

    def lock(self, operation: Operation) -> str:
        """Return what a change keeps others from."""
        return LOCK

    def exists(self, place: Place) -> Statement:
        """Return the query of the catalogue."""
        return Statement(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() "
            f"AND {folded('schema_name')} = {folded('?')} AND table_name = ?",
            (place.schema, place.name),
        )

    def opening(self, place: Place) -> Iterator[str]:
        """Yield what makes the schema."""
        yield f"CREATE SCHEMA IF NOT EXISTS {quote(place.schema)}"

    def move_aside(self, operation: MoveAside) -> Iterator[str]:
        """Yield the copy there."""
        yield from self.opening(operation.at)
        yield from self._moved(operation.was, operation.model, operation.at.schema, operation.at.name)

    def move_back(self, operation: MoveBack) -> Iterator[str]:
        """Yield the copy back."""
        bare = operation.model
        yield from render.create_table(bare)
        columns = ", ".join(map(quote, stored(bare)))
        yield f"INSERT INTO {render.address(bare)} ({columns}) SELECT {columns} FROM {self.at(operation.at)}"
        yield f"DROP TABLE {self.at(operation.at)}"

    def _moved(self, was: DuckDBTable, bare: DuckDBTable, schema: str, name: str) -> Iterator[str]:
        there = replaced(bare, {"schema": schema, "name": name})
        yield from render.create_table(there)
        columns = ", ".join(map(quote, stored(bare)))
        yield f"INSERT INTO {render.address(there)} ({columns}) SELECT {columns} FROM {render.address(was)}"
        yield f"DROP TABLE {render.address(was)}"

    def _texts(self, operation: Operation, live: Snapshot) -> Iterator[str]:
        """Yield the statements; values come back with their table made anew.

        Rows that an UPDATE changed keep DuckDB from making an index or a NOT NULL in the same transaction.
        """
        if not isinstance(operation, PutBackValues):
            yield from super()._texts(operation, live)
            return
        table = live.get(operation.subject)
        around = Around(operation.subject, live, self.tables.normalizer)
        yield from around.away()
        name, column = f"{STASH}0", quote(operation.column)
        place, at = render.address(table), self.at(operation.at)
        if operation.key:
            match = " AND ".join(self.same(f"t.{quote(each)}", f"k.{quote(each)}") for each in operation.key)
            source = f"{place} AS t LEFT JOIN (SELECT *, true AS kolumn_found FROM {at}) AS k ON {match}"
        else:
            known = [name for name, _ in self.told_apart(operation.others)]
            numbered = self._numbered(operation.others, ["*"])
            match = " AND ".join(self.same(f"t.{each}", f"k.{each}") for each in [*known, NUMBER])
            source = (
                f"(SELECT {numbered} FROM {place}) AS t "
                f"LEFT JOIN (SELECT *, true AS kolumn_found FROM {at}) AS k ON {match}"
            )
        values = {each: f"t.{quote(each)}" for each in stored(table)}
        own = next(each for each in values if fold(each) == fold(operation.column))
        values[own] = f"CASE WHEN k.kolumn_found THEN k.{column} ELSE t.{column} END"
        keys = own_keys(table, self.tables.normalizer)
        yield from stash(table, name, keys, values, source)
        yield from render.create_table(table)
        yield from refill(table, name, {each: quote(each) for each in values}, keys)
        yield from around.back(around.referring, around.indexes, again(place, table.triggers))
        yield from self.removed(operation.at)

    def row_id(self) -> Sequence[str]:
        """Return the rowid."""
        return ("rowid",)

    def told_apart(self, others: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return the other columns themselves: all values can be compared."""
        return [(f"kolumn_by{at}", quote(each)) for at, each in enumerate(others)]

    def same(self, one: str, other: str) -> str:
        """Return the condition that takes NULLs for the same."""
        return f"{one} IS NOT DISTINCT FROM {other}"

    def differs(self, one: str, other: str) -> str:
        """Return the condition that takes NULLs for the same, and all else for different."""
        return f"{one} IS DISTINCT FROM {other}"
