"""The entries of a plan, noted by the very steps that set things aside."""

from __future__ import annotations

import getpass
import socket
from datetime import datetime, timedelta

import msgspec

from kolumn.contract.times import Timestamp
from kolumn.engine.metadata import Metadata
from kolumn.engine.operations import Step
from kolumn.engine.plan import Plan
from kolumn.engine.quarantine.catalogue import Entry, counted, deletion, insertion
from kolumn.engine.quarantine.place import Quarantine


def recorded(
    plan: Plan, metadata: Metadata, quarantine: Quarantine, days: int, *, at_once: bool = True
) -> Plan:
    """Return the plan whose steps also put on the list what they set aside, for `days` at least.

    Where not all steps happen at once, all is on the list before anything is changed, so that whatever an apply
    that is killed has done can be taken back.
    """
    now = Timestamp.utc_now()
    until = now + timedelta(days=days)
    steps = list(plan.steps)
    entries = []
    for at, bare in plan.quarantined:
        entry = msgspec.structs.replace(bare, at=moment(now), by=_whoever(), retained_until=moment(until))
        entries.append((at, entry))
        step = steps[at]
        count = _count(entry, quarantine)
        if at_once:
            undo = None if step.undo is None else (deletion(metadata, entry), *step.undo)
            noted = insertion(metadata, entry, count)
            steps[at] = msgspec.structs.replace(step, statements=(*step.statements, noted), undo=undo)
        elif count:
            steps[at] = msgspec.structs.replace(
                step, statements=(*step.statements, counted(metadata, entry, count))
            )
    if not at_once:
        steps[0] = _noted_first(steps[0], metadata, [entry for _, entry in entries])
    return msgspec.structs.replace(plan, steps=tuple(steps), quarantined=tuple(entries))


def _noted_first(step: Step, metadata: Metadata, entries: list[Entry]) -> Step:
    notes = [insertion(metadata, each, "") for each in entries]
    off = tuple(deletion(metadata, each) for each in entries)
    undo = None if step.undo is None else (*step.undo, *off)
    cleanup = (*step.cleanup, *off)
    return msgspec.structs.replace(step, statements=(*notes, *step.statements), undo=undo, cleanup=cleanup)


def moment(time: datetime) -> str:
    """Return a time as the list has it: of one length, so that it sorts."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _count(entry: Entry, quarantine: Quarantine) -> str:
    kept = entry.kept[0]
    counted = kept.place is not None and (kept.column or quarantine.holds_rows(kept.object))
    return quarantine.count(kept.place) if counted and kept.place is not None else ""


def _whoever() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
