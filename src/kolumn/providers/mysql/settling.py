"""Asks the server how it would word what is wanted, so that another spelling is not taken for a change.

The servers keep expressions and queries in their own wording: `price > 0` comes back as "(`price` > 0)". So what
seems to differ is made in a database of its own, read there through the same queries as everything else, and
compared again. DDL commits by itself, so that database is dropped afterwards, or by the next one who needs it
where a process was killed meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError
from kolumn.contract.logs import HandlerLogger
from kolumn.engine.handler import Handler
from kolumn.engine.operations import Statement
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.connection.session import MySQLSession
from kolumn.providers.mysql.connection.settings import own_database
from kolumn.providers.mysql.connection.work import Work
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.tokens import quote

if TYPE_CHECKING:
    from kolumn.providers.mysql.catalog import MySQLCatalog

Pair = tuple[Handler[Any], Any, Any]


class _Question(NamedTuple):
    """One pair worth asking about."""

    at: int
    handler: MySQLHandler[Any]
    live: Any
    wanted: Any
    rehearsed: Any
    statements: Sequence[str]


def settle(
    context: Context, session: MySQLSession, catalog: MySQLCatalog, pairs: Sequence[Pair]
) -> Sequence[Any]:
    """Return each wanted model with the live one's texts wherever the server stores both alike."""
    settled = [wanted for _, _, wanted in pairs]
    server = session.server(context)
    scratch = own_database(session.settings.database, "scratch")
    questions = list(_questions(pairs, scratch, server))
    if not questions:
        return settled
    with _scratch(context, session, scratch) as work:
        if work is None:
            return settled
        asked = []
        for question in questions:
            context.check()
            if _made(context, work, question.statements):
                asked.append(question)
        handlers = catalog.needed_for({question.handler.type for question in asked})
        reading = catalog.read_with(context, work, handlers, server, scratch)
        found = {entry.ref: entry for handler in handlers for entry in handler.entries(reading)}
        for question in asked:
            handler = question.handler
            entry = found.get(handler.ref(question.rehearsed)._replace(schema=""))
            if entry is not None:
                model = handler.build(entry, reading)
                settled[question.at] = handler.worded(
                    question.wanted, question.rehearsed, model, question.live
                )
    return settled


def _questions(pairs: Sequence[Pair], scratch: str, server: Server) -> Iterator[_Question]:
    for at, (handler, live, wanted) in enumerate(pairs):
        assert isinstance(handler, MySQLHandler)
        if live == wanted or handler.normal(live) == handler.normal(wanted):
            continue
        found = handler.rehearsal(wanted, live, scratch, str(at), server)
        if found is not None:
            yield _Question(at, handler, live, wanted, *found)


def _made(context: Context, work: Work, statements: Sequence[str]) -> bool:
    """Run the statements that make one object; False where the server refuses: it then differs for sure."""
    try:
        for text in statements:
            work.run(context, Statement(text))
    except ConnectionError:
        raise
    except KolumnError as error:
        context.check()
        HandlerLogger.debug("not rehearsed", error=error.message)
        return False
    return True


@contextlib.contextmanager
def _scratch(context: Context, session: MySQLSession, name: str) -> Iterator[Work | None]:
    """Make the database for rehearsals; None where the account may make none."""
    with session.lock(context, "scratch"), session.apart(context) as work:
        collation = work.run(
            context,
            Statement(
                "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "
                "WHERE schema_name = DATABASE()"
            ),
        )
        charset = f" CHARACTER SET {collation[0][0]} COLLATE {collation[0][1]}" if collation else ""
        try:
            work.run(context, Statement(f"DROP DATABASE IF EXISTS {quote(name)}"))
            work.run(context, Statement(f"CREATE DATABASE {quote(name)}{charset}"))
        except ConnectionError:
            raise
        except KolumnError as error:
            HandlerLogger.warn("texts are compared as they are written", error=error.message)
            yield None
            return
        try:
            yield work
        finally:
            with contextlib.suppress(KolumnError):
                work.run(Context.background(), Statement(f"DROP DATABASE IF EXISTS {quote(name)}"))
