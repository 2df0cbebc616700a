"""GetState and SetState (spec 5.3, 8)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from kolumn.contract.errors import StateError, ValidationError
from tests.client import Client, wanted
from tests.targets import Settings, Target


@pytest.fixture
def state(target: Target, client: Client) -> Any:
    """The state after every sample has been applied."""
    client.apply(*(wanted(each.type, each.name, each.config) for each in target.samples))
    return client.done("GetState")["state"]


def test_state_has_the_shape_of_the_specification(target: Target, state: Any) -> None:
    assert set(state) == {"version", "provider", "resources", "metadata", "updated_at"}
    assert state["version"] == "1.0.0"
    assert state["provider"] == target.provider
    assert isinstance(state["metadata"]["lineage"], str)
    assert state["metadata"]["serial"] == 1
    assert len(state["resources"]) == len(target.samples)
    for each in state["resources"]:
        assert set(each) <= {
            *("type", "name", "provider", "status", "config", "state", "metadata"),
            "created_at",
            "updated_at",
        }
        assert each["type"].removeprefix(f"{target.provider}_") in {sample.type for sample in target.samples}
        assert each["type"].startswith(f"{target.provider}_")
        assert each["provider"] == target.provider
        assert each["status"] == "active"
        assert each["config"]
        assert datetime.fromisoformat(each["created_at"]) <= datetime.fromisoformat(each["updated_at"])
        assert each["updated_at"].endswith("Z")


def test_state_goes_on_in_another_process(
    target: Target, settings: Settings, client: Client, state: Any, connect: Callable[[Settings], Client]
) -> None:
    successor = connect(settings)
    assert successor.done("SetState", {"state": state}) == {"success": True}
    taken = successor.done("GetState")["state"]
    assert {**taken, "updated_at": ""} == {**state, "updated_at": ""}
    resources = [wanted(each.type, each.name, each.config) for each in target.samples]
    plan = successor.plan(*resources)
    assert plan["execution_order"] == []
    assert "warnings" not in plan, "nothing is adopted twice"


def test_serial_grows_and_what_is_gone_is_forgotten(target: Target, client: Client, state: Any) -> None:
    last = target.samples[-1]
    client.apply(wanted(last.type, last.name, {}, "delete"))
    after = client.done("GetState")["state"]
    assert after["metadata"]["serial"] == state["metadata"]["serial"] + 1
    assert after["metadata"]["lineage"] == state["metadata"]["lineage"]
    assert len(after["resources"]) == len(state["resources"]) - 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda state: state["metadata"].update(serial=0), "state_version_conflict"),
        (lambda state: state.update(version="0.9.9"), "state_version_conflict"),
        (lambda state: state["metadata"].update(lineage="someone-elses"), "state_lineage_mismatch"),
        (lambda state: state.update(provider="other"), "state_provider_mismatch"),
        (lambda state: state.update(version="99.0.0"), "state_version_unknown"),
    ],
)
def test_a_state_that_does_not_follow_is_refused(
    client: Client, state: Any, change: Callable[[Any], None], code: str
) -> None:
    wrong = copy.deepcopy(state)
    change(wrong)
    error = client.refused("SetState", {"state": wrong})
    assert isinstance(error, StateError)
    assert error.code == code
    assert client.done("GetState")["state"] == state
    client.done("SetState", {"state": state})


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update(version="new"),
        lambda state: state.update(version=""),
        lambda state: state.update(resources=None),
        lambda state: state.update(resources=[*state["resources"], state["resources"][0]]),
        lambda state: state["metadata"].update(serial="2"),
        lambda state: state["metadata"].update(serial=-1),
        lambda state: state["metadata"].update(lineage=7),
        lambda state: state["resources"][0].update(status="lost"),
        lambda state: state["resources"][0].update(created_at="yesterday"),
        lambda state: state["resources"][0].pop("name"),
    ],
)
def test_a_malformed_state_is_refused(client: Client, state: Any, change: Callable[[Any], None]) -> None:
    wrong = copy.deepcopy(state)
    change(wrong)
    if wrong["resources"] is None:  # null is an empty list, as in Go
        wrong.pop("resources")
    error = client.refused("SetState", {"state": wrong})
    assert isinstance(error, ValidationError)
    assert all(problem["path"].startswith("$.state") for problem in error.details["problems"])
    assert client.done("GetState")["state"] == state


def test_an_untrue_state_does_no_harm(target: Target, settings: Settings, client: Client, state: Any) -> None:
    """What the state says and the database does not have is planned anew; Plan believes the database."""
    untrue = copy.deepcopy(state)
    untrue["metadata"]["serial"] += 1
    for each in untrue["resources"]:
        each["state"] = {"identity": "nowhere", "digest": "0" * 32}
        each["metadata"]["config_digest"] = "0" * 32
    client.done("SetState", {"state": untrue})
    resources = [wanted(each.type, each.name, each.config) for each in target.samples]
    assert client.plan(*resources)["execution_order"] == []
    for sample in reversed(target.samples):
        client.done("DeleteResource", {"resource_type": sample.type, "name": sample.name})
    client.done("SetState", {"state": {**state, "metadata": {**state["metadata"], "serial": 1000}}})
    plan = client.plan(*resources)
    assert {each["action"] for each in plan["resources"]} == {"create"}
    client.apply(*resources)
    assert client.plan(*resources)["execution_order"] == []
