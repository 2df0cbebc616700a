"""The chain of hashes that makes the audit trail tell when somebody changed it.

Every row holds the hash of the row before it, the first one the trail's id, and its own, which is SHA-256 over
all its other columns; the head, kept apart, holds the trail's id, the number of rows and the hash of the last
one. What is hashed is defined here to the
byte, so that anybody can check a trail without Kolumn: for each column in the table's order, without
`entry_hash`, the length of its UTF-8 text in bytes, a colon and the text (whole numbers in decimal, null as
the empty text).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

from kolumn.engine.metadata import Column, Row, Scalar, Table

TRAIL = Table(
    "audit",
    (
        Column("entry_number", "integer"),
        Column("noted_at", "name"),
        Column("call_id", "name"),
        Column("function_name", "name"),
        Column("actor", "text"),
        Column("os_user", "text"),
        Column("host", "text"),
        Column("application", "text"),
        Column("action", "name"),
        Column("resource_type", "text"),
        Column("resource_name", "text"),
        Column("outcome", "name"),
        Column("error", "text"),
        Column("duration", "integer"),
        Column("fingerprint", "text"),
        Column("statements", "text"),
        Column("before_change", "text"),
        Column("after_change", "text"),
        Column("previous_hash", "name"),
        Column("entry_hash", "name"),
    ),
    key=("entry_number",),
    append_only=True,
)
HEAD = Table(
    "audit_head",
    (
        Column("name", "name"),
        Column("trail_id", "name"),
        Column("entries", "integer"),
        Column("entry_hash", "name"),
    ),
    ("name",),
)
"""One row: how many entries there are, and the hash of the last."""

_HASHED = tuple(column.name for column in TRAIL.columns if column.name != "entry_hash")
_REORDERED_TRIED = 200
"""Rows with a wrong hash that are tried in each other's places at most."""

Kind = Literal["altered", "removed", "inserted", "reordered", "cut", "head", "replaced"]


class Head(NamedTuple):
    """The end of a chain."""

    entries: int
    """How many entries there are, which is the number of the last one."""
    digest: str
    """The hash of the last one; the trail's id where there is none."""
    trail: str = ""
    """The trail's id, empty where it does not matter."""


NOTHING = Head(0, "")


class Fault(NamedTuple):
    """One place where a trail is not what was written."""

    kind: Kind
    """`altered`, `removed`, `inserted`, `reordered`: an entry; `cut`: the last ones are gone; `head`: the head
    does not fit; `replaced`: the whole trail was written anew."""
    entry: int
    """Number of the entry, of the first one where several are concerned."""
    message: str


def digest(row: Row) -> str:
    """Return the hash of a row's columns, its own hash aside."""
    texts = [_text(row.get(name)).encode() for name in _HASHED]
    return hashlib.sha256(b"".join([b"%d:%b" % (len(text), text) for text in texts])).hexdigest()


def linked(row: Mapping[str, Scalar], head: Head) -> tuple[dict[str, Scalar], Head]:
    """Return `row` as the entry after `head`, and the head with it."""
    complete = {**row, "entry_number": head.entries + 1, "previous_hash": head.digest}
    complete["entry_hash"] = own = digest(complete)
    return complete, Head(head.entries + 1, own, head.trail)


def _text(value: Scalar) -> str:
    return "" if value is None else str(value)


class Verification:
    """Reads a trail's rows in order of their numbers, from the first or from any other, and finds every fault.

    `after` is what comes before the first row, None where that is not known. `anchor` is a head known from
    elsewhere, such as the state: the trail must still lead through it.
    """

    def __init__(self, after: Head | None, anchor: Head = NOTHING) -> None:
        self._anchor = anchor
        self._last = after or NOTHING
        self._is_linked = after is not None
        self._faults: list[Fault] = []
        self._altered: list[Row] = []
        self._is_sound = True
        """Whether the row read last has the hash of its columns."""

    @property
    def last(self) -> Head:
        """The number and hash of the last row read."""
        return self._last

    def read(self, row: Row) -> None:
        """Take the next row."""
        number, own = whole(row["entry_number"]), _text(row["entry_hash"])
        before, was_sound = self._last, self._is_sound
        self._is_sound = digest(row) == own
        if number <= before.entries:
            self._fault("inserted", number, f"entry {number} was inserted: its number is no entry's")
            self._is_sound = was_sound
            return
        if number > before.entries + 1:
            first, last = before.entries + 1, number - 1
            which = f"entry {first} was" if first == last else f"entries {first} to {last} were"
            self._fault("removed", first, f"{which} removed")
        elif (
            _text(row["previous_hash"]) != before.digest
            and was_sound
            and self._is_sound
            and (self._is_linked or before.entries)
        ):
            self._fault(
                "altered",
                before.entries or number,
                f"entry {before.entries} was altered: entry {number} was written after another one"
                if before.entries
                else f"entry {number} was altered: it was not the first of this trail",
            )
        if not self._is_sound:
            self._altered.append(row)
        if number == self._anchor.entries and own != self._anchor.digest:
            self._fault(
                "replaced",
                number,
                f"entry {number} is not the one that the state knows: it, or everything before it, was "
                "written anew",
            )
        self._last = Head(number, own, before.trail)

    def end(self, head: Head | None) -> tuple[Fault, ...]:
        """Return all faults, by entry; `head` is the one kept beside the rows, None where it is missing."""
        self._examine_altered()
        last = self._last
        if head is None:
            if last.entries:
                self._fault("head", last.entries, "the head of the trail is gone")
        elif head.entries > last.entries:
            self._fault(
                "cut",
                last.entries + 1,
                f"the trail was cut: entries {last.entries + 1} to {head.entries} are gone",
            )
        elif head.entries < last.entries:
            self._fault(
                "inserted",
                head.entries + 1,
                f"the trail has entries up to {last.entries}, its head ends with {head.entries}: one of them "
                "was tampered with",
            )
        elif head.digest != last.digest and self._is_sound:
            self._fault(
                "altered",
                last.entries,
                f"entry {last.entries} is not the one the trail's head was written for",
            )
        if self._anchor.entries > last.entries and not (head and head.entries >= self._anchor.entries):
            self._fault(
                "cut",
                last.entries + 1,
                f"the trail was cut: the state knows of {self._anchor.entries} entries, {last.entries} are "
                "there",
            )
        return tuple(sorted(self._faults, key=lambda fault: fault.entry))

    def _examine_altered(self) -> None:
        """Say of rows with a wrong hash whether they only changed places."""
        numbers = [row["entry_number"] for row in self._altered[:_REORDERED_TRIED]]
        for at, row in enumerate(self._altered):
            number, own = whole(row["entry_number"]), _text(row["entry_hash"])
            tried = numbers if at < _REORDERED_TRIED else ()
            home = next((each for each in tried if digest({**row, "entry_number": each}) == own), None)
            if home is not None and home != row["entry_number"]:
                self._fault("reordered", number, f"entry {number} was entry {home}: they were reordered")
            else:
                self._fault("altered", number, f"entry {number} was altered: its hash is another's")

    def _fault(self, kind: Kind, entry: int, message: str) -> None:
        self._faults.append(Fault(kind, entry, message))


def whole(value: Scalar) -> int:
    """Return a column's whole number; 0 for what is none, as somebody may have changed it."""
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0
