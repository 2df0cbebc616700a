"""Notes in the managed database around steps that cannot share one transaction (design 6, atomicity).

An apply that is killed leaves its notes behind, so the next plan can say what was under way. Nothing is
repeated from them: plans always start from what the catalogue says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kolumn.contract.context import Context

Status = Literal["pending", "started", "done", "undone"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step of an apply that has not ended."""

    apply: str
    """Identifies the apply."""
    number: int
    """Position of the step, from 1."""
    description: str
    status: Status


class Journal(Protocol):
    """Durable notes, each written before the next step starts."""

    def unfinished(self, context: Context) -> tuple[JournalEntry, ...]:
        """Return the steps of an apply that neither succeeded nor was undone, none if there is none."""

    def begin(self, context: Context, apply: str, descriptions: Sequence[str]) -> None:
        """Note all steps of an apply as pending."""

    def note(self, context: Context, apply: str, first: int, last: int, status: Status) -> None:
        """Note how far the steps from `first` to `last` are."""

    def end(self, context: Context) -> None:
        """Forget all notes: what they tell of is finished or has been told."""


def interruption(entries: Sequence[JournalEntry]) -> str:
    """Return in words what an interrupted apply left, empty if nothing."""
    if not entries:
        return ""
    done = sum(entry.status == "done" for entry in entries)
    words = f"an earlier apply was interrupted after {done} of {len(entries)} steps"
    started = [entry.description for entry in entries if entry.status == "started"]
    if started:
        words += f"; {' and '.join(started)} was under way"
    return f"{words}. This plan starts from what the database holds now"
