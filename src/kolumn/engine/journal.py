"""Notes in the managed database around steps that cannot share one transaction (design 6, atomicity).

An apply that is killed leaves its notes behind, so the next plan can say what was under way. Nothing is
repeated from them: plans always start from what the catalogue says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from kolumn.contract.context import Context
from kolumn.engine.metadata import Column, Condition, Metadata, Row, Table
from kolumn.engine.session import Session

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


_TABLE = Table(
    "journal",
    (
        Column("apply", "name"),
        Column("number", "integer"),
        Column("description", "text"),
        Column("status", "name"),
    ),
    key=("apply", "number"),
)


class Journal:
    """Durable notes, each written before the next step starts, in a table of `metadata` made with the first."""

    def __init__(self, session: Session, metadata: Metadata) -> None:
        self._transaction = session.transaction
        self._metadata = metadata

    def unfinished(self, context: Context) -> tuple[JournalEntry, ...]:
        """Return the steps of an apply that neither succeeded nor was undone, in order; reading creates nothing."""
        rows = self._metadata.select(context, _TABLE, order=("apply", "number"))
        return tuple(
            JournalEntry(
                str(row["apply"]),
                int(row["number"] or 0),
                str(row["description"]),
                cast("Status", row["status"]),
            )
            for row in rows
        )

    def begin(self, context: Context, apply: str, descriptions: Sequence[str]) -> None:
        """Note all steps of an apply as pending, in one go, in place of what an interrupted one left."""
        rows: list[Row] = [
            {"apply": apply, "number": number, "description": description, "status": "pending"}
            for number, description in enumerate(descriptions, 1)
        ]
        with self._transaction(context, ()):
            self._metadata.make(context, _TABLE)
            self._metadata.delete(context, _TABLE, ())
            self._metadata.insert(context, _TABLE, rows)

    def note(self, context: Context, apply: str, first: int, last: int, status: Status) -> None:
        """Note how far the steps from `first` to `last` are."""
        where = (
            Condition("apply", "=", apply),
            Condition("number", ">=", first),
            Condition("number", "<=", last),
        )
        with self._transaction(context, ()):
            self._metadata.update(context, _TABLE, {"status": status}, where)

    def end(self, context: Context) -> None:
        """Forget all notes: what they tell of is finished or has been told."""
        with self._transaction(context, ()):
            self._metadata.drop(context, _TABLE)


def journal_of(session: Session) -> Journal | None:
    """Return the journal of a session's database; None where it can keep none."""
    return Journal(session, session.metadata) if session.metadata is not None else None


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
