"""The table rebuild SQLite documents for what ALTER TABLE cannot do (https://sqlite.org/lang_altertable.html#otheralter).

A new table is made beside the old one, rows are copied, the old one is dropped, the new one takes its name,
and what went with the old one (indexes, triggers, its place in sqlite_sequence) is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kolumn.engine.operations import Statement
from kolumn.providers.sqlite import render
from kolumn.providers.sqlite.model import SQLiteColumn, SQLiteIndex, SQLiteTable, SQLiteTrigger
from kolumn.providers.sqlite.tokens import fold, literal, quote

TEMPORARY_PREFIX = "kolumn_new_"
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


def rebuild(
    before: SQLiteTable,
    after: SQLiteTable,
    dependents: Iterable[SQLiteIndex | SQLiteTrigger],
    renamed: dict[str, str],
) -> Iterator[Statement]:
    """Yield the statements that turn `before` into `after`, both of one name, rows and rowids kept.

    `dependents` are the indexes and triggers to make again; `renamed` maps folded new column names to old ones.
    Foreign keys must not be enforced meanwhile.
    """
    schema = after.schema or "main"
    where = f"{quote(schema)}."
    new = f"{TEMPORARY_PREFIX}{after.name}"
    yield Statement(render.create(after, schema=after.schema, name=new))
    targets, sources = _columns(before, after, renamed)
    if targets:
        # OR ABORT: a constraint's own ON CONFLICT clause could otherwise leave rows out without a word.
        yield Statement(
            f"INSERT OR ABORT INTO {where}{quote(new)} ({', '.join(targets)})\n"
            f"SELECT {', '.join(sources)} FROM {where}{quote(before.name)}"
        )
    if before.autoincrement and after.autoincrement:
        yield Statement(f"DELETE FROM {where}sqlite_sequence WHERE name = {literal(new)}")  # noqa: S608
        yield Statement(
            f"INSERT INTO {where}sqlite_sequence (name, seq) "  # noqa: S608
            f"SELECT {literal(new)}, seq FROM {where}sqlite_sequence WHERE name = {literal(before.name)}"
        )
    yield Statement(f"DROP TABLE {where}{quote(before.name)}")
    # Else the renaming would look for the dropped table in views and triggers, and fail.
    yield Statement("PRAGMA legacy_alter_table=ON")
    yield Statement(f"ALTER TABLE {where}{quote(new)} RENAME TO {quote(after.name)}")
    yield Statement("PRAGMA legacy_alter_table=OFF")
    for model in dependents:
        yield Statement(render.create(model, schema=model.schema))


def _columns(before: SQLiteTable, after: SQLiteTable, renamed: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the columns of the copy, and what each is filled with."""
    old = {fold(column.name): column for column in before.columns}
    targets, sources = [], []
    rowid = after.rowid_column
    old_rowid = _rowid_name(before)
    for column in after.columns:
        if column.generated:
            continue
        source = old.get(fold(renamed.get(fold(column.name), column.name)))
        if source is not None:
            targets.append(quote(column.name))
            sources.append(quote(source.name))
        elif column is rowid and old_rowid:
            targets.append(quote(column.name))
            sources.append(old_rowid)
    new_rowid = _free_rowid_name(after) if rowid is None and not after.without_rowid else ""
    if new_rowid and old_rowid:
        targets.append(new_rowid)
        sources.append(old_rowid)
    return targets, sources


def _rowid_name(table: SQLiteTable) -> str:
    """Return how the rowid of a table's rows is read, empty if it has none that can be named."""
    if table.without_rowid:
        return ""
    column: SQLiteColumn | None = table.rowid_column
    return quote(column.name) if column is not None else _free_rowid_name(table)


def _free_rowid_name(table: SQLiteTable) -> str:
    taken = {fold(column.name) for column in table.columns}
    return next((name for name in _ROWID_NAMES if name not in taken), "")
