"""Which differences are found between two configurations, and how much each weighs."""

from __future__ import annotations

from typing import Any

import pytest

from kolumn.engine.drift.differences import differences, with_value
from kolumn.providers.postgres.resources.policy import Policy
from kolumn.providers.postgres.resources.role import Role
from kolumn.providers.postgres.tables.model import PostgresTable


def table(**more: Any) -> dict[str, Any]:
    return {"name": "t", "columns": [{"name": "a.b", "type": "int", **more.pop("column", {})}], **more}


CHECK = {"name": "c", "expression": "x > 0"}
KEY = {"name": "k", "columns": ["a"], "references": "o(id)"}

CASES = [
    (table(), table(comment="x"), "added comment info"),
    (table(column={"comment": "x"}), table(), "removed columns.a.b.comment info"),
    (table(), table(unlogged=True), "added unlogged warning"),
    (table(column={"type": "int"}), table(column={"type": "text"}), "changed columns.a.b.type warning"),
    (table(column={"not_null": True}), table(), "removed columns.a.b.not_null error"),
    (table(), table(column={"not_null": True}), "added columns.a.b.not_null warning"),
    (table(checks=[CHECK]), table(), "removed checks.c error"),
    (table(), table(checks=[CHECK]), "added checks.c warning"),
    (table(checks=[CHECK]), table(checks=[{**CHECK, "not_valid": True}]), "added checks.c.not_valid error"),
    (table(checks=[CHECK]), table(checks=[{**CHECK, "comment": "x"}]), "added checks.c.comment info"),
    (
        table(foreign_keys=[KEY]),
        table(foreign_keys=[{**KEY, "on_delete": "cascade"}]),
        "changed foreign_keys.k.on_delete error",
    ),
    (table(row_level_security=True), table(), "removed row_level_security error"),
    (table(), table(owner="mallory"), "added owner error"),
    (table(), {"name": "t", "columns": []}, "removed columns.a.b error"),
]


@pytest.mark.parametrize(("before", "after", "expected"), CASES, ids=[each for _, _, each in CASES])
def test_tables(before: dict[str, Any], after: dict[str, Any], expected: str) -> None:
    (found,) = differences(PostgresTable, before, after)
    assert f"{found.kind} {found.path} {found.severity}" == expected
    assert with_value(PostgresTable, after, found.steps, found.before) is not None
    assert differences(PostgresTable, before, before) == []


def test_what_decides_who_may_do_what_is_an_error_whichever_way() -> None:
    (found,) = differences(Role, {"name": "r"}, {"name": "r", "superuser": True})
    assert (found.kind, found.severity) == ("added", "error")
    policy = {"name": "p", "table": "t", "using": "true"}
    (found,) = differences(Policy, policy, {**policy, "using": "false"})
    assert found.severity == "error"


def test_sensitive_values_are_not_told() -> None:
    (found,) = differences(Role, {"name": "r", "password": "one"}, {"name": "r", "password": "two"})
    assert (found.before, found.after, found.sensitive) == ("[REDACTED]", "[REDACTED]", True)


def test_the_default_stands_for_what_is_left_out() -> None:
    (found,) = differences(Role, {"name": "r"}, {"name": "r", "connection_limit": 5})
    assert (found.before, found.after, found.kind) == (-1, 5, "changed")
