"""PostgreSQL: real servers of several versions, one database per test (see `tests.servers`)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from tests.client import wanted
from tests.servers import postgres
from tests.targets.target import PLANTED, Failing, Sample, Settings, Target


def _fresh(version: int) -> Callable[[Path], Any]:
    @contextmanager
    def fresh(folder: Path) -> Iterator[Settings]:
        """Yield an empty database; roles made meanwhile, which belong to the server, are dropped with it."""
        server = postgres.server(version)
        with psycopg.connect(server.url, autocommit=True) as admin:
            before = _roles(admin)
            with server.database() as url:
                yield {"url": url, "safe_destroy": False}
            for role in _roles(admin) - before:
                quoted = role.replace('"', '""')
                admin.execute(f'DROP OWNED BY "{quoted}"; DROP ROLE "{quoted}"'.encode())

    return fresh


def _roles(connection: psycopg.Connection[Any]) -> set[str]:
    return {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}


def _execute(settings: Settings, script: str) -> None:
    with psycopg.connect(settings["url"], autocommit=True) as connection:
        connection.execute(script.encode())


def _dump(version: int) -> Callable[[Settings], list[str]]:
    def dump(settings: Settings) -> list[str]:
        """Return pg_dump's lines, rows as well, and the roles of the server; without Kolumn's own notes."""
        programs = postgres.server(version).programs
        try:
            text = programs.run("pg_dump", "--inserts", "--exclude-schema=kolumn", settings["url"])
        except subprocess.CalledProcessError as error:
            raise AssertionError(error.stderr) from error
        lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
        with psycopg.connect(settings["url"]) as connection:
            roles = connection.execute(
                "SELECT rolname, rolsuper, rolcanlogin, rolcreatedb, rolcreaterole, rolinherit, rolconnlimit, "
                "shobj_description(oid, 'pg_authid'), "
                "ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1) "
                "FROM pg_roles r WHERE oid >= 16384 ORDER BY rolname"
            ).fetchall()
        return [*lines, *map(str, roles)]

    return dump


def _rows(settings: Settings, table: str) -> list[dict[str, Any]]:
    with psycopg.connect(settings["url"], row_factory=dict_row) as connection:
        return connection.execute(f"SELECT * FROM {table}".encode()).fetchall()


_LIBRARY = """
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE alteration SET number = number + 1; RETURN NULL; END $$;
CREATE TRIGGER author_changed AFTER UPDATE ON author FOR EACH STATEMENT EXECUTE FUNCTION note_change();
COMMENT ON TABLE author IS 'Who writes';
COMMENT ON COLUMN author.born IS 'Year';
GRANT SELECT ON author TO public;
GRANT UPDATE (born) ON author TO public;
ALTER TABLE author ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON author FOR SELECT USING (true);
"""


def _column(name: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def _sample(type_: str, config: Mapping[str, Any], changed: Mapping[str, Any], **more: Any) -> Sample:
    """Return a sample of the name that `config` has; one without is called as its type is."""
    named = {"name": config["name"]} if "name" in config else {}
    return Sample(
        type=type_, name=named.get("name", f"a_{type_}"), config=config, changed={**named, **changed}, **more
    )


_AUTHOR = _sample(
    "table",
    {
        "name": "author",
        "columns": [
            _column("id", "integer", primary_key=True),
            _column("name", "text", not_null=True),
            _column("born", "integer"),
        ],
    },
    {
        "columns": [
            _column("id", "integer", primary_key=True),
            _column("name", "text", not_null=True, unique=True),
            _column("born", "integer", check="born > 0"),
            _column("country", "text", default="'?'"),
        ],
    },
)
_BOOK = _sample(
    "table",
    {
        "name": "book",
        "columns": [
            _column("id", "bigint", identity="always", primary_key=True),
            _column("author_id", "integer", not_null=True, references="author(id)", on_delete="cascade"),
            _column("title", "character varying(100)", not_null=True),
            _column("price", "numeric(6,2)", default="0"),
        ],
        "checks": [{"name": "price_positive", "expression": "price >= 0"}],
        "comment": "What is sold",
    },
    {
        "columns": [
            _column("id", "bigint", identity="by default", primary_key=True),
            _column("author_id", "integer", references="author(id)", on_delete="set null"),
            _column("title", "text", not_null=True, comment="As on the cover"),
            _column("price", "numeric(8,2)", default="0"),
            _column("twice", "numeric", generated="price * 2", stored=True),
        ],
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
        "columns": [{"column": "title"}, {"expression": "lower(title)"}],
        "where": "price > 0",
        "include": ["price"],
    },
    needs=_BOOKS,
    uses=(_BOOK,),
)
_EDITION = _sample(
    "table",
    {"name": "edition", "columns": [_column("book_id", "bigint")]},
    {"columns": [_column("book_id", "bigint"), _column("year", "smallint")]},
)
_FOREIGN_KEY = _sample(
    "foreign_key",
    {"name": "edition_book", "table": "edition", "columns": ["book_id"], "references": "book(id)"},
    {
        "table": "edition",
        "columns": ["book_id"],
        "references": "book(id)",
        "on_delete": "cascade",
        "comment": "Of what",
    },
    needs=(*_BOOKS, _EDITION),
    uses=(_BOOK, _EDITION),
)
_VIEW = _sample(
    "view",
    {
        "name": "catalogue",
        "definition": "SELECT title, name AS author FROM book JOIN author ON author.id = book.author_id",
    },
    {
        "definition": "SELECT title AS t FROM book WHERE price > 1",
        "security_barrier": True,
        "comment": "Dear ones",
    },
    needs=_BOOKS,
    uses=_BOOKS,
)
_MATERIALIZED_VIEW = _sample(
    "materialized_view",
    {"name": "prices", "definition": "SELECT id, price FROM book"},
    {"definition": "SELECT id, price * 2 AS twice FROM book", "parameters": {"fillfactor": "70"}},
    needs=_BOOKS,
    uses=(_BOOK,),
)
_FUNCTION = _sample(
    "function",
    {
        "name": "close_to",
        "arguments": [{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}],
        "returns": "boolean",
        "language": "sql",
        "body": "SELECT abs(a - b) < 3",
    },
    {
        "arguments": [{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}],
        "returns": "boolean",
        "language": "plpgsql",
        "volatility": "immutable",
        "strict": True,
        "body": "BEGIN RETURN abs(a - b) < 4; END",
    },
    called="close_to(integer, integer)",
)
_TOUCH = _sample(
    "function",
    {"name": "touch", "returns": "trigger", "language": "plpgsql", "body": "BEGIN RETURN new; END"},
    {"returns": "trigger", "language": "plpgsql", "body": "BEGIN RETURN NULL; END"},
    called="touch()",
)
_PROCEDURE = _sample(
    "procedure",
    {
        "name": "clear",
        "arguments": [{"name": "n", "type": "integer"}],
        "language": "plpgsql",
        "body": "BEGIN END",
    },
    {
        "arguments": [{"name": "n", "type": "integer"}],
        "language": "plpgsql",
        "security_definer": True,
        "body": "BEGIN NULL; END",
    },
    called="clear(integer)",
)
_AGGREGATE = _sample(
    "aggregate",
    {
        "name": "total",
        "arguments": [{"type": "integer"}],
        "sfunc": "int4pl",
        "stype": "integer",
        "initcond": "0",
    },
    {"arguments": [{"type": "integer"}], "sfunc": "int4pl", "stype": "integer", "comment": "Sum"},
    called="total(integer)",
)
_TRIGGER = _sample(
    "trigger",
    {
        "name": "book_touched",
        "table": "book",
        "timing": "before",
        "events": ["update of price"],
        "for_each_row": True,
        "when": "new.price <> old.price",
        "function": "touch",
    },
    {"table": "book", "timing": "after", "events": ["insert", "delete"], "function": "touch"},
    needs=(*_BOOKS, _TOUCH),
    uses=(_BOOK, _TOUCH),
)
_NOTED = _sample(
    "function",
    {"name": "noted", "returns": "event_trigger", "language": "plpgsql", "body": "BEGIN END"},
    {"returns": "event_trigger", "language": "plpgsql", "body": "BEGIN NULL; END"},
    called="noted()",
)
_EVENT_TRIGGER = _sample(
    "event_trigger",
    {"name": "note", "event": "ddl_command_end", "tags": ["CREATE TABLE"], "function": "noted"},
    {"event": "ddl_command_end", "function": "noted", "enabled": "disabled"},
    needs=(_NOTED,),
    uses=(_NOTED,),
)
_RULE = _sample(
    "rule",
    {
        "name": "no_delete",
        "table": "author",
        "event": "delete",
        "instead": True,
        "actions": [],
    },
    {"table": "author", "event": "delete", "where": "old.id > 3", "instead": True, "comment": "Keep them"},
    needs=(_AUTHOR,),
    uses=(_AUTHOR,),
)
_POLICY = _sample(
    "policy",
    {"name": "own", "table": "book", "command": "select", "using": "price > 0"},
    {"table": "book", "command": "select", "using": "price > 1", "comment": "Dear ones"},
    needs=_BOOKS,
    uses=(_BOOK,),
)
_SCHEMA = _sample("schema", {"name": "archive"}, {"comment": "What is kept"})
_EXTENSION = _sample("extension", {"name": "citext"}, {"comment": "Text in any case"}, quotable=False)
_ENUM = _sample(
    "enum",
    {"name": "mood", "values": ["sad", "happy"]},
    {"values": ["sad", "so-so", "happy"], "comment": "How one is"},
)
_DOMAIN = _sample(
    "domain",
    {"name": "percent", "type": "integer", "checks": [{"name": "least", "expression": "VALUE >= 0"}]},
    {
        "type": "integer",
        "default": "50",
        "checks": [
            {"name": "least", "expression": "VALUE >= 0"},
            {"name": "most", "expression": "VALUE <= 100"},
        ],
    },
)
_COMPOSITE = _sample(
    "composite_type",
    {"name": "point3", "attributes": [_column("x", "real"), _column("y", "real")]},
    {"attributes": [_column("x", "real"), _column("y", "double precision"), _column("z", "real")]},
)
_RANGE = _sample("range_type", {"name": "span", "subtype": "real"}, {"subtype": "real", "comment": "From to"})
_SEQUENCE = _sample(
    "sequence", {"name": "numbers"}, {"increment": 5, "max_value": 1000, "cycle": True, "comment": "In fives"}
)
_COLLATION = _sample(
    "collation",
    {"name": "plain", "provider": "libc", "locale": "C"},
    {"provider": "libc", "locale": "C", "comment": "Bytes"},
)
_TEXT_SEARCH = _sample(
    "text_search_configuration",
    {"name": "words", "mappings": [{"name": "asciiword", "dictionaries": ["simple"]}]},
    {
        "mappings": [
            {"name": "asciiword", "dictionaries": ["english_stem", "simple"]},
            {"name": "word", "dictionaries": ["simple"]},
        ]
    },
)
_STATISTICS = _sample(
    "statistics",
    {"name": "book_stats", "table": "book", "columns": ["author_id", "price"], "kinds": ["ndistinct"]},
    {"table": "book", "columns": ["author_id", "price"], "kinds": ["ndistinct"], "target": 50},
    needs=_BOOKS,
    uses=(_BOOK,),
)
_OPERATOR = _sample(
    "operator",
    {"name": "~~~", "left": "integer", "right": "integer", "function": "close_to"},
    {
        "left": "integer",
        "right": "integer",
        "function": "close_to",
        "restrict": "eqsel",
        "comment": "Nearly equal",
    },
    needs=(_FUNCTION,),
    uses=(_FUNCTION,),
    called="~~~(integer, integer)",
    quotable=False,
)
_ROLE = _sample(
    "role",
    {"name": "kolumn_test_reader", "connection_limit": 3},
    {"connection_limit": 5, "createdb": True, "comment": "Reads"},
)
_USER = _sample(
    "user", {"name": "kolumn_test_ann"}, {"member_of": [{"name": "pg_monitor"}], "connection_limit": 2}
)
_GRANT = _sample(
    "grant",
    {
        "role": "kolumn_test_reader",
        "on": "table",
        "object": "book",
        "privileges": ["select"],
    },
    {"role": "kolumn_test_reader", "on": "table", "object": "book", "privileges": ["select", "insert"]},
    needs=(*_BOOKS, _ROLE),
    uses=(_BOOK, _ROLE),
    called="book.kolumn_test_reader",
)
_DEFAULT_PRIVILEGES = _sample(
    "default_privileges",
    {
        "owner": "postgres",
        "on": "tables",
        "role": "kolumn_test_reader",
        "privileges": ["select"],
    },
    {
        "owner": "postgres",
        "on": "tables",
        "role": "kolumn_test_reader",
        "privileges": ["select", "update"],
    },
    needs=(_ROLE,),
    uses=(_ROLE,),
    called="tables of postgres.kolumn_test_reader",
)
_PUBLICATION = _sample(
    "publication",
    {"name": "books", "tables": [{"name": "book"}]},
    {"tables": [{"name": "book"}], "operations": ["insert"], "comment": "New ones"},
    needs=_BOOKS,
    uses=(_BOOK,),
)


def _slow(settings: Settings, execute: Callable[[Settings, str], None]) -> Mapping[str, Any]:
    execute(
        settings,
        "CREATE TABLE heavy (id integer PRIMARY KEY);"
        "INSERT INTO heavy SELECT generate_series(1, 100);"
        "CREATE FUNCTION slowly(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS "
        "'BEGIN PERFORM pg_sleep(0.1); RETURN n; END';",
    )
    return {
        "resource_type": "index",
        "name": "heavy_slowly",
        "action": "create",
        "config": {
            "name": "heavy_slowly",
            "table": "heavy",
            "columns": [{"expression": "public.slowly(id)"}],
        },
    }


def _cut(settings: Settings) -> None:
    with psycopg.connect(settings["url"], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


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
        "config": {"name": name, "columns": [_column("id", "integer", primary_key=True)]},
    }


def _target(version: int) -> Target:
    address = urlsplit("postgresql://127.0.0.1:1/nowhere")
    return Target(
        provider="postgres",
        fresh=_fresh(version),
        execute=_execute,
        dump=_dump(version),
        rows=_rows,
        library=_LIBRARY,
        shorter="price",
        samples=(
            _AUTHOR,
            _BOOK,
            _EDITION,
            _INDEX,
            _FOREIGN_KEY,
            _VIEW,
            _MATERIALIZED_VIEW,
            _FUNCTION,
            _PROCEDURE,
            _AGGREGATE,
            _TOUCH,
            _TRIGGER,
            _NOTED,
            _EVENT_TRIGGER,
            _RULE,
            _POLICY,
            _SCHEMA,
            _EXTENSION,
            _ENUM,
            _DOMAIN,
            _COMPOSITE,
            _RANGE,
            _SEQUENCE,
            _COLLATION,
            _TEXT_SEARCH,
            _STATISTICS,
            _OPERATOR,
            _ROLE,
            _USER,
            _GRANT,
            _DEFAULT_PRIVILEGES,
            _PUBLICATION,
        ),
        column=_column("note", "text"),
        renamed={
            "name": "author",
            "columns": [
                _column("id", "integer", primary_key=True),
                _column("full_name", "text", not_null=True, renamed_from="name"),
                _column("born", "integer"),
            ],
        },
        cycle=(_view("hen", "egg"), _view("egg", "hen")),
        failing=Failing(
            script="CREATE TABLE twins (n integer); INSERT INTO twins VALUES (0);",
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
                        "columns": [{"expression": "1 / n"}],
                    },
                },
                {**_plain_table("zebra"), "depends_on": ["index one_of_a_kind"]},
            ),
            culprit="one_of_a_kind",
        ),
        slow=_slow,
        isolation=("read committed", "repeatable read", "serializable", "read uncommitted"),
        apart=(
            wanted("index", "apart", {"name": "apart", "table": "book", "columns": ["price"]}),
            {"online": True},
        ),
        cut=_cut,
        refused=frozenset(),
        missing=frozenset(
            {
                "OutboxHealthMetrics",
                "OutboxCleanupRetention",
            }
        ),
        trail="kolumn.audit",
        unprotect="ALTER TABLE kolumn.audit DISABLE TRIGGER ALL",
        hostile=2,
        given=frozenset(
            {
                ("extension", "plpgsql"),
                ("grant", "schema public.public"),
                ("schema", "public"),
                ("user", "postgres"),
            }
        ),
        worded=frozenset(
            {"definition", "expression", "when", "where", "using", "default", "generated", "check", "actions"}
        ),
        missing_types=frozenset({"stream_sink", "stream_route", "stream_outbox"}),
        secrets={
            "password": PLANTED,
            "url": f"postgresql://someone:{PLANTED}@{address.netloc}/nowhere",
            "application_name": "kolumn",
        },
        verified="real servers, 15 and 18 (14, 16 and 17 with KOLUMN_TEST_POSTGRES_VERSIONS)",
    )


TARGETS: Mapping[str, Target] = {
    ("postgres" if version == max(postgres.versions()) else f"postgres-{version}"): _target(version)
    for version in postgres.versions()
}
"""One target per version; the newest has the provider's name."""
