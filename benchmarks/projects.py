"""Kolumn projects in the states a user has them in, and the commands that are measured on them."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from benchmarks import schemas
from benchmarks.databases.database import Database
from benchmarks.processes import Command, run

_HERE = Path(__file__).resolve().parent

STATE = ".kolumn"
"""Where a project keeps its state and its caches."""
CHANGES = 2
"""Exit code of a plan that finds something to do."""


def kolumn(*arguments: str) -> list[str]:
    """Return the command line of `kolumn`: the installed script if there is one beside this interpreter."""
    script = Path(sys.executable).with_name("kolumn")
    return (
        [str(script), *arguments]
        if script.exists()
        else [sys.executable, "-m", "kolumn.cli.main", *arguments]
    )


_PLAN = kolumn("plan", "--detailed-exitcode")
_APPLY = kolumn("apply", "--auto-approve")


class Projects:
    """All files and databases of one size: a database somebody else made, and projects around it.

    Each project is made when a command first asks for it.
    """

    def __init__(self, database: Database, folder: Path, tables: int) -> None:
        """Generate the script, and the database from it."""
        self.tables = tables
        self.folder = folder
        self._database = database
        self.source = f"source_{tables}"
        folder.mkdir(parents=True)
        self.script = folder / "source.sql"
        schemas.write_script(self.script, database.spelling, tables)
        database.create(self.source, self.script)

    @cached_property
    def configured(self) -> Path:
        """The folder of the configuration that was never used."""
        folder = self.folder / "configured"
        schemas.write_configuration(folder, self._database.spelling, self.tables)
        return folder

    @cached_property
    def managed(self) -> Path:
        """The folder of a project that manages the database; raises Failed unless it finds nothing to do."""
        folder = self._copy("managed", self.configured)
        run(self._command(_APPLY, folder, self.source))
        run(self._command(_PLAN, folder, self.source))
        return folder

    def importing(self) -> Command:
        """Describe the database as configuration."""
        folder = self.folder / "imported"
        arguments = kolumn("import", self._database.spelling.provider, "--out", str(folder))
        return self._command(arguments, self.folder, self.source, lambda: _remove(folder))

    def nothing_to_do(self) -> Command:
        """Plan what is applied already: what a user and a pipeline run most often."""
        return self._command(_PLAN, self.managed, self.source)

    def first_plan(self) -> Command:
        """Plan without state and without anything kept from an earlier run: all comes under management."""
        folder = self._copy("unmanaged", self.configured)
        return self._command(kolumn("plan"), folder, self.source, lambda: _remove(folder / STATE))

    def one_change(self) -> Command:
        """Plan after one table was edited, differently every time, so that no cache knows the edit."""
        folder = self._copy("edited", self.managed)
        return self._command(_PLAN, folder, self.source, self._edit(folder), CHANGES)

    def change(self) -> Command:
        """Plan and apply such an edit."""
        folder = self._copy("changed", self.managed)
        database = f"changed_{self.tables}"
        self._database.copy(self.source, database)
        return self._command(_APPLY, folder, database, self._edit(folder))

    def creation(self) -> Command:
        """Apply everything to an empty database."""
        folder = self._copy("fresh", self.configured)
        database = f"fresh_{self.tables}"

        def prepare() -> None:
            _remove(folder / STATE)
            self._database.empty(database)

        return self._command(_APPLY, folder, database, prepare)

    def evaluation(self, *, cached: bool) -> Command:
        """Parse and evaluate the configuration, or take what is kept from an earlier evaluation."""
        folder = self.evaluated if cached else self.configured
        how = "cached" if cached else "anew"
        return Command([sys.executable, str(_HERE / "evaluation.py"), how, str(folder)], self.folder)

    @cached_property
    def evaluated(self) -> Path:
        """The folder of a project whose evaluation is kept."""
        folder = self._copy("evaluated", self.configured)
        run(Command([sys.executable, str(_HERE / "evaluation.py"), "cached", str(folder)], self.folder))
        return folder

    def _command(
        self,
        arguments: list[str],
        folder: Path,
        database: str,
        prepare: Callable[[], None] | None = None,
        accept: int = 0,
    ) -> Command:
        environment = self._database.environment(database)
        return Command(arguments, folder, environment, prepare, frozenset({accept}))

    def _copy(self, name: str, original: Path) -> Path:
        return Path(shutil.copytree(original, self.folder / name))

    def _edit(self, folder: Path) -> Callable[[], None]:
        """Return what gives one column of the middle table another default, a new one every time."""
        rounds = itertools.count(2)
        return lambda: schemas.write_tables(
            folder, self._database.spelling, self.tables, quantity=next(rounds)
        )


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def version() -> Command:
    """Return the least a process can do."""
    return Command(kolumn("version"), Path())
