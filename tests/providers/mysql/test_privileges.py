"""What an account needs for what: the table of docs/mysql.md, line by line."""

from __future__ import annotations

import pytest

from kolumn.contract.errors import PermissionError
from tests.client import wanted
from tests.servers import mysql

NOTES = "kolumn\\_notes"
TABLE = {
    "name": "t",
    "columns": [{"name": "id", "type": "int", "primary_key": True}, {"name": "n", "type": "int"}],
}
SCHEMA = [
    wanted("table", "t", TABLE),
    wanted("view", "v", {"name": "v", "definition": "SELECT id FROM t WHERE n > 1"}),
    wanted("procedure", "p", {"name": "p", "body": "BEGIN SELECT 1; END"}),
    wanted("trigger", "g", {"name": "g", "table": "t", "timing": "before", "events": ["insert"],
                            "body": "SET NEW.n = 1"}),
    wanted("event", "e", {"name": "e", "every": "1 day", "body": "DELETE FROM t"}),
]  # fmt: skip
ALL = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, TRIGGER"
SPELLING = "CREATE, DROP, ALTER, INDEX, SELECT, CREATE VIEW, SHOW VIEW"
READING = "SELECT, SHOW VIEW, TRIGGER, EVENT"
APPLYING = (
    f"{ALL}, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT, LOCK TABLES, "
    "CREATE TEMPORARY TABLES"
)


@pytest.fixture
def account(settings, product, connect):
    """Make an account that may do so much, each a privilege and an object; yield a way to connect as it."""

    def limited(*privileges, **more):
        url = mysql.server(product).url
        mysql.execute(url, "CREATE USER 'kolumn_test_limited'@'%' IDENTIFIED BY 'word'")
        for what, where in privileges:
            mysql.execute(url, f"GRANT {what} ON {where} TO 'kolumn_test_limited'@'%'")
        database = settings["url"].rpartition("/")[2]
        return connect(url=mysql.server(product).url_of(database, "kolumn_test_limited", "word"), **more)

    return limited


def of_routines(product):
    return ("SHOW_ROUTINE", "*.*") if product == "mysql" else ("SELECT", "mysql.proc")


def test_reading_and_planning(client, account, product):
    client.apply(*SCHEMA)
    reader = account((READING, "conformance.*"), ("SELECT", f"`{NOTES}`.*"), of_routines(product))
    assert reader.plan(*SCHEMA)["execution_order"] == ["view v"], (
        "spelled otherwise, and it cannot ask the server"
    )
    mysql.execute(
        mysql.server(product).url,
        f"GRANT {SPELLING} ON `kolumn\\_scratch\\_conformance`.* TO 'kolumn_test_limited'@'%'",
    )
    assert reader.plan(*SCHEMA)["execution_order"] == []
    refused = reader.refused("Apply", {"resources": [wanted("table", "u", {**TABLE, "name": "u"})]})
    assert isinstance(refused, PermissionError)
    assert "INSERT command denied" in refused.message


def test_applying_with_the_trail(account, product):
    writer = account((APPLYING, "conformance.*"), (ALL, f"`{NOTES}`.*"), of_routines(product))
    assert writer.apply(*SCHEMA)["success"] is True
    assert writer.plan(*SCHEMA)["execution_order"] == []
    assert writer.done("VerifyAuditLog")["intact"] is True


def test_quarantine(account, product, execute, ask):
    writer = account(
        (APPLYING, "conformance.*"),
        (ALL, f"`{NOTES}`.*"),
        (ALL, "`kolumn\\_quarantine\\_%`.*"),
        of_routines(product),
        safe_destroy=True,
    )
    writer.apply(SCHEMA[0])
    execute("INSERT INTO t VALUES (1, 2)")
    assert writer.apply(wanted("table", "t", TABLE, action="delete"))["success"] is True
    (item,) = writer.done("ListQuarantine")["entries"]
    writer.done("RestoreQuarantine", {"ids": [item["id"]]})
    assert ask("SELECT * FROM t") == [(1, 2)]


def test_telling_spellings_apart(account, product, execute):
    execute("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT '5', CONSTRAINT c CHECK (n BETWEEN 1 AND 9))")
    config = {
        "name": "t",
        "columns": [
            {"name": "id", "type": "integer", "primary_key": True},
            {"name": "n", "type": "int", "default": 5},
        ],
        "checks": [{"name": "c", "expression": "n between 1 and 9"}],
    }
    writer = account(
        (APPLYING, "conformance.*"), (ALL, f"`{NOTES}`.*"), (SPELLING, "`kolumn\\_scratch\\_conformance`.*"),
        of_routines(product),
    )  # fmt: skip
    assert writer.plan(wanted("table", "t", config))["execution_order"] == []


def test_accounts(account, product):
    writer = account(
        (APPLYING, "conformance.*"),
        (ALL, f"`{NOTES}`.*"),
        ("CREATE USER", "*.*"),
        ("SELECT", "mysql.*"),
        ("GRANT OPTION", "conformance.*"),
    )
    user = {"name": "kolumn_test_ann", "host": "%", "password": "word"}
    grant = {"account": "kolumn_test_ann", "on": "table", "object": "t", "privileges": ["select"]}
    role = {"name": "kolumn_test_reader"}
    made = [SCHEMA[0], wanted("user", "ann", user), wanted("role", "r", role), wanted("grant", "g", grant)]
    assert writer.apply(*made)["success"] is True
    assert writer.plan(*made)["execution_order"] == []
