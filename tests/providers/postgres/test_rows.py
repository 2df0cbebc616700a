"""Rows out of PostgreSQL and in again, through COPY: every type, every kind of table, triggers and keys as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref
from kolumn.engine.rows import RowSet
from tests.providers.postgres.databases import Database, database
from tests.providers.postgres.sessions import opened
from tests.servers import postgres

FOREVER = Context.background()


@pytest.fixture
def db(server: postgres.Server) -> Iterator[Database]:
    with database(server) as made:
        yield made


def rows_of(name: str, *lost: str, key: tuple[str, ...] = (), schema: str = "") -> RowSet:
    return RowSet(ref=Ref("table", name, schema), model=None, schema=schema, name=name, lost=lost, key=key)


def around(db: Database, *rows: RowSet, between: tuple[str, ...]) -> int:
    """Copy rows out, run `between`, copy them in; return how many came back."""
    held = []
    with opened(db.url) as session:
        store = session.rows
        assert store is not None
        for each in rows:
            pieces: list[bytes] = []
            with session.transaction(FOREVER, ()):
                store.hold(FOREVER, each)
                copied = store.copy_out(FOREVER, each, pieces.append)
            data = b"".join(pieces)
            assert data.count(b"\n") == copied.rows
            key = RowSet(
                **{name: getattr(each, name) for name in ("ref", "model", "schema", "name", "lost")},
                key=copied.key,
            )
            held.append((key, copied, data))
        for statement in between:
            db.run(statement)
        done = 0
        with session.transaction(FOREVER, ()), store.loading(FOREVER, rows):
            for each, copied, data in held:
                cut = [data[at : at + 11] for at in range(0, len(data), 11)]
                done += store.copy_in(FOREVER, each, copied.columns, cut, copied.counters)
    return done


def held(db: Database, name: str) -> list[str]:
    return sorted(str(each) for each in db.rows(f"SELECT tableoid::regclass::text, t::text FROM {name} t"))


VALUES = """
  (1, true, '\\N', E'tab\\t newline\\n back\\\\slash', '{"a": [1, null]}', '{"b":  1}', '\\x00ff', '{1,NULL,3}',
   ARRAY['x', NULL, 'a"b', E'\\\\'], '1.50', 'NaN', 1e-300, '-infinity', '0044-03-15 BC', '1 year -2 days +03:04:05.6',
   '[1,5)', 'happy', ROW(1, 'two, "three"'), '12:00:00.123456+05:30', '10.0.0.0/8', gen_random_uuid(), '', 'B101', 1.10)
"""
COLUMNS = """
CREATE TABLE "every Type" (id integer PRIMARY KEY, b boolean, t text, u text, j jsonb, k json, y bytea, i integer[],
  a text[], n numeric, f real, d double precision, z timestamptz, e date, v interval, r int4range, m mood, p pair,
  w timetz, c cidr, g uuid, h text NOT NULL, x text, q positive)
