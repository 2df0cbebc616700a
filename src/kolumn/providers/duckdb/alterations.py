"""Which ALTER TABLE of DuckDB makes one change of a table, if any does.

https://duckdb.org/docs/current/sql/statements/alter_table
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kolumn.providers.duckdb import render
from kolumn.providers.duckdb.language.dialect import key_columns
from kolumn.providers.duckdb.language.tokens import fold, quote, tokenize, unquote
from kolumn.providers.duckdb.model import DuckDBColumn, DuckDBTable
from kolumn.sql.model import Check, Constraint, ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterTable,
    AlterTogether,
    DropColumn,
    DropConstraint,
    RenameColumn,
)
from kolumn.sql.tokens import QUOTED, WORD


def is_light(operation: AlterTable) -> bool:
    """Whether DuckDB makes the change whatever depends on the table: comments, defaults, plain new columns."""
    match operation:
        case AddColumn(column=column):
            return not (column.not_null or column.unique)
        case AlterColumn(fields=fields):
            return set(fields) <= {"default", "comment"}
        case AlterTogether(because=because):
            return all(map(is_light, because))
        case RenameColumn() | DropColumn() | AddConstraint() | DropConstraint():
            return False
    return set(operation.fields) <= {"comment"}


def alteration(operation: AlterTable) -> list[str] | None:
    """Return the statements that make one change in place, None where no ALTER TABLE does."""
    before, after = _table(operation.before), _table(operation.after)
    place = render.address(before)
    match operation:
        case RenameColumn(old=old, new=new):
            return [f"ALTER TABLE {place} RENAME COLUMN {quote(old)} TO {quote(new)}"]
        case AddColumn(column=column):
            return _adding(before, _column(column))
        case DropColumn(column=column):
            if _stands_on(before, column.name):
                return None
            return [f"ALTER TABLE {place} DROP COLUMN {quote(column.name)}"]
        case AlterColumn(old=old, new=new, fields=fields):
            return _altering(before, _column(old), _column(new), fields)
        case AddConstraint(constraint=PrimaryKey() | Unique() as constraint):
            return [f"ALTER TABLE {place} ADD {render.constraint_clause(after, constraint)}"]
        case AddConstraint() | DropConstraint():
            return None
        case AlterTogether(because=because):
            found: list[str] = []
            for each in because:
                texts = alteration(each)
                if texts is None:
                    return None
                found += texts
            return found
    if set(operation.fields) <= {"comment"}:
        return [render.comment_on("TABLE", place, after.comment)]
    return None


def _stands_on(table: DuckDBTable, column: str) -> bool:
    """Whether something in the table keeps a column from being dropped: keys stand at places of columns."""
    if any(isinstance(each, PrimaryKey | Unique | ForeignKey) for each in table.constraints()):
        return True
    return _is_mentioned(table, column) or len(_stored_columns(table)) == 1


def _is_mentioned(table: DuckDBTable, column: str) -> bool:
    texts = [each.expression for each in table.constraints() if isinstance(each, Check)]
    texts += [each.generated for each in table.columns if each.generated]
    return any(mentions_column(text, fold(column)) for text in texts)


def _altering(
    table: DuckDBTable, old: DuckDBColumn, new: DuckDBColumn, fields: Sequence[str]
) -> list[str] | None:
    if not set(fields) <= {"type", "collation", "default", "not_null", "comment"}:
        return None
    place, column = render.address(table), quote(new.name)
    start = f"ALTER TABLE {place} ALTER COLUMN {column}"
    found = []
    if "type" in fields or "collation" in fields:
        involved = any(
            fold(old.name) in _columns_of(each) for each in table.constraints() if not isinstance(each, Check)
        )
        if involved or _is_mentioned(table, old.name) or old.generated:
            return None
        collation = f" COLLATE {quote(new.collation)}" if new.collation else ""
        if old.default is not None and "default" not in fields:
            found.append(f"{start} DROP DEFAULT")
        found.append(f"{start} TYPE {new.type}{collation} USING CAST({column} AS {new.type})")
        if old.default is not None and "default" not in fields:
            found.append(f"{start} SET DEFAULT {render.closed(f'({new.default})')}")
    if "default" in fields:
        found.append(
            f"{start} DROP DEFAULT"
            if new.default is None
            else f"{start} SET DEFAULT ({render.closed(new.default)})"
        )
    if "not_null" in fields and fold(new.name) not in map(fold, key_columns(table)):
        found.append(f"{start} {'SET' if new.not_null else 'DROP'} NOT NULL")
    if "comment" in fields:
        found.append(render.comment_on("COLUMN", f"{place}.{column}", new.comment))
    return found


def _adding(table: DuckDBTable, column: DuckDBColumn) -> list[str] | None:
    """Return how a column is added in place, None where it cannot be."""
    if column.primary_key or column.check or column.references or column.generated:
        return None
    if column.not_null and column.default is None:
        return None
    place = render.address(table)
    found = [f"ALTER TABLE {place} ADD COLUMN {render.column_definition(column)}"]
    if column.comment:
        found.append(render.comment_on("COLUMN", f"{place}.{quote(column.name)}", column.comment))
    return found


def _stored_columns(table: DuckDBTable) -> list[DuckDBColumn]:
    """Return the columns that are not computed."""
    return [each for each in table.columns if not each.generated]


def _columns_of(constraint: Constraint) -> set[str]:
    match constraint:
        case PrimaryKey() | Unique():
            return {fold(part.column) for part in constraint.columns}
        case ForeignKey():
            return set(map(fold, constraint.columns))
    return set()


def mentions_column(text: str, name: str) -> bool:
    """Whether a text has a word that may be a column, by its folded name."""
    return bool(text) and any(
        token.kind in (WORD, QUOTED) and fold(unquote(token.text)) == name for token in tokenize(text)
    )


def _table(table: Table) -> DuckDBTable:
    assert isinstance(table, DuckDBTable)
    return table


def _column(column: Any) -> DuckDBColumn:
    assert isinstance(column, DuckDBColumn)
    return column
