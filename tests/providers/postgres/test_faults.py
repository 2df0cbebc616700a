"""What the server refuses, in the five categories: what is wrong, where, and what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, PermissionError
from kolumn.engine.journal import journal_of
from kolumn.providers.postgres.connection.session import PostgresSession
from tests.providers.postgres.sessions import FOREVER, Other, S, backend, in_thread, opened, run_in_one
from tests.servers.postgres import Server

BEFORE = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE parent (id int PRIMARY KEY, "order" int UNIQUE);
CREATE TABLE child (
  id int NOT NULL, parent int REFERENCES parent, api_token text UNIQUE, n int CHECK (n > 0));
CREATE TABLE slots (during int4range, EXCLUDE USING gist (during WITH &&));
CREATE VIEW family AS SELECT * FROM parent;
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
INSERT INTO parent VALUES (1, 7);
INSERT INTO child VALUES (1, 1, 'tok-4711', 1);
INSERT INTO slots VALUES ('[1,5)');
"""

REFUSED = [
    # statement, code, words in the message, details
    (
        "INSERT INTO parent VALUES (1)",
        "unique_violation",
        "Key (id)=(1) already exists",
        {"constraint": "parent_pkey"},
    ),
    ("INSERT INTO child VALUES (2, 9)", "foreign_key_violation", "(parent)=(9)", {"table": "child"}),
    ("DELETE FROM parent", "foreign_key_violation", "still referenced", {"constraint": "child_parent_fkey"}),
    (
        "INSERT INTO child VALUES (NULL, 1)",
        "not_null_violation",
        '"id"',
        {"column": "id", "schema": "public"},
    ),
    (
        "INSERT INTO child VALUES (3, 1, '', 0)",
        "check_violation",
        "child_n_check",
        {"constraint": "child_n_check"},
    ),
    ("INSERT INTO slots VALUES ('[2,3)')", "exclusion_violation", "during", {"table": "slots"}),
    ("SELECT 'x'::int", "invalid_value", '"x"', {}),
    ("SELECT 3000000000::int", "value_out_of_range", "out of range", {}),
    ("SELECT 1/0", "division_by_zero", "division", {}),
    ("CREATE TABLE parent (id int)", "duplicate_table", '"parent" already exists', {}),
    ("CREATE TYPE mood AS ENUM ()", "duplicate_object", '"mood"', {}),
    ("CREATE SCHEMA public", "duplicate_schema", '"public"', {}),
    ("CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS ''", "duplicate_function", '"f"', {}),
    ("ALTER TABLE parent ADD COLUMN id int", "duplicate_column", '"id"', {}),
    ("SELECT nothing FROM parent", "undefined_column", '"nothing"', {"line": 1, "column": 8}),
    ("SELECT * FROM\n  nowhere", "undefined_table", '"nowhere"', {"line": 2, "column": 3}),
    ("SELECT nope('é', 1)", "undefined_function", "nope(unknown, integer)", {"line": 1, "column": 8}),
    ("SELECT 'é😀', nope(1)", "undefined_function", "nope(integer)", {"line": 1, "column": 14}),
    ("CREATE TABLE x (a nothing)", "undefined_object", '"nothing"', {"line": 1, "column": 19}),
    ("CREATE TABLE nowhere.x (a int)", "undefined_schema", '"nowhere"', {}),
    ("SELECT 1\n\n FROM FROM parent", "syntax_error", '"FROM"', {"line": 3, "column": 7}),
    ("SELECT (1", "syntax_error", "end of input", {"line": 1, "column": 10}),
    ("DROP TABLE parent", "dependents_exist", "view family depends on table parent", {}),
    ("DROP FUNCTION g(int)", "undefined_function", "g(integer)", {}),
    ("ALTER TABLE parent ALTER id TYPE date", "type_mismatch", "USING", {}),
    ("SELECT id::date FROM parent", "cannot_cast", "integer to date", {}),
    ("CREATE TABLE x (a int REFERENCES child (n))", "invalid_foreign_key", "no unique constraint", {}),
    ("CREATE SCHEMA pg_mine", "reserved_name", "pg_mine", {}),
    ("DO $$ BEGIN RAISE 'out of cheese'; END $$", "raised", "out of cheese", {"sqlstate": "P0001"}),
    ("DO $$ BEGIN RAISE 'odd' USING ERRCODE = 'QQ123'; END $$", "sql_error", "odd", {"sqlstate": "QQ123"}),
    ("ALTER ROLE nobody_there LOGIN", "undefined_object", "nobody_there", {}),
    ("ALTER TYPE mood ADD VALUE 'mad'; SELECT 1", "syntax_error", "multiple commands", {}),
]


@pytest.mark.parametrize(
    ("text", "code", "words", "details"), REFUSED, ids=[each[0][:40] for each in REFUSED]
)
def test_what_the_server_refuses(
    session: PostgresSession, other: Other, text: str, code: str, words: str, details: dict[str, Any]
) -> None:
    other.execute(BEFORE)
    with pytest.raises(OperationError) as caught:
        run_in_one(session, text)
    error = caught.value
    assert error.code == code
    assert words in error.message
    assert {key: error.details.get(key) for key in details} == details
    assert error.details["statement"] == text


