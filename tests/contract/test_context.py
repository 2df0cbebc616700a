"""Deadlines and cancellation, against the real clock, real threads and a real statement."""

import signal
import sqlite3
import threading
import time

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def code(context: Context) -> str:
    with pytest.raises(OperationError) as caught:
        context.check()
    return caught.value.code


def test_a_background_context_never_ends() -> None:
    context = Context.background()
    context.check()
    assert context.remaining() is None
    assert not context.cancelled


def test_deadlines_only_get_nearer() -> None:
    outer = Context.background().with_timeout(60)
    left = outer.with_timeout(3600).remaining()
    assert left is not None
    assert 59 < left <= 60
    inner = outer.with_timeout(0)
    assert inner.remaining() == 0.0
    assert code(inner) == "deadline_exceeded"
    outer.check()


def test_cancelling_reaches_every_context_made_from_it() -> None:
    outer = Context.background()
    inner = outer.with_timeout(60)
    called: list[str] = []
    inner.on_cancel(lambda: called.append("inner"))
    take_back = outer.on_cancel(lambda: called.append("taken back"))
    take_back()
    take_back()
    outer.on_cancel(lambda: [][0])
    outer.on_cancel(lambda: called.append("outer"))
    outer.cancel()
    outer.cancel()
    assert called == ["inner", "outer"]
    assert code(inner) == code(outer) == "cancelled"
    inner.on_cancel(lambda: called.append("late"))
    assert called[-1] == "late"


def test_callbacks_of_a_context_past_its_deadline_run_at_once() -> None:
    called: list[int] = []
    Context.background().with_timeout(-1).on_cancel(lambda: called.append(1))
    assert called == [1]


def test_deadlines_fire_in_their_order_and_not_when_taken_back() -> None:
    fired: list[str] = []
    context, done = Context.background(), threading.Event()
    context.with_timeout(0.15).on_cancel(done.set)
    context.with_timeout(0.05).on_cancel(lambda: fired.append("a"))
    context.with_timeout(0.07).on_cancel(lambda: fired.append("gone"))()
    context.with_timeout(0.10).on_cancel(lambda: fired.append("b"))
    assert done.wait(10)
    assert fired == ["a", "b"]
    assert not context.cancelled


def test_many_registrations_leave_nothing_behind() -> None:
    context = Context.background().with_timeout(0.5)
    for _ in range(5000):
        context.on_cancel(lambda: None)()
    deadline = time.monotonic() + 10
    while any(t.name == "kolumn-deadlines" for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(t.name == "kolumn-deadlines" for t in threading.enumerate())


def test_a_deadline_stops_a_running_statement() -> None:
    context = Context.background().with_timeout(0.1)
    connection = sqlite3.connect(":memory:")
    context.on_cancel(connection.interrupt)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute(ENDLESS)
    assert code(context) == "deadline_exceeded"
    connection.close()


def test_a_signal_handler_may_cancel() -> None:
    context = Context.background()
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    context.on_cancel(connection.interrupt)
    failures: list[Exception] = []

    def run() -> None:
        try:
            connection.execute(ENDLESS)
        except sqlite3.OperationalError as error:
            failures.append(error)

    before = signal.signal(signal.SIGALRM, lambda *_: context.cancel())
    try:
        worker = threading.Thread(target=run)
        worker.start()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        worker.join(10)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert "interrupted" in str(failures[0])
    connection.close()


def test_waiting_ends_with_the_context() -> None:
    start = time.monotonic()
    with pytest.raises(OperationError):
        Context.background().with_timeout(0.05).wait(30)
    cancelled = Context.background()
    threading.Timer(0.05, cancelled.cancel).start()
    with pytest.raises(OperationError):
        cancelled.wait(30)
    Context.background().wait(0.001)
    assert time.monotonic() - start < 10
