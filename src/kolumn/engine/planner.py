"""From what should exist to a plan: Plan and Apply both come through here (spec 3.2)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.messages import PlanResource
from kolumn.engine import graph
from kolumn.engine.changes import keep
from kolumn.engine.claims import Claims
from kolumn.engine.consequences import with_consequences
from kolumn.engine.dependents import with_dependents
from kolumn.engine.handler import Handler, Registry
from kolumn.engine.operations import NOTHING, Drop, Operation, Risk, Step
from kolumn.engine.plan import Plan, ResourceChange, ResourceKey
from kolumn.engine.quarantine.catalogue import Entry
from kolumn.engine.quarantine.operations import QUARANTINE, MoveBack
from kolumn.engine.quarantine.place import Quarantine
from kolumn.engine.quarantine.planning import Mark, Setting, mark_of, quarantined
from kolumn.engine.quarantine.restoring import Restoration
from kolumn.engine.remembered import recall
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import with_kept
from kolumn.engine.session import Catalog, Compiler
from kolumn.engine.state import Managed, StateStore


class _Item(msgspec.Struct):
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


class _Asked(NamedTuple):
    """The resources of one request by what others may say of them."""

    keys: frozenset[str]
    by_ref: Mapping[Ref, list[str]]
    """Keys by object; a delete and a creation may mean the same one."""

    @classmethod
    def of(cls, items: Sequence[_Item]) -> _Asked:
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
            items.append(_Item(request, key, handler, None, ref=ref, wanted=model, live=there.get(ref)))
        self._complete(items, there)
        question = _Question((), False, False, False, self._state.revision)
        operations, owners = self._operations(items, there, question, Claims())
        operations = self._compiler.ordered(operations, there)
        back = frozenset(each.subject for each in restored.first if isinstance(each, MoveBack))
        operations = [self._after(each, back) for each in operations]
        first = self._compiler.consolidate(list(restored.first), live)
        for each in first:
            owners.setdefault(each.subject, ResourceKey(each.subject.type, each.subject.identity))
        plan = self._arrange(context, items, live, [*first, *operations], owners, {}, online=False)
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
        items, problems = self._items(question.resources)
        for item in items:
            item.unchanged = self._is_unchanged(item, live)
        changing = {item.key.type for item in items if not item.unchanged}
        for item in items:
            item.unchanged = item.unchanged and changing.isdisjoint(item.handler.completed_from)
        if not question.prune and not problems and all(item.unchanged for item in items):
            return Plan(changes=tuple(_unchanged(item) for item in items))
        claims = self._resolve(items, live, problems, restore=question.restore)
        if question.prune:
            items += self._pruned(items, live)
        context.check()
        self._settle(context, items)
        operations, owners = self._operations(items, live, question, claims)
        if not operations:
            asked = _Asked.of(items)
            return Plan(
                changes=tuple(_change(item, "unchanged", asked) for item in items),
                notes=tuple(_notes(items)),
            )
        entries: Mapping[Mark, tuple[Entry, ...]] = {}
        if question.careful and used is not None:
            operations, entries = self._set_aside(items, operations, live, used)
        operations = self._compiler.ordered(operations, live)
        for operation in operations:
            owners.setdefault(
                operation.subject, ResourceKey(operation.subject.type, operation.subject.identity)
            )
        return self._arrange(context, items, live, operations, owners, entries, online=question.online)

    def _set_aside(
        self,
        items: Sequence[_Item],
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

    def _pruned(self, items: Sequence[_Item], live: Snapshot) -> Iterator[_Item]:
        """Yield the deletion of everything live that nobody names."""
        taken = {item.key for item in items}
        for ref in self._unmanaged(items, live):
            name = ref.identity
            while ResourceKey(ref.type, name) in taken:
                name += " (unmanaged)"
            request = PlanResource(resource_type=ref.type, name=name, action="delete")
            handler = self._registry.get(ref.type)
            key = ResourceKey(ref.type, name)
            yield _Item(request, key, handler, None, ref=ref, live=live.get(ref), pruned=True)

    def _settle(self, context: Context, items: Sequence[_Item]) -> None:
        """Give wanted models the live wording of what the database takes for the same."""
        changed = [item for item in items if item.live is not None and item.wanted is not None]
        pairs = [(item.handler, item.live, item.wanted) for item in changed]
        if pairs:
            for item, settled in zip(changed, self._catalog.settle(context, pairs), strict=True):
                item.worded, item.wanted = item.wanted, settled

    def _items(self, resources: Sequence[PlanResource]) -> tuple[list[_Item], list[Problem]]:
        """Return what is asked for, and the faults of what cannot be: unknown types, repeated names."""
        items: list[_Item] = []
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
            items.append(_Item(resource, key, handler, self._state.get(key)))
        return items, problems

    def _is_unchanged(self, item: _Item, live: Snapshot) -> bool:
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

    def _resolve(
        self, items: list[_Item], live: Snapshot, problems: list[Problem], *, restore: bool
    ) -> Claims:
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
                item.wanted = _restored(item)
            item.ref = item.handler.ref(item.wanted)
        claimed: dict[Ref, _Item] = {}
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
        renames = [rename for item in items for rename in _renames(item)]
        for item in items if renames else ():
            self._find_under_former_name(item, live, claimed, renames)
        for item in items:
            self._find_gone(item, live, claimed)
            if item.request.ignore_changes and item.wanted is not None and item.live is not None:
                item.wanted = _ignoring(item, item.wanted, item.live)
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
        self._complete(items, live)
        return claims

    def _claims(self, items: Iterable[_Item], live: Snapshot) -> Claims:
        """Return the parts of objects that are resources of their own, also those this plan is not about."""
        handlers = {each.type: each for each in self._registry if each.parts}
        if not handlers:
            return Claims()
        mine = [item for item in items if item.key.type in handlers and item.ref is not None]
        refs = {item.ref: None for item in mine if item.ref is not None}
        refs |= {managed.ref: None for key, managed in self._state.managed() if key.type in handlers}
        models = [(item.handler, item.ref, item.wanted) for item in mine if item.ref is not None]
        models += [(item.handler, item.ref, item.live) for item in mine if item.ref is not None]
        models += [(handlers[ref.type], ref, live.get(ref)) for ref in refs]
        return Claims.of((handler, ref, model) for handler, ref, model in models if model is not None)

    def _complete(self, items: Sequence[_Item], live: Snapshot) -> None:
        """Fill in what wanted models leave to other objects, in these first."""
        pending = {item.ref: item for item in items if item.ref is not None and not item.unchanged}
        begun: set[ResourceKey] = set()

        def complete(item: _Item) -> None:
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

    def _find_live(self, item: _Item, live: Snapshot, claimed: dict[Ref, _Item]) -> None:
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
        self, item: _Item, live: Snapshot, claimed: dict[Ref, _Item], renames: Sequence[Operation]
    ) -> None:
        """Find what a wanted resource is now where the name of something else is part of its own."""
        if item.unchanged or item.live is not None or item.wanted is None:
            return
        model, handler = item.wanted, item.handler
        for rename in renames:
            back = rename.inverse()
            if back is not None and back.subject in handler.uses(model):
                model = handler.follow(model, back)
        former = handler.ref(model)
        if former != item.ref and former in live and former not in claimed:
            item.live, item.former = live.get(former), former
            claimed[former] = item

    def _find_gone(self, item: _Item, live: Snapshot, claimed: Mapping[Ref, _Item]) -> None:
        """Find what nobody wants any more: what is to be deleted, and what an item was under another name."""
        if item.unchanged or item.ref is None:
            return
        if item.request.action == "delete":
            item.live = live.get(item.ref) if item.ref not in claimed else None
        elif item.managed and item.managed.ref not in claimed and item.managed.ref in live:
            item.orphan = item.managed.ref

    def _find(self, item: _Item, live: Snapshot) -> Ref | None:
        """Return the object an unmanaged delete means: by its configuration, else by its identity."""
        if item.request.config:
            try:
                model = item.handler.parse(item.request.config, item.request.name)
            except ValidationError:
                pass
            else:
                return item.handler.ref(model)
        return find(live, item.handler, item.request.name)

    def _operations(
        self, items: Sequence[_Item], live: Snapshot, question: _Question, claims: Claims
    ) -> tuple[list[Operation], dict[Ref, ResourceKey]]:
        operations: list[Operation] = []
        owners: dict[Ref, ResourceKey] = {}
        renames = [rename for item in items for rename in _renames(item)]
        renamed = NOTHING.union(*(_former_names(rename) for rename in renames))
        for item in items:
            if item.ref is None or (item.request.action == "delete" and item.live is None):
                continue
            owners[item.ref] = item.key
            if item.unchanged:
                continue
            followed, names = item.live, NOTHING
            if followed is not None and not renamed.isdisjoint(item.handler.uses(followed)):
                followed, names = self._followed(item, renames)
            found = item.handler.diff(followed, item.wanted)
            if names:
                found = [_after_renaming(each, names) for each in found]
            if item.orphan is not None:
                owners[item.orphan] = item.key
                found = [*item.handler.diff(live.get(item.orphan), None), *found]
            for operation in found:
                owners.setdefault(operation.subject, item.key)
            operations += found
        operations = self._compiler.consolidate(operations, live, online=question.online)
        operations = with_dependents(
            operations, live, self._registry, self._compiler, _asked_for(items, live), claims
        )
        brought = list(self._compiler.brings(operations, live))
        if brought:
            operations = with_consequences(operations, brought, self._registry, exact=question.prune)
            for each in brought:
                owners.setdefault(
                    each.ref, owners.get(each.source, ResourceKey(each.source.type, each.source.identity))
                )
        return operations, owners

    def _followed(self, item: _Item, renames: Iterable[Operation]) -> tuple[Any, frozenset[Ref]]:
        """Return the live model as it will be once what it refers to has its new name, and these names."""
        model, names = item.live, NOTHING
        uses, own = item.handler.uses(model), (item.ref, item.handler.ref(model))
        for rename in renames:
            if not uses.isdisjoint(_former_names(rename)) and rename.subject not in own:
                model = item.handler.follow(model, rename)
                uses |= rename.provides
                names |= rename.provides
        return model, names

    def _effect(self, operation: Operation, state: Snapshot, users: _Users | None) -> Mapping[Ref, Any]:
        """Return what an operation leaves, with what follows a renamed object."""
        if users is None:
            return operation.effect()
        effect = dict(operation.effect())
        if operation.RENAMES:
            for ref in users.of(_former_names(operation)):
                if ref not in effect and (model := state.get(ref)) is not None:
                    handler = self._registry.get(ref.type)
                    followed = handler.follow(model, operation)
                    if followed != model:
                        effect |= {ref: None, handler.ref(followed): followed}
        users.note(effect)
        return effect

    def _arrange(
        self,
        context: Context,
        items: Sequence[_Item],
        live: Snapshot,
        operations: list[Operation],
        owners: dict[Ref, ResourceKey],
        entries: Mapping[Mark, tuple[Entry, ...]],
        *,
        online: bool,
    ) -> Plan:
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
        first: dict[ResourceKey, int] = {}
        for place, at in enumerate(order):
            first.setdefault(keys[at], place)
            for ref in getattr(operations[at], "along", ()):
                if ref in owners:
                    first.setdefault(owners[ref], place)
        changed = sorted((item for item in items if item.key in first), key=lambda item: first[item.key])
        asked = _Asked.of(items)
        results = [_change(item, _action(item), asked) for item in changed]
        results += [_change(item, "unchanged", asked) for item in items if item.key not in first]
        return Plan(
            changes=tuple(results),
            steps=tuple(steps),
            owners=tuple(step_owners),
            notes=tuple(_notes(items)),
            fingerprint=_fingerprint(live, steps, operations),
            unmanaged=tuple(self._unmanaged(items, live)),
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

    def _unmanaged(self, items: Iterable[_Item], live: Snapshot) -> Iterator[Ref]:
        meant = {managed.ref for _, managed in self._state.managed()}
        for item in items:
            meant.update(ref for ref in (item.ref, item.orphan, item.former) if ref is not None)
            if item.wanted is not None and (former := item.handler.former(item.wanted)) is not None:
                meant.add(former)
        return (ref for ref in live.refs() if ref not in meant and ref not in live.aside)


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


def _former_names(rename: Operation) -> frozenset[Ref]:
    """Return under which names others may use what is renamed, or has something renamed in it."""
    return rename.removes | {rename.subject}


def _asked_for(items: Iterable[_Item], live: Snapshot) -> Callable[[Ref], Any]:
    """Return what gives the model of an object as configuration has it, None where none says anything.

    What has to be created anew is created from that. The catalogue's texts are right for the database as it
    is: `f(a)` may stand there as `f(a::text)`, which the same plan gives another meaning.
    """
    by_ref: dict[Ref, _Item] = {}
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
                wanted = _ignoring(item, wanted, live.get(ref))
        return with_kept(wanted, live.get(ref))

    return model


def _restored(item: _Item) -> Any:
    """Return what is wanted with what configuration leaves alone as the last apply left it."""
    known = recall(item.managed.instance) if item.managed is not None else None
    if known is None:
        return item.wanted
    try:
        return with_kept(item.wanted, item.handler.parse(known, item.request.name))
    except ValidationError:  # a value is sealed; what is asked for has it
        return item.wanted


def _ignoring(item: _Item, wanted: Any, live: Any) -> Any:
    """Return what is wanted with the live values of what configuration says to ignore."""
    handler = item.handler
    config = keep(handler.config(wanted), handler.config(live), item.request.ignore_changes)
    return handler.parse(config, item.request.name)


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


def _honest(step: Step) -> Step:
    """Return the step with the risk of being irreversible where it has no undo."""
    if step.undo is not None or any(risk.kind == "irreversible" for risk in step.risks):
        return step
    return msgspec.structs.replace(step, risks=(*step.risks, Risk("irreversible", step.description)))


def _after_renaming(operation: Operation, names: frozenset[Ref]) -> Operation:
    """Return the operation to come after something got `names`; a drop may do without where it cannot wait."""
    guesses = operation.guesses | names if isinstance(operation, Drop) else operation.guesses
    return dataclasses.replace(operation, requires=operation.requires | names, guesses=guesses)


def _renames(item: _Item) -> Iterable[Operation]:
    """Return the renamings an item means."""
    if item.unchanged or item.live is None or item.wanted is None:
        return ()
    if item.handler.former(item.wanted) is None and not item.handler.former_names(item.wanted):
        return ()
    return [each for each in item.handler.diff(item.live, item.wanted) if each.RENAMES]


def _owner(operation: Operation, owners: Mapping[Ref, ResourceKey]) -> ResourceKey:
    owner = owners.get(operation.subject)
    if owner is not None:
        return owner
    for ref in operation.effect():
        if ref in owners:
            return owners[ref]
    return ResourceKey(operation.subject.type, operation.subject.identity)


def _placed(error: ValidationError, resource: PlanResource) -> list[Problem]:
    address = f"{resource.resource_type}.{resource.name}"
    return [problem.at(resource=address) for problem in error.problems] or [
        Problem(error.message, code=error.code, resource=address)
    ]


def _preferences(
    items: Sequence[_Item], operations: Sequence[Operation], keys: Sequence[ResourceKey]
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


def _action(item: _Item) -> str:
    if item.request.action == "delete":
        return "delete"
    return "create" if item.live is None and item.orphan is None else "update"


def _unchanged(item: _Item) -> ResourceChange:
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


def _change(item: _Item, action: str, asked: _Asked) -> ResourceChange:
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


def _notes(items: Iterable[_Item]) -> Iterable[str]:
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


def _fingerprint(live: Snapshot, steps: Iterable[Step], operations: Iterable[Operation]) -> str:
    touched: set[Ref] = set()
    for each in operations:
        touched.update(each.removes, each.provides, each.alters, each.requires)
    parts = ["\0".join((*ref, live.digest(ref))) for ref in sorted(touched)]
    parts += [
        f"{statement.text}\0{statement.parameters!r}" for step in steps for statement in step.statements
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
