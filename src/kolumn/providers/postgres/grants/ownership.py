"""Grants around a change of owner.

PostgreSQL gives what the former owner has on an object, granted or by default, to the new one. What is said
of either of them must hold afterwards: so their grants are taken away before, and made again after, as they
should be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

from kolumn.engine.operations import Alter, Create, Drop, Operation
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.grants.model import GRANTED_AS, Grant
from kolumn.providers.postgres.handler import PostgresHandler


class _Change(NamedTuple):
    """An object and the roles that own it before and after."""

    subject: Ref
    former: str
    owner: str


def with_grants_kept(
    operations: list[Operation], live: Snapshot, grants: PostgresHandler[Grant]
) -> list[Operation]:
    """Return the operations with those on grants of owners that change put right."""
    changes = [change for each in operations for change in _changes(each, live)]
    if not changes:
        return operations
    asked = {each.subject: each for each in operations if each.subject.type == grants.type}
    instead: dict[Ref, list[Operation]] = {}
    for change in changes:
        for role in (change.former, change.owner):
            ref = grants.ref(_grant(change.subject, role, live))
            if ref in live:
                instead[ref] = list(_around(live.get(ref), asked.get(ref), grants))
    kept = [each for each in operations if each.subject not in instead]
    return [*kept, *(each for found in instead.values() for each in found)]


def _changes(operation: Operation, live: Snapshot) -> Iterator[_Change]:
    if not isinstance(operation, Alter) or operation.subject.type not in GRANTED_AS:
        return
    former, owner = getattr(operation.before, "owner", ""), getattr(operation.after, "owner", "")
    if not owner or former == owner:
        return
    yield _Change(operation.subject, former, owner)
    for part in live.attached(operation.subject):
        if part.type == "sequence":  # a table's sequences are always its owner's
            yield _Change(part, former, owner)


def _grant(subject: Ref, role: str, live: Snapshot) -> Grant:
    model = live.get(subject)
    return Grant(
        role=role,
        on=GRANTED_AS[subject.type][1],
        object=subject.name if model is None else model.name,
        schema=subject.schema,
        arguments=tuple(getattr(model, "input_types", ())),
        privileges=(),
    )


def _around(live: Grant, asked: Operation | None, grants: PostgresHandler[Grant]) -> Iterator[Operation]:
    """Yield the operations that take a grant away and make it again as it is wanted."""
    model: Grant | None
    match asked:
        case Alter(after=after):
            model = after
        case Create(model=created):
            model = created
        case Drop():
            model = None
        case _:
            model = live
    yield grants.dropped(live)
    if model is not None:
        yield grants.created(dataclasses.replace(model, default=None))
