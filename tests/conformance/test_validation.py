"""Data validation: rows that a change would fail on are counted, shown and refused before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from kolumn.contract.errors import OperationError
from kolumn.engine import validation
from tests.client import Client, wanted
from tests.targets import Settings, Target

Connect = Callable[[Settings], Client]


def column(name: str, type_: str = "integer", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def table(name: str, *columns: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    return wanted("table", name, {"name": name, "columns": list(columns), **more})


ID = column("id", primary_key=True)
LETTER = "'c'"
ROWS = """
CREATE TABLE customers (id integer PRIMARY KEY, email varchar(50), city varchar(50), age integer);
INSERT INTO customers VALUES (4, NULL, 'Rome', 1), (9, NULL, 'Rome', 2), (12, NULL, 'Oslo', -3),
    (13, 'a', 'Oslo', 7), (14, 'a', 'Oslo', 8), (15, 'b', 'Bonn', NULL);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer, region varchar(9));
INSERT INTO orders VALUES (1, 4, 'n'), (2, 77, 'n'), (3, NULL, 's'), (4, 78, 's');
CREATE TABLE loose (a integer, b text);
INSERT INTO loose VALUES (1, 'x'), (1, 'y'), (NULL, 'z'), (2, 'z');
"""
CUSTOMER = (ID, column("email", "varchar(50)"), column("city", "varchar(50)"), column("age"))
ORDER = (ID, column("customer"), column("region", "varchar(9)"))


def customers(**changed: Mapping[str, Any]) -> Mapping[str, Any]:
    return table("customers", *({**each, **changed.get(str(each["name"]), {})} for each in CUSTOMER))


@dataclass(frozen=True)
class Case:
    """A change and what is said of it; `rows` is what the first risk says as data."""

    resource: Mapping[str, Any]
    said: tuple[str, ...]
    rows: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "not null": Case(
        customers(email={"not_null": True}),
        ("3 rows of customers have no email (id 4, 9, 12)",),
        {"table": "customers", "count": 3, "key": ["id"], "keys": [[4], [9], [12]]},
    ),
    "new column without a value": Case(
        table("customers", *CUSTOMER, column("phone", "text", not_null=True)),
        ("6 rows of customers would have no value in the new column phone (id 4, 9, 12, ...)",),
        {"table": "customers", "count": 6, "key": ["id"], "keys": [[4], [9], [12]]},
    ),
    "unique": Case(
        customers(email={"unique": True}),
        ("2 rows of customers have the same email as another (email 'a')",),
        {"table": "customers", "count": 2, "key": ["email"], "keys": [["a"]]},
    ),
    "unique, several columns": Case(
        table("customers", *CUSTOMER, uniques=[{"columns": ["city", "email"]}]),
        ("2 rows of customers have the same (city, email) as another ((city, email) ('Oslo', 'a'))",),
        {"table": "customers", "count": 2, "key": ["city", "email"], "keys": [["Oslo", "a"]]},
    ),
    "primary key": Case(
        table("loose", column("a", not_null=True), column("b", "text"), primary_key=["a"]),
        (
            "1 row of loose has no a (b 'z')",
            "2 rows of loose have the same a as another (a 1)",
        ),
        {"table": "loose", "count": 1, "key": ["b"], "keys": [["z"]]},
    ),
    "unique index": Case(
        wanted(
            "index",
            "one_city",
            {"name": "one_city", "table": "customers", "columns": ["city"], "unique": True},
        ),
        ("5 rows of customers have the same city as another (city 'Oslo', 'Rome')",),
        {"table": "customers", "count": 5, "key": ["city"], "keys": [["Oslo"], ["Rome"]]},
    ),
    "unique index, partial, of an expression": Case(
        wanted(
            "index",
            "one_email",
            {
                "name": "one_email",
                "table": "customers",
                "columns": [{"expression": "upper(email)"}],
                "where": "age < 8",
                "unique": True,
            },
        ),
        (),
        {},
    ),
    "check": Case(
        table("customers", *CUSTOMER, checks=[{"name": "grown", "expression": "age > 1"}]),
        ("2 rows of customers break grown (age > 1) (id 4, 12)",),
        {"table": "customers", "count": 2, "key": ["id"], "keys": [[4], [12]]},
    ),
    "check of a new column": Case(
        table("customers", *CUSTOMER, column("grade", default="3", check="grade < age")),
        ("3 rows of customers break (grade < age) (id 4, 9, 12)",),
        {"table": "customers", "count": 3, "key": ["id"], "keys": [[4], [9], [12]]},
    ),
    "foreign key": Case(
        table("orders", ID, column("customer", references="customers(id)"), column("region", "varchar(9)")),
        ("2 rows of orders have a customer that customers(id) lacks (id 2, 4)",),
        {"table": "orders", "count": 2, "key": ["id"], "keys": [[2], [4]]},
    ),
}


def may_fail(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [risk for step in plan["steps"] for risk in step.get("risks", ()) if risk["kind"] == "may_fail"]


def said_without_names(text: str) -> str:
    """Return words without the names that databases give to constraints."""
    return text.replace("customers_check (", "(").replace("customers_grade_check (", "(")


@pytest.mark.parametrize("name", CASES)
def test_rows_in_the_way_are_counted_and_refused(
    target: Target, settings: Settings, client: Client, name: str
) -> None:
    case = CASES[name]
    if "where" in case.resource["config"] and not target.partial_indexes:
        pytest.skip("an index has every row")
    target.execute(settings, ROWS)
    before = target.dump(settings)
    plan = client.plan(case.resource, detail=True)
    risks = may_fail(plan)
    assert [said_without_names(risk["message"]) for risk in risks] == list(case.said)
    if not case.said:
        client.apply(case.resource)
        return
    assert risks[0]["rows"] == case.rows
    for risk in risks:
        assert any(risk["message"] in warning for warning in plan["warnings"])
    error = client.refused("Apply", {"resources": [case.resource]})
    assert isinstance(error, OperationError)
    assert error.code == "data_validation"
    assert [problem.message for problem in error.problems] == [risk["message"] for risk in risks]
    for risk in risks:
        assert risk["message"] in error.message
    assert error.details["offenders"][0] == case.rows
    assert target.dump(settings) == before


def test_update_and_create_are_refused_alike(target: Target, settings: Settings, client: Client) -> None:
    target.execute(settings, ROWS)
    before = target.dump(settings)
    change = {key: value for key, value in customers(email={"not_null": True}).items() if key != "action"}
    assert client.refused("UpdateResource", change).code == "data_validation"
    index = {key: value for key, value in CASES["unique index"].resource.items() if key != "action"}
    assert client.refused("CreateResource", index).code == "data_validation"
    assert target.dump(settings) == before


def test_rows_that_fit_are_in_nobodys_way(target: Target, settings: Settings, client: Client) -> None:
    target.execute(
        settings,
        f"{ROWS} UPDATE customers SET email = {target.joined.format(LETTER, 'id')}, age = 20;"
        "DELETE FROM orders WHERE customer > 70;",
    )
    resources = (
        customers(email={"not_null": True, "unique": True}, age={"check": "age > 1"}),
        table("orders", ID, column("customer", references="customers(id)"), column("region", "varchar(9)")),
    )
    plan = client.plan(*resources, detail=True)
    assert may_fail(plan) == []
    cleared = " ".join(message for step in plan["steps"] for message in step.get("cleared", ()))
    assert "email" in cleared, "what was counted and not found is told to policies"
    client.apply(*resources)
    assert client.plan(*resources)["execution_order"] == []


def test_names_that_change_in_the_same_plan(target: Target, settings: Settings, client: Client) -> None:
    target.execute(settings, ROWS)
    resource = table(
        "clients",
        {**ID, "name": "number", "renamed_from": "id"},
        column("mail", "varchar(50)", not_null=True, renamed_from="email"),
        column("city", "varchar(50)"),
        column("age"),
        column("level", default="5"),
        renamed_from="customers",
        checks=[{"name": "levels", "expression": "level > age"}],
        uniques=[{"columns": ["mail"]}],
    )
    plan = client.plan(resource, detail=True)
    assert sorted(risk["message"] for risk in may_fail(plan)) == [
        "2 rows of clients break levels (level > age) (number 13, 14)",
        "2 rows of clients have the same mail as another (mail 'a')",
        "3 rows of clients have no mail (number 4, 9, 12)",
    ]
    assert client.refused("Apply", {"resources": [resource]}).code == "data_validation"


def test_a_parent_that_the_plan_makes_has_no_rows(target: Target, settings: Settings, client: Client) -> None:
    target.execute(settings, ROWS)
    regions = table("regions", column("code", "varchar(9)", primary_key=True))
    orders = table(
        "orders", ID, column("customer"), column("region", "varchar(9)", references="regions(code)")
    )
    plan = client.plan(regions, orders, detail=True)
    assert [risk["message"] for risk in may_fail(plan)] == [
        "4 rows of orders have a region that regions(code) lacks (id 1, 2, 3, ...)"
    ]


def test_what_sounds_secret_is_not_shown(target: Target, settings: Settings, client: Client) -> None:
    target.execute(
        settings,
        "CREATE TABLE vault (api_key varchar(20) PRIMARY KEY, password varchar(20), note text);"
        "INSERT INTO vault VALUES ('k3y-one', 'hunter2', NULL), ('k3y-two', 'hunter2', NULL);"
        "CREATE TABLE plain (token text, password text, note text);"
        "INSERT INTO plain VALUES ('t0ken', 'hunter2', NULL);",
    )
    vault = table(
        "vault",
        column("api_key", "varchar(20)", primary_key=True),
        column("password", "varchar(20)", unique=True),
        column("note", "text", not_null=True),
    )
    plain = table(
        "plain", column("token", "text"), column("password", "text"), column("note", "text", not_null=True)
    )
    plan = client.plan(vault, plain, detail=True)
    risks = may_fail(plan)
    assert sorted(risk["message"] for risk in risks) == [
        "1 row of plain has no note",
        "2 rows of vault have no note",
        "2 rows of vault have the same password as another",
    ]
    assert all("keys" not in risk["rows"] for risk in risks)
    error = client.refused("Apply", {"resources": [vault, plain]})
    for secret in ("hunter2", "k3y", "t0ken"):
        assert secret not in f"{plan} {error} {error.details}"


def test_apply_looks_again(target: Target, settings: Settings, client: Client) -> None:
    target.execute(settings, f"{ROWS} UPDATE customers SET email = {target.joined.format(LETTER, 'id')};")
    resource = customers(email={"not_null": True})
    plan = client.plan(resource, detail=True)
    assert may_fail(plan) == []
    target.execute(settings, "INSERT INTO customers VALUES (99, NULL, 'Rome', 1);")
    before = target.dump(settings)
    request = {"resources": [resource], "options": {"fingerprint": plan["fingerprint"]}}
    error = client.refused("Apply", request)
    assert error.code == "data_validation"
    assert "1 row of customers has no email (id 99)" in error.message
    assert target.dump(settings) == before
    target.execute(settings, "DELETE FROM customers WHERE id = 99;")
    client.apply(resource, fingerprint=plan["fingerprint"])


def test_a_transaction_stays_usable_after_a_refusal(
    target: Target, settings: Settings, client: Client
) -> None:
    if not target.transactional:
        pytest.skip("changes of structure commit by themselves")
    target.execute(settings, ROWS)
    client.done("BeginTransaction")
    client.apply(table("extra", ID))
    resource = customers(email={"not_null": True})
    assert may_fail(client.plan(resource, detail=True)) != []
    assert client.refused("Apply", {"resources": [resource]}).code == "data_validation"
    client.apply(table("extra", ID, column("more")))
    client.done("CommitTransaction")
    assert client.plan(table("extra", ID, column("more")))["execution_order"] == []


def test_counting_that_takes_too_long_is_given_up(
    target: Target, settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    if target.remote:
        pytest.skip("the time is shortened in this process")
    part = target.slow(settings, target.execute)["config"]["columns"][0]
    expression = part if isinstance(part, str) else part["expression"]
    found = client.done("DiscoverResources", {"resource_type": "table", "filters": {"name": "heavy"}})
    config = {key: value for key, value in found["resources"][0]["config"].items() if key != "statement"}
    monkeypatch.setattr(validation, "SECONDS", 0.3)
    check = {"name": "slow", "expression": f"{expression} IS NOT NULL"}
    resource = wanted("table", "heavy", {**config, "checks": [check]})
    plan = client.plan(resource, detail=True)
    (risk,) = may_fail(plan)
    assert risk["message"].startswith("fails if a row of table heavy does not satisfy")
    assert risk["message"].endswith("; not counted: it took longer than 0.3 s")
    assert "rows" not in risk


def test_what_cannot_be_asked_is_said(target: Target, settings: Settings, client: Client) -> None:
    target.execute(settings, ROWS)
    resource = table(
        "customers", *CUSTOMER, checks=[{"name": "odd", "expression": "no_such_function(age) > 1"}]
    )
    (risk,) = may_fail(client.plan(resource, detail=True))
    assert "; not counted: " in risk["message"]
    assert "no_such_function" in risk["message"].partition("; not counted: ")[2]
    answer = client.call("Apply", {"resources": [resource]})
    assert answer["success"] is False
