"""What is in the way of changes to a table.

PostgreSQL refuses to change the type of a column, or to drop it, while views, rules, policies, triggers with
columns, generated columns or routines use it; and to drop a key that foreign keys or views rely on. Indexes,
checks and statistics of the table itself it takes along.
https://www.postgresql.org/docs/current/ddl-depend.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kolumn.engine.operations import Drop, Operation
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.language.types import parse_type, serial_of
from kolumn.providers.postgres.tables.forms import mentioned
from kolumn.providers.postgres.tables.model import Exclusion, PostgresColumn, PostgresTable
from kolumn.providers.postgres.tables.operations import RemakeColumn
from kolumn.sql.model import Check, Constraint, ForeignKey, PrimaryKey, Unique
from kolumn.sql.operations import AlterColumn, DropColumn, DropConstraint

_TAKEN_ALONG = frozenset({"index", "statistics", "sequence", "grant"})
"""What PostgreSQL itself changes or drops with a column."""


def of(operation: Operation, live: Snapshot, *, replaced: bool) -> Iterator[Ref]:
    """Yield what must be dropped before an operation on a table and comes back after it."""
    table = operation.subject
    match operation:
        case RemakeColumn(before=PostgresTable() as model, old=old):
            yield from _users(table, old.name, live, own=True)
            for each in model.constraints():
                if old.name in columns_of(model, each):
                    yield _constraint(table, each.name)
        case DropColumn(column=column):
            yield from _users(table, column.name, live)
        case AlterColumn(old=PostgresColumn() as old, new=PostgresColumn() as new) if _is_retyped(operation):
            yield from _users(table, old.name, live, keys=_breaks_keys(old, new))
        case DropConstraint(constraint=PrimaryKey() | Unique() as key):
            yield from live.dependents(_constraint(table, key.name))
        case Drop(model=PostgresTable() as model) if replaced:
            for ref in live.attached(table):
                if ref in live.aside:
                    yield from live.attached(ref)
            for each in model.constraints():
                if isinstance(each, PrimaryKey | Unique):
                    yield from live.dependents(_constraint(table, each.name))


def columns_of(table: PostgresTable, constraint: Constraint) -> Iterable[str]:
    """Return the columns of its table that a constraint is about."""
    match constraint:
        case ForeignKey():
            return constraint.columns
        case Check():
            return mentioned(constraint.expression, [column.name for column in table.columns])
        case PrimaryKey() | Unique() | Exclusion():
            return [part.column for part in constraint.columns]
    return ()


def _is_retyped(operation: AlterColumn) -> bool:
    return bool({"type", "collation", "generated"} & set(operation.fields))


def _breaks_keys(old: PostgresColumn, new: PostgresColumn) -> bool:
    """Whether a foreign key over the column may not stand while only one of its ends has the new type."""
    before, after = (parse_type(serial_of(each.type) or each.type) for each in (old, new))
    if isinstance(before, str) or isinstance(after, str) or before.array or after.array:
        return True
    names = {before.name, after.name}
    same = before.built_in and after.built_in
    return not (same and (len(names) == 1 or any(names <= family for family in _COMPARABLE)))


_COMPARABLE = (
    frozenset({"int2", "int4", "int8"}),
    frozenset({"float4", "float8"}),
    frozenset({"text", "varchar"}),
    frozenset({"date", "timestamp", "timestamptz"}),
)
"""Types of which a foreign key can have one at each end."""


def _constraint(table: Ref, name: str) -> Ref:
    return Ref("constraint", name, table.schema, table.name)


def _is_part(ref: Ref) -> bool:
    return ref.type in ("default", "constraint", "column")


def _users(
    table: Ref, column: str, live: Snapshot, *, own: bool = False, keys: bool = False
) -> Iterator[Ref]:
    """Yield what uses a column of a table, or of what inherits it.

    Generated columns of the same table are among it; its constraints and indexes only with `own`, and foreign
    keys of others that refer to the column only with `own` or `keys`.
    """
    for each in (table, *_descendants(table, live)):
        for ref in live.dependents(Ref("column", column, each.schema, each.name)):
            inside = (ref.parent, ref.schema) == (each.name, each.schema)
            if _is_part(ref):
                wanted = ref.type == "default" and ref.name != column if inside else own or keys
                if wanted or (own and ref.type == "constraint"):
                    yield ref
            elif ref != each and (own or ref.type not in _TAKEN_ALONG):
                yield ref


def _descendants(table: Ref, live: Snapshot) -> Iterator[Ref]:
    for ref in live.dependents(table):
        if ref.type == "table":
            yield ref
            yield from _descendants(ref, live)
