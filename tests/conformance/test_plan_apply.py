"""Plan and Apply: the same code, in the order of dependencies, whole or not at all (spec 3.2, 5.2)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kolumn.contract.errors import OperationError, StateError, ValidationError
from tests.client import Client, wanted
from tests.targets import Sample, Settings, Target


def all_of(target: Target, *, changed: bool = False, action: str = "create") -> list[Any]:
    return [
        wanted(
            each.type, each.name, each.changed if changed else each.config, "update" if changed else action
        )
        for each in target.samples
    ]


def label(sample: Sample) -> str:
    return f"{sample.type} {sample.name}"


def adds_up(answer: Mapping[str, Any]) -> bool:
    return bool(sum(answer["summary"].values()) == len(answer["results"]))


def test_plan_apply_plan(target: Target, settings: Settings, client: Client) -> None:
    empty = target.dump(settings)
    plan = client.plan(*all_of(target))
    assert target.dump(settings) == empty, "a plan changes nothing"
    assert (
        {"success", "execution_order", "resources"}
        <= set(plan)
        <= {"success", "execution_order", "resources", "warnings"}
    )
    assert sorted(plan["execution_order"]) == sorted(map(label, target.samples))
    for planned in plan["resources"]:
        assert planned["action"] == "create"
        assert planned["changes"]
        for change in planned["changes"].values():
            assert set(change) <= {"before", "after"}
            assert change.get("before") in (None, False, "", [], {}, 0)
    applied = client.apply(*all_of(target))
    assert set(applied) == {"success", "results", "summary"}
    assert applied["summary"] == {
        "created": len(target.samples),
        "updated": 0,
        "deleted": 0,
        "unchanged": 0,
        "failed": 0,
    }
    assert [f"{each['resource_type']} {each['name']}" for each in applied["results"]] == plan[
        "execution_order"
    ]
    for result in applied["results"]:
        assert set(result) == {"resource_type", "name", "action", "success", "state"}
    after = target.dump(settings)
    assert after != empty
    for resources in (all_of(target), all_of(target, action="update"), all_of(target)[::-1]):
        again = client.plan(*resources)
        assert again["execution_order"] == []
        assert {each["action"] for each in again["resources"]} == {"unchanged"}
        applied = client.apply(*resources)
        assert applied["summary"]["unchanged"] == len(target.samples)
        assert adds_up(applied)
    assert target.dump(settings) == after


def test_changes_name_attribute_before_and_after(target: Target, client: Client) -> None:
    client.apply(*all_of(target))
    plan = client.plan(*all_of(target, changed=True))
    assert sorted(plan["execution_order"]) == sorted(label(each) for each in target.samples if each.changes)
    for planned in plan["resources"]:
        if planned["action"] == "unchanged":
            continue
        assert planned["action"] == "update"
        assert planned["changes"], planned
        for path, change in planned["changes"].items():
            assert change.get("before") != change.get("after"), path
    table = next(each for each in plan["resources"] if each["name"] == target.samples[0].name)
    added = {each["name"] for each in target.samples[0].changed["columns"]} - {
        each["name"] for each in target.samples[0].config["columns"]
    }
    assert any(name in path for name in added for path in table["changes"])
    applied = client.apply(*all_of(target, changed=True))
    assert applied["summary"]["updated"] == sum(each.changes for each in target.samples)
    assert client.plan(*all_of(target, changed=True))["execution_order"] == []


def test_the_way_there_does_not_matter(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client], tmp_path: Any
) -> None:
    client.apply(*all_of(target))
    client.apply(*all_of(target, changed=True))
    with target.fresh(tmp_path / "other") as others:
        connect(others).apply(*all_of(target, changed=True))
        assert sorted(target.dump(settings)) == sorted(target.dump(others))


def test_everything_changes_back(target: Target, client: Client) -> None:
    client.apply(*all_of(target))
    client.apply(*all_of(target, changed=True))
    client.apply(*all_of(target))
    assert client.plan(*all_of(target))["execution_order"] == []


def test_steps_are_told_on_request(target: Target, client: Client) -> None:
    assert "steps" not in client.plan(*all_of(target))
    plan = client.plan(*all_of(target), detail=True)
    assert [step["order"] for step in plan["steps"]] == list(range(1, len(plan["steps"]) + 1))
    told = [
        name
        for step in plan["steps"]
        for name in (f"{step['resource_type']} {step['name']}", *step.get("along", ()))
    ]
    assert list(dict.fromkeys(told)) == plan["execution_order"]
    for step in plan["steps"]:
        assert step["description"]
        assert step["sql"]
    applied = client.apply(*all_of(target), detail=True)
    assert [step["description"] for step in applied["steps"]] == [
        step["description"] for step in plan["steps"]
    ]
    assert all(isinstance(step["duration"], int) for step in applied["steps"])
    assert applied["state"] == client.done("GetState")["state"]


def respects(order: list[str], samples: Iterable[Sample], *, down: bool = False) -> bool:
    places = {name: at for at, name in enumerate(order)}
    return all(
        (places[label(needed)] < places[label(sample)]) is not down
        for sample in samples
        for needed in sample.uses
        if label(needed) in places and label(sample) in places
    )


def test_order_follows_dependencies_whatever_the_request(
    target: Target, settings: Settings, client: Client
) -> None:
    resources = all_of(target)
    orders = set()
    dice = random.Random(7)
    for _ in range(8):
        dice.shuffle(resources)
        plan = client.plan(*resources)
        orders.add(tuple(plan["execution_order"]))
        for planned in plan["resources"]:
            sample = next(each for each in target.samples if each.name == planned["name"])
            assert {label(each) for each in sample.uses} <= set(planned.get("dependencies", []))
    assert len(orders) == 1, "a plan is deterministic"
    (order,) = orders
    assert respects(list(order), target.samples)
    client.apply(*resources)
    deletes = [wanted(each.type, each.name, {}, "delete") for each in target.samples]
    for _ in range(4):
        dice.shuffle(deletes)
        plan = client.plan(*deletes)
        assert respects(plan["execution_order"], target.samples, down=True)
    empty = client.apply(*deletes)
    assert empty["summary"]["deleted"] == len(target.samples)
    assert adds_up(empty)
    assert client.done("DiscoverResources", {"resource_type": ""})["resources"] == []


def test_depends_on_is_followed(target: Target, client: Client) -> None:
    table = target.samples[0]
    names = ["m", "z", "a", "k"]
    resources = [
        wanted(
            table.type, name, {**table.config, "name": name}, depends_on=[f"table {before}"] if before else []
        )
        for before, name in itertools.pairwise(["", *names])
    ]
    assert client.plan(*resources)["execution_order"] == [f"table {name}" for name in names]


def test_a_cycle_is_named(target: Target, settings: Settings, client: Client) -> None:
    before = target.dump(settings)
    for function in ("Plan", "Apply"):
        error = client.refused(function, {"resources": list(target.cycle)})
        assert isinstance(error, ValidationError)
        assert "cycle" in error.code
        for resource in target.cycle:
            assert resource["name"] in str(error)
    assert target.dump(settings) == before


def test_one_failure_leaves_nothing_half_done(target: Target, settings: Settings, client: Client) -> None:
    target.execute(settings, target.failing.script)
    before = target.dump(settings)
    resources = list(target.failing.resources)
    answer = client.call("Apply", {"resources": resources})
    assert answer["success"] is False
    assert answer["error"]
    assert [each["name"] for each in answer["results"]] == [each["name"] for each in resources]
    assert [each["success"] for each in answer["results"]] == [False, False, False]
    by_name = {each["name"]: each for each in answer["results"]}
    assert target.failing.culprit in by_name[resources[0]["name"]]["error"]
    assert target.failing.culprit in by_name[resources[2]["name"]]["error"]
    assert answer["summary"] == {"created": 0, "updated": 0, "deleted": 0, "unchanged": 0, "failed": 3}
    assert target.dump(settings) == before
    assert client.done("GetState")["state"]["resources"] == []
    alone = client.refused(
        "CreateResource", {key: resources[1][key] for key in ("resource_type", "name", "config")}
    )
    assert isinstance(alone, OperationError)
    assert target.dump(settings) == before
    others = client.apply(resources[0], {**resources[2], "depends_on": []})
    assert others["summary"]["created"] == 2


def test_what_would_be_lost_is_kept_unless_that_is_turned_off(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    client.apply(*all_of(target))
    table = target.samples[0]
    fewer = {**table.config, "columns": list(table.config["columns"])[:-1]}
    careful = {name: value for name, value in settings.items() if name != "safe_destroy"}
    for wary in (connect(careful), connect({**settings, "safe_destroy": True})):
        plan = wary.plan(wanted(table.type, table.name, fewer), detail=True)
        assert any("quarantine" in step["description"] for step in plan["steps"])
        assert not any("data_loss" in str(step.get("risks")) for step in plan["steps"])
    plan = client.plan(wanted(table.type, table.name, fewer), detail=True)
    assert not any("quarantine" in step["description"] for step in plan["steps"])
    assert any("data_loss" in str(step.get("risks")) for step in plan["steps"])
    before = target.dump(settings)
    client.apply(wanted(table.type, table.name, fewer))
    assert target.dump(settings) != before


def test_what_exists_is_adopted(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    resources = all_of(target)
    client.apply(*resources)
    before = target.dump(settings)
    newcomer = connect(settings)
    assert newcomer.done("GetState")["state"]["resources"] == []
    plan = newcomer.plan(*resources)
    assert plan["execution_order"] == []
    for sample in target.samples:
        assert any(sample.identity in warning and "adopt" in warning for warning in plan["warnings"]), (
            sample.name
        )
    applied = newcomer.apply(*resources)
    assert applied["summary"]["unchanged"] == len(resources)
    assert target.dump(settings) == before
    held = newcomer.done("GetState")["state"]["resources"]
    assert sorted(each["name"] for each in held) == sorted(each["name"] for each in resources)
    assert "warnings" not in newcomer.plan(*resources)


def test_adoption_changes_only_what_differs(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    table = target.samples[0]
    client.apply(wanted(table.type, table.name, table.config))
    newcomer = connect(settings)
    more = {**table.config, "columns": [*table.config["columns"], dict(target.column)]}
    plan = newcomer.plan(wanted(table.type, table.name, more))
    assert [each["action"] for each in plan["resources"]] == ["update"]
    assert any("adopt" in warning for warning in plan["warnings"])
    newcomer.apply(wanted(table.type, table.name, more))
    assert newcomer.plan(wanted(table.type, table.name, more))["execution_order"] == []


def test_ignored_changes_are_left_alone(target: Target, settings: Settings, client: Client) -> None:
    table = target.samples[0]
    client.apply(wanted(table.type, table.name, table.config))
    before = target.dump(settings)
    different = wanted(table.type, table.name, table.changed, ignore_changes=["all"])
    assert client.plan(different)["execution_order"] == []
    client.apply(different)
    assert target.dump(settings) == before


def test_a_rename_that_is_said_is_no_drop(target: Target, settings: Settings, client: Client) -> None:
    table = target.samples[0]
    client.apply(wanted(table.type, table.name, table.config))
    plan = client.plan(wanted(table.type, table.name, target.renamed), detail=True)
    assert not any(risk["kind"] == "data_loss" for step in plan["steps"] for risk in step.get("risks", []))
    client.apply(wanted(table.type, table.name, target.renamed))
    assert client.plan(wanted(table.type, table.name, target.renamed))["execution_order"] == []
    whole = {**target.renamed, "name": "someone", "renamed_from": table.name}
    plan = client.plan(wanted(table.type, table.name, whole), detail=True)
    assert not any(risk["kind"] == "data_loss" for step in plan["steps"] for risk in step.get("risks", []))
    client.apply(wanted(table.type, table.name, whole))
    found = client.done("DiscoverResources", {"resource_type": table.type})["resources"]
    assert [each["name"] for each in found] == ["someone"]


def test_a_stale_plan_is_refused(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    table = target.samples[0]
    client.apply(wanted(table.type, table.name, table.config))
    resource = wanted(table.type, table.name, table.changed)
    fingerprint = client.plan(resource, detail=True)["fingerprint"]
    assert fingerprint
    assert client.plan(resource, detail=True)["fingerprint"] == fingerprint
    more = {**table.config, "columns": [*table.config["columns"], dict(target.column)]}
    connect(settings).apply(wanted(table.type, table.name, more))
    before = target.dump(settings)
    error = client.refused("Apply", {"resources": [resource], "options": {"fingerprint": fingerprint}})
    assert isinstance(error, StateError)
    assert error.code == "stale_plan"
    assert target.dump(settings) == before
    renewed = client.plan(resource, detail=True)["fingerprint"]
    assert renewed != fingerprint
    client.apply(resource, fingerprint=renewed)


def test_the_same_resource_twice_is_refused(target: Target, settings: Settings, client: Client) -> None:
    table = target.samples[0]
    before = target.dump(settings)
    for resources in (
        [wanted(table.type, table.name, table.config)] * 2,
        [wanted(table.type, "one", table.config), wanted(table.type, "two", table.config)],
    ):
        error = client.refused("Apply", {"resources": resources})
        assert isinstance(error, ValidationError)
        assert error.code.startswith("duplicate")
    assert target.dump(settings) == before
