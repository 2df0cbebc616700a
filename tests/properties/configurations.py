"""Random SQLite schemas, as configuration a person might write; names are so few that any two overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

TABLES = ("alpha", "Beta", "gamma", "order")
COLUMNS = ("a", "b", "C", "d", "two words", "key")
TYPES = ("INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC(10, 2)", "VARCHAR(20)", "INT", "")
STRICT_TYPES = ("INTEGER", "TEXT", "REAL", "BLOB", "INT", "ANY")
DEFAULTS = (
    "0",
    "-1",
    "1.5",
    "'x'",
    "'it''s'",
    "NULL",
    "CURRENT_TIMESTAMP",
    "(1 + 2)",
    "x'00ff'",
    "(lower('Q'))",
)
COLLATIONS = ("", "", "NOCASE", "RTRIM", "BINARY")
ACTIONS = ("no action", "restrict", "cascade", "set null", "set default")

Resource = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table and what others may use of it."""

    config: Resource
    columns: tuple[str, ...]
    """Those that hold values."""
    key: str = ""
    """The column others may refer to."""


def quoted(name: str) -> str:
    return '"' + name + '"'


@st.composite
def _checks(draw: st.DrawFn, columns: tuple[str, ...]) -> str:
    column = quoted(draw(st.sampled_from(columns)))
    return draw(
        st.sampled_from(
            [
                f"{column} IS NOT 'impossible'",
                f"length({column}) < 1000",
                f"{column} <> 'a' OR {column} IS NULL",
                f"({column} BETWEEN -1000000 AND 1000000) OR typeof({column}) <> 'integer'",
                f"CASE WHEN {column} IS NULL THEN 1 ELSE {column} NOT IN ('p', 'q') END",
            ]
        )
    )


@st.composite
def tables(draw: st.DrawFn, name: str) -> Table:
    """Draw a table without foreign keys."""
    names = tuple(draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=5, unique=True)))
    strict = draw(st.integers(0, 4)) == 0
    key_kind = draw(st.sampled_from(("none", "rowid", "rowid", "auto", "column", "table")))
    key_kind = "table" if key_kind in ("column", "table") and len(names) < 2 else key_kind
    columns: list[Resource] = []
    for at, column_name in enumerate(names):
        column: Resource = {
            "name": column_name,
            "type": draw(st.sampled_from(STRICT_TYPES if strict else TYPES)),
        }
        if at == 0 and key_kind in ("rowid", "auto", "column"):
            column["type"] = "TEXT" if key_kind == "column" else "INTEGER"
            column["primary_key"] = True
            if key_kind == "auto":
                column["autoincrement"] = True
            if key_kind == "column":
                column["not_null"] = True
        else:
            if draw(st.integers(0, 3)) == 0:
                column["not_null"] = True
            if draw(st.integers(0, 3)) == 0:
                column["default"] = draw(st.sampled_from(DEFAULTS))
            if draw(st.integers(0, 7)) == 0:
                column["unique"] = True
            if draw(st.integers(0, 6)) == 0:
                column["check"] = draw(_checks((column_name,)))
            if column["type"] in ("TEXT", "VARCHAR(20)") and (collation := draw(st.sampled_from(COLLATIONS))):
                column["collation"] = collation
        columns.append(column)
    config: Resource = {"name": name, "columns": columns}
    if key_kind == "table":
        parts = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        config["primary_key"] = [
            {"column": part, "order": "desc"} if draw(st.integers(0, 3)) == 0 else {"column": part}
            for part in parts
        ]
    if key_kind in ("column", "table") and draw(st.booleans()):
        config["without_rowid"] = True
    if strict:
        config["strict"] = True
    if draw(st.integers(0, 4)) == 0:
        generated: Resource = {
            "name": "computed",
            "type": "TEXT",
            "generated": f"{quoted(draw(st.sampled_from(names)))} || '!'",
        }
        if draw(st.booleans()):
            generated["stored"] = True
        columns.insert(draw(st.integers(1, len(columns))), generated)
    if draw(st.integers(0, 4)) == 0:
        config["checks"] = [{"name": "sane", "expression": draw(_checks(names))}]
    if len(names) > 1 and draw(st.integers(0, 5)) == 0:
        pair = draw(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True))
        config["uniques"] = [{"columns": pair}]
    return Table(config, names, names[0] if key_kind in ("rowid", "auto", "column") else "")


@st.composite
def schemas(draw: st.DrawFn) -> list[Resource]:
    """Draw a schema: the entries of a Plan request that creates it."""
    names = draw(st.lists(st.sampled_from(TABLES), max_size=3, unique=True))
    made: dict[str, Table] = {}
    for name in names:
        made[name] = draw(tables(name))
    targets = [name for name, table in made.items() if table.key]
    resources: list[Resource] = []
    for name, table in made.items():
        config = table.config
        free = [
            column
            for column in config["columns"]
            if "generated" not in column and "primary_key" not in column
        ]
        if free and targets and draw(st.booleans()):
            _refer(draw, config, draw(st.sampled_from(free)), draw(st.sampled_from(targets)), made)
        resources.append(_wanted("table", name, config))
        for at in range(draw(st.sampled_from((0, 0, 1, 2)))):
            resources.append(_index(draw, f"{name}_i{at}", name, table))
        if draw(st.integers(0, 3)) == 0:
            resources.append(_trigger(draw, f"{name}_t", name, table))
    if draw(st.booleans()) and made:
        resources += _views(draw, made)
    return draw(st.permutations(resources))


