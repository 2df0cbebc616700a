"""A process is killed while it makes tables anew: every row is there, in the old table or in the new one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

from tests import command
from tests.client import Client
from tests.providers.duckdb.test_rebuild import config_of
from tests.targets import Settings
from tests.targets.duckdb import DUCKDB, opened

KILLS = 100 if command.SOAK else 5
ROWS = 20_000
LIBRARY = f"""
CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR, born INTEGER);
CREATE TABLE book (id INTEGER PRIMARY KEY, author INTEGER REFERENCES author(id), sequel_of INTEGER REFERENCES book(id));
CREATE INDEX author_name ON author (name);
INSERT INTO author SELECT range, 'name ' || range, 1900 FROM range({ROWS});
INSERT INTO book SELECT range, range // 2, NULL FROM range({ROWS});
INSERT INTO book SELECT {ROWS} + range, range // 2, range FROM range({ROWS});
"""
_WORK = """
import json, sys
from kolumn.contract.context import Context
from kolumn.host.providers import load

settings, shapes = json.load(sys.stdin)
provider = load("duckdb")
provider.configure(Context.background(), settings)
print("ready", flush=True)
while True:
    for config in shapes:
        request = {"resources": [
            {"resource_type": "table", "name": "author", "action": "update", "config": config}]}
        provider.call_function(Context.background(), "Apply", json.dumps(request).encode())
"""


def test_no_row_is_lost(settings: Settings, client: Client) -> None:
    DUCKDB.execute(settings, LIBRARY)
    config = config_of(client, "author")
    checked = {**config, "checks": ["born > 0"]}
    moments = random.Random(11)
    shapes = set()
    for _ in range(KILLS):
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=command.environment(),
            text=True,
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps([dict(settings), [checked, config]]))
        worker.stdin.close()
        assert worker.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.05, 0.8))
        worker.kill()
        worker.wait()
        with opened(settings) as database:
            counted = database.execute(
                "SELECT (SELECT count(*) FROM author), (SELECT count(*) FROM book), "
                "(SELECT sum(sequel_of) FROM book), (SELECT count(*) FROM duckdb_indexes())"
            ).fetchone()
            left = database.execute(
                "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'kolumn%'"
            ).fetchall()
        assert counted == (ROWS, 2 * ROWS, ROWS * (ROWS - 1) // 2, 1)
        assert left == []
        shapes.add(str(config_of(client, "author").get("checks")))
    assert client.done("VerifyAuditLog")["intact"]
    assert shapes
