"""Rows out of SQLite and in again: every value as it was stored, whatever it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.contract.context import Context
from kolumn.engine.resource import Ref
from kolumn.engine.rows import RowSet
from kolumn.providers.sqlite.session import SQLiteSession
from kolumn.providers.sqlite.settings import parse_settings

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.binary(max_size=20),
)
DUMP = "SELECT quote(rowid), typeof(a), hex(a), quote(a), quote(b) FROM t ORDER BY rowid"


def rows_of(name: str, *lost: str, key: tuple[str, ...] = (), schema: str = "") -> RowSet:
    return RowSet(ref=Ref("table", name, schema), model=None, schema=schema, name=name, lost=lost, key=key)


def session(file: Path, **more: Any) -> SQLiteSession:
    return SQLiteSession(parse_settings({"path": str(file), **more}), {})


def execute(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.executescript(script)


def ask(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute(query).fetchall()


def around(file: Path, rows: RowSet, between: str, **more: Any) -> int:
    """Copy rows out, run `between`, copy them in; return how many came back."""
    opened, context = session(file, **more), Context.background()
    store = opened.rows
    assert store is not None
    pieces: list[bytes] = []
    copied = store.copy_out(context, rows, pieces.append)
    data = b"".join(pieces)
    assert data.count(b"\n") == copied.rows
    opened.close()
    execute(file, between)
    opened = session(file, **more)
    store = opened.rows
    assert store is not None
    with opened.transaction(context, ()), store.loading(context, [rows]):
        cut = [data[at : at + 7] for at in range(0, len(data), 7)]
        done = store.copy_in(context, rows, copied.columns, cut, copied.counters)
    opened.close()
    return done


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(VALUES, VALUES), max_size=15),
    declared=st.sampled_from(["", "TEXT", "NUMERIC", "REAL", "BLOB", "INTEGER"]),
)
def test_any_value(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], declared: str) -> None:
    file = tmp_path_factory.mktemp("any") / "a.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"CREATE TABLE t (a {declared}, b {declared})")
        database.executemany("INSERT INTO t VALUES (?, ?)", rows)
        database.commit()
    before = ask(file, DUMP)
    assert around(file, rows_of("t"), "DELETE FROM t") == len(rows)
    assert ask(file, DUMP) == before
    wide = f"DROP TABLE t; CREATE TABLE t (a {declared}, b {declared});"
    assert around(file, rows_of("t"), wide) == len(rows)
    assert ask(file, DUMP) == before


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["x", "X", "", None, 1, 1.5, b"x"]), VALUES), max_size=25
    )
)
def test_values_find_their_rows_without_a_key(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any]
) -> None:
    file = tmp_path_factory.mktemp("lost") / "a.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE t (k, a COLLATE NOCASE, b)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        database.commit()
    dump = "SELECT quote(k), quote(a), quote(b) FROM t ORDER BY 1, 2, 3"
    before = ask(file, dump)
    assert around(file, rows_of("t", "b"), "UPDATE t SET b = 'gone'") == len(rows)
    assert ask(file, dump) == before


CASES = {
    "odd text": ("CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'ff00fe' AS TEXT)), ('a' || char(0) || 'b');", "t"),
    "autoincrement": ("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t (a) VALUES (1), (2), (3); DELETE FROM t WHERE id = 3;", "t"),
    "without rowid": ("CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO t VALUES ('x', 1), ('y', 1);", "t"),
    "generated": ("CREATE TABLE t (a INT, twice INT AS (a * 2) STORED, half AS (a / 2)); INSERT INTO t VALUES (4), (NULL);", "t"),
    "a column called rowid": ("CREATE TABLE t (rowid TEXT, oid TEXT); INSERT INTO t VALUES ('x', 'y');", "t"),
    "full text": ("CREATE VIRTUAL TABLE t USING fts5(a, b); INSERT INTO t (rowid, a, b) VALUES (7, 'some words', 'more'), (9, '', NULL);", "t"),
    "quoted": ('CREATE TABLE "a ""b;" ("select" INT, "x y" TEXT); INSERT INTO "a ""b;" VALUES (1, \'z\');', 'a "b;'),
    "itself": ("CREATE TABLE t (id INTEGER PRIMARY KEY, up INT REFERENCES t); INSERT INTO t VALUES (5, NULL), (1, 5), (2, 1);", "t"),
    "strict": ("CREATE TABLE t (a ANY, b BLOB, c REAL) STRICT; INSERT INTO t VALUES (1, x'00', 1), ('1', NULL, 9e999);", "t"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
def test_tables_of_every_kind(case: str, tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    script, name = CASES[case]
    execute(file, script)
    quoted = '"' + name.replace('"', '""') + '"'

    def dump() -> Any:
        with closing(sqlite3.connect(file)) as database:
            database.text_factory = bytes
            found = list(
                database.execute(
                    f"SELECT * FROM {quoted} ORDER BY 1, 2"
                    if case != "odd text"
                    else f"SELECT typeof(a), hex(a), length(CAST(a AS BLOB)) FROM {quoted} ORDER BY 2"
                )
            )
            has = database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone()
            return found, list(database.execute("SELECT * FROM sqlite_sequence")) if has else []

    before = dump()
    (count,) = ask(file, f"SELECT count(*) FROM {quoted}")[0]
    assert (
        around(
            file,
            rows_of(name),
            f"DROP TABLE {quoted}; {script.split(';')[0] if case != 'quoted' else script.partition(' INSERT')[0]};",
        )
        == count
    )
    assert dump() == before


def test_triggers_are_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    execute(
        file,
        "CREATE TABLE t (a); CREATE TABLE log (n); CREATE TRIGGER watch AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); SELECT 1; END; INSERT INTO t VALUES (1);",
    )
    before = ask(file, "SELECT type, name, sql FROM sqlite_schema ORDER BY name")
    assert around(file, rows_of("t"), "DELETE FROM t") == 1
    assert ask(file, "SELECT type, name, sql FROM sqlite_schema ORDER BY name") == before
    assert ask(file, "SELECT count(*) FROM log") == [(1,)]


def test_attached_files(tmp_path: Path) -> None:
    file, other = tmp_path / "a.db", tmp_path / "other.db"
    execute(file, "CREATE TABLE t (a);")
    execute(
        other,
        "CREATE TABLE t (a); CREATE TRIGGER watch AFTER INSERT ON t BEGIN SELECT raise(abort, 'no'); END;",
    )
    with closing(sqlite3.connect(other)) as database:
        database.executescript(
            "DROP TRIGGER watch; INSERT INTO t VALUES (1), (2); CREATE TRIGGER watch AFTER INSERT ON t BEGIN SELECT raise(abort, 'no'); END;"
        )
    rows = rows_of("t", schema="other")
    opened, context = session(file, attach={"other": "other.db"}), Context.background()
    store = opened.rows
    assert store is not None
    pieces: list[bytes] = []
    copied = store.copy_out(context, rows, pieces.append)
    execute(other, "DELETE FROM t")
    with opened.transaction(context, ()), store.loading(context, [rows]):
        assert store.copy_in(context, rows, copied.columns, pieces, copied.counters) == 2
    opened.close()
    assert ask(other, "SELECT a FROM t ORDER BY a") == [(1,), (2,)]
    assert ask(file, "SELECT count(*) FROM t") == [(0,)]
    assert len(ask(other, "SELECT 1 FROM sqlite_schema WHERE type = 'trigger'")) == 1
