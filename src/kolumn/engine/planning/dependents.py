"""What stands in the way of a plan's operations: dropped before, created again after, as it is or should be.

A database refuses to drop or to change what something else stands on. What the compiler says stands in the
way (`Compiler.depends`) is dropped and created anew, and what stands on that, and so on. Where it is only a
part of an object, e.g. a column's default that calls a function, the object stays and the part is taken off
and put back: `Handler.without` says what the object is like in between, `Handler.diff` how to get there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kolumn.engine.handler import Handler, Registry
from kolumn.engine.operations import Alter, Create, Drop, Operation, Rename
from kolumn.engine.planning.claims import Claims
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.session import Compiler

Asked = Callable[[Ref], Any]
"""Returns the model of a live object as configuration has it; None where that says nothing about it."""


def with_dependents(
    operations: Sequence[Operation],
    live: Snapshot,
    registry: Registry,
    compiler: Compiler,
    asked: Asked,
    claims: Claims,
) -> list[Operation]:
    """Return the operations with the drops and creations of what stands in their way, and on that."""
    clearing = _Clearing(operations, live, registry, compiler, asked, claims)
    queue = list(operations)
    while queue:
        while queue:
            queue += clearing.clear_for(queue.pop())
        queue = clearing.take_apart()
    return clearing.result()


@dataclass
class _Apart:
    """An object whose parts are in the way: taken off before what they stand on goes, put back after."""

    handler: Handler[Any]
    before: Any
    wanted: Any
    causes: dict[Ref, frozenset[Ref]] = field(default_factory=dict)
    """What each part stands on, of what goes."""
    operations: list[Operation] = field(default_factory=list)
    is_built: bool = False

    def build(self) -> list[Operation]:
        bare = self.before
        for part in self.causes:
            bare = self.handler.without(bare, part)
        going = frozenset().union(*self.causes.values())
        off = [self._taking_off(each) for each in self.handler.diff(self.before, bare)]
        on = [self._putting_on(each, going) for each in self.handler.diff(bare, self.wanted)]
        self.operations, self.is_built = [*off, *on], True
        return self.operations

    def _taking_off(self, operation: Operation) -> Operation:
        freed = [each for part, each in self.causes.items() if self._held(operation, part) == (True, False)]
        return dataclasses.replace(operation, releases=operation.releases.union(*freed))

    def _putting_on(self, operation: Operation, going: frozenset[Ref]) -> Operation:
        used = [each for part, each in self.causes.items() if self._held(operation, part) == (False, True)]
        return dataclasses.replace(
            operation, requires=operation.requires.union(*used), releases=operation.releases - going
        )

    def _held(self, operation: Operation, part: Ref) -> tuple[bool, bool]:
        """Return whether the object has the part before and after the operation."""
        before, after = getattr(operation, "before", None), getattr(operation, "after", None)
        return (
            before is not None and self.handler.part(before, part) is not None,
            after is not None and self.handler.part(after, part) is not None,
        )


class _Clearing:
    """The operations found so far, and those they take the place of."""

    def __init__(
        self,
        operations: Sequence[Operation],
        live: Snapshot,
        registry: Registry,
        compiler: Compiler,
        asked: Asked,
        claims: Claims,
    ) -> None:
        self._operations = operations
        self._live = live
        self._registry = registry
        self._compiler = compiler
        self._asked = asked
        self._claims = claims
        self._aside = live.aside.difference(claims.by_part.values())
        """What comes back with what it is a part of, or is no concern of this plan."""
        self._replaced = {each.subject for each in operations if isinstance(each, Create | Drop)}
        """What is dropped or created anyway."""
        self._coming: set[Ref] = set()
        """What is created, under all its names."""
        self._chains: dict[Ref, list[Operation]] = {}
        """The changes and renames of each object, by what it was called before."""
        self._added: list[Operation] = []
        self._spared: set[int] = set()
        self._apart: dict[Ref, _Apart] = {}
        renamed: dict[Ref, Ref] = {}
        for each in operations:
            if isinstance(each, Create):
                self._comes(each)
            elif isinstance(each, Rename):
                renamed[each.target] = each.subject
                self._chains.setdefault(each.subject, []).append(each)
            elif each.subject in each.alters:
                self._chains.setdefault(renamed.get(each.subject, each.subject), []).append(each)

    def clear_for(self, operation: Operation) -> list[Operation]:
        """Take note of what is in the operation's way, and return the drops that follow from it."""
        replaced = isinstance(operation, Drop) and not self._coming.isdisjoint(self._names(operation))
        drops: list[Operation] = []
        for found in self._compiler.depends(operation, self._live, replaced=replaced):
            ref = self._claims.by_part.get(found, found)
            if ref in self._live:
                if ref not in self._replaced and ref not in self._aside:
                    drops.append(self._replace(ref))
            else:
                self._detach(ref, operation)
        return drops

    def take_apart(self) -> list[Operation]:
        """Return the changes that take off parts and put them back, of objects that have new ones."""
        found: list[Operation] = []
        for each in self._apart.values():
            if not each.is_built:
                found += each.build()
        return found

    def result(self) -> list[Operation]:
        """Return the operations as they are now."""
        kept = [each for each in self._operations if id(each) not in self._spared]
        return [*kept, *self._added, *(each for apart in self._apart.values() for each in apart.operations)]

    def _replace(self, ref: Ref) -> Operation:
        handler = self._registry.get(ref.type)
        model = wanted = self._live.get(ref)
        for each in self._chains.pop(ref, ()):
            assert isinstance(each, Alter | Rename), each
            wanted = each.after
            self._spared.add(id(each))
        apart = self._apart.pop(ref, None)
        if apart is not None:
            wanted = apart.wanted
        if (asked := self._asked(ref)) is not None:
            wanted = asked
        dropped, created = handler.dropped(model), handler.created(wanted)
        self._added += [dropped, created]
        self._replaced.add(ref)
        self._comes(created)
        return dropped

    def _detach(self, part: Ref, operation: Operation) -> None:
        owner = self._compiler.owner_of(part, self._live)
        if owner is None or owner in self._replaced:
            return
        apart = self._apart.get(owner)
        if apart is None:
            chain = self._chains.pop(owner, [])
            self._spared.update(id(each) for each in chain)
            first, last = (chain[0], chain[-1]) if chain else (None, None)
            live = self._live.get(owner)
            apart = self._apart[owner] = _Apart(
                self._registry.get(owner.type),
                getattr(first, "before", live),
                getattr(last, "after", live),
            )
        known = apart.causes.get(part)
        if known is None or not known >= operation.removes:
            apart.causes[part] = operation.removes.union(known or ())
            apart.is_built = False
            if (asked := self._asked(owner)) is not None:
                apart.wanted = apart.handler.with_part(apart.wanted, part, asked)

    def _comes(self, operation: Create) -> None:
        self._coming.update(self._names(operation))

    def _names(self, operation: Create | Drop) -> Iterable[Ref]:
        return {operation.subject, *self._registry.get(operation.subject.type).aliases(operation.model)}
