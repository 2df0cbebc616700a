"""One process at a time holds a DuckDB file: who does is said, and Kolumn does only while it works."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kolumn.contract.errors import OperationError, ValidationError
from kolumn.host.providers import load
from tests.client import Client, wanted
from tests.targets import Settings
from tests.targets.duckdb import DUCKDB, opened

_HOLDER = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(float(sys.argv[2]))"


@contextmanager
def held_elsewhere(settings: Settings, seconds: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, settings["path"], str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_who_has_the_file_is_said_and_what_to_do(settings: Settings) -> None:
    with held_elsewhere(settings, 60) as process:
        error = Client(load("duckdb")).refused_settings({**settings, "busy_timeout": 0.3})
    assert isinstance(error, OperationError)
    assert error.code == "database_locked"
    assert f"process {process.pid}" in error.message
    assert "python" in error.message
    assert "busy_timeout" in error.message
    (holder,) = error.details["holders"]
    assert holder["pid"] == process.pid


def test_of_several_files_the_one_that_is_open_elsewhere_is_named(settings: Settings, client: Client) -> None:
    client.apply(wanted("attached_database", "other", {"name": "other", "path": "other.duckdb"}))
    client.provider.close()
    other = settings["path"].rpartition("/")[0] + "/other.duckdb"
    with held_elsewhere({**settings, "path": other}, 60) as process:
        error = Client(load("duckdb")).refused_settings({**settings, "busy_timeout": 0.3})
    assert error.code == "database_locked"
    assert f"the database {other} is open in process {process.pid}" in error.message


def test_a_file_that_is_closed_in_time_is_waited_for(settings: Settings) -> None:
    with held_elsewhere(settings, 1.5):
        started = time.monotonic()
        client = Client(load("duckdb")).configure({**settings, "busy_timeout": 30})
        assert time.monotonic() - started > 0.2
    assert client.done("Ping")["message"].startswith("DuckDB 2")
    client.provider.close()


def test_between_calls_the_file_is_free(settings: Settings, client: Client) -> None:
    client.apply(wanted("table", "t", {"name": "t", "columns": [{"name": "id", "type": "INTEGER"}]}))
    with held_elsewhere(settings, 60):
        error = client.refused("DiscoverResources", {"resource_type": "table"})
        assert error.code == "database_locked"
    assert len(client.done("DiscoverResources", {"resource_type": "table"})["resources"]) == 1


def test_a_file_that_is_not_there_is_made_by_the_first_change_only(settings: Settings) -> None:
    settings = {**settings, "path": settings["path"] + ".new"}
    client = Client(load("duckdb")).configure(settings)
    table = wanted("table", "t", {"name": "t", "columns": [{"name": "id", "type": "INTEGER"}]})
    assert client.plan(table)["execution_order"] == ["table t"]
    with pytest.raises(Exception, match="does not exist"):
        __import__("duckdb").connect(settings["path"], read_only=True)
    client.apply(table)
    client.provider.close()
    with opened(settings) as database:
        assert database.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'"
        ).fetchall() == [("t",)]


def test_rows_in_the_way_are_shown_whatever_type_their_key_has(settings: Settings, client: Client) -> None:
    types = {
        "TIMESTAMPTZ": "2024-05-06 07:08:09+00",
        "TIMESTAMPTZ[]": "['2024-05-06 07:08:09+00']",
        "TIMETZ": "12:34:56+02",
        "INTERVAL": "3 days",
        "UUID": "5f8c7a52-0ba1-4d8e-a0cf-0c1b8dfe2a11",
        "STRUCT(a INTEGER)": "{'a': 1}",
    }
    for at, (type_, value) in enumerate(types.items()):
        script = f"CREATE TABLE t{at} (k {type_}, n INTEGER); INSERT INTO t{at} SELECT '{quoted(value)}', -1 FROM range(2);"
        DUCKDB.execute(settings, script)
        columns = [{"name": "k", "type": type_, "unique": True}, {"name": "n", "type": "INTEGER"}]
        plan = client.plan(wanted("table", f"t{at}", {"name": f"t{at}", "columns": columns}), detail=True)
        (step,) = plan["steps"]
        (risk,) = [each for each in step["risks"] if each["kind"] == "may_fail"]
        assert risk["rows"]["count"] == 2, risk


def quoted(text: str) -> str:
    return text.replace("'", "''")


def test_nothing_is_fetched_from_the_network_unless_allowed(settings: Settings, client: Client) -> None:
    secret = {"name": "lake", "type": "s3", "values": {"key_id": "a", "secret": "very-hidden-value"}}
    error = client.refused("CreateResource", {"resource_type": "secret", "name": "lake", "config": secret})
    assert "httpfs" in error.message
    assert "very-hidden-value" not in str(error)
    with opened(settings) as database:
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert database.execute(f"SELECT current_setting('{name}')").fetchone() == (False,)


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"url": "sqlite:////x.db"}, "url"),
        ({"url": "duckdb://host/x.duckdb"}, "url"),
        ({"path": ":memory:"}, "path"),
        ({"path": "md:somewhere"}, "path"),
        ({"path": "x.duckdb", "metadata_schema": "main"}, "metadata_schema"),
        ({"path": "x.duckdb", "threads": 0}, "threads"),
        ({"path": "x.duckdb", "attach": {"main": "y.duckdb"}}, "attach.main"),
        ({}, "path"),
    ],
)
def test_settings(wrong: Settings, path: str) -> None:
    error = Client(load("duckdb")).refused_settings(wrong)
    assert isinstance(error, ValidationError)
    assert path in [each.path for each in error.problems]


def test_a_url_is_taken(settings: Settings) -> None:
    url = {"url": f"duckdb:///{settings['path']}", "secret_directory": settings["secret_directory"]}
    client = Client(load("duckdb")).configure(url)
    client.apply(wanted("schema", "s", {"name": "s"}))
    client.provider.close()
    assert "schema ('s',)" in DUCKDB.dump(settings)


def test_attached_files_are_there_whenever_the_database_is_opened(settings: Settings, client: Client) -> None:
    attached = wanted("attached_database", "other", {"name": "other", "path": "other.duckdb"})
    client.apply(attached)
    folder = settings["path"].rpartition("/")[0]
    with opened({**settings, "path": f"{folder}/other.duckdb"}) as database:
        database.execute("CREATE TABLE far (id INTEGER)")
    view = wanted("view", "near", {"name": "near", "definition": "SELECT id FROM other.far"})
    client.apply(attached, view)
    assert client.plan(attached, view)["execution_order"] == []
    client.apply({**view, "action": "delete"}, {**attached, "action": "delete"})
    assert client.done("DiscoverResources", {"resource_type": "attached_database"})["resources"] == []


def test_two_changes_of_one_table_at_a_time(settings: Settings, client: Client) -> None:
    columns = [{"name": "id", "type": "INTEGER"}]
    client.apply(wanted("table", "t", {"name": "t", "columns": columns}))
    with opened(settings) as other:
        other.execute("BEGIN; INSERT INTO t VALUES (1)")
        client.apply(
            wanted("table", "t", {"name": "t", "columns": [*columns, {"name": "x", "type": "INTEGER"}]})
        )
        with pytest.raises(Exception, match=r"(?i)conflict|altered"):
            other.execute("INSERT INTO t VALUES (2); COMMIT")
