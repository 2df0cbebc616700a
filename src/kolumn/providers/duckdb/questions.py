"""What DuckDB is asked about the rows a change would fail on (see `sql.validation`)."""

from __future__ import annotations

from collections.abc import Iterator

from kolumn.engine.validation import Question
from kolumn.providers.duckdb.language.tokens import fold, full_name, quote
from kolumn.providers.duckdb.language.types import conversion_risks
from kolumn.sql.model import Column, Table
from kolumn.sql.operations import AlterColumn
from kolumn.sql.validation import RowQuestions, Source, messages


class DuckDBQuestions(RowQuestions):
    """Asks as DuckDB spells it."""

    def quote(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

    def address(self, table: Table, *, own: bool = False) -> str:
        """Return a table with its schema."""
        return full_name(table.schema, table.name)

    def added_value(self, column: Column) -> str | None:
        """Return what rows get in an added column; None for numbers of a sequence, which are not taken to look."""
        if "nextval" in fold(column.default or ""):
            return None
        value = f"({column.generated or column.default or 'NULL'}\n)"
        return f"CAST({value} AS {column.type})" if column.type else value

    def converted(self, value: str, old: Column, new: Column) -> str | None:
        """Return the value in its new type; NULL where it is none."""
        return None if old.generated or new.generated else f"TRY_CAST({value} AS {new.type})"

    def type_change(self, source: Source, operation: AlterColumn) -> Iterator[Question]:
        """Yield which values the new type cannot hold."""
        new = operation.new
        name = fold(new.name)
        if name not in source.columns or new.generated or operation.old.generated:
            return
        place = f"{operation.before.name}.{new.name}"
        stands = messages(
            each for each in conversion_risks(place, operation.old.type, new.type) if each.kind == "may_fail"
        )
        if not stands:
            return
        value = quote(new.name)
        condition = f"{value} IS NOT NULL AND TRY_CAST({value} AS {new.type}) IS NULL"
        words = f"a {new.name} that is no {new.type}"
        yield self.listed(source, condition, f"has {words}", f"have {words}", stands, apart=(new.name,))
