"""Parts of a table that are taken off and put back around what they stand on (see `engine.dependents`).

They are what `dependencies` tells: the default or generation expression of a column, a constraint, and a
column because of its type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from kolumn.engine.resource import Ref
from kolumn.providers.postgres.mentions import names
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.model import PostgresColumn, PostgresTable
from kolumn.providers.postgres.types import parse_type
from kolumn.sql.model import Constraint


def part(table: PostgresTable, ref: Ref) -> object | None:
    """Return an expression, a constraint or a type; None if the table has no such part."""
    if ref.type == "constraint":
        return _constraint(canonical(table), ref.name)
    column = table.column(ref.name)
    if column is None:
        return None
    match ref.type:
        case "default":
            return column.generated or column.default
        case "column":
            return column.type
    return None


def without(table: PostgresTable, ref: Ref) -> PostgresTable:
    """Return the table while one of its parts is away, in canonical form.

    A generated column goes whole, as its values are nothing without the expression; a column whose type is
    away holds text.
    """
    table = canonical(table)
    if ref.type == "constraint":
        constraint = _constraint(table, ref.name)
        return table if constraint is None else table.without_constraint(constraint)
    column = table.column(ref.name)
    if column is None or part(table, ref) is None:
        return table
    if column.generated:
        return _without_column(table, column.name)
    bare: dict[str, Any] = {"default": None}
    if ref.type == "column":
        bare["type"] = _text_for(column.type)
    return _with_column(table, dataclasses.replace(column, **bare))


def with_part(table: PostgresTable, ref: Ref, source: PostgresTable) -> PostgresTable:
    """Return the table with one of its parts as `source` has it, in canonical form; only where both have it."""
    table, source = canonical(table), canonical(source)
    if part(table, ref) is None or part(source, ref) is None:
        return table
    if ref.type == "constraint":
        mine, theirs = _constraint(table, ref.name), _constraint(source, ref.name)
        assert mine is not None
        assert theirs is not None
        return table if mine == theirs else table.without_constraint(mine).with_constraint(theirs)
    mine_column, theirs_column = table.column(ref.name), source.column(ref.name)
    assert mine_column is not None
    assert theirs_column is not None
    fields = ("type",) if ref.type == "column" else ("default", "generated")
    changes = {field: getattr(theirs_column, field) for field in fields}
    return _with_column(table, dataclasses.replace(mine_column, **changes))


def _constraint(table: PostgresTable, name: str) -> Constraint | None:
    return next((each for each in table.constraints() if each.name == name), None)


def _with_column(table: PostgresTable, column: PostgresColumn) -> PostgresTable:
    columns = tuple(column if each.name == column.name else each for each in table.columns)
    return dataclasses.replace(table, columns=columns)


def _without_column(table: PostgresTable, name: str) -> PostgresTable:
    for constraint in table.constraints():
        if name in _columns(constraint):
            table = table.without_constraint(constraint)
    return dataclasses.replace(table, columns=tuple(each for each in table.columns if each.name != name))


def _columns(constraint: Any) -> Iterable[str]:
    """Return the columns a constraint is about, and whatever else its expressions name."""
    found: list[str] = list(getattr(constraint, "include", ()))
    for each in (*getattr(constraint, "columns", ()), *getattr(constraint, "elements", ())):
        found += [each] if isinstance(each, str) else [each.column, *names(each.expression)]
    for field in ("expression", "where"):
        found += names(getattr(constraint, field, ""))
    return found


def _text_for(type_name: str) -> str:
    parsed = parse_type(type_name)
    return "text[]" if not isinstance(parsed, str) and parsed.array else "text"
