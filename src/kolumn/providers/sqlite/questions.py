"""What SQLite is asked about the rows a change would fail on (see `sql.validation`)."""

from __future__ import annotations

from collections.abc import Iterator

from kolumn.engine.operations import Operation
from kolumn.engine.resource import Snapshot
from kolumn.engine.validation import Question
from kolumn.providers.sqlite.model import SQLiteColumn, SQLiteTable
from kolumn.providers.sqlite.rebuild import default_value
from kolumn.providers.sqlite.tokens import fold, quote
from kolumn.sql.model import Column, Table
from kolumn.sql.operations import AlterColumn, AlterTable
from kolumn.sql.validation import RowQuestions, Source, Sources

_STORED_AS = {
    "int": "integer",
    "integer": "integer",
    "real": "real",
    "text": "text",
    "blob": "blob",
}
"""The types a STRICT table enforces, and what typeof() calls a value (https://sqlite.org/stricttables.html)."""


class SQLiteQuestions(RowQuestions):
    """Asks as SQLite spells it."""

    def quote(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

    def address(self, table: Table, *, own: bool = False) -> str:
        """Return a table with its schema."""
        return f"{quote(table.schema)}.{quote(table.name)}" if table.schema else quote(table.name)

    def numbers(self, column: Column) -> bool:
        """Whether rows get their own numbers: in a new INTEGER PRIMARY KEY."""
        return column.primary_key and fold(column.type) == "integer"

    def added_value(self, column: Column) -> str | None:
        """Return what rows get: a lone word in DEFAULT is a text."""
        assert isinstance(column, SQLiteColumn)
        return f"({column.generated})" if column.generated else default_value(column)

    def needs_value(self, table: Table, column: Column) -> bool:
        """Whether NULL is refused: only where no row number takes its place.

        https://www.sqlite.org/lang_createtable.html#the_primary_key
        """
        assert isinstance(table, SQLiteTable)
        implied = table.without_rowid or (table.strict and fold(column.type) != "integer")
        return implied and not column.not_null

    def type_change(self, source: Source, operation: AlterColumn) -> Iterator[Question]:
        """Yield which values a STRICT table refuses; any other takes them as they are."""
        if getattr(source.becomes or operation.after, "strict", False):
            yield from self._misfits(source, operation.new)

    def of_operation(self, operation: Operation, sources: Sources, live: Snapshot) -> Iterator[Question]:
        """Yield which values are refused by a table that becomes STRICT."""
        if isinstance(operation, AlterTable) and "strict" in operation.fields:
            source = self.source(operation.subject, sources, live)
            if source is not None and getattr(operation.after, "strict", False):
                for column in operation.after.columns:
                    yield from self._misfits(source, column)

    def _misfits(self, source: Source, column: Column) -> Iterator[Question]:
        """Yield which values a column of a STRICT table cannot have: what does not convert without loss."""
        stored = _STORED_AS.get(fold(column.type))
        if stored is None or fold(column.name) not in source.columns:
            return
        name = quote(column.name)
        match stored:
            case "blob":
                condition = f"typeof({name}) NOT IN ('blob', 'null')"
            case "text":
                condition = f"typeof({name}) = 'blob'"
            case _:
                condition = (
                    f"{name} IS NOT NULL AND (typeof({name}) = 'blob' OR CAST({name} AS {stored}) <> {name})"
                )
        words = f"a {column.name} that is no {column.type}"
        yield self.listed(source, condition, f"has {words}", f"have {words}", apart=(column.name,))