"""
EVERYTHING = (
    "CREATE TYPE mood AS ENUM ('sad', 'happy')",
    "CREATE TYPE pair AS (n integer, t text)",
    "CREATE DOMAIN positive AS numeric CHECK (VALUE > 0)",
    COLUMNS,
    f'INSERT INTO "every Type" VALUES {VALUES}',
    "INSERT INTO \"every Type\" (id, h) VALUES (2, '')",
)


def test_every_type(db: Database) -> None:
    db.run(*EVERYTHING)
    name = '"every Type"'
    before = held(db, name)
    assert around(db, rows_of("every Type"), between=(f"DELETE FROM {name}",)) == 2
    assert held(db, name) == before
    lost = ("u", "j", "k", "a", "p", "m", "v")
    gone = ", ".join(f"{each} = NULL" for each in lost)
    assert around(db, rows_of("every Type", *lost, key=("id",)), between=(f"UPDATE {name} SET {gone}",)) == 2
    assert held(db, name) == before
    db.run(
        f'ALTER TABLE {name} DROP CONSTRAINT "every Type_pkey"',
        f"INSERT INTO {name} (id, h, t) VALUES (2, '', 'x')",
    )
    before = held(db, name)
    assert around(db, rows_of("every Type", *lost), between=(f"UPDATE {name} SET {gone}",)) == 3
    assert held(db, name) == before


def test_identities_sequences_and_generated_columns(db: Database) -> None:
    db.run(
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial, a integer, "
        "twice integer GENERATED ALWAYS AS (a * 2) STORED)",
        "INSERT INTO t (a) SELECT generate_series(1, 9)",
        "DELETE FROM t WHERE a = 9",
    )
    before = held(db, "t")
    assert around(db, rows_of("t"), between=("TRUNCATE t RESTART IDENTITY",)) == 8
    assert held(db, "t") == before
    db.run("INSERT INTO t (a) VALUES (100)")
    assert db.rows("SELECT id, s FROM t WHERE a = 100") == [(10, 10)]


def test_partitions_and_children(db: Database) -> None:
    db.run(
        "CREATE TABLE p (k integer, v text) PARTITION BY RANGE (k)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
        "INSERT INTO p SELECT n, 'v' || n FROM generate_series(0, 19) n",
        "CREATE TABLE mother (id integer PRIMARY KEY, v text)",
        "CREATE TABLE child (more text) INHERITS (mother)",
        "INSERT INTO mother VALUES (1, 'm'), (2, 'n')",
        "INSERT INTO child VALUES (1, 'c', 'x')",
    )
    partitions, family = held(db, "p"), held(db, "mother")
    assert around(db, rows_of("p1"), rows_of("p2"), between=("DELETE FROM p",)) == 20
    assert held(db, "p") == partitions
    assert around(db, rows_of("p"), between=("DELETE FROM p",)) == 20, "a parent's rows are in its partitions"
    assert held(db, "p") == partitions
    assert around(db, rows_of("p", "v"), between=("UPDATE p SET v = NULL",)) == 20
    assert held(db, "p") == partitions
    assert around(db, rows_of("mother"), between=("DELETE FROM ONLY mother",)) == 2, "a child keeps its own"
    assert held(db, "mother") == family
    assert around(db, rows_of("mother", "v", key=("id",)), between=("UPDATE mother SET v = 'gone'",)) == 3
    assert sorted(each.split()[1] for each in held(db, "mother")) == sorted(
        each.split()[1] for each in family
    )


def test_triggers_and_keys_are_as_they_were(db: Database) -> None:
    db.run(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired'; END $$",
        "CREATE TABLE a (id integer PRIMARY KEY, b integer)",
        "CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a)",
        "ALTER TABLE a ADD CONSTRAINT to_b FOREIGN KEY (b) REFERENCES b",
        "ALTER TABLE a ADD CONSTRAINT late FOREIGN KEY (b) REFERENCES a DEFERRABLE",
        "BEGIN; SET CONSTRAINTS ALL DEFERRED; ALTER TABLE a DISABLE TRIGGER ALL; INSERT INTO a VALUES (1, 1); "
        "ALTER TABLE a ENABLE TRIGGER ALL; INSERT INTO b VALUES (1, 1); COMMIT",
        *(
            f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION no()"
            for name in ("plain", "always", "replica", "off")
        ),
        "ALTER TABLE a ENABLE ALWAYS TRIGGER always",
        "ALTER TABLE a ENABLE REPLICA TRIGGER replica",
        "ALTER TABLE a DISABLE TRIGGER off",
    )
    schema, rows = db.dump(), (held(db, "a"), held(db, "b"))
    for order in (("a", "b"), ("b", "a")):
        assert around(db, *map(rows_of, order), between=("TRUNCATE a, b",)) == 2
        assert (held(db, "a"), held(db, "b")) == rows
        assert db.dump() == schema
    with pytest.raises(OperationError) as caught:
        around(db, rows_of("a"), between=("TRUNCATE a, b",))
    assert caught.value.code == "foreign_key_violation"
    assert db.dump() == schema
    assert held(db, "a") == []


def test_what_goes_wrong_is_said(db: Database) -> None:
    db.run("CREATE TABLE t (id integer PRIMARY KEY)", "INSERT INTO t SELECT generate_series(1, 5)")
    with opened(db.url) as session:
        store = session.rows
        assert store is not None
        with pytest.raises(OperationError) as caught, session.transaction(FOREVER, ()):
            store.copy_in(FOREVER, rows_of("t"), ("id",), [b"1\nx\n"], {})
        assert caught.value.code == "invalid_value"
        with pytest.raises(OperationError) as caught, session.transaction(FOREVER, ()):
            store.copy_out(FOREVER, rows_of("nothing"), len)
        assert caught.value.code == "not_found"
        assert session.query(FOREVER, Statement("SELECT count(*) FROM t")) == [(5,)], "the session goes on"


def test_a_copy_ends_with_its_deadline(db: Database) -> None:
    db.run(
        "CREATE TABLE t (a text)", "INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 200000)"
    )
    context = FOREVER.with_timeout(0.3)

    def slowly(piece: bytes) -> None:
        with contextlib.suppress(OperationError):
            context.wait(0.001)

    with opened(db.url) as session:
        store = session.rows
        assert store is not None
        with pytest.raises(OperationError) as caught, session.transaction(FOREVER, ()):
            store.copy_out(context, rows_of("t"), slowly)
        assert caught.value.code in ("deadline_exceeded", "cancelled")


def test_nobody_adds_a_row_meanwhile(db: Database) -> None:
    db.run("CREATE TABLE t (id integer PRIMARY KEY)")
    with opened(db.url) as session, psycopg.connect(db.url) as other:
        store = session.rows
        assert store is not None
        with session.transaction(FOREVER, ()):
            store.hold(FOREVER, rows_of("t"))
            other.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("INSERT INTO t VALUES (1)")
