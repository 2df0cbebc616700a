"""The difference between two tables of PostgreSQL, as operations.

What `sql.differ` finds between two sets of columns and constraints, with what only PostgreSQL has around it:
tables leave the parents they do not belong to any more first, and join new ones last; what comes to a child by way
of its parent is not done twice; a column whose values are computed in another way is made anew where it must be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from kolumn.engine.declaration import replaced
from kolumn.engine.resource import Ref
from kolumn.engine.rewriting import with_kept
from kolumn.providers.postgres.tables.building import with_constraints
from kolumn.providers.postgres.tables.comparison import TableNormalizer
from kolumn.providers.postgres.tables.forms import usual_name, with_not_null_names, without_not_null_names
from kolumn.providers.postgres.tables.inheritance import detached, own_difference, parents
from kolumn.providers.postgres.tables.model import PostgresColumn, PostgresTable
from kolumn.providers.postgres.tables.operations import AttachPartition, DetachPartition, RemakeColumn
from kolumn.sql.differ import column_ref, diff_table
from kolumn.sql.model import Constraint, PrimaryKey, Unique
from kolumn.sql.operations import AlterColumn, AlterTable

NAMED_NOT_NULL = 18
"""The version since which not-null constraints have names."""
SETS_EXPRESSIONS = 17
"""The version since which the expression of a generated column can change in place."""


def needs_replacing(live: PostgresTable, wanted: PostgresTable, normalizer: TableNormalizer) -> bool:
    """Whether one table cannot become the other: PostgreSQL decides at creation whether a table is partitioned."""
    before, after = normalizer.table(live), normalizer.table(wanted)
    return getattr(before, "partition_by", None) != getattr(after, "partition_by", None)


def comparable(live: PostgresTable, wanted: PostgresTable) -> PostgresTable:
    """Return the wanted table with what configuration leaves alone as it is; both in canonical form."""
    new = {column.renamed_from: column.name for column in wanted.columns if column.renamed_from}
    columns = tuple(
        dataclasses.replace(column, name=new[column.name]) if column.name in new else column
        for column in live.columns
    )
    wanted = with_kept(wanted, dataclasses.replace(live, columns=columns))
    return with_not_null_names(wanted) if live.version >= NAMED_NOT_NULL else without_not_null_names(wanted)


def changes(
    live: PostgresTable, wanted: PostgresTable, normalizer: TableNormalizer, subject: Ref
) -> Iterator[AlterTable]:
    """Yield the operations that turn `live` into `wanted`, both canonical, comparable, and named `subject`."""
    found = list(_changes(live, wanted, normalizer, subject))
    if found:
        found[-1] = dataclasses.replace(found[-1], after=wanted)
    for each in found:
        yield _as_it_is_made(live, each) if isinstance(each, AlterColumn) else each


def _as_it_is_made(live: PostgresTable, operation: AlterColumn) -> AlterColumn:
    """Return a change of a column as what it is to others: with another type, it is another column."""
    if _is_made_anew(live, operation):
        operation = RemakeColumn(
            subject=operation.subject,
            before=operation.before,
            after=operation.after,
            old=operation.old,
            new=operation.new,
            fields=operation.fields,
            risks=operation.risks,
        )
    elif "type" not in operation.fields:
        return operation
    refs = frozenset({column_ref(operation.subject, operation.new.name)})
    return dataclasses.replace(operation, removes=refs, provides=refs)


def _changes(
    live: PostgresTable, wanted: PostgresTable, normalizer: TableNormalizer, subject: Ref
) -> Iterator[AlterTable]:
    before, after = normalizer.table(live), normalizer.table(wanted)
    assert isinstance(before, PostgresTable)
    assert isinstance(after, PostgresTable)
    membership = ("partition_of", "bounds", "inherits", "of_type")
    moved = [field for field in membership if getattr(before, field) != getattr(after, field)]
    if not moved:
        mine, theirs = own_difference(live, wanted) if live.derives else (live, wanted)
        if live.partition_of:
            mine, theirs = _with_keys_renamed(mine, theirs, normalizer)
        yield from _within(live, mine, theirs, normalizer, subject)
        return
    alone = _on_its_own(live, wanted, normalizer)
    if live.partition_of:
        parent = parents(live)[0]
        yield DetachPartition(
            subject=subject, before=live, after=alone, removes=frozenset({partitions_of(parent)})
        )
    elif fields := _differing(live, alone):
        yield AlterTable(subject=subject, before=live, after=alone, fields=fields)
    joining = _before_joining(alone, wanted, normalizer) if wanted.derives else wanted
    mine, theirs = own_difference(alone, joining) if alone.derives else (alone, joining)
    yield from _within(alone, mine, theirs, normalizer, subject)
    if wanted.partition_of:
        parent = parents(wanted)[0]
        yield AttachPartition(
            subject=subject,
            before=joining,
            after=wanted,
            requires=frozenset({parent}),
            provides=frozenset({partitions_of(parent)}),
        )
    elif fields := _differing(joining, wanted):
        yield AlterTable(
            subject=subject, before=joining, after=wanted, fields=fields, requires=frozenset(parents(wanted))
        )


def _with_keys_renamed(
    live: PostgresTable, wanted: PostgresTable, normalizer: TableNormalizer
) -> tuple[PostgresTable, PostgresTable]:
    """Return both tables with the keys that a partition has from its parent, where one says their names."""
    mine = {_content(live, each, normalizer): each for each in live.constraints()}
    theirs = {_content(wanted, each, normalizer): each for each in wanted.constraints()}
    from_live = {_content(live, each, normalizer): each for each in live.handed_down}
    from_wanted = {_content(wanted, each, normalizer) for each in wanted.handed_down}
    more_mine = [from_live[key] for key in theirs if key in from_live and key not in mine]
    columns = [column.name for column in live.columns]
    more_theirs = [
        _named(each, usual_name(live.name, each, columns))
        for key, each in mine.items()
        if key in from_wanted and key not in theirs
    ]
    return (
        with_constraints(live, (*live.constraints(), *more_mine)) if more_mine else live,
        with_constraints(wanted, (*wanted.constraints(), *more_theirs)) if more_theirs else wanted,
    )


def _named(constraint: Constraint, name: str) -> Constraint:
    return replaced(constraint, {"name": name})


def _differing(before: PostgresTable, after: PostgresTable) -> tuple[str, ...]:
    return tuple(
        field for field in ("inherits", "of_type") if getattr(before, field) != getattr(after, field)
    )


def _on_its_own(live: PostgresTable, wanted: PostgresTable, normalizer: TableNormalizer) -> PostgresTable:
    """Return a table after it left the parents it does not have any more; from others it still inherits."""
    staying = frozenset(parents(wanted)) if wanted.inherits else frozenset()
    common = (
        tuple(text for text, ref in zip(live.inherits, parents(live), strict=True) if ref in staying)
        if live.inherits
        else ()
    )
    if not common:
        return detached(live) if live.derives else live
    if len(common) == len(live.inherits):
        return live
    inherited = {column.name for column in wanted.columns if column.inherited}
    theirs = {_content(wanted, each, normalizer) for each in wanted.handed_down}
    left = [each for each in live.handed_down if _content(live, each, normalizer) not in theirs]
    columns = tuple(
        column
        if column.name in inherited
        else replaced(column, {"inherited": False, "local": True, "follows": False, "origin": None})
        for column in live.columns
    )
    alone = replaced(live, {"inherits": common, "columns": columns})
    return with_constraints(alone, (*alone.constraints(), *left))


def partitions_of(parent: Ref) -> Ref:
    """Return the ref of the bounds of all partitions of a table: new ones come after old ones went."""
    return parent.moment("partitions of")


def _within(
    live: PostgresTable,
    mine: PostgresTable,
    theirs: PostgresTable,
    normalizer: TableNormalizer,
    subject: Ref,
) -> Iterator[AlterTable]:
    found = diff_table(mine, theirs, normalizer, subject)
    if found:
        found[0] = dataclasses.replace(found[0], before=live)
    yield from found


def _before_joining(
    alone: PostgresTable, wanted: PostgresTable, normalizer: TableNormalizer
) -> PostgresTable:
    """Return the wanted table as it must be to join its new parents.

    It has their columns and checks, and keeps those of its keys that they have as well: all that is then theirs.
    """
    held = {column.name for column in alone.columns if column.inherited}
    columns = tuple(
        column
        if column.name in held
        else replaced(column, {"inherited": False, "local": True, "follows": False})
        for column in wanted.columns
    )
    if wanted.of_type:
        named = {column.name: column for column in wanted.columns}
        columns = tuple(_typed(column, named.get(column.name)) for column in alone.columns)
    joining = replaced(
        wanted,
        {
            "partition_of": "",
            "bounds": "",
            "inherits": alone.inherits,
            "of_type": "",
            "columns": columns,
            "handed_down": alone.handed_down,
        },
    )
    theirs = {_content(wanted, each, normalizer): each for each in wanted.handed_down}
    known = {_content(alone, each, normalizer) for each in alone.handed_down}
    kept = [each for each in alone.constraints() if _content(alone, each, normalizer) in theirs]
    names = {each.name for each in (*wanted.constraints(), *kept)}
    missing = [
        each
        for content, each in theirs.items()
        if content.KIND == "check" and content not in known and each.name not in names
    ]
    own = [column.name for column in alone.columns]
    usual = [
        _named(each, usual_name(alone.name, each, own)) if isinstance(each, PrimaryKey | Unique) else each
        for each in kept
        if each not in wanted.constraints()
    ]
    more = [*usual, *missing]
    return with_constraints(joining, (*joining.constraints(), *more)) if more else joining


def _typed(live: PostgresColumn, wanted: PostgresColumn | None) -> PostgresColumn:
    if wanted is None:
        return replaced(live, {"default": None, "not_null": False})
    return replaced(wanted, {"type": live.type, "collation": live.collation})


def _content(table: PostgresTable, constraint: Constraint, normalizer: TableNormalizer) -> Constraint:
    """Return what two constraints have in common that PostgreSQL takes for one when tables are joined."""
    normal = normalizer.constraint(table, constraint)
    kept = {"name": normal.name if normal.KIND == "check" else ""}
    if hasattr(normal, "comment"):
        return dataclasses.replace(normal, **kept, comment="")  # type: ignore[call-arg]
    return dataclasses.replace(normal, **kept)


def _is_made_anew(live: PostgresTable, operation: AlterColumn) -> bool:
    """Whether the way a column's values are computed cannot change in place."""
    old, new = operation.old, operation.new
    if not {"generated", "stored"} & set(operation.fields):
        return False
    if not new.generated:
        return not old.stored
    if not old.generated or old.stored != new.stored:
        return True
    return live.version < SETS_EXPRESSIONS
