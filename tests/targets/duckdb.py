"""DuckDB: the library inside Python, one file per test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tests.client import wanted
from tests.targets.target import PLANTED, Failing, Sample, Settings, Target

FILES = Path(__file__).parent / "files"
"""What stages read."""


@contextmanager
def _fresh(folder: Path) -> Iterator[Settings]:
    """Yield a new file in `folder`, or in the folder that KOLUMN_TEST_DUCKDB_URL names (`duckdb:///folder`)."""
    base = os.environ.get("KOLUMN_TEST_DUCKDB_URL", "").removeprefix("duckdb:///")
    place = Path(base) if base else folder
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{folder.name}_{os.getpid()}.duckdb"
    settings = {
        "path": str(file),
        "safe_destroy": False,
        "secret_directory": str(place / f"{file.name}.secrets"),
    }
    opened(settings).close()
    try:
        yield settings
    finally:
        for leftover in sorted(place.glob(f"{file.name}*"), reverse=True):
            if leftover.is_dir():
                for each in leftover.iterdir():
                    each.unlink()
                leftover.rmdir()
            else:
                leftover.unlink()


def opened(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Return a connection; in this process Kolumn may have the file open with the same options."""
    options = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "secret_directory": settings["secret_directory"],
    }
    return duckdb.connect(settings["path"], config=options)


def _execute(settings: Settings, script: str) -> None:
    with opened(settings) as database:
        database.execute(script)


_FACTS = {
    "schema": "SELECT schema_name FROM duckdb_schemas() WHERE {here}",
    "table": "SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE {here}",
    "column": "SELECT schema_name, table_name, column_index, column_name, data_type, column_default, is_nullable, "
    "comment, is_generated, generation_expression FROM duckdb_columns() WHERE {here}",
    "constraint": "SELECT DISTINCT schema_name, table_name, constraint_type, constraint_column_names, expression, "
    "referenced_table, referenced_column_names FROM duckdb_constraints() WHERE {on}",
    "index": "SELECT schema_name, table_name, index_name, is_unique, comment, sql FROM duckdb_indexes() WHERE {on}",
    "view": "SELECT schema_name, view_name, comment, sql FROM duckdb_views() WHERE {here}",
    "function": "SELECT schema_name, function_name, function_type, comment, parameters, parameter_types, "
    "macro_definition FROM duckdb_functions() WHERE {here}",
    "sequence": "SELECT schema_name, sequence_name, comment, sql FROM duckdb_sequences() WHERE {on}",
    "type": "SELECT schema_name, type_name, logical_type, labels, comment FROM duckdb_types() WHERE {here}",
    "trigger": "SELECT schema_name, table_name, trigger_name, sql FROM duckdb_triggers() WHERE {on}",
    "secret": "SELECT name, type, provider, scope, secret_string FROM duckdb_secrets()",
}


def _dump(settings: Settings) -> list[str]:
    """Return a line per fact of DuckDB's catalogue, and the number and checksum of each table's rows."""
    with opened(settings) as database:
        here = "database_name = current_database() AND NOT internal AND schema_name <> 'kolumn'"
        on = "database_name = current_database() AND schema_name <> 'kolumn'"
        found = []
        for kind, text in _FACTS.items():
            rows = database.execute(text.format(here=here, on=on)).fetchall()
            found += sorted(f"{kind} {row}" for row in rows)
        names = database.execute(
            f"SELECT schema_name, table_name FROM duckdb_tables() WHERE {here}"
        ).fetchall()
        for schema, name in sorted(names):
            place = f'"{schema}"."{name.replace(chr(34), chr(34) * 2)}"'
            columns = database.execute(
                "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() "
                "AND schema_name = ? AND table_name = ? AND NOT is_generated",
                [schema, name],
            ).fetchall()
            values = ", ".join('"' + each.replace('"', '""') + '"' for (each,) in sorted(columns))
            held = database.execute(
                f"SELECT count(*), bit_xor(hash(n, v)) FROM (SELECT v, count(*) AS n FROM "
                f"(SELECT CAST(row({values}) AS VARCHAR) AS v FROM {place}) GROUP BY v)"
            ).fetchone()
            found.append(f"rows {schema}.{name}: {held}")
        if database.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'attached'").fetchone():
            found += [
                f"attached {row}" for row in database.execute("FROM kolumn.attached ORDER BY 1").fetchall()
            ]
        return found


