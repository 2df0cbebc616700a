"""What a table has from its parent: a partition from the partitioned table, a child from what it inherits.

Configuration does not repeat it. A wanted table gets it from its parent (`with_inherited`), and of what differs
between two states only that is left to the table itself which does not come to it by way of the parent
(`own_difference`): ALTER TABLE of a parent reaches its children.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kolumn.engine.declaration import declared_fields, replaced
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.model import PostgresColumn, PostgresTable
from kolumn.sql.model import Constraint

FROM_PARENT = ("type", "collation", "generated", "stored", "identity", "sequence")
"""What a column always has as the parent's column has it."""
OVERRIDABLE = ("not_null", "default", "storage", "compression")
"""What a column has as the parent's column has it, unless it says something else."""


def parents(table: PostgresTable) -> list[Ref]:
    """Return the tables it is a partition of or inherits from."""
    texts = (table.partition_of,) if table.partition_of else table.inherits
    return [
        Ref("table", name, schema) for schema, name in (names.related(text, table.schema) for text in texts)
    ]


def with_inherited(table: PostgresTable, other: Callable[[Ref], Any]) -> PostgresTable:
    """Return a wanted table with the columns it has from its parents, and with what these hand down."""
    models = [found for ref in parents(table) if isinstance(found := other(ref), PostgresTable)]
    if not models:
        return table
    models = [canonical(model) for model in models]
    own = {column.name: column for column in table.columns}
    origins: dict[str, PostgresColumn] = {}
    for model in models:
        for column in model.columns:
            origins.setdefault(column.name, column)
    explicit = bool(table.partition_of) and any(column.type for column in table.columns)
    columns = [] if explicit else [_from(origin, own.get(name)) for name, origin in origins.items()]
    for column in table.columns:
        origin = origins.get(column.name)
        if explicit or origin is None:
            columns.append(replaced(column, {"inherited": origin is not None, "origin": origin}))
    handed_down: tuple[Constraint, ...] = ()
    if table.partition_of:
        handed_down = (*models[0].constraints(), *models[0].handed_down)
    return replaced(table, {"columns": tuple(columns), "handed_down": handed_down})


def _from(origin: PostgresColumn, own: PostgresColumn | None) -> PostgresColumn:
    """Return the column that a child has from `origin`, with what it says itself."""
    taken = {field: getattr(origin, field) for field in (*FROM_PARENT, *OVERRIDABLE)}
    taken["identity"], taken["sequence"] = None, ""
    if own is None:
        return PostgresColumn(
            name=origin.name, **taken, inherited=True, local=False, follows=True, origin=origin
        )
    defaults = {each.name: each.default for each in declared_fields(PostgresColumn)}
    changes = {field: value for field, value in taken.items() if getattr(own, field) == defaults[field]}
    changes |= {"inherited": True, "local": bool(own.type), "follows": False, "origin": origin}
    return replaced(own, changes)


def own_difference(live: PostgresTable, wanted: PostgresTable) -> tuple[PostgresTable, PostgresTable]:
    """Return both tables with only those differences of their columns that the parent does not bring about.

    Both are in canonical form and derive from the same.
    """
    held = {column.name: column for column in live.columns}
    now: list[PostgresColumn] = []
    then: list[PostgresColumn] = []
    for column in wanted.columns:
        mine = held.pop(column.name, None)
        if not column.inherited and not wanted.of_type:
            then.append(column)
            now += [mine] if mine is not None else []
            continue
        if mine is None:
            mine = column.origin and _from(column.origin, None)
        if mine is None or (mine.follows and column.follows):
            continue
        now.append(mine)
        then.append(_as_far_as_own(mine, column))
    for mine in held.values():
        if wanted.of_type:
            now.append(mine)
            then.append(bare(mine))
        elif mine.local or not mine.inherited:
            now.append(mine)
    return _with_columns(live, now), _with_columns(wanted, then)


def _as_far_as_own(live: PostgresColumn, wanted: PostgresColumn) -> PostgresColumn:
    """Return the wanted column with what only the parent can change as it is."""
    changes = {field: getattr(live, field) for field in FROM_PARENT}
    if wanted.not_null_constraint is not None and live.not_null:
        changes["not_null_constraint"] = live.not_null_constraint
    return replaced(wanted, changes)


def bare(column: PostgresColumn) -> PostgresColumn:
    """Return a column of a typed table about which the table says nothing."""
    kept = {field: getattr(column, field) for field in FROM_PARENT}
    return PostgresColumn(name=column.name, **kept, inherited=True, local=False, follows=True)


def detached(table: PostgresTable) -> PostgresTable:
    """Return a table as it is once it does not belong to its parent any more: it keeps what it had from it."""
    columns = tuple(
        replaced(column, {"inherited": False, "local": True, "follows": False, "origin": None})
        for column in table.columns
    )
    found = replaced(
        table,
        {
            "partition_of": "",
            "bounds": "",
            "inherits": (),
            "of_type": "",
            "columns": columns,
            "handed_down": (),
        },
    )
    for constraint in table.handed_down:
        found = found.with_constraint(constraint)
    return found


def _with_columns(table: PostgresTable, columns: Iterable[PostgresColumn]) -> PostgresTable:
    return replaced(table, {"columns": tuple(columns)})
