"""What the server is asked about the rows a change would fail on (see `sql.validation`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kolumn.engine.operations import Operation
from kolumn.engine.resource import Snapshot
from kolumn.engine.validation import Question
from kolumn.providers.mysql.language.fragments import embedded
from kolumn.providers.mysql.language.tokens import qualified, quote
from kolumn.providers.mysql.language.types import DataType, bounds, capacity, is_wider, type_of
from kolumn.providers.mysql.tables.render import default_sql
from kolumn.providers.mysql.tables.together import AlterWithIndexes
from kolumn.sql.model import Column, Constraint, Table
from kolumn.sql.operations import AlterColumn
from kolumn.sql.validation import RowQuestions, Source, Sources


class MySQLQuestions(RowQuestions):
    """Asks as MySQL and MariaDB spell it."""

    def ask(self, operations: Sequence[Operation], live: Snapshot) -> Iterator[tuple[int, Question]]:
        """Yield the questions of operations, also of the indexes that change with their table."""
        single = [
            (at, each)
            for at, operation in enumerate(operations)
            for each in (operation, *(operation.indexes if isinstance(operation, AlterWithIndexes) else ()))
        ]
        for place, question in super().ask([each for _, each in single], live):
            yield single[place][0], question

    def quote(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

    def address(self, table: Table, *, own: bool = False) -> str:
        """Return a table with its database."""
        return qualified(table.schema, table.name)

    def numbers(self, column: Column) -> bool:
        """Whether rows get their own numbers."""
        return bool(getattr(column, "auto_increment", False))

    def added_value(self, column: Column) -> str | None:
        """Return what rows get; a column that is NOT NULL without a default gets what its type calls nothing."""
        if column.generated:
            return f"({embedded(column.generated)})"
        return f"({default_sql(column.default)})" if column.default is not None else "NULL"

    def of_constraint(
        self, source: Source, table: Table, constraint: Constraint, sources: Sources, live: Snapshot
    ) -> Iterator[Question]:
        """Yield which rows break a constraint; which overlap in a period is not asked."""
        if not getattr(constraint, "without_overlaps", False):
            yield from super().of_constraint(source, table, constraint, sources, live)

    def type_change(self, source: Source, operation: AlterColumn) -> Iterator[Question]:
        """Yield which values the new type has no place for."""
        old, new = type_of(operation.old.type), type_of(operation.new.type)
        if old is None or new is None or is_wider(old, new):
            return
        name = quote(operation.new.name)
        condition = _misfit(name, old, new)
        if condition:
            words = f"a {operation.new.name} that is no {operation.new.type}"
            yield self.listed(source, condition, f"has {words}", f"have {words}", apart=(operation.new.name,))


_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")


def _misfit(name: str, old: DataType, new: DataType) -> str:
    """Return the condition on a value that does not fit, empty where no query can tell."""
    limits = bounds(new)
    if limits is not None:
        number = f"CAST({name} AS DECIMAL(65,10))"
        least, most = limits
        outside = f"{number} NOT BETWEEN {least} AND {most}"
        if old.name in _TEXTS:
            outside = f"(TRIM({name}) NOT REGEXP '^[+-]?[0-9]+([.][0-9]*)?$' OR {outside})"
        return f"{name} IS NOT NULL AND {outside}"
    size = capacity(new)
    if size is not None and new.name in ("char", "varchar"):
        return f"CHAR_LENGTH({name}) > {size}"
    if size is not None and new.name.endswith(("text", "blob", "binary")):
        return f"LENGTH({name}) > {size}"
    match new.name:
        case "enum":
            return f"{name} IS NOT NULL AND CAST({name} AS CHAR) NOT IN ({', '.join(new.arguments)})"
        case "set" if old.name == "set":
            gone = [each for each in old.arguments if each not in new.arguments]
            return " OR ".join(f"FIND_IN_SET({each}, {name}) > 0" for each in gone)
        case "decimal":
            whole = int(new.arguments[0]) - int(new.arguments[1])
            return f"ABS({name}) >= 1e{whole}" + (f" OR {name} < 0" if new.unsigned else "")
        case "bit" if old.name == "bit" or bounds(old) is not None:
            return f"{name} + 0 >= {2 ** int(new.arguments[0])} OR {name} + 0 < 0"
        case "json" if old.name in _TEXTS:
            return f"{name} IS NOT NULL AND NOT JSON_VALID({name})"
    return ""