def _rows(settings: Settings, table: str) -> list[dict[str, Any]]:
    with opened(settings) as database:
        cursor = database.execute(f"SELECT * FROM {table}")
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _column(name: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def _sample(type_: str, config: Mapping[str, Any], changed: Mapping[str, Any], **more: Any) -> Sample:
    name = config["name"]
    return Sample(type=type_, name=name, config=config, changed={"name": name, **changed}, **more)


_AUTHOR = _sample(
    "table",
    {
        "name": "author",
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("name", "VARCHAR", not_null=True),
            _column("born", "INTEGER"),
        ],
    },
    {
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("name", "VARCHAR", not_null=True, unique=True),
            _column("born", "INTEGER", check="born > 0"),
            _column("country", "VARCHAR", default="'?'"),
        ],
    },
)
_ANY_NUMBER = "CAST((random() * 2000000000) AS INTEGER)"
_BOOK = _sample(
    "table",
    {
        "name": "book",
        "columns": [
            _column("id", "INTEGER", primary_key=True, default=_ANY_NUMBER),
            _column("author_id", "INTEGER", not_null=True, references="author(id)"),
            _column("title", "VARCHAR", not_null=True),
            _column("price", "DECIMAL(6,2)", default="0"),
            _column("details", "STRUCT(pages INTEGER, tags VARCHAR[])"),
        ],
        "checks": ["(price >= 0) OR (title = 'Free')"],
        "comment": "What is sold",
    },
    {
        "columns": [
            _column("id", "INTEGER", primary_key=True, default=_ANY_NUMBER),
            _column("author_id", "INTEGER", references="author(id)"),
            _column("title", "VARCHAR", not_null=True, comment="As on the cover"),
            _column("price", "DECIMAL(8,2)", default="0"),
            _column("details", "STRUCT(pages INTEGER, tags VARCHAR[], sizes MAP(VARCHAR, DOUBLE))"),
            _column("twice", "INTEGER", generated="price * 2"),
        ],
    },
    needs=(_AUTHOR,),
    uses=(_AUTHOR,),
)
_BOOKS = (_AUTHOR, _BOOK)
_INDEX = _sample(
    "index",
    {"name": "book_title", "table": "book", "columns": ["title"]},
    {
        "table": "book",
        "columns": [{"column": "title"}, {"expression": "lower(title)"}],
        "comment": "To look up",
    },
    needs=_BOOKS,
    uses=(_BOOK,),
)
_VIEW = _sample(
    "view",
    {
        "name": "catalogue",
        "definition": "SELECT title, name AS author FROM book JOIN author ON author.id = book.author_id",
    },
    {
        "columns": ["t"],
        "definition": "SELECT title FROM book WHERE price > 1",
        "comment": "Dear ones",
        "column_comments": {"t": "Title"},
    },
    needs=_BOOKS,
    uses=_BOOKS,
)
_FUNCTION = _sample(
    "function",
    {
        "name": "close_to",
        "parameters": [{"name": "a"}, {"name": "b"}, {"name": "distance", "default": "3"}],
        "body": "abs(a - b) < distance",
    },
    {
        "parameters": [{"name": "a", "type": "INTEGER"}, {"name": "b", "type": "INTEGER"}],
        "body": "abs(a - b) < 4",
        "overloads": [{"parameters": [{"name": "a"}], "body": "abs(a) < 4"}],
        "comment": "Nearly equal",
    },
)
_TABLE_FUNCTION = _sample(
    "function",
    {
        "name": "books_of",
        "returns": "table",
        "parameters": ["writer"],
        "body": "SELECT title FROM book WHERE author_id = writer",
    },
    {
        "returns": "table",
        "parameters": [{"name": "writer"}, {"name": "least", "default": "0"}],
        "body": "SELECT title, price FROM book WHERE author_id = writer AND price >= least",
    },
    needs=_BOOKS,
    uses=(_BOOK,),
)
_SEQUENCE = _sample(
    "sequence", {"name": "numbers"}, {"increment": 5, "max_value": 1000, "cycle": True, "comment": "5"}
)
_TYPE = _sample(
    "type",
    {"name": "mood", "values": ["sad", "happy"]},
    {"values": ["sad", "so-so", "happy"], "comment": "How one is"},
)
_STRUCT = _sample(
    "type",
    {"name": "point", "fields": [_column("x", "REAL"), _column("y", "REAL")]},
    {"fields": [_column("x", "REAL"), _column("y", "DOUBLE"), _column("z", "REAL")]},
)
_ALIAS = _sample(
    "type",
    {"name": "money", "definition": "DECIMAL(10,2)"},
    {"definition": "UNION(n DECIMAL(12,2), t VARCHAR)"},
)
_SCHEMA = _sample("schema", {"name": "archive"}, {})
_STAGE = _sample(
    "stage",
    {"name": "incoming", "format": "csv", "paths": [str(FILES / "books.csv")]},
    {
        "format": "csv",
        "paths": [str(FILES / "books.csv")],
        "options": {"header": True, "delim": ","},
        "comment": "From the till",
    },
)
_SECRET = _sample(
    "secret",
    {
        "name": "shop",
        "type": "http",
        "scope": ["https://shop.example"],
        "values": {"bearer_token": "first-token"},
    },
    {"type": "http", "scope": ["https://shop.example/api"], "values": {"bearer_token": "second-token"}},
    apart=True,
)
_ATTACHED = _sample(
    "attached_database",
    {"name": "annex", "path": "annex.duckdb"},
    {"path": "annex.duckdb"},
    impossible={"name": "annex", "path": "annex2.duckdb"},
    apart=True,
)

