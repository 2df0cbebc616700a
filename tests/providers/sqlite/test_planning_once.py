"""Plan and the Apply after it make their plan once, unless something it follows from has changed between."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import StateError
from kolumn.engine.operations import Operation
from kolumn.engine.provider import Connection
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.sqlite import SQLiteProvider
from kolumn.providers.sqlite.compile import SQLiteCompiler
from kolumn.providers.sqlite.dialect import SQLiteDialect
from tests.providers.sqlite.databases import Database, ask


class Counting(SQLiteCompiler):
    """Counts the plans it has compiled something for."""

    def __init__(self) -> None:
        super().__init__(SQLiteDialect())
        self.plans = 0

    def consolidate(
        self,
        operations: list[Operation],
        live: Snapshot,
        *,
        online: bool = False,
        wanted: Callable[[Ref], bool] = lambda _: False,
    ) -> list[Operation]:
        self.plans += 1
        return super().consolidate(operations, live, online=online, wanted=wanted)


class CountedProvider(SQLiteProvider):
    """SQLite with a compiler that counts."""

    compiler: Counting

    def connect(self, context: Context, config: Mapping[str, Any]) -> Connection:
        self.compiler = Counting()
        return dataclasses.replace(super().connect(context, config), compiler=self.compiler)


class Counted(Database):
    """A database behind that provider."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.provider.close()
        self.counted = CountedProvider()
        self.counted.configure(Context.background(), {"path": str(path), "safe_destroy": False})
        self.provider = self.counted

    def __enter__(self) -> Counted:
        return self

    @property
    def plans(self) -> int:
        return self.counted.compiler.plans


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Counted]:
    with Counted(tmp_path / "one.db") as opened:
        yield opened


def request(database: Counted, *columns: str, fingerprint: str = "", **options: object) -> dict[str, Any]:
    table = database.table("t", columns=[{"name": name} for name in columns])
    return {"resources": [table], "options": {"detail": True, "fingerprint": fingerprint, **options}}


def test_apply_carries_out_the_plan_that_was_made(database: Counted) -> None:
    planned = database.call("Plan", request(database, "a"))
    applied = database.call("Apply", request(database, "a", fingerprint=planned["fingerprint"]))
    assert applied["success"]
    assert database.plans == 1
    assert ask(database.path, "SELECT name FROM pragma_table_info('t')") == [("a",)]


def test_a_plan_is_not_carried_out_a_second_time(database: Counted) -> None:
    planned = database.call("Plan", request(database, "a"))
    database.call("Apply", request(database, "a", fingerprint=planned["fingerprint"]))
    ask(database.path, "DROP TABLE t")
    again = database.call("Apply", request(database, "a"))
    assert again["success"]
    assert again["summary"]["created"] == 1
    assert database.plans == 2


Change = Callable[[Counted], object]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda database: ask(database.path, "CREATE TABLE t (b)"), id="the object itself"),
        pytest.param(lambda database: ask(database.path, "CREATE TABLE other (b)"), id="another object"),
        pytest.param(
            lambda database: database.call(
                "SetState", {"state": {"version": "1.0.0", "provider": "sqlite", "resources": []}}
            ),
            id="the state",
        ),
    ],
)
def test_what_changed_between_is_planned_anew(database: Counted, change: Change) -> None:
    planned = database.call("Plan", request(database, "a"))
    change(database)
    replanned = database.call("Plan", request(database, "a"))
    assert database.plans == 2
    changed = planned["fingerprint"] != replanned["fingerprint"]
    assert changed == (ask(database.path, "SELECT name FROM sqlite_schema WHERE name = 't'") != [])


def test_another_request_is_planned_anew(database: Counted) -> None:
    database.call("Plan", request(database, "a"))
    database.call("Plan", request(database, "a", "b"))
    database.call("Plan", request(database, "a", "b", online=True))
    database.call("Plan", request(database, "a", "b", prune=True))
    assert database.plans == 4


def test_a_change_of_the_database_is_refused_as_before(database: Counted) -> None:
    planned = database.call("Plan", request(database, "a"))
    ask(database.path, "CREATE TABLE t (b)")
    with pytest.raises(StateError) as caught:
        database.call("Apply", request(database, "a", fingerprint=planned["fingerprint"]))
    assert caught.value.code == "stale_plan"
