"""Parts of a table that can be away for a while: constraints, defaults, generated columns (see `dependents`)."""

from __future__ import annotations

from kolumn.engine.declaration import replaced
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.model import PostgresTable
from kolumn.sql.model import Constraint


def part_of(table: PostgresTable, part: Ref) -> object | None:
    """Return the constraint, the default or the generated column that `part` means, None without one."""
    table = canonical(table)
    if part.type == "constraint":
        return next((each for each in table.constraints() if each.name == part.name), None)
    column = table.column(part.name) if part.type == "default" else None
    if column is None:
        return None
    return column if column.generated else column.default


def without_part(table: PostgresTable, part: Ref) -> PostgresTable:
    """Return the table without a part; a generated column stays as a plain one with its values."""
    found = part_of(table, part)
    table = canonical(table)
    if found is None:
        return table
    if part.type == "constraint":
        return table.without_constraint(_constraint(found))
    if isinstance(found, str):
        columns = tuple(
            replaced(each, {"default": None}) if each.name == part.name else each for each in table.columns
        )
        return replaced(table, {"columns": columns})
    columns = tuple(
        replaced(each, {"generated": "", "stored": False}) if each.name == part.name else each
        for each in table.columns
    )
    return replaced(table, {"columns": columns})


def with_part(table: PostgresTable, part: Ref, source: PostgresTable) -> PostgresTable:
    """Return the table with a part as `source` has it; the table itself unless both have it."""
    mine, theirs = part_of(table, part), part_of(source, part)
    table = canonical(table)
    if mine is None or theirs is None or mine == theirs:
        return table
    if part.type == "constraint":
        return table.without_constraint(_constraint(mine)).with_constraint(_constraint(theirs))
    column = canonical(source).column(part.name)
    assert column is not None
    changes = {"default": column.default, "generated": column.generated}
    columns = tuple(replaced(each, changes) if each.name == part.name else each for each in table.columns)
    return replaced(table, {"columns": columns})


def _constraint(found: object) -> Constraint:
    assert isinstance(found, Constraint)
    return found
