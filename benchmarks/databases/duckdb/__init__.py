"""DuckDB: a database is a file, and the library runs inside each process."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import measures
from benchmarks.databases.database import Database
from benchmarks.measures import Comparison
from benchmarks.processes import Command, Failed
from benchmarks.schemas import Spelling

FLOOR = "catalogue functions"
EXPORT = "EXPORT DATABASE"
SCRIPT = "script"

_FLOOR = (
    "import sys, duckdb; c = duckdb.connect(sys.argv[1], read_only=True)\n"
    "for name in ('tables', 'columns', 'constraints', 'indexes', 'views'):\n"
    "    c.execute(f'FROM duckdb_{name}() WHERE database_name = current_database()').fetchall()"
)
_EXPORT = (
    "import sys, tempfile, duckdb; c = duckdb.connect(sys.argv[1], read_only=True)\n"
    "with tempfile.TemporaryDirectory() as folder: c.execute(f\"EXPORT DATABASE '{folder}/out'\")"
)
_SCRIPT = (
    "import sys, duckdb; c = duckdb.connect(sys.argv[1]); c.execute('BEGIN')\n"
    "c.execute(sys.stdin.read()); c.execute('COMMIT')"
)


class DuckDB(Database):
    """Files in one folder."""

    title = "DuckDB"
    spelling = Spelling(
        provider="duckdb",
        integer="INTEGER",
        string="VARCHAR",
        text="VARCHAR",
        decimal="DECIMAL(10, 2)",
        boolean="BOOLEAN",
        real="FLOAT",
        timestamp="TIMESTAMP WITH TIME ZONE",
        cascades="",
        cascades_attribute="",
        refers_to_itself=False,  # EXPORT DATABASE refuses a table that does
        newest="",
        newest_attribute="",
        present="",
        present_attribute="",
    )
    comparisons: Sequence[Comparison] = (
        Comparison(measures.PLAN, FLOOR),
        Comparison(measures.PLAN, FLOOR, beyond=True),
        Comparison(measures.PLAN, EXPORT, "below 1"),
        Comparison(measures.ONE_CHANGE, EXPORT),
        Comparison(measures.IMPORT, EXPORT),
        Comparison(measures.CREATION, SCRIPT, beyond=True),
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def described(self) -> str:
        """The library, and how many rows there are."""
        return f"DuckDB {importlib.metadata.version('duckdb')}; tables are empty"

    def environment(self, database: str) -> Mapping[str, str]:
        """Return the variable with the file's URL."""
        return {"KOLUMN_DUCKDB_URL": f"duckdb:///{self._file(database)}"}

    def create(self, database: str, script: Path) -> None:
        """Run the script in one transaction."""
        self.empty(database)
        with script.open("rb") as statements:
            subprocess.run(self._python(_SCRIPT, database), stdin=statements, check=True, cwd=self._folder)

    def copy(self, original: str, database: str) -> None:
        """Copy the file."""
        self.empty(database)
        shutil.copyfile(self._file(original), self._file(database))

    def empty(self, database: str) -> None:
        """Remove the file: DuckDB makes a new one."""
        for ending in ("", ".wal"):
            file = self._file(database)
            file.with_name(file.name + ending).unlink(missing_ok=True)

    def loading(self, database: str, script: Path) -> Mapping[str, Command]:
        """Return the script in one transaction."""
        command = self._python(_SCRIPT, database)
        return {SCRIPT: Command(command, self._folder, input=script, prepare=lambda: self.empty(database))}

    def reading(self, database: str) -> Mapping[str, Command]:
        """Return the bare catalogue functions, and DuckDB's own dump, which has a file for each table."""
        return {
            FLOOR: Command(self._python(_FLOOR, database), self._folder),
            EXPORT: Command(self._python(_EXPORT, database), self._folder),
        }

    def _file(self, database: str) -> Path:
        return self._folder.resolve() / f"{database}.duckdb"

    def _python(self, code: str, database: str) -> list[str]:
        return [sys.executable, "-c", code, str(self._file(database))]


@contextmanager
def opened(folder: Path, version: str) -> Iterator[DuckDB]:
    """Use the library there is. Raises Failed when another version of it is asked for."""
    if version:
        raise Failed("the version of DuckDB is that of the package that is installed")
    yield DuckDB(folder)
