"""Which lock a change of a table takes, in PostgreSQL's words, and what it lets others do meanwhile.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

from kolumn.engine.operations import Create, Drop, Operation, Rename


def of(operation: Operation) -> str:
    """Return the strongest lock of an operation, and on what."""
    return ""
