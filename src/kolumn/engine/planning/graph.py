"""Order: a graph over operations, not resources, so that resources may refer to each other (design 6)."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.resource import Ref


def order(
    operations: Sequence[Operation], preferences: Mapping[int, Iterable[int]] | None = None
) -> list[int]:
    """Return the positions of `operations` in an order that works, always the same one.

    What an operation requires is provided before it; what depended on something is gone before that
    goes or changes, and comes back after it; a name is freed before it is taken again; operations on
    one object keep the order given. What an operation only guesses to need (`Operation.guesses`) counts
    unless that makes a cycle. `preferences` maps a position to positions that should come first where
    nothing speaks against it; they never make a cycle either.

    Raises ValidationError (code `dependency_cycle`) naming the objects of a cycle.
    """
    before, guessed = _edges(operations)
    wishes = {at: set(firsts) - {at} for at, firsts in (preferences or {}).items()}
    return _sort(operations, before, guessed, wishes)


def _edges(operations: Sequence[Operation]) -> tuple[list[set[int]], set[tuple[int, int]]]:
    """Return what comes before each operation, and which of these pairs (first, then) are only guessed."""
    providers: dict[Ref, list[int]] = defaultdict(list)
    removers: dict[Ref, list[int]] = defaultdict(list)
    alterers: dict[Ref, list[int]] = defaultdict(list)
    for at, operation in enumerate(operations):
        for ref in operation.provides:
            providers[ref].append(at)
        for ref in operation.removes:
            removers[ref].append(at)
        for ref in operation.alters:
            alterers[ref].append(at)
    before: list[set[int]] = [set() for _ in operations]
    known: set[tuple[int, int]] = set()
    guessed: set[tuple[int, int]] = set()
    last_alteration: dict[Ref, int] = {}
    guessing = any(operation.guesses for operation in operations)

    def edge(first: int, then: int, ref: Ref, operation: Operation) -> None:
        before[then].add(first)
        if guessing:
            (guessed if ref in operation.guesses else known).add((first, then))

    for at, operation in enumerate(operations):
        for ref in operation.requires:
            for provider in providers.get(ref, ()):
                edge(provider, at, ref, operation)
        for ref in operation.releases:
            for remover in removers.get(ref, ()):
                edge(at, remover, ref, operation)
        for ref in operation.provides:
            for remover in removers.get(ref, ()):
                edge(remover, at, ref, operation)
        for ref in operation.alters:
            for provider in providers.get(ref, ()):
                if ref not in operations[provider].alters:  # these keep the order given
                    edge(provider, at, ref, operation)
            if ref in last_alteration:
                edge(last_alteration[ref], at, ref, operation)
            last_alteration[ref] = at
        if isinstance(operation, Create):
            for ref in operation.uses:
                for alterer in alterers.get(ref, ()):
                    edge(alterer, at, ref, operation)
        elif isinstance(operation, Drop):
            for ref in operation.uses:
                for alterer in alterers.get(ref, ()):
                    edge(at, alterer, ref, operation)
    for at, firsts in enumerate(before):
        firsts.discard(at)
    return before, guessed - known


def _sort(
    operations: Sequence[Operation],
    before: list[set[int]],
    guessed: set[tuple[int, int]],
    wishes: Mapping[int, set[int]],
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
    content: list[tuple[tuple[int, int, str, int], int]] = []
    resigned: list[tuple[tuple[int, int, str, int], int]] = []
    for at in range(len(operations)):
        if not waiting[at]:
            heapq.heappush(resigned if hoping[at] else content, (keys[at], at))
    done: list[int] = []
    placed = [False] * len(operations)
    while len(done) < len(operations):
        if not content and not resigned:
            first, at = _given_up(operations, before, guessed, placed)
            before[at].remove(first)
            after[first].remove(at)
            waiting[at] -= 1
            if not waiting[at]:
                heapq.heappush(resigned if hoping[at] else content, (keys[at], at))
            continue
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
    return done


def _key(operation: Operation, at: int) -> tuple[int, int, str, int]:
    rank = 0 if isinstance(operation, Drop) else 1 if isinstance(operation, Rename) else 2
    rank = 3 if isinstance(operation, Create) else rank
    return (operation.place, rank, str(operation.subject), at)


def _given_up(
    operations: Sequence[Operation],
    before: list[set[int]],
    guessed: set[tuple[int, int]],
    placed: Sequence[bool],
) -> tuple[int, int]:
    """Return a pair (first, then) of a cycle that was only guessed. Raises ValidationError where none is."""
    at = next(index for index, done in enumerate(placed) if not done)
    path: list[int] = []
    while at not in path:
        path.append(at)
        at = min(first for first in before[at] if not placed[first])
    cycle = [*path[path.index(at) :], at]
    for then, first in pairwise(cycle):
        if (first, then) in guessed:
            return first, then
    raise _cycle(operations, cycle)


def _cycle(operations: Sequence[Operation], cycle: Sequence[int]) -> ValidationError:
    names: list[str] = []
    for index in cycle:
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
