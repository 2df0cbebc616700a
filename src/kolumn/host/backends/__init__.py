"""Where state is kept. `Backend` is the seam; `local` keeps it in a file of the project folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from kolumn.contract.times import Timestamp


@dataclass(frozen=True, slots=True)
class Entry:
    """One write of the state, without its content."""

    serial: int
    """Counts from 1 and grows by one with each write."""
    lineage: str
    """One per history; states of different lineages do not follow each other."""
    written_at: Timestamp
    writer: str
    """`user@host`."""
    reason: str
    """The command that wrote it, e.g. `apply`."""
    size: int
    """Bytes of the content."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One write of the state with its content, a JSON document."""

    entry: Entry
    body: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock of a project."""

    pid: int
    host: str
    user: str
    command: str
    since: Timestamp

    def __str__(self) -> str:
        return (
            f"`kolumn {self.command}` of {self.user or 'unknown'} on {self.host} (process {self.pid}) "
            f"since {self.since}"
        )


class Backend(Protocol):
    """Keeps every state of one project, and lets one writer in at a time."""

    @property
    def location(self) -> str:
        """Where the state is, for people."""
        ...

    def read(self, *, trusting: bool = False) -> Stored | None:
        """Return the latest state, None when nothing was ever written.

        Raises StateError `state_tampered` for one that is not what was written, unless `trusting`.
        """
        ...

    def read_serial(self, serial: int, *, trusting: bool = False) -> Stored:
        """Return an earlier state. Raises StateError as `read` does, and `unknown_serial` when it is not kept."""
        ...

    def write(self, body: bytes, *, lineage: str, parent: int, reason: str, force: bool = False) -> Entry:
        """Store the state that follows serial `parent` (0: the first), whole or not at all.

        Raises StateError `stale_state` when another write came in between, `lineage_mismatch` when the
        kept state has another lineage; `force` overrides the latter.
        """
        ...

    def history(self) -> tuple[Entry, ...]:
        """Return the writes that are kept, newest first."""
        ...

    def lock(
        self, holder: Holder, wait: float, checkpoint: Callable[[], None] = ...
    ) -> AbstractContextManager[None]:
        """Hold the project's lock, waiting up to `wait` seconds for it; it dies with the process.

        `checkpoint` is called while waiting and may raise. Raises StateError `locked` that says who holds it.
        """
        ...
