"""Steps of a plan say about how many rows their table has (extension `PlanStep.rows`)."""

from __future__ import annotations

from tests.client import Client, wanted
from tests.targets import Settings, Target

COLUMNS = {"id": {"type": "integer", "primary_key": True}, "n": {"type": "integer"}}
MORE = {**COLUMNS, "m": {"type": "integer"}}


def _table(name: str, action: str, columns: object = COLUMNS, **more: object) -> object:
    return wanted("table", name, {"name": name, "columns": columns, **more}, action)


def _rows(client: Client, *resources: object) -> dict[str, set[int | None]]:
    plan = client.plan(*resources, detail=True)
    found: dict[str, set[int | None]] = {}
    for step in plan["steps"]:
        for name in (f"{step['resource_type']} {step['name']}", *step.get("along", ())):
            found.setdefault(name, set()).add(step.get("rows"))
    return found


def test_rows_of_tables_old_and_new(target: Target, settings: Settings, client: Client) -> None:
    client.apply(_table("filled", "create"), _table("vacant", "create"))
    values = ", ".join(f"({at}, {at})" for at in range(40))
    target.execute(settings, f"INSERT INTO filled VALUES {values}")
    for name in ("filled", "vacant"):
        target.execute(settings, target.analyze.format(name))
    found = _rows(
        client,
        _table("renamed", "create", MORE, renamed_from="filled"),
        _table("vacant", "update", MORE),
        _table("new", "create"),
        wanted("index", "i", {"name": "i", "table": "new", "columns": ["n"]}, "create"),
        wanted("index", "j", {"name": "j", "table": "renamed", "columns": ["n"]}, "create"),
    )
    assert found == {
        "table renamed": {40},
        "index j": {40},
        "table vacant": {0},
        "table new": {0},
        "index i": {0},
    }


def test_the_rows_of_a_plan_are_no_part_of_its_fingerprint(
    target: Target, settings: Settings, client: Client
) -> None:
    client.apply(_table("t", "create"))
    asked = [_table("t", "update", MORE)]
    before = client.plan(*asked, detail=True)
    target.execute(settings, "INSERT INTO t VALUES (1, 1)")
    target.execute(settings, target.analyze.format("t"))
    after = client.plan(*asked, detail=True)
    assert before["fingerprint"] == after["fingerprint"]
    assert [step.get("rows") for step in before["steps"]] != [step.get("rows") for step in after["steps"]]
