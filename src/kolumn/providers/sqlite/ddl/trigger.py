"""CREATE TRIGGER."""

from __future__ import annotations

import re

from kolumn.providers.sqlite.ddl.cursor import Cursor
from kolumn.providers.sqlite.fragments import BODY_STATEMENTS
from kolumn.providers.sqlite.model import SQLiteTrigger
from kolumn.providers.sqlite.tokens import quote

_LEADING_LINES = re.compile(r"^\s*\n")


def parse_trigger(text: str) -> SQLiteTrigger:
    """Read `CREATE TRIGGER name [timing] event ON table [FOR EACH ROW] [WHEN expression] BEGIN body END`."""
    cursor = Cursor(text)
    cursor.expect("CREATE", "TRIGGER")
    name = cursor.object_name()
    timing = "before"
    if cursor.accept("INSTEAD", "OF"):
        timing = "instead of"
    elif cursor.word in ("BEFORE", "AFTER"):
        timing = cursor.take().text.lower()
    if cursor.word not in ("INSERT", "DELETE", "UPDATE"):
        raise cursor.fault(f"{cursor.token.text!r} instead of INSERT, DELETE or UPDATE")
    event = cursor.take().text.lower()
    if event == "update" and cursor.accept("OF"):
        columns = [cursor.name()]
        while cursor.accept(","):
            columns.append(cursor.name())
        event += " of " + ", ".join(map(quote, columns))
    cursor.expect("ON")
    table = cursor.name()
    for_each_row = cursor.accept("FOR", "EACH", "ROW")
    when = ""
    if cursor.accept("WHEN"):
        start = cursor.token.start
        while not (cursor.word == "BEGIN" and cursor.ahead(1).word in BODY_STATEMENTS):
            cursor.take()
        when = text[start : cursor.last_end]
    cursor.expect("BEGIN")
    start = cursor.last_end
    while cursor.ahead(1).kind != "end":
        cursor.take()
    if cursor.word != "END":
        raise cursor.fault(f"{cursor.token.text!r} instead of END")
    body = _LEADING_LINES.sub("", text[start : cursor.token.start].rstrip())
    return SQLiteTrigger(
        name=name,
        statement=text,
        table=table,
        timing=timing,
        events=(event,),
        for_each_row=for_each_row,
        when=when,
        body=body if "\n" in body else body.strip(),
    )
