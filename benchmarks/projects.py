"""Kolumn projects in the states a user has them in, and the commands that are measured on them."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import schemas
from benchmarks.processes import Command, run

_HERE = Path(__file__).resolve().parent

STATE = ".kolumn"
"""Where a project keeps its state and its caches."""


def kolumn(*arguments: str) -> list[str]:
    """Return the command line of `kolumn`: the installed script if there is one beside this interpreter."""
    script = Path(sys.executable).with_name("kolumn")
    return (
        [str(script), *arguments]
        if script.exists()
        else [sys.executable, "-m", "kolumn.cli.main", *arguments]
    )


class Projects:
    """All files of one size: a database somebody else made, and projects around it."""

    def __init__(self, folder: Path, tables: int) -> None:
        """Generate the database, import it and apply the import once."""
        self.tables = tables
        self.folder = folder
        self.database = folder / "source.db"
        self.script = folder / "source.sql"
        folder.mkdir(parents=True)
        generate = [
            sys.executable,
            str(_HERE / "schemas.py"),
            str(self.database),
            str(self.script),
            str(tables),
        ]
        subprocess.run(generate, check=True)
        self.imported = folder / "imported"
        run(self.importing())
        self.managed = self._copy("managed")
        run(Command(kolumn("apply", "--auto-approve"), self.managed, self._environment(self.database)))
        self.edited = self._copy("edited", self.managed)
        self.unmanaged = self._copy("unmanaged")
        self.fresh = self._copy("fresh")
        self.evaluated = self._copy("evaluated")
        run(self.evaluation(cached=True))

    def importing(self) -> Command:
        """Describe the database as configuration."""
        return Command(
            kolumn("import", "sqlite", "--out", str(self.imported)),
            self.folder,
            self._environment(self.database),
            prepare=lambda: shutil.rmtree(self.imported, ignore_errors=True),
        )

    def nothing_to_do(self) -> Command:
        """Plan what is applied already: what a user and a pipeline run most often."""
        return Command(kolumn("plan"), self.managed, self._environment(self.database))

    def first_plan(self) -> Command:
        """Plan without state and without anything kept from an earlier run."""
        return Command(
            kolumn("plan"),
            self.unmanaged,
            self._environment(self.database),
            prepare=_without(self.unmanaged / STATE),
        )

    def one_change(self) -> Command:
        """Plan after one table was edited, differently every time, so that no cache knows the edit."""
        return Command(kolumn("plan"), self.edited, self._environment(self.database), prepare=self._edit())

    def creation(self) -> Command:
        """Apply everything to an empty database."""
        empty = self.folder / "fresh.db"
        return Command(
            kolumn("apply", "--auto-approve"),
            self.fresh,
            self._environment(empty),
            prepare=_without(
                self.fresh / STATE, empty, empty.with_name("fresh.db-wal"), empty.with_name("fresh.db-shm")
            ),
        )

    def evaluation(self, *, cached: bool) -> Command:
        """Parse and evaluate the configuration, or take what is kept from an earlier evaluation."""
        folder = self.evaluated if cached else self.imported
        return Command(
            [sys.executable, str(_HERE / "evaluation.py"), "cached" if cached else "anew", str(folder)],
            self.folder,
        )

    def script_run(self) -> Command:
        """Run the schema's own script in one transaction on an empty file: the floor of a creation."""
        target = self.folder / "script.db"
        prepare = _without(target)
        if shell := shutil.which("sqlite3"):
            return Command([shell, str(target)], self.folder, input=self.script, prepare=prepare)
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())"
        return Command(
            [sys.executable, "-c", code, str(target)], self.folder, input=self.script, prepare=prepare
        )

    def _copy(self, name: str, original: Path | None = None) -> Path:
        target = self.folder / name
        shutil.copytree(original or self.imported, target)
        return target

    def _environment(self, database: Path) -> dict[str, str]:
        return {"KOLUMN_SQLITE_URL": f"sqlite:///{database.resolve()}"}

    def _edit(self) -> Callable[[], None]:
        """Return what gives one column of the middle table another default."""
        table = schemas.name(self.tables // 2)
        file, text = next(
            (path, text)
            for path in sorted(self.edited.glob("*.kl"))
            if f'"sqlite_table" "{table}"' in (text := path.read_text(encoding="utf-8"))
        )
        head, tail = text.split(f'"sqlite_table" "{table}"')
        before, after = tail.split('column "quantity"', 1)
        body, rest = after.split("}", 1)
        lines = [line for line in body.splitlines() if not line.lstrip().startswith("default")]
        rounds = itertools.count(2)

        def edit() -> None:
            changed = "\n".join([*lines[:-1], f"    default = {next(rounds)}", lines[-1]])
            file.write_text(
                f'{head}"sqlite_table" "{table}"{before}column "quantity"{changed}}}{rest}', encoding="utf-8"
            )

        return edit


def _without(*paths: Path) -> Callable[[], None]:
    def remove() -> None:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    return remove


def version() -> Command:
    """Return the least a process can do."""
    return Command(kolumn("version"), Path())
