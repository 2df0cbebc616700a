"""Connections: what fails says why, what waits can be stopped, locks name their holder."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    PermissionError,
    StateError,
    ValidationError,
)
from kolumn.engine.operations import Statement
from kolumn.providers.sqlite.resources import REFUSED
from kolumn.providers.sqlite.session import SQLiteSession
from kolumn.providers.sqlite.settings import parse_settings
from tests.providers.sqlite.databases import Database, ask, make

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def session(path: Path, **settings: object) -> SQLiteSession:
    return SQLiteSession(parse_settings({"path": str(path), **settings}), REFUSED)


def test_reading_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with Database(path) as database:
        table = database.table("t", columns=[{"name": "a"}])
        assert len(database.steps(table)) == 1
        assert database.resources() == []
        assert not path.exists()
        assert database.apply(table)["success"]
    assert ask(path, "SELECT name FROM sqlite_schema") == [("t",)]


def test_cancelling_stops_a_running_statement(tmp_path: Path) -> None:
    context = Context.background()
    timer = threading.Timer(0.3, context.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(OperationError) as caught:
        session(make(tmp_path / "a.db", [])).query(context, Statement(ENDLESS))
    assert caught.value.code == "cancelled"
    assert time.monotonic() - started < 5


def test_a_deadline_stops_a_running_statement_and_rolls_back(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", ["CREATE TABLE t (a)"])
    opened = session(path)
    context = Context.background().with_timeout(0.3)
    statements = [Statement("INSERT INTO t VALUES (1)"), Statement(ENDLESS)]
    with pytest.raises(OperationError) as caught, opened.transaction(context, ()):
        opened.run(context, statements)
    assert caught.value.code == "deadline_exceeded"
    assert ask(path, "SELECT * FROM t") == []
    opened.run(Context.background(), [Statement("INSERT INTO t VALUES (2)")])
    assert ask(path, "SELECT * FROM t") == [(2,)]


def test_waiting_for_a_lock_ends_with_who_holds_it(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", ["CREATE TABLE t (a)"])
    program = f"""
        import sqlite3, sys
        c = sqlite3.connect({str(path)!r}, isolation_level=None)
        c.execute("BEGIN EXCLUSIVE")
        print("ready", flush=True)
        sys.stdin.read()
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        other.stdout.readline()
        with pytest.raises(OperationError) as caught:
            session(path, busy_timeout=0.2).run(Context.background(), [Statement("INSERT INTO t VALUES (1)")])
        assert caught.value.code == "database_locked"
        if Path("/proc/locks").exists() and "POSIX" in Path("/proc/locks").read_text():
            assert str(other.pid) in caught.value.message or "another connection" in caught.value.message
        waiting = Context.background()
        threading.Timer(0.2, waiting.cancel).start()
        with pytest.raises(OperationError, match="cancelled"):
            session(path, busy_timeout=60).run(waiting, [Statement("INSERT INTO t VALUES (1)")])
    finally:
        other.stdin.close()
        other.wait()
        other.stdout.close()


