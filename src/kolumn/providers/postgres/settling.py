"""Asks the server how it would word what is wanted, so that another spelling is not taken for a change.

PostgreSQL keeps expressions and queries as trees and spells them out in its own way: `price > 0` comes back
as `(price > (0)::numeric)`. So what seems to differ is made in a schema of its own, in a transaction that is
rolled back, read there through the same catalogue queries as everything else, and compared again. Where the
server's wording of a wanted text is one the live object has, the wanted model gets that wording.

Nothing is asked about objects whose texts are equal already. Without the right to create a schema, or where
an object cannot be made as things are (it uses what the same plan creates), the texts count as different.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kolumn.contract.context import Context
from kolumn.engine.handler import Handler
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.connection.session import PostgresSession
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.wording import texts

SCRATCH = "kolumn_scratch"
"""The schema in which wanted objects are rehearsed; it never outlives its transaction."""

_AT_ONCE = 500
"""Objects in one transaction: each takes several of the server's locks, and all sessions together have 6,400 where
nothing else is set (max_locks_per_transaction); a transaction with thousands of new tables is slow besides."""

Pair = tuple[Handler[Any], Any, Any]


class _Question(NamedTuple):
    """One pair worth asking about: the object is rehearsed under `ref`."""

    at: int
    handler: PostgresHandler[Any]
    live: Any
    wanted: Any
    rehearsed: Any
    ref: Ref


def settle(
    context: Context, session: PostgresSession, server: Server, pairs: Sequence[Pair]
) -> Sequence[Any]:
    """Return each wanted model with the live one's texts wherever the server stores both alike."""
    settled = [wanted for _, _, wanted in pairs]
    questions = list(_questions(pairs))
    if not questions:
        return settled
    for start in range(0, len(questions), _AT_ONCE):
        context.check()
        for question, found in _answers(context, session, server, questions[start : start + _AT_ONCE]):
            known = frozenset(texts(question.live))
            settled[question.at] = question.handler.worded(question.wanted, question.rehearsed, found, known)
    return settled


def _questions(pairs: Sequence[Pair]) -> Iterator[_Question]:
    taken: set[Ref] = set()
    for at, (handler, live, wanted) in enumerate(pairs):
        assert isinstance(handler, PostgresHandler)
        if live == wanted:
            continue
        before = set(texts(handler.normal(live)))
        after = set(texts(handler.normal(wanted)))
        if before == after or not before - after or not after - before:
            continue
        rehearsed = handler.rehearsed(wanted, SCRATCH)
        if rehearsed is None or (ref := handler.ref(rehearsed)) in taken:
            continue
        taken.add(ref)
        yield _Question(at, handler, live, wanted, rehearsed, ref)


def _answers(
    context: Context, session: PostgresSession, server: Server, questions: Sequence[_Question]
) -> Iterator[tuple[_Question, Any]]:
    """Yield the questions that have an answer, each with the model the server makes of what is wanted."""
    with session.scratch(context) as scratch:
        (refused,) = scratch.attempt([Statement(f"CREATE SCHEMA {quote(SCRATCH)}")])
        if refused is not None:
            return
        trials = [
            _statements(question.handler.rehearsal(question.rehearsed, question.live, server))
            for question in questions
        ]
        worked = [error is None for error in scratch.attempt(trials)]
        handlers = {question.handler.type: question.handler for question in questions}
        queries: dict[str, str] = {}
        for handler in handlers.values():
            queries.update(handler.queries(server))
        names = list(queries)
        asked = [text.replace("{user_schemas}", f"n.nspname = '{SCRATCH}'") for text in queries.values()]
        with scratch.reading() as fetch:
            rows = dict(zip(names, fetch.fetch_many(asked), strict=True))
        reading = Reading.of(server, {"comments": [], **rows})
        entries = {
            entry.ref: (handler, entry) for handler in handlers.values() for entry in handler.entries(reading)
        }
        for question, works in zip(questions, worked, strict=True):
            if works and question.ref in entries:
                handler, entry = entries[question.ref]
                yield question, handler.build(entry)


def _statements(parts: Iterator[str | Statement]) -> list[Statement]:
    return [each if isinstance(each, Statement) else Statement(each) for each in parts]
