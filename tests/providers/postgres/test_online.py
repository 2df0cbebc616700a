"""Changes of what is in use: others go on working, and whatever ends it half-way, the next apply finishes."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest

from tests.client import Client
from tests.command import environment
from tests.providers.postgres.databases import Database, database, imported
from tests.providers.postgres.evolution import risks
from tests.providers.postgres.sessions import backend, end, end_all, heard, in_thread
from tests.servers import postgres

HASTY: dict[str, Any] = {
    "online": True,
    "online_lock_timeout": 0.1,
    "lock_retries": 3,
    "lock_retry_wait": 0.05,
}

CUSTOMERS = """
CREATE TABLE customer (id int, email text, age int);
INSERT INTO customer SELECT g, 'm' || g, g FROM generate_series(1, 200) g;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int);
INSERT INTO orders SELECT g, g FROM generate_series(1, 200) g;
"""
STRICT = """
CREATE TABLE customer (id int PRIMARY KEY, email text NOT NULL UNIQUE, age int NOT NULL CHECK (age > 0));
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer (id));
CREATE INDEX orders_customer ON orders (customer_id);
COMMENT ON INDEX orders_customer IS 'whose';
"""

PLAIN = "CREATE TABLE item (id int, code text, price int); CREATE INDEX item_code ON item (code);"
ROWS = "INSERT INTO item SELECT g, 'c' || g, g FROM generate_series(1, 100) g;"

CASES: Mapping[str, tuple[str, str]] = {
    "an index": (PLAIN + ROWS, PLAIN + "CREATE INDEX item_price ON item (price DESC) INCLUDE (id);"),
    "an index with all it can say": (
        PLAIN + ROWS,
        PLAIN
        + """CREATE UNIQUE INDEX "Odd; --name" ON item USING btree (lower(code), id) WITH (fillfactor = 70)
        WHERE price > 5; COMMENT ON INDEX "Odd; --name" IS 'it''s; odd'; ALTER TABLE item CLUSTER ON item_code;
        ALTER INDEX "Odd; --name" ALTER COLUMN 1 SET STATISTICS 500;""",
    ),
    "an index of another shape": (
        PLAIN + ROWS,
        "CREATE TABLE item (id int, code text, price int); CREATE INDEX item_code ON item (code, id);",
    ),
    "an index less": (PLAIN + ROWS, "CREATE TABLE item (id int, code text, price int);"),
    "an index of a materialized view": (
        PLAIN + ROWS + "CREATE MATERIALIZED VIEW m AS SELECT id FROM item;",
        PLAIN + "CREATE MATERIALIZED VIEW m AS SELECT id FROM item; CREATE UNIQUE INDEX m_id ON m (id);",
    ),
    "a primary key": (
        PLAIN + ROWS,
        PLAIN + "ALTER TABLE item ADD PRIMARY KEY (id) WITH (fillfactor = 60), CLUSTER ON item_pkey;",
    ),
    "a unique constraint": (
        PLAIN + ROWS,
        PLAIN
        + """ALTER TABLE item ADD CONSTRAINT "U;" UNIQUE NULLS NOT DISTINCT (code) INCLUDE (price)
        DEFERRABLE INITIALLY DEFERRED; COMMENT ON CONSTRAINT "U;" ON item IS 'one each';""",
    ),
    "a check and a foreign key": (
        PLAIN
        + "ALTER TABLE item ADD UNIQUE (id);"
        + ROWS
        + "CREATE TABLE sale (item int); INSERT INTO sale VALUES (1);",
        PLAIN
        + """ALTER TABLE item ADD UNIQUE (id), ADD CHECK (price > 0), ADD COLUMN note text DEFAULT 'x';
        CREATE TABLE sale (item int REFERENCES item (id) ON DELETE SET NULL);
        COMMENT ON CONSTRAINT sale_item_fkey ON sale IS 'of';""",
    ),
    "a foreign key from a new table": (
        PLAIN + "ALTER TABLE item ADD PRIMARY KEY (id);" + ROWS,
        PLAIN + "ALTER TABLE item ADD PRIMARY KEY (id); CREATE TABLE sale (item int REFERENCES item);",
    ),
    "not null": (
        PLAIN + ROWS,
        PLAIN
        + "ALTER TABLE item ALTER code SET NOT NULL, ALTER price SET NOT NULL, ALTER price SET DEFAULT 1;",
    ),
    "values of an enum": (
        "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (m mood);",
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (m mood DEFAULT 'b');",
    ),
    "a partitioned table": (
        (
            "CREATE TABLE p (id int, at date) PARTITION BY RANGE (at);"
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
            "INSERT INTO p SELECT g, '2020-05-05' FROM generate_series(1, 100) g;"
        ),
        (
            "CREATE TABLE p (id int NOT NULL CHECK (id > 0), at date) PARTITION BY RANGE (at);"
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
            "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');"
            "CREATE INDEX p_id ON p (id); ALTER TABLE p ADD UNIQUE (id, at);"
        ),
    ),
    "a type under a view": (
        PLAIN + ROWS + "CREATE VIEW v AS SELECT price FROM item; GRANT SELECT ON v TO public;",
        (
            "CREATE TABLE item (id int, code text, price bigint); CREATE INDEX item_code ON item (code);"
            "CREATE VIEW v AS SELECT price FROM item; GRANT SELECT ON v TO public;"
        ),
    ),
}


@contextlib.contextmanager
def goal(server: postgres.Server, script: str) -> Iterator[tuple[list[Mapping[str, Any]], str]]:
    """Yield what an import of that database says, and its dump."""
    with database(server, script) as other:
        with other.kolumn() as client:
            resources = imported(client)
        yield resources, other.dump()


def lead(client: Client, resources: Sequence[Mapping[str, Any]]) -> Any:
    """Apply, whatever comes of it."""
    return client.call("Apply", {"resources": list(resources), "options": {"prune": True, "detail": True}})


@contextlib.contextmanager
def after_counting(mine: Database, statement: str) -> Iterator[None]:
    """Have somebody else change rows when an apply has counted those that are in its way."""

    def listen(logger: str, level: str, event: str, fields: Any) -> None:
        if event == "no rows in the way":
            mine.run(statement)

    with heard(listen):
        yield


def planned(client: Client, resources: Sequence[Mapping[str, Any]]) -> Any:
    return client.plan(*resources, prune=True, detail=True)


def same(have: str, want: str) -> None:
    assert have == want, "\n".join(difflib.unified_diff(have.split("\n"), want.split("\n"), lineterm="", n=1))


def sql(answer: Any) -> list[str]:
    return [text for step in answer["steps"] for text in step.get("sql", ())]


class TestLeadsToTheSame:
    @pytest.mark.parametrize("name", CASES)
    def test_as_all_at_once(self, server: postgres.Server, name: str) -> None:
        self._check(server, *CASES[name])

    @pytest.mark.soak
    @pytest.mark.parametrize("name", sorted(CASES.keys() - {"values of an enum"}))
    def test_and_back(self, server: postgres.Server, name: str) -> None:
        self._check(server, *reversed(CASES[name]))

    def _check(self, server: postgres.Server, before: str, after: str) -> None:
        with goal(server, after) as (resources, want), database(server, before) as mine:
            with mine.kolumn(online=True) as client:
                answer = lead(client, resources)
                assert answer["success"], answer
                assert not planned(client, resources).get("steps")
            same(mine.dump(), want)


class TestGentleSteps:
    def test_what_a_careful_person_would_write(self, server: postgres.Server) -> None:
        with goal(server, STRICT) as (resources, want), database(server, CUSTOMERS) as mine:
            with mine.kolumn(online=True) as client:
                plan = planned(client, resources)
                answer = lead(client, resources)
            assert answer["success"], answer
            same(mine.dump(), want)
        text = "\n".join(sql(plan))
        assert not re.search(r"(?m)^(CREATE (UNIQUE )?INDEX|DROP INDEX) (?!CONCURRENTLY)", text), text
        assert not re.search(r"ADD CONSTRAINT \S+ (UNIQUE|PRIMARY KEY) (?!USING INDEX)", text), text
        assert not re.search(r"ADD CONSTRAINT .*(CHECK|FOREIGN KEY) (?!.*NOT VALID)", text), text
        assert text.count("VALIDATE CONSTRAINT") == 5, text
        assert text.count("SET NOT NULL") == 3, text
        assert "long_lock" not in risks(plan)

    def test_a_partitioned_table_says_what_it_locks(self, server: postgres.Server) -> None:
        before, after = CASES["a partitioned table"]
        with goal(server, after) as (resources, _), database(server, before) as mine:
            with mine.kolumn(online=True) as client:
                plan = planned(client, resources)
        found = {step["description"]: step.get("risks", ()) for step in plan["steps"]}
        for description in ("create index p_id", "add unique p_id_at_key to table p"):
            assert any("nobody can write" in risk["message"] for risk in found[description]), found

    def test_asked_for_in_the_request(self, server: postgres.Server) -> None:
        before, after = CASES["an index"]
        with goal(server, after) as (resources, want), database(server, before) as mine:
            with mine.kolumn() as client:
                assert not any("CONCURRENTLY" in text for text in sql(planned(client, resources)))
                plan = client.plan(*resources, online=True, detail=True)
                assert any("CONCURRENTLY" in text for text in sql(plan))
                client.apply(*resources, online=True)
            same(mine.dump(), want)


class TestOthers:
    def test_write_while_an_index_is_built(self, server: postgres.Server) -> None:
        slow = """
        CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path = '' AS
        $$BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN $1; END$$;
        CREATE TABLE t (a int);
        """
        with (
            goal(server, slow + "CREATE INDEX t_a ON t (slow(a));") as (resources, want),
            database(server, slow + "INSERT INTO t SELECT generate_series(1, 100);") as mine,
            psycopg.connect(mine.url, autocommit=True) as other,
        ):
            answers: list[Any] = []
            with mine.kolumn(online=True) as client:
                thread = threading.Thread(target=lambda: answers.append(lead(client, resources)))
                thread.start()
                backend(other, running="CREATE INDEX CONCURRENTLY")
                other.execute("SET lock_timeout = '300ms'")
                written = 0
                while thread.is_alive() and written < 10:
                    other.execute("INSERT INTO t VALUES (0)")
                    written += 1
                assert written >= 5
                thread.join(30)
            assert answers[0]["success"], answers
            same(mine.dump(), want)

    def test_a_lock_that_is_given_back(self, server: postgres.Server) -> None:
        with (
            goal(server, PLAIN + "ALTER TABLE item ADD extra int;") as (resources, want),
            database(server, PLAIN) as mine,
            psycopg.connect(mine.url) as other,
        ):
            other.execute("LOCK TABLE item IN ACCESS SHARE MODE")
            timer = threading.Timer(0.5, other.rollback)
            timer.start()
            with mine.kolumn(**{**HASTY, "lock_retries": 6}) as client:
                answer = lead(client, resources)
            timer.join()
            assert answer["success"], answer
            same(mine.dump(), want)

    def test_a_lock_that_is_kept(self, server: postgres.Server) -> None:
        script = CUSTOMERS.replace("customer_id int", "customer_id int, extra int")
        wanted = STRICT.replace("customer (id)", "customer (id), extra bigint, late int", 1)
        with (
            goal(server, wanted) as (resources, want),
            database(server, script) as mine,
            psycopg.connect(mine.url) as other,
        ):
            before = mine.dump()
            other.execute("LOCK TABLE orders IN ROW SHARE MODE")
            with mine.kolumn(**HASTY) as client:
                started = time.monotonic()
                answer = lead(client, resources)
                assert time.monotonic() - started < 10
                assert not answer["success"]
                assert "lock" in answer["error"] and "4 times" in answer["error"], answer["error"]
                same(mine.dump(), before)
                other.rollback()
                assert lead(client, resources)["success"]
            same(mine.dump(), want)


class TestFailures:
    def test_rows_that_are_there_twice_leave_no_index(self, server: postgres.Server) -> None:
        for clause in (
            "CREATE UNIQUE INDEX item_u ON item (code);",
            "ALTER TABLE item ADD CONSTRAINT item_u UNIQUE (code);",
        ):
            with (
                goal(server, PLAIN + "CREATE INDEX item_a ON item (id);" + clause) as (resources, want),
                database(server, PLAIN + ROWS) as mine,
                mine.kolumn(**HASTY) as client,
            ):
                before = mine.dump()
                with after_counting(mine, "INSERT INTO item VALUES (7, 'c1')"):
                    answer = lead(client, resources)
                assert not answer["success"]
                assert "there twice" in answer["error"], answer
                same(mine.dump(), before)
                assert mine.one("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
                mine.run("DELETE FROM item WHERE id = 7 AND price IS NULL")
                assert lead(client, resources)["success"]
                same(mine.dump(), want)

    @pytest.mark.parametrize(
        "clause",
        [
            "CREATE UNIQUE INDEX item_u ON item (code);",
            "ALTER TABLE item ADD CONSTRAINT item_u UNIQUE (code);",
        ],
    )
    @pytest.mark.parametrize("valid", [False, True], ids=["invalid", "valid"])
    def test_an_index_left_behind(self, server: postgres.Server, clause: str, valid: bool) -> None:
        with (
            goal(server, PLAIN + clause) as (resources, want),
            database(server, PLAIN + ROWS + "INSERT INTO item VALUES (7, 'c1');") as mine,
            mine.kolumn(**HASTY) as client,
        ):
            if valid:
                mine.run("DELETE FROM item WHERE price IS NULL")
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                mine.run("CREATE UNIQUE INDEX CONCURRENTLY item_u ON item (code)")
            mine.run("DELETE FROM item WHERE price IS NULL")
            plan = client.plan(*resources, detail=True)
            text = "\n".join(sql(plan)) if plan.get("steps") else ""
            assert ("DROP INDEX CONCURRENTLY" in text) is not valid, text
            client.apply(*resources)
            assert not client.plan(*resources, prune=True).get("steps")
            same(mine.dump(), want)

    def test_undone_last_first(self, server: postgres.Server) -> None:
        wanted = STRICT.replace("customer (id)", "customer (id) CHECK (customer_id < 150)", 1)
        with (
            goal(server, wanted) as (resources, want),
            database(server, CUSTOMERS) as mine,
            mine.kolumn(**HASTY) as client,
        ):
            mine.run("DELETE FROM orders WHERE customer_id >= 150")
            before = mine.dump()
            with after_counting(mine, "INSERT INTO orders VALUES (150, 150)"):
                answer = lead(client, resources)
            assert not answer["success"]
            assert "orders_customer_id_check" in answer["error"], answer
            same(mine.dump(), before)
            mine.run("DELETE FROM orders WHERE customer_id >= 150")
            assert lead(client, resources)["success"]
            same(mine.dump(), want)


APPLY = """
import json, os, signal, sys
from kolumn.contract.context import Context
from kolumn.contract.logs import subscribe
from kolumn.providers.postgres import PostgresProvider

