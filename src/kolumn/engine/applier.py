"""Running a plan: in one transaction where there is one, else step by step with undo."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.contract.logs import HandlerLogger
from kolumn.engine import validation
from kolumn.engine.companion import ALONE, Companion
from kolumn.engine.journal import Journal, Status, journal_of
from kolumn.engine.operations import Statement, Step
from kolumn.engine.plan import Plan, ResourceKey
from kolumn.engine.session import Session

R = TypeVar("R")

_WORTH_ANOTHER_TRY = frozenset({"lock_timeout", "deadlock"})
"""Codes of errors that go away when others have done their work."""

_UNKNOWN = (
    "what was under way may have taken effect, so nothing was undone; the next apply goes on from there"
)

_BATCH = 500
"""Steps sent together at most, so that progress is told and a deadline is noticed in between."""


class Executed(NamedTuple):
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


class Witness(Protocol):
    """Keeps a record of what an apply does, in the transactions that do it (see `engine.audit.recorder`)."""

    def begin(self, context: Context, plan: Plan) -> None:
        """Note that the plan is about to run; what this raises keeps it from running."""

    def ran(self, context: Context, executed: Sequence[Executed], *, last: bool) -> None:
        """Note steps that ran, within their transaction where they share one; `last` if none follow."""

    def committed(self) -> None:
        """Hear that the transaction of what was noted last was committed."""

    def undone(self, context: Context, at: int) -> None:
        """Note that a step was undone, within the transaction that did."""

    def failed(self, error: KolumnError, owner: ResourceKey | None) -> None:
        """Note why no further step runs, before anything is undone; raises nothing."""


def run(
    context: Context,
    session: Session,
    plan: Plan,
    witness: Witness,
    *,
    keep_partial: bool = False,
    companion: Companion = ALONE,
) -> Outcome:
    """Run the plan's steps in order.

    Consecutive steps that fit a transaction share one. When a step fails its transaction is rolled
    back; what earlier transactions and steps did is undone, last first, unless `keep_partial`.
    One whose connection is lost where structure commits by itself is left as one that is killed.
    An apply of more than one transaction is noted in the session's journal, step by step. `companion` is told
    of what happens inside the transactions.
    Raises what the witness raises at the beginning; nothing was run then.
    Raises OperationError for steps that the transaction held open cannot have (`not_in_transaction`), and for
    rows that they would fail on (`data_validation`); then nothing has been changed.
    """
    session.admit(plan.steps)
    validation.verify(context, session, plan)
    groups = list(_groups(plan.steps, session.capabilities.transactional_ddl))
    notes = _Notes(journal_of(session), needed=len(groups) > 1)
    done: list[Executed] = []
    progress = _Progress(plan)
    if groups:
        witness.begin(context, plan)
    try:
        notes.begin(context, plan)
        for group in groups:
            notes.write(context, group, "started")
            ran = _run_group(context, session, plan, group, progress, witness, companion)
            done += ran
            _conclude(session, plan, group, ran, witness)
            notes.write(context, group, "done")
    except KolumnError as error:
        failed = progress.owner
        HandlerLogger.error("apply failed", error=error.message, resource=str(failed or ""))
        witness.failed(error, failed)
        if groups and error.code == "connection_lost" and not session.capabilities.transactional_ddl:
            return Outcome(executed=tuple(done), error=error, failed=failed, undo_error=_UNKNOWN)
        standing, problem = (list(done), "") if keep_partial else _undo(session, plan, done, notes, witness)
        return Outcome(executed=tuple(standing), error=error, failed=failed, undo_error=problem)
    try:
        notes.end(Context.background())
    except KolumnError as error:  # all steps stand; the next apply forgets these notes
        HandlerLogger.warn("the journal could not be cleared", error=error.message)
    return Outcome(executed=tuple(done))


class _Progress:
    """Which step of a plan is running; -1 while none is."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.at = -1

    @property
    def owner(self) -> ResourceKey | None:
        """The resource whose step is running."""
        return self._plan.owners[self.at] if self.at >= 0 else None


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
        self._journal.note(context, self._apply, group[0] + 1, group[-1] + 1, status)

    def end(self, context: Context) -> None:
        """Forget the notes, those that an interrupted apply left as well: what it was about is done."""
        if self._former is not None and (self._journal is not None or self._former.unfinished(context)):
            self._former.end(context)


def _groups(steps: Sequence[Step], transactional: bool) -> Iterator[list[int]]:
    """Yield the positions of the steps that share a transaction, or stand outside of any."""
    group: list[int] = []
    for at, step in enumerate(steps):
        if transactional and step.transactional and not step.alone:
            group.append(at)
            continue
        if group:
            yield group
            group = []
        yield [at]
    if group:
        yield group


def _run_group(
    context: Context,
    session: Session,
    plan: Plan,
    group: Sequence[int],
    progress: _Progress,
    witness: Witness,
    companion: Companion,
) -> list[Executed]:
    """Run a group in its transaction; again, where its steps allow, while others hold a lock it needs."""
    steps = [plan.steps[at] for at in group]
    together = _is_one_transaction(steps)

    def run_once() -> list[Executed]:
        ran: list[Executed] = []
        try:
            with session.transaction(context, steps):
                companion.opened(context, group)
                for batch in _batches(plan.steps, group, companion.stops):
                    if batch[0] in companion.stops:
                        progress.at = batch[0]
                        companion.before(context, batch[0])
                    ran += _run(context, session, plan, batch, progress)
                progress.at = -1
                companion.closing(context, group)
                if together:
                    witness.ran(context, ran, last=_is_last(plan, group))
        except KolumnError:
            _clean_up(session, steps)
            raise
        return ran

    return _patiently(context, steps, run_once)


