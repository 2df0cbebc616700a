"""About how many rows each step of a plan meets: what a rewrite or a lock costs depends on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kolumn.engine.operations import Create, Drop, Operation, Rename, Step
from kolumn.engine.resource import Ref

Estimate = Callable[[Sequence[Ref]], Mapping[Ref, int | None]]
"""Tells the rows of tables, None for those it cannot tell; tables that are not there are left out."""


def of_steps(steps: Sequence[Step], estimate: Estimate) -> list[int | None]:
    """Return the rows of the table that each step is about, as they are before the plan.

    0 where a step is about no table, or about one that the plan itself makes; None where it is not known.
    `estimate` is asked once, for all tables.
    """
    origin: dict[Ref, Ref | None] = {}
    tables: list[Ref | None] = []
    for step in steps:
        operation = step.operation
        table = _table(operation)
        tables.append(origin.get(table, table) if table is not None else None)
        match operation:
            case Create(subject=made):
                origin[made] = None
            case Drop(subject=gone):
                origin[gone] = None
            case Rename(subject=old, target=new):
                origin[new] = origin.get(old, old)
    asked = tuple(dict.fromkeys(table for table in tables if table is not None))
    known = estimate(asked) if asked else {}
    return [0 if table is None else known.get(table, 0) for table in tables]


def _table(operation: Operation) -> Ref | None:
    """Return the table an operation is about: its subject, or the one that its object is on."""
    subject = operation.subject
    if subject.type == "table":
        return subject
    model = next((found for found in operation.effect().values() if found is not None), None)
    model = getattr(operation, "model", model)
    name = getattr(model, "table", None)
    return Ref("table", name, subject.schema) if isinstance(name, str) and name else None
