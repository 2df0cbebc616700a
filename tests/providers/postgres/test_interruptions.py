"""What ends a call early: deadlines, cancelling, connections that break, commits nobody answered."""

from __future__ import annotations

import threading
import time

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import (
    ConnectionError,
    OperationError,
)
from kolumn.providers.postgres.connection import wire
from kolumn.providers.postgres.connection.session import PostgresSession
from tests.providers.postgres.network import link
from tests.providers.postgres.sessions import (
    FOREVER,
    Other,
    S,
    backend,
    end,
    in_thread,
    opened,
    run_in_one,
    tables,
)


class TestStopping:
    def test_a_deadline_stops_the_statement_on_the_server(
        self, session: PostgresSession, other: Other
    ) -> None:
        started = time.monotonic()
        with pytest.raises(OperationError) as caught:
            session.query(FOREVER.with_timeout(0.3), S("SELECT pg_sleep(60)"))
        assert caught.value.code == "deadline_exceeded"
        assert time.monotonic() - started < 10
        assert other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' "
            "AND pid <> pg_backend_pid()"
        ).fetchone() == (0,)
        assert session.query(FOREVER, S("SELECT 1")) == [(1,)]

    def test_cancelling_ends_the_transaction(self, session: PostgresSession, other: Other) -> None:
        context = Context()

        def cancel() -> None:
            backend(other, running="pg_sleep")
            context.cancel()

        thread = in_thread(cancel)
        finished: list[None] = []
        with pytest.raises(OperationError) as caught, session.transaction(context, ()):
            session.run(
                context,
                [S("CREATE TABLE t (id int)"), S("SELECT pg_sleep(60)"), S("CREATE TABLE u (id int)")],
                lambda: finished.append(None),
            )
        thread.join(10)
        assert caught.value.code == "cancelled"
        assert caught.value.details["statement"] == "SELECT pg_sleep(60)"
        assert len(finished) == 1
        assert tables(other) == set()

    def test_a_call_that_is_over_sends_nothing(self, session: PostgresSession) -> None:
        session.ping(FOREVER)
        before = session.queries_sent
        context = Context()
        context.cancel()
        with pytest.raises(OperationError, match="cancelled"):
            session.query(context, S("SELECT 1"))
        with pytest.raises(OperationError, match="longer"):
            session.query(FOREVER.with_timeout(0), S("SELECT 1"))
        assert session.queries_sent == before

    def test_what_comes_after_is_not_cancelled(self, database: str) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.delay = 0.3
            context = Context()
            threading.Timer(0.05, context.cancel).start()
            assert session.query(context, S("SELECT pg_sleep(0.15), 1")) == [("", 1)]
            assert session.query(FOREVER, S("SELECT pg_sleep(0.6), 2")) == [("", 2)]

    def test_a_server_that_does_not_hear_is_given_up(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "_GRACE", 1.0)
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.is_frozen = True
            started = time.monotonic()
            with pytest.raises(OperationError, match="may go on there") as caught:
                session.query(FOREVER.with_timeout(0.2), S("SELECT 1"))
            assert caught.value.code == "deadline_exceeded"
            assert time.monotonic() - started < 10
            way.is_frozen = False
            assert session.query(FOREVER, S("SELECT 1")) == [(1,)]

    def test_somebody_else_may_stop_it(self, session: PostgresSession, other: Other) -> None:
        thread = in_thread(
            lambda: (
                other.execute("SELECT pg_cancel_backend(%s)", (backend(other, running="pg_sleep"),)) and None
            )
        )
        with pytest.raises(OperationError) as caught:
            session.query(FOREVER, S("SELECT pg_sleep(60)"))
        thread.join(10)
        assert caught.value.code == "interrupted"


class TestLostConnections:
    def test_ended_in_the_middle_of_a_statement(self, session: PostgresSession, other: Other) -> None:
        thread = in_thread(lambda: end(other, backend(other, running="pg_sleep")))
        with pytest.raises(ConnectionError, match="Nothing of the transaction") as caught:
            run_in_one(session, "CREATE TABLE t (id int)", "SELECT pg_sleep(60)")
        thread.join(10)
        assert caught.value.code == "connection_lost"
        assert "administrator" in caught.value.message
        assert tables(other) == set()
        assert session.query(FOREVER, S("SELECT 1")) == [(1,)]

    def test_ended_between_two_statements(self, session: PostgresSession, other: Other) -> None:
        with pytest.raises(ConnectionError, match="Nothing of the transaction"):
            run_in_one(
                session,
                "CREATE TABLE t (id int)",
                lambda: end(other, backend(other)),
                "CREATE TABLE u (id int)",
            )
        assert tables(other) == set()

    def test_ended_outside_of_a_transaction(self, session: PostgresSession, other: Other) -> None:
        thread = in_thread(lambda: end(other, backend(other, running="pg_sleep")))
        with pytest.raises(ConnectionError, match="not known") as caught:
            session.run(FOREVER, [S("SELECT pg_sleep(60)")])
        thread.join(10)
        assert caught.value.code == "connection_lost"

    def test_ended_while_idle_is_not_noticed(self, session: PostgresSession, other: Other) -> None:
        for _ in range(5):
            session.ping(FOREVER)
            pid = backend(other)
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            with session.transaction(FOREVER, ()):
                assert session.query(FOREVER, S("SELECT pg_backend_pid() <> %s", (pid,))) == [(True,)]

    def test_a_network_that_breaks(self, database: str, other: Other) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"CREATE TABLE u", "after")
            with pytest.raises(ConnectionError, match="Nothing of the transaction"):
                run_in_one(session, "CREATE TABLE t (id int)", "CREATE TABLE u (id int)")
            assert tables(other) == set()

    def test_a_commit_the_server_never_saw(self, database: str, other: Other) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"COMMIT\0", "before")
            with pytest.raises(ConnectionError) as caught, session.transaction(FOREVER, ()):
                session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            assert caught.value.code == "connection_lost"
            assert tables(other) == set()

    def test_a_commit_whose_answer_is_lost_counts(self, database: str, other: Other) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"COMMIT\0", "after")
            with session.transaction(FOREVER, ()):
                session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            assert tables(other) == {"t"}

    def test_a_commit_nobody_can_be_asked_about(self, database: str, other: Other) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"COMMIT\0", "after", for_good=True)
            with (
                pytest.raises(ConnectionError, match="not known") as caught,
                session.transaction(FOREVER, ()),
            ):
                session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            assert caught.value.code == "commit_unknown"
            assert tables(other) == {"t"}

    def test_a_commit_of_nothing_is_no_question(self, database: str) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"COMMIT\0", "after", for_good=True)
            with pytest.raises(ConnectionError) as caught, session.transaction(FOREVER, ()):
                session.run(FOREVER, [S("SELECT 1")])
            assert caught.value.code == "connection_lost"