def test_every_dependent_is_named(session: PostgresSession, other: Other) -> None:
    other.execute(BEFORE)
    with pytest.raises(OperationError) as caught:
        run_in_one(session, "DROP TABLE parent")
    assert "view family" in caught.value.message
    assert "child_parent_fkey" in caught.value.message


def test_rows_and_tokens_are_not_shown(session: PostgresSession, other: Other) -> None:
    other.execute(BEFORE)
    for text in (
        "INSERT INTO child VALUES (9, 1, 'tok-4711', 1)",
        "INSERT INTO child SELECT 9, parent, 'new-' || api_token, 0 FROM child",
        "INSERT INTO child SELECT NULL, parent, 'new-' || api_token, 1 FROM child",
    ):
        with pytest.raises(OperationError) as caught:
            session.run(FOREVER, [S(text.replace("'tok-4711'", "(SELECT api_token FROM child LIMIT 1)"))])
        assert "4711" not in str(caught.value) + str(caught.value.details)


def test_an_extension_that_is_not_installed(session: PostgresSession) -> None:
    with pytest.raises(OperationError, match="nothing_of_the_kind") as caught:
        run_in_one(session, "CREATE EXTENSION nothing_of_the_kind")
    assert caught.value.code in ("unsupported_by_server", "undefined_file")  # the latter is version 14's


def test_a_long_statement_is_cut(session: PostgresSession) -> None:
    with pytest.raises(OperationError) as caught:
        session.run(FOREVER, [S("SELECT nothing -- " + "x" * 100_000)])
    assert len(caught.value.details["statement"]) == 2000


class TestOthers:
    """What others do at the same time."""

    def test_a_lock_that_others_hold(self, database: str, other: Other) -> None:
        other.execute(BEFORE)
        with opened(database, lock_timeout=0.3) as session, psycopg.connect(database) as holder:
            holder.execute("LOCK TABLE parent")
            with pytest.raises(OperationError, match="lock_timeout") as caught:
                run_in_one(session, "CREATE TABLE x (id int)", "ALTER TABLE parent ADD COLUMN b int")
            assert caught.value.code == "lock_timeout"
            holder.rollback()
            run_in_one(session, "CREATE TABLE x (id int)", "ALTER TABLE parent ADD COLUMN b int")

    def test_a_deadlock(self, session: PostgresSession, other: Other, database: str) -> None:
        other.execute("SET deadlock_timeout = '60s'")  # the session under test is to notice it
        other.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)")

        def cross() -> None:
            thread = in_thread(lambda: other.execute("LOCK TABLE a") and None)
            session.run(FOREVER, [S("SELECT pg_sleep(0.3)")])
            waiting.append(thread)

        waiting: list[Any] = []
        other.execute("BEGIN; LOCK TABLE b")
        with pytest.raises(OperationError) as caught:
            run_in_one(session, "LOCK TABLE a", cross, "LOCK TABLE b")
        waiting[0].join(10)
        other.execute("ROLLBACK")
        assert caught.value.code == "deadlock"

    def test_somebody_who_still_uses_it(self, session: PostgresSession, database: str) -> None:
        name = database.rpartition("/")[2]
        with pytest.raises(OperationError, match=r"used by|being accessed|currently open") as caught:
            session.run(FOREVER, [S(f'DROP DATABASE "{name}"')])
        assert caught.value.code == "in_use"

    def test_the_server_is_stopped_by_its_own_limit(self, session: PostgresSession, other: Other) -> None:
        with session.transaction(FOREVER, ()):
            session.run(FOREVER, [S("SET LOCAL statement_timeout = 100")])
            with pytest.raises(OperationError) as caught:
                session.run(FOREVER, [S("SELECT pg_sleep(60)")])
            session.run(FOREVER, [S("ROLLBACK"), S("BEGIN")])
        assert caught.value.code == "interrupted"
        assert "statement timeout" in caught.value.message


class TestLimits:
    def test_no_room_for_sorting(self, server: Server, database: str, other: Other) -> None:
        name = database.rpartition("/")[2]
        other.execute("CREATE TABLE t AS SELECT md5(n::text) AS x FROM generate_series(1, 200000) n")
        other.execute(f"ALTER DATABASE \"{name}\" SET temp_file_limit = '1MB'")
        other.execute(f"ALTER DATABASE \"{name}\" SET maintenance_work_mem = '1MB'")
        other.execute(f'ALTER DATABASE "{name}" SET max_parallel_maintenance_workers = 0')
        with opened(database) as session:
            with pytest.raises(OperationError, match="temp_file_limit") as caught:
                run_in_one(session, "CREATE TABLE x (id int)", "CREATE INDEX i ON t (x)")
            assert caught.value.code == "limit_exceeded"
            assert session.query(FOREVER, S("SELECT to_regclass('x')::text")) == [(None,)]

    def test_a_disk_that_cannot_be_written(
        self, server: Server, session: PostgresSession, tmp_path: Path
    ) -> None:
        with pytest.raises(KolumnError) as caught:
            session.run(FOREVER, [S(f"CREATE TABLESPACE t LOCATION '{tmp_path}/nowhere'")])
        assert caught.value.code in ("undefined_file", "io_error")

    def test_too_many_connections(self, database: str, role: str, other: Other) -> None:
        other.execute(f'ALTER ROLE "{role}" CONNECTION LIMIT 0')
        with (
            opened(database.replace("postgres@", f"{role}@")) as session,
            pytest.raises(ConnectionError) as caught,
        ):
            session.ping(FOREVER)
        assert caught.value.code == "too_many_connections"


