"""What is wrong in a database: rows that refer to nothing, views and triggers that no longer compile."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kolumn.contract.errors import KolumnError
from kolumn.providers.sqlite import ddl
from kolumn.providers.sqlite.model import SQLiteTrigger
from kolumn.providers.sqlite.tokens import fold, quote

Ask = Callable[..., list[tuple[Any, ...]]]
"""Runs a query with its parameters and returns its rows."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A row whose foreign key finds no target."""

    schema: str
    table: str
    rowid: int | None
    parent: str

    def renamed(self, names: Mapping[str, str]) -> Violation:
        """Return the same violation after tables got other names."""
        table = names.get(fold(self.table), self.table)
        return replace(self, table=fold(table), parent=fold(names.get(fold(self.parent), self.parent)))

    def __str__(self) -> str:
        row = "a row" if self.rowid is None else f"row {self.rowid}"
        return f"{row} of {self.table} refers to a row that {self.parent} does not have"


def violations(ask: Ask) -> Counter[Violation]:
    """Return every broken foreign key of every attached file (`PRAGMA foreign_key_check`)."""
    found: Counter[Violation] = Counter()
    for _, schema, _ in ask("PRAGMA database_list"):
        if not ask(f"SELECT 1 FROM {quote(schema)}.sqlite_schema WHERE sql LIKE '%REFERENCES%' LIMIT 1"):
            continue
        try:
            rows = ask(f"PRAGMA {quote(schema)}.foreign_key_check")
        except KolumnError as error:
            if error.code != "sql_error":
                raise
            rows = list(_violations_by_table(ask, schema))
        for table, rowid, parent, _ in rows:
            found[Violation(schema, fold(table), rowid, fold(parent))] += 1
    return found


def _violations_by_table(ask: Ask, schema: str) -> Iterable[tuple[Any, ...]]:
    """Check table by table, passing over those whose foreign keys cannot be checked at all.

    A key to columns that are not unique (`foreign key mismatch`) makes the check of the whole file fail.
    """
    tables = ask(
        f"SELECT name FROM {quote(schema)}.sqlite_schema WHERE type = 'table' AND sql LIKE '%REFERENCES%'"
    )
    for (table,) in tables:
        try:
            yield from ask(f"PRAGMA {quote(schema)}.foreign_key_check({quote(table)})")
        except KolumnError as error:
            if error.code != "sql_error":
                raise


def compile_all(ask: Ask) -> dict[str, str]:
    """Return every view, and the triggers of every event of a table, each with why SQLite cannot compile it.

    The reason is empty for what is whole.
    """
    found: dict[str, str] = {}
    for _, schema, _ in ask("PRAGMA database_list"):
        where = quote(schema)
        rows = ask(
            f"SELECT type, name, tbl_name, sql FROM {where}.sqlite_schema WHERE type IN ('view', 'trigger')"
        )
        triggers: dict[tuple[str, str], list[str]] = defaultdict(list)
        for kind, name, table, sql in rows:
            if kind == "view":
                found[f"view {name}"] = _why_not(ask, f"SELECT * FROM {where}.{quote(name)}")
            elif event := _event(sql):
                triggers[table, event].append(name)
        for (table, event), names in triggers.items():
            if probe := _probe(ask, schema, table, event):
                words = "trigger" if len(names) == 1 else "one of the triggers"
                found[f"{words} {', '.join(sorted(names))}"] = _why_not(ask, probe)
    return found


def _event(sql: str) -> str:
    try:
        model = ddl.parse("trigger", sql)
    except ddl.Unreadable:
        return ""
    return model.events[0].split()[0].upper() if isinstance(model, SQLiteTrigger) else ""


def _probe(ask: Ask, schema: str, table: str, event: str) -> str:
    """Return a statement that makes SQLite compile the triggers of one event of a table."""
    target = f"{quote(schema)}.{quote(table)}"
    if event == "DELETE":
        return f"DELETE FROM {target}"
    rows = ask("SELECT name FROM pragma_table_xinfo(?, ?) WHERE hidden = 0", table, schema)
    columns = [quote(name) for (name,) in rows]
    if not columns:
        return ""
    if event == "INSERT":
        return f"INSERT INTO {target} ({', '.join(columns)}) VALUES ({', '.join(['NULL'] * len(columns))})"
    return f"UPDATE {target} SET {', '.join(f'{each} = {each}' for each in columns)}"


def _why_not(ask: Ask, statement: str) -> str:
    try:
        ask(f"EXPLAIN {statement}")
    except KolumnError as error:
        if error.code != "sql_error":
            raise
        return error.message.removeprefix("SQLite says: ").rstrip(".")
    return ""
