"""Order: a graph over operations, not resources, so that resources may refer to each other (design 6)."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.resource import Ref


def order(
    operations: Sequence[Operation], preferences: Mapping[int, Iterable[int]] | None = None
) -> list[int]:
    """Return the positions of `operations` in an order that works, always the same one.

    What an operation requires is provided before it; what depended on something is gone before that
    goes or changes, and comes back after it; a name is freed before it is taken again; operations on
    one object keep the order given. `preferences` maps a position to positions that should come
    first where nothing speaks against it; they never make a cycle.

    Raises ValidationError (code `dependency_cycle`) naming the objects of a cycle.
    """
    before = _edges(operations)
    wishes = {at: set(firsts) - {at} for at, firsts in (preferences or {}).items()}
    return _sort(operations, before, wishes)


def _edges(operations: Sequence[Operation]) -> list[set[int]]:
    provider: dict[Ref, int] = {}
    remover: dict[Ref, int] = {}
    alterers: dict[Ref, list[int]] = defaultdict(list)
    for at, operation in enumerate(operations):
        for ref in operation.provides:
            provider.setdefault(ref, at)
        for ref in operation.removes:
            remover.setdefault(ref, at)
        for ref in operation.alters:
            alterers[ref].append(at)
    before: list[set[int]] = [set() for _ in operations]
    last_alteration: dict[Ref, int] = {}
    for at, operation in enumerate(operations):
        for ref in operation.requires:
            if ref in provider:
                before[at].add(provider[ref])
        for ref in operation.releases:
            if ref in remover:
                before[remover[ref]].add(at)
        for ref in operation.provides:
            if ref in remover:
                before[at].add(remover[ref])
        for ref in operation.alters:
            if ref in provider:
                before[at].add(provider[ref])
            if ref in last_alteration:
                before[at].add(last_alteration[ref])
            last_alteration[ref] = at
        if isinstance(operation, Create):
            for ref in operation.uses:
                before[at].update(alterers.get(ref, ()))
        elif isinstance(operation, Drop):
            for ref in operation.uses:
                for alterer in alterers.get(ref, ()):
                    before[alterer].add(at)
    for at, firsts in enumerate(before):
        firsts.discard(at)
    return before


def _sort(
    operations: Sequence[Operation], before: list[set[int]], wishes: Mapping[int, set[int]]
) -> list[int]:
    waiting = [len(firsts) for firsts in before]
    hoping = [len(wishes.get(at, ())) for at in range(len(operations))]
    after: dict[int, list[int]] = defaultdict(list)
    fans: dict[int, list[int]] = defaultdict(list)
    for at, firsts in enumerate(before):
        for first in firsts:
            after[first].append(at)
    for at, firsts in wishes.items():
        for first in firsts:
            fans[first].append(at)
    keys = [_key(operation, at) for at, operation in enumerate(operations)]
    content: list[tuple[tuple[int, str, int], int]] = []
    resigned: list[tuple[tuple[int, str, int], int]] = []
    for at in range(len(operations)):
        if not waiting[at]:
            heapq.heappush(resigned if hoping[at] else content, (keys[at], at))
    done: list[int] = []
    placed = [False] * len(operations)
    while content or resigned:
        at = heapq.heappop(content or resigned)[1]
        if placed[at]:
            continue
        placed[at] = True
        done.append(at)
        for fan in fans[at]:
            hoping[fan] -= 1
            if not hoping[fan] and not waiting[fan] and not placed[fan]:
                heapq.heappush(content, (keys[fan], fan))
        for follower in after[at]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(resigned if hoping[follower] else content, (keys[follower], follower))
    if len(done) < len(operations):
        raise _cycle(operations, before, placed)
    return done


def _key(operation: Operation, at: int) -> tuple[int, str, int]:
    rank = 0 if isinstance(operation, Drop) else 1 if isinstance(operation, Rename) else 2
    return (3 if isinstance(operation, Create) else rank, str(operation.subject), at)


def _cycle(
    operations: Sequence[Operation], before: list[set[int]], placed: Sequence[bool]
) -> ValidationError:
    at = next(index for index, done in enumerate(placed) if not done)
    path: list[int] = []
    while at not in path:
        path.append(at)
        at = min(first for first in before[at] if not placed[first])
    names: list[str] = []
    for index in [*path[path.index(at) :], at]:
        name = str(operations[index].subject)
        if not names or names[-1] != name:
            names.append(name)
    words = " -> ".join(reversed(names))
    return ValidationError.of(
        [
            Problem(
                f"these depend on each other: {words}",
                code="dependency_cycle",
                hint="Break the cycle: make one of them not refer to the other.",
            )
        ]
    )
