"""SQLite: a database is a file, and the library runs inside each process."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import measures, peers
from benchmarks.databases.database import Database
from benchmarks.databases.sqlite import floor
from benchmarks.measures import Comparison
from benchmarks.processes import Command, Failed
from benchmarks.schemas import Spelling

FLOOR = "floor"
SCRIPT = "script"


class SQLite(Database):
    """Files in one folder."""

    title = "SQLite"
    spelling = Spelling(
        provider="sqlite",
        integer="INTEGER",
        string="VARCHAR(80)",
        text="TEXT",
        decimal="NUMERIC(10, 2)",
        boolean="BOOLEAN",
        true="1",
        real="REAL",
        timestamp="TEXT",
    )
    comparisons: Sequence[Comparison] = (
        Comparison(measures.PLAN, FLOOR, "at most 3", beyond=True),
        Comparison(measures.PLAN, FLOOR),
        Comparison(measures.PLAN, peers.ALEMBIC, "below 1"),
        Comparison(measures.PLAN, peers.ALEMBIC, "below 1", beyond=True, part="compare"),
        Comparison(measures.ONE_CHANGE, FLOOR, beyond=True),
        Comparison(measures.ONE_CHANGE, peers.ALEMBIC, "below 1"),
        Comparison(measures.FIRST_PLAN, FLOOR, beyond=True),
        Comparison(measures.IMPORT, FLOOR, beyond=True),
        Comparison(measures.CREATION, SCRIPT, beyond=True),
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._floor = floor.build(folder)
        alembic = peers.alembic(folder, lambda database: f"sqlite:///{self._file(database)}", self.empty)
        # Its creation is left out: the driver commits every statement of it, which is what would be measured.
        self.peers = (replace(alembic, creation=None),) if not isinstance(alembic, str) else ()
        self.missing = (alembic,) if isinstance(alembic, str) else ()

    @property
    def described(self) -> str:
        """The library of this Python; the shell and the floor may have another."""
        return f"SQLite {sqlite3.sqlite_version}. Floor: {self._floor.kind}"

    def environment(self, database: str) -> Mapping[str, str]:
        """Return the variable with the file's URL."""
        return {"KOLUMN_SQLITE_URL": f"sqlite:///{self._file(database)}"}

    def create(self, database: str, script: Path) -> None:
        """Run the script in one transaction."""
        self.empty(database)
        command = self._shell(database)
        with script.open("rb") as statements:
            subprocess.run(command, stdin=statements, check=True, cwd=self._folder)

    def copy(self, original: str, database: str) -> None:
        """Copy the file."""
        self.empty(database)
        shutil.copyfile(self._file(original), self._file(database))

    def empty(self, database: str) -> None:
        """Remove the file: SQLite makes a new one."""
        for ending in ("", "-wal", "-shm"):
            file = self._file(database)
            file.with_name(file.name + ending).unlink(missing_ok=True)

    def loading(self, database: str, script: Path) -> Mapping[str, Command]:
        """Return the script in one transaction of the shell, else of Python's driver."""
        command = Command(
            self._shell(database), self._folder, input=script, prepare=lambda: self.empty(database)
        )
        return {SCRIPT: command}

    def reading(self, database: str) -> Mapping[str, Command]:
        """Return the floor."""
        return {FLOOR: Command(self._floor.command(self._file(database)), self._folder)}

    def _file(self, database: str) -> Path:
        return self._folder.resolve() / f"{database}.db"

    def _shell(self, database: str) -> list[str]:
        file = str(self._file(database))
        if shell := shutil.which("sqlite3"):
            return [shell, "-bail", "-cmd", "BEGIN", file, ".read /dev/stdin", "COMMIT"]
        script = "'BEGIN;' + sys.stdin.read() + 'COMMIT'"
        code = f"import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript({script})"
        return [sys.executable, "-c", code, file]


@contextmanager
def opened(folder: Path, version: str) -> Iterator[SQLite]:
    """Use the library there is. Raises Failed when another version of it is asked for."""
    if version:
        raise Failed(f"the version of SQLite is {sqlite3.sqlite_version}, which is Python's")
    yield SQLite(folder)
