"""Sessions on real servers: transactions, pipelines, cancelling, lost connections, locks, the journal."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    PermissionError,
    StateError,
    ValidationError,
)
from kolumn.contract.logs import subscribe
from kolumn.contract.masking import REDACTED
from kolumn.contract.secrets import SecureString
from kolumn.engine.operations import Create, Statement, Step
from kolumn.engine.resource import Ref
from kolumn.providers.postgres import connections
from kolumn.providers.postgres.confidential import RolePassword, confidential
from kolumn.providers.postgres.session import PostgresSession
from kolumn.providers.postgres.settings import parse_settings
from tests.providers.postgres.network import link
from tests.servers.postgres import Server

S = Statement
FOREVER = Context.background()


@contextmanager
def opened(url: str, **settings: object) -> Iterator[PostgresSession]:
    session = PostgresSession(parse_settings({"url": url, **settings}))
    try:
        yield session
    finally:
        session.close()


@pytest.fixture
def session(database: str) -> Iterator[PostgresSession]:
    with opened(database) as session:
        yield session


@pytest.fixture
def other(database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Somebody else who is connected to the same database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def tables(connection: psycopg.Connection[tuple[Any, ...]]) -> set[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {name for (name,) in rows}


def step(**about: Any) -> Step:
    ref = Ref("table", "t")
    return Step(operation=Create(subject=ref, model=None), description="create", statements=(), **about)


def backend(other: psycopg.Connection[tuple[Any, ...]], *, running: str = "") -> int:
    """Return the process of the session under test, once it runs a statement like `running`."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = other.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'kolumn' AND datname = current_database() "
            "AND query LIKE %s AND (state = 'active' OR %s)",
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


