"""ListQuarantine, RestoreQuarantine and PurgeQuarantine: what becomes of what was deleted (spec 8.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from kolumn.contract import extensions as x
from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.contract.times import Timestamp
from kolumn.engine import applier
from kolumn.engine.audit.recorder import Recorder
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.metadata import Metadata
from kolumn.engine.operations import Risk, Step
from kolumn.engine.plan import Plan, ResourceKey
from kolumn.engine.quarantine import catalogue
from kolumn.engine.quarantine.catalogue import Entry
from kolumn.engine.quarantine.operations import Purge, PutBackValues, TakeOffList
from kolumn.engine.quarantine.place import Place, Quarantine
from kolumn.engine.quarantine.recording import moment
from kolumn.engine.quarantine.restoring import restoration
from kolumn.engine.resource import Ref, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFunctions(FunctionGroup):
    """The functions of the quarantine on one connection."""

    METHODS: ClassVar[Mapping[str, str]] = {
        "ListQuarantine": "show",
        "RestoreQuarantine": "restore",
        "PurgeQuarantine": "purge",
    }

    def show(self, context: Context, request: x.QuarantineRequest) -> x.QuarantineResponse:
        """Return what is in quarantine. Raises OperationError `not_found` for an id that is not."""
        found = self._entries(context, request.ids) if request.ids else self._all(context)
        return x.QuarantineResponse(success=True, entries=tuple(map(_told, found)))

    def restore(self, context: Context, request: x.RestoreQuarantineRequest) -> x.RestoreQuarantineResponse:
        """Bring entries back, all in one plan.

        Raises OperationError `not_found`, `name_taken` naming what has the name now, and what applying raises.
        """
        metadata, quarantine = self._seams()
        with self.session.lock(context, "apply"):
            entries = self._entries(context, request.ids)
            live = self.catalog.scan(context)
            others = [each for each in self._all(context) if each.id not in request.ids]

            def waits(place: Place) -> bool:
                return bool(self.session.query(context, quarantine.exists(place)))

            restored = restoration(
                entries,
                others,
                live,
                self.registry,
                quarantine,
                waits,
                lambda operation: self._is_same(context, quarantine, operation, live),
            )
            plan = self.planner.restore(context, restored, live)
            noted = [each for each in restored.first if isinstance(each, PutBackValues)]
            counts = self._unmatched(context, noted, live)
            notes = [_off_list(metadata, quarantine, each, waits) for each in entries]
            plan = _with_steps(plan, [*notes, *(_noted_again(metadata, each) for each in restored.changed)])
            if restored.disturbed and not self.session.capabilities.transactional_ddl:
                with self.session.transaction(context, ()):
                    self.session.run(
                        context, [catalogue.rewritten(metadata, each) for each in restored.disturbed]
                    )
            outcome = applier.run(context, self.session, plan, self._recorder("RestoreQuarantine"))
            if outcome.error is not None:
                raise _standing(outcome.error) if outcome.executed else outcome.error
            live = self.catalog.scan(Context.background())
            catalogue.tidy(self.session)
            names = _names(entries)
            configured = frozenset(request.configured)
            managed = self.state.bring_back(live, names, lambda key: str(key) in configured)
        back = [
            each.object
            for entry in entries
            for each in entry.kept
            if each.how in ("moved", "dropped") and each.object in live
        ]
        return x.RestoreQuarantineResponse(
            success=True,
            restored=tuple(map(_told, entries)),
            managed=tuple(str(ref) for ref in managed),
            unmanaged=tuple(str(ref) for ref in dict.fromkeys(back) if ref not in managed),
            notes=(*restored.notes, *counts),
            steps=tuple(step.description for step in plan.steps),
            state=self.state.export(),
        )

    def purge(self, context: Context, request: x.PurgeQuarantineRequest) -> x.PurgeQuarantineResponse:
        """Remove entries for good; without ids all whose retention has ended.

        Raises OperationError `not_found`, and `retention` for entries named before their time without `force`.
        """
        metadata, quarantine = self._seams()
        with self.session.lock(context, "apply"):
            if request.ids:
                entries = self._entries(context, request.ids)
                early = [each for each in entries if not _is_expired(each)]
                if early and not request.force:
                    named = ", ".join(f"{each.id} ({each.type} {each.name})" for each in early)
                    raise OperationError(
                        f"{named} is kept until {early[0].retained_until}. Wait until then, or purge it with "
                        "force, which nothing brings back.",
                        code="retention",
                        details={"ids": [each.id for each in early]},
                    )
            else:
                entries = [each for each in self._all(context) if request.force or _is_expired(each)]
            steps = [_purged(metadata, quarantine, each) for each in reversed(entries)]
            plan = _with_steps(Plan(changes=()), steps)
            outcome = applier.run(context, self.session, plan, self._recorder("PurgeQuarantine"))
            if outcome.error is not None:
                raise outcome.error
            catalogue.tidy(self.session)
            self.state.forget_quarantined(_names(entries))
        return x.PurgeQuarantineResponse(
            success=True, purged=tuple(map(_told, entries)), state=self.state.export()
        )

    def _recorder(self, function: str) -> Recorder:
        return Recorder(self.trail, self.session, function)

    def _seams(self) -> tuple[Metadata, Quarantine]:
        if self.session.metadata is None or self.quarantine is None:
            raise OperationError("this database has no room for a quarantine.", code="no_quarantine")
        return self.session.metadata, self.quarantine

    def _all(self, context: Context) -> list[Entry]:
        metadata = self.session.metadata
        return [] if metadata is None else catalogue.entries(context, metadata)

    def _entries(self, context: Context, ids: Sequence[str]) -> list[Entry]:
        metadata, _ = self._seams()
        found = catalogue.entries(context, metadata, ids) if ids else []
        missing = [each for each in ids if each not in {entry.id for entry in found}]
        if missing or not ids:
            words = f"there is no {', '.join(missing)} in quarantine" if missing else "no id is given"
            raise OperationError(f"{words}. ListQuarantine tells what is.", code="not_found")
        return found

    def _is_same(
        self, context: Context, quarantine: Quarantine, operation: PutBackValues, live: Snapshot
    ) -> bool:
        """Whether a column has the values that are kept: an apply that was killed may not have dropped it."""
        try:
            return not self.session.query(context, quarantine.differing(operation, live))
        except OperationError:
            return False

    def _unmatched(self, context: Context, operations: Sequence[PutBackValues], live: Snapshot) -> list[str]:
        """Return in words how many rows are new since values were kept, and how many are gone."""
        assert self.quarantine is not None
        found = []
        for each in operations:
            if each.subject not in live:
                continue
            ((new, gone, changed),) = self.session.query(context, self.quarantine.unmatched(each, live))
            words = [f"{new} row(s) are new since and have no former value"] if new else []
            words += [f"{gone} row(s) are gone, and their values with them"] if gone else []
            words += [f"{changed} row(s) have other values since and keep them"] if changed else []
            if words:
                found.append(f"column {each.column} of {each.subject}: {'; '.join(words)}")
        return found


def _with_steps(plan: Plan, more: Sequence[Step]) -> Plan:
    owners = [ResourceKey(step.subject.type, step.subject.identity) for step in more]
    return msgspec.structs.replace(plan, steps=(*plan.steps, *more), owners=(*plan.owners, *owners))


def _standing(error: KolumnError) -> KolumnError:
    """Return why a restoration failed, part of which stands."""
    words = f"{error.message} What had come back by then stands. RestoreQuarantine again goes on from there."
    return type(error)(words, code=error.code, details=error.details)


def _off_list(
    metadata: Metadata, quarantine: Quarantine, entry: Entry, waits: Callable[[Place], bool]
) -> Step:
    empty = [each for each in entry.kept if each.place is not None and not waits(each.place)]
    rooms = [
        statement
        for each in empty
        if each.place is not None
        for statement in quarantine.purge(_kind(each), each.place)
    ]
    operation = TakeOffList(subject=entry.subject, name=f"{entry.type} {entry.name}")
    return Step(
        operation=operation,
        description=operation.describe(),
        statements=(*rooms, catalogue.deletion(metadata, entry)),
        undo=(catalogue.insertion(metadata, entry, ""),),
    )


def _noted_again(metadata: Metadata, entry: Entry) -> Step:
    operation = TakeOffList(subject=entry.subject, name=f"{entry.type} {entry.name}")
    return Step(
        operation=operation,
        description=f"note what comes back with {operation.name}",
        statements=(catalogue.rewritten(metadata, entry),),
        undo=(),
    )


def _purged(metadata: Metadata, quarantine: Quarantine, entry: Entry) -> Step:
    operation = Purge(subject=entry.subject, name=f"{entry.type} {entry.name}")
    statements = [
        statement
        for kept in reversed(entry.kept)
        if kept.place is not None
        for statement in quarantine.purge(_kind(kept), kept.place)
    ]
    return Step(
        operation=operation,
        description=operation.describe(),
        statements=(*statements, catalogue.deletion(metadata, entry)),
        risks=(Risk("data_loss", f"removes {entry.type} {entry.name} for good"),),
    )


def _kind(kept: catalogue.Kept) -> Ref:
    return kept.object._replace(type="column") if kept.column else kept.object


def _names(entries: Sequence[Entry]) -> dict[Ref, str]:
    return {
        each.object: each.resource
        for entry in entries
        for each in entry.kept
        if each.resource and each.how in ("moved", "along", "dropped")
    }


def _is_expired(entry: Entry) -> bool:
    return entry.retained_until <= moment(Timestamp.utc_now())


def _told(entry: Entry) -> x.QuarantineEntry:
    return x.QuarantineEntry(
        id=entry.id,
        resource_type=entry.type,
        name=entry.name,
        location=entry.location,
        quarantined_at=entry.at,
        quarantined_by=entry.by,
        retained_until=entry.retained_until,
        expired=_is_expired(entry),
        rows=entry.rows,
        objects=tuple(
            x.QuarantinedObject(
                resource_type=each.object.type,
                identity=each.object.identity,
                how=each.how,
                config=each.config,
            )
            for each in entry.kept
        ),
        resources=tuple(
            f"{each.object.type} {each.resource}"
            for each in entry.kept
            if each.resource and each.how in ("moved", "along", "dropped")
        ),
    )
