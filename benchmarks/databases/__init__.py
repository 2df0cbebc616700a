"""The databases that can be measured: one module or package each, entered here by the name of its provider."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path

from benchmarks.databases.database import Database

NAMES = ("sqlite", "postgres")


def opened(name: str, folder: Path) -> AbstractContextManager[Database]:
    """Open a database product, e.g. start its server, for as long as it is measured. Raises Failed."""
    open_it: Callable[[Path], AbstractContextManager[Database]] = import_module(
        f"benchmarks.databases.{name}"
    ).opened
    return open_it(folder)
