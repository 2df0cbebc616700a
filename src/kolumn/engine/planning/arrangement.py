"""Operations in an order that works, compiled step by step: the plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from kolumn.contract.context import Context
from kolumn.engine.handler import Registry
from kolumn.engine.operations import Create, Drop, Operation, Risk, Step
from kolumn.engine.plan import Plan, ResourceKey
from kolumn.engine.planning import graph
from kolumn.engine.planning.items import Item, former_names, unmanaged
from kolumn.engine.planning.results import Turn, changes, notes
from kolumn.engine.quarantine.catalogue import Entry
from kolumn.engine.quarantine.operations import QUARANTINE
from kolumn.engine.quarantine.place import Quarantine
from kolumn.engine.quarantine.planning import Mark, mark_of
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.session import Compiler
from kolumn.engine.state.store import StateStore


class Arrangement:
    """Makes plans of operations."""

    def __init__(
        self, registry: Registry, compiler: Compiler, state: StateStore, quarantine: Quarantine | None
    ) -> None:
        self._registry = registry
        self._compiler = compiler
        self._state = state
        self._quarantine = quarantine

    def plan(
        self,
        context: Context,
        items: Sequence[Item],
        live: Snapshot,
        operations: list[Operation],
        owners: dict[Ref, ResourceKey],
        entries: Mapping[Mark, tuple[Entry, ...]],
        *,
        online: bool,
    ) -> Plan:
        """Return the plan of `operations`, which make of the items' live models the wanted ones.

        `owners` says which resource an object belongs to, `entries` what is noted in quarantine of which operation;
        `online` is the compiler's.
        """
        keys = [_owner(operation, owners) for operation in operations]
        order = graph.order(operations, _preferences(items, operations, keys))
        steps: list[Step] = []
        noted: list[tuple[int, Entry]] = []
        step_owners: list[ResourceKey] = []
        spans: list[range] = []
        state = live
        users = None
        if any(operation.RENAMES for operation in operations):
            users = _Users(self._registry)
            users.note({ref: live.get(ref) for ref in live.refs()})
        for at in order:
            context.check()
            compiled = [_honest(step) for step in self._compiled(operations[at], state, online=online)]
            spans.append(range(len(steps), len(steps) + len(compiled)))
            mark = mark_of(operations[at])
            for entry in entries.get(mark, ()) if mark is not None and compiled else ():
                noted.append((len(steps) + len(compiled) - 1, entry))
            steps += compiled
            step_owners += [keys[at]] * len(compiled)
            state = state.with_changes(self._effect(operations[at], state, users))
        first: dict[ResourceKey, Turn] = {}
        along: dict[int, tuple[ResourceKey, ...]] = {}
        for place, at in enumerate(order):
            first.setdefault(keys[at], Turn(place))
            others = [owners[ref] for ref in getattr(operations[at], "along", ()) if ref in owners]
            rank: Literal[0, 2] = 2 if isinstance(operations[at], Create) else 0
            for key in others:
                first.setdefault(key, Turn(first[keys[at]].place, rank))
            if others and spans[place]:
                along[spans[place][-1]] = tuple(others)
        return Plan(
            changes=changes(items, first),
            steps=tuple(steps),
            owners=tuple(step_owners),
            along=along,
            notes=tuple(notes(items)),
            fingerprint=_fingerprint(live, steps, operations),
            unmanaged=tuple(unmanaged(items, live, self._state)),
            questions=tuple(
                msgspec.structs.replace(question, steps=spans[place])
                for place, question in self._compiler.questions([operations[at] for at in order], live)
            ),
            quarantined=tuple(noted),
        )

    def _compiled(self, operation: Operation, state: Snapshot, *, online: bool) -> list[Step]:
        if isinstance(operation, QUARANTINE) and self._quarantine is not None:
            return self._quarantine.compile(operation, state)
        return self._compiler.compile(operation, state, online=online)

    def _effect(self, operation: Operation, state: Snapshot, users: _Users | None) -> Mapping[Ref, Any]:
        """Return what an operation leaves, with what follows a renamed object."""
        if users is None:
            return operation.effect()
        effect = dict(operation.effect())
        if operation.RENAMES:
            for ref in users.of(former_names(operation)):
                if ref not in effect and (model := state.get(ref)) is not None:
                    handler = self._registry.get(ref.type)
                    followed = handler.follow(model, operation)
                    if followed != model:
                        effect |= {ref: None, handler.ref(followed): followed}
        users.note(effect)
        return effect


class _Users:
    """Which objects use which, for finding what follows a renamed one. Former users stay among them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._users: dict[Ref, set[Ref]] = {}

    def note(self, models: Mapping[Ref, Any]) -> None:
        """Note what each model uses; None is one that is gone."""
        for ref, model in models.items():
            if model is not None:
                for used in self._registry.get(ref.type).uses(model):
                    self._users.setdefault(used, set()).add(ref)

    def of(self, refs: Iterable[Ref]) -> list[Ref]:
        """Return what may use any of `refs`, sorted."""
        return sorted({user for ref in refs for user in self._users.get(ref, ())})


def _honest(step: Step) -> Step:
    """Return the step with the risk of being irreversible where it has no undo."""
    if step.undo is not None or any(risk.kind == "irreversible" for risk in step.risks):
        return step
    return msgspec.structs.replace(step, risks=(*step.risks, Risk("irreversible", step.description)))


def _owner(operation: Operation, owners: Mapping[Ref, ResourceKey]) -> ResourceKey:
    owner = owners.get(operation.subject)
    if owner is not None:
        return owner
    for ref in operation.effect():
        if ref in owners:
            return owners[ref]
    return ResourceKey(operation.subject.type, operation.subject.identity)


def _preferences(
    items: Sequence[Item], operations: Sequence[Operation], keys: Sequence[ResourceKey]
) -> dict[int, list[int]]:
    """Return what should come first for the sake of `depends_on`: creations along it, drops against it."""
    if not any(item.request.depends_on for item in items):
        return {}
    by_key: dict[str, list[int]] = {}
    for at, key in enumerate(keys):
        by_key.setdefault(str(key), []).append(at)
    found: dict[int, list[int]] = {}
    for item in items:
        mine = by_key.get(str(item.key), [])
        for name in item.request.depends_on if mine else ():
            for other in by_key.get(name, ()):
                for at in mine:
                    if isinstance(operations[at], Drop):
                        found.setdefault(other, []).append(at)
                    elif not isinstance(operations[other], Drop):
                        found.setdefault(at, []).append(other)
    return found


def _fingerprint(live: Snapshot, steps: Iterable[Step], operations: Iterable[Operation]) -> str:
    touched: set[Ref] = set()
    for each in operations:
        touched.update(each.removes, each.provides, each.alters, each.requires)
    parts = ["\0".join((*ref, live.digest(ref))) for ref in sorted(touched)]
    parts += [
        f"{statement.text}\0{statement.parameters!r}" for step in steps for statement in step.statements
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