_SLOW_ROWS = 200_000


def _slow(settings: Settings, execute: Callable[[Settings, str], None]) -> Mapping[str, Any]:
    execute(
        settings,
        f"CREATE TABLE heavy (id INTEGER PRIMARY KEY); INSERT INTO heavy SELECT range FROM range({_SLOW_ROWS})",
    )
    return {
        "resource_type": "index",
        "name": "heavy_texts",
        "action": "create",
        "config": {
            "name": "heavy_texts",
            "table": "heavy",
            "columns": [{"expression": "levenshtein(repeat(CAST(id AS VARCHAR), 40), repeat('4', 200))"}],
        },
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
        "config": {"name": name, "columns": [_column("id", "INTEGER", primary_key=True)]},
    }


DUCKDB = Target(
    provider="duckdb",
    fresh=_fresh,
    execute=_execute,
    dump=_dump,
    rows=_rows,
    library="COMMENT ON TABLE author IS 'Who writes'; COMMENT ON COLUMN author.born IS 'Year';",
    shorter="price",
    samples=(
        _AUTHOR,
        _BOOK,
        _INDEX,
        _VIEW,
        _FUNCTION,
        _TABLE_FUNCTION,
        _SEQUENCE,
        _TYPE,
        _STRUCT,
        _ALIAS,
        _SCHEMA,
        _STAGE,
        _SECRET,
        _ATTACHED,
    ),
    column=_column("note", "VARCHAR"),
    renamed={
        "name": "author",
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("full_name", "VARCHAR", not_null=True, renamed_from="name"),
            _column("born", "INTEGER"),
        ],
    },
    cycle=(_view("hen", "egg"), _view("egg", "hen")),
    failing=Failing(
        script="CREATE TABLE twins (n VARCHAR); INSERT INTO twins VALUES ('x');",
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
                    "columns": [{"expression": "CAST(n AS INTEGER)"}],
                },
            },
            {**_plain_table("zebra"), "depends_on": ["index one_of_a_kind"]},
        ),
        culprit="one_of_a_kind",
    ),
    slow=_slow,
    isolation=("snapshot",),
    savepoints=False,
    processes=False,
    apart=(wanted(_ATTACHED.type, _ATTACHED.name, _ATTACHED.config), {}),
    refused=frozenset({"user", "role", "grant", "trigger"}),
    missing=frozenset({"OutboxHealthMetrics", "OutboxCleanupRetention"}),
    trail="kolumn.audit",
    unprotect="DROP TRIGGER audit_update ON kolumn.audit; DROP TRIGGER audit_delete ON kolumn.audit;",
    partial_indexes=False,
    hostile=3,
    worded=frozenset(
        {"definition", "expression", "default", "generated", "check", "body", "options", "values", "type"}
    ),
    missing_types=frozenset({"stream_sink", "stream_route", "stream_outbox"}),
    secrets={
        "password": PLANTED,
        "url": f"duckdb://someone:{PLANTED}@/nowhere.duckdb",
        "memory_limit": f"password={PLANTED}",
        "attach": {"other": f"/nowhere/?password={PLANTED}"},
    },
    verified="the real library inside Python (2.0.0), files on disk",
)
