"""Create, read, update, delete and discover, for every resource type (spec 3.2, 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kolumn.contract.errors import OperationError, ValidationError
from tests.client import Client, wanted
from tests.targets import RUNS, Sample, Settings, Target

CASES = [
    pytest.param(target, sample, id=f"{name}-{sample.type}-{sample.name}")
    for name, target in RUNS.items()
    for sample in target.samples
]


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


def key(sample: Sample) -> dict[str, str]:
    return {"resource_type": sample.type, "name": sample.name}


def create(client: Client, sample: Sample) -> Any:
    return client.done("CreateResource", {**key(sample), "config": dict(sample.config)})


def defaults(client: Client, sample: Sample) -> dict[str, Any]:
    """Return what holds of a resource where its configuration is silent."""
    (definition,) = (each for each in client.provider.schema().resource_types if each.name == sample.type)
    return {name: each.default for name, each in definition.config_schema.attributes.items()}


def says(state: Mapping[str, Any], config: Mapping[str, Any], worded: frozenset[str] = frozenset()) -> bool:
    """Whether a state says at least what a configuration asks for, entries of lists by place.

    Texts in `worded` need only be there: the database spells them in its own way.
    """

    def within(have: Any, want: Any) -> bool:
        if isinstance(want, Mapping):
            if isinstance(have, str):  # the short form of an entry that says one thing only
                return list(want.values()) == [have]
            return isinstance(have, Mapping) and all(
                within(have.get(name), each) or (name in worded and bool(have.get(name)) == bool(each))
                for name, each in want.items()
            )
        if isinstance(want, list | tuple):
            if isinstance(have, Mapping):
                have = [{"name": name, **each} for name, each in have.items()]
            return isinstance(have, list) and len(have) == len(want) and all(map(within, have, want))
        if isinstance(have, Mapping):
            return want in have.values()
        return bool(have == want) or str(have) == str(want) or (have is None and not want)

    return within({name: state.get(name) for name in config}, config)


@pytest.mark.parametrize(("target", "sample"), CASES, indirect=["sample"])
def test_life_of_a_resource(target: Target, sample: Sample, settings: Settings, client: Client) -> None:
    silent = defaults(client, sample)
    for needed in sample.needs:
        create(client, needed)
    before = target.dump(settings)
    assert client.done("ReadResource", key(sample)) == {"success": True, "exists": False}

    created = create(client, sample)
    assert set(created) == {"success", "resource_id", "state"}
    assert sample.identity in created["resource_id"]
    read = client.done("ReadResource", key(sample))
    assert set(read) == {"success", "exists", "state"}
    assert read["exists"] is True
    assert read["state"] == created["state"]
    assert read["state"]["identity"] == created["resource_id"]
    assert says({**silent, **read["state"]}, sample.config, target.worded), read["state"]

    found = client.done(
        "DiscoverResources", {"resource_type": sample.type, "filters": {"name": sample.identity}}
    )
    assert [each["name"] for each in found["resources"]] == [created["resource_id"]]
    (only,) = found["resources"]
    assert set(only) == {"type", "name", "config", "state"}
    assert only["type"] == sample.type
    assert client.plan(wanted(sample.type, sample.name, only["config"]))["execution_order"] == []
    everything = client.done("DiscoverResources", {"resource_type": ""})["resources"]
    assert (only in everything) is sample.listed
    assert len(everything) == sum(each.listed for each in (sample, *sample.needs))

    again = client.refused("CreateResource", {**key(sample), "config": dict(sample.config)})
    assert isinstance(again, OperationError)
    assert again.code == "already_exists"

    updated = client.done(
        "UpdateResource", {**key(sample), "config": dict(sample.changed), "prior_state": read["state"]}
    )
    assert set(updated) == {"success", "state"}
    assert says({**silent, **updated["state"]}, sample.changed, target.worded), updated["state"]
    assert (updated["state"]["digest"] != created["state"]["digest"]) is sample.changes
    assert client.done("ReadResource", key(sample))["state"] == updated["state"]
    client.done("UpdateResource", {**key(sample), "config": dict(sample.config)})
    if sample.impossible is not None:
        stands = target.dump(settings)
        refused = client.refused("UpdateResource", {**key(sample), "config": dict(sample.impossible)})
        assert isinstance(refused, ValidationError)
        assert target.dump(settings) == stands
    assert says({**silent, **client.done("ReadResource", key(sample))["state"]}, sample.config, target.worded)

    deleted = client.done("DeleteResource", {**key(sample), "state": updated["state"]})
    assert set(deleted) == {"success", "before_state"}
    assert says({**silent, **deleted["before_state"]}, sample.config, target.worded)
    assert target.dump(settings) == before
    assert client.done("ReadResource", key(sample)) == {"success": True, "exists": False}
    calls: dict[str, Any] = {
        "DeleteResource": key(sample),
        "UpdateResource": {**key(sample), "config": dict(sample.config)},
    }
    for function, request in calls.items():
        gone = client.refused(function, request)
        assert isinstance(gone, OperationError)
        assert gone.code == "not_found"
    assert target.dump(settings) == before


@pytest.mark.parametrize(("target", "sample"), CASES, indirect=["sample"])
def test_what_others_made_is_read_alike(
    target: Target, sample: Sample, settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    for each in (*sample.needs, sample):
        create(client, each)
    stranger = connect(settings).done("ReadResource", {"resource_type": sample.type, "name": sample.identity})
    assert stranger == client.done("ReadResource", key(sample))


def test_discovery_has_an_order_and_filters(target: Target, client: Client) -> None:
    for sample in target.samples:
        create(client, sample)
    everything = client.done("DiscoverResources", {"resource_type": ""})["resources"]
    assert [(each["type"], each["name"]) for each in everything] == sorted(
        (each["type"], each["name"]) for each in everything
    )
    by_type = [
        each
        for name in sorted({each["type"] for each in everything})
        for each in client.done("DiscoverResources", {"resource_type": name})["resources"]
    ]
    assert [each for each in by_type if each in everything] == everything
    aside = {(each["type"], each["name"]) for each in by_type if each not in everything}
    assert not aside & {(each.type, each.identity) for each in target.samples}
    names = [sample.name for sample in target.samples[:2]]
    chosen = client.done("DiscoverResources", {"resource_type": "", "filters": {"name": names}})["resources"]
    assert len(chosen) == 2
    assert (
        client.done("DiscoverResources", {"resource_type": "", "filters": {"name": "no*thing"}})["resources"]
        == []
    )
    client.refused("DiscoverResources", {"resource_type": "", "filters": {"nmae": "x"}})
    client.refused("DiscoverResources", {"resource_type": "", "filters": {"name": 7}})
