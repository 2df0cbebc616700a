"""Edits of a state document mean the document as it was, in whatever order they come."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.messages import StateEdit
from kolumn.host.state_edits import edited, key, rooted


def test_values_are_set_and_entries_removed() -> None:
    document: dict[str, Any] = {"version": "1", "resources": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    before = copy.deepcopy(document)
    edits = [
        StateEdit(path="$.resources[0]", remove=True),
        StateEdit(path="$.resources[2].name", value="z"),
        StateEdit(path="$.resources[1]", remove=True),
        StateEdit(path="$.version", value="2"),
        StateEdit(path="$.nowhere.at.all", value=1),
        StateEdit(path="$.resources[9]", remove=True),
    ]
    assert edited(document, edits) == {"version": "2", "resources": [{"name": "z"}]}
    assert edited(document, reversed(edits)) == {"version": "2", "resources": [{"name": "z"}]}
    assert document == before


def test_the_whole_document() -> None:
    assert edited({"a": 1}, [StateEdit(path="$", value=[2])]) == [2]


@given(st.text(min_size=1), st.text(min_size=1))
def test_whatever_a_key_is_called(one: str, other: str) -> None:
    document = {"resources": {one: {"x": 1}, other: {"x": 2}}}
    path = rooted("$.x", f"$.resources{key(one)}")
    changed = edited(document, [StateEdit(path=path, value=7)])
    assert changed["resources"][one]["x"] == 7
    assert one == other or changed["resources"][other]["x"] == 2


@given(st.sets(st.integers(0, 19)))
def test_exactly_what_is_removed_is_gone(gone: set[int]) -> None:
    edits = [StateEdit(path=f"$[{at}]", remove=True) for at in gone]
    assert edited(list(range(20)), edits) == [at for at in range(20) if at not in gone]
