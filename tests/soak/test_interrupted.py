"""What an interrupted apply noted is told as long as something is left to do, and then forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kolumn.host.providers import load
from tests.client import Client, wanted


@pytest.fixture(params=["transaction", "step"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A provider on a database in which an apply was cut off after its first step of two."""
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            """
            CREATE TABLE one (id INTEGER);
            CREATE TABLE kolumn_journal (apply VARCHAR(64) NOT NULL, number INTEGER NOT NULL,
              description TEXT NOT NULL, status VARCHAR(16) NOT NULL, PRIMARY KEY (apply, number));
            INSERT INTO kolumn_journal VALUES ('a', 1, 'create table one', 'done');
            INSERT INTO kolumn_journal VALUES ('a', 2, 'create table two', 'started');
            """
        )
    settings = {"path": str(file), "apply_mode": request.param, "safe_destroy": False}
    with Client(load("sqlite")).configure(settings) as found:
        yield found


def table(name: str) -> Any:
    return wanted("table", name, {"name": name, "columns": [{"name": "id", "type": "INTEGER"}]})


def told(plan: Any) -> list[str]:
    return [warning for warning in plan.get("warnings", []) if "interrupted" in warning]


@pytest.mark.parametrize("more", [["two"], ["two", "three", "four"]])
def test_it_is_told_until_it_is_done(client: Client, more: list[str]) -> None:
    resources = [table(name) for name in ["one", *more]]
    (warning,) = told(client.plan(*resources))
    assert "after 1 of 2 steps" in warning
    assert "create table two" in warning
    client.apply(*resources)
    assert not told(client.plan(*resources))
    assert not told(client.plan(*resources, table("five"))), "also when there is something to do again"


def test_it_is_not_told_when_nothing_is_left_to_do(client: Client) -> None:
    assert not told(client.plan(table("one")))
