"""What is asked for, found in the database: under its name, a former one, or as part of something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.messages import PlanResource
from kolumn.engine.handler import Handler, Registry
from kolumn.engine.operations import Operation
from kolumn.engine.plan import ResourceKey
from kolumn.engine.planning.claims import Claims
from kolumn.engine.planning.items import Item, ignoring, renames, restored
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.state.store import StateStore


class Matching:
    """Matches requested resources with what a database holds."""

    def __init__(self, registry: Registry, state: StateStore) -> None:
        self._registry = registry
        self._state = state

    def items(self, resources: Sequence[PlanResource]) -> tuple[list[Item], list[Problem]]:
        """Return what is asked for, and the faults of what cannot be: unknown types, repeated names."""
        items: list[Item] = []
        problems: list[Problem] = []
        seen: set[ResourceKey] = set()
        for resource in resources:
            try:
                handler = self._registry.get(resource.resource_type)
            except ValidationError as error:
                problems += _placed(error, resource)
                continue
            key = ResourceKey(handler.type, resource.name)
            if key in seen:
                problems.append(
                    Problem(f"{key} is asked for twice", code="duplicate_resource", resource=str(key))
                )
                continue
            seen.add(key)
            items.append(Item(resource, key, handler, self._state.get(key)))
        return items, problems

    def find_unchanged(self, items: Sequence[Item], live: Snapshot) -> None:
        """Find the items that need no further look, as nothing they follow from has changed."""
        for item in items:
            item.unchanged = self._is_unchanged(item, live)
        changing = {item.key.type for item in items if not item.unchanged}
        for item in items:
            item.unchanged = item.unchanged and changing.isdisjoint(item.handler.completed_from)

    def _is_unchanged(self, item: Item, live: Snapshot) -> bool:
        """Whether the same configuration was applied before and the catalogue still says the same."""
        managed = item.managed
        if item.request.action == "delete" or managed is None or not managed.digest:
            return False
        if managed.digest != live.digest(managed.ref):
            return False
        if managed.config_digest != self._state.config_digest(item.request):
            return False
        item.ref = managed.ref
        return True

    def resolve(self, items: list[Item], live: Snapshot, problems: list[Problem], *, restore: bool) -> Claims:
        """Build the models, wanted and live, of every item; return the parts that some of them are.

        Raises ValidationError with all faults, those in `problems` first.
        """
        for item in items:
            if item.unchanged:
                continue
            if item.request.action == "delete":
                item.ref = item.managed.ref if item.managed else self._find(item, live)
                continue
            try:
                item.wanted = item.handler.parse(item.request.config, item.request.name)
            except ValidationError as error:
                problems += _placed(error, item.request)
                continue
            if restore:
                item.wanted = restored(item)
            item.ref = item.handler.ref(item.wanted)
        claimed: dict[Ref, Item] = {}
        for item in items:
            if item.ref is None or item.request.action == "delete":
                continue
            other = claimed.setdefault(item.ref, item)
            if other is not item:
                problems.append(
                    Problem(
                        f"{item.key} and {other.key} are the same object: {item.ref}",
                        code="duplicate_object",
                        resource=str(item.key),
                        hint="Give one of them another name, or remove it.",
                    )
                )
        if problems:
            raise ValidationError.of(problems)
        for item in items:
            self._find_live(item, live, claimed)
        renamings = [rename for item in items for rename in renames(item)]
        for item in items if renamings else ():
            self._find_under_former_name(item, live, claimed, renamings)
        for item in items:
            self._find_gone(item, live, claimed)
            if item.request.ignore_changes and item.wanted is not None and item.live is not None:
                item.wanted = ignoring(item, item.wanted, item.live)
        claims = self._claims(items, live)
        for item in items:
            if item.ref is None or item.unchanged:
                continue
            if item.live is not None:
                item.live = claims.without(item.handler, item.handler.ref(item.live), item.live)
            if item.wanted is not None:
                problems += claims.problems(item.handler, item.ref, item.wanted)
        if problems:
            raise ValidationError.of(problems)
        self.complete(items, live)
        return claims

    def _claims(self, items: Iterable[Item], live: Snapshot) -> Claims:
        """Return the parts of objects that are resources of their own, also those this plan is not about."""
        handlers = {each.type: each for each in self._registry if each.parts}
        if not handlers:
            return Claims()
        models: list[tuple[Handler[Any], Ref, Any]] = []
        refs = {managed.ref: None for key, managed in self._state.managed() if key.type in handlers}
        for item in items:
            if item.key.type in handlers and item.ref is not None:
                models += [(item.handler, item.ref, item.wanted), (item.handler, item.ref, item.live)]
                refs[item.ref] = None
        models += [(handlers[ref.type], ref, live.get(ref)) for ref in refs]
        return Claims.of((handler, ref, model) for handler, ref, model in models if model is not None)

    def complete(self, items: Sequence[Item], live: Snapshot) -> None:
        """Fill in what wanted models leave to other objects, in these first."""
        pending = {item.ref: item for item in items if item.ref is not None and not item.unchanged}
        begun: set[ResourceKey] = set()

        def complete(item: Item) -> None:
            if item.wanted is not None and item.key not in begun:
                begun.add(item.key)
                item.wanted = item.handler.completed(item.wanted, other)

        def other(ref: Ref) -> Any:
            item = pending.get(ref)
            if item is None:
                return live.get(ref)
            complete(item)
            return item.wanted

        for item in items:
            if not item.unchanged:
                complete(item)

    def _find_live(self, item: Item, live: Snapshot, claimed: dict[Ref, Item]) -> None:
        """Find what a wanted resource is now: under its name or, as configuration says, a former one."""
        if item.unchanged or item.ref is None or item.request.action == "delete":
            return
        item.live = live.get(item.ref)
        former = item.handler.former(item.wanted)
        if item.live is None and former is not None and former in live and former not in claimed:
            item.live = live.get(former)
            claimed[former] = item
        if item.live is None:
            implied = item.handler.implied(item.wanted, live)
            if implied is not None and not item.handler.diff(implied, item.wanted):
                item.live, item.implied = implied, True

    def _find_under_former_name(
        self, item: Item, live: Snapshot, claimed: dict[Ref, Item], renamings: Sequence[Operation]
    ) -> None:
        """Find what a wanted resource is now where the name of something else is part of its own."""
        if item.unchanged or item.live is not None or item.wanted is None:
            return
        model, handler = item.wanted, item.handler
        for rename in renamings:
            back = rename.inverse()
            if back is not None and back.subject in handler.uses(model):
                model = handler.follow(model, back)
        former = handler.ref(model)
        if former != item.ref and former in live and former not in claimed:
            item.live, item.former = live.get(former), former
            claimed[former] = item

    def _find_gone(self, item: Item, live: Snapshot, claimed: Mapping[Ref, Item]) -> None:
        """Find what nobody wants any more: what is to be deleted, and what an item was under another name."""
        if item.unchanged or item.ref is None:
            return
        if item.request.action == "delete":
            item.live = live.get(item.ref) if item.ref not in claimed else None
        elif item.managed and item.managed.ref not in claimed and item.managed.ref in live:
            item.orphan = item.managed.ref

    def _find(self, item: Item, live: Snapshot) -> Ref | None:
        """Return the object an unmanaged delete means: by its configuration, else by its identity."""
        if item.request.config:
            try:
                model = item.handler.parse(item.request.config, item.request.name)
            except ValidationError:
                pass
            else:
                return item.handler.ref(model)
        return find(live, item.handler, item.request.name)


def find(live: Snapshot, handler: Handler[Any], name: str) -> Ref | None:
    """Return the object of the handler's type whose identity, or unambiguous bare name, is `name`."""
    folded = name.lower()
    candidates = []
    for ref in live.refs(handler.type):
        if ref.identity in (name, folded):
            return ref
        if ref.name in (name, folded):
            candidates.append(ref)
    return candidates[0] if len(candidates) == 1 else None


def _placed(error: ValidationError, resource: PlanResource) -> list[Problem]:
    address = f"{resource.resource_type}.{resource.name}"
    return [problem.at(resource=address) for problem in error.problems] or [
        Problem(error.message, code=error.code, resource=address)
    ]
