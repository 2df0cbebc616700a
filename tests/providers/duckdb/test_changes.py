"""Any table becomes any other: the next plan finds nothing, and every row is there with the values that stay."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from kolumn.host.providers import load
from tests import command
from tests.client import Client, wanted
from tests.targets.duckdb import DUCKDB, opened

ROWS = 7
TYPES = {
    "INTEGER": "range",
    "BIGINT": "range * 10",
    "VARCHAR": "'v' || range",
    "DECIMAL(10,2)": "range / 4",
    "STRUCT(a INTEGER, b VARCHAR[])": "{'a': range, 'b': [range]}",
    "ENUM('x', 'y')": "['x', 'y'][range % 2 + 1]",
}
"""By type, what rows have in such a column; each value is there once at most, but for an enum's."""
WIDER = {"INTEGER": ("BIGINT", "VARCHAR"), "BIGINT": ("HUGEINT",), "DECIMAL(10,2)": ("DECIMAL(12,3)",)}
NAMES = ("a", "b", "Größe", "select", 'qu"ote')


@st.composite
def tables(draw: st.DrawFn, types: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A table with the columns of `types`, some of them maybe missing, in a wider type, or new."""
    types = types if types is not None else {}
    key = draw(st.sampled_from(["primary_key", "unique", None]))
    columns: list[dict[str, Any]] = [{"name": "id", "type": "INTEGER", **({key: True} if key else {})}]
    uniques = [["id", "up"]] if draw(st.booleans()) else []
    for name in NAMES:
        if not draw(st.booleans()):
            continue
        type_ = types.get(name) or draw(st.sampled_from(sorted(TYPES)))
        type_ = draw(st.sampled_from([type_, *WIDER.get(type_, ())])) if name in types else type_
        column: dict[str, Any] = {"name": name, "type": type_}
        if name in types and draw(st.booleans()):
            column["not_null"] = True
        if draw(st.booleans()):
            column["default"] = "NULL"
        if draw(st.booleans()):
            column["comment"] = f"What is {name}"
        if draw(st.booleans()):
            column["check"] = f'"{name.replace(chr(34), chr(34) * 2)}" IS NOT NULL OR true'
        columns.append(column)
    columns.append({"name": "up", "type": "INTEGER"})
    if draw(st.booleans()):
        columns.append({"name": "twice", "type": "BIGINT", "generated": "id * 2"})
    if draw(st.booleans()):
        columns[-1 if "generated" not in columns[-1] else -2]["references"] = "other(id)"
    table: dict[str, Any] = {
        "name": "t",
        "columns": columns,
        "uniques": [{"columns": each} for each in uniques],
    }
    if key and draw(st.booleans()):
        table["foreign_keys"] = [{"columns": ["up"], "references": "t(id)"}]
    if draw(st.booleans()):
        table["comment"] = "Changes"
    return table


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A table, and what it becomes."""
    before = draw(tables())
    types = {each["name"]: each["type"] for each in before["columns"] if each["name"] in NAMES}
    return before, draw(tables(types))


def resources(table: Mapping[str, Any], *, indexed: bool, used: bool) -> list[Any]:
    found = [wanted("table", "other", {"name": "other", "columns": [_ID]}), wanted("table", "t", table)]
    if indexed:
        found.append(wanted("index", "by_id", {"name": "by_id", "table": "t", "columns": ["id", "up"]}))
    if used:
        found.append(wanted("view", "v", {"name": "v", "definition": "SELECT id, up FROM t"}))
        if any(each.get("primary_key") or each.get("unique") for each in table["columns"]):
            columns = [_ID, {"name": "t", "type": "INTEGER", "references": "t(id)"}]
            found.append(wanted("table", "child", {"name": "child", "columns": columns}))
    return found


_ID = {"name": "id", "type": "INTEGER", "primary_key": True}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@settings(max_examples=1000 if command.SOAK else 12)
@given(changes(), st.booleans(), st.booleans())
def test_rows_come_through_every_change(
    change: tuple[dict[str, Any], dict[str, Any]], indexed: bool, used: bool
) -> None:
    before, after = change
    with tempfile.TemporaryDirectory() as folder, DUCKDB.fresh(Path(folder) / "d") as place:
        with Client(load("duckdb")).configure(place) as client:
            client.apply(*resources(before, indexed=indexed, used=used))
            with opened(place) as database:
                stored = {each["name"]: each["type"] for each in before["columns"] if each["name"] in NAMES}
                listed = ", ".join(["id", "up", *map(quoted, stored)])
                values = "".join(f", {TYPES[each]}" for each in stored.values())
                database.execute("INSERT INTO other SELECT range FROM range(1, 8)")
                for at in range(1, ROWS + 1):
                    up = "NULL" if at == 1 else "range // 2"
                    database.execute(
                        f"INSERT INTO t ({listed}) SELECT range, {up}{values} FROM range({at}, {at + 1})"
                    )
                kept = ["id", "up", *(each["name"] for each in after["columns"] if each["name"] in stored)]
                query = f"SELECT {', '.join(f'CAST({quoted(each)} AS VARCHAR)' for each in kept)} FROM t ORDER BY id"
                had = database.execute(query).fetchall()
            wanted_now = resources(after, indexed=indexed, used=used)
            there = [each["name"] for each in wanted_now]
            gone = [
                each for each in resources(before, indexed=indexed, used=used) if each["name"] not in there
            ]
            note(f"{before}\n{after}")
            client.apply(*wanted_now, *({**each, "action": "delete"} for each in gone))
            assert client.plan(*wanted_now)["execution_order"] == []
            with opened(place) as database:
                assert [_plain(row) for row in database.execute(query).fetchall()] == [
                    _plain(row) for row in had
                ]
                assert database.execute("SELECT count(*) FROM other").fetchone() == (ROWS,)


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row without the noughts that a wider decimal has at its end."""
    return tuple(each.rstrip("0").rstrip(".") if each and "." in each else each for each in row)
