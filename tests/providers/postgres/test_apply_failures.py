"""What goes wrong in the middle of an apply: nothing is half done, and the next apply finishes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from kolumn.contract.context import Context
from tests.client import wanted
from tests.command import run
from tests.providers.postgres.databases import Database, database, roles
from tests.providers.postgres.sessions import backend, end, in_thread
from tests.servers import postgres

SLOW = """
CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path = '' AS
$$BEGIN PERFORM pg_catalog.pg_sleep(0.02); RETURN $1; END$$;
CREATE TABLE t (a int);
INSERT INTO t SELECT generate_series(1, 100);
"""
NEW = wanted("table", "fresh", {"columns": [{"name": "id", "type": "integer", "primary_key": True}]})
INDEX = wanted("index", "t_a", {"table": "t", "columns": [{"expression": "slow(a)"}]})
COLUMN = wanted(
    "table", "t", {"columns": [{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}]}
)


@pytest.fixture
def mine(server: postgres.Server) -> Iterator[Database]:
    """A database with a table, and a function that makes an index of it slow."""
    with database(server, SLOW) as made:
        yield made


@contextmanager
def unchanged(mine: Database) -> Iterator[None]:
    before = mine.dump()
    yield
    assert mine.dump() == before


class TestThroughTheProvider:
    def test_its_backend_is_ended(self, mine: Database) -> None:
        with mine.kolumn() as client, psycopg.connect(mine.url, autocommit=True) as other:
            with unchanged(mine):
                ending = in_thread(lambda: end(other, backend(other, running="CREATE INDEX t_a")))
                answer = client.call("Apply", {"resources": [NEW, INDEX]})
                ending.join(10)
            assert not answer["success"]
            assert "index t_a" in answer["error"], answer
            assert "Nothing of the transaction under way was kept. Plan and apply again" in answer["error"]
            assert client.apply(NEW, INDEX)["success"]
            assert not client.plan(NEW, INDEX).get("steps")

    def test_somebody_holds_a_lock(self, mine: Database) -> None:
        with mine.kolumn(lock_timeout=0.2) as client, psycopg.connect(mine.url) as other:
            other.execute("LOCK TABLE t IN ACCESS SHARE MODE")
            with unchanged(mine):
                answer = client.call("Apply", {"resources": [NEW, COLUMN]})
            assert not answer["success"]
            assert "table t" in answer["error"], answer
            assert "lock timeout" in answer["error"]
            assert "raise lock_timeout" in answer["error"]
            other.rollback()
            assert client.apply(NEW, COLUMN)["success"]

    def test_a_role_that_may_not(self, server: postgres.Server, mine: Database) -> None:
        with roles(server, "kolumn_meek") as (meek,):
            mine.run(f'ALTER ROLE "{meek}" LOGIN', f'GRANT CREATE ON SCHEMA public TO "{meek}"')
            with mine.kolumn(meek) as client:
                with unchanged(mine):
                    answer = client.call("Apply", {"resources": [NEW, COLUMN]})
                assert not answer["success"]
                assert "table t" in answer["error"], answer
                assert "must be owner of table t" in answer["error"]
                assert "act as the owner" in answer["error"]
                mine.run(f'ALTER TABLE t OWNER TO "{meek}"')
                assert client.apply(NEW, COLUMN)["success"]
            mine.run(f'DROP OWNED BY "{meek}"')

    def test_it_takes_longer_than_it_may(self, mine: Database) -> None:
        with mine.kolumn() as client:
            with unchanged(mine):
                context = Context.background().with_timeout(1.0)
                answer = client.call("Apply", {"resources": [NEW, INDEX]}, context=context)
            assert not answer["success"]
            assert "index t_a" in answer["error"], answer
            assert "longer" in answer["error"]
            assert client.apply(NEW, INDEX)["success"]

    def test_files_for_sorting_get_too_large(self, mine: Database) -> None:
        name = mine.url.rpartition("/")[2]
        index = wanted("index", "t_wide", {"table": "t", "columns": ["a"]})
        mine.run(
            "INSERT INTO t SELECT generate_series(1, 60000)",
            f"ALTER DATABASE \"{name}\" SET temp_file_limit = '1kB'",
            f"ALTER DATABASE \"{name}\" SET maintenance_work_mem = '1MB'",
        )
        with mine.kolumn() as client:
            with unchanged(mine):
                answer = client.call("Apply", {"resources": [NEW, index]})
            assert not answer["success"]
            assert "index t_wide" in answer["error"], answer
            assert "temp_file_limit" in answer["error"]
            assert "raise it" in answer["error"]
        mine.run(f'ALTER DATABASE "{name}" RESET temp_file_limit')
        with mine.kolumn() as client:
            assert client.apply(NEW, index)["success"]

    def test_a_tablespace_whose_folder_is_gone(self, server: postgres.Server, mine: Database) -> None:
        index = wanted(
            "index", "t_away", {"table": "t", "columns": ["a"], "tablespace": "kolumn_no_such_space"}
        )
        with mine.kolumn() as client:
            with unchanged(mine):
                answer = client.call("Apply", {"resources": [NEW, index]})
            assert not answer["success"]
            assert "kolumn_no_such_space" in answer["error"], answer
            assert "create it first" in answer["error"]

    def test_more_tables_than_locks(self, server: postgres.Server) -> None:
        few = (("max_locks_per_transaction", "10"), ("max_connections", "20"))
        own = postgres.start(server.version, few)
        many = [
            wanted("table", f"many_{at}", {"columns": [{"name": "id", "type": "integer"}]})
            for at in range(1000)
        ]
        with database(own) as mine, mine.kolumn() as client:
            if mine.one("SHOW max_locks_per_transaction") != "10":
                pytest.skip("the server that is given has its own settings")
            with unchanged(mine):
                answer = client.call("Apply", {"resources": many})
            assert not answer["success"]
            assert "table many_" in answer["error"], answer
            for words in ("out of shared memory", "max_locks_per_transaction", "--target", "--online"):
                assert words in answer["error"]
            for part in range(0, len(many), 250):
                assert client.apply(*many[part : part + 100])["success"]


class TestThroughTheCommand:
    def test_says_what_and_what_to_do(self, mine: Database, tmp_path: Path) -> None:
        (tmp_path / "main.kl").write_text(
            """
            provider "postgres" { lock_timeout = 0.2 }
            create "postgres_table" "fresh" { column "id" { type = "integer" } }
            create "postgres_table" "t" {
              column "a" { type = "integer" }
              column "b" { type = "integer" }
            }
            """
        )
        variables = {"KOLUMN_POSTGRES_URL": mine.url}
        with psycopg.connect(mine.url) as other:
            other.execute("LOCK TABLE t IN ACCESS SHARE MODE")
            with unchanged(mine):
                ended = run(tmp_path, "apply", "--auto-approve", variables=variables)
            said = " ".join((ended.stdout + ended.stderr).split())
            assert ended.returncode == 1, said
            assert "lock timeout" in said, said
            assert "raise lock_timeout" in said, said
            assert "Traceback" not in said
        again = run(tmp_path, "apply", "--auto-approve", "--online", variables=variables)
        assert again.returncode == 0, again.stdout + again.stderr
        assert mine.rows("SELECT b FROM t LIMIT 1") == [(None,)]
