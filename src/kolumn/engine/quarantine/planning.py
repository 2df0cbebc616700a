"""A plan's drops as moves into the quarantine, with notes of what goes and of all that goes with it.

Rows are moved, everything else is dropped and its configuration noted. What stands on something that goes, and
that the plan leaves alone otherwise, goes along; a table stays, without what refers to it, e.g. a foreign key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.handler import Registry
from kolumn.engine.operations import Alter, Create, Drop, Operation
from kolumn.engine.quarantine.catalogue import Entry, How, Kept, name_of, new_id
from kolumn.engine.quarantine.operations import KeepValues, MoveAside, NoteValues
from kolumn.engine.quarantine.place import Place, Quarantine
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.session import Compiler

Mark = Ref | Place
"""What tells with which operation an entry is noted: what a drop is about, or where values are kept."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What quarantining a plan follows from, besides the plan."""

    registry: Registry
    compiler: Compiler
    quarantine: Quarantine
    live: Snapshot
    used: Callable[[], frozenset[str]]
    """Returns the ids in use; asked only where something goes."""
    wanted: Callable[[Ref], bool]
    """Whether configuration asks for an object."""
    resource: Callable[[Ref], str]
    """The name that state has for an object, empty for none."""


class Quarantined(NamedTuple):
    """A plan's operations, and what they set aside."""

    operations: list[Operation]
    entries: Mapping[Mark, tuple[Entry, ...]]


def mark_of(operation: Operation) -> Mark | None:
    """Return by which `Quarantined.entries` may know an operation."""
    if isinstance(operation, KeepValues):
        return operation.at
    if isinstance(operation, Create):
        return _former(operation.subject)
    return operation.subject if isinstance(operation, Drop) else None


def _former(ref: Ref) -> Ref:
    """Return what stands for an object as it was before another one took its name."""
    return ref._replace(type=f"former {ref.type}")


def quarantined(operations: Sequence[Operation], setting: Setting) -> Quarantined:
    """Return the operations so that nothing they remove is lost.

    Raises ValidationError for what configuration still wants of what would go along.
    """
    if not any(isinstance(each, Drop | Create) or any(_columns(each)) for each in operations):
        return Quarantined(list(operations), {})
    return _Planning(operations, setting).result()


class _Column(NamedTuple):
    """A column that loses its values."""

    name: str
    how: How


@dataclass
class _Going:
    """What goes for one reason."""

    subject: Ref
    id: str
    kept: list[Kept] = field(default_factory=list)

    def place_name(self) -> str:
        """Return what a further place is called: an object that goes along has one of its own."""
        moved = sum(each.how == "moved" for each in self.kept)
        return f"{self.id}_{moved}" if moved else self.id

    def add(self, kept: Kept) -> None:
        """Note an object, once; a part of it for all that it refers to."""
        for at, each in enumerate(self.kept):
            if (each.ref, each.how) == (kept.ref, kept.how):
                self.kept[at] = msgspec.structs.replace(each, to=tuple(dict.fromkeys((*each.to, *kept.to))))
                return
        self.kept.append(kept)