def _refer(draw: st.DrawFn, config: Resource, column: Resource, target: str, made: dict[str, Table]) -> None:
    actions: Resource = {
        name: action
        for name in ("on_delete", "on_update")
        if (action := draw(st.sampled_from(ACTIONS))) != "no action"
    }
    if draw(st.booleans()):
        actions["deferrable"] = actions["initially_deferred"] = True
    key = made[target].key
    if draw(st.booleans()):
        config["foreign_keys"] = [
            {"columns": [column["name"]], "references": f"{quoted(target)}({quoted(key)})", **actions}
        ]
    else:
        column.update(references=f"{quoted(target)}({quoted(key)})", **actions)


def _index(draw: st.DrawFn, name: str, table: str, made: Table) -> Resource:
    parts: list[Resource] = []
    for column in draw(st.lists(st.sampled_from(made.columns), min_size=1, max_size=2, unique=True)):
        kind = draw(st.sampled_from(("plain", "desc", "expression", "collation")))
        parts.append(
            {"expression": f"lower({quoted(column)})"}
            if kind == "expression"
            else {"column": column, **({"order": "desc"} if kind == "desc" else {})}
            | ({"collation": "NOCASE"} if kind == "collation" else {})
        )
    config: Resource = {"name": name, "table": table, "columns": parts}
    if draw(st.integers(0, 3)) == 0:
        config["where"] = f"{quoted(draw(st.sampled_from(made.columns)))} IS NOT NULL"
    return _wanted("index", name, config)


def _trigger(draw: st.DrawFn, name: str, table: str, made: Table) -> Resource:
    column = draw(st.sampled_from(made.columns))
    event = draw(st.sampled_from(("insert", "delete", "update", f"update of {quoted(column)}")))
    row = "old" if event == "delete" else "new"
    config: Resource = {
        "name": name,
        "table": table,
        "timing": draw(st.sampled_from(("before", "after"))),
        "events": [event],
        "body": draw(
            st.sampled_from(
                [
                    f"SELECT {row}.{quoted(column)};",
                    f"UPDATE {quoted(table)} SET {quoted(column)} = {row}.{quoted(column)} WHERE 0;",
                    f"SELECT raise(ignore) WHERE {row}.{quoted(column)} = 'forbidden';",
                ]
            )
        ),
    }
    if draw(st.booleans()):
        config["when"] = f"{row}.{quoted(column)} IS NOT NULL"
    return _wanted("trigger", name, config)


def _views(draw: st.DrawFn, made: dict[str, Table]) -> list[Resource]:
    name = draw(st.sampled_from(sorted(made)))
    column = quoted(draw(st.sampled_from(made[name].columns)))
    first: Resource = {
        "name": "seen",
        "definition": f"SELECT {column} AS v, count(*) AS n FROM {quoted(name)} GROUP BY 1",
    }
    if draw(st.integers(0, 3)) == 0:
        first["columns"] = ["v", "n"]
    found = [_wanted("view", "seen", first)]
    if draw(st.booleans()):
        other = draw(st.sampled_from(sorted(made)))
        found.append(
            _wanted(
                "view",
                "overview",
                {"name": "overview", "definition": f"SELECT v FROM seen, {quoted(other)} AS o"},
            )
        )
    return found


def _wanted(resource_type: str, name: str, config: Resource) -> Resource:
    return {"resource_type": resource_type, "name": name, "config": config, "action": "create"}


def towards(before: list[Resource], after: list[Resource]) -> list[Resource]:
    """Return a Plan request that leads from one schema to another."""
    kept = {(each["resource_type"], each["name"]) for each in after}
    gone = [
        {**each, "config": {}, "action": "delete"}
        for each in before
        if (each["resource_type"], each["name"]) not in kept
    ]
    return [*after, *gone]


VALUES = (None, 0, 1, 2, -5, 1.5, "", "x", "Forty", "it's", b"\x00\x01", 10**12, "3")


@st.composite
def contents(draw: st.DrawFn, schema: list[Resource]) -> list[tuple[str, tuple[str, ...], tuple[Any, ...]]]:
    """Draw rows to insert: table, columns, values. SQLite may refuse some of them."""
    found = []
    for each in schema:
        if each["resource_type"] != "table":
            continue
        names = tuple(column["name"] for column in each["config"]["columns"] if "generated" not in column)
        for _ in range(draw(st.integers(0, 4))):
            found.append((each["name"], names, tuple(draw(st.sampled_from(VALUES)) for _ in names)))
    return found
