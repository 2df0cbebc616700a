"""The floor in the fastest form this machine has: a C program, else the sqlite3 shell, else Python's driver.

`python floor.py DATABASE` is the last of them.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("floor.c")


@dataclass(frozen=True, slots=True)
class Floor:
    """How the bare catalogue queries are run here."""

    kind: str
    """In words, for the report."""
    command: Callable[[Path], Sequence[str]]
    """From a database file to the command line that reads its catalogue."""


def build(folder: Path) -> Floor:
    """Return the fastest floor there is; a compiled program is kept in `folder`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    program = folder / "floor"
    if (
        compiler
        and not subprocess.run(
            [compiler, "-O2", "-o", str(program), str(_SOURCE), "-lsqlite3"], capture_output=True, check=False
        ).returncode
    ):
        return Floor("C program", lambda database: (str(program), str(database)))
    if shell := shutil.which("sqlite3"):
        return Floor("sqlite3 shell", lambda database: (shell, str(database), *queries()))
    return Floor(
        "Python's sqlite3 module",
        lambda database: (sys.executable, str(Path(__file__).resolve()), str(database)),
    )


def queries() -> list[str]:
    """Return the queries, as the C program has them."""
    source = _SOURCE.read_text(encoding="utf-8")
    listed = source[source.index("{\n") : source.index("};")]
    joined = re.sub(r'"\s*\n\s*"', "", listed)
    return re.findall(r'"(.*)"', joined)


if __name__ == "__main__":
    with closing(sqlite3.connect(sys.argv[1])) as connection:
        print(sum(1 for query in queries() for _ in connection.execute(query)))