@pytest.fixture
def role(database: str, other: Other) -> Iterator[str]:
    """A role that may log in and nothing else."""
    name = f"role_{database[-8:]}"
    other.execute(f'CREATE ROLE "{name}" LOGIN')
    yield name
    other.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


class TestRights:
    def test_what_is_not_allowed(self, database: str, role: str, other: Other) -> None:
        other.execute(BEFORE)
        other.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        with opened(database.replace("postgres@", f"{role}@")) as session:
            assert not session.is_superuser
            for text, words in (
                ("SELECT * FROM parent", "table parent"),
                ("CREATE TABLE x (id int)", "schema public"),
                ("DROP TABLE child", "owner of table child"),
                ("CREATE SCHEMA s", "database"),
                ("CREATE ROLE r", "create role"),
            ):
                with pytest.raises(PermissionError, match=words) as caught:
                    run_in_one(session, text)
                assert caught.value.code == "denied"

    def test_a_role_that_may_not_be_assumed(self, database: str, role: str) -> None:
        url = database.replace("postgres@", f"{role}@")
        with opened(url, role="postgres") as session, pytest.raises(PermissionError, match="postgres"):
            session.ping(FOREVER)

    def test_the_metadata_schema_may_not_be_made(self, database: str, role: str) -> None:
        with opened(database.replace("postgres@", f"{role}@")) as session:
            journal = journal_of(session)
            assert journal is not None
            with pytest.raises(PermissionError, match="metadata_schema"):
                journal.begin(FOREVER, "a", ["create t"])


class TestConnecting:
    def refused(self, url: str, **settings: object) -> KolumnError:
        with opened(url, **settings) as session, pytest.raises(KolumnError) as caught:
            session.ping(FOREVER)
        assert "hunter22" not in str(caught.value) + repr(caught.value) + str(caught.value.details)
        return caught.value

    def test_nobody_listens(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            error = self.refused(f"postgresql://me:hunter22@127.0.0.1:{free.getsockname()[1]}/db")
        assert isinstance(error, ConnectionError)
        assert (error.code, error.details["where"][-3:]) == ("refused", "/db")

    def test_a_socket_that_is_not_there(self, tmp_path: Path) -> None:
        assert self.refused(f"postgresql:///db?host={tmp_path}").code == "refused"

    def test_nobody_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/db"
            assert self.refused(url, connect_timeout=1).code == "connect_timeout"
            with opened(url) as session, pytest.raises(OperationError) as caught:
                session.ping(FOREVER.with_timeout(0.5))
            assert caught.value.code == "deadline_exceeded"

    def test_a_host_that_is_unknown(self) -> None:
        assert self.refused("postgresql://me:hunter22@nowhere.invalid/db").code == "unknown_host"

    def test_a_database_that_is_not_there(self, server: Server) -> None:
        error = self.refused(server.url_of("no_such_database"))
        assert (type(error), error.code) == (ConnectionError, "no_such_database")

    def test_a_role_that_is_not_there(self, server: Server) -> None:
        error = self.refused(server.url_of("postgres", "no_such_role", "hunter22"))
        assert (type(error), error.code) == (PermissionError, "login_refused")

    def test_a_server_without_tls(self, server: Server) -> None:
        with psycopg.connect(server.url) as connection:
            if connection.info.pgconn.ssl_in_use or connection.execute("SHOW ssl").fetchone() == ("on",):
                pytest.skip("this server has TLS")
        assert self.refused(server.url, ssl_mode="require").code == "tls"

    def test_something_else_that_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as web:

            def answer() -> None:
                client, _ = web.accept()
                client.recv(1000)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                client.close()

            in_thread(answer)
            error = self.refused(f"postgresql://127.0.0.1:{web.getsockname()[1]}/db", ssl_mode="disable")
        assert isinstance(error, ConnectionError)


def test_cancelled_by_an_administrator(session: PostgresSession, other: Other) -> None:
    thread = in_thread(
        lambda: other.execute("SELECT pg_cancel_backend(%s)", (backend(other, running="pg_sleep"),)) and None
    )
    with pytest.raises(OperationError) as caught:
        session.run(FOREVER, [S("SELECT pg_sleep(60)")])
    thread.join(10)
    assert caught.value.code == "interrupted"
