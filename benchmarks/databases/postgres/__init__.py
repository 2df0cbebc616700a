"""PostgreSQL: a server on this machine, a database of its own for every measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from benchmarks import measures, peers
from benchmarks.databases.database import Database, Peer
from benchmarks.databases.postgres import processors
from benchmarks.databases.postgres.server import Server, running
from benchmarks.measures import Comparison
from benchmarks.processes import Command
from benchmarks.schemas import Spelling

FLOOR = "catalogue queries in psql"
DUMP = "pg_dump --schema-only"
SCRIPT = "psql -1 -f"

_FLOOR = Path(__file__).with_name("floor.sql").resolve()
_PREFIX = "kolumn_bench_"
_VERSION = 18
_SHOWN = ("fsync", "autovacuum", "shared_buffers")


class PostgreSQL(Database):
    """Databases of one server."""

    title = "PostgreSQL"
    spelling = Spelling(provider="postgres")
    comparisons: Sequence[Comparison] = (
        Comparison(measures.PLAN, DUMP, "at most 2"),
        Comparison(measures.PLAN, DUMP, beyond=True),
        Comparison(measures.PLAN, FLOOR, beyond=True),
        Comparison(measures.PLAN, peers.ALEMBIC, "below 1"),
        Comparison(measures.PLAN, peers.ALEMBIC, "below 1", part="compare"),
        Comparison(measures.PLAN, peers.MIGRA, "below 1"),
        Comparison(measures.ONE_CHANGE, DUMP),
        Comparison(measures.ONE_CHANGE, peers.MIGRA, "below 1"),
        Comparison(measures.CHANGE, DUMP),
        Comparison(measures.FIRST_PLAN, DUMP),
        Comparison(measures.FIRST_PLAN, peers.MIGRA),
        Comparison(measures.IMPORT, DUMP),
        Comparison(measures.CREATION, SCRIPT, "at most 1.5"),
        Comparison(measures.CREATION, SCRIPT, beyond=True),
        Comparison(measures.CREATION, f"{peers.ALEMBIC}, empty database", "below 1"),
        Comparison(measures.CREATION, f"{peers.MIGRA}, empty database", "below 1"),
    )

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.meter = processors.meter(Path(server.run("SHOW data_directory")))
        found = (
            peers.alembic(folder, self._sqlalchemy("psycopg"), self.empty),
            peers.migra(folder, self._sqlalchemy("psycopg2"), self.empty),
        )
        self.peers = tuple(each for each in found if isinstance(each, Peer))
        unmetered = () if self.meter else ("the server's processor time: it is not on this machine",)
        self.missing = (*(each for each in found if isinstance(each, str)), *unmetered)

    @cached_property
    def described(self) -> str:
        """Version and settings, as the server says them."""
        version = self._server.run("SHOW server_version").split()[0]
        settings = (f"{name} {self._server.run(f'SHOW {name}')}" for name in _SHOWN)
        return f"PostgreSQL {version} on the same machine ({', '.join([self._server.place, *settings])})"

    def environment(self, database: str) -> Mapping[str, str]:
        """Return the variable with the database's URL."""
        return {"KOLUMN_POSTGRES_URL": self._server.database_url(_PREFIX + database)}

    def create(self, database: str, script: Path) -> None:
        """Run the script, and gather statistics as autovacuum would have by and by."""
        self.empty(database)
        name = _PREFIX + database
        self._server.run(f"\\i {script}", database=name)
        self._server.run("VACUUM (FREEZE, ANALYZE)", "CHECKPOINT", database=name)

    def copy(self, original: str, database: str) -> None:
        """Have the server copy the database."""
        self._make(database, _PREFIX + original)

    def empty(self, database: str) -> None:
        """Make a new database without anything in it."""
        self._make(database, "template0")

    def loading(self, database: str, script: Path) -> Mapping[str, Command]:
        """Return psql, the script in one transaction."""
        arguments = self._server.psql(_PREFIX + database, "-1", "-f", str(script))
        return {SCRIPT: self._command(arguments, lambda: self.empty(database))}

    def reading(self, database: str) -> Mapping[str, Command]:
        """Return the bare queries, and pg_dump."""
        name = _PREFIX + database
        queries = self._server.psql(name, "-A", "-t", "-o", "/dev/null", "-f", str(_FLOOR))
        dump = [self._server.program("pg_dump"), "--schema-only", self._server.database_url(name)]
        return {FLOOR: self._command(queries), DUMP: self._command(dump)}

    def drop_all(self) -> None:
        """Drop every database made here."""
        listed = self._server.run(f"SELECT datname FROM pg_database WHERE datname LIKE '{_PREFIX}%'")
        for name in listed.split():
            self._server.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _make(self, database: str, template: str) -> None:
        name = _PREFIX + database
        self._server.run(
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} TEMPLATE {template}",
            "CHECKPOINT",  # or one that was due would be counted against the next measure
        )

    def _sqlalchemy(self, driver: str) -> Callable[[str], str]:
        return lambda database: self._server.database_url(_PREFIX + database, f"postgresql+{driver}")

    def _command(self, arguments: list[str], prepare: Callable[[], None] | None = None) -> Command:
        return Command(arguments, self._folder, self._server.environment, prepare)


@contextmanager
def opened(folder: Path, version: str) -> Iterator[PostgreSQL]:
    """Start a server of a major version. Raises Failed."""
    with running(int(version or _VERSION)) as server:
        database = PostgreSQL(server, folder)
        try:
            yield database
        finally:
            database.drop_all()
