"""Any schema, any change between two: what Kolumn makes is what was asked for, and there is a way back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from kolumn.contract.errors import OperationError
from kolumn.host.providers import load
from tests import command, dumps
from tests.client import Client
from tests.properties.configurations import Resource, contents, quoted, schemas, towards

pytestmark = pytest.mark.soak
EXAMPLES = 1500 if command.SOAK else 60


@contextmanager
def database() -> Iterator[tuple[Client, Path]]:
    """Yield a provider on an empty file that takes every change."""
    with TemporaryDirectory() as folder, Client(load("sqlite")) as client:
        path = Path(folder) / "x.db"
        yield client.configure({"path": str(path), "safe_destroy": False}), path


def fresh(schema: list[Resource]) -> list[str]:
    """Return the facts of a schema made from nothing."""
    with database() as (client, path):
        client.apply(*schema)
        return dumps.schema(path) if path.exists() else []


def facts(path: Path) -> list[str]:
    return dumps.schema(path) if path.exists() else []


def refill(path: Path, rows: list[tuple[str, tuple[str, ...], tuple[Any, ...]]]) -> int:
    """Insert what SQLite takes of `rows`; return how many that were."""
    taken = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        for table, columns, values in rows:
            names, marks = ", ".join(map(quoted, columns)), ", ".join("?" * len(columns))
            try:
                taken += connection.execute(
                    f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})", values
                ).rowcount
            except sqlite3.Error:
                continue
    return taken


@settings(max_examples=EXAMPLES)
@given(schema=schemas())
def test_what_was_applied_needs_nothing_more(schema: list[Resource]) -> None:
    with database() as (client, path):
        client.apply(*schema)
        with Client(load("sqlite")).configure({"path": str(path)}) as newcomer:
            for each in (client, newcomer):
                plan = each.plan(*schema, detail=True)
                assert plan["execution_order"] == [], plan["steps"]
        assert dumps.sound(path) == [] if path.exists() else not schema


@settings(max_examples=EXAMPLES)
@given(schema=schemas())
def test_what_is_discovered_is_what_is_there(schema: list[Resource]) -> None:
    """Discovered configuration makes the same database, and asks for nothing on the old one."""
    with database() as (client, path):
        client.apply(*schema)
        found = client.done("DiscoverResources", {"resource_type": ""})["resources"]
        assert len(found) == len(schema)
        again = [
            {
                "resource_type": each["type"],
                "name": each["name"],
                "config": each["config"],
                "action": "create",
            }
            for each in found
        ]
        with Client(load("sqlite")).configure({"path": str(path)}) as newcomer:
            plan = newcomer.plan(*again, detail=True)
            assert plan["execution_order"] == [], plan["steps"]
        assert fresh(again) == facts(path)


@settings(max_examples=EXAMPLES * 2)
@given(before=schemas(), after=schemas())
def test_any_schema_becomes_any_other_and_goes_back(before: list[Resource], after: list[Resource]) -> None:
    with database() as (client, path):
        client.apply(*before)
        first = facts(path)
        request = towards(before, after)
        plan = client.plan(*request, detail=True)
        event("something to do" if plan["execution_order"] else "nothing to do")
        client.apply(*request)
        assert facts(path) == fresh(after)
        assert client.plan(*request)["execution_order"] == []
        if not path.exists():
            return
        assert dumps.sound(path) == []
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("BEGIN")
            for step in reversed(plan.get("steps", [])):
                assert step["reversible"], step
                for statement in step["undo"]:
                    connection.execute(statement)
            connection.execute("COMMIT")
        assert facts(path) == first


@settings(max_examples=EXAMPLES * 2)
@given(data=st.data())
def test_rows_survive(data: st.DataObject) -> None:
    """A change under data leaves every row of a table that stays, or is refused and changes nothing."""
    before, after = data.draw(schemas()), data.draw(schemas())
    with database() as (client, path):
        client.apply(*before)
        if not path.exists():
            return
        refill(path, data.draw(contents(before)))
        held = {each["name"]: table_rows(path, each) for each in before if each["resource_type"] == "table"}
        first = (facts(path), dumps.checksums(path))
        assert dumps.sound(path) == []
        request = towards(before, after)
        try:
            answer = client.call("Apply", {"resources": request})
        except OperationError as error:
            assert error.code == "data_validation"
            answer = {"success": False, "error": error.message}
        assert dumps.sound(path) == []
        if not answer["success"]:
            event("refused")
            assert answer["error"]
            assert (facts(path), dumps.checksums(path)) == first
            return
        event("done")
        assert facts(path) == fresh(after)
        tables = {each["name"]: each for each in before if each["resource_type"] == "table"}
        for each in after:
            old = tables.get(each["name"])
            if each["resource_type"] != "table" or old is None:
                continue
            columns = alike(old, each)
            assert len(dumps.rows(path, each["name"])) == len(held[each["name"]])
            if columns:
                kept = sorted((tuple(row[name] for name in columns) for row in held[each["name"]]), key=repr)
                assert dumps.rows(path, each["name"], columns) == kept


def table_rows(path: Path, table: Resource) -> list[dict[str, Any]]:
    names = [column["name"] for column in table["config"]["columns"] if "generated" not in column]
    return [dict(zip(names, row, strict=True)) for row in dumps.rows(path, table["name"], names)]


def alike(old: Resource, new: Resource) -> list[str]:
    """Return the columns that are in both tables and hold the same kind of values."""
    types = {
        each["name"]: (each["type"], each.get("collation", ""))
        for each in old["config"]["columns"]
        if "generated" not in each
    }
    return [
        each["name"]
        for each in new["config"]["columns"]
        if "generated" not in each
        and types.get(each["name"], ("?",))[0] == each["type"]
        and old["config"].get("strict") == new["config"].get("strict")
        and not (each.get("not_null") and "default" in each)  # filled in where it was null
        and not each.get("primary_key")
    ]


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_renamed_columns_keep_their_values(data: st.DataObject) -> None:
    before = data.draw(
        schemas().filter(lambda schema: any(each["resource_type"] == "table" for each in schema))
    )
    tables = [each for each in before if each["resource_type"] == "table"]
    with database() as (client, path):
        client.apply(*before)
        refill(path, data.draw(contents(before)))
        chosen = data.draw(st.sampled_from(tables))
        plain = [
            each
            for each in chosen["config"]["columns"]
            if "generated" not in each and not mentioned(each["name"], before, each)
        ]
        if not plain:
            return
        column = data.draw(st.sampled_from(plain))
        held = dumps.rows(path, chosen["name"], [column["name"]])
        columns = [
            {**each, "name": "renamed", "renamed_from": each["name"]} if each is column else each
            for each in chosen["config"]["columns"]
        ]
        after = [
            {**each, "config": {**each["config"], "columns": columns}} if each is chosen else each
            for each in before
        ]
        plan = client.plan(*after, detail=True)
        assert not [
            risk for step in plan["steps"] for risk in step.get("risks", []) if risk["kind"] == "data_loss"
        ]
        client.apply(*after)
        assert dumps.rows(path, chosen["name"], ["renamed"]) == held
        assert facts(path) == fresh(after)
        assert client.plan(*after)["execution_order"] == []


def mentioned(name: str, schema: list[Resource], column: Resource) -> bool:
    """Whether anything but the column itself speaks of a column of that name."""
    texts = repr([{**each, "config": _without(each["config"], column)} for each in schema])
    return f'"{name}"' in texts or f"'{name}'" in texts


def _without(config: Resource, column: Resource) -> Resource:
    if "columns" not in config:
        return config
    rest = [
        {**each, "name": ""} if each is column else each
        for each in config["columns"]
        if isinstance(each, dict)
    ]
    return {**config, "columns": rest}
