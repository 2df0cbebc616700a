"""The databases that can be measured: one package each, by the name of its provider."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path

from benchmarks.databases.database import Database
from benchmarks.processes import Failed

NAMES = ("sqlite", "postgres", "mysql", "duckdb")


def opened(name: str, folder: Path) -> AbstractContextManager[Database]:
    """Open a database product for as long as it is measured, e.g. start its server.

    `name` is one of NAMES, or `name:version`. Raises Failed.
    """
    product, _, version = name.partition(":")
    if product not in NAMES:
        raise Failed(f"no such database: {product}. There are {', '.join(NAMES)}.")
    open_it: Callable[[Path, str], AbstractContextManager[Database]] = import_module(
        f"benchmarks.databases.{product}"
    ).opened
    return open_it(folder, version)
