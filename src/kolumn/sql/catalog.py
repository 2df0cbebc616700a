"""What was read of a database, entry by entry, as the snapshot that plans are made of."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from kolumn.engine.resource import Dependents, Owner, Ref, Snapshot, stands_alone


class Entry(Protocol):
    """One object as the catalogue has it."""

    @property
    def ref(self) -> Ref:
        """What it is called."""

    @property
    def row(self) -> Any:
        """All that says what it is, of plain values: a digest is made of it."""

    @property
    def owner(self) -> Ref | None:
        """The object it vanishes with, e.g. an index's table."""

    @property
    def aside(self) -> bool:
        """Whether it counts only where it is named (see `Snapshot`)."""


E = TypeVar("E", bound=Entry)
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


def digest_of(facts: Any) -> str:
    """Return a digest of plain values."""
    return hashlib.blake2b(_encode(facts), digest_size=16).hexdigest()


def snapshot_of(
    entries: Mapping[Ref, E],
    build: Callable[[E], Any],
    *,
    owner: Owner = stands_alone,
    dependents: Dependents | None = None,
) -> Snapshot:
    """Return the snapshot of `entries`; `build` makes the model of one when somebody asks for it."""
    attached: dict[Ref, tuple[Ref, ...]] = defaultdict(tuple)
    for ref, entry in entries.items():
        if entry.owner is not None:
            attached[entry.owner] += (ref,)
    return Snapshot(
        {ref: digest_of(entry.row) for ref, entry in entries.items()},
        lambda ref: build(entries[ref]),
        attached=attached,
        owner=owner,
        dependents=dependents,
        aside=frozenset(ref for ref, entry in entries.items() if entry.aside),
    )
