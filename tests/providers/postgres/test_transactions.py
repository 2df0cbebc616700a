"""Transactions that span calls, as far as PostgreSQL has ways of its own: online steps, isolation, deferred checks."""

from __future__ import annotations

import psycopg

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from tests.client import wanted
from tests.conformance.test_validation import ID, column, table
from tests.providers.postgres.databases import database
from tests.providers.postgres.sessions import heard
from tests.servers import postgres


def test_steps_with_short_locks_run_inside_as_well(server: postgres.Server) -> None:
    made = "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1)"
    with database(server, made) as base, base.kolumn() as client:
        before = base.dump()
        wish = table("t", ID, column("x", not_null=True), checks=[{"name": "above", "expression": "x > 0"}])
        session = client.provider._connection.session  # type: ignore[attr-defined]
        usual = session.query(Context.background(), Statement("SHOW lock_timeout"))
        client.done("BeginTransaction")
        client.apply(wish, online=True)
        assert client.plan(wish)["execution_order"] == []
        assert session.query(Context.background(), Statement("SHOW lock_timeout")) == usual
        client.done("RollbackTransaction")
        assert base.dump() == before
        client.done("BeginTransaction")
        client.apply(wish, online=True)
        client.done("CommitTransaction")
        assert client.plan(wish)["execution_order"] == []
        assert (
            base.one("SELECT count(*) FROM pg_tables WHERE (schemaname, tablename) = ('kolumn', 'journal')")
            == 0
        )


def test_the_server_has_nothing_to_warn_of(server: postgres.Server) -> None:
    seen: list[str] = []
    with database(server) as base, base.kolumn() as client:
        with heard(lambda *record: seen.append(record[2])):
            for end in ("CommitTransaction", "RollbackTransaction"):
                client.done("BeginTransaction")
                client.apply(table(end, ID))
                client.done(end)
        assert "the server warns" not in seen
        assert base.one(
            "SELECT string_agg(relname, ',') FROM pg_class WHERE relname ~ 'Transaction$' AND relkind = 'r'"
        ) == ("CommitTransaction")


def test_isolation_is_what_was_asked_for(server: postgres.Server) -> None:
    with database(server, "CREATE TABLE t (id int)") as base, base.kolumn() as client:
        for isolation in ("repeatable read", "serializable", "read committed", "read uncommitted"):
            client.done("BeginTransaction", {"isolation": isolation})
            held = base.one(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state = 'idle in transaction'"
            )
            assert held == 1
            client.done("CommitTransaction")
        assert base.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


def test_what_the_commit_refuses_is_rolled_back(server: postgres.Server) -> None:
    made = """
CREATE TABLE t (id int);
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not today'; END$$;
CREATE SCHEMA kolumn;
CREATE TABLE kolumn.notes (id int);
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON kolumn.notes DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION no();
"""
    with database(server, made) as base, base.kolumn() as client:
        identifier = client.done("BeginTransaction")["transaction_id"]
        client.apply(table("u", ID))
        session = client.provider._connection.session  # type: ignore[attr-defined]
        session.run(Context.background(), [Statement("INSERT INTO kolumn.notes VALUES (1)")])
        error = client.refused("CommitTransaction", {"transaction_id": identifier})
        assert isinstance(error, OperationError)
        assert "not today" in error.message
        assert client.refused("CommitTransaction", {"transaction_id": identifier}).code == "transaction_ended"
        assert client.done("GetState")["state"].get("resources", []) == []
        assert base.one("SELECT to_regclass('public.u')") is None
        client.apply(table("u", ID))


def test_a_wording_is_compared_inside(server: postgres.Server) -> None:
    """What a transaction made itself, such as a type, is known where texts are compared."""
    with database(server, "SELECT 1") as base, base.kolumn() as client:
        mood = wanted("enum", "mood", {"values": ["sad", "ok"]})
        t = table("t", ID, column("x", "mood"), checks=[{"name": "c", "expression": "x <> 'sad' AND id > 0"}])
        client.done("BeginTransaction")
        client.apply(mood, t)
        assert client.plan(mood, t)["execution_order"] == []
        spelled = table(
            "t",
            ID,
            column("x", "mood"),
            checks=[{"name": "c", "expression": "(x <> 'sad'::mood) AND (id > 0)"}],
        )
        assert client.plan(mood, spelled)["execution_order"] == []
        client.done("CommitTransaction")
        with psycopg.connect(base.url) as connection:
            assert connection.execute(
                "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'scratch'"
            ).fetchone() == (0,)
