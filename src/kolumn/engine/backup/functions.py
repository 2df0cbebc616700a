"""The functions on backups, which are extensions of the contract (docs/spec-readings.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kolumn.contract import extensions as x
from kolumn.contract.context import Context
from kolumn.contract.errors import StateError, ValidationError
from kolumn.contract.messages import PlanResource
from kolumn.engine import applier
from kolumn.engine.audit.recorder import Recorder
from kolumn.engine.audit.trail import Entry
from kolumn.engine.backup import register
from kolumn.engine.backup.manifest import Manifest, Part
from kolumn.engine.backup.restoring import Held, Restored, restore, rows_of
from kolumn.engine.companion import Companion
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.plan import Plan
from kolumn.engine.resource import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFunctions(FunctionGroup):
    """List, verify, restore."""

    METHODS: ClassVar[Mapping[str, str]] = {
        "ListBackups": "list_backups",
        "VerifyBackup": "verify_backup",
        "RestoreBackup": "restore_backup",
    }

    def list_backups(self, context: Context, request: x.ListBackupsRequest) -> x.ListBackupsResponse:
        """Return what this provider has in the folder, and what nobody can tell whose it is; reads manifests only."""
        return x.ListBackupsResponse(
            success=True,
            folder=str(self.vault.folder),
            backups=tuple(
                x.Backup(name=each.name, path=str(each.path), fault=each.fault)
                if each.manifest is None
                else told(each.manifest, each.path)
                for each in self.vault.list()
                if each.manifest is None or each.manifest.provider == self.vault.provider
            ),
        )

    def verify_backup(self, context: Context, request: x.VerifyBackupRequest) -> x.VerifyBackupResponse:
        """Read all of a backup. Raises StateError `damaged_backup` or `unknown_backup`."""
        return x.VerifyBackupResponse(success=True, backup=told(*self._verified(context, request.name)))

    def restore_backup(self, context: Context, request: x.RestoreBackupRequest) -> x.RestoreBackupResponse:
        """Put rows back, all or none; a table or column that is not there any more is made first.

        Raises StateError: `damaged_backup`; `not_empty` for a table that has rows.
        """
        names = sorted({self.vault.find(name).name for name in request.names}, reverse=True)
        kept = [self._verified(context, name) for name in names]
        chosen = _chosen(kept, request.resources)
        parts = [part for held in chosen for part in held.parts]
        with self.session.lock(context, "apply"):
            plan, made = self._receiving(context, parts)
            if request.dry_run:
                return _restored([Restored(part, 0) for part in parts], made)

            witness = Recorder(self.trail, self.session, "RestoreBackup")

            def put_back(within: Context) -> list[Restored]:
                done = restore(within, self.session, self.registry, self.vault, chosen)
                if plan.steps:
                    witness.besides(*map(_noted, done))
                else:
                    self.trail.record_within(within, *map(_noted, done))
                return done

            companion = _Restoring(plan, put_back)
            if plan.steps:
                outcome = applier.run(context, self.session, plan, witness, companion=companion)
                if outcome.error is not None:
                    raise outcome.error
            else:
                with self.session.transaction(context, ()):
                    companion.closing(context, ())
        return _restored(companion.done, made)

    def _verified(self, context: Context, name: str) -> tuple[Manifest, Path]:
        path = self.vault.find(name)
        return self.vault.verified(name, register.seal(context, self.session, path.name))

    def _receiving(self, context: Context, parts: Sequence[Part]) -> tuple[Plan, frozenset[Ref]]:
        """Return what makes room for the rows, and which objects it makes or changes.

        Raises StateError where rows would meet others.
        """
        live = self.catalog.scan(context)
        wanted: dict[Ref, PlanResource] = {}
        for part in parts:
            handler, rows = self.registry.get(part.resource_type), rows_of(part, self.registry)
            model = live.get(rows.ref)
            store = self.session.rows
            if model is not None and not part.lost and store is not None:
                count = store.count(context, rows)
                if count:
                    raise StateError(
                        f"{rows.ref} has {count} rows: those of the backup would be mixed with them. Empty or "
                        "rename it first.",
                        code="not_empty",
                    )
            if rows.ref in wanted:
                model = handler.parse(wanted[rows.ref].config, rows.ref.name)
            target = handler.receiving(rows.model, model, part.lost)
            if model is None or target != model:
                wanted[rows.ref] = PlanResource(
                    resource_type=rows.ref.type,
                    name=f"{rows.ref.identity} (restored)",
                    config=handler.config(target),
                    action="create",
                )
        if not wanted:
            return Plan(changes=()), frozenset()
        return self.planner.plan(context, tuple(wanted.values())), frozenset(wanted)


class _Restoring(Companion):
    """Puts rows back in the transaction of a plan's last step."""

    def __init__(self, plan: Plan, restore_rows: Callable[[Context], list[Restored]]) -> None:
        self._last = len(plan.steps) - 1
        self._restore = restore_rows
        self.done: list[Restored] = []

    def closing(self, context: Context, group: Sequence[int]) -> None:
        """Put the rows back once all steps ran."""
        if not group or group[-1] == self._last:
            self.done = self._restore(context)


def _noted(restored: Restored) -> Entry:
    """Return what the audit trail says of rows that are back."""
    part = restored.part
    return Entry(
        function="RestoreBackup",
        action="restore",
        outcome="succeeded",
        resource_type=part.resource_type,
        resource_name=part.name,
        after={"rows": restored.rows},
    )


def told(found: Manifest, path: Path) -> x.Backup:
    """Return a manifest as the contract tells it."""
    return x.Backup(
        name=found.name,
        path=str(path),
        created_at=found.created_at,
        provider=found.provider,
        database=found.database,
        reason=found.reason,
        migration=found.migration,
        encrypted=found.encryption is not None,
        rows=found.rows,
        bytes=sum(part.bytes for part in found.parts),
        parts=tuple(
            x.BackupPart(
                resource_type=part.resource_type,
                name=part.identity,
                rows=part.rows,
                bytes=part.bytes,
                lost=part.lost,
            )
            for part in found.parts
        ),
    )


def _chosen(kept: Sequence[tuple[Manifest, Path]], resources: Sequence[str]) -> list[Held]:
    """Return what is to be put back of each backup, what went last first."""
    held = {_label(part) for found, _ in kept for part in found.parts}
    if unknown := [each for each in resources if each not in held]:
        names = " and ".join(found.name for found, _ in kept)
        raise ValidationError(
            f"{names} hold{'s' if len(kept) == 1 else ''} no {' and no '.join(unknown)}. There is: "
            f"{', '.join(sorted(held))}.",
            code="not_in_backup",
        )
    return [
        Held(
            found,
            path,
            [part for part in reversed(found.parts) if not resources or _label(part) in resources],
        )
        for found, path in kept
    ]


def _label(part: Part) -> str:
    return f"{part.resource_type} {part.identity}"


def _restored(done: Sequence[Restored], made: frozenset[Ref]) -> x.RestoreBackupResponse:
    return x.RestoreBackupResponse(
        success=True,
        parts=tuple(
            x.RestoredPart(
                resource_type=each.part.resource_type,
                name=each.part.identity,
                rows=each.part.rows,
                restored=each.rows,
                recreated=Ref(*each.part.ref) in made,
            )
            for each in done
        ),
    )
