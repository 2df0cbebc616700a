"""From any schema to any other: the result is the wanted one, rows stay, and nothing is left to do."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from kolumn.contract.errors import OperationError, ValidationError
from kolumn.contract.logs import subscribe
from tests.providers.sqlite.databases import Database, ask, fingerprint, make, text_of
from tests.strategies.sqlite_schemas import schemas


@settings(max_examples=40)
@given(schemas(), schemas())
def test_any_schema_becomes_any_other(first: list[str], second: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        a, b = make(Path(folder, "a.db"), first), make(Path(folder, "b.db"), second)
        with Database(b) as source:
            wanted = source.resources()
        with Database(a) as target:
            request = target.wanted(wanted)
            done = target.apply(*request)
            assert done["success"], done["error"]
        assert fingerprint(a) == fingerprint(b)
        with Database(a) as target:
            assert target.steps(*target.wanted(wanted)) == []


@settings(max_examples=30)
@given(schemas())
def test_an_import_applied_to_an_empty_file_is_the_same_schema(statements: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder, "a.db"), make(Path(folder, "b.db"), statements)
        with Database(b) as source:
            wanted = source.resources()
        with Database(a) as target:
            assert target.apply(*target.wanted(wanted))["success"]
        assert fingerprint(a) == fingerprint(b)


SHOP = [
    "CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, email TEXT UNIQUE)",
    """CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL, twice REAL AS (total * 2),
    customer_id INTEGER REFERENCES customers(id) ON DELETE CASCADE)""",
    "CREATE TABLE notes (body TEXT, weight)",
    "CREATE TABLE log (line TEXT)",
    "CREATE INDEX orders_customer ON orders (customer_id)",
    "CREATE INDEX notes_upper ON notes (upper(body)) WHERE body <> ''",
    """CREATE VIEW totals AS SELECT name, sum(total) AS total
    FROM customers JOIN orders ON customer_id = customers.id GROUP BY 1""",
    "CREATE TRIGGER orders_log AFTER INSERT ON orders BEGIN INSERT INTO log VALUES ('order ' || new.id); END",
    "CREATE TRIGGER notes_log AFTER INSERT ON notes BEGIN INSERT INTO log VALUES (new.body); END",
    "INSERT INTO customers (id, name, email) VALUES (3, 'Ada', 'ada@example.org'), (9, 'Bob', NULL)",
    "DELETE FROM customers WHERE id = 9",
    "INSERT INTO orders (id, customer_id, total) VALUES (1, 3, 10.5), (2, 3, 4)",
    "INSERT INTO notes (rowid, body, weight) VALUES (5, 'five', x'05'), (70, 'seventy', 70), (6, NULL, '7')",
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make(tmp_path / "shop.db", SHOP)


def config_of(database: Database, kind: str, name: str) -> dict[str, Any]:
    return next(
        each["config"] for each in database.resources() if (each["type"], each["name"]) == (kind, name)
    )


def changed(database: Database, table: str, /, **columns: Any) -> dict[str, Any]:
    """Return the request for a table with columns added or replaced; None drops one."""
    config = config_of(database, "table", table)
    held = {each["name"]: each for each in config["columns"]}
    for column, body in columns.items():
        if body is None:
            del held[column]
        else:
            held[column] = {**held.get(column, {}), "name": column, **body}
    return {
        "resource_type": "table",
        "name": table,
        "config": {**config, "columns": list(held.values())},
        "action": "update",
    }


def apply(database: Database, *requests: dict[str, Any]) -> dict[str, Any]:
    done = database.apply(*requests)
    assert done["success"], done["error"]
    assert database.steps(*requests) == []
    return done


def sql_of(steps: list[dict[str, Any]]) -> str:
    return "\n".join(str(step) for step in steps)


def test_a_rebuild_keeps_rows_rowids_and_everything_on_the_table(shop: Path) -> None:
    rows = ask(shop, "SELECT rowid, body, weight, typeof(weight) FROM notes ORDER BY rowid")
    with Database(shop) as database:
        apply(database, changed(database, "notes", body={"default": "'empty'", "check": "body <> 'no'"}))
    assert ask(shop, "SELECT rowid, body, weight, typeof(weight) FROM notes ORDER BY rowid") == rows
    assert text_of(shop, "notes_upper") == SHOP[5]
    assert text_of(shop, "notes_log") == SHOP[8]
    assert ask(shop, "PRAGMA integrity_check") == [("ok",)]
    ask(shop, "INSERT INTO notes DEFAULT VALUES")
    assert ask(shop, "SELECT line FROM log WHERE line = 'empty'") == [("empty",)]
    with pytest.raises(sqlite3.IntegrityError):
        ask(shop, "INSERT INTO notes (body) VALUES ('no')")


def test_a_rebuild_of_a_parent_leaves_its_children_and_its_sequence(shop: Path) -> None:
    with Database(shop) as database:
        apply(database, changed(database, "customers", name={"type": "VARCHAR(40)", "collation": "NOCASE"}))
    assert ask(shop, "SELECT id, customer_id, total, twice FROM orders ORDER BY id") == [
        (1, 3, 10.5, 21.0),
        (2, 3, 4.0, 8.0),
    ]
    assert ask(shop, "SELECT seq FROM sqlite_sequence WHERE name = 'customers'") == [(9,)]
    assert ask(shop, "SELECT * FROM totals") == [("Ada", 14.5)]
    assert ask(shop, "PRAGMA foreign_key_check") == []
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("DELETE FROM customers")
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)


def test_generated_columns_survive_a_rebuild(shop: Path) -> None:
    with Database(shop) as database:
        apply(database, changed(database, "orders", total={"not_null": True}))
    assert ask(shop, "SELECT total, twice FROM orders ORDER BY id") == [(10.5, 21.0), (4.0, 8.0)]
    assert text_of(shop, "orders_customer") == SHOP[4]


def test_columns_are_added_dropped_and_renamed_in_place(shop: Path) -> None:
    with Database(shop) as database:
        added = changed(database, "notes", seen={"type": "INTEGER", "not_null": True, "default": "0"})
        assert "ADD COLUMN" in sql_of(database.steps(added))
        apply(database, added)
        renamed = changed(database, "notes", weight=None, mass={"renamed_from": "weight"})
        steps = database.steps(renamed)
        assert "RENAME COLUMN" in sql_of(steps)
        apply(database, renamed)
        dropped = changed(database, "notes", seen=None)
        assert "DROP COLUMN" in sql_of(database.steps(dropped))
        apply(database, dropped)
    assert ask(shop, "SELECT rowid, body, mass FROM notes ORDER BY rowid") == [
        (5, "five", b"\x05"),
        (6, None, "7"),
        (70, "seventy", 70),
    ]


def test_a_renamed_table_is_followed_by_what_mentions_it(shop: Path) -> None:
    with Database(shop) as database:
        config = {**config_of(database, "table", "customers"), "name": "clients", "renamed_from": "customers"}
        request = {"resource_type": "table", "name": "clients", "config": config, "action": "update"}
        done = database.apply(request)
        assert done["success"], done["error"]
    assert ask(shop, "SELECT * FROM totals") == [("Ada", 14.5)]
    assert 'REFERENCES "clients"' in text_of(shop, "orders")
    assert ask(shop, "SELECT seq FROM sqlite_sequence WHERE name = 'clients'") == [(9,)]


def test_values_that_no_longer_fit_fail_and_change_nothing(shop: Path) -> None:
    before = fingerprint(shop), ask(shop, "SELECT * FROM notes")
    with Database(shop) as database:
        for change in (
            {"not_null": True},
            {"check": "length(body) < 5"},
            {"unique": True, "check": "body <> 'five'"},
        ):
            with pytest.raises(OperationError) as caught:
                database.apply(changed(database, "notes", body=change))
            assert caught.value.code == "data_validation"
            assert "of notes" in caught.value.message
            assert (fingerprint(shop), ask(shop, "SELECT * FROM notes")) == before
    assert [name for (name,) in ask(shop, "SELECT name FROM sqlite_schema WHERE name LIKE 'kolumn%'")] == []


def test_rows_stay_although_every_column_goes(tmp_path: Path) -> None:
    path = make(
        tmp_path / "x.db",
        ["CREATE TABLE t (a INT PRIMARY KEY) WITHOUT ROWID", "INSERT INTO t VALUES (1), (2)"],
    )
    with Database(path) as database:
        config = {
            "name": "t",
            "columns": [{"name": "b", "type": "TEXT", "default": "'new'", "check": "b <> ''"}],
        }
        answer = database.apply({"resource_type": "table", "name": "t", "config": config, "action": "update"})
        assert answer["success"]
        assert ask(path, "SELECT b FROM t") == [("new",), ("new",)]
        config = {
            "name": "t",
            "columns": [{"name": "c", "type": "INT", "primary_key": True}],
            "without_rowid": True,
        }
        answer = database.apply({"resource_type": "table", "name": "t", "config": config, "action": "update"})
        assert not answer["success"]
        assert ask(path, "SELECT b FROM t") == [("new",), ("new",)]


def test_a_conflict_clause_does_not_swallow_rows(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", ["CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 'x'), (1, 'y')"])
    with Database(path) as database:
        request = database.table(
            "t", columns=["a", "b"], uniques=[{"columns": ["a"], "on_conflict": "replace"}]
        )
        request["config"]["columns"] = [{"name": "a"}, {"name": "b"}]
        with pytest.raises(OperationError) as caught:
            database.apply(request)
    assert caught.value.code == "data_validation"
    assert ask(path, "SELECT * FROM t") == [(1, "x"), (1, "y")]


def test_tables_that_refer_to_each_other_come_and_go_together(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Database(path) as database:
        chicken = database.table(
            "chicken",
            columns=[
                {"name": "id", "type": "INTEGER", "primary_key": True},
                {"name": "egg", "references": "egg(id)"},
            ],
        )
        egg = database.table(
            "egg",
            columns=[
                {"name": "id", "type": "INTEGER", "primary_key": True},
                {"name": "layer", "references": "chicken(id)"},
            ],
        )
        apply(database, chicken, egg)
        ask(path, "INSERT INTO chicken VALUES (1, 1)")
        ask(path, "INSERT INTO egg VALUES (1, 1)")
        gone = [{**each, "action": "delete", "config": {}} for each in (chicken, egg)]
        assert database.apply(*gone)["success"]
    assert ask(path, "SELECT name FROM sqlite_schema") == []


def test_dropping_a_parent_whose_children_stay_is_refused(shop: Path) -> None:
    with Database(shop) as database:
        done = database.apply(
            {"resource_type": "table", "name": "customers", "config": {}, "action": "delete"}
        )
    assert not done["success"]
    assert "orders" in done["error"] or "totals" in done["error"]
    assert ask(shop, "SELECT count(*) FROM customers") == [(1,)]


def test_a_changed_view_keeps_its_triggers(tmp_path: Path) -> None:
    trigger = "CREATE TRIGGER gone INSTEAD OF DELETE ON v BEGIN DELETE FROM t WHERE a = old.a; END"
    path = make(tmp_path / "a.db", ["CREATE TABLE t (a, b)", "CREATE VIEW v AS SELECT a FROM t", trigger])
    with Database(path) as database:
        view = {
            "resource_type": "view",
            "name": "v",
            "config": {"name": "v", "definition": "SELECT a, b FROM t"},
            "action": "update",
        }
        apply(database, view)
    assert text_of(path, "gone") == trigger


def test_a_view_that_would_break_is_named(shop: Path) -> None:
    with Database(shop) as database:
        done = database.apply(changed(database, "orders", total=None, twice=None))
    assert not done["success"]
    assert "totals" in done["error"] or "view" in done["error"]
    assert ask(shop, "SELECT sum(total) FROM orders") == [(14.5,)]


def test_full_text_and_spatial_tables_keep_their_rows(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.db",
        [
            "CREATE VIRTUAL TABLE docs USING fts5(title, body)",
            "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)",
            "INSERT INTO docs (rowid, title, body) VALUES (42, 'birds', 'running fast')",
            "INSERT INTO boxes VALUES (7, 1, 2)",
        ],
    )
    with Database(path) as database:
        assert [each["name"] for each in database.resources()] == ["boxes", "docs"]
        wanted = {"name": "docs", "using": "fts5", "arguments": ["title", "body", "tokenize = 'porter'"]}
        apply(database, {"resource_type": "table", "name": "docs", "config": wanted, "action": "update"})
    assert ask(path, "SELECT rowid, title FROM docs WHERE docs MATCH 'run'") == [(42, "birds")]


@contextmanager
def after_counting(path: Path, statement: str) -> Iterator[None]:
    """Have somebody else change rows when an apply has counted those that are in its way."""

    def listen(logger: str, level: str, event: str, fields: Any) -> None:
        if event == "no rows in the way":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(statement)
                connection.commit()

    unsubscribe = subscribe(listen)
    try:
        yield
    finally:
        unsubscribe()


def test_the_undo_of_every_step_brings_the_schema_back(shop: Path) -> None:
    before = fingerprint(shop)
    with Database(shop, apply_mode="step") as database:
        good = changed(database, "notes", body={"check": "length(body) > 1"})
        bad = changed(database, "customers", email={"not_null": True, "check": "email <> 'late@example.org'"})
        index = {
            "resource_type": "index",
            "name": "z",
            "config": {"name": "z", "table": "log", "columns": ["line"]},
            "action": "create",
        }
        late = "UPDATE customers SET email = 'late@example.org'"
        with after_counting(shop, late):
            done = database.apply(index, good, bad)
        assert not done["success"]
        assert "kolumn_new" not in done["error"]
    assert fingerprint(shop) == before
    assert ask(shop, "SELECT rowid FROM notes ORDER BY rowid") == [(5,), (6,), (70,)]


def test_an_attached_file_is_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "main.db"
    schema = {
        "resource_type": "schema",
        "name": "archive",
        "config": {"name": "archive", "path": "archive.db"},
        "action": "create",
    }
    table = {
        "resource_type": "table",
        "name": "old",
        "action": "create",
        "config": {"name": "old", "schema": "archive", "columns": [{"name": "a", "check": "a > 0"}]},
    }
    with Database(path) as database:
        apply(database, schema, table)
    with Database(path) as database:
        assert database.steps(schema, table) == []
        changed_table = {**table, "config": {**table["config"], "columns": [{"name": "a", "not_null": True}]}}
        apply(database, schema, changed_table)
        assert database.apply({**schema, "action": "delete", "config": {}})["success"]
    assert text_of(tmp_path / "archive.db", "old").count("NOT NULL") == 1


@pytest.mark.parametrize("kind", ["table", "view", "index", "trigger"])
@pytest.mark.parametrize("name", ["sqlite_mine", "Kolumn_mine"])
def test_names_that_others_keep_for_themselves(tmp_path: Path, kind: str, name: str) -> None:
    rest: dict[str, dict[str, Any]] = {
        "table": {"columns": [{"name": "a"}]},
        "view": {"definition": "SELECT 1"},
        "index": {"table": "t", "columns": ["a"]},
        "trigger": {"table": "t", "timing": "after", "events": ["insert"], "body": "SELECT 1;"},
    }
    with Database(tmp_path / "a.db") as database, pytest.raises(ValidationError, match="reserved"):
        database.apply(
            {"resource_type": kind, "name": name, "config": {"name": name, **rest[kind]}, "action": "create"}
        )


def test_what_sqlite_lacks_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    with Database(tmp_path / "a.db") as database:
        for kind in ("function", "sequence", "user", "role", "grant"):
            with pytest.raises(ValidationError, match=f"sqlite has no {kind}: ") as caught:
                database.apply(
                    {"resource_type": f"sqlite_{kind}", "name": "x", "config": {}, "action": "create"}
                )
            assert caught.value.code == "refused_resource_type"


def test_comments_live_in_the_stored_statement(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Database(path) as database:
        columns = [
            {"name": "a", "type": "INT", "comment": "the first"},
            {"name": "b", "comment": "two\nlines"},
        ]
        apply(database, database.table("t", columns=columns, comment="all about t"))
        more = [*columns, {"name": "c", "comment": "added"}]
        apply(database, database.table("t", columns=more, comment="all about t"))
        apply(database, database.table("t", columns=more[1:], comment="less"))
        found = config_of(database, "table", "t")
    assert found["comment"] == "less"
    assert [(each["name"], each["comment"]) for each in found["columns"]] == [
        ("b", "two\nlines"),
        ("c", "added"),
    ]


def test_a_column_spelled_in_other_letters_is_renamed(shop: Path) -> None:
    with Database(shop) as database:
        config = config_of(database, "table", "notes")
        config["columns"][0]["name"] = "Body"
        steps = database.steps(
            {"resource_type": "table", "name": "notes", "config": config, "action": "update"}
        )
        assert "RENAME COLUMN body TO Body" in sql_of(steps)
        apply(database, {"resource_type": "table", "name": "notes", "config": config, "action": "update"})
    assert ask(shop, "SELECT name FROM pragma_table_info('notes')") == [("Body",), ("weight",)]
    assert ask(shop, "SELECT Body FROM notes WHERE rowid = 5") == [("five",)]


def test_a_rebuild_is_not_refused_for_faults_that_are_none(tmp_path: Path) -> None:
    """SQLite 3.40's integrity_check looks for NULLs in the wrong columns of a table without rowid."""
    columns = "a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER, k INTEGER"
    path = make(
        tmp_path / "x.db",
        [
            f"CREATE TABLE t ({columns}, PRIMARY KEY (k)) WITHOUT ROWID",
            "INSERT INTO t VALUES (0, 0, NULL, 0)",
        ],
    )
    with Database(path) as database:
        request = changed(database, "t", a={"type": "TEXT"})
        done = database.apply(request)
    assert done["success"], done["error"]
    assert ask(path, "SELECT * FROM t") == [("0", 0, None, 0)]
