"""How a table is changed: in place, while what keeps DuckDB from it is away, or by making it anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import Rename
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.duckdb import render
from kolumn.providers.duckdb.alterations import alteration, is_light, mentions_column
from kolumn.providers.duckdb.language.dialect import key_columns
from kolumn.providers.duckdb.language.tokens import fold, quote
from kolumn.providers.duckdb.model import DuckDBIndex, DuckDBTable
from kolumn.providers.duckdb.rebuild import Around, own_keys, rebuild
from kolumn.providers.duckdb.triggers import again
from kolumn.sql.model import ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.normal import Normalizer
from kolumn.sql.operations import AlterTable, AlterTogether, RebuildTable, RenameColumn
from kolumn.sql.renaming import with_column_renamed, with_table_renamed


def renamed(operation: Rename, live: Snapshot, normalizer: Normalizer) -> Iterator[str]:
    """Yield what gives a table another name, and makes what refers to it, and its triggers, follow."""
    around = Around(operation.subject, live, normalizer)
    before, after = operation.before, operation.after
    yield from around.away()
    for each in before.triggers:
        yield f"DROP TRIGGER {quote(each.name)} ON {render.address(before)}"
    if own_keys(before, normalizer):
        yield from rebuild(before, after, {}, normalizer)
    else:
        yield f"ALTER TABLE {render.address(before)} RENAME TO {quote(after.name)}"

    def followed(model: Any) -> Any:
        return with_table_renamed(model, before, after.name, normalizer)

    yield from around.back(
        [followed(each) for each in around.referring],
        [followed(each) for each in around.indexes],
        again(render.address(after), before.triggers),
    )


def altered(operation: AlterTable, live: Snapshot, normalizer: Normalizer) -> Iterator[str]:
    """Yield what changes a table, in place or by making it anew.

    Raises ValidationError for an index left without its column, and for a key that others refer to.
    """
    changes = operation.because if isinstance(operation, AlterTogether) else (operation,)
    alterations = [alteration(each) for each in changes]
    rebuilds = isinstance(operation, RebuildTable) or None in alterations
    if not rebuilds and all(map(is_light, changes)):
        for texts in alterations:
            yield from texts or ()
        return
    before, after = _table(operation.before), _table(operation.after)
    around = Around(operation.subject, live, normalizer)
    if not rebuilds and not around.is_needed:
        for texts in alterations:
            yield from texts or ()
        return
    referring, indexes = _followed(around, changes, normalizer)
    _refuse_orphans(indexes, before, after, changes)
    _refuse_lost_keys(referring, after, normalizer)
    yield from around.away()
    if rebuilds:
        renamed: dict[str, str] = {}
        for each in changes:
            if isinstance(each, RenameColumn):
                renamed[fold(each.new)] = renamed.pop(fold(each.old), each.old)
        yield from rebuild(before, after, renamed, normalizer)
    else:
        for texts in alterations:
            yield from texts or ()
    triggers = again(render.address(after), before.triggers) if rebuilds else ()
    yield from around.back(referring, indexes, triggers)


def _followed(
    around: Around, changes: Sequence[AlterTable], normalizer: Normalizer
) -> tuple[list[DuckDBTable], list[DuckDBIndex]]:
    referring, indexes = list(around.referring), list(around.indexes)
    for change in changes:
        if isinstance(change, RenameColumn):
            about = (change.before, change.old, change.new, normalizer)
            referring = [with_column_renamed(each, *about) for each in referring]
            indexes = [with_column_renamed(each, *about) for each in indexes]
    return referring, indexes


def _refuse_orphans(
    indexes: Iterable[DuckDBIndex],
    before: DuckDBTable,
    after: DuckDBTable,
    changes: Iterable[AlterTable],
) -> None:
    new = {fold(each.new) for each in changes if isinstance(each, RenameColumn)}
    gone = {fold(each.name) for each in before.columns} - {fold(each.name) for each in after.columns}
    orphans = [each for each in indexes if _uses(each, gone - new)]
    if orphans:
        raise ValidationError.of(
            Problem(
                f"index {index.name} uses a column that table {after.name} would no longer have",
                code="column_in_use",
                path="columns",
                hint="Change or remove the index in the same configuration.",
            )
            for index in orphans
        )


def _refuse_lost_keys(referring: Iterable[DuckDBTable], after: DuckDBTable, normalizer: Normalizer) -> None:
    """Raise ValidationError for foreign keys whose target would be no key of `after` any more."""
    me = normalizer.table_ref(after.name, after.schema)
    keys = [
        {fold(part.column) for part in each.columns}
        for each in after.constraints()
        if isinstance(each, PrimaryKey | Unique)
    ]
    lost = []
    for table in referring:
        for key in table.constraints():
            if not isinstance(key, ForeignKey):
                continue
            target = normalizer.target(table, key)
            columns = target.columns or key_columns(after)
            if Ref("table", target.table, target.schema) == me and set(map(fold, columns)) not in keys:
                lost.append(
                    Problem(
                        f"table {table.name} refers to {key.references}, which would be no key any more",
                        code="key_in_use",
                        path="columns",
                        hint="Change or remove the foreign key in the same configuration.",
                    )
                )
    if lost:
        raise ValidationError.of(lost)


def _uses(index: DuckDBIndex, columns: set[str]) -> bool:
    texts = [part.expression for part in index.columns if part.expression]
    return any(fold(part.column) in columns for part in index.columns) or any(
        mentions_column(text, column) for text in texts for column in columns
    )


def _table(table: Table) -> DuckDBTable:
    assert isinstance(table, DuckDBTable)
    return table
