"""Running a plan: in one transaction where there is one, else step by step with undo."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.contract.logs import HandlerLogger
from kolumn.engine.journal import Journal, Status
from kolumn.engine.operations import Step
from kolumn.engine.plan import Plan, ResourceKey
from kolumn.engine.session import Session


@dataclass(frozen=True, slots=True)
class Executed:
    """A step that ran, and how long it took in nanoseconds."""

    at: int
    """Position in the plan's steps."""
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an apply did: the steps that stand, and what went wrong."""

    executed: tuple[Executed, ...] = ()
    error: KolumnError | None = None
    failed: ResourceKey | None = None
    """The resource whose step failed; None where it was not a step (a commit, a check)."""
    undo_error: str = ""
    """Why undoing stopped, in words; what `executed` lists then still stands."""


def run(context: Context, session: Session, plan: Plan, *, keep_partial: bool = False) -> Outcome:
    """Run the plan's steps in order.

    Consecutive steps that fit a transaction share one. When a step fails its transaction is rolled
    back; what earlier transactions and steps did is undone, last first, unless `keep_partial`.
    An apply of more than one transaction is noted in the session's journal, step by step.
    """
    groups = list(_groups(plan.steps, session.capabilities.transactional_ddl))
    notes = _Notes(session.journal, needed=len(groups) > 1)
    done: list[Executed] = []
    at = -1
    try:
        notes.begin(context, plan)
        for group in groups:
            ran: list[Executed] = []
            at = group[0]
            notes.write(context, group, "started")
            with session.transaction(context, [plan.steps[each] for each in group]):
                for at in group:
                    ran.append(_run(context, session, plan, at))
                at = -1
            done += ran
            notes.write(context, group, "done")
    except KolumnError as error:
        failed = plan.owners[at] if at >= 0 else None
        HandlerLogger.error("apply failed", error=error.message, resource=str(failed or ""))
        standing, problem = (list(done), "") if keep_partial else _undo(session, plan, done, notes)
        return Outcome(executed=tuple(standing), error=error, failed=failed, undo_error=problem)
    try:
        notes.end(Context.background())
    except KolumnError as error:  # all steps stand; the next apply forgets these notes
        HandlerLogger.warn("the journal could not be cleared", error=error.message)
    return Outcome(executed=tuple(done))


class _Notes:
    """One apply's entries in the journal, if it needs one."""

    def __init__(self, journal: Journal | None, *, needed: bool) -> None:
        self._journal = journal if needed else None
        self._former = journal
        self._apply = uuid.uuid4().hex

    def begin(self, context: Context, plan: Plan) -> None:
        if self._journal is not None:
            self._journal.begin(context, self._apply, [step.description for step in plan.steps])

    def write(self, context: Context, group: Sequence[int], status: Status) -> None:
        if self._journal is None:
            return
        for at in group:
            self._journal.note(context, self._apply, at + 1, status)

    def end(self, context: Context) -> None:
        """Forget the notes, those that an interrupted apply left as well: what it was about is done."""
        if self._former is not None and (self._journal is not None or self._former.unfinished(context)):
            self._former.end(context)


def _groups(steps: Sequence[Step], transactional: bool) -> Iterator[list[int]]:
    numbered = enumerate(steps)
    if not transactional:
        yield from ([at] for at, _ in numbered)
        return
    for together, members in groupby(numbered, key=lambda each: each[1].transactional):
        positions = [at for at, _ in members]
        if together:
            yield positions
        else:
            yield from ([at] for at in positions)


def _run(context: Context, session: Session, plan: Plan, at: int) -> Executed:
    step = plan.steps[at]
    context.check()
    limited = context.with_timeout(step.timeout) if step.timeout is not None else context
    started = time.perf_counter_ns()
    session.run(limited, step.statements)
    for check in step.checks:
        rows = session.query(limited, check)
        if rows:
            raise OperationError(
                f"{step.description}: the check after it found {len(rows)} fault(s), the first: {rows[0]!r}",
                code="check_failed",
                details={"resource": str(step.subject)},
            )
    duration = time.perf_counter_ns() - started
    HandlerLogger.info(
        "step",
        number=at + 1,
        total=len(plan.steps),
        resource=str(plan.owners[at]),
        description=step.description,
    )
    return Executed(at, duration)


def _undo(
    session: Session, plan: Plan, done: Sequence[Executed], notes: _Notes
) -> tuple[list[Executed], str]:
    """Undo what stands, last first; return what is left standing, and why if anything is."""
    context = Context.background()  # the apply's own deadline may be what ended it
    left = list(done)
    try:
        while left:
            step = plan.steps[left[-1].at]
            if step.undo is None:
                return left, f"{step.description} cannot be undone"
            with session.transaction(context, [step]):
                session.run(context, step.undo)
            notes.write(context, [left[-1].at], "undone")
            left.pop()
        notes.end(context)
    except KolumnError as error:
        words = plan.steps[left[-1].at].description if left else "the journal"
        return left, f"undo of {words} failed: {error.message}"
    return left, ""
