"""From what should exist to a plan: Plan and Apply both come through here (spec 3.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.messages import PlanResource
from kolumn.engine.handler import Registry
from kolumn.engine.operations import NOTHING, Drop, Operation
from kolumn.engine.plan import Plan, ResourceKey
from kolumn.engine.planning.arrangement import Arrangement
from kolumn.engine.planning.claims import Claims
from kolumn.engine.planning.consequences import with_consequences
from kolumn.engine.planning.dependents import with_dependents
from kolumn.engine.planning.items import Item, asked_for, followed, former_names, renames, unmanaged
from kolumn.engine.planning.matching import Matching
from kolumn.engine.planning.results import nothing_to_do
from kolumn.engine.quarantine.catalogue import Entry
from kolumn.engine.quarantine.operations import MoveBack
from kolumn.engine.quarantine.place import Quarantine
from kolumn.engine.quarantine.planning import Mark, Setting, quarantined
from kolumn.engine.quarantine.restoring import Restoration
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.session import Catalog, Compiler
from kolumn.engine.state.store import StateStore


class _Question(NamedTuple):
    """What a plan follows from, besides what the database holds."""

    resources: tuple[PlanResource, ...]
    prune: bool
    online: bool
    restore: bool
    state: int
    """`StateStore.revision`."""
    careful: bool = False
    """Whether what goes is set aside."""


class _Answer(NamedTuple):
    """A plan and what it was made from."""

    question: _Question
    live: Snapshot
    plan: Plan


class Planner:
    """Plans against one database.

    Plan and Apply are asked for the same, one after the other: the last plan is given again, once, where
    everything it follows from is still what it was.
    """

    def __init__(
        self,
        registry: Registry,
        catalog: Catalog,
        compiler: Compiler,
        state: StateStore,
        quarantine: Quarantine | None = None,
    ) -> None:
        self._quarantine = quarantine
        self._registry = registry
        self._catalog = catalog
        self._compiler = compiler
        self._state = state
        self._matching = Matching(registry, state)
        self._arrangement = Arrangement(registry, compiler, state, quarantine)
        self._last: _Answer | None = None

    def plan(
        self,
        context: Context,
        resources: Sequence[PlanResource],
        *,
        prune: bool = False,
        online: bool = False,
        restore: bool = False,
        quarantine: Callable[[], frozenset[str]] | None = None,
    ) -> Plan:
        """Return the plan that makes the database hold what `resources` says.

        The database is read once, now. With `prune` whatever nobody names is deleted; `online` asks for steps
        that let others work on (see `Compiler.compile`); with `restore` what configuration leaves alone becomes
        what it was after the last apply. With `quarantine`, which returns the ids in use there, what goes is set
        aside. Raises ValidationError with every fault of every resource.
        """
        careful = quarantine is not None and self._quarantine is not None
        question = _Question(tuple(resources), prune, online, restore, self._state.revision, careful)
        context.check()
        live = self._catalog.scan(context)
        last, self._last = self._last, None
        if last is not None and last.question == question and last.live.same(live):
            return last.plan
        plan = self._plan(context, question, live, quarantine)
        if plan.steps:
            self._last = _Answer(question, live, plan)
        return plan

    def restore(self, context: Context, restored: Restoration, live: Snapshot) -> Plan:
        """Return the plan that brings things back from quarantine; `live` is what the database holds now."""
        there = live.with_changes(restored.overlay)
        items = []
        for ref, model in restored.wanted.items():
            handler = self._registry.get(ref.type)
            request = PlanResource(
                resource_type=ref.type, name=ref.identity, config=handler.config(model), action="update"
            )
            key = ResourceKey(ref.type, ref.identity)
            items.append(Item(request, key, handler, None, ref=ref, wanted=model, live=there.get(ref)))
        self._matching.complete(items, there)
        question = _Question((), False, False, False, self._state.revision)
        operations, owners = self._operations(items, there, question, Claims())
        operations = self._compiler.ordered(operations, there)
        back = frozenset(each.subject for each in restored.first if isinstance(each, MoveBack))
        operations = [self._after(each, back) for each in operations]
        first = self._compiler.consolidate(list(restored.first), live)
        for each in first:
            owners.setdefault(each.subject, ResourceKey(each.subject.type, each.subject.identity))
        plan = self._arrangement.plan(context, items, live, [*first, *operations], owners, {}, online=False)
        # Rows are asked about as they are now, and their values come back within the plan.
        return msgspec.structs.replace(plan, questions=())

    def _after(self, operation: Operation, back: frozenset[Ref]) -> Operation:
        """Return the operation to come after what it uses is back, also where the database does not insist."""
        model = getattr(operation, "after", None)
        if model is None or operation.subject not in operation.alters:
            return operation
        used = (self._registry.get(operation.subject.type).uses(model) & back) - {operation.subject}
        return dataclasses.replace(
            operation,
            requires=operation.requires | used,
            guesses=operation.guesses | (used - operation.requires),
        )

    def _plan(
        self,
        context: Context,
        question: _Question,
        live: Snapshot,
        used: Callable[[], frozenset[str]] | None,
    ) -> Plan:
        items, problems = self._matching.items(question.resources)
        self._matching.find_unchanged(items, live)
        if not question.prune and not problems and all(item.unchanged for item in items):
            return nothing_to_do(items)
        claims = self._matching.resolve(items, live, problems, restore=question.restore)
        if question.prune:
            items += self._pruned(items, live)
        context.check()
        self._settle(context, items)
        operations, owners = self._operations(items, live, question, claims)
        if not operations:
            return nothing_to_do(items)
        entries: Mapping[Mark, tuple[Entry, ...]] = {}
        if question.careful and used is not None:
            operations, entries = self._set_aside(items, operations, live, used)
        operations = self._compiler.ordered(operations, live)
        for operation in operations:
            owners.setdefault(
                operation.subject, ResourceKey(operation.subject.type, operation.subject.identity)
            )
        return self._arrangement.plan(
            context, items, live, operations, owners, entries, online=question.online
        )

    def _set_aside(
        self,
        items: Sequence[Item],
        operations: Sequence[Operation],
        live: Snapshot,
        used: Callable[[], frozenset[str]],
    ) -> tuple[list[Operation], Mapping[Mark, tuple[Entry, ...]]]:
        """Return the operations so that what they remove is set aside, and what is to be noted of it."""
        assert self._quarantine is not None
        wanted = {item.ref for item in items if item.ref is not None and item.request.action != "delete"}
        names = {managed.ref: key.name for key, managed in self._state.managed()}
        setting = Setting(
            self._registry,
            self._compiler,
            self._quarantine,
            live,
            used,
            wanted.__contains__,
            lambda ref: names.get(ref, ""),
        )
        return quarantined(operations, setting)

    def _pruned(self, items: Sequence[Item], live: Snapshot) -> Iterator[Item]:
        """Yield the deletion of everything live that nobody names."""
        taken = {item.key for item in items}
        for ref in unmanaged(items, live, self._state):
            name = ref.identity
            while ResourceKey(ref.type, name) in taken:
                name += " (unmanaged)"
            request = PlanResource(resource_type=ref.type, name=name, action="delete")
            handler = self._registry.get(ref.type)
            key = ResourceKey(ref.type, name)
            yield Item(request, key, handler, None, ref=ref, live=live.get(ref), pruned=True)

    def _settle(self, context: Context, items: Sequence[Item]) -> None:
        """Give wanted models the live wording of what the database takes for the same."""
        changed = [item for item in items if item.live is not None and item.wanted is not None]
        pairs = [(item.handler, item.live, item.wanted) for item in changed]
        if pairs:
            for item, settled in zip(changed, self._catalog.settle(context, pairs), strict=True):
                item.worded, item.wanted = item.wanted, settled

    def _operations(
        self, items: Sequence[Item], live: Snapshot, question: _Question, claims: Claims
    ) -> tuple[list[Operation], dict[Ref, ResourceKey]]:
        operations: list[Operation] = []
        owners: dict[Ref, ResourceKey] = {}
        renamings = [rename for item in items for rename in renames(item)]
        renamed = NOTHING.union(*(former_names(rename) for rename in renamings))
        for item in items:
            if item.ref is None or (item.request.action == "delete" and item.live is None):
                continue
            owners[item.ref] = item.key
            if item.unchanged:
                continue
            model, names = item.live, NOTHING
            if model is not None and not renamed.isdisjoint(item.handler.uses(model)):
                model, names = followed(item, renamings)
            found = item.handler.diff(model, item.wanted)
            if names:
                found = [_after_renaming(each, names) for each in found]
            if item.orphan is not None:
                owners[item.orphan] = item.key
                found = [*item.handler.diff(live.get(item.orphan), None), *found]
            for operation in found:
                owners.setdefault(operation.subject, item.key)
            operations += found
        going = {item.ref for item in items if item.request.action == "delete"}
        asked = {item.ref for item in items if item.ref is not None} - going
        asked |= {managed.ref for _, managed in self._state.managed()} - going
        operations = self._compiler.consolidate(
            operations, live, online=question.online, wanted=asked.__contains__
        )
        operations = with_dependents(
            operations, live, self._registry, self._compiler, asked_for(items, live), claims
        )
        brought = list(self._compiler.brings(operations, live))
        if brought:
            operations = with_consequences(operations, brought, self._registry, exact=question.prune)
            for each in brought:
                owners.setdefault(
                    each.ref, owners.get(each.source, ResourceKey(each.source.type, each.source.identity))
                )
        return operations, owners


def _after_renaming(operation: Operation, names: frozenset[Ref]) -> Operation:
    """Return the operation to come after something got `names`; a drop may do without where it cannot wait."""
    guesses = operation.guesses | names if isinstance(operation, Drop) else operation.guesses
    return dataclasses.replace(operation, requires=operation.requires | names, guesses=guesses)
