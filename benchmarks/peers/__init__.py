"""Other tools that compare schemas, each a script in this folder that runs as a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.databases.database import Peer
from benchmarks.processes import Command

ALEMBIC = "SQLAlchemy and Alembic"
MIGRA = "migra"

_HERE = Path(__file__).resolve().parent


def alembic(folder: Path, url: Callable[[str], str], empty: Callable[[str], None]) -> Peer | str:
    """Return SQLAlchemy with Alembic, or the reason why not.

    `url` is SQLAlchemy's of a database, `empty` makes an empty database.
    """
    if absent := _absent("sqlalchemy", "alembic"):
        return f"no comparison with {ALEMBIC}: {absent}"
    script = str(_HERE / "alembic_autogenerate.py")

    def plan(database: str) -> Command:
        return Command([sys.executable, script, "plan", url(database)], folder)

    def creation(original: str, database: str) -> Command:
        models = folder / f"{original}.models"

        def prepare() -> None:
            if not models.exists():
                subprocess.run([sys.executable, script, "models", url(original), str(models)], check=True)
            empty(database)

        return Command(
            [sys.executable, script, "create", url(database), str(models)], folder, prepare=prepare
        )

    return Peer(ALEMBIC, plan, creation)


def migra(folder: Path, url: Callable[[str], str], empty: Callable[[str], None]) -> Peer | str:
    """Return migra, or the reason why not; it compares a database with itself, as both sides must be read."""
    if absent := _absent("migra", "schemainspect", "sqlalchemy", "psycopg2", "pkg_resources"):
        return f"no comparison with {MIGRA}: {absent}"
    script = str(_HERE / "migra_diff.py")

    def plan(database: str) -> Command:
        return Command([sys.executable, script, "plan", url(database), url(database)], folder)

    def creation(original: str, database: str) -> Command:
        return Command(
            [sys.executable, script, "create", url(database), url(original)],
            folder,
            prepare=lambda: empty(database),
        )

    return Peer(MIGRA, plan, creation)


def _absent(*modules: str) -> str:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    return f"{' and '.join(absent)} not installed" if absent else ""
