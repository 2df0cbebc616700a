"""Reads the CREATE statements in sqlite_schema: that text is SQLite's schema, there is no other.

`parse` turns one statement into a model. What it does not understand it refuses (`Unreadable`), naming the
place: nothing is ever left out silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kolumn.providers.sqlite.ddl.cursor import Unreadable
from kolumn.providers.sqlite.ddl.index import parse_index
from kolumn.providers.sqlite.ddl.table import parse_table
from kolumn.providers.sqlite.ddl.trigger import parse_trigger
from kolumn.providers.sqlite.ddl.view import parse_view
from kolumn.providers.sqlite.model import SQLiteObject

__all__ = ["Unreadable", "parse"]

_PARSERS: Mapping[str, Callable[[str], SQLiteObject]] = {
    "table": parse_table,
    "index": parse_index,
    "view": parse_view,
    "trigger": parse_trigger,
}


def parse(kind: str, text: str) -> SQLiteObject:
    """Return the model of a CREATE statement; `kind` is table, index, view or trigger.

    It carries the whole text as `statement`; `render.concise` leaves that out where it is not needed.
    Raises Unreadable.
    """
    return _PARSERS[kind](text)
