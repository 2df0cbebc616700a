"""Real database files for the tests of the SQLite provider, driven through the contract."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from kolumn.contract.context import Context
from kolumn.providers.sqlite import SQLiteProvider


def make(path: Path, statements: Iterable[str]) -> Path:
    """Create a database file holding `statements`."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    return path


def ask(path: Path, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement on its own connection and return its rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(query, parameters).fetchall()


class Database:
    """A provider configured for one file, without an audit trail; calls go through the contract's JSON."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.path = path
        self.provider = SQLiteProvider()
        given = {"path": str(path), "safe_destroy": False, "audit": False, **settings}
        self.provider.configure(Context.background(), given)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.provider.close()

    def call(self, function: str, request: dict[str, Any], context: Context | None = None) -> dict[str, Any]:
        """Call a function of the contract; errors are raised."""
        answer = self.provider.call_function(
            context or Context.background(), function, json.dumps(request).encode()
        )
        data: dict[str, Any] = json.loads(answer)
        return data

    def resources(self) -> list[dict[str, Any]]:
        """Return everything in the database as import would write it."""
        found: list[dict[str, Any]] = self.call("DiscoverResources", {})["resources"]
        return found

    def wanted(self, others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the request that makes this database hold exactly `others`."""
        keys = {(each["type"], each["name"]) for each in others}
        wanted = [
            {
                "resource_type": each["type"],
                "name": each["name"],
                "config": each["config"],
                "action": "create",
            }
            for each in others
        ]
        return wanted + [
            {"resource_type": each["type"], "name": each["name"], "config": {}, "action": "delete"}
            for each in self.resources()
            if (each["type"], each["name"]) not in keys
        ]

    def apply(self, *resources: dict[str, Any]) -> dict[str, Any]:
        """Apply resources given as `{"resource_type", "name", "config", "action"}`."""
        return self.call("Apply", {"resources": list(resources), "options": {"detail": True}})

    def steps(self, *resources: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the steps of a plan."""
        plan = self.call("Plan", {"resources": list(resources), "options": {"detail": True}})
        return list(plan.get("steps", []))

    def table(self, name: str, **config: Any) -> dict[str, Any]:
        """Return the request of a table."""
        return {
            "resource_type": "table",
            "name": name,
            "config": {"name": name, **config},
            "action": "create",
        }


def text_of(path: Path, name: str) -> str:
    """Return the stored statement of an object."""
    return str(ask(path, "SELECT sql FROM sqlite_schema WHERE name = ?", name)[0][0])


def normal_text(text: str) -> str:
    """Return a view's or trigger's text without white space, quotes and case."""
    for gone in (*' \t\n"`[]',):
        text = text.replace(gone, "")
    return text.lower()


def fingerprint(path: Path) -> list[str]:
    """Return what SQLite's own pragmas say of a database: independent of Kolumn's parser."""
    lines = []
    with closing(sqlite3.connect(path)) as db:
        objects = db.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~' "
            "AND name NOT LIKE 'kolumn~_%' ESCAPE '~'"
        ).fetchall()
        for kind, name, sql in objects:
            if kind in ("view", "trigger"):
                lines.append(f"{kind} {name} {normal_text(sql)}")
            if kind != "table":
                continue
            listed = "SELECT type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?"
            lines.append(f"table {name} {db.execute(listed, (name,)).fetchone()}")
            columns = db.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
            lines += [f"{name} column {row[1:]!r}".replace(row[2], row[2].lower()) for row in columns]
            keys: dict[int, list[Any]] = {}
            for row in db.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,)):
                keys.setdefault(row[0], []).append(row[1:])
            lines += [f"{name} foreign key {sorted(rows, key=repr)!r}" for rows in keys.values()]
            for _, index, unique, origin, partial in db.execute(
                "SELECT * FROM pragma_index_list(?)", (name,)
            ):
                parts = db.execute(
                    "SELECT name, desc, coll, key FROM pragma_index_xinfo(?)", (index,)
                ).fetchall()
                lines.append(
                    f"{name} index {index if origin == 'c' else origin} {unique} {partial} {parts!r}"
                )
    return sorted(lines)
