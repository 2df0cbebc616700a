"""Rows that are saved and put back: values of every type, rows that nothing but a lost value tells apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.client import Client
from tests.conformance.migrations import LOSING, migration

_TYPES = {
    "t": ("time(3)", "'-12:34:56.789'", "'838:59:59'"),
    "d": ("decimal(20,10)", "0.0000000001", "-12345678.9"),
    "f": ("float", "1.2345678", "3.4e38"),
    "g": ("double", "0.1", "-1.7976931348623157e308"),
    "b": ("bit(12)", "b'101'", "b'111111111111'"),
    "y": ("year", "1901", "2155"),
    "dt": ("datetime(6)", "'2020-02-29 23:59:59.123456'", "'1000-01-01 00:00:00'"),
    "ts": ("timestamp(2) NULL", "'2021-03-28 02:30:00.25'", "NULL"),
    "j": ("json", '\'{"a": [1, "ü", null]}\'', "'[]'"),
    "x": ("varbinary(20)", "x'00ff0a27'", "x''"),
    "s": ("varchar(20)", "'it''s \\\\ ü\\n'", "'  '"),
    "e": ("enum('a','b')", "'b'", "NULL"),
    "m": ("set('p','q')", "'p,q'", "''"),
    "p": ("point", "ST_GeomFromText('POINT(1 2)')", "NULL"),
}
_EVERYTHING = f"SELECT id, {', '.join(f'HEX({name})' for name in _TYPES)} FROM v ORDER BY id"


@pytest.fixture
def careful(connect: Any, tmp_path: Path) -> Client:
    client: Client = connect(backup_dir=str(tmp_path / "vault"))
    return client


def _config(client: Client) -> dict[str, Any]:
    found = client.done("DiscoverResources", {"resource_type": "table", "filters": {"name": "v"}})
    return {key: each for key, each in found["resources"][0]["config"].items() if key != "statement"}


def _asked(before: Any, after: Any) -> dict[str, Any]:
    return {**migration("m", before, after, **LOSING), "resource_name": "v"}


def _insert(execute: Any, key: str) -> None:
    columns = ", ".join(f"{name} {type_}" for name, (type_, *_) in _TYPES.items())
    execute(f"CREATE TABLE v (id int{key}, {columns})")
    for at in (1, 2):
        execute(f"INSERT INTO v VALUES ({at}, {', '.join(each[at] for each in _TYPES.values())})")


@pytest.mark.parametrize("key", [" PRIMARY KEY", ""], ids=["key", "no key"])
def test_a_dropped_table_has_every_value_again(careful: Client, execute: Any, ask: Any, key: str) -> None:
    _insert(execute, key)
    before = ask(_EVERYTHING)
    config = _config(careful)
    careful.done("ApplyMigration", _asked(config, {}))
    assert not ask("SHOW TABLES")
    careful.done("RollbackMigration", _asked({}, {}))
    assert ask(_EVERYTHING) == before
    assert _config(careful) == config


@pytest.mark.parametrize("key", [" PRIMARY KEY", ""], ids=["key", "no key"])
def test_every_dropped_column_has_its_values_again(careful: Client, execute: Any, ask: Any, key: str) -> None:
    _insert(execute, key)
    execute("INSERT INTO v SELECT id + 10, " + ", ".join(_TYPES) + " FROM v")
    before = ask(_EVERYTHING)
    names = list(_TYPES)
    for number, gone in enumerate((names[::2], names[1::2])):
        config = _config(careful)
        left = {**config, "columns": [each for each in config["columns"] if each["name"] not in gone]}
        left["checks"] = []
        asked = {**_asked(config, left), "migration_id": str(number)}
        careful.done("ApplyMigration", asked)
        careful.done("RollbackMigration", asked)
        assert ask(_EVERYTHING) == before, gone


def test_rows_alike_get_one_value_each_and_times_of_changes_stay(
    careful: Client, execute: Any, ask: Any
) -> None:
    execute(
        "CREATE TABLE v (a int, b varchar(9), n int, "
        "at timestamp NOT NULL DEFAULT '2001-01-01' ON UPDATE CURRENT_TIMESTAMP)"
    )
    execute(
        "INSERT INTO v (a, b, n) VALUES (1, 'x', 5), (1, 'x', 6), (1, 'X', 7), (1, 'x ', 8), (1, NULL, 9)"
    )
    everything = "SELECT a, HEX(b), n, at FROM v ORDER BY a, HEX(b), n"
    before = ask(everything)
    config = _config(careful)
    left = {**config, "columns": [each for each in config["columns"] if each["name"] != "n"]}
    careful.done("ApplyMigration", _asked(config, left))
    execute("INSERT INTO v (a, b) VALUES (2, 'new')")
    careful.done("RollbackMigration", _asked({}, {}))
    execute("DELETE FROM v WHERE a = 2")
    assert ask(everything) == before
