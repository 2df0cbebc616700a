"""What only SQLite sets aside: virtual tables, tables without rowids, counters; and what it cannot keep."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kolumn.providers.sqlite import SQLiteProvider
from tests import dumps
from tests.client import Client, wanted

SCRIPT = """
CREATE TABLE owner (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE COLLATE NOCASE);
CREATE TABLE pet (name TEXT, owner REFERENCES owner ON DELETE CASCADE, friend TEXT REFERENCES pet (name),
    PRIMARY KEY (name)) WITHOUT ROWID;
CREATE TABLE "odd ""name" ("a b" TEXT DEFAULT 'x', [select] INTEGER CHECK ([select] > 0), c AS (upper("a b")));
CREATE VIRTUAL TABLE notes USING fts5(title, body);
CREATE INDEX "odd index" ON "odd ""name" ("a b") WHERE "select" > 1;
CREATE VIEW owners AS SELECT * FROM owner;
CREATE TRIGGER named INSTEAD OF INSERT ON owners BEGIN INSERT INTO owner (name) VALUES (new.name); END;
INSERT INTO owner (name) VALUES ('a'), ('b'), ('c');
DELETE FROM owner WHERE name = 'c';
INSERT INTO pet VALUES ('rex', 1, NULL), ('tom', 2, 'rex');
INSERT INTO "odd ""name" VALUES ('p', 2), ('q', 3), ('q', 3);
INSERT INTO notes VALUES ('one', 'first words'), ('two', 'second');
"""


@pytest.fixture(params=["transaction", "step"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / request.param / "app.db"
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as database:
        database.executescript(SCRIPT)
    return file


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    found = Client(SQLiteProvider()).configure({"path": str(path), "apply_mode": path.parent.name})
    yield found
    found.provider.close()


def look(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as database:
        held = database.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        found = database.execute("SELECT rowid FROM notes WHERE notes MATCH 'words'").fetchall()
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return dumps.schema(path, ordered=True), dumps.checksums(path), held, found


@pytest.mark.parametrize(
    ("resource_type", "name"),
    [("table", "owner"), ("table", "pet"), ("table", 'odd "name'), ("table", "notes"), ("view", "owners")],
)
def test_it_comes_back_as_it_was(client: Client, path: Path, resource_type: str, name: str) -> None:
    before = look(path)
    assert client.done("DeleteResource", {"resource_type": resource_type, "name": name})[
        "quarantine_location"
    ]
    with closing(sqlite3.connect(path)) as database:
        names = {row[0] for row in database.execute("SELECT name FROM sqlite_schema")}
        assert name not in names
    (entry,) = client.done("ListQuarantine")["entries"]
    client.done("RestoreQuarantine", {"ids": [entry["id"]]})
    assert look(path) == before


def test_a_column_of_a_table_without_a_key(client: Client, path: Path) -> None:
    before = dumps.checksums(path)
    found = client.done("DiscoverResources", {"resource_type": "table", "filters": {"name": 'odd "name'}})
    config = {key: value for key, value in found["resources"][0]["config"].items() if key != "statement"}
    fewer = {**config, "columns": [each for each in config["columns"] if each["name"] != "select"]}
    client.apply(wanted("table", "odd", fewer), wanted("index", "odd index", {}, "delete"))
    assert dumps.checksums(path) != before
    (entry,) = client.done("ListQuarantine")["entries"]
    client.done("RestoreQuarantine", {"ids": [entry["id"]]})
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute('SELECT "a b", "select" FROM "odd ""name" ORDER BY 1').fetchall()
    assert rows == [("p", 2), ("q", 3), ("q", 3)]
    assert client.done("ReadResource", {"resource_type": "index", "name": "odd index"})["exists"]


def test_what_cannot_be_kept_is_refused(client: Client, path: Path) -> None:
    before = look(path)
    other = {"name": "notes", "using": "rtree", "arguments": ["id", "low", "high"]}
    error = client.refused("Apply", {"resources": [wanted("table", "notes", other)]})
    assert error.code == "safe_destroy"
    assert look(path) == before
