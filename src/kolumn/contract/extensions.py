"""Messages of functions that go beyond the specification's list: what Kolumn's own host asks a provider for.

A provider offers them like any other function; a host that does not know them never calls them
(docs/spec-readings.md).
"""

from __future__ import annotations

from typing import Literal

from kolumn.contract.encoding import Message, always


class VerifyAuditLogRequest(Message, frozen=True, kw_only=True):
    """Read the whole audit trail and compare it with its hashes, its head and the state (SetState)."""


class AuditFault(Message, frozen=True, kw_only=True):
    """One place where the trail is not what was written."""

    kind: Literal["altered", "removed", "inserted", "reordered", "cut", "head", "replaced"]
    """What happened to the entry; `cut`: the last ones are gone; `head`: the head does not fit;
    `replaced`: the state knows another entry."""
    entry: int = always(int)
    """Number of the entry, of the first one where several are concerned."""
    message: str = always(str)


class VerifyAuditLogResponse(Message, frozen=True, kw_only=True):
    """`intact` is true when there are no faults; `entries` are the rows that were read."""

    success: bool = always(bool)
    intact: bool = always(bool)
    kept: bool = always(bool)
    """Whether there is a trail at all."""
    entries: int = always(int)
    head: str = ""
    """The hash of the last entry: written down elsewhere, it proves later that nothing was cut off."""
    faults: tuple[AuditFault, ...] = always(tuple)
    error: str = ""