class _Planning:
    def __init__(self, operations: Sequence[Operation], setting: Setting) -> None:
        self._operations = list(operations)
        self._setting = setting
        self._quarantine = setting.quarantine
        self._live = setting.live
        self._registry = setting.registry
        self._used: set[str] | None = None
        self._created = {each.subject for each in operations if isinstance(each, Create)}
        self._drops = {each.subject: each for each in operations if isinstance(each, Drop)}
        self._dropped = set(self._drops)
        self._touched = {ref for each in operations for ref in (*each.alters, *each.removes, *each.provides)}
        self._spared: set[int] = set()
        self._instead: dict[int, list[Operation]] = {}
        self._added: list[Operation] = []
        self._causes: dict[Ref, frozenset[Ref]] = {}
        """For each of the next what goes."""
        self._released: dict[Ref, Any] = {}
        """Objects that lose what refers to something that goes, as they are then."""
        self._entries: dict[Mark, tuple[Entry, ...]] = {}
        self._covered: set[Ref] = set()
        """What is dropped because a column is, and comes back with it."""
        self._problems: list[Problem] = []

    def result(self) -> Quarantined:
        for operation in list(self._operations):
            for column in _columns(operation):
                self._keep_column(operation, column)
        for operation in [each for each in self._operations if isinstance(each, Create)]:
            self._note_former(operation)
        for operation in [each for each in self._operations if self._is_root(each)]:
            self._take_along(operation.subject)
        for ref, model in self._released.items():
            changes = self._registry.get(ref.type).diff(self._live.get(ref), model)
            self._added += [
                dataclasses.replace(each, releases=each.releases | self._causes[ref])
                for each in self._setting.compiler.consolidate(list(changes), self._live)
            ]
        if self._problems:
            raise ValidationError.of(self._problems)
        kept = [
            new
            for each in self._operations
            if id(each) not in self._spared
            for new in self._instead.get(id(each), [each])
        ]
        return Quarantined([*kept, *self._added], self._entries)

    def _is_root(self, operation: Operation) -> bool:
        """Whether a drop is what the plan is about, rather than what comes with something else."""
        if not isinstance(operation, Drop) or operation.subject not in self._live:
            return False
        if operation.subject in self._covered:
            return False
        if operation.subject in self._created and not self._quarantine.holds_rows(operation.subject):
            return False
        owner = self._quarantine.owner(operation.subject, self._live)
        return owner is None or owner not in self._dropped

    def _take_along(self, subject: Ref) -> None:
        """Note what goes, with what is attached to it and what stands on it, and on that."""
        going = _Going(subject, self._new_id(subject, self._live.digest(subject)))
        queue = [subject]
        seen = {subject}
        while queue:
            ref = queue.pop(0)
            self._set_aside(ref, going)
            for dependent in self._quarantine.standing_on(ref, self._live):
                if dependent in seen or dependent not in self._live:
                    continue
                if self._quarantine.owner(dependent, self._live) in self._dropped:
                    continue
                if self._loses_part(dependent, ref, going) or dependent in self._dropped:
                    continue
                seen.add(dependent)
                if dependent in self._touched:
                    continue
                if self._setting.wanted(dependent):
                    self._refuse(dependent, ref, subject)
                    continue
                queue.append(dependent)
                self._dropped.add(dependent)
        self._entries[subject] = (Entry(id=going.id, kept=tuple(going.kept)),)

    def _loses_part(self, dependent: Ref, ref: Ref, going: _Going) -> bool:
        """Whether only a part of an object refers to what goes; that is noted, and taken off it."""
        live = self._live.get(dependent)
        model = self._released.get(dependent, live)
        without = self._quarantine.released(dependent, model, frozenset({ref}))
        if without is None:
            return False
        is_settled = dependent in self._dropped or dependent in self._touched
        if without == model:
            if not is_settled and model == live:
                self._refuse(dependent, ref, going.subject)
            return True
        going.add(self._note(dependent, "part", live, to=(name_of(ref),)))
        if is_settled:
            return True
        if self._setting.wanted(dependent):
            self._refuse(dependent, ref, going.subject)
        else:
            self._released[dependent] = without
            self._causes[dependent] = self._causes.get(dependent, frozenset()) | {ref}
        return True

    def _refuse(self, dependent: Ref, ref: Ref, subject: Ref) -> None:
        words = f"{dependent} needs {ref}"
        if ref != subject:
            words += f", which stands on {subject}"
        self._problems.append(
            Problem(
                f"{words}, which this plan deletes",
                code="still_needed",
                resource=str(dependent),
                hint=f"Change or remove {dependent} in the same configuration.",
            )
        )

    def _set_aside(self, ref: Ref, going: _Going) -> None:
        was = self._live.get(ref)
        drop = self._drop_of(ref, was)
        at = self._quarantine.object_place(ref, was, going.place_name())
        attached = [each for each in self._quarantine.attached(ref, self._live) if each in self._live]
        if at is None:
            going.add(self._note(ref, "dropped", was))
            for each in attached:
                if each not in self._created and not self._is_told(each):
                    going.add(self._note(each, "dropped", self._live.get(each)))
            return
        along = {each: self._live.get(each) for each in attached if self._quarantine.stays_with(each)}
        bare = self._quarantine.bare(drop.model, self._live)
        names = [name for other, model in along.items() for name in self._names(other, model)]
        move = MoveAside(
            subject=ref,
            model=bare,
            was=was,
            at=at,
            along=along,
            uses=drop.uses,
            guesses=drop.guesses,
            removes=drop.removes.union(names),
            provides=drop.provides,
            place=drop.place,
        )
        self._instead[id(drop)] = [*self._made_bare(ref, drop.model, bare), move]
        config = dict(self._registry.get(ref.type).config(bare))
        going.add(self._note(ref, "moved", was, place=at, bare=config))
        for each in attached:
            self._take_off(each, ref, going, moves=each in along)

    def _drop_of(self, ref: Ref, model: Any) -> Drop:
        if ref in self._drops:
            return self._drops[ref]
        drops = self._registry.get(ref.type).diff(model, None)
        self._operations += drops
        self._touched.update(ref for each in drops for ref in each.alters)
        return next(each for each in drops if isinstance(each, Drop))

    def _take_off(self, part: Ref, owner: Ref, going: _Going, *, moves: bool) -> None:
        """Drop what is attached and does not move along; spare what does its own drop."""
        model = self._live.get(part)
        if moves:
            going.add(self._note(part, "along", model))
            if part in self._drops:
                self._spared.add(id(self._drops[part]))
            return
        drops = self._registry.get(part.type).diff(model, None)
        if self._is_told(part) or not drops:
            return
        going.add(self._note(part, "dropped", model))
        if part not in self._dropped:
            self._dropped.add(part)
            self._added += [dataclasses.replace(each, releases=each.releases | {owner}) for each in drops]

    def _is_told(self, ref: Ref) -> bool:
        """Whether an object is only another view of what its owner's configuration says."""
        return self._registry.get(ref.type).part_of(self._live.get(ref)) is not None

    def _made_bare(self, ref: Ref, model: Any, bare: Any) -> list[Operation]:
        if bare == model:
            return []
        handler = self._registry.get(ref.type)
        freed = (handler.uses(model) - handler.uses(bare)) | {ref}
        changes = handler.diff(model, bare)
        alone = self._live.with_changes(dict.fromkeys(self._quarantine.attached(ref, self._live)))
        found = self._setting.compiler.consolidate(list(changes), alone)
        return [dataclasses.replace(each, releases=each.releases | freed) for each in found]

    def _names(self, ref: Ref, model: Any) -> Iterable[Ref]:
        return {ref, *self._registry.get(ref.type).aliases(model)}

    def _keep_column(self, operation: Operation, change: _Column) -> None:
        table = operation.subject
        if table in self._dropped or not isinstance(operation, Alter):
            return
        model = operation.before
        found = self._new_id(table, f"{self._live.digest(table)} {change.name} {change.how}")
        at = self._quarantine.values_place(table, model, found)
        key = self._quarantine.key(model, change.name)
        others = () if key else _others(model, change.name)
        about: dict[str, Any] = {"column": change.name, "key": key, "others": others}
        live = self._live.get(table)
        was = live if live is not None and _has(live, change.name) else model
        kept = [self._note(table, change.how, was, place=at, **about)]
        if change.how == "column":
            column = Ref("column", change.name, table.schema, table.name)
            for each in self._quarantine.standing_on(column, self._live):
                if each != table and each in self._live and not self._is_told(each):
                    how: How = "part" if self._quarantine.survives(each) else "dropped"
                    to = (name_of(table), name_of(column)) if how == "part" else ()
                    kept.append(self._note(each, how, self._live.get(each), to=to))
                    if how == "dropped" and each in self._dropped and each not in self._created:
                        self._covered.add(each)
                        kept += [
                            self._note(part, "dropped", self._live.get(part))
                            for part in self._quarantine.attached(each, self._live)
                            if part in self._live and part not in self._created and not self._is_told(part)
                        ]
        self._entries[at] = (Entry(id=found, kept=tuple(kept)),)
        before = self._instead.setdefault(id(operation), [_harmless(operation)])
        place = next(index for index, each in enumerate(before) if not isinstance(each, KeepValues))
        before.insert(place, KeepValues(subject=table, at=at, **about))
        if change.how == "values":
            before.append(NoteValues(subject=table, at=at, **about))

    def _note_former(self, operation: Create) -> None:
        ref = operation.subject
        live = self._live.get(ref)
        if live is None or not self._quarantine.loses(live, operation.model):
            return
        found = self._new_id(ref, f"{self._live.digest(ref)} former")
        kept = self._note(ref, "former", live, to=(name_of(ref),))
        self._entries[_former(ref)] = (Entry(id=found, kept=(kept,)),)

    def _new_id(self, ref: Ref, what: str) -> str:
        if self._used is None:
            self._used = set(self._setting.used())
        found = new_id(ref, what, self._used)
        self._used.add(found)
        return found

    def _note(self, ref: Ref, how: How, model: Any, **more: Any) -> Kept:
        config = dict(self._registry.get(ref.type).config(model))
        return Kept(ref=name_of(ref), how=how, config=config, resource=self._setting.resource(ref), **more)