def test_one_apply_at_a_time_and_the_holder_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", [])
    program = f"""
        import sys
        from pathlib import Path
        from tests.providers.sqlite.test_session import session
        from kolumn.contract.context import Context
        with session(Path({str(path)!r})).lock(Context.background(), "apply"):
            print("ready", flush=True)
            sys.stdin.read()
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert other.stdin is not None
    assert other.stdout is not None
    mine = session(path, busy_timeout=0.2)
    try:
        assert other.stdout.readline() == "ready\n"
        with (
            pytest.raises(StateError, match=f"process {other.pid} on ") as caught,
            mine.lock(Context.background(), "apply"),
        ):
            pass
        assert caught.value.code == "locked"
        with mine.lock(Context.background(), "something else"):
            pass
        other.kill()
        other.wait()
        with mine.lock(Context.background().with_timeout(5), "apply"):
            pass
        assert [each.name for each in tmp_path.iterdir()] == ["a.db"]
    finally:
        other.kill()
        other.wait()
        other.stdin.close()
        other.stdout.close()


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [("this is a text file, and no database at all" * 30, ConnectionError, "not_a_database")],
)
def test_a_file_that_is_no_database(tmp_path: Path, content: str, kind: type[KolumnError], code: str) -> None:
    path = tmp_path / "a.db"
    path.write_text(content)
    with pytest.raises(kind) as caught:
        session(path).ping(Context.background())
    assert caught.value.code == code
    assert path.read_text() == content


def test_errors_have_their_category(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", ["CREATE TABLE t (a UNIQUE, b NOT NULL)", "INSERT INTO t VALUES (1, 1)"])
    opened = session(path)
    for text, code in (
        ("INSERT INTO t VALUES (1, 2)", "constraint_failed"),
        ("INSERT INTO t VALUES (2, NULL)", "constraint_failed"),
        ("SELECT * FROM nothing", "sql_error"),
        ("SELEC", "sql_error"),
    ):
        with pytest.raises(OperationError) as caught:
            opened.run(Context.background(), [Statement(text)])
        assert caught.value.code == code
        assert caught.value.details["statement"] == text
    with pytest.raises(PermissionError):
        session(path, read_only=True).run(Context.background(), [Statement("DELETE FROM t")])
    with pytest.raises(ConnectionError, match="folder"):
        session(tmp_path / "no" / "a.db").run(Context.background(), [Statement("SELECT 1")])


def test_a_transaction_that_fails_leaves_the_pragmas_as_they_were(tmp_path: Path) -> None:
    opened = session(make(tmp_path / "a.db", ["CREATE TABLE t (a)"]))
    context = Context.background()
    texts = ("INSERT INTO t VALUES (1)", "PRAGMA legacy_alter_table=ON", "SELECT * FROM nothing")
    with pytest.raises(OperationError, match="nothing"), opened.transaction(context, ()):
        opened.run(context, map(Statement, texts))
    assert opened.query(context, Statement("PRAGMA legacy_alter_table")) == [(0,)]
    assert opened.query(context, Statement("PRAGMA foreign_keys")) == [(1,)]
    assert opened.query(context, Statement("SELECT * FROM t")) == []


def test_old_violations_do_not_stand_in_the_way(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.db",
        [
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "CREATE TABLE c (p REFERENCES p(id), x)",
            "INSERT INTO c VALUES (9, 1)",
        ],
    )
    with Database(path) as database:
        columns = [{"name": "p", "references": "p(id)"}, {"name": "x", "check": "x > 0"}]
        assert database.apply(database.table("c", columns=columns))["success"]
    assert ask(path, "SELECT * FROM c") == [(9, 1)]


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ({}, {"path"}),
        ({"path": "a.db", "url": "sqlite:///b.db"}, {"path"}),
        ({"url": "postgresql://x/y"}, {"url"}),
        ({"path": ":memory:"}, {"path"}),
        (
            {"path": "a.db", "busy_timeout": -1, "journal_mode": "fast", "apply_mode": "x", "nonsense": 1},
            {"busy_timeout", "journal_mode", "apply_mode", "nonsense"},
        ),
        (
            {"path": "a.db", "metadata_schema": "m", "attach": {"main": "b.db", "x": 5}},
            {"metadata_schema", "attach.main", "attach.x"},
        ),
        ({"path": "a.db", "attach": {"Mixed": "nowhere.db"}}, {"attach.Mixed"}),
    ],
)
def test_settings_report_every_fault_at_once(config: dict[str, object], paths: set[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_settings(config)
    assert {problem.path for problem in caught.value.problems} == paths


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:////tmp/a%20b.db", "/tmp/a b.db"), ("sqlite:///rel/x.db", "rel/x.db")],
)
def test_urls(url: str, path: str) -> None:
    assert str(parse_settings({"url": url}).file) == path


def test_journal_mode_is_set_when_the_database_is_changed(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", ["CREATE TABLE t (a)"])
    opened = session(path, journal_mode="wal")
    opened.query(Context.background(), Statement("SELECT 1"))
    opened.run(Context.background(), [Statement("INSERT INTO t VALUES (1)")])
    opened.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
