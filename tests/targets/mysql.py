"""MySQL and MariaDB: real servers, one database per test (see `tests.servers.mysql`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor

from tests.client import wanted
from tests.servers import mysql
from tests.targets.target import PLANTED, Failing, Sample, Settings, Target

_DATABASE = "conformance"
_NOTES = "kolumn_notes"
"""Where Kolumn keeps what it notes in the tests."""
_open: list[str] = []
"""The databases of the tests that run: one test may have two."""
_SYSTEM = ("information_schema", "performance_schema", "mysql", "sys")


def _fresh(product: str) -> Callable[[Path], Any]:
    @contextmanager
    def fresh(folder: Path) -> Iterator[Settings]:
        """Yield an empty database; what belongs to the server and was made meanwhile is dropped with it."""
        server = mysql.server(product)
        second = "_2" if _open else ""
        database, notes = _DATABASE + second, _NOTES + second
        for name in (database, notes):
            mysql.execute(server.url, "SET foreign_key_checks = 0", f"DROP DATABASE IF EXISTS `{name}`")
        before = _databases(server)
        mysql.execute(server.url, f"CREATE DATABASE `{database}`")
        _open.append(database)
        try:
            yield {"url": server.url_of(database), "safe_destroy": False, "metadata_schema": notes}
        finally:
            _open.remove(database)
            for name in _databases(server) - before:
                mysql.execute(
                    server.url, "SET foreign_key_checks = 0", f"DROP DATABASE `{name.replace('`', '``')}`"
                )
            _drop_accounts(server)

    return fresh


def _databases(server: mysql.Server) -> set[str]:
    return {name for (name,) in mysql.execute(server.url, "SHOW DATABASES")}


def _drop_accounts(server: mysql.Server) -> None:
    accounts = mysql.execute(server.url, "SELECT user, host FROM mysql.user WHERE user LIKE 'kolumn\\_test%'")
    for user, host in accounts:
        kind = "USER" if host else "ROLE"
        mysql.execute(server.url, f"DROP {kind} '{user}'" + (f"@'{host}'" if host else ""))


def _execute(settings: Settings, script: str) -> None:
    connection = mysql.connect(settings["url"], client_flag=CLIENT.MULTI_STATEMENTS)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(script)
        while cursor.nextset():
            pass


def _dump(product: str) -> Callable[[Settings], list[str]]:
    def dump(settings: Settings) -> list[str]:
        """Return the dump's lines, rows as well, and the accounts of the server with what they may do."""
        server = mysql.server(product)
        own = settings["url"].rpartition("/")[2]
        others = {each for each in _open if each != own}
        mine = sorted(_databases(server) - others - {*_SYSTEM})
        mine = [name for name in mine if not name.startswith("kolumn_")]
        options = [
            "--routines",
            "--triggers",
            "--events",
            "--skip-comments",
            "--skip-dump-date",
            "--order-by-primary",
        ]
        options += ["--skip-extended-insert", "--databases", *mine]
        text = server.programs.run([*server.programs.dump, *server.flags(), *options])
        lines = [line for line in text.splitlines() if line and not line.startswith(("--", "/*M!999"))]
        # MySQL keeps the semicolon behind a trigger or routine that came together with other statements.
        lines = [line.replace("; */;;", " */;;").replace("; ;;", " ;;") for line in lines]
        accounts = mysql.execute(
            server.url,
            "SELECT user, host FROM mysql.user WHERE user LIKE 'kolumn\\_test%' ORDER BY user, host",
        )
        for user, host in accounts:
            who = f"'{user}'@'{host}'" if host else f"'{user}'"
            lines += [str(row) for row in mysql.execute(server.url, f"SHOW GRANTS FOR {who}")]
            if host:
                lines += [str(row) for row in mysql.execute(server.url, f"SHOW CREATE USER {who}")]
        lines = [line for line in lines if not any(f"`{each}`" in line for each in others)]
        return [line.replace(own, _DATABASE) for line in lines]

    return dump


def _rows(settings: Settings, table: str) -> list[dict[str, Any]]:
    connection = mysql.connect(settings["url"])
    with contextlib.closing(connection), connection.cursor(DictCursor) as cursor:
        cursor.execute(f"SELECT * FROM {table}")
        return list(cursor.fetchall())


_LIBRARY = """
ALTER TABLE author COMMENT 'Who writes', MODIFY born integer DEFAULT 1900 COMMENT 'Year';
CREATE TRIGGER `author_changed` AFTER UPDATE ON `author` FOR EACH ROW UPDATE alteration SET number = number + 1
"""
"""No semicolon at the end: the servers keep one as part of a trigger that comes with others in one packet."""


def _cut(settings: Settings) -> None:
    with contextlib.closing(mysql.connect(settings["url"])) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        for (number,) in cursor.fetchall():
            with contextlib.suppress(Exception):
                cursor.execute(f"KILL {number}")


