"""MySQL or MariaDB: a server on this machine, a database of its own for every measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks import measures, peers
from benchmarks.databases.database import Database, Peer
from benchmarks.measures import Comparison
from benchmarks.processes import Command, Failed
from benchmarks.schemas import Spelling

DUMP = "mysqldump --no-data"
FLOOR = "catalogue queries in mysql"
SCRIPT = "mysql < script"

_ROOT = Path(__file__).resolve().parents[3]
_PREFIX = "bench_"
_FLOOR = "; ".join(
    f"SELECT * FROM information_schema.{view} WHERE {column} = DATABASE()"
    for view, column in (
        ("tables", "table_schema"),
        ("columns", "table_schema"),
        ("statistics", "table_schema"),
        ("key_column_usage", "table_schema"),
        ("referential_constraints", "constraint_schema"),
        ("check_constraints", "constraint_schema"),
        ("views", "table_schema"),
    )
)
PRODUCTS = ("mysql", "mariadb")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the programs that talk to it, each with what they need to reach it."""

    url: str
    client: Sequence[str]
    dump: Sequence[str]

    def database_url(self, database: str, scheme: str = "mysql") -> str:
        """Return the URL of one of its databases."""
        return urlunsplit(urlsplit(self.url)._replace(scheme=scheme, path=f"/{database}"))

    def run(self, statement: str, *, database: str = "", script: Path | None = None) -> str:
        """Run a statement, or a script, unmeasured, and return what it says. Raises Failed."""
        words = ["-N", *(["-e", statement] if statement else []), *([database] if database else [])]
        text = script.read_text(encoding="utf-8") if script else None
        done = subprocess.run([*self.client, *words], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stderr)
        return done.stdout.strip()


class MySQL(Database):
    """Databases of one server."""

    title = "MySQL"
    spelling = Spelling(
        provider="mysql",
        integer="int",
        text="varchar(200)",
        decimal="decimal(10, 2)",
        real="float",
        timestamp="timestamp",
        present="",
        present_attribute="",
    )
    comparisons: Sequence[Comparison] = (
        Comparison(measures.PLAN, DUMP),
        Comparison(measures.PLAN, DUMP, beyond=True),
        Comparison(measures.PLAN, FLOOR, beyond=True),
        Comparison(measures.PLAN, peers.ALEMBIC, "below 1"),
        Comparison(measures.PLAN, peers.ALEMBIC, "below 1", part="compare"),
        Comparison(measures.ONE_CHANGE, DUMP),
        Comparison(measures.FIRST_PLAN, DUMP),
        Comparison(measures.IMPORT, DUMP),
        Comparison(measures.CREATION, SCRIPT),
        Comparison(measures.CREATION, SCRIPT, beyond=True),
    )

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        found = peers.alembic(
            folder, lambda name: server.database_url(_PREFIX + name, "mysql+pymysql"), self.empty
        )
        self.peers = (Peer(found.name, found.plan),) if isinstance(found, Peer) else ()
        said = (found,) if isinstance(found, str) else ()
        self.missing = (*said, "the server's processor time: its threads serve all connections")
        self._scripts: dict[str, Path] = {}

    @property
    def described(self) -> str:
        """Version, as the server says it, and the settings that matter."""
        version = self._server.run(
            "SELECT concat(version(), ', buffer pool ', @@innodb_buffer_pool_size DIV 1048576)"
        )
        return f"{version} MiB, on the same machine, nothing synchronised with the disk; tables are empty"

    def environment(self, database: str) -> Mapping[str, str]:
        """Return the variable with the database's URL."""
        return {"KOLUMN_MYSQL_URL": self._server.database_url(_PREFIX + database)}

    def create(self, database: str, script: Path) -> None:
        """Run the script."""
        self.empty(database)
        self._server.run("", database=_PREFIX + database, script=script)
        self._scripts[database] = script

    def copy(self, original: str, database: str) -> None:
        """Run the same script again: the server copies no databases."""
        self.create(database, self._scripts[original])

    def empty(self, database: str) -> None:
        """Make a new database without anything in it, and nothing noted of it."""
        for name in (f"kolumn_{_PREFIX}{database}", _PREFIX + database):
            self._server.run(f"DROP DATABASE IF EXISTS `{name}`")
        self._server.run(f"CREATE DATABASE `{_PREFIX}{database}`")

    def loading(self, database: str, script: Path) -> Mapping[str, Command]:
        """Return the script in the server's own client."""
        command = [*self._server.client, _PREFIX + database]
        return {SCRIPT: Command(command, self._folder, input=script, prepare=lambda: self.empty(database))}

    def reading(self, database: str) -> Mapping[str, Command]:
        """Return the bare queries, and mysqldump."""
        name = _PREFIX + database
        return {
            FLOOR: Command([*self._server.client, name, "-e", _FLOOR], self._folder),
            DUMP: Command([*self._server.dump, "--no-data", "--routines", "--triggers", name], self._folder),
        }

    def drop_all(self) -> None:
        """Drop every database made here."""
        listed = self._server.run(
            f"SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '%{_PREFIX}%'"
        )
        for name in listed.split():
            self._server.run(f"DROP DATABASE IF EXISTS `{name}`")


@contextmanager
def opened(folder: Path, version: str) -> Iterator[MySQL]:
    """Start a server by the tests' own means; `version` is mysql, which is taken, or mariadb. Raises Failed."""
    product = version or PRODUCTS[0]
    if product not in PRODUCTS:
        raise Failed(f"there is {' and '.join(PRODUCTS)}, no {product}")
    command = [
        sys.executable,
        "-m",
        "tests.servers",
        product,
        "--json",
        "--set",
        "innodb-buffer-pool-size=128M",
    ]
    command += ["--set", "table-open-cache=4000"]
    with subprocess.Popen(command, cwd=_ROOT, env=os.environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise Failed(f"no {product} to measure on")
        found = json.loads(said)
        database = MySQL(Server(found["url"], tuple(found["client"]), tuple(found["dump"])), folder)
        try:
            yield database
        finally:
            database.drop_all()
            process.terminate()
