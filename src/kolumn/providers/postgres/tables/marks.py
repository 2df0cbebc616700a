"""Marks that one index of a table can have at most: the order of clustering, and the identity of rows.

Giving one to an index takes it from another; taking it away takes it from whichever has it. So it is taken away
first, and whatever the table says of the identity of its rows is said before an index says something else.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from kolumn.engine.operations import NOTHING, Operation
from kolumn.engine.resource import Ref

MARKS = ("clustered", "replica_identity")

O = TypeVar("O", bound=Operation)  # noqa: E741


def marked(operation: O, table: Ref, before: Any, after: Any) -> O:
    """Return the operation with the marks that an index or constraint gets and loses by it.

    Changes of the table itself come in their own order.
    """
    gets = [mark for mark in MARKS if getattr(after, mark, False) and not getattr(before, mark, False)]
    loses = [mark for mark in MARKS if getattr(before, mark, False) and not getattr(after, mark, False)]
    if not gets and not loses:
        return operation
    return dataclasses.replace(
        operation,
        provides=operation.provides | {_mark(mark, table) for mark in gets},
        removes=operation.removes | {_mark(mark, table) for mark in loses},
        requires=operation.requires | ({_mark("rows", table)} if operation.subject != table else NOTHING),
    )


def says_identity(operation: O, table: Ref) -> O:
    """Return the operation on a table that says what identifies its rows."""
    return dataclasses.replace(operation, provides=operation.provides | {_mark("rows", table)})


def _mark(name: str, table: Ref) -> Ref:
    return Ref("mark", name, table.schema, table.name)