def _column(name: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def _sample(type_: str, config: Mapping[str, Any], changed: Mapping[str, Any], **more: Any) -> Sample:
    """Return a sample of the name that `config` has; one without is called as its type is."""
    named = {"name": config["name"]} if "name" in config else {}
    return Sample(
        type=type_, name=named.get("name", f"a_{type_}"), config=config, changed={**named, **changed}, **more
    )


def _foreign_key(action: str) -> dict[str, Any]:
    return {"name": "book_author", "columns": ["author_id"], "references": "author(id)", "on_delete": action}


_AUTHOR = _sample(
    "table",
    {
        "name": "author",
        "columns": [
            _column("id", "int", primary_key=True),
            _column("name", "varchar(100)", not_null=True),
            _column("born", "int"),
        ],
    },
    {
        "columns": [
            _column("id", "int", primary_key=True),
            _column("name", "varchar(100)", not_null=True, unique=True),
            _column("born", "int"),
            _column("country", "varchar(50)", default="'?'"),
        ],
        "checks": [{"name": "born_positive", "expression": "born > 0"}],
    },
)
_BOOK = _sample(
    "table",
    {
        "name": "book",
        "columns": [
            _column("id", "bigint unsigned", auto_increment=True, primary_key=True),
            _column("author_id", "int", not_null=True),
            _column("title", "varchar(100)", not_null=True),
            _column("price", "decimal(6,2)", default="0"),
        ],
        "checks": [{"name": "price_positive", "expression": "price >= 0"}],
        "foreign_keys": [_foreign_key("cascade")],
        "comment": "What is sold",
    },
    {
        "columns": [
            _column("id", "bigint unsigned", auto_increment=True, primary_key=True),
            _column("author_id", "int"),
            _column("title", "varchar(200)", not_null=True, comment="As on the cover"),
            _column("price", "decimal(8,2)", default="0"),
            _column("twice", "decimal(9,2)", generated="price * 2", stored=True),
        ],
        "foreign_keys": [_foreign_key("set null")],
    },
    needs=(_AUTHOR,),
    uses=(_AUTHOR,),
)
_BOOKS = (_AUTHOR, _BOOK)
_INDEX = _sample(
    "index",
    {"name": "book_title", "table": "book", "columns": [{"column": "title", "order": "desc"}]},
    {
        "table": "book",
        "columns": [{"column": "title", "length": 10}, {"column": "price"}],
        "comment": "Short",
    },
    needs=_BOOKS,
    uses=(_BOOK,),
    called="book.book_title",
)
_VIEW = _sample(
    "view",
    {
        "name": "catalogue",
        "definition": "SELECT title, name AS author FROM book JOIN author ON author.id = book.author_id",
    },
    {
        "definition": "SELECT title AS t FROM book WHERE price > 1",
        "security": "invoker",
        "check_option": "local",
    },
    needs=_BOOKS,
    uses=_BOOKS,
)
_FUNCTION = _sample(
    "function",
    {
        "name": "close_to",
        "arguments": [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}],
        "returns": "tinyint(1)",
        "deterministic": True,
        "data_access": "no sql",
        "body": "RETURN abs(a - b) < 3",
    },
    {
        "arguments": [{"name": "a", "type": "int"}, {"name": "b", "type": "bigint"}],
        "returns": "tinyint(1)",
        "deterministic": True,
        "data_access": "no sql",
        "body": "BEGIN RETURN abs(a - b) < 4; END",
        "comment": "Nearly equal",
    },
)
_PROCEDURE = _sample(
    "procedure",
    {"name": "clear", "arguments": [{"name": "n", "type": "int"}], "body": "BEGIN END"},
    {
        "arguments": [{"name": "n", "type": "int", "mode": "inout"}],
        "security": "invoker",
        "body": "BEGIN SET n = 0; END",
    },
)
_TRIGGER = _sample(
    "trigger",
    {
        "name": "book_priced",
        "table": "book",
        "timing": "before",
        "events": ["update"],
        "body": "SET new.price = coalesce(new.price, 0)",
    },
    {"table": "book", "timing": "after", "events": ["insert"], "body": "BEGIN END"},
    needs=_BOOKS,
    uses=(_BOOK,),
)
_EVENT = _sample(
    "event",
    {"name": "cleaning", "every": "1 day", "starts": "2035-01-01 00:00:00", "body": "DO 1"},
    {"at": "2036-01-01 00:00:00", "preserve": True, "status": "disabled", "body": "DO 2", "comment": "Once"},
)
_SCHEMA = _sample(
    "schema", {"name": "archive", "collation": "utf8mb4_bin"}, {"collation": "utf8mb4_general_ci"}
)
_SEQUENCE = _sample(
    "sequence", {"name": "numbers"}, {"increment": 5, "max_value": 1000, "cycle": True, "cache": 10}
)
_ROLE_PARENT = _sample("role", {"name": "kolumn_test_all"}, {}, called="kolumn_test_all@%")
_ROLE = _sample(
    "role",
    {"name": "kolumn_test_reader"},
    {"member_of": [{"name": "kolumn_test_all"}]},
    needs=(_ROLE_PARENT,),
    called="kolumn_test_reader@%",
)
_USER = _sample(
    "user",
    {"name": "kolumn_test_ann", "host": "localhost", "max_user_connections": 3},
    {"host": "localhost", "locked": True, "require": "ssl", "max_queries_per_hour": 5},
    called="kolumn_test_ann@localhost",
)
_GRANT = _sample(
    "grant",
    {"account": "kolumn_test_reader", "on": "table", "object": "book", "privileges": ["select"]},
    {
        "account": "kolumn_test_reader",
        "on": "table",
        "object": "book",
        "privileges": ["insert", "select"],
        "columns": [{"names": ["price"], "privileges": ["update"]}],
    },
    needs=(*_BOOKS, _ROLE_PARENT, _ROLE),
    uses=(_BOOK, _ROLE),
    called="table book.kolumn_test_reader@%",
)


