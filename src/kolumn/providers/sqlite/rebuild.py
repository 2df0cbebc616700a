"""The table rebuild SQLite documents for what ALTER TABLE cannot do (https://sqlite.org/lang_altertable.html#otheralter).

A new table is made beside the old one, rows are copied, the old one is dropped, the new one takes its name,
and what went with the old one (indexes, triggers, its place in sqlite_sequence) is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kolumn.engine.operations import Statement
from kolumn.providers.sqlite import render
from kolumn.providers.sqlite.faults import TEMPORARY_PREFIX
from kolumn.providers.sqlite.model import SQLiteColumn, SQLiteIndex, SQLiteTable, SQLiteTrigger
from kolumn.providers.sqlite.tokens import fold, literal, quote, tokenize, unquote
from kolumn.sql.tokens import WORD

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_CONSTANTS = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"})


def rebuild(
    before: SQLiteTable,
    after: SQLiteTable,
    dependents: Iterable[SQLiteIndex | SQLiteTrigger],
    renamed: dict[str, str],
) -> Iterator[Statement]:
    """Yield the statements that turn `before` into `after`, both of one name, rows and rowids kept.

    `dependents` are the indexes and triggers to make again; `renamed` maps folded new column names to old
    ones. Foreign keys must not be enforced meanwhile.
    """
    schema = after.schema or "main"
    where = f"{quote(schema)}."
    new = f"{TEMPORARY_PREFIX}{after.name}"
    yield Statement(render.create(after, schema=after.schema, name=new))
    targets, sources = _columns(before, after, renamed)
    # OR ABORT: a constraint's own ON CONFLICT clause could otherwise leave rows out without a word.
    yield Statement(
        f"INSERT OR ABORT INTO {where}{quote(new)} ({', '.join(targets)})\n"
        f"SELECT {', '.join(sources)} FROM {where}{quote(before.name)}"
    )
    if before.autoincrement and after.autoincrement:
        yield Statement(f"DELETE FROM {where}sqlite_sequence WHERE name = {literal(new)}")
        yield Statement(
            f"INSERT INTO {where}sqlite_sequence (name, seq) "
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
    if not targets:
        # No column is left of the old ones; the rows are, with the new columns' defaults.
        column = next(each for each in after.columns if not each.generated)
        targets.append(quote(column.name))
        sources.append(default_value(column))
    return targets, sources


def default_value(column: SQLiteColumn) -> str:
    """Return a column's default as an expression: SQLite reads a lone word in DEFAULT as a text."""
    if column.default is None:
        return "NULL"
    tokens = tokenize(column.default)
    lone = len(tokens) == 1 and tokens[0].kind == WORD and tokens[0].word not in _CONSTANTS
    return literal(unquote(tokens[0].text)) if lone else f"({column.default})"


def _rowid_name(table: SQLiteTable) -> str:
    """Return how the rowid of a table's rows is read, empty if it has none that can be named."""
    if table.without_rowid:
        return ""
    column: SQLiteColumn | None = table.rowid_column
    return quote(column.name) if column is not None else _free_rowid_name(table)


def _free_rowid_name(table: SQLiteTable) -> str:
    taken = {fold(column.name) for column in table.columns}
    return next((name for name in _ROWID_NAMES if name not in taken), "")


_FULL_TEXT = frozenset({"fts3", "fts4", "fts5"})
_SPATIAL = frozenset({"rtree", "rtree_i32"})


def replace_virtual(before: SQLiteTable, after: SQLiteTable) -> Iterator[Statement]:
    """Yield the statements that put `after` in the place of `before`, one of them virtual or both.

    What both can hold is carried over: see `carries_over`.
    """
    where = f"{quote(after.schema or 'main')}."
    new = f"{TEMPORARY_PREFIX}{after.name}"
    yield Statement(render.create(after, schema=after.schema, name=new))
    if carries_over(before, after):
        columns = [
            quote(name)
            for name in _virtual_columns(after)
            if fold(name) in map(fold, _virtual_columns(before))
        ]
        if fold(before.using) in _FULL_TEXT:
            columns.append("rowid")
        listed = ", ".join(columns)
        yield Statement(
            f"INSERT INTO {where}{quote(new)} ({listed})\nSELECT {listed} FROM {where}{quote(before.name)}"
        )
    yield Statement(f"DROP TABLE {where}{quote(before.name)}")
    yield Statement("PRAGMA legacy_alter_table=ON")
    yield Statement(f"ALTER TABLE {where}{quote(new)} RENAME TO {quote(after.name)}")
    yield Statement("PRAGMA legacy_alter_table=OFF")


def carries_over(before: SQLiteTable, after: SQLiteTable) -> bool:
    """Whether one virtual table's rows fit another: both full text or R-tree, and storing rows themselves."""
    modules = {fold(before.using), fold(after.using)}
    if not (modules <= _FULL_TEXT or modules <= _SPATIAL):
        return False
    elsewhere = any(_option(each) == "content" for table in (before, after) for each in table.arguments)
    common = {*map(fold, _virtual_columns(before))} & {*map(fold, _virtual_columns(after))}
    return not elsewhere and bool(common)


def _option(argument: str) -> str:
    """Return the name of a `name = value` argument, empty for a column."""
    tokens = tokenize(argument)
    return fold(unquote(tokens[0].text)) if len(tokens) > 1 and tokens[1].word == "=" else ""


def _virtual_columns(table: SQLiteTable) -> list[str]:
    return [
        unquote(tokenize(argument)[0].text).removeprefix("+")
        for argument in table.arguments
        if tokenize(argument) and not _option(argument)
    ]
