"""What other sessions and the server's limits do to Kolumn's: told in words, and nothing is left half done."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from kolumn.providers.mysql.connection import work
from kolumn.providers.mysql.connection.session import MySQLSession
from kolumn.providers.mysql.connection.settings import parse_settings
from tests.client import wanted
from tests.servers import mysql
from tests.targets.mysql import TARGETS

TABLE = {
    "name": "t",
    "columns": [{"name": "id", "type": "int", "primary_key": True}, {"name": "n", "type": "int"}],
}
OTHER = {**TABLE, "name": "u"}


def changed(config):
    return {**config, "columns": [*config["columns"], {"name": "more", "type": "int"}]}


def test_a_table_that_somebody_uses_is_waited_for_and_then_left_as_it_was(connect, settings, product):
    client = connect(lock_timeout=1)
    client.apply(wanted("table", "t", TABLE), wanted("table", "u", OTHER))
    before = TARGETS[product].dump(settings)
    request = {"resources": [wanted("table", "t", changed(TABLE)), wanted("table", "u", changed(OTHER))]}
    with contextlib.closing(mysql.connect(settings["url"])) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute("SELECT * FROM u")  # and its lock stays until the transaction ends
        failed = client.call("Apply", request)
    assert failed["success"] is False
    assert "lock_timeout" in str(failed)
    assert TARGETS[product].dump(settings) == before
    assert client.done("Apply", request)["success"] is True


def test_of_two_transactions_that_wait_for_each_other_one_is_told_so(settings, ask, execute):
    execute(
        "CREATE TABLE t (id int PRIMARY KEY, n int) ENGINE=InnoDB; INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)"
    )
    session = MySQLSession(parse_settings(settings), {})
    context = Context.background()
    with contextlib.closing(mysql.connect(settings["url"])) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute("UPDATE t SET n = 5 WHERE id > 1")  # has more to roll back, so it is not the one
        waiting = threading.Thread(target=cursor.execute, args=("UPDATE t SET n = 5 WHERE id = 1",))
        with pytest.raises(OperationError) as raised, session.transaction(context, ()):  # noqa: PT012
            session.run(context, [Statement("UPDATE t SET n = 1 WHERE id = 1")])
            waiting.start()
            time.sleep(0.5)
            session.run(context, [Statement("UPDATE t SET n = 1 WHERE id = 2")])
        waiting.join()
        other.commit()
    assert raised.value.code == "deadlock"
    assert "try again" in raised.value.message
    assert ask("SELECT n FROM t ORDER BY id") == [(5,), (5,), (5,)]
    session.close()


def test_a_server_that_hangs_up_on_the_idle_is_called_again(client, ask, monkeypatch):
    monkeypatch.setattr(work, "_FRESH_SECONDS", 0.5)
    client.apply(wanted("table", "t", TABLE))
    for (number,) in ask("SELECT id FROM information_schema.processlist WHERE db = database()"):
        with contextlib.suppress(Exception):
            ask(f"KILL {number}")
    time.sleep(0.6)
    assert client.apply(wanted("table", "t", changed(TABLE)))["success"] is True