settings, request, last = json.load(sys.stdin)
provider = PostgresProvider()
provider.configure(Context.background(), settings)
seen = 0

def listen(logger, level, event, fields):
    global seen
    seen += event == "step"
    if seen == last:
        os.kill(os.getpid(), signal.SIGKILL)

subscribe(listen)
answer = json.loads(provider.call_function(Context.background(), "Apply", json.dumps(request).encode()))
sys.exit(0 if answer["success"] else 1)
"""
"""Applies, and kills itself once so many steps have run, before the last of them is committed."""


class TestInterrupted:
    def test_again_and_again_by_ending_its_backend(self, server: postgres.Server) -> None:
        """Every apply does two more steps and is ended in the next."""
        with (
            goal(server, STRICT) as (resources, want),
            database(server, CUSTOMERS) as mine,
            psycopg.connect(mine.url, autocommit=True) as other,
        ):
            told, standing = 0, []
            for _ in range(40):
                seen = 0

                def listen(_logger: str, _level: str, event: str, _fields: Any) -> None:
                    nonlocal seen
                    seen += event == "step"
                    if seen == 3 and event == "step":
                        end_all(other)

                with mine.kolumn(**HASTY) as client:
                    plan = planned(client, resources)
                    told += any("interrupted" in each for each in plan.get("warnings", ()))
                    standing.append(len(plan.get("steps", ())))
                    with heard(listen):
                        answer = client.call(
                            "Apply",
                            {
                                "resources": resources,
                                "options": {"prune": True, "keep_partial": True, "detail": True},
                            },
                        )
                if answer["success"]:
                    break
            assert answer["success"], answer
            assert len(standing) > 4, standing
            same(mine.dump(), want)

    def test_again_and_again_by_killing_the_process(self, server: postgres.Server) -> None:
        with goal(server, STRICT) as (resources, want), database(server, CUSTOMERS) as mine:
            request = {"resources": resources, "options": {"prune": True}}
            codes = []
            for _ in range(20):
                asked = json.dumps([{"url": mine.url, "safe_destroy": False, **HASTY}, request, 8])
                ran = subprocess.run(
                    [sys.executable, "-c", APPLY],
                    input=asked,
                    env=environment(),
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                codes.append(ran.returncode)
                if ran.returncode == 0:
                    break
                assert ran.returncode == -signal.SIGKILL, ran.stderr
                with mine.kolumn(**HASTY) as client:
                    warnings = planned(client, resources)["warnings"]
                assert any("an earlier apply was interrupted after" in each for each in warnings), warnings
            assert codes[-1] == 0, codes
            assert len(codes) > 2, codes
            same(mine.dump(), want)
            assert "kolumn" not in want

    def test_while_an_index_is_built(self, server: postgres.Server) -> None:
        slow = """
        CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path = '' AS
        $$BEGIN PERFORM pg_catalog.pg_sleep(0.005); RETURN $1; END$$;
        CREATE TABLE t (a int); CREATE TABLE u (a int);
        """
        wanted = "CREATE INDEX t_a ON t (slow(a)); ALTER TABLE u ADD PRIMARY KEY (a);"
        with (
            goal(server, slow + wanted) as (resources, want),
            database(server, slow + "INSERT INTO t SELECT generate_series(1, 100);") as mine,
            psycopg.connect(mine.url, autocommit=True) as other,
        ):
            before = mine.dump()
            with mine.kolumn(**HASTY) as client:
                ending = in_thread(lambda: end(other, backend(other, running="CREATE INDEX CONCURRENTLY")))
                answer = lead(client, resources)
                ending.join(10)
                assert not answer["success"]
                assert "connection" in answer["error"], answer
                same(mine.dump(), before)
                assert mine.one("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
                assert lead(client, resources)["success"]
            same(mine.dump(), want)
