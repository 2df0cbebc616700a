"""The way back: what was moved comes back under its name, and a plan puts everything else right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kolumn.contract.errors import OperationError, Problem, ValidationError
from kolumn.engine.handler import Registry
from kolumn.engine.operations import Operation
from kolumn.engine.quarantine.catalogue import Entry, How, Kept, name_of
from kolumn.engine.quarantine.operations import LeaveChanged, MoveBack, PutBackValues
from kolumn.engine.quarantine.place import Place, Quarantine
from kolumn.engine.resource import Ref, Snapshot


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """What brings entries back: operations to begin with, and what should be there in the end."""

    first: tuple[Operation, ...]
    overlay: Mapping[Ref, Any]
    """What is there after `first`."""
    wanted: Mapping[Ref, Any]
    """The models that the plan then leads to."""
    notes: tuple[str, ...] = ()
    """What cannot come back yet, in words."""
    changed: tuple[Entry, ...] = ()
    """Other entries, with what comes back with them from now on."""
    disturbed: tuple[Entry, ...] = ()
    """Entries that are restored, with what is away meanwhile: noted before where not all happens at once, so that
    a restoration that is killed can be made again."""


def restoration(
    entries: Sequence[Entry],
    others: Sequence[Entry],
    live: Snapshot,
    registry: Registry,
    quarantine: Quarantine,
    waits: Callable[[Place], bool],
    same: Callable[[PutBackValues], bool],
) -> Restoration:
    """Return how entries come back while `others` stay in quarantine.

    `waits` says whether something is at a place: an apply or a restoration that was killed may have left an entry
    whose objects are back, or never went. `same` says whether a column that is there has the kept values.

    Raises OperationError `name_taken` naming what has a name now, `not_found` for a table that values belong to,
    `shape_changed` where rows cannot be told apart any more as they were.
    """
    known = {each.id: each for each in others}
    return _Restoring(live, registry, quarantine, waits, same, known).result(entries)


@dataclass
class _Restoring:
    live: Snapshot
    registry: Registry
    quarantine: Quarantine
    waits: Callable[[Place], bool]
    same: Callable[[PutBackValues], bool]
    others: dict[str, Entry]
    changed: dict[str, Entry] = field(default_factory=dict)
    disturbed: dict[str, Entry] = field(default_factory=dict)
    first: list[Operation] = field(default_factory=list)
    overlay: dict[Ref, Any] = field(default_factory=dict)
    wanted: dict[Ref, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def result(self, entries: Sequence[Entry]) -> Restoration:
        for hows in (("moved", "along"), ("dropped",)):
            for entry in entries:
                for kept in entry.kept:
                    if kept.how in hows:
                        self._object(entry, kept)
        for entry in entries:
            for kept in entry.kept:
                if kept.how in ("column", "values"):
                    self._values(entry, kept)
        parts = [(entry, kept) for entry in entries for kept in entry.kept if kept.how in ("part", "former")]
        present = [(entry, kept) for entry, kept in parts if self._is_present(entry, kept)]
        for _, kept in [*present, *present]:  # again for what has something from another one of them
            self._part(kept)
        if self.problems:
            first = self.problems[0]
            more = f" ({len(self.problems)} such problems)" if len(self.problems) > 1 else ""
            raise OperationError(
                f"{first.message}{more}. {first.hint}",
                code=first.code,
                details={"objects": [each.resource for each in self.problems]},
            )
        self._leave_out_missing()
        return Restoration(
            first=tuple(self.first),
            overlay=self.overlay,
            wanted=self.wanted,
            notes=tuple(self.notes),
            changed=tuple(self.changed.values()),
            disturbed=tuple(self.disturbed.values()),
        )

    def _model(self, kept: Kept, config: Mapping[str, Any]) -> Any:
        try:
            return self.registry.get(kept.object.type).parse(config, kept.object.name)
        except ValidationError as error:
            raise OperationError(
                f"what the quarantine says of {kept.object} is not understood: {error.message}",
                code="invalid_entry",
            ) from error

    def _object(self, entry: Entry, kept: Kept) -> None:
        ref = kept.object
        is_own = ref == entry.subject or kept.how == "moved"
        model = self._model(kept, kept.config)
        handler = self.registry.get(ref.type)
        if kept.how == "along" and ref in self.live:
            return
        if kept.place is not None and ref in self.live and not self.waits(kept.place):
            there = self.live.get(ref)  # with what others have brought back to it already
            self.wanted[ref] = self.quarantine.rejoined(model, there, handler.uses(there))
            return
        if is_own and ref in self.live and not handler.diff(self.live.get(ref), model):
            return
        is_usual = ref in self.live.aside and self.quarantine.owner(ref, self.live) is not None
        if (ref in self.live and not is_usual) or ref in self.wanted:
            if is_own:
                self._taken(entry, ref)
            elif ref not in self.wanted:
                self.notes.append(f"{ref} is there already and stays as it is")
            return
        if is_own and (other := self._namesake(ref)) is not None:
            self._taken(entry, other)
            return
        self.wanted[ref] = model
        if kept.how == "along":
            self.overlay[ref] = model
        elif kept.how == "moved":
            assert kept.place is not None
            bare = self._model(kept, kept.bare or {})
            self.overlay[ref] = bare
            along = {
                each.object: self._model(each, each.config)
                for each in entry.kept
                if each.how == "along" and self._belongs(each, ref)
            }
            self.first.append(
                MoveBack(
                    subject=ref,
                    model=bare,
                    was=model,
                    at=kept.place,
                    along=along,
                    uses=handler.dropped(bare).uses,
                    guesses=handler.dropped(bare).guesses,
                    provides=handler.aliases(bare),
                )
            )

    def _belongs(self, kept: Kept, owner: Ref) -> bool:
        model = self._model(kept, kept.config)
        return kept.object.schema == owner.schema and getattr(model, "table", owner.name) == owner.name

    def _namesake(self, ref: Ref) -> Ref | None:
        if ref.parent:
            return None
        for kind in self.registry.types():
            other = ref._replace(type=kind)
            if other in self.live and self.registry.get(kind).aliases(self.live.get(other)):
                return other
        return None

    def _taken(self, entry: Entry, ref: Ref) -> None:
        self.problems.append(
            Problem(
                f"{entry.type} {entry.name} cannot come back from quarantine: there is a {ref} now",
                code="name_taken",
                resource=str(ref),
                hint=f"Rename or delete {ref} first.",
            )
        )

    def _now(self, ref: Ref) -> Any:
        """Return an object as the plan so far wants it, else as it is."""
        return self.wanted.get(ref, self.live.get(ref))

    def _values(self, entry: Entry, kept: Kept) -> None:
        ref, source = kept.object, self._model(kept, kept.config)
        now = self._now(ref)
        assert kept.place is not None
        if now is None:
            self._lacking(entry, f"{ref} is not there", "Restore or create it first.", "not_found")
            return
        names = {each.name for each in now.columns}
        lacking = [each for each in (*kept.key, *kept.others) if each not in names]
        if lacking:
            words = f"{ref} has no column {', '.join(lacking)} any more, which told its rows apart"
            self._lacking(entry, words, "Bring that back first.", "shape_changed")
            return
        if not self.waits(kept.place):
            if kept.column in names:
                self.wanted[ref] = self.quarantine.with_column(now, source, kept.column)
            return
        about: dict[str, Any] = {"column": kept.column, "key": kept.key, "others": kept.others}
        back = PutBackValues(subject=ref, at=kept.place, changed=kept.how == "values", **about)
        if kept.how == "column" and kept.column in names and not (kept.begun or self.same(back)):
            self._lacking(entry, f"{ref} has a column {kept.column} again", "Rename it first.", "name_taken")
            return
        if kept.how == "values" and kept.column not in names:
            self._lacking(
                entry, f"{ref} has no column {kept.column} any more", "Bring that back.", "not_found"
            )
            return
        final = self.quarantine.with_column(now, source, kept.column)
        loose = self.quarantine.without_rules(final, kept.column)
        start = self.overlay.get(ref, now)
        if kept.how == "values":
            self.first.append(LeaveChanged(subject=ref, at=kept.place, **about))
        if kept.how == "column" or ref not in self.overlay:
            self.first += self.registry.get(ref.type).diff(start, loose)
        self.overlay[ref] = loose
        self.wanted[ref] = final
        self._note_begin(entry, kept)
        self._make_way(entry, ref)
        self.first.append(back)
        for each in entry.kept[1:]:
            if each.how == "dropped" and each.object not in self.live:
                self.wanted[each.object] = self._model(each, each.config)

    def _note_begin(self, entry: Entry, kept: Kept) -> None:
        known = self.disturbed.get(entry.id, entry)
        begun = msgspec.structs.replace(kept, begun=True)
        self.disturbed[entry.id] = msgspec.structs.replace(
            known, kept=tuple(begun if each == kept else each for each in known.kept)
        )

    def _make_way(self, entry: Entry, table: Ref) -> None:
        """Have away for a while what would take notice of the values that are put back."""
        for ref in self.quarantine.disturbing(table, self.live):
            if ref in self.wanted:
                continue
            handler, model = self.registry.get(ref.type), self.live.get(ref)
            self.first += [
                dataclasses.replace(each, releases=each.releases | {table})
                for each in handler.diff(model, None)
            ]
            self.overlay[ref], self.wanted[ref] = None, model
            known = self.disturbed.get(entry.id, entry)
            kept = Kept(ref=name_of(ref), how="dropped", config=dict(handler.config(model)))
            others = [each for each in known.kept if each.ref != kept.ref]
            self.disturbed[entry.id] = msgspec.structs.replace(known, kept=(*others, kept))

    def _lacking(self, entry: Entry, words: str, hint: str, code: str) -> None:
        self.problems.append(
            Problem(
                f"{entry.type} {entry.name} cannot come back from quarantine: {words}",
                code=code,
                resource=entry.name,
                hint=hint,
            )
        )

    def _is_present(self, entry: Entry, kept: Kept) -> bool:
        """Whether what lost a part is there to get it back; else that waits for it, where it waits itself."""
        if self._now(kept.object) is not None:
            return True
        words = f"{kept.object} is not there, so nothing of it refers to {entry.name} again"
        self.notes.append(f"{words}{' until it is back' if self._pass_on(kept.object, kept) else ''}")
        return False

    def _part(self, kept: Kept) -> None:
        now = self._now(kept.object)
        source = self.registry.get(kept.object.type).completed(self._model(kept, kept.config), self._now)
        self.wanted[kept.object] = self.quarantine.rejoined(
            now, source, frozenset(Ref(*each) for each in kept.to)
        )
        self.overlay.setdefault(kept.object, now)

    def _leave_out_missing(self) -> None:
        """Leave out what refers to what is not there: that brings it back when it comes back."""
        left_out: set[Ref] = set()
        found = list(self.wanted)
        while found:
            found = [each for each in list(self.wanted) if self._is_lacking(each, left_out)]

    def _is_lacking(self, ref: Ref, left_out: set[Ref]) -> bool:
        """Put right one object that lacks something; return whether it had to be left out itself."""
        model, handler = self.wanted[ref], self.registry.get(ref.type)
        certain = handler.uses(model) - handler.dropped(model).guesses
        lacking = [
            each
            for each in sorted(handler.uses(model))
            if each not in self.live
            and each not in self.wanted
            and (
                (each.type == "table" == ref.type and each in certain)
                or each in left_out
                or self._waiting(each) is not None
            )
        ]
        if not lacking:
            return False
        without = self.quarantine.released(ref, model, frozenset(lacking))
        how: How = "dropped" if without is None else "part"
        for each in lacking if without is not None else lacking[:1]:
            kept = Kept(ref=name_of(ref), how=how, config=dict(handler.config(model)), to=(name_of(each),))
            later = " until that is back" if self._pass_on(each, kept) else ""
            words = "waits for" if without is None else "comes back without what refers to"
            self.notes.append(f"{ref} {words} {each}{later}")
        if without is not None:
            self.wanted[ref] = without
            return False
        del self.wanted[ref]
        left_out.add(ref)
        return True

    def _waiting(self, ref: Ref) -> Entry | None:
        """Return the entry, of those that stay in quarantine, that brings an object back."""
        for entry in {**self.others, **self.changed}.values():
            if any(each.object == ref and each.how in ("moved", "dropped") for each in entry.kept):
                return entry
        return None

    def _pass_on(self, missing: Ref, kept: Kept) -> bool:
        """Have something come back with what is missing, where that is in quarantine."""
        entry = self._waiting(missing)
        if entry is None:
            return False
        self.changed[entry.id] = msgspec.structs.replace(entry, kept=(*entry.kept, kept))
        return True
