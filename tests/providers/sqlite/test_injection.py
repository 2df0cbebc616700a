"""No attribute of a configuration can say more than it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.errors import KolumnError
from tests.providers.sqlite.databases import Database, ask, make

ATTACKS = (
    "1); DROP TABLE victim; --",
    "1) , extra INTEGER DEFAULT (1",
    "x'); DELETE FROM victim; --",
    "1 -- ",
    "1 /* ",
    "'open",
    '"open',
    "[open",
    "1; SELECT 1",
    "a, b",
    ") STRICT; --",
    "?1",
    ":name",
    "1)) WITHOUT ROWID; --",
    "\0",
    "1 \x00; DROP TABLE victim",
    "SELECT 1; DROP TABLE victim",
)


def _table(**column: Any) -> tuple[str, dict[str, Any]]:
    return "table", {"name": "t", "columns": [{"name": "a", "type": "INTEGER", **column}]}


def places(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a configuration for every attribute that takes a piece of SQL."""
    plain = [{"name": "a"}]
    return [
        _table(type=text),
        _table(default=text),
        _table(check=text),
        _table(generated=text),
        _table(collation=text),
        _table(references=text),
        _table(on_delete=text),
        _table(match=text, references="victim(a)"),
        _table(primary_key=True, primary_key_order=text),
        _table(unique=True, unique_conflict=text),
        _table(check="a > 0", check_name=text),
        _table(comment=text),
        ("table", {"name": text, "columns": plain}),
        ("table", {"name": "t", "columns": [{"name": text}]}),
        ("table", {"name": "t", "columns": plain, "schema": text}),
        ("table", {"name": "t", "columns": plain, "comment": text}),
        ("table", {"name": "t", "columns": plain, "statement": f"CREATE TABLE t (a); {text}"}),
        ("table", {"name": "t", "columns": plain, "statement": text}),
        ("table", {"name": "t", "columns": plain, "checks": [text]}),
        ("table", {"name": "t", "columns": plain, "uniques": [{"columns": [text]}]}),
        (
            "table",
            {"name": "t", "columns": plain, "primary_key": {"columns": [{"column": "a", "collation": text}]}},
        ),
        ("table", {"name": "t", "columns": plain, "foreign_keys": [{"columns": ["a"], "references": text}]}),
        ("table", {"name": "t", "using": "fts5", "arguments": [text]}),
        ("table", {"name": "t", "using": text, "arguments": ["a"]}),
        ("index", {"name": text, "table": "victim", "columns": ["a"]}),
        ("index", {"name": "i", "table": text, "columns": ["a"]}),
        ("index", {"name": "i", "table": "victim", "columns": [{"expression": text}]}),
        ("index", {"name": "i", "table": "victim", "columns": ["a"], "where": text}),
        ("view", {"name": text, "definition": "SELECT 1"}),
        ("view", {"name": "v", "definition": text}),
        ("view", {"name": "v", "definition": f"SELECT 1 {text}"}),
        ("view", {"name": "v", "definition": "SELECT 1", "columns": [text]}),
        (
            "trigger",
            {"name": "g", "table": "victim", "timing": "after", "events": [text], "body": "SELECT 1;"},
        ),
        (
            "trigger",
            {"name": "g", "table": "victim", "timing": text, "events": ["insert"], "body": "SELECT 1;"},
        ),
        (
            "trigger",
            {"name": "g", "table": text, "timing": "after", "events": ["insert"], "body": "SELECT 1;"},
        ),
        (
            "trigger",
            {"name": "g", "table": "victim", "events": ["insert"], "when": text, "body": "SELECT 1;"},
        ),
        ("trigger", {"name": "g", "table": "victim", "events": ["insert"], "body": f"SELECT 1; END; {text}"}),
        ("trigger", {"name": "g", "table": "victim", "events": [f"update of {text}"], "body": "SELECT 1;"}),
        ("schema", {"name": text, "path": "other.db"}),
    ]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_but_what_was_asked_for_is_changed(tmp_path: Path, attack: str) -> None:
    path = make(tmp_path / "a.db", ["CREATE TABLE victim (a)", "INSERT INTO victim VALUES (1), (2)"])
    before = set(ask(path, "SELECT type, name, sql FROM sqlite_schema"))
    for kind, config in places(attack):
        request = {"resource_type": kind, "name": "attacked", "config": config, "action": "create"}
        with Database(path) as database:
            try:
                done = database.apply(request)
            except KolumnError:
                done = {"success": False}
            added = set(ask(path, "SELECT type, name, sql FROM sqlite_schema")) - before
            real = [each for each in added if not each[1].startswith(("sqlite_", "kolumn_")) and each[2]]
            assert ask(path, "SELECT count(*) FROM victim") == [(2,)], config
            assert set(ask(path, "SELECT type, name, sql FROM sqlite_schema")) >= before, config
            if not done["success"]:
                assert added == set(), config
                continue
            if kind != "schema" and not config.get("using"):
                assert [(each[0], each[1]) for each in real] == [(kind, config["name"])], config
            if kind == "table" and "using" not in config:
                columns = ask(path, "SELECT name FROM pragma_table_xinfo(?)", config["name"])
                assert columns == [(column["name"],) for column in config["columns"]], config
            if kind == "schema":
                (tmp_path / "other.db").unlink(missing_ok=True)
                path.unlink()
                make(path, ["CREATE TABLE victim (a)", "INSERT INTO victim VALUES (1), (2)"])
                continue
            names = {each["type"]: each["name"] for each in database.resources() if each["name"] != "victim"}
            assert set(names) == {kind}
            gone = {**request, "name": next(iter(names.values())), "action": "delete", "config": {}}
            assert database.apply({**request, "action": "delete", "config": {}})["success"], gone
