"""The databases the conformance suite runs against. A new provider is one entry of `TARGETS`.

A target says how to get a database that is fresh and empty, what to put into it, and who can look at it
without Kolumn. `KOLUMN_TEST_<PROVIDER>_URL` replaces the server a target would use by one that exists; a
target that cannot run says why.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import dumps

Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One object of a resource type, as it is created and as it is changed."""

    type: str
    name: str
    config: Mapping[str, Any]
    changed: Mapping[str, Any]
    """Another configuration of the same object; loses no data. The same where nothing of it can change."""
    impossible: Mapping[str, Any] | None = None
    """A change that cannot be made to what is there, and is refused."""
    needs: tuple[Sample, ...] = ()
    """What must be there before."""
    uses: tuple[Sample, ...] = ()
    """Those of `needs` that the database itself ties it to, so that the order follows without being told."""

    @property
    def changes(self) -> bool:
        """Whether anything of it can change."""
        return self.changed != self.config


@dataclass(frozen=True, kw_only=True)
class Failing:
    """Three resources of which the second fails when it is carried out, whatever the planner knows."""

    script: str
    """Run before: puts there what makes it fail."""
    resources: tuple[Mapping[str, Any], ...]
    culprit: str
    """Name of the one that fails."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One provider and the database to test it on."""

    provider: str
    """Name of its entry point."""
    fresh: Callable[[Path], AbstractContextManager[Settings]]
    """Yields the settings of a database that is empty, in which everything may be done."""
    execute: Callable[[Settings, str], None]
    """Runs a script in the database by other means than Kolumn."""
    dump: Callable[[Settings], list[str]]
    """Everything in the database, rows as well, by other means than Kolumn."""
    samples: tuple[Sample, ...]
    """At least one of each resource type."""
    column: Mapping[str, Any]
    """A further column for the first sample, which must be a table and have an attribute `columns`."""
    renamed: Mapping[str, Any]
    """The first sample's configuration with one column renamed through `renamed_from`."""
    cycle: tuple[Mapping[str, Any], ...]
    """Resources that need each other."""
    failing: Failing
    slow: Callable[[Settings, Callable[[Settings, str], None]], Mapping[str, Any]]
    """Prepares the database and returns a resource that takes some ten seconds to create."""
    refused: frozenset[str]
    """Resource types of the specification that this database lacks."""
    missing: frozenset[str]
    """Functions its category must offer and it does not yet. Shrinks: one that works must be taken out."""
    missing_types: frozenset[str] = frozenset()
    """Resource types its category must have and it does not have yet. Shrinks likewise."""
    secrets: Mapping[str, Any] = field(default_factory=dict)
    """Settings with `PLANTED` in them, each by itself added to those of `fresh`; taken or refused."""
    verified: str = "real server"
    """How the provider is verified, for PROVIDER_STATUS.md."""
    skip: Callable[[], str] = lambda: ""
    """Why it cannot run here; empty when it can."""

    @property
    def variable(self) -> str:
        """The environment variable that names another server."""
        return f"KOLUMN_TEST_{self.provider.upper()}_URL"

    def sample(self, resource_type: str) -> Sample:
        """Return the first sample of a type."""
        return next(each for each in self.samples if each.type == resource_type)


PLANTED = "Pl4nted-hunter2-zebra"
"""A secret that must not come out anywhere."""


# SQLite: the library inside Python, one file per test


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
        script="CREATE TABLE twins (name TEXT); INSERT INTO twins VALUES ('Ann'), ('Ann');",
        resources=(
            _plain_table("aardvark"),
            {
                "resource_type": "index",
                "name": "one_of_a_kind",
                "action": "create",
                "depends_on": ["table aardvark"],
                "config": {"name": "one_of_a_kind", "table": "twins", "columns": ["name"], "unique": True},
            },
            {**_plain_table("zebra"), "depends_on": ["index one_of_a_kind"]},
        ),
        culprit="one_of_a_kind",
    ),
    slow=_sqlite_slow,
    refused=frozenset({"function", "sequence", "user", "role", "grant"}),
    missing=frozenset(
        {
            "DetectDrift",
            "ValidateState",
            "GetAuditLog",
            "BeginTransaction",
            "CommitTransaction",
            "RollbackTransaction",
            "PlanMigration",
            "ApplyMigration",
            "RollbackMigration",
            "OutboxHealthMetrics",
            "OutboxCleanupRetention",
        }
    ),
    missing_types=frozenset({"stream_sink", "stream_route", "stream_outbox"}),
    secrets={
        "password": PLANTED,
        "url": f"sqlite://someone:{PLANTED}@/nowhere.db",
        "journal_mode": f"password={PLANTED}",
        "attach": {"other": f"/nowhere/?password={PLANTED}"},
    },
    verified="the real library inside Python (3.40.1, and what the machine of a run has), files on disk",
)

TARGETS: Mapping[str, Target] = {target.provider: target for target in (SQLITE,)}
"""Every target by the name of its provider."""
