"""ValidateState (spec 3.3.1): what is wrong with a state is found, and the repair of each fault mends it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolumn.contract import codec
from kolumn.contract.errors import KolumnError, ValidationError
from kolumn.contract.messages import ValidateResponse
from kolumn.host.providers import load
from kolumn.host.state_edits import edited
from tests.client import Client, wanted
from tests.targets import Settings, Target

Change = Callable[[Any], object]


@pytest.fixture
def state(target: Target, client: Client) -> Any:
    """The state after every sample has been applied."""
    client.apply(*(wanted(each.type, each.name, each.config) for each in target.samples))
    return client.done("GetState")["state"]


def validated(client: Client, document: Any) -> Any:
    return client.done("ValidateState", {"state": document})


def codes(answer: Mapping[str, Any]) -> list[str]:
    return [each["code"] for each in answer["findings"]]


def repaired(client: Client, document: Any, rounds: int = 6) -> Any:
    """Return the document after every repair was applied, as often as one brought another fault to light."""
    for _ in range(rounds):
        answer = codec.decode(ValidateResponse, client.send("ValidateState", codec_request(document)))
        edits = [edit for each in answer.findings if each.repair for edit in each.repair.edits]
        if not edits:
            break
        document = edited(document, edits)
    return document


def codec_request(document: Any) -> bytes:
    import json

    return json.dumps({"state": document}).encode()


def first(document: Any) -> Any:
    return document["resources"][0]


def test_a_state_that_was_applied_is_valid(target: Target, client: Client, state: Any) -> None:
    expected = {"success": True, "valid": True, "findings": [], "checked": len(target.samples)}
    assert client.done("ValidateState") == expected
    assert validated(client, state) == expected
    client.apply(*(wanted(each.type, each.name, each.changed) for each in target.samples))
    assert client.done("ValidateState") == expected


FAULTS: list[tuple[str, Change]] = [
    ("invalid_version", lambda state: state.update(version="new")),
    ("invalid_version", lambda state: state.pop("version")),
    ("old_version", lambda state: state.update(version="0.9.0")),
    ("wrong_provider", lambda state: state.update(provider="other")),
    ("wrong_provider", lambda state: state.update(provider=7)),
    ("wrong_provider", lambda state: first(state).update(provider="other")),
    ("invalid_structure", lambda state: state.update(resources={})),
    ("invalid_structure", lambda state: state.update(metadata=[])),
    ("invalid_lineage", lambda state: state["metadata"].update(lineage=7)),
    ("invalid_lineage", lambda state: state["metadata"].pop("lineage")),
    ("invalid_serial", lambda state: state["metadata"].update(serial=-1)),
    ("invalid_serial", lambda state: state["metadata"].update(serial="2")),
    ("invalid_time", lambda state: state.update(updated_at="yesterday")),
    ("invalid_time", lambda state: first(state).update(created_at=5)),
    ("time_in_future", lambda state: first(state).update(updated_at="2999-01-01T00:00:00Z")),
    ("times_out_of_order", lambda state: first(state).update(updated_at="2001-01-01T00:00:00Z")),
    ("invalid_structure", lambda state: state["resources"].append("x")),
    ("invalid_structure", lambda state: first(state).pop("name")),
    ("invalid_structure", lambda state: first(state).update(type="")),
    ("invalid_structure", lambda state: first(state).update(state=[])),
    ("invalid_structure", lambda state: first(state)["state"].update(digest=5)),
    ("invalid_structure", lambda state: first(state)["state"].update(live=5)),
    ("unknown_type", lambda state: first(state).update(type="nonsense")),
    ("duplicate_resource", lambda state: state["resources"].append(copy.deepcopy(first(state)))),
    (
        "duplicate_object",
        lambda state: state["resources"].append({**copy.deepcopy(first(state)), "name": "twin"}),
    ),
    ("invalid_status", lambda state: first(state).update(status="lost")),
    ("invalid_config", lambda state: first(state).update(config="none")),
    ("invalid_reference", lambda state: first(state)["metadata"].update(ref="x")),
    ("wrong_identity", lambda state: first(state)["state"].update(identity="elsewhere")),
    ("stale_digest", lambda state: first(state)["state"].update(digest="0" * 32)),
    ("config_digest_mismatch", lambda state: first(state)["metadata"].update(config_digest="0" * 32)),
    ("wrong_memory", lambda state: first(state)["state"].update(live={"renamed_from": "made up"})),
]


@pytest.mark.parametrize(
    ("code", "fault"), FAULTS, ids=[f"{code}-{at}" for at, (code, _) in enumerate(FAULTS)]
)
def test_every_fault_is_found_and_mended(client: Client, state: Any, code: str, fault: Change) -> None:
    broken = copy.deepcopy(state)
    fault(broken)
    answer = validated(client, broken)
    assert code in codes(answer), answer
    finding = next(each for each in answer["findings"] if each["code"] == code)
    assert finding["path"].startswith("$.")
    assert finding["message"]
    assert finding["severity"] in ("warning", "error")
    assert finding["repair"]["edits"]
    assert answer["valid"] is not any(each["severity"] == "error" for each in answer["findings"])
    mended = repaired(client, broken)
    assert validated(client, mended)["findings"] == []
    with Client(load(client.provider.schema().name)) as heir:  # and the provider takes it
        heir.done("SetState", {"state": mended})


def test_what_is_newer_cannot_be_repaired(client: Client, state: Any) -> None:
    answer = validated(client, {**state, "version": "99.0.0"})
    (finding,) = answer["findings"]
    assert (finding["code"], "repair" in finding, answer["valid"]) == ("unknown_version", False, False)


def test_what_is_gone_is_forgotten_and_what_changed_is_adopted(
    target: Target, settings: Settings, client: Client, state: Any, connect: Callable[[Settings], Client]
) -> None:
    table, gone = target.samples[0], next(each for each in target.samples if each.type == "index")
    colleague = connect(settings)
    colleague.done("SetState", {"state": state})
    colleague.apply(wanted(gone.type, gone.name, {}, "delete"))
    more = {**table.config, "columns": [*table.config["columns"], dict(target.column)]}
    colleague.apply(wanted(table.type, table.name, more))
    found = {each["code"]: each for each in validated(client, state)["findings"]}
    assert set(found) == {"resource_gone", "drifted"}
    assert found["resource_gone"]["repair"]["action"] == "forget"
    assert found["drifted"]["repair"]["action"] == "adopt"
    mended = repaired(client, state)
    assert len(mended["resources"]) == len(state["resources"]) - 1
    heir = connect(settings)
    heir.done("SetState", {"state": mended})
    assert heir.done("DetectDrift")["findings"] == []
    plan = heir.plan(*(wanted(each.type, each.name, each.config) for each in target.samples))
    assert sorted(plan["execution_order"]) == sorted(
        [f"{table.type} {table.name}", f"{gone.type} {gone.name}"]
    ), "the plan compares what was adopted with the configuration"


def test_a_configuration_that_was_edited_is_found(target: Target, client: Client, state: Any) -> None:
    table = target.samples[0]
    for each in state["resources"]:
        if each["name"] == table.name and each["type"].endswith("_table"):
            each["config"]["columns"][0]["type"] = "TEXT"
    assert "config_digest_mismatch" in codes(validated(client, state))


def test_quarantined_resources_are_judged_by_their_retention_only(client: Client, state: Any) -> None:
    for until, expected in (
        (None, []),
        (datetime.now(UTC) + timedelta(days=3), []),
        (datetime.now(UTC) - timedelta(days=3), ["retention_over"]),
        ("soon", ["invalid_time"]),
    ):
        document = copy.deepcopy(state)
        entry = first(document)
        entry.update(status="quarantined", state={**entry["state"], "digest": "gone"})
        if until is not None:
            text = until if isinstance(until, str) else until.strftime("%Y-%m-%dT%H:%M:%SZ")
            entry["metadata"]["quarantine"] = {"id": "1", "location": "x", "retention_until": text}
        answer = validated(client, document)
        assert codes(answer) == expected
        assert answer["valid"]
        assert not any("repair" in each for each in answer["findings"])


def test_filters(target: Target, client: Client, state: Any) -> None:
    for each in state["resources"]:
        each["status"] = "lost"
    table = target.samples[0]
    for request, count in (
        ({}, len(target.samples)),
        ({"names": [table.name]}, 1),
        ({"resource_types": ["table"]}, sum(each.type == "table" for each in target.samples)),
    ):
        answer = client.done("ValidateState", {"state": state, **request})
        assert codes(answer) == ["invalid_status"] * count
    assert isinstance(client.refused("ValidateState", {"resource_types": ["x"]}), ValidationError)
    assert isinstance(client.refused("ValidateState", {"state": "x"}), ValidationError)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.text(max_size=6),
    st.just([]),
    st.just({}),
    st.just(["x"]),
)


@st.composite
def corruption(draw: st.DrawFn) -> list[tuple[str, Any, Any]]:
    """One to four corruptions: what is done, where (drawn as numbers), and with what."""
    kinds = st.sampled_from(["drop", "put", "twice", "foreign"])
    return draw(
        st.lists(
            st.tuples(kinds, st.lists(st.integers(0, 50), min_size=3, max_size=3), _SCALARS),
            min_size=1,
            max_size=4,
        )
    )


def corrupted(state: Any, corruptions: list[tuple[str, Any, Any]]) -> Any:
    document = copy.deepcopy(state)
    for kind, (where, which, inside), value in corruptions:
        entries = document.get("resources")
        if not isinstance(entries, list) or not entries:
            break
        entry = entries[which % len(entries)]
        if kind == "twice":
            entries.append(copy.deepcopy(entry))
        elif kind == "foreign":
            entries.append(value)
        else:
            holders = [document, document.get("metadata"), entry]
            if isinstance(entry, dict):
                holders += [entry.get("state"), entry.get("metadata"), entry.get("config")]
            holder = holders[where % len(holders)]
            if not isinstance(holder, dict) or not holder:
                continue
            key = sorted(holder)[inside % len(holder)]
            if kind == "drop":
                holder.pop(key)
            else:
                holder[key] = value
    return document


class Bench:
    """A provider with a sound state, and heirs that are to take what became of it."""

    def __init__(self, provider: str, client: Client, state: Any) -> None:
        self.provider = provider
        self.client = client
        self.state = state

    def __repr__(self) -> str:
        return f"Bench({self.provider})"

    def takes(self, document: Any) -> bool:
        """Whether a provider that has no state yet takes this one."""
        with Client(load(self.provider)) as heir:
            try:
                heir.done("SetState", {"state": document})
            except KolumnError:
                return False
        return True


@pytest.fixture
def bench(target: Target, client: Client, state: Any) -> Bench:
    return Bench(target.provider, client, state)


@given(corruptions=corruption())
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_was_done_to_a_state_the_repair_is_valid(
    bench: Bench, corruptions: list[tuple[str, Any, Any]]
) -> None:
    """And what the provider would refuse is among the findings."""
    broken = corrupted(bench.state, corruptions)
    answer = validated(bench.client, broken)
    assert answer["findings"] or bench.takes(broken)
    mended = repaired(bench.client, broken)
    assert validated(bench.client, mended)["findings"] == []
    assert bench.takes(mended)
