"""What the tests of sessions share: opening one, watching it from outside, ending it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg

from kolumn.contract.context import Context
from kolumn.contract.logs import subscribe
from kolumn.engine.operations import Create, Statement, Step
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.connection.session import PostgresSession
from kolumn.providers.postgres.connection.settings import parse_settings

Other: TypeAlias = psycopg.Connection[tuple[Any, ...]]
"""Somebody else who is connected to the same database."""

S = Statement
FOREVER = Context.background()


@contextmanager
def opened(url: str, **settings: object) -> Iterator[PostgresSession]:
    session = PostgresSession(parse_settings({"url": url, **settings}))
    try:
        yield session
    finally:
        session.close()


def tables(connection: Other) -> set[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {name for (name,) in rows}


def step(**about: Any) -> Step:
    ref = Ref("table", "t")
    return Step(operation=Create(subject=ref, model=None), description="create", statements=(), **about)


def backend(other: Other, *, running: str = "") -> int:
    """Return the process of the session under test, once it runs a statement like `running`."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = other.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'kolumn' "
            "AND datname = current_database() AND query LIKE %s AND (state = 'active' OR %s)",
            (f"%{running}%", not running),
        ).fetchone()
        if found:
            return int(found[0])
        time.sleep(0.01)
    raise AssertionError("the session under test does nothing")


@contextmanager
def heard(listener: Callable[..., None]) -> Iterator[None]:
    """Have every log record told to `listener`."""
    unsubscribe = subscribe(listener)
    try:
        yield
    finally:
        unsubscribe()


def in_thread(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def end(other: Other, pid: int) -> None:
    """Terminate a backend."""
    other.execute("SELECT pg_terminate_backend(%s)", (pid,))


def run_in_one(session: PostgresSession, *parts: str | Callable[[], object]) -> None:
    """Run statements in one transaction, each in a call of its own, and calls in between."""
    with session.transaction(FOREVER, ()):
        for part in parts:
            if isinstance(part, str):
                session.run(FOREVER, [S(part)])
            else:
                part()
