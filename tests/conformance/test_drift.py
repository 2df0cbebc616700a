"""DetectDrift (spec 3.3.1): all that was changed by others is found, and nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from kolumn.contract.errors import ValidationError
from kolumn.contract.masking import REDACTED
from tests.client import Client, wanted
from tests.command import SOAK
from tests.drift.tampering import Place, Tampering, together
from tests.targets import RUNS, Sample, Settings, Target

CASES = [
    pytest.param(target, sample, id=f"{name}-{sample.type}-{sample.name}")
    for name, target in RUNS.items()
    for sample in target.samples
    if sample.changes
]


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


def all_of(target: Target, changed: Sample | None = None) -> list[Any]:
    return [
        wanted(each.type, each.name, each.changed if each is changed else each.config)
        for each in target.samples
    ]


def findings(client: Client, **request: Any) -> list[Any]:
    found: list[Any] = client.done("DetectDrift", request)["findings"]
    return found


def places(found: Iterable[Mapping[str, Any]]) -> set[Place]:
    return {(each["resource_type"], each["name"], each.get("attribute", "")) for each in found}


def test_what_was_applied_has_not_drifted(target: Target, client: Client) -> None:
    client.apply(*all_of(target))
    answer = client.done("DetectDrift")
    assert set(answer) == {"success", "drifted", "findings", "checked", "checked_at"}
    assert (answer["drifted"], answer["findings"], answer["checked"]) == (False, [], len(target.samples))
    client.apply(*(wanted(each.type, each.name, each.changed) for each in target.samples))
    assert findings(client) == []


def test_what_was_created_one_by_one_has_not_drifted(target: Target, client: Client) -> None:
    for each in target.samples:
        client.done("CreateResource", {"resource_type": each.type, "name": each.name, "config": each.config})
    assert findings(client) == []


def test_nothing_has_drifted_in_another_process(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    client.apply(*all_of(target))
    successor = connect(settings)
    successor.done("SetState", {"state": client.done("GetState")["state"]})
    assert findings(successor) == []


@pytest.mark.parametrize(("target", "sample"), CASES, indirect=["sample"])
def test_what_a_colleague_changed_is_found(
    target: Target, sample: Sample, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    """The colleague has the same state, so that nothing but the one resource changes."""
    client.apply(*all_of(target))
    colleague = connect(settings)
    colleague.done("SetState", {"state": client.done("GetState")["state"]})
    colleague.apply(*all_of(target, sample))
    found = findings(client)
    assert {(each["resource_type"], each["name"]) for each in found} == {(sample.type, sample.name)}
    plan = client.plan(wanted(sample.type, sample.name, sample.config))["resources"][0]
    told = {each["attribute"] for each in found}
    keys = {*sample.config, *sample.changed}
    changed = {key for key in keys if (sample.config.get(key) or None) != (sample.changed.get(key) or None)}
    assert changed <= {path.partition(".")[0] for path in told}
    assert all(any(_about(path, other) for other in plan["changes"]) for path in told), (plan, told)
    for each in found:
        secret = each.get("state_value") == REDACTED
        assert secret or each.get("state_value") != each.get("live_value")
        assert each["severity"] in ("info", "warning", "error")
        assert (each["kind"] == "added") == ("state_value" not in each)
        assert (each["kind"] == "removed") == ("live_value" not in each)
    colleague.apply(*all_of(target))
    assert findings(client) == []


def _about(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


@pytest.mark.parametrize(("target", "sample"), CASES, indirect=["sample"])
def test_what_is_gone_is_an_error(
    target: Target, sample: Sample, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    for each in (*sample.needs, sample):
        client.apply(wanted(each.type, each.name, each.config))
    stranger = connect(settings)
    stranger.done("DeleteResource", {"resource_type": sample.type, "name": sample.identity})
    found = findings(client)
    assert places(found) == {(sample.type, sample.name, "")}
    assert found[0] == {
        "resource_type": sample.type,
        "name": sample.name,
        "kind": "removed",
        "severity": "error",
    }


def test_filters(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    client.apply(*all_of(target))
    table = target.samples[0]
    stranger = connect(settings)
    more = {**table.config, "columns": [*table.config["columns"], dict(target.column)]}
    stranger.apply(wanted(table.type, table.name, more))
    stranger.apply(wanted("table", "unknown", {"name": "unknown", "columns": [dict(target.column)]}))
    place = {(table.type, table.name, f"columns.{target.column['name']}")}
    assert places(findings(client)) == place
    assert places(findings(client, names=[table.name[:2] + "*"])) == place
    assert findings(client, names=["no*thing"]) == []
    assert findings(client, resource_types=["index"]) == []
    assert places(findings(client, resource_types=["table"])) == place
    assert findings(client, schemas=["no*thing"]) == []
    assert findings(client, least_severity="error") == []
    assert places(findings(client, least_severity="warning")) == place
    unmanaged = [each for each in findings(client, include_unmanaged=True) if each["kind"] == "unmanaged"]
    assert {each["severity"] for each in unmanaged} == {"info"}
    assert places(unmanaged) >= {("table", "unknown", "")}
    assert all("unknown" in each["name"] for each in unmanaged), "nothing that was there before"
    only = findings(client, include_unmanaged=True, names=["unknown"], resource_types=["table"])
    assert places(only) == {("table", "unknown", "")}
    checked = client.done("DetectDrift", {"resource_types": ["table"]})["checked"]
    assert checked == sum(each.type == "table" for each in target.samples)
    for request in ({"resource_types": ["nonsense"]}, {"least_severity": "much"}, {"names": "x"}):
        assert isinstance(client.refused("DetectDrift", request), ValidationError)


def test_a_state_from_before_it_remembered_what_was_live(
    target: Target, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    """It is compared with the configuration then, in the database's normal form: a spelling is no drift."""
    client.apply(*all_of(target))
    state = client.done("GetState")["state"]
    for each in state["resources"]:
        each["state"] = {"identity": each["state"]["identity"], "digest": "0" * 32}
    old = connect(settings)
    old.done("SetState", {"state": state})
    assert findings(old) == []
    table = target.samples[0]
    more = {**table.config, "columns": [*table.config["columns"], dict(target.column)]}
    connect(settings).apply(wanted(table.type, table.name, more))
    assert places(findings(old)) == {(table.type, table.name, f"columns.{target.column['name']}")}


