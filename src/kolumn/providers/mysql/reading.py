"""The rows of one reading of the catalogues, and how queries say which databases are meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from kolumn.engine.resource import Ref
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.tokens import fold, literal

SYSTEM = ("information_schema", "performance_schema", "mysql", "sys")
OWN_PREFIX = "kolumn_"
"""What the names of Kolumn's own databases begin with."""

Row = tuple[Any, ...]
Key = tuple[str, str, str]
"""Resource type, database and name."""


class Entry(NamedTuple):
    """One object as the catalogues have it: enough to build its model later, and to tell if it changed."""

    ref: Ref
    row: Any
    """All that says what the object is; of plain values, as a digest is made of it."""
    owner: Ref | None = None
    """The object it vanishes with, e.g. an index's table."""
    aside: bool = False
    """Whether it counts only where it is named (see `Snapshot`)."""
    secret: str = ""
    """What `build` needs and no digest may be made of."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the queries of one scan returned."""

    server: Server
    rows: Mapping[str, list[Row]]
    """Rows by name of the query."""
    default: str
    """The database that names without a schema mean."""
    shown: Mapping[Key, Row] = field(default_factory=dict)
    """What SHOW statements say, without those that were refused."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What one resource type found out and a later one needs."""

    def schema(self, database: str) -> str:
        """Return a database as models spell it: empty for the default one."""
        return "" if fold(database) == fold(self.default) else database

    def place(self, database: str) -> str:
        """Return a database as refs spell it."""
        return "" if fold(database) == fold(self.default) else fold(database)

    def is_aside(self, database: str) -> bool:
        """Whether what is in a database counts only where it is named: it may be somebody else's."""
        return fold(database) != fold(self.default)

    def grouped(self, query: str, width: int = 2) -> dict[tuple[Any, ...], list[Row]]:
        """Return the rows of a query by their first `width` columns."""
        rows = self.rows.get(query, [])
        return {key: list(found) for key, found in groupby(sorted(rows, key=_head(width)), key=_head(width))}


def _head(width: int) -> Any:
    return lambda row: row[:width]


def databases(column: str, given: Iterable[str] | None, hidden: Iterable[str] = (), managed: str = "") -> str:
    """Return the condition on the column of a database's name: these, or all that are somebody's but `hidden`.

    The one that is `managed` is meant whatever its name.
    """
    if given is not None:
        names = ", ".join(map(literal, given)) or "''"
        return f"{column} IN ({names})"
    system = ", ".join(map(literal, (*SYSTEM, *hidden)))
    others = f"{column} NOT IN ({system}) AND {column} NOT LIKE 'kolumn\\_%'"
    return (
        f"({column} = {literal(managed)} OR {others})" if managed.lower().startswith(OWN_PREFIX) else others
    )


def numbered(rows: Iterable[Row], at: int) -> Iterator[Row]:
    """Yield rows by the number in a column."""
    yield from sorted(rows, key=lambda row: int(row[at]))