class TestConnecting:
    def test_a_session_says_what_the_server_is(self, server: Server, session: PostgresSession) -> None:
        assert session.ping(FOREVER).startswith(f"PostgreSQL {server.version}.")
        found = session.capabilities
        assert (found.transactional_ddl, found.max_identifier) == (True, 63)
        assert session.version // 10000 == server.version
        assert session.is_superuser
        assert session.server(FOREVER).since(server.version)
        assert not session.server(FOREVER).since(server.version + 1)

    def test_what_statements_rely_on_is_set_whatever_the_database_says(
        self, database: str, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        for unwanted in (
            "DateStyle = 'German'",
            "TimeZone = 'Asia/Tokyo'",
            "search_path = pg_catalog",
            "statement_timeout = 1",
            "check_function_bodies = on",
            "default_transaction_isolation = serializable",
            "default_transaction_read_only = on",
        ):
            name = database.rpartition("/")[2]
            other.execute(f'ALTER DATABASE "{name}" SET {unwanted}')
        with opened(database, lock_timeout=1.5) as session:
            names = [
                "DateStyle",
                "TimeZone",
                "search_path",
                "statement_timeout",
                "check_function_bodies",
                "lock_timeout",
            ]
            ((*values,),) = session.query(
                FOREVER, S("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
            )
            assert values == ["ISO, YMD", "UTC", "public", "0", "off", "1500ms"]
            with session.transaction(FOREVER, ()):
                session.run(FOREVER, [S("CREATE TABLE made (id int)")])
                assert session.query(FOREVER, S("SHOW transaction_isolation")) == [("read committed",)]
        assert tables(other) == {"made"}

    def test_a_role_is_assumed(self, database: str, other: psycopg.Connection[tuple[Any, ...]]) -> None:
        role = f'Owner "of" {database[-8:]}'
        quoted = role.replace('"', '""')
        other.execute(f'CREATE ROLE "{quoted}"; GRANT CREATE ON SCHEMA public TO "{quoted}"')
        try:
            with opened(database, role=role) as session:
                assert session.current_user == role
                assert session.server(FOREVER).login != role
                assert not session.is_superuser
                session.run(FOREVER, [S("CREATE TABLE mine (id int)")])
            assert other.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'mine'").fetchone() == (
                role,
            )
            with (
                opened(database, role="nobody at all") as session,
                pytest.raises(KolumnError, match="nobody at all"),
            ):
                session.ping(FOREVER)
        finally:
            other.execute(f'DROP OWNED BY "{quoted}"; DROP ROLE "{quoted}"')

    def test_an_older_server_is_refused(
        self, session: PostgresSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "OLDEST", 990000)
        with pytest.raises(ConnectionError, match="needs PostgreSQL") as caught:
            session.ping(FOREVER)
        assert caught.value.code == "unsupported_version"

    def test_the_driver_is_loaded_when_it_is_used(self) -> None:
        code = "import sys, kolumn.providers.postgres; sys.exit('psycopg' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code]).returncode == 0

    def test_a_closed_session_stays_closed(self, database: str) -> None:
        settings = parse_settings({"url": database, "password": "forgotten"})
        session = PostgresSession(settings)
        session.ping(FOREVER)
        session.close()
        session.close()
        assert not settings.secret
        with pytest.raises(ConnectionError, match="closed"):
            session.ping(FOREVER)

    def test_connections_are_limited(self, database: str) -> None:
        with opened(database, connection_pool={"max_size": 1, "timeout": 0.2}) as session:
            found: list[KolumnError] = []

            def ask() -> None:
                try:
                    session.query(FOREVER, S("SELECT 1"))
                except KolumnError as error:
                    found.append(error)

            with session.transaction(FOREVER, ()):
                session.run(FOREVER, [S("SELECT 1")])
                in_thread(ask).join(10)
            assert [error.code for error in found] == ["pool_exhausted"]
            ask()
            assert len(found) == 1

    def test_threads_work_side_by_side(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        def work(number: int) -> None:
            with session.transaction(FOREVER, ()):
                session.run(FOREVER, [S(f"CREATE TABLE t{number} (id int)"), S("SELECT pg_sleep(0.05)")])
                assert session.query(FOREVER, S(f"SELECT to_regclass('t{number}')::text")) == [
                    (f"t{number}",)
                ]

        threads = [in_thread(lambda number=number: work(number)) for number in range(8)]
        for thread in threads:
            thread.join(20)
        assert tables(other) == {f"t{number}" for number in range(8)}


class TestStatements:
    def test_values_travel_apart(self, session: PostgresSession) -> None:
        hostile = "'; DROP TABLE x; -- %s $1 \\ \" é 😀"
        assert session.query(
            FOREVER, S("SELECT %s::text, '%%', %s::int + 1, %s::text[]", (hostile, 41, ["a", hostile]))
        ) == [(hostile, "%", 42, ["a", hostile])]
        assert session.query(FOREVER, S("SELECT '%s', '%%', 5 % 3")) == [("%s", "%%", 2)]

    def test_one_statement_is_one_statement(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with pytest.raises(OperationError, match="multiple commands"):
            session.run(FOREVER, [S("SELECT 1; CREATE TABLE smuggled (id int)")])
        assert tables(other) == set()

    @pytest.mark.parametrize("text", ["SELECT 'a\0'", "SELECT '\ud800'"])
    def test_what_cannot_travel_is_refused(self, session: PostgresSession, text: str) -> None:
        with pytest.raises(ValidationError):
            session.run(FOREVER, [S(text)])

    def test_copying_is_refused(self, session: PostgresSession) -> None:
        for text in ("COPY pg_class TO STDOUT", "CREATE TEMP TABLE t (id int)", "COPY pg_class FROM STDIN"):
            if text.startswith("CREATE"):
                session.run(FOREVER, [S(text)])
                continue
            with pytest.raises(KolumnError):
                session.run(FOREVER, [S(text)])
        assert session.query(FOREVER, S("SELECT 1")) == [(1,)]

    @pytest.mark.parametrize("at", [0, 1, 500, 999, 1000, 1999])
    def test_the_one_that_fails_among_2000_is_found(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]], at: int
    ) -> None:
        statements = [S(f"CREATE VIEW v{number} AS SELECT {number} AS n") for number in range(2000)]
        statements[at] = S(f"CREATE VIEW v{at} AS SELECT nothing_{at}")
        finished: list[None] = []
        with (
            pytest.raises(OperationError) as caught,
            session.transaction(FOREVER, ()),
        ):
            session.run(FOREVER, statements, lambda: finished.append(None))
        assert len(finished) == at
        assert caught.value.code == "undefined_column"
        assert caught.value.details["statement"] == statements[at].text
        assert other.execute("SELECT count(*) FROM pg_views WHERE schemaname = 'public'").fetchone() == (0,)
        assert session.query(FOREVER, S("SELECT 1")) == [(1,)]

    def test_thousands_take_few_round_trips(
        self, database: str, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            before = way.turns
            with session.transaction(FOREVER, ()):
                session.run(FOREVER, [S(f"CREATE VIEW v{number} AS SELECT 1 AS n") for number in range(2000)])
            assert way.turns - before < 100
        assert other.execute("SELECT count(*) FROM pg_views WHERE schemaname = 'public'").fetchone() == (
            2000,
        )

    def test_large_statements_and_answers_pass_each_other(self, session: PostgresSession) -> None:
        text = "x" * 1_000_000
        with session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("SELECT %s::text", (text,)) for _ in range(30)])
        assert session.query(FOREVER, S("SELECT repeat('y', 20000000)")) == [("y" * 20_000_000,)]

    def test_warnings_of_the_server_are_logged(self, session: PostgresSession) -> None:
        seen: list[Any] = []
        with heard(lambda logger, level, event, fields: seen.append((level, fields.get("message")))):
            session.run(
                FOREVER, [S("DO $$ BEGIN RAISE WARNING 'mind the gap'; RAISE NOTICE 'nothing'; END $$")]
            )
        assert ("warn", "mind the gap") in seen
        assert not [each for each in seen if "nothing" in str(each)]


