from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.errors import StateError
from kolumn.host import state as states
from kolumn.host.state import Managed, OutputRecord, ResourceRecord, fresh

from .states import instance, state

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(json_values, st.integers(0, 4))
def test_what_a_provider_said_is_kept_byte_for_byte(value: object, indent: int) -> None:
    said = json.dumps({"resources": [], "metadata": {"x": value}}, indent=indent or None).encode()
    kept = msgspec.structs.replace(fresh(), providers={"sqlite": msgspec.Raw(said)})
    assert bytes(states.decode(states.encode(kept)).providers["sqlite"]) == said


@given(st.text(), json_values, st.booleans())
def test_states_survive_writing_and_reading(name: str, value: object, sensitive: bool) -> None:
    before = msgspec.structs.replace(
        fresh(),
        resources={name: ResourceRecord(provider=name, prevent_destroy=sensitive, depends_on=(name,))},
        outputs={name: OutputRecord(value=value, sensitive=sensitive)},
    )
    assert states.decode(states.encode(before)) == before


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b'{"lineage":1,"salt":""}', b'{"lineage":"a","salt":""']
)
def test_what_is_no_state_is_refused(body: bytes) -> None:
    with pytest.raises(StateError):
        states.decode(body)
    newer = msgspec.json.encode({**msgspec.to_builtins(fresh()), "format": 99})
    with pytest.raises(StateError, match="Upgrade"):
        states.decode(newer)


names = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1)


@given(names, st.data())
def test_moving_and_removing_touch_exactly_what_they_name(tmp_names: list[str], data: st.DataObject) -> None:
    before = state(*(instance("sqlite_table", name) for name in tmp_names))
    chosen = data.draw(st.sampled_from(tmp_names))
    raw = before.providers["sqlite"]

    moved = states.rewrite("sqlite", raw, {f"sqlite_table.{chosen}": "module.m.sqlite_table.moved"})
    after = Managed(msgspec.structs.replace(before, providers={"sqlite": moved}))
    kept = {f"sqlite_table.{name}" for name in tmp_names if name != chosen}
    assert set(after) == {*kept, "module.m.sqlite_table.moved"}
    assert after.get("module.m.sqlite_table.moved")[1].read_config() == {"name": chosen}  # type: ignore[index]

    removed = states.rewrite("sqlite", raw, {f"sqlite_table.{chosen}": None})
    assert set(Managed(msgspec.structs.replace(before, providers={"sqlite": removed}))) == kept
