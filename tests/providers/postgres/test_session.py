"""Sessions on real servers: connecting, statements in pipelines, transactions, reading, trying out."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import psycopg
import pytest

from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    PermissionError,
    ValidationError,
)
from kolumn.providers.postgres.connection import connections
from kolumn.providers.postgres.connection.session import PostgresSession
from kolumn.providers.postgres.connection.settings import parse_settings
from tests.providers.postgres.network import link
from tests.providers.postgres.sessions import (
    FOREVER,
    Other,
    S,
    heard,
    in_thread,
    opened,
    run_in_one,
    step,
    tables,
)
from tests.servers.postgres import Server


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
        self, database: str, other: Other
    ) -> None:
        for unwanted in (
            "DateStyle = 'German'",
            "TimeZone = 'Asia/Tokyo'",
            "search_path = pg_catalog",
            "statement_timeout = 1000",
            "check_function_bodies = on",
            "default_transaction_isolation = serializable",
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

    def test_a_database_made_read_only_stays_so(self, database: str, other: Other) -> None:
        name = database.rpartition("/")[2]
        other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with opened(database) as session:
            with pytest.raises(PermissionError, match="read-only") as caught:
                run_in_one(session, "CREATE TABLE t (id int)")
            assert caught.value.code == "read_only"

    def test_a_server_that_is_gone_is_told_at_once(self, database: str) -> None:
        with link(database) as way, opened(way.url) as session:
            session.ping(FOREVER)
            way.is_down = True
            way.cut_at(b"SELECT 2", "before", for_good=True)
            with pytest.raises(ConnectionError):
                session.query(FOREVER, S("SELECT 2"))
            started = time.monotonic()
            with pytest.raises(ConnectionError, match="cannot connect"):
                session.query(FOREVER, S("SELECT 3"))
            assert time.monotonic() - started < 10

    def test_a_role_is_assumed(self, database: str, other: Other) -> None:
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

    def test_threads_work_side_by_side(self, session: PostgresSession, other: Other) -> None:
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

    def test_one_statement_is_one_statement(self, session: PostgresSession, other: Other) -> None:
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
        self, session: PostgresSession, other: Other, at: int
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

    def test_thousands_take_few_round_trips(self, database: str, other: Other) -> None:
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
        with heard(lambda *record: seen.append((record[1], record[3].get("message")))):
            session.run(
                FOREVER, [S("DO $$ BEGIN RAISE WARNING 'mind the gap'; RAISE NOTICE 'nothing'; END $$")]
            )
        assert ("warn", "mind the gap") in seen
        assert not [each for each in seen if "nothing" in str(each)]


class TestTransactions:
    def test_it_is_all_or_nothing(self, session: PostgresSession, other: Other) -> None:
        seen: list[set[str]] = []
        with pytest.raises(OperationError):
            run_in_one(session, "CREATE TABLE t (id int)", lambda: seen.append(tables(other)), "nonsense")
        assert seen == [set()]
        assert tables(other) == set()
        with session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("CREATE TABLE t (id int)")])
        assert tables(other) == {"t"}

    def test_a_constraint_that_waits_for_the_commit_fails_there(
        self, session: PostgresSession, other: Other
    ) -> None:
        other.execute("CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(OperationError) as caught, session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("INSERT INTO t VALUES (1), (1)")])
        assert caught.value.code == "unique_violation"
        assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_a_failure_that_was_overlooked_is_no_success(
        self, session: PostgresSession, other: Other
    ) -> None:
        def fail() -> None:
            with pytest.raises(OperationError):
                session.run(FOREVER, [S("nonsense")])

        with pytest.raises(OperationError) as caught:
            run_in_one(session, "CREATE TABLE t (id int)", fail)
        assert caught.value.code == "transaction_aborted"
        assert tables(other) == set()

    def test_one_inside_another_is_refused(self, session: PostgresSession) -> None:
        with pytest.raises(OperationError) as caught:
            run_in_one(session, lambda: run_in_one(session, "SELECT 1"))
        assert caught.value.code == "nested_transaction"

    def test_what_must_not_run_in_one_runs_by_itself(self, session: PostgresSession, other: Other) -> None:
        other.execute("CREATE TABLE t (id int)")
        alone = step(transactional=False)
        with session.transaction(FOREVER, [alone]):
            session.run(FOREVER, [S("CREATE INDEX CONCURRENTLY i ON t (id)"), S("VACUUM t")])
        with pytest.raises(OperationError), session.transaction(FOREVER, [alone]):
            session.run(
                FOREVER, [S("CREATE TABLE stays (id int)"), S("nonsense"), S("CREATE TABLE never (id int)")]
            )
        assert tables(other) == {"t", "stays"}

    def test_a_step_that_may_be_tried_again_waits_briefly(self, database: str, other: Other) -> None:
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
    def test_all_queries_see_one_moment(self, session: PostgresSession, other: Other) -> None:
        count = "SELECT count(*) FROM pg_class WHERE relname = 'late'"
        with session.read(FOREVER) as fetch:
            assert fetch(count) == [(0,)]
            other.execute("CREATE TABLE late (id int)")
            assert fetch.fetch_many([count, S("SELECT %s::int", (7,))]) == [[(0,)], [(7,)]]
        assert session.query(FOREVER, S(count)) == [(1,)]

    def test_names_come_out_qualified(self, session: PostgresSession, other: Other) -> None:
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
    def test_nothing_stays(self, session: PostgresSession, other: Other) -> None:
        with session.scratch(FOREVER) as scratch:
            assert scratch.attempt([S("CREATE TABLE t (n numeric CHECK (n > 0))")]) == [None]
            query = "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = 't'::regclass"
            assert scratch.fetch(query + " AND contype = 'c'") == [("(n > (0)::numeric)",)]
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
