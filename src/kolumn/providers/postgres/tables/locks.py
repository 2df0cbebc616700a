"""Which lock a change of a table takes, in PostgreSQL's words, and what it lets others do meanwhile.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

from kolumn.engine.operations import Create, Drop, Operation, Rename


def of(operation: Operation) -> str:
    """Return the strongest lock of an operation, and on what."""
    return ""


def of_foreign_key(operation: Operation) -> str:
    """Return the lock of an operation on a foreign key declared apart from its table."""
    return ""


def of_index(operation: Operation) -> str:
    """Return the lock of an operation on an index."""
    return ""