def _slow(settings: Settings, execute: Callable[[Settings, str], None]) -> Mapping[str, Any]:
    execute(
        settings,
        """
        CREATE TABLE heavy (id INT PRIMARY KEY, v CHAR(64) AS (sha2(repeat('x', 150000 + id), 256)) VIRTUAL);
        INSERT INTO heavy (id) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10);
        INSERT INTO heavy (id) SELECT a.id + 10 * b.id + 100 * c.id + 1000 * d.id
        FROM heavy a, heavy b, heavy c, heavy d;
        """,
    )
    return {
        "resource_type": "index",
        "name": "heavy_slowly",
        "action": "create",
        "config": {"name": "heavy_slowly", "table": "heavy", "columns": ["v"]},
    }


def _view(name: str, other: str) -> Mapping[str, Any]:
    return {
        "resource_type": "view",
        "name": name,
        "action": "create",
        "config": {"name": name, "definition": f"SELECT * FROM {other}"},
    }


def _plain_table(name: str) -> Mapping[str, Any]:
    return {
        "resource_type": "table",
        "name": name,
        "action": "create",
        "config": {"name": name, "columns": [_column("id", "int", primary_key=True)]},
    }


def _target(product: str) -> Target:
    mariadb = product == "mariadb"
    samples = (
        *(_AUTHOR, _BOOK, _INDEX, _VIEW, _FUNCTION, _PROCEDURE, _TRIGGER, _EVENT, _SCHEMA),
        *((_SEQUENCE,) if mariadb else ()),
        *(_ROLE_PARENT, _ROLE, _USER, _GRANT),
    )
    return Target(
        provider="mysql",
        fresh=_fresh(product),
        execute=_execute,
        dump=_dump(product),
        rows=_rows,
        library=_LIBRARY,
        shorter="price",
        samples=samples,
        column=_column("note", "varchar(200)"),
        renamed={
            "name": "author",
            "columns": [
                _column("id", "int", primary_key=True),
                _column("full_name", "varchar(100)", not_null=True, renamed_from="name"),
                _column("born", "int"),
            ],
        },
        cycle=(_view("hen", "egg"), _view("egg", "hen")),
        failing=Failing(
            script="CREATE TABLE twins (n INT); INSERT INTO twins VALUES (1), (1);",
            resources=(
                _plain_table("aardvark"),
                {
                    "resource_type": "index",
                    "name": "one_of_a_kind",
                    "action": "create",
                    "depends_on": ["table aardvark"],
                    "config": {
                        "name": "one_of_a_kind",
                        "table": "twins",
                        "columns": ["n"],
                        "kind": "fulltext",
                    },
                },
                {**_plain_table("zebra"), "depends_on": ["index one_of_a_kind"]},
            ),
            culprit="one_of_a_kind",
        ),
        slow=_slow,
        transactional=False,
        joined="concat({}, {})",
        analyze="ANALYZE TABLE {}",
        lacking=frozenset() if mariadb else frozenset({"sequence"}),
        partial_indexes=False,
        isolation=("repeatable read", "read committed", "read uncommitted", "serializable"),
        apart=(wanted("table", "apart", _plain_table("apart")["config"]), {}),
        cut=_cut,
        refused=frozenset({"materialized_view"}),
        missing=frozenset({"OutboxHealthMetrics", "OutboxCleanupRetention"}),
        trail=f"{_NOTES}.audit",
        unprotect=f"DROP TRIGGER {_NOTES}.audit_update; DROP TRIGGER {_NOTES}.audit_delete;",
        hostile=2,
        given=frozenset(
            {("grant", "server.root@localhost"), ("schema", _DATABASE), ("user", "root@localhost")}
        ),
        worded=frozenset({"definition", "expression", "default", "generated", "check", "type", "every"}),
        missing_types=frozenset({"stream_sink", "stream_route", "stream_outbox"}),
        secrets={
            "password": PLANTED,
            "url": f"mysql://someone:{PLANTED}@127.0.0.1:1/nowhere",
            "application_name": "kolumn",
        },
        tampered=product,
        verified="real servers, MySQL 9.7 and MariaDB 10.11",
    )


TARGETS: Mapping[str, Target] = {product: _target(product) for product in mysql.PRODUCTS}
"""One target per product: the provider asks the server which of the two it is."""
