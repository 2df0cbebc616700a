"""State: taken over only when it continues what was there; nothing else changes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.codec import decode, encode
from kolumn.contract.errors import StateError, ValidationError
from kolumn.contract.messages import ProviderState, ResourceInstance
from kolumn.engine.plan import ResourceKey
from kolumn.engine.resource import Ref
from kolumn.engine.state.store import StateStore


def store() -> StateStore:
    return StateStore("sqlite", "1")


def state(serial: int = 1, lineage: str | None = "a", version: str = "1.0.0", *names: str) -> ProviderState:
    metadata = {"serial": serial} | ({"lineage": lineage} if lineage else {})
    resources = tuple(ResourceInstance(type="sqlite_table", name=name) for name in names)
    return ProviderState(version=version, provider="sqlite", resources=resources, metadata=metadata)


def test_an_older_serial_is_refused_and_changes_nothing() -> None:
    held = store()
    held.replace(state(5, "a", "1.0.0", "users"))
    with pytest.raises(StateError) as caught:
        held.replace(state(4))
    assert caught.value.code == "state_version_conflict"
    assert [each.name for each in held.export().resources] == ["users"]


def test_another_lineage_is_refused() -> None:
    held = store()
    held.replace(state(1, "a"))
    with pytest.raises(StateError) as caught:
        held.replace(state(9, "b"))
    assert caught.value.code == "state_lineage_mismatch"


def test_an_older_format_is_refused_after_a_newer_one() -> None:
    held = store()
    held.replace(state(1))
    with pytest.raises(StateError) as caught:
        held.replace(state(2, "a", "0.9.0"))
    assert caught.value.code == "state_version_conflict"


def test_a_format_from_the_future_is_refused() -> None:
    with pytest.raises(StateError) as caught:
        store().replace(state(1, "a", "2.0.0"))
    assert caught.value.code == "state_version_unknown"


def test_another_providers_state_is_refused() -> None:
    foreign = ProviderState(version="1.0.0", provider="postgres.main", resources=())
    with pytest.raises(StateError) as caught:
        store().replace(foreign)
    assert caught.value.code == "state_provider_mismatch"


@pytest.mark.parametrize("version", ["", "one", "1..2", "1.0.0-beta"])
def test_a_version_that_is_none_is_a_fault_of_the_request(version: str) -> None:
    with pytest.raises(ValidationError):
        store().replace(state(1, "a", version))


def test_a_resource_listed_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="listed twice"):
        store().replace(state(1, "a", "1.0.0", "users", "users"))


def test_a_prefixed_and_a_bare_type_are_one() -> None:
    held = store()
    held.replace(state(1, "a", "1.0.0", "users"))
    managed = held.get(ResourceKey("table", "users"))
    assert managed is not None
    assert managed.ref == Ref("table", "users")


def test_state_without_a_lineage_gets_one_that_stays() -> None:
    held = store()
    held.replace(state(1, None))
    lineage = held.export().metadata["lineage"]
    assert lineage
    held.replace(state(2, None))
    assert held.export().metadata["lineage"] == lineage


names = st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=4)


@given(st.integers(0, 2**31), st.text(min_size=1), names)
def test_what_is_exported_is_taken_back_by_another(serial: int, lineage: str, resources: list[str]) -> None:
    first, second = store(), store()
    first.replace(state(serial, lineage, "1.0.0", *resources))
    exported = first.export()
    second.replace(decode(ProviderState, encode(exported)))
    again = second.export()
    assert again.resources == exported.resources
    assert again.metadata == exported.metadata
