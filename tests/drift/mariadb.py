"""What can be done to a MariaDB database by hand: what can be done to MySQL, and what only MariaDB has."""

from __future__ import annotations

from collections.abc import Iterator

from tests.drift import mysql
from tests.drift.mysql import BEFORE, BOUND, MARIADB_RESOURCES
from tests.drift.tampering import Tampering

__all__ = ["BEFORE", "BOUND", "NOT_CHANGED", "RESOURCES", "tamperings"]

RESOURCES = MARIADB_RESOURCES
NOT_CHANGED = mysql.NOT_CHANGED | {"view.columns", "index.parser"}
"""MariaDB keeps the names of a view's columns as part of its query."""


def tamperings() -> Iterator[Tampering]:
    """Yield every way, type by type."""
    return mysql.tamperings(mariadb=True)
