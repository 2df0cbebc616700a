"""What is worded otherwise is no change, however much there is of it."""

from __future__ import annotations

import psycopg

from tests.client import wanted
from tests.providers.postgres.databases import database
from tests.servers import postgres

MANY = 1100
"""More than are asked about in one transaction."""


def test_more_objects_than_the_server_has_locks_for_at_once(server: postgres.Server) -> None:
    with database(server) as base:
        with psycopg.connect(base.url) as connection:
            for number in range(MANY):
                connection.execute(
                    f"CREATE TABLE t{number} (a numeric CHECK (a > 0), b text DEFAULT 'x')".encode()
                )
                if number % 500 == 0:
                    connection.commit()
        columns = [
            {"name": "a", "type": "numeric", "check": "a>0"},
            {"name": "b", "type": "text", "default": "'x'"},
        ]
        tables = [
            wanted("table", f"t{number}", {"name": f"t{number}", "columns": columns})
            for number in range(MANY)
        ]
        tables[0]["config"] = {**tables[0]["config"], "columns": [{**columns[0], "check": "a>1"}, columns[1]]}
        with base.kolumn() as client:
            assert client.plan(*tables)["execution_order"] == ["table t0"]
