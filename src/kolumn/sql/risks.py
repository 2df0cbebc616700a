"""What a change inside a table endangers, in words that name the rows at stake."""

from __future__ import annotations

from collections.abc import Iterator

from kolumn.engine.operations import Risk
from kolumn.sql.model import Check, Column, Constraint, ForeignKey, KeyPart, PrimaryKey, Table, Unique


def dropping_table(table: Table) -> Iterator[Risk]:
    """Yield that the table's rows are lost."""
    yield Risk("data_loss", f"drops table {table.name} with all its rows")


def dropping_column(table: Table, column: Column) -> Iterator[Risk]:
    """Yield that the column's values are lost, unless they are computed."""
    if not column.generated:
        yield Risk("data_loss", f"drops column {column.name} of table {table.name} with all its values")


def adding_column(table: Table, column: Column) -> Iterator[Risk]:
    """Yield that rows already there would have no value for the column."""
    if column.not_null and column.default is None and not column.generated:
        yield Risk(
            "may_fail",
            f"fails if table {table.name} has rows: column {column.name} is NOT NULL and has no default",
        )
    for constraint in column.constraints():
        if not vacuous(constraint, (column,)):
            yield from adding_constraint(table, constraint)


def altering_column(table: Table, old: Column, new: Column) -> Iterator[Risk]:
    """Yield that rows already there may have no value; types are the dialect's to judge."""
    if new.not_null and not old.not_null:
        yield Risk("may_fail", f"fails if a row of table {table.name} has NULL in column {new.name}")
    if new.generated and not old.generated:
        yield Risk(
            "data_loss", f"computes column {new.name} of table {table.name} in place of all its values"
        )


def adding_constraint(table: Table, constraint: Constraint) -> Iterator[Risk]:
    """Yield which rows already there would break the constraint."""
    content = constraint_content(constraint)
    match constraint:
        case PrimaryKey():
            yield Risk(
                "may_fail",
                f"fails if two rows of table {table.name} have the same {content}, or a row has none",
            )
        case Unique():
            yield Risk("may_fail", f"fails if two rows of table {table.name} have the same {content}")
        case Check():
            yield Risk("may_fail", f"fails if a row of table {table.name} does not satisfy {content}")
        case ForeignKey():
            yield Risk(
                "may_fail",
                f"fails if a row of table {table.name} has a {content} that {constraint.references} lacks",
            )


def vacuous(constraint: Constraint, added: tuple[Column, ...]) -> bool:
    """Whether rows already there cannot break a constraint, as a column of it is new and empty in all."""
    empty = {each.name for each in added if each.default is None and not each.generated and not each.not_null}
    match constraint:
        case Unique():
            return any(part.column in empty for part in constraint.columns)
        case ForeignKey():
            return any(name in empty for name in constraint.columns)
    return False


def constraint_content(constraint: Constraint) -> str:
    """Return what a constraint is about: `(a, b)`."""
    match constraint:
        case PrimaryKey() | Unique():
            return f"({', '.join(_part(each) for each in constraint.columns)})"
        case ForeignKey():
            return f"({', '.join(constraint.columns)})"
        case Check():
            return f"({constraint.expression})"
    return ""


def _part(part: KeyPart) -> str:
    return part.column or part.expression
