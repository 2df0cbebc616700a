"""SQLite's quarantine: tables under another name, in the file they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kolumn.engine.operations import Operation, Statement
from kolumn.engine.quarantine.operations import MoveAside, MoveBack
from kolumn.engine.quarantine.place import Place
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.sqlite import render
from kolumn.providers.sqlite.session import FOREIGN_KEYS_OFF
from kolumn.providers.sqlite.tokens import fold, quote, tokenize, unquote
from kolumn.sql.quarantine import SQLQuarantine
from kolumn.sql.tokens import QUOTED, STRING, WORD

_LOCK = "RESERVED on the file from the first change to the commit: others can read, not write"


class SQLiteQuarantine(SQLQuarantine):
    """Moves tables by renaming them to names that are Kolumn's.

    What others say of a table by name must stay as it is, so that it means the table again when that is back:
    hence the old way of renaming (https://www.sqlite.org/pragma.html#pragma_legacy_alter_table).
    """

    def place(self, ref: Ref, model: Any, entry: str) -> Place:
        """Return a name that no catalogue shows, in the same file."""
        return Place(f"kolumn_quarantine_{entry}_{model.name}", ref.schema)

    def attached(self, ref: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield the indexes of a table, and the triggers of a table or view, which the catalogue has as one."""
        if ref.type in ("table", "view"):
            yield from live.attached(ref._replace(type="table"))

    def owner(self, ref: Ref, live: Snapshot) -> Ref | None:
        """Return the table or view that an index or trigger is on."""
        found = live.owner(ref)
        if found is not None and found not in live:
            return found._replace(type="view")
        return found

    def mentions(self, text: str, name: str) -> bool:
        """Whether an expression has a word that may be the column."""
        return any(
            token.kind in (WORD, QUOTED, STRING) and fold(unquote(token.text)) == fold(name)
            for token in tokenize(text)
        )

    def quoted(self, name: str) -> str:
        """Return the quoted name."""
        return quote(name)

    def address(self, schema: str, name: str) -> str:
        """Return file and name."""
        return f"{quote(schema)}.{quote(name)}" if schema else quote(name)

    def lock(self, operation: Operation) -> str:
        """Return SQLite's one lock."""
        return _LOCK

    def needs(self, operation: Operation) -> frozenset[str]:
        """Return that foreign keys of others do not follow a table that moves."""
        moves = isinstance(operation, MoveAside | MoveBack)
        return frozenset({FOREIGN_KEYS_OFF}) if moves else frozenset()

    def exists(self, place: Place) -> Statement:
        """Return the query of a file's schema."""
        schema = f"{quote(place.schema)}." if place.schema else ""
        return Statement(f"SELECT 1 FROM {schema}sqlite_schema WHERE name = ?", (place.name,))

    def move_aside(self, operation: MoveAside) -> Iterator[str]:
        """Yield the renaming."""
        yield from _renamed(self.address(operation.at.schema, operation.was.name), operation.at.name)

    def move_back(self, operation: MoveBack) -> Iterator[str]:
        """Yield the renaming back."""
        yield from _renamed(self.at(operation.at), operation.was.name)

    def undisturbed(self, table: Ref, live: Snapshot, texts: Iterable[str]) -> Iterator[str]:
        """Yield the statements while the table has no triggers: SQLite cannot turn them off."""
        triggers = [live.get(each) for each in self.attached(table, live) if each.type == "trigger"]
        for each in triggers:
            yield f"DROP TRIGGER {self.address(table.schema, each.name)}"
        yield from texts
        for each in triggers:
            yield render.create(each, schema=each.schema)

    def row_id(self) -> Sequence[str]:
        """Return the rowid; a table without one has a key."""
        return ("rowid",)

    def told_apart(self, others: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return the other columns themselves: all values can be compared."""
        return [(quote(each), quote(each)) for each in others]

    def same(self, one: str, other: str) -> str:
        """Return `IS`, which takes NULLs for the same."""
        return f"{one} IS {other}"

    def differs(self, one: str, other: str) -> str:
        """Return `IS NOT`."""
        return f"{one} IS NOT {other}"


def _renamed(address: str, name: str) -> Iterator[str]:
    yield "PRAGMA legacy_alter_table=ON"
    yield f"ALTER TABLE {address} RENAME TO {quote(name)}"
    yield "PRAGMA legacy_alter_table=OFF"