def _conclude(
    session: Session, plan: Plan, group: Sequence[int], ran: Sequence[Executed], witness: Witness
) -> None:
    """Have the witness note what ran outside of a transaction; what ran in one is noted, and now committed."""
    if not _is_one_transaction([plan.steps[at] for at in group]):
        context = Context.background()  # it stands, also when the deadline has passed meanwhile
        with session.transaction(context, ()):
            witness.ran(context, ran, last=_is_last(plan, group))
    witness.committed()


def _is_last(plan: Plan, group: Sequence[int]) -> bool:
    return group[-1] == len(plan.steps) - 1


def _is_one_transaction(steps: Sequence[Step]) -> bool:
    """Whether a session runs these steps in one transaction that can be rolled back."""
    return all(step.transactional for step in steps)


def _patiently(context: Context, steps: Sequence[Step], run_once: Callable[[], R]) -> R:
    """Return what `run_once` does; while others hold a lock it needs, try as often as the steps allow."""
    attempts, pause = max(step.attempts for step in steps), max(step.pause for step in steps)
    for attempt in range(1, attempts):
        try:
            return run_once()
        except OperationError as error:
            if error.code not in _WORTH_ANOTHER_TRY:
                raise
            HandlerLogger.warn(
                "a lock is held by others, trying again", attempt=attempt, of=attempts, pause=pause
            )
        context.wait(pause)
        pause *= 2
    try:
        return run_once()
    except OperationError as error:
        if attempts > 1 and error.code in _WORTH_ANOTHER_TRY:
            words = f"{error.message} This was tried {attempts} times."
            raise OperationError(words, code=error.code, details=error.details) from error
        raise


def _clean_up(session: Session, steps: Sequence[Step]) -> None:
    """Remove what steps left that failed outside of a transaction; else the next plan does."""
    for step in steps:
        if step.cleanup and not step.transactional:
            context = Context.background()  # the apply's own deadline may be what ended it
            try:
                with session.transaction(context, [step]):
                    session.run(context, step.cleanup)
            except KolumnError as error:
                HandlerLogger.warn(
                    "the remains of a failed step are still there; the next plan removes them",
                    step=step.description,
                    error=error.message,
                )


def _batches(steps: Sequence[Step], group: Sequence[int], stops: frozenset[int]) -> Iterator[list[int]]:
    """Yield runs of steps that can be sent together; one of `stops` begins a run.

    One with a check or a limit of its own ends a run.
    """
    batch: list[int] = []
    for at in group:
        if batch and at in stops:
            yield batch
            batch = []
        batch.append(at)
        if steps[at].checks or steps[at].timeout is not None or len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _run(
    context: Context, session: Session, plan: Plan, batch: Sequence[int], progress: _Progress
) -> list[Executed]:
    """Send the statements of all steps of a batch, then make the checks of the last one."""
    context.check()
    limits = [step.timeout for at in batch if (step := plan.steps[at]).timeout is not None]
    limited = context.with_timeout(min(limits)) if limits else context
    statements = [statement for at in batch for statement in plan.steps[at].statements]
    ends: list[int] = []
    for at in batch:
        ends.append((ends[-1] if ends else 0) + len(plan.steps[at].statements))
    ran: list[Executed] = []
    count, started = 0, time.perf_counter_ns()

    def advance() -> None:
        nonlocal started
        while len(ran) < len(batch) and count >= ends[len(ran)]:
            now = time.perf_counter_ns()
            ran.append(Executed(batch[len(ran)], now - started))
            started = now
        progress.at = batch[min(len(ran), len(batch) - 1)]

    def finished() -> None:
        nonlocal count
        count += 1
        advance()

    advance()
    session.run(limited, statements, finished)
    _check(limited, session, plan.steps[batch[-1]])
    for executed in ran:
        HandlerLogger.info(
            "step",
            number=executed.at + 1,
            total=len(plan.steps),
            resource=str(plan.owners[executed.at]),
            description=plan.steps[executed.at].description,
        )
    return ran


def _check(context: Context, session: Session, step: Step) -> None:
    for check in step.checks:
        rows = session.query(context, check)
        if rows:
            raise OperationError(
                f"{step.description}: the check after it found {len(rows)} fault(s), the first: {rows[0]!r}",
                code="check_failed",
                details={"resource": str(step.subject)},
            )


def _take_back(
    context: Context, session: Session, plan: Plan, at: int, undo: Sequence[Statement], witness: Witness
) -> None:
    step = plan.steps[at]
    together = _is_one_transaction([step])
    with session.transaction(context, [step]):
        session.run(context, undo)
        if together:
            witness.undone(context, at)
    if not together:
        with session.transaction(context, ()):
            witness.undone(context, at)
    witness.committed()


def _undo(
    session: Session, plan: Plan, done: Sequence[Executed], notes: _Notes, witness: Witness
) -> tuple[list[Executed], str]:
    """Undo what stands, last first; return what is left standing, and why if anything is."""
    context = Context.background()  # the apply's own deadline may be what ended it
    left = list(done)
    try:
        while left:
            step = plan.steps[left[-1].at]
            if step.undo is None:
                return left, f"{step.description} cannot be undone"
            _patiently(
                context, [step], partial(_take_back, context, session, plan, left[-1].at, step.undo, witness)
            )
            notes.write(context, [left[-1].at], "undone")
            left.pop()
        notes.end(context)
    except KolumnError as error:
        words = plan.steps[left[-1].at].description if left else "the journal"
        return left, f"undo of {words} failed: {error.message}"
    return left, ""
