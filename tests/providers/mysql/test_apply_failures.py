"""DDL commits by itself: what a step that fails leaves is undone step by step, and an apply that is killed is told of."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from kolumn.contract.errors import OperationError
from kolumn.providers.mysql.connection.session import MySQLSession
from tests.client import wanted
from tests.targets.mysql import TARGETS

COLUMNS = [{"name": "id", "type": "int", "primary_key": True}, {"name": "n", "type": "int"}]


def table(name, *more, **rest):
    return wanted("table", name, {"name": name, "columns": [*COLUMNS, *more], **rest})


BEFORE = [
    table("parent"),
    table("child", {"name": "p", "type": "int"}),
    wanted("index", "child_n", {"name": "child_n", "table": "child", "columns": ["n"]}),
    wanted(
        "view", "both", {"name": "both", "definition": "SELECT c.n FROM child c JOIN parent p ON p.id = c.p"}
    ),
    wanted("procedure", "do_it", {"name": "do_it", "body": "BEGIN SELECT 1; END"}),
]
AFTER = [
    table("parent", {"name": "more", "type": "varchar(10)", "default": "'x'"}, comment="Up"),
    table(
        "child",
        {"name": "p", "type": "int"},
        foreign_keys=[{"name": "of", "columns": ["p"], "references": "parent(id)"}],
        checks=[{"name": "small", "expression": "n < 10"}],
    ),
    wanted("index", "child_n", {"name": "child_n", "table": "child", "columns": ["n", "p"]}),
    wanted("view", "both", {"name": "both", "definition": "SELECT n FROM child"}),
    wanted("procedure", "do_it", {"name": "do_it", "body": "BEGIN SELECT 2; END"}),
    table("another"),
]


def failing_at(number):
    """Return a `MySQLSession.run` that fails at one of the calls that change what the database holds."""
    seen = 0

    def run(self, context, statements, finished=lambda: None):
        nonlocal seen
        statements = list(statements)
        if any(
            each.text.split()[0] in ("ALTER", "CREATE", "DROP") and "kolumn_" not in each.text
            for each in statements
        ):
            seen += 1
            if seen == number:
                raise OperationError("injected", code="injected")
        return _run(self, context, statements, finished)

    return run


_run = MySQLSession.run


def test_a_failure_at_any_step_leaves_what_was_there(client, settings, product, monkeypatch):
    client.apply(*BEFORE)
    before = TARGETS[product].dump(settings)
    count = len(client.plan(*AFTER, detail=True)["steps"])
    assert count >= 7
    for number in range(1, count + 1):
        with monkeypatch.context() as patch:
            patch.setattr(MySQLSession, "run", failing_at(number))
            failed = client.call("Apply", {"resources": AFTER})
        assert failed["success"] is False, number
        assert TARGETS[product].dump(settings) == before, number
    client.apply(*AFTER)
    assert client.plan(*AFTER)["execution_order"] == []


_VICTIM = """
import json, sys
from kolumn.providers.mysql import MySQLProvider
from tests.client import Client
settings, resources = json.loads(sys.argv[1])
client = Client(MySQLProvider()).configure(settings)
print("ready", flush=True)
client.apply(*resources)
print("done", flush=True)
"""


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.25, 0.5, 0.9])
def test_an_apply_that_is_killed_is_told_of_and_finished(connect, settings, delay):
    client = connect()
    client.apply(*BEFORE)
    victim = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, json.dumps([settings, AFTER])], stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout.readline() == "ready\n"
    time.sleep(delay)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    fresh = connect()
    fresh.apply(*AFTER, lock_timeout_seconds=20)
    assert fresh.plan(*AFTER)["execution_order"] == []
    assert fresh.done("VerifyAuditLog")["intact"] is True
