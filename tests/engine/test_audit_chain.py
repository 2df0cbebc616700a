"""The chain of hashes: whatever somebody does to a trail, it is found."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from kolumn.engine.audit.chain import NOTHING, TRAIL, Fault, Head, Verification, digest, linked

COLUMNS = tuple(column.name for column in TRAIL.columns)
FREE = tuple(name for name in COLUMNS if name not in ("entry_number", "previous_hash", "entry_hash"))
Trail = list[dict[str, Any]]

texts = st.text(max_size=8)
rows = st.fixed_dictionaries({name: st.integers(0, 2**62) if name == "duration" else texts for name in FREE})


START = Head(0, "id", "id")


def written(contents: list[dict[str, Any]]) -> tuple[Trail, Head]:
    head, trail = START, []
    for content in contents:
        row, head = linked(content, head)
        trail.append(row)
    return trail, head


trails = st.lists(rows, min_size=1, max_size=7).map(written)


def faults(trail: Trail, head: Head | None, anchor: Head = NOTHING) -> tuple[Fault, ...]:
    verification = Verification(START, anchor)
    for row in sorted(trail, key=lambda row: row["entry_number"]):
        verification.read(row)
    return verification.end(head)


@given(trails)
def test_what_was_written_is_whole(written: tuple[Trail, Head]) -> None:
    trail, head = written
    assert faults(trail, head) == ()
    for anchor in [NOTHING, *(Head(row["entry_number"], row["entry_hash"]) for row in trail)]:
        assert faults(trail, head, anchor) == ()


@given(trails, st.data())
def test_its_end_can_be_read_alone(written: tuple[Trail, Head], data: st.DataObject) -> None:
    trail, head = written
    at = data.draw(st.integers(0, len(trail) - 1))
    verification = Verification(Head(at, trail[at]["previous_hash"]))
    for row in trail[at:]:
        verification.read(row)
    assert verification.end(head) == ()


@given(trails, st.data())
def test_any_altered_value_is_found_in_its_entry(written: tuple[Trail, Head], data: st.DataObject) -> None:
    trail, head = written
    at = data.draw(st.integers(0, len(trail) - 1))
    column = data.draw(st.sampled_from([name for name in COLUMNS if name != "entry_number"]))
    value = data.draw(st.integers(0, 2**62) if column == "duration" else texts)
    assume(value != trail[at][column])
    trail[at] = {**trail[at], column: value}
    assert any(each.kind == "altered" and each.entry == at + 1 for each in faults(trail, head))


@given(trails, st.data())
def test_an_altered_entry_with_a_hash_that_fits_is_found(
    written: tuple[Trail, Head], data: st.DataObject
) -> None:
    trail, head = written
    at = data.draw(st.integers(0, len(trail) - 1))
    column = data.draw(st.sampled_from(FREE))
    value = data.draw(st.integers(0, 2**62) if column == "duration" else texts)
    assume(value != trail[at][column])
    changed = {**trail[at], column: value}
    trail[at] = {**changed, "entry_hash": digest(changed)}
    assert [(each.kind, each.entry) for each in faults(trail, head)] == [("altered", at + 1)]


@given(trails, st.data())
def test_removed_entries_are_named(written: tuple[Trail, Head], data: st.DataObject) -> None:
    trail, head = written
    at = data.draw(st.integers(0, len(trail) - 1))
    number = data.draw(st.integers(1, len(trail) - at))
    kind = "cut" if at + number == len(trail) else "removed"
    assert [(each.kind, each.entry) for each in faults(trail[:at] + trail[at + number :], head)] == [
        (kind, at + 1)
    ]


@given(trails, rows, st.data())
def test_inserted_entries_are_found(written: tuple[Trail, Head], row: Any, data: st.DataObject) -> None:
    trail, head = written
    own = data.draw(st.booleans())
    where = data.draw(st.integers(-1, len(trail) + 2))
    forged = {**row, "entry_number": where, "previous_hash": trail[-1]["entry_hash"], "entry_hash": ""}
    if own:
        forged["entry_hash"] = digest(forged)
    assert faults([*trail, forged], head)


@given(trails, st.data())
def test_entries_that_changed_places_are_named(written: tuple[Trail, Head], data: st.DataObject) -> None:
    trail, head = written
    assume(len(trail) > 1)
    one, other = data.draw(
        st.lists(st.integers(0, len(trail) - 1), min_size=2, max_size=2, unique=True).map(sorted)
    )
    trail[one], trail[other] = (
        {**trail[other], "entry_number": one + 1},
        {**trail[one], "entry_number": other + 1},
    )
    assert [(each.kind, each.entry) for each in faults(trail, head)] == [
        ("reordered", one + 1),
        ("reordered", other + 1),
    ]


@given(trails, st.data())
def test_a_tail_cut_off_together_with_the_head_is_found_by_the_anchor(
    written: tuple[Trail, Head], data: st.DataObject
) -> None:
    trail, head = written
    kept = trail[: data.draw(st.integers(0, len(trail) - 1))]
    new = Head(len(kept), kept[-1]["entry_hash"]) if kept else START
    assert [(each.kind, each.entry) for each in faults(kept, new, head)] == [("cut", len(kept) + 1)]
    assert [(each.kind, each.entry) for each in faults(kept, None, head)][-1] == ("cut", len(kept) + 1)


@given(trails, st.lists(rows, min_size=1, max_size=7))
def test_a_trail_written_anew_is_found_by_the_anchor(written_: tuple[Trail, Head], others: Any) -> None:
    _, anchor = written_
    trail, head = written(others)
    assume(len(trail) < anchor.entries or trail[anchor.entries - 1]["entry_hash"] != anchor.digest)
    assert faults(trail, head) == ()
    assert faults(trail, head, anchor)


@given(trails)
def test_a_changed_head_is_found(written: tuple[Trail, Head]) -> None:
    trail, head = written
    for wrong in (None, head._replace(digest="0" * 64), head._replace(entries=head.entries + 1), NOTHING):
        assert faults(trail, wrong)


def test_the_hash_is_what_the_documentation_says() -> None:
    row: dict[str, Any] = {**dict.fromkeys(FREE, ""), "actor": "Änne", "duration": 12}
    complete, _ = linked(row, Head(6, "ab"))
    text = b""
    for name in COLUMNS[:-1]:
        value = str(complete[name]).encode()
        text += str(len(value)).encode() + b":" + value
    assert complete["entry_number"] == 7
    assert b"5:\xc3\x84nne" in text
    assert complete["entry_hash"] == hashlib.sha256(text).hexdigest()
