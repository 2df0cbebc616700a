"""What a plan says of each resource it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from kolumn.engine.plan import Plan, ResourceChange, ResourceKey
from kolumn.engine.planning.items import Item
from kolumn.engine.resource import Ref


class Turn(NamedTuple):
    """When a resource's change begins, in the order in which changes are told.

    What goes along with another one is told before it, what comes along with it afterwards.
    """

    place: int
    rank: Literal[0, 1, 2] = 1


def nothing_to_do(items: Sequence[Item]) -> Plan:
    """Return the plan of a database that is as it should be."""
    if all(item.unchanged for item in items):
        return Plan(changes=tuple(map(_unchanged, items)))
    return Plan(changes=changes(items, {}), notes=tuple(notes(items)))


def changes(items: Sequence[Item], first: Mapping[ResourceKey, Turn]) -> tuple[ResourceChange, ...]:
    """Return what becomes of each resource: those with operations by their `first` turn, then the others."""
    asked = _Asked.of(items)
    changed = sorted((item for item in items if item.key in first), key=lambda item: first[item.key])
    found = [_change(item, _action(item), asked) for item in changed]
    found += [_change(item, "unchanged", asked) for item in items if item.key not in first]
    return tuple(found)


def notes(items: Iterable[Item]) -> Iterable[str]:
    """Yield what a reader should know besides the steps."""
    for item in items:
        if item.implied:
            continue
        if item.live is not None and item.managed is None and item.request.action != "delete":
            yield f"{item.ref} exists already and is adopted"
        if item.orphan is not None:
            yield (
                f"{item.key} was {item.orphan} and is now {item.ref}: the old one is dropped; "
                "to rename it instead, set renamed_from"
            )


class _Asked(NamedTuple):
    """The resources of one request by what others may say of them."""

    keys: frozenset[str]
    by_ref: Mapping[Ref, list[str]]
    """Keys by object; a delete and a creation may mean the same one."""

    @classmethod
    def of(cls, items: Sequence[Item]) -> _Asked:
        by_ref: dict[Ref, list[str]] = {}
        keys = []
        for item in items:
            key = str(item.key)
            keys.append(key)
            if item.ref is not None:
                model = item.wanted if item.wanted is not None else item.live
                by_ref.setdefault(item.ref, []).append(key)
                for ref in item.handler.aliases(model) if model is not None else ():
                    by_ref.setdefault(ref, []).append(key)
        return cls(frozenset(keys), by_ref)


def _action(item: Item) -> str:
    if item.request.action == "delete":
        return "delete"
    return "create" if item.live is None and item.orphan is None else "update"


def _unchanged(item: Item) -> ResourceChange:
    assert item.ref is not None
    return ResourceChange(
        key=item.key,
        action="unchanged",
        handler=item.handler,
        ref=item.ref,
        config=item.request.config,
        managed=True,
        exists=True,
    )


def _change(item: Item, action: str, asked: _Asked) -> ResourceChange:
    ref = item.ref or Ref(item.key.type, item.key.name)
    dependencies: tuple[str, ...] = ()
    if action != "unchanged":
        model, own = item.wanted if item.wanted is not None else item.live, str(item.key)
        uses = item.handler.uses(model) if model is not None else ()
        known = {key for used in uses for key in asked.by_ref.get(used, ()) if key != own}
        known |= asked.keys.intersection(item.request.depends_on)
        dependencies = tuple(sorted(known))
    return ResourceChange(
        key=item.key,
        action=action,
        handler=item.handler,
        ref=ref,
        config=item.request.config,
        before=item.live,
        after=item.wanted,
        dependencies=dependencies,
        managed=item.managed is not None,
        exists=item.live is not None or item.unchanged,
    )
