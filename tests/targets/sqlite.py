"""SQLite: the library inside Python, one file per test."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests import dumps
from tests.client import wanted
from tests.targets.target import PLANTED, Failing, Sample, Settings, Target


@contextmanager
def _sqlite_fresh(folder: Path) -> Iterator[Settings]:
    """Yield a new file in `folder`, or in the folder that KOLUMN_TEST_SQLITE_URL names (`sqlite:///folder`)."""
    base = os.environ.get("KOLUMN_TEST_SQLITE_URL", "").removeprefix("sqlite:///")
    place = Path(base) if base else folder
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{folder.name}-{os.getpid()}.db"
    sqlite3.connect(file).close()
    try:
        yield {"path": str(file), "safe_destroy": False}
    finally:
        for leftover in place.glob(f"{file.name}*"):
            leftover.unlink()


def _sqlite_execute(settings: Settings, script: str) -> None:
    with closing(sqlite3.connect(settings["path"])) as database:
        database.executescript(script)


def _sqlite_dump(settings: Settings) -> list[str]:
    path = settings["path"]
    held = [
        f"rows {table}: {count} {checksum}"
        for table, (count, checksum) in sorted(dumps.checksums(path).items())
    ]
    return [*dumps.schema(path, ordered=True), *held]


def _sqlite_rows(settings: Settings, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(settings["path"])) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]


def _column(name: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


_AUTHOR = Sample(
    type="table",
    name="author",
    config={
        "name": "author",
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("name", "TEXT", not_null=True),
            _column("born", "INTEGER"),
        ],
    },
    changed={
        "name": "author",
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("name", "TEXT", not_null=True, unique=True),
            _column("born", "INTEGER", check="born > 0"),
            _column("country", "TEXT", default="'?'"),
        ],
    },
)
_BOOK = Sample(
    type="table",
    name="book",
    config={
        "name": "book",
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("author_id", "INTEGER", not_null=True, references="author(id)", on_delete="cascade"),
            _column("title", "TEXT", not_null=True),
            _column("price", "NUMERIC(6,2)", default="0"),
        ],
        "checks": [{"name": "price_positive", "expression": "price >= 0"}],
    },
    changed={
        "name": "book",
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("author_id", "INTEGER", references="author(id)", on_delete="set null"),
            _column("title", "TEXT", not_null=True, collation="NOCASE"),
            _column("price", "NUMERIC(8,2)", default="0"),
            _column("twice", "INTEGER", generated="price * 2"),
        ],
    },
    needs=(_AUTHOR,),
)
_NAMES = Sample(
    type="index",
    name="book_title",
    config={"name": "book_title", "table": "book", "columns": [{"column": "title", "order": "desc"}]},
    changed={
        "name": "book_title",
        "table": "book",
        "columns": [{"column": "title"}, {"expression": "lower(title)"}],
        "where": "price > 0",
    },
    needs=(_AUTHOR, _BOOK),
    uses=(_BOOK,),
)
_CATALOGUE = Sample(
    type="view",
    name="catalogue",
    config={
        "name": "catalogue",
        "definition": "SELECT title, name AS author FROM book JOIN author ON author.id = book.author_id",
    },
    changed={"name": "catalogue", "columns": ["t"], "definition": "SELECT title FROM book WHERE price > 1"},
    needs=(_AUTHOR, _BOOK),
    uses=(_AUTHOR, _BOOK),
)
_AUDIT = Sample(
    type="trigger",
    name="book_priced",
    config={
        "name": "book_priced",
        "table": "book",
        "timing": "after",
        "events": ["update of price"],
        "when": "new.price <> old.price",
        "body": "UPDATE author SET name = name WHERE id = new.author_id;",
    },
    changed={
        "name": "book_priced",
        "table": "book",
        "timing": "before",
        "events": ["insert"],
        "body": "SELECT raise(abort, 'no price') WHERE new.price IS NULL;",
    },
    needs=(_AUTHOR, _BOOK),
    uses=(_BOOK,),
)
_ARCHIVE = Sample(
    type="schema",
    name="archive",
    config={"name": "archive", "path": "archive.db"},
    changed={"name": "archive", "path": "archive.db"},
    impossible={"name": "archive", "path": "archive2.db"},
)

_SLOW_ROWS = 20_000


def _sqlite_slow(settings: Settings, execute: Callable[[Settings, str], None]) -> Mapping[str, Any]:
    execute(
        settings,
        f"""
        CREATE TABLE heavy (id INTEGER PRIMARY KEY);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {_SLOW_ROWS})
        INSERT INTO heavy SELECT i FROM n;
        """,
    )
    return {
        "resource_type": "index",
        "name": "heavy_digits",
        "action": "create",
        "config": {
            "name": "heavy_digits",
            "table": "heavy",
            "columns": [{"expression": "length(replace(hex(zeroblob(100000 + id)), '0', '12'))"}],
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
        "config": {
            "name": name,
            "columns": [_column("id", "INTEGER", primary_key=True), _column("x", "TEXT")],
        },
    }


SQLITE = Target(
    provider="sqlite",
    fresh=_sqlite_fresh,
    execute=_sqlite_execute,
    dump=_sqlite_dump,
    rows=_sqlite_rows,
    library="""
CREATE TRIGGER author_changed AFTER UPDATE ON author BEGIN UPDATE alteration SET number = number + 1; END;
""",
    shorter="title",
    samples=(_AUTHOR, _BOOK, _NAMES, _CATALOGUE, _AUDIT, _ARCHIVE),
    column=_column("note", "TEXT"),
    renamed={
        "name": "author",
        "columns": [
            _column("id", "INTEGER", primary_key=True),
            _column("full_name", "TEXT", not_null=True, renamed_from="name"),
            _column("born", "INTEGER"),
        ],
    },
    cycle=(_view("hen", "egg"), _view("egg", "hen")),
    failing=Failing(
        script="CREATE TABLE twins (n INTEGER); INSERT INTO twins VALUES (-9223372036854775808);",
        resources=(
            _plain_table("aardvark"),
            {
                "resource_type": "index",
                "name": "one_of_a_kind",
                "action": "create",
                "depends_on": ["table aardvark"],
                "config": {"name": "one_of_a_kind", "table": "twins", "columns": [{"expression": "abs(n)"}]},
            },
            {**_plain_table("zebra"), "depends_on": ["index one_of_a_kind"]},
        ),
        culprit="one_of_a_kind",
    ),
    slow=_sqlite_slow,
    isolation=("serializable",),
    apart=(wanted(_ARCHIVE.type, _ARCHIVE.name, _ARCHIVE.config), {}),
    refused=frozenset({"function", "sequence", "user", "role", "grant"}),
    missing=frozenset(
        {
            "OutboxHealthMetrics",
            "OutboxCleanupRetention",
        }
    ),
    trail="kolumn_audit",
    unprotect="".join(f"DROP TRIGGER kolumn_audit_{event};" for event in ("update", "delete", "insert")),
    missing_types=frozenset({"stream_sink", "stream_route", "stream_outbox"}),
    secrets={
        "password": PLANTED,
        "url": f"sqlite://someone:{PLANTED}@/nowhere.db",
        "journal_mode": f"password={PLANTED}",
        "attach": {"other": f"/nowhere/?password={PLANTED}"},
    },
    verified="the real library inside Python (3.40.1, and what the machine of a run has), files on disk",
)