def tamperings(target: Target) -> tuple[Any, list[Tampering]]:
    module = importlib.import_module(f"tests.drift.{target.tampered or target.provider}")
    name = next(name for name, each in RUNS.items() if each is target)
    version = int(name.removesuffix("-rpc").partition("-")[2] or 99)
    return module, [each for each in module.tamperings() if each.since <= version]


def sampled(rounds: list[list[Tampering]], target: Target) -> list[list[Tampering]]:
    """Return all rounds; for a further server of one provider a sample outside a soak run, the first ones among it."""
    name = next(name for name, each in RUNS.items() if each is target).removesuffix("-rpc")
    return rounds if SOAK or name == target.provider else [*rounds[:3], *rounds[3::3]]


def test_whatever_is_tampered_with_is_found_and_nothing_else(
    target: Target, tmp_path: Any, connect: Callable[[Settings], Client]
) -> None:
    """Rounds of changes by SQL: exactly they are found, and the plan back leaves nothing of them."""
    module, ways = tamperings(target)
    assert len(ways) >= (250 if target.provider == "postgres" else 50)
    with target.fresh(tmp_path / "database") as settings:
        target.execute(settings, module.BEFORE)
        client = connect(settings)
        resources = [*all_of(target), *module.RESOURCES]
        client.apply(*resources)
        assert findings(client) == []
        wrong = []
        for group in sampled(together(ways, module.BOUND), target):
            for each in group:
                target.execute(settings, each.script)
            found = places(findings(client))
            expected = {place for each in group for place in each.found}
            if found != expected:
                wrong.append((sorted(found - expected), sorted(expected - found)))
            client.apply(*resources, restore=True)
            left = findings(client)
            assert left == [], ([each.script for each in group], left)
        assert wrong == []


def test_every_attribute_of_every_type_is_tampered_with(target: Target) -> None:
    module = importlib.import_module(f"tests.drift.{target.tampered or target.provider}")
    ways = list(module.tamperings())
    tried = {f"{type_}.{path.split('.')[0]}" for way in ways for type_, _, path in way.found if path}
    samples = {
        f"{each.type}.{key}"
        for each in target.samples
        for key in {*each.config, *each.changed}
        if each.config.get(key) != each.changed.get(key)
    }
    declared = {
        f"{each.name}.{attribute}"
        for each in target.open().schema().resource_types
        for attribute in each.config_schema.attributes
    }
    excused = {
        each
        for each in declared
        if each in module.NOT_CHANGED or f"*.{each.partition('.')[2]}" in module.NOT_CHANGED
    }
    assert declared - tried - samples - excused == set()
