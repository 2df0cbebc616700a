"""CREATE VIEW."""

from __future__ import annotations

from kolumn.providers.sqlite.ddl.cursor import Cursor
from kolumn.providers.sqlite.model import SQLiteView


def parse_view(text: str) -> SQLiteView:
    """Read `CREATE VIEW name [(column, ...)] AS query`; the query is kept as written, comments included."""
    cursor = Cursor(text)
    cursor.expect("CREATE", "VIEW")
    name = cursor.object_name()
    columns = cursor.names() if cursor.word == "(" else ()
    cursor.expect("AS")
    start = cursor.token.start
    if cursor.word not in ("SELECT", "WITH", "VALUES"):
        raise cursor.fault(f"{cursor.token.text!r} instead of a query")
    cursor.skip_to()
    definition = text[start : cursor.token.start].rstrip()
    cursor.finish()
    return SQLiteView(name=name, statement=text, columns=columns, definition=definition)