class TestTransactions:
    def test_it_is_all_or_nothing(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with pytest.raises(ZeroDivisionError), session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            assert tables(other) == set()
            raise ZeroDivisionError
        assert tables(other) == set()
        with session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("CREATE TABLE t (id int)")])
        assert tables(other) == {"t"}

    def test_a_constraint_that_waits_for_the_commit_fails_there(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        other.execute("CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(OperationError) as caught, session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("INSERT INTO t VALUES (1), (1)")])
        assert caught.value.code == "unique_violation"
        assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_a_failure_that_was_overlooked_is_no_success(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with pytest.raises(OperationError) as caught, session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            with pytest.raises(OperationError):
                session.run(FOREVER, [S("nonsense")])
        assert caught.value.code == "transaction_aborted"
        assert tables(other) == set()

    def test_one_inside_another_is_refused(self, session: PostgresSession) -> None:
        with session.transaction(FOREVER, ()), pytest.raises(OperationError) as caught:
            with session.transaction(FOREVER, ()):
                pass
        assert caught.value.code == "nested_transaction"

    def test_what_must_not_run_in_one_runs_by_itself(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        other.execute("CREATE TABLE t (id int)")
        alone = step(transactional=False)
        with session.transaction(FOREVER, [alone]):
            session.run(FOREVER, [S("CREATE INDEX CONCURRENTLY i ON t (id)"), S("VACUUM t")])
        with pytest.raises(OperationError), session.transaction(FOREVER, [alone]):
            session.run(
                FOREVER, [S("CREATE TABLE stays (id int)"), S("nonsense"), S("CREATE TABLE never (id int)")]
            )
        assert tables(other) == {"t", "stays"}

    def test_a_step_that_may_be_tried_again_waits_briefly(
        self, database: str, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        other.execute("CREATE TABLE t (id int)")
        with (
            opened(database, online_lock_timeout=0.2, lock_timeout=60) as session,
            psycopg.connect(database) as holder,
        ):
            holder.execute("SELECT * FROM t")
            for transactional in (True, False):
                started = time.monotonic()
                again = step(transactional=transactional, attempts=3)
                with pytest.raises(OperationError) as caught, session.transaction(FOREVER, [again]):
                    session.run(FOREVER, [S("ALTER TABLE t ADD COLUMN b int")])
                assert caught.value.code == "lock_timeout"
                assert time.monotonic() - started < 10
                assert session.query(FOREVER, S("SHOW lock_timeout")) == [("1min",)]

    def test_a_transaction_that_ran_nothing_sends_nothing(self, session: PostgresSession) -> None:
        session.ping(FOREVER)
        before = session.queries_sent
        with session.transaction(FOREVER, ()):
            pass
        assert session.queries_sent == before


class TestReading:
    def test_all_queries_see_one_moment(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        count = "SELECT count(*) FROM pg_class WHERE relname = 'late'"
        with session.read(FOREVER) as fetch:
            assert fetch(count) == [(0,)]
            other.execute("CREATE TABLE late (id int)")
            assert fetch.fetch_many([count, S("SELECT %s::int", (7,))]) == [[(0,)], [(7,)]]
        assert session.query(FOREVER, S(count)) == [(1,)]

    def test_names_come_out_qualified(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        other.execute("CREATE TABLE t (id int); CREATE VIEW v AS SELECT * FROM t")
        with session.read(FOREVER) as fetch:
            assert fetch("SELECT 'public.t'::regclass::text") == [("public.t",)]
        assert session.query(FOREVER, S("SELECT 'public.t'::regclass::text")) == [("t",)]
        with session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("CREATE TABLE new (id int)")])
            with session.read(FOREVER) as fetch:
                assert fetch("SELECT 'public.new'::regclass::text") == [("public.new",)]
            session.run(FOREVER, [S("CREATE TABLE newer (id int)")])
        assert tables(other) == {"t", "new", "newer"}

    def test_nothing_is_written(self, session: PostgresSession) -> None:
        with pytest.raises(PermissionError) as caught, session.read(FOREVER) as fetch:
            fetch("CREATE TABLE public.t (id int)")
        assert caught.value.code == "read_only"

    def test_queries_are_counted(self, session: PostgresSession) -> None:
        session.ping(FOREVER)
        before = session.queries_sent
        with session.read(FOREVER) as fetch:
            fetch("SELECT 1")
            fetch.fetch_many(["SELECT 1", "SELECT 2"])
        assert session.queries_sent - before == 3


class TestScratch:
    def test_nothing_stays(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with session.scratch(FOREVER) as scratch:
            assert scratch.attempt([S("CREATE TABLE t (n numeric CHECK (n > 0))")]) == [None]
            query = "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'"
            assert scratch.fetch(query) == [("(n > (0)::numeric)",)]
            with scratch.reading() as fetch:
                assert fetch("SELECT 'public.t'::regclass::text") == [("public.t",)]
        assert tables(other) == set()

    def test_a_trial_that_fails_is_as_if_not_tried(self, session: PostgresSession) -> None:
        trials = [
            S("CREATE TABLE a (id int)"),
            [S("CREATE TABLE b (id int)"), S("nonsense"), S("CREATE TABLE c (id int)")],
            S("CREATE TABLE b (id text)"),
            [],
            S("SELECT * FROM c"),
            [S("CREATE TABLE c (id int)"), S("CREATE TABLE d (id int)")],
        ]
        with session.scratch(FOREVER) as scratch:
            found = scratch.attempt(trials)
            assert [error and error.code for error in found] == [
                None,
                "syntax_error",
                None,
                None,
                "undefined_table",
                None,
            ]
            names = scratch.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
            )
        assert names == [("a",), ("b",), ("c",), ("d",)]

    def test_thousands_are_tried(self, session: PostgresSession) -> None:
        bad = {0, 299, 300, 301, 999}
        trials = [
            S("nonsense" if number in bad else f"CREATE VIEW v{number} AS SELECT 1") for number in range(1000)
        ]
        with session.scratch(FOREVER) as scratch:
            found = scratch.attempt(trials)
        assert {number for number, error in enumerate(found) if error} == bad


class TestStopping:
    def test_a_deadline_stops_the_statement_on_the_server(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        started = time.monotonic()
        with pytest.raises(OperationError) as caught:
            session.query(FOREVER.with_timeout(0.3), S("SELECT pg_sleep(60)"))
        assert caught.value.code == "deadline_exceeded"
        assert time.monotonic() - started < 10
        assert other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()"
        ).fetchone() == (0,)
        assert session.query(FOREVER, S("SELECT 1")) == [(1,)]

    def test_cancelling_ends_the_transaction(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
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

    def test_what_comes_after_is_not_cancelled(self, session: PostgresSession) -> None:
        for attempt in range(60):
            context = Context()
            timer = threading.Timer(attempt * 0.00005, context.cancel)
            timer.start()
            try:
                session.query(context, S("SELECT pg_sleep(0.001)"))
            except OperationError as error:
                assert error.code == "cancelled"
            assert session.query(FOREVER, S("SELECT pg_sleep(0.0005), 1")) == [("", 1)]
            timer.join()

    def test_somebody_else_may_stop_it(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
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
    def test_ended_in_the_middle_of_a_statement(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        thread = in_thread(
            lambda: (
                other.execute("SELECT pg_terminate_backend(%s)", (backend(other, running="pg_sleep"),))
                and None
            )
        )
        with (
            pytest.raises(ConnectionError, match="Nothing of the transaction") as caught,
            session.transaction(FOREVER, ()),
        ):
            session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            session.run(FOREVER, [S("SELECT pg_sleep(60)")])
        thread.join(10)
        assert caught.value.code == "connection_lost"
        assert "administrator" in caught.value.message
        assert tables(other) == set()
        assert session.query(FOREVER, S("SELECT 1")) == [(1,)]

    def test_ended_between_two_statements(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with (
            pytest.raises(ConnectionError, match="Nothing of the transaction"),
            session.transaction(FOREVER, ()),
        ):
            session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            other.execute("SELECT pg_terminate_backend(%s)", (backend(other),))
            session.run(FOREVER, [S("CREATE TABLE u (id int)")])
        assert tables(other) == set()

    def test_ended_outside_of_a_transaction(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        thread = in_thread(
            lambda: (
                other.execute("SELECT pg_terminate_backend(%s)", (backend(other, running="pg_sleep"),))
                and None
            )
        )
        with pytest.raises(ConnectionError, match="not known") as caught:
            session.run(FOREVER, [S("SELECT pg_sleep(60)")])
        thread.join(10)
        assert caught.value.code == "connection_lost"

    def test_ended_while_idle_is_not_noticed(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        for _ in range(5):
            session.ping(FOREVER)
            pid = backend(other)
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            with session.transaction(FOREVER, ()):
                assert session.query(FOREVER, S("SELECT pg_backend_pid() <> %s", (pid,))) == [(True,)]

    def test_a_network_that_breaks(self, database: str, other: psycopg.Connection[tuple[Any, ...]]) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"CREATE TABLE u", "after")
            with (
                pytest.raises(ConnectionError, match="Nothing of the transaction"),
                session.transaction(FOREVER, ()),
            ):
                session.run(FOREVER, [S("CREATE TABLE t (id int)")])
                session.run(FOREVER, [S("CREATE TABLE u (id int)")])
            assert tables(other) == set()

    def test_a_commit_the_server_never_saw(
        self, database: str, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"COMMIT\0", "before")
            with pytest.raises(ConnectionError) as caught, session.transaction(FOREVER, ()):
                session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            assert caught.value.code == "connection_lost"
            assert tables(other) == set()

    def test_a_commit_whose_answer_is_lost_counts(
        self, database: str, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.cut_at(b"COMMIT\0", "after")
            with session.transaction(FOREVER, ()):
                session.run(FOREVER, [S("CREATE TABLE t (id int)")])
            assert tables(other) == {"t"}

    def test_a_commit_nobody_can_be_asked_about(
        self, database: str, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
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


class TestLock:
    def test_one_holds_it_and_the_other_hears_who(self, database: str, session: PostgresSession) -> None:
        with opened(database, application_name="the other one") as holder, holder.lock(FOREVER, "apply"):
            with (
                pytest.raises(StateError, match="the other one") as caught,
                session.lock(FOREVER.with_timeout(0.3), "apply"),
            ):
                pass
            found = caught.value.details["holder"]
            assert (found["user"], found["application"]) == ("postgres", "the other one")
            assert isinstance(found["pid"], int)
            with session.lock(FOREVER.with_timeout(5), "another"):
                pass
        with session.lock(FOREVER.with_timeout(5), "apply"):
            pass

    def test_the_setting_limits_the_wait_without_a_deadline(
        self, database: str, session: PostgresSession
    ) -> None:
        with session.lock(FOREVER, "apply"), opened(database, lock_timeout=0.2) as waiting:
            with pytest.raises(StateError), waiting.lock(FOREVER, "apply"):
                pass

    def test_it_is_waited_for(self, database: str, session: PostgresSession) -> None:
        order: list[str] = []
        with opened(database) as holder:
            with holder.lock(FOREVER, "apply"):

                def wait() -> None:
                    with session.lock(FOREVER.with_timeout(10), "apply"):
                        order.append("second")

                thread = in_thread(wait)
                time.sleep(0.3)
                order.append("first")
            thread.join(10)
        assert order == ["first", "second"]

    def test_waiting_is_cancelled(self, database: str, session: PostgresSession) -> None:
        context = Context()
        with opened(database) as holder, holder.lock(FOREVER, "apply"):
            threading.Timer(0.2, context.cancel).start()
            with pytest.raises(OperationError) as caught, session.lock(context, "apply"):
                pass
            assert caught.value.code == "cancelled"

    def test_it_ends_with_its_connection(
        self, database: str, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        with opened(database, application_name="gone") as holder, holder.lock(FOREVER, "apply"):
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'gone'"
            )
            with session.lock(FOREVER.with_timeout(5), "apply"):
                pass

    def test_who_waits_does_not_hold_up_an_index(self, database: str, session: PostgresSession) -> None:
        session.run(FOREVER, [S("CREATE TABLE t (id int)")])
        with opened(database) as waiting, session.lock(FOREVER, "apply"):

            def wait() -> None:
                with waiting.lock(FOREVER.with_timeout(30), "apply"):
                    pass

            thread = in_thread(wait)
            time.sleep(0.2)
            session.run(FOREVER.with_timeout(10), [S("CREATE INDEX CONCURRENTLY i ON t (id)")])
        thread.join(10)
        assert not thread.is_alive()


class TestJournal:
    @pytest.mark.parametrize("schema", ["kolumn", "Kol\"umn % 'notes'"])
    def test_it_leaves_nothing_behind(
        self, database: str, other: psycopg.Connection[tuple[Any, ...]], schema: str
    ) -> None:
        with opened(database, metadata_schema=schema) as session:
            journal = session.journal
            assert journal is not None
            assert journal.unfinished(FOREVER) == ()
            journal.begin(FOREVER, "a", ["create t", "create i", "drop u"])
            journal.note(FOREVER, "a", 1, 2, "done")
            journal.note(FOREVER, "a", 3, 3, "started")
        with opened(database, metadata_schema=schema) as session:
            journal = session.journal
            assert journal is not None
            found = [
                (each.apply, each.number, each.description, each.status)
                for each in journal.unfinished(FOREVER)
            ]
            assert found == [
                ("a", 1, "create t", "done"),
                ("a", 2, "create i", "done"),
                ("a", 3, "drop u", "started"),
            ]
            journal.begin(FOREVER, "b", ["again"])
            assert [each.apply for each in journal.unfinished(FOREVER)] == ["b"]
            journal.end(FOREVER)
            assert journal.unfinished(FOREVER) == ()
        names = other.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'")
        assert names.fetchall() == [("public",)]

    @pytest.mark.parametrize("theirs", ["before", "since"])
    def test_a_schema_that_others_use_stays(
        self, session: PostgresSession, other: psycopg.Connection[tuple[Any, ...]], theirs: str
    ) -> None:
        if theirs == "before":
            other.execute("CREATE SCHEMA kolumn")
        journal = session.journal
        assert journal is not None
        journal.begin(FOREVER, "a", ["create t"])
        if theirs == "since":
            other.execute("CREATE FUNCTION kolumn.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        journal.end(FOREVER)
        assert other.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'kolumn'").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM pg_class WHERE relname = 'journal'").fetchone() == (0,)


class TestSecrets:
    def test_a_password_reaches_the_server_as_what_can_check_it(
        self,
        server: Server,
        database: str,
        session: PostgresSession,
        other: psycopg.Connection[tuple[Any, ...]],
    ) -> None:
        if not server.demands_passwords:
            pytest.skip("this server trusts everybody")
        role, password = f"r%s_{database[-8:]}", "it's 100% \\ secret"
        other.execute(
            "DO $$ BEGIN CREATE ROLE kolumn_password_required; EXCEPTION WHEN duplicate_object THEN END $$"
        )
        create = confidential(
            f'CREATE ROLE "{role}" LOGIN PASSWORD ', RolePassword(role, SecureString(password))
        )
        with session.transaction(FOREVER, ()):
            session.run(FOREVER, [create, S(f'GRANT kolumn_password_required TO "{role}"')])
        try:
            stored = other.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
            assert stored is not None
            assert stored[0].startswith("SCRAM-SHA-256$")
            place = psycopg.conninfo.conninfo_to_dict(database)
            known = {"host": str(place["host"]), "port": str(place["port"]), "database": str(place["dbname"])}
            session_of = PostgresSession(parse_settings({**known, "username": role, "password": password}))
            assert session_of.current_user == role
            session_of.close()
            wrong = PostgresSession(parse_settings({**known, "username": role, "password": "wrong-one"}))
            with pytest.raises(PermissionError) as caught:
                wrong.ping(FOREVER)
            assert caught.value.code == "wrong_password"
            assert "wrong-one" not in str(caught.value)
            # A verifier, as somebody may have copied it from a server, is kept as it is.
            again = confidential(
                f'ALTER ROLE "{role}" PASSWORD ', RolePassword(role, SecureString(stored[0]))
            )
            session.run(FOREVER, [again])
            assert (
                other.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
                == stored
            )
        finally:
            other.execute(f'DROP ROLE "{role}"')

    def test_no_error_tells_it(self, session: PostgresSession) -> None:
        secret = SecureString('hush it\'s "quoted" \\ 100%')
        seen: list[str] = []
        failing = [
            confidential("ALTER ROLE nobody_there PASSWORD ", secret),
            confidential("SELECT CAST(", secret, " AS integer)"),
            confidential("SELECT ", secret, " FROM"),
            confidential("DO ", secret),
            confidential("DO LANGUAGE plpgsql ", secret),
            confidential("SELECT 1 FROM pg_class WHERE ", secret),
        ]
        with heard(lambda *record: seen.append(repr(record))):
            for statement in failing:
                with pytest.raises(KolumnError) as caught:
                    session.run(FOREVER, [statement])
                error = caught.value
                seen += [str(error), repr(error), repr(error.details), repr(statement), repr(error.__cause__)]
        for text in seen:
            assert not [part for part in ("hush", "quoted", "100") if part in text], text
        assert REDACTED in seen[5] + seen[10]