def _changes(operation: Operation) -> Sequence[Operation]:
    """Return the changes that an operation makes in one go."""
    found: Sequence[Operation] = getattr(operation, "because", ()) or (operation,)
    return found


def _columns(operation: Operation) -> Iterator[_Column]:
    """Yield the columns that lose values: dropped ones, and those that become something that holds less."""
    for each in _changes(operation):
        lossy = {risk.kind for risk in each.risks} & {"data_loss", "conversion"}
        if not lossy:
            continue
        old: Any = getattr(each, "old", None)
        column: Any = getattr(each, "column", None)
        if isinstance(each, Alter) and hasattr(column, "name"):
            yield _Column(column.name, "column")
        elif isinstance(each, Alter) and hasattr(old, "type"):
            yield _Column(old.name, "values")


def _harmless(operation: Operation) -> Operation:
    """Return the operation without the risk of losing data, since that is kept."""
    risks = tuple(risk for risk in operation.risks if risk.kind != "data_loss")
    because = getattr(operation, "because", ())
    if because:
        return dataclasses.replace(operation, risks=risks, because=tuple(map(_harmless, because)))  # type: ignore[call-arg]
    return dataclasses.replace(operation, risks=risks)


def _has(model: Any, column: str) -> bool:
    return any(each.name == column for each in model.columns)


def _others(model: Any, column: str) -> tuple[str, ...]:
    """Return the columns with values of their own, but one."""
    return tuple(each.name for each in model.columns if each.name != column and not each.generated)
