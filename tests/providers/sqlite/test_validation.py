"""Data validation as SQLite has it: STRICT, row numbers, collations, and rows that were wrong before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kolumn.host.providers import load
from tests.client import Client, wanted
from tests.conformance.test_validation import ID, column, may_fail, table


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.db"


@pytest.fixture
def client(file: Path) -> Iterator[Client]:
    with Client(load("sqlite")).configure({"path": str(file), "safe_destroy": False}) as found:
        yield found


def run(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


def said(client: Client, *resources: Mapping[str, Any]) -> list[str]:
    """Return what a plan says may fail; apply must refuse what was counted, and do the rest."""
    plan = client.plan(*resources, detail=True)
    risks = may_fail(plan)
    if any("rows" in risk for risk in risks):
        assert client.refused("Apply", {"resources": list(resources)}).code == "data_validation"
    else:
        client.apply(*resources)
    return [risk["message"] for risk in risks]


def test_values_that_a_strict_table_refuses(file: Path, client: Client) -> None:
    run(
        file,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT, x, b BLOB);"
        "INSERT INTO t VALUES (1, '12', 1, x'00'), (2, 'twelve', x'01', x'00'), (3, '1.5', 'text', 'text'),"
        " (4, NULL, NULL, NULL), (5, '7.0', 2.5, x'');",
    )
    strict = table("t", ID, column("n", "INTEGER"), column("x", "TEXT"), column("b", "BLOB"), strict=True)
    assert sorted(said(client, strict)) == [
        "1 row of t has a b that is no BLOB (id 3)",
        "1 row of t has a x that is no TEXT (id 2)",
        "2 rows of t have a n that is no INTEGER (id 2, 3)",
    ]
    run(file, "DELETE FROM t WHERE id IN (2, 3)")
    assert said(client, strict) == []


def test_rows_that_were_wrong_before_are_in_nobodys_way(file: Path, client: Client) -> None:
    run(
        file,
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id)); INSERT INTO t VALUES (1, 9);",
    )
    kept = table("t", ID, column("p", references="p(id)", on_delete="cascade"))
    assert said(client, kept) == []


def test_rows_get_numbers_of_their_own(file: Path, client: Client) -> None:
    run(file, "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('a'), ('b');")
    assert said(client, table("t", column("id", "INTEGER", primary_key=True), column("x", "TEXT"))) == []


def test_keys_are_compared_as_the_index_does(file: Path, client: Client) -> None:
    run(
        file,
        "CREATE TABLE t (x TEXT, y TEXT COLLATE NOCASE); INSERT INTO t VALUES ('a', 'a'), ('A', 'A'), ('b', 'b');",
    )

    def unique(name: str, **part: str) -> Mapping[str, Any]:
        return wanted("index", name, {"name": name, "table": "t", "columns": [part], "unique": True})

    assert said(client, unique("a", column="x")) == []
    assert len(said(client, unique("b", column="x", collation="NOCASE"))) == 1
    assert len(said(client, unique("c", column="y"))) == 1
    assert said(client, unique("d", column="y", collation="BINARY")) == []


def test_what_another_type_makes_of_values_is_not_foretold(file: Path, client: Client) -> None:
    run(file, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, '10');")
    wish = table("t", ID, column("x", "INTEGER", check="x > 5"))
    (message,) = said(client, wish)
    assert message.endswith("(x > 5); not counted: what rows get in x is not known before")


def test_keys_without_row_numbers_need_values(file: Path, client: Client) -> None:
    run(file, "CREATE TABLE t (x TEXT, y TEXT); INSERT INTO t VALUES (NULL, 'a'), ('b', 'b');")
    loose = table("t", column("x", "TEXT", primary_key=True), column("y", "TEXT"))
    strict = {**loose, "config": {**loose["config"], "without_rowid": True}}
    assert said(client, strict) == ["1 row of t has no x (y 'a')"]
    assert said(client, loose) == []
