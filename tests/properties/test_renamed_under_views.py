"""A column is renamed while a view that others stand on is made anew."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from kolumn.host.providers import load
from tests import dumps
from tests.client import Client, wanted


def table(column: dict[str, Any]) -> Any:
    key = {"name": "id", "type": "INTEGER", "primary_key": True}
    return wanted("table", "t", {"name": "t", "columns": [key, {"type": "TEXT", **column}]})


def view(name: str, query: str, *columns: str) -> Any:
    return wanted("view", name, {"name": name, "definition": query, "columns": list(columns)})


def index(column: str) -> Any:
    return wanted("index", "i", {"name": "i", "table": "t", "columns": [column]})


def test_rows_and_indexes_stay(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    overview = view("overview", "SELECT v FROM seen")
    seen = view("seen", "SELECT id FROM t", "v")
    with Client(load("sqlite")).configure({"path": str(file)}) as client:
        client.apply(table({"name": "a"}), index("a"), seen, overview)
        with closing(sqlite3.connect(file)) as database:
            database.execute("INSERT INTO t VALUES (7, 'x')")
            database.commit()
        after = [table({"name": "b", "renamed_from": "a"}), index("b"), overview]
        after.append(view("seen", "SELECT id AS v FROM t"))
        client.apply(*after)
        assert client.plan(*after)["execution_order"] == []
    assert dumps.rows(file, "t", ["id", "b"]) == [(7, "x")]
    assert dumps.rows(file, "overview") == [(7,)]
    assert any("index i " in fact and "'b'" in fact for fact in dumps.schema(file))
