"""One requested resource on its way to a plan, and what a plan's resources say of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from kolumn.contract.errors import ValidationError
from kolumn.contract.messages import PlanResource
from kolumn.engine.changes import keep
from kolumn.engine.handler import Handler
from kolumn.engine.operations import NOTHING, Operation
from kolumn.engine.plan import ResourceKey
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import with_kept
from kolumn.engine.state.remembered import recall
from kolumn.engine.state.store import Managed, StateStore


class Item(msgspec.Struct):
    """One requested resource while it is being planned."""

    request: PlanResource
    key: ResourceKey
    handler: Handler[Any]
    managed: Managed | None
    ref: Ref | None = None
    wanted: Any = None
    """What is asked for, in the live object's wording where the database takes that for the same."""
    worded: Any = None
    """What is asked for, as configuration has it."""
    live: Any = None
    unchanged: bool = False
    former: Ref | None = None
    """Under which it is found, where what it belongs to is about to get another name."""
    orphan: Ref | None = None
    """What it was before its name changed without a word about renaming."""
    implied: bool = False
    """Whether `live` is what holds anyway, and no object the database lists."""
    pruned: bool = False
    """Whether nobody asked for it by name."""


def renames(item: Item) -> Iterable[Operation]:
    """Return the renamings an item means."""
    if item.unchanged or item.live is None or item.wanted is None:
        return ()
    if item.handler.former(item.wanted) is None and not item.handler.former_names(item.wanted):
        return ()
    return [each for each in item.handler.diff(item.live, item.wanted) if each.RENAMES]


def former_names(rename: Operation) -> frozenset[Ref]:
    """Return under which names others may use what is renamed, or has something renamed in it."""
    return rename.removes | {rename.subject}


def followed(item: Item, renamings: Iterable[Operation]) -> tuple[Any, frozenset[Ref]]:
    """Return the live model as it will be once what it refers to has its new name, and these names."""
    model, names = item.live, NOTHING
    uses, own = item.handler.uses(model), (item.ref, item.handler.ref(model))
    for rename in renamings:
        if not uses.isdisjoint(former_names(rename)) and rename.subject not in own:
            model = item.handler.follow(model, rename)
            uses |= rename.provides
            names |= rename.provides
    return model, names


def unmanaged(items: Iterable[Item], live: Snapshot, state: StateStore) -> Iterator[Ref]:
    """Return what is live and nobody names."""
    meant = {managed.ref for _, managed in state.managed()}
    for item in items:
        meant.update(ref for ref in (item.ref, item.orphan, item.former) if ref is not None)
        if item.wanted is not None and (former := item.handler.former(item.wanted)) is not None:
            meant.add(former)
    return (ref for ref in live.refs() if ref not in meant and ref not in live.aside)


def asked_for(items: Iterable[Item], live: Snapshot) -> Callable[[Ref], Any]:
    """Return what gives the model of an object as configuration has it, None where none says anything.

    What has to be created anew is created from that. The catalogue's texts are right for the database as it
    is: `f(a)` may stand there as `f(a::text)`, which the same plan gives another meaning.
    """
    by_ref: dict[Ref, Item] = {}
    for item in items:
        if item.request.action != "delete" and item.ref is not None:
            by_ref[item.ref] = item
            if item.live is not None:
                by_ref[item.handler.ref(item.live)] = item

    def model(ref: Ref) -> Any:
        item = by_ref.get(ref)
        if item is None or ref not in live:
            return None
        wanted = item.worded if item.worded is not None else item.wanted
        if wanted is None:
            wanted = item.handler.parse(item.request.config, item.request.name)
            if item.request.ignore_changes:
                wanted = ignoring(item, wanted, live.get(ref))
        return with_kept(wanted, live.get(ref))

    return model


def restored(item: Item) -> Any:
    """Return what is wanted with what configuration leaves alone as the last apply left it."""
    known = recall(item.managed.instance) if item.managed is not None else None
    if known is None:
        return item.wanted
    try:
        was = item.handler.explicit(item.handler.parse(known, item.request.name))
        return with_kept(item.wanted, was)
    except ValidationError:  # a value is sealed; what is asked for has it
        return item.wanted


def ignoring(item: Item, wanted: Any, live: Any) -> Any:
    """Return what is wanted with the live values of what configuration says to ignore."""
    handler = item.handler
    config = keep(handler.config(wanted), handler.config(live), item.request.ignore_changes)
    return handler.parse(config, item.request.name)
