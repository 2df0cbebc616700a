"""Values of every type come back from a backup and from quarantine as they were, or are refused before."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolumn.host.providers import load
from tests.client import Client
from tests.conformance.migrations import LOSING, migration, with_vault
from tests.providers.duckdb.test_rebuild import config_of
from tests.targets import Settings
from tests.targets.duckdb import DUCKDB

VALUES = {
    "BOOLEAN": "true",
    "TINYINT": "-128",
    "UBIGINT": "18446744073709551615",
    "HUGEINT": "-170141183460469231731687303715884105727",
    "BIGNUM": "-123456789012345678901234567890123456789012345",
    "FLOAT": "0.1::FLOAT / 3",
    "DOUBLE": "pi() / 1e200",
    "DECIMAL(38,10)": "1234567890123456789012345678.0123456789",
    "VARCHAR": "chr(0) || chr(10) || '\"[1, NULL]' || chr(128512)",
    "BLOB": r"'\x00\xFF\x27'::BLOB",
    "BIT": "'0101'",
    "DATE": "'290000-01-01'",
    "TIME": "'12:13:14.123456'",
    "TIMETZ": "'12:00:00+15:59:59'",
    "TIMESTAMP": "'-infinity'",
    "TIMESTAMP_NS": "'2024-02-29 12:13:14.123456789'",
    "TIMESTAMPTZ": "'2024-02-29 12:13:14.123456+00'",
    "INTERVAL": "'1 month -3 days 00:00:00.000001'",
    "UUID": "'5f8c7a52-0ba1-4d8e-a0cf-0c1b8dfe2a11'",
    "ENUM('it''s', 'sad')": "'it''s'",
    "JSON": "'{\"a\": [1, null]}'",
    "VARCHAR[]": "['a, b', NULL, '', 'c]']",
    "INTEGER[2]": "[1, NULL]",
    'STRUCT(a INTEGER, "b c" VARCHAR[])': "{'a': NULL, 'b c': ['x', 'y''z']}",
    "MAP(VARCHAR, DATE)": "MAP {'k=1': DATE '2024-01-01'}",
    "UNION(n INTEGER, t VARCHAR)": "union_value(t := 'x')",
}


def filled(settings: Settings) -> None:
    columns = ", ".join(f"c{at} {type_}" for at, type_ in enumerate(VALUES))
    values = ", ".join(f"CAST({value} AS {type_})" for type_, value in VALUES.items())
    nothing = ", ".join(f"CAST(NULL AS {type_})" for type_ in VALUES)
    DUCKDB.execute(
        settings,
        f"CREATE TABLE every (id INTEGER PRIMARY KEY, {columns}); "
        f"INSERT INTO every SELECT 1, {values}; INSERT INTO every SELECT 2, {nothing};",
    )


@pytest.fixture
def careful(settings: Settings, tmp_path: Path) -> Client:
    return Client(load("duckdb")).configure(
        {**with_vault(settings, tmp_path / "vault"), "safe_destroy": False}
    )


def test_every_type_comes_back_from_a_backup(settings: Settings, careful: Client) -> None:
    filled(settings)
    before = DUCKDB.dump(settings)
    config = config_of(careful, "every")
    done = careful.done("ApplyMigration", migration("gone", config, {}, **LOSING))
    assert not any("every" in line for line in DUCKDB.dump(settings))
    careful.done("RestoreBackup", {"names": [Path(done["backup_path"]).name]})
    assert DUCKDB.dump(settings) == before


def test_every_type_comes_back_from_quarantine(settings: Settings) -> None:
    filled(settings)
    before = [line for line in DUCKDB.dump(settings) if "kolumn" not in line]
    with Client(load("duckdb")).configure({**settings, "safe_destroy": True}) as client:
        client.done("DeleteResource", {"resource_type": "table", "name": "every"})
        (entry,) = client.done("ListQuarantine")["entries"]
        client.done("RestoreQuarantine", {"ids": [entry["id"]]})
    assert [line for line in DUCKDB.dump(settings) if "kolumn" not in line] == before


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("VARIANT", "1.5::VARIANT"),
        ("STRUCT(v VARIANT)", "{'v': 1.5::VARIANT}"),
        ("UNION(n INTEGER, t VARCHAR)", "union_value(n := 1)"),
    ],
)
def test_what_a_text_does_not_tell_is_refused_before_anything_is_lost(
    settings: Settings, careful: Client, type_: str, value: str
) -> None:
    DUCKDB.execute(settings, f"CREATE TABLE odd (v {type_}); INSERT INTO odd SELECT {value};")
    before = DUCKDB.dump(settings)
    error = careful.refused("ApplyMigration", migration("gone", config_of(careful, "odd"), {}, **LOSING))
    assert error.code == "backup_failed"
    assert "v (1 row(s))" in error.message
    assert DUCKDB.dump(settings) == before
