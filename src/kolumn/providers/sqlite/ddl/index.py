"""CREATE INDEX, and the lists of key columns that PRIMARY KEY and UNIQUE have too."""

from __future__ import annotations

from kolumn.providers.sqlite.ddl.cursor import Cursor
from kolumn.providers.sqlite.keywords import RESERVED
from kolumn.providers.sqlite.model import SQLiteIndex, SQLiteKeyPart


def parse_index(text: str) -> SQLiteIndex:
    """Read `CREATE [UNIQUE] INDEX name ON table (part, ...) [WHERE expression]`."""
    cursor = Cursor(text)
    cursor.expect("CREATE")
    unique = cursor.accept("UNIQUE")
    cursor.expect("INDEX")
    name = cursor.object_name()
    cursor.expect("ON")
    table = cursor.name()
    parts, _ = parse_key_parts(cursor)
    where = ""
    if cursor.accept("WHERE"):
        start = cursor.token.start
        cursor.skip_to()
        where = text[start : cursor.last_end]
    cursor.finish()
    return SQLiteIndex(name=name, statement=text, table=table, columns=parts, unique=unique, where=where)


def parse_key_parts(cursor: Cursor) -> tuple[tuple[SQLiteKeyPart, ...], bool]:
    """Read `(column or expression [COLLATE name] [ASC|DESC], ...)`; say if AUTOINCREMENT ends it."""
    cursor.expect("(")
    parts = [_parse_key_part(cursor)]
    while cursor.accept(","):
        parts.append(_parse_key_part(cursor))
    autoincrement = cursor.accept("AUTOINCREMENT")
    cursor.expect(")")
    return tuple(parts), autoincrement


def _parse_key_part(cursor: Cursor) -> SQLiteKeyPart:
    first = cursor.place
    if cursor.ahead(1).word in (",", ")", "COLLATE", "ASC", "DESC", "AUTOINCREMENT"):
        token = cursor.token
        column = "" if token.kind in ("number", "blob") or token.word in RESERVED else cursor.name()
    else:
        column = ""
    values: dict[str, str] = {"column": column} if column else {"expression": ""}
    if (
        column
        and cursor.word == "COLLATE"
        and cursor.ahead(2).word in (",", ")", "ASC", "DESC", "AUTOINCREMENT")
    ):
        cursor.take()
        values["collation"] = cursor.name()
    elif not column or cursor.word == "COLLATE":
        cursor.place = first
        values = {"expression": _expression(cursor)}
    if cursor.word in ("ASC", "DESC"):
        values["order"] = cursor.take().text.lower()
    return SQLiteKeyPart(**values, written=tuple(values))


def _expression(cursor: Cursor) -> str:
    start = cursor.token.start
    cursor.skip_to(",", ")", "ASC", "DESC", "AUTOINCREMENT")
    return cursor.text[start : cursor.last_end]
