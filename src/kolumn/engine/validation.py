"""Data validation: which rows that are there already a change would fail on, counted before anything is changed.

A compiler says what to ask the database (`Compiler.questions`); here it is asked, and the answers become
risks of the plan, or the refusal of an apply. A plan in which nothing can fail on rows asks nothing.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, Problem
from kolumn.contract.logs import HandlerLogger
from kolumn.engine.operations import Offenders, Risk, Statement, Step
from kolumn.engine.plan import Plan
from kolumn.engine.session import Session

SHOWN = 3
"""How many of the rows a change would fail on are shown; one more is asked for, to see whether there are more."""
SECONDS = 10.0
"""How long the database may take over one question."""

_WIDTH = 40
"""Characters of a value that are shown."""
_OUT_OF_TIME = frozenset({"interrupted", "deadline_exceeded", "cancelled"})


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows one change would fail on."""

    table: str
    """What the rows belong to, as people call it."""
    singular: str
    """What is wrong with one row, e.g. `has no email`."""
    plural: str
    """The same of several: `have no email`."""
    query: Statement | None = None
    """Returns how many there are and then values of `key`, one row each for the first `SHOWN` + 1; no row if there
    is none. None where no query can tell."""
    key: tuple[str, ...] = ()
    """What the values shown are called; none are shown without."""
    unanswerable: str = ""
    """Why there is no query; empty where it needs none, as no row can be wrong."""
    stands_for: tuple[str, ...] = ()
    """The messages of the risks that the answer takes the place of."""
    steps: range = range(0)
    """The steps of the plan it is about."""


def checked(context: Context, session: Session, plan: Plan) -> Plan:
    """Return the plan with what the database says of the rows its changes would fail on."""
    if not plan.questions and not any(risk.kind == "may_fail" for step in plan.steps for risk in step.risks):
        return plan
    steps = list(plan.steps)
    doubts: dict[tuple[int, str], list[str]] = {}
    settled: set[tuple[int, str]] = set()
    standing: set[tuple[int, str]] = set()
    found: dict[int, list[Risk]] = {}
    for question, answer in _answers(context, session, plan.questions):
        for at in question.steps:
            for message in question.stands_for:
                settled.add((at, message))
                if answer is not None:
                    standing.add((at, message))
                if isinstance(answer, str):
                    doubts.setdefault((at, message), []).append(answer)
        first = question.steps[0]
        if isinstance(answer, Offenders):
            at = next((at for at in question.steps if _mentions(steps[at], question)), first)
            found.setdefault(at, []).append(Risk("may_fail", describe(question, answer), answer))
        elif isinstance(answer, str) and not question.stands_for:
            words = f"fails if a row of {question.table} {question.singular}; not counted: {answer}"
            found.setdefault(first, []).append(Risk("may_fail", words))
    for at, step in enumerate(steps):
        risks = (*found.get(at, ()), *_judged(at, step.risks, settled, doubts))
        if risks != step.risks:
            cleared = tuple(each.message for each in step.risks if (at, each.message) in settled - standing)
            steps[at] = msgspec.structs.replace(step, risks=risks, cleared=cleared)
    return msgspec.structs.replace(plan, steps=tuple(steps))


def verify(context: Context, session: Session, plan: Plan) -> None:
    """Raise OperationError (`data_validation`) for the rows that changes of the plan would fail on now."""
    if not plan.questions:
        return
    problems: list[Problem] = []
    found: list[Offenders] = []
    for question, answer in _answers(context, session, plan.questions):
        if isinstance(answer, Offenders):
            found.append(answer)
            problems.append(
                Problem(
                    describe(question, answer),
                    code="data_validation",
                    resource=str(plan.owners[question.steps[0]]),
                    hint="Correct these rows, or change what is asked for.",
                )
            )
    if problems:
        words = "; ".join(dict.fromkeys(problem.message for problem in problems))
        raise OperationError(
            f"{words}. Nothing was changed. Correct these rows, or change what is asked for.",
            code="data_validation",
            details={"offenders": [offenders.to_json() for offenders in found]},
            problems=problems,
        )
    HandlerLogger.info("no rows in the way", questions=len(plan.questions))


def describe(question: Question, offenders: Offenders) -> str:
    """Return the answer in words: `3 rows of customers have no email (id 4, 9, 12)`."""
    count = offenders.count
    rows, verb = ("row", question.singular) if count == 1 else ("rows", question.plural)
    words = f"{count} {rows} of {question.table} {verb}"
    if not offenders.keys:
        return words
    if len(offenders.key) == 1:
        name, shown = offenders.key[0], [_literal(key[0]) for key in offenders.keys]
    else:
        name = f"({', '.join(offenders.key)})"
        shown = [f"({', '.join(map(_literal, key))})" for key in offenders.keys]
    return f"{words} ({name} {', '.join(shown)}{', ...' if offenders.more else ''})"


def _answers(
    context: Context, session: Session, questions: Sequence[Question]
) -> Iterator[tuple[Question, Offenders | str | None]]:
    """Yield each question with the rows there are, None if none is, or why that is not known."""
    asked = [question for question in questions if question.query is not None]
    queries = [question.query for question in asked if question.query is not None]
    found = iter(session.answer(context, queries, SECONDS) if queries else ())
    for question in questions:
        if question.query is None:
            yield question, question.unanswerable or None
            continue
        answer = next(found)
        if isinstance(answer, KolumnError):
            context.check()
            if isinstance(answer, ConnectionError):
                raise answer
            HandlerLogger.debug("rows were not counted", error=answer.message, query=question.query.text)
            late = answer.code in _OUT_OF_TIME
            yield question, f"it took longer than {SECONDS:g} s" if late else answer.message
        elif not answer or not answer[0][0]:
            yield question, None
        else:
            keys = tuple(tuple(map(_plain, row[1:])) for row in answer[:SHOWN]) if question.key else ()
            more = len(answer) > SHOWN
            yield question, Offenders(question.table, int(answer[0][0]), question.key, keys, more)


def _judged(
    at: int,
    risks: Iterable[Risk],
    settled: set[tuple[int, str]],
    doubts: dict[tuple[int, str], list[str]],
) -> Iterator[Risk]:
    """Yield the risks without those that were answered; of the others it is said that nobody could tell."""
    for risk in risks:
        key = (at, risk.message)
        if risk.kind != "may_fail":
            yield risk
        elif key in doubts:
            yield Risk(risk.kind, f"{risk.message}; not counted: {'; '.join(dict.fromkeys(doubts[key]))}")
        elif key not in settled:
            yield Risk(risk.kind, f"{risk.message}; not counted: no query can tell")


def _mentions(step: Step, question: Question) -> bool:
    return any(risk.message in question.stands_for for risk in step.risks)


def _plain(value: Any) -> Any:
    """Return a value as JSON can have it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | memoryview):
        text = bytes(value).hex()
    elif isinstance(value, datetime.datetime | datetime.date | datetime.time):
        text = value.isoformat()
    elif isinstance(value, decimal.Decimal):
        text = format(value, "f")
    else:
        text = str(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)
