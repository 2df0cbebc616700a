"""What comes into being along with what a plan creates, e.g. the grants that default privileges give a table.

No operation says so, and what a plan ends with must be what was asked for. So what is asked for is reached
from what comes along rather than from nothing; and what nobody asked for is taken away again, where the plan
is to end with nothing else (prune), or where the object was there before and comes back without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kolumn.engine.handler import Registry
from kolumn.engine.operations import NOTHING, Create, Drop, Operation
from kolumn.engine.resource import Ref


class Brought(NamedTuple):
    """An object that comes along with the creation of another one."""

    ref: Ref
    model: Any
    source: Ref
    """The object that is created."""


def with_consequences(
    operations: Sequence[Operation], brought: Iterable[Brought], registry: Registry, *, exact: bool
) -> list[Operation]:
    """Return the operations so that they end with what is asked for; `exact` is with nothing else."""
    creations = {each.subject: each for each in operations if isinstance(each, Create)}
    dropped = {each.subject for each in operations if isinstance(each, Drop)}
    instead: dict[int, list[Operation]] = {}
    added: list[Operation] = []
    for ref, model, source in brought:
        handler = registry.get(ref.type)
        creation = creations.get(ref)
        if creation is not None:
            instead[id(creation)] = [
                dataclasses.replace(
                    each,
                    requires=each.requires | creation.requires | {source},
                    provides=each.provides | creation.provides,
                    place=creation.place,
                )
                for each in handler.diff(model, creation.model)
            ]
        elif exact or source in dropped:
            away = handler.dropped(model)
            added.append(
                dataclasses.replace(away, uses=NOTHING, releases=NOTHING, requires=frozenset({source}))
            )
    return [*(each for one in operations for each in instead.get(id(one), [one])), *added]
