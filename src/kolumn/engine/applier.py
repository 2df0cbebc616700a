"""Running a plan: in one transaction where there is one, else step by step with undo."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.contract.logs import HandlerLogger
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
    """
    done: list[Executed] = []
    for group in _groups(plan.steps, session.capabilities.transactional_ddl):
        ran: list[Executed] = []
        at = group[0]
        try:
            with _around(context, session, [plan.steps[each] for each in group]):
                for at in group:
                    ran.append(_run(context, session, plan, at))
                at = -1
        except KolumnError as error:
            failed = plan.owners[at] if at >= 0 else None
            HandlerLogger.error("apply failed", error=error.message, resource=str(failed or ""))
            standing, problem = (list(done), "") if keep_partial else _undo(session, plan, done)
            return Outcome(executed=tuple(standing), error=error, failed=failed, undo_error=problem)
        done += ran
    return Outcome(executed=tuple(done))


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


def _around(context: Context, session: Session, steps: Sequence[Step]) -> AbstractContextManager[None]:
    return session.transaction(context, steps)


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


def _undo(session: Session, plan: Plan, done: Sequence[Executed]) -> tuple[list[Executed], str]:
    """Undo what stands, last first; return what is left standing, and why if anything is."""
    context = Context.background()  # the apply's own deadline may be what ended it
    left = list(done)
    while left:
        step = plan.steps[left[-1].at]
        if step.undo is None:
            return left, f"{step.description} cannot be undone"
        try:
            with session.transaction(context, [step]):
                session.run(context, step.undo)
        except KolumnError as error:
            return left, f"undo of {step.description} failed: {error.message}"
        left.pop()
    return left, ""
