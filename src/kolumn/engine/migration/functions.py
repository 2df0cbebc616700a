"""PlanMigration, ApplyMigration and RollbackMigration (spec 3.4, 5.4): one resource, one definition to another.

All of them plan and apply through what Plan and Apply use. What is done is noted in the database, in the
transactions that do it, so that a migration that is killed goes on, or back, from what the database holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from kolumn.contract import extensions as x
from kolumn.contract import messages as m
from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError, StateError
from kolumn.contract.masking import mask
from kolumn.engine import applier
from kolumn.engine.audit.recorder import Recorder
from kolumn.engine.backup import register
from kolumn.engine.backup.manifest import Manifest, Part
from kolumn.engine.backup.restoring import Held, restore
from kolumn.engine.backup.saving import destroying, losing, refuse_unsaved
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.migration.record import Record, Records, now, required
from kolumn.engine.migration.request import Migration
from kolumn.engine.migration.running import Along, counted, data_loss, refuse_losses, words
from kolumn.engine.migration.scripts import Scripts
from kolumn.engine.plan import Plan
from kolumn.engine.resource import Snapshot
from kolumn.engine.rows import RowSet

Losses = Mapping[int, tuple[RowSet, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFunctions(FunctionGroup):
    """The functions of tier 3 on one connection."""

    METHODS: ClassVar[Mapping[str, str]] = {
        "PlanMigration": "plan_migration",
        "ApplyMigration": "apply_migration",
        "RollbackMigration": "roll_back_migration",
        "ListMigrations": "list_migrations",
    }

    def plan_migration(self, context: Context, request: m.MigrationRequest) -> m.MigrationPlanResponse:
        """Return what ApplyMigration would do.

        Raises StateError `state_mismatch` where the resource is not what `from_state` says, and
        `migration_conflict` where the id stands for another migration.
        """
        context = _timed(context, request)
        asked = Migration.of(request, self.registry)
        record = Records(self.session).get(context, asked.id)
        if record is not None and self._is_applied(record, asked):
            return m.MigrationPlanResponse(
                success=True, migration_id=asked.id, warnings=(f"migration {asked.id} is applied already",)
            )
        resumed = record is not None and record.status == "running"
        if not resumed:
            self._require(context, asked.was, "from_state")
        plan = self._plan(context, asked.forward)
        losses = losing(plan, self.compiler)
        warnings = list(plan.warnings)
        if resumed:
            warnings.insert(0, f"migration {asked.id} was interrupted; this is what is left of it")
        gone = destroying(plan, losses)
        if said := words(_some(counted(context, self.session, _all(gone)))):
            warnings.append(f"this loses {' and '.join(said)}")
        return m.MigrationPlanResponse(
            success=True,
            migration_id=asked.id,
            steps=_steps(plan, losses, saved=self._saves(request, plan, losses)),
            warnings=tuple(warnings),
            data_loss_risk=bool(gone),
        )

    def apply_migration(self, context: Context, request: m.MigrationRequest) -> m.MigrationApplyResponse:
        """Carry a migration out, once; one that was interrupted goes on from what the database holds.

        Raises StateError as PlanMigration does, OperationError `data_loss` naming what would be lost, and
        `backup_failed` before anything is changed. A step that fails is in the response.
        """
        started = time.perf_counter_ns()
        context = _timed(context, request)
        asked = Migration.of(request, self.registry)
        required(self.session)
        with self.session.lock(context, "apply"):
            record = Records(self.session).get(context, asked.id)
            if record is not None and self._is_applied(record, asked):
                return m.MigrationApplyResponse(
                    success=True, migration_id=asked.id, duration=time.perf_counter_ns() - started
                )
            resumed = record if record is not None and record.status == "running" else None
            if resumed is None:
                self._require(context, asked.was, "from_state")
            plan = self._plan(context, asked.forward)
            losses = losing(plan, self.compiler)
            saves = self._prepare(context, request, plan, losses)
            steps = _steps(plan, losses, saved=saves)
            if request.options.dry_run:
                return m.MigrationApplyResponse(success=True, migration_id=asked.id, executed_steps=steps)
            record = Record(
                id=asked.id,
                resource_type=asked.handler.type,
                resource_name=asked.name,
                from_state=asked.told(asked.before),
                to_state=asked.told(asked.after),
                steps=(*(resumed.steps if resumed is not None else ()), *_noted(plan)),
                checksum=asked.checksum,
                status="running" if resumed is not None else "planned",
                started_at=resumed.started_at if resumed is not None else now(),
                backups=resumed.backups if resumed is not None else (),
            )
            Records(self.session).put_now(context, record)
            done, backup_path, error = self._run(context, plan, losses, record, request, "applied")
            if not error:
                self._keep_state(context, plan, asked.wished)
        return m.MigrationApplyResponse(
            success=not error,
            migration_id=asked.id,
            executed_steps=tuple(steps[at] for at in done),
            backup_path=backup_path,
            duration=time.perf_counter_ns() - started,
            error=error,
        )

    def roll_back_migration(
        self, context: Context, request: m.MigrationRequest
    ) -> m.MigrationRollbackResponse:
        """Go back to `from_state`, with the rows and values that the way there took.

        Raises OperationError `unknown_migration`, StateError `damaged_backup` before anything is changed, and
        what ApplyMigration raises: the way back may lose data as well.
        """
        started = time.perf_counter_ns()
        context = _timed(context, request)
        required(self.session)
        with self.session.lock(context, "apply"):
            record = Records(self.session).get(context, request.migration_id)
            if record is None:
                raise OperationError(
                    f"there is no migration {request.migration_id} in this database, so there is no way back.",
                    code="unknown_migration",
                )
            asked = self._asked(request, record)
            steps: list[m.MigrationStep] = []
            error = ""
            if record.status in ("planned", "failed"):
                if not request.options.dry_run:
                    Records(self.session).put_now(context, _ended(record, "rolled_back"))
            elif record.status != "rolled_back":
                if record.status == "applied":
                    self._require(context, asked.wished, "to_state")
                error = self._go_back(context, request, asked, record, steps)
        return m.MigrationRollbackResponse(
            success=not error,
            migration_id=request.migration_id,
            rolled_back_steps=tuple(
                msgspec.structs.replace(step, order=at) for at, step in enumerate(steps, 1)
            ),
            duration=time.perf_counter_ns() - started,
            error=error,
        )

    def list_migrations(self, context: Context, request: x.ListMigrationsRequest) -> x.ListMigrationsResponse:
        """Return what the database remembers of migrations and of scripts."""
        return x.ListMigrationsResponse(
            success=True,
            migrations=tuple(each.told() for each in Records(self.session).all(context)),
            scripts=tuple(Scripts(self.session).all(context)),
        )

    def _go_back(
        self,
        context: Context,
        request: m.MigrationRequest,
        asked: Migration,
        record: Record,
        steps: list[m.MigrationStep],
    ) -> str:
        """Take the way back: first as far as lost values can be filled in, then to what was."""
        if record.backups:
            kept = [
                self.vault.verified(name, register.seal(context, self.session, name))
                for name in record.backups
            ]
            target = asked.receiving(_lost(asked, kept))

            def fill(within: Context) -> None:
                held = [
                    Held(found, path, [_adapted(part, asked) for part in reversed(found.parts)])
                    for found, path in reversed(kept)
                ]
                restore(within, self.session, self.registry, self.vault, held)

            plan = self._plan(context, target)
            losses = losing(plan, self.compiler)
            saves = self._prepare(context, request, plan, losses)
            if request.options.dry_run:
                steps += _steps(plan, losses, saved=saves)
                return ""
            record, error = self._leg(context, request, plan, losses, record, steps, "rolling_back", fill)
            if error:
                return error
        plan = self._plan(context, asked.back)
        losses = losing(plan, self.compiler)
        saves = self._prepare(context, request, plan, losses)
        if request.options.dry_run:
            steps += _steps(plan, losses, saved=saves)
            return ""
        _, error = self._leg(context, request, plan, losses, record, steps, "rolled_back", lambda _: None)
        if not error:
            self._keep_state(context, plan, asked.was)
        return error

    def _leg(
        self,
        context: Context,
        request: m.MigrationRequest,
        plan: Plan,
        losses: Losses,
        record: Record,
        steps: list[m.MigrationStep],
        status: str,
        finish: Callable[[Context], None],
    ) -> tuple[Record, str]:
        """Run a part of the way back; backups made on it stay in the folder, and are no part of it."""
        after = _ended(record, status)
        if plan.steps:
            done, _, error = self._run(context, plan, losses, record, request, status, finish)
            told = _steps(plan, losses, saved=self._saves(request, plan, losses))
            steps += [told[at] for at in done]
            return after, error
        with self.session.transaction(context, ()):
            finish(context)
            Records(self.session).put(context, after)
        return after, ""

    def _run(
        self,
        context: Context,
        plan: Plan,
        losses: Losses,
        record: Record,
        request: m.MigrationRequest,
        status: str,
        finish: Callable[[Context], None] = lambda _: None,
    ) -> tuple[tuple[int, ...], str, str]:
        """Run a plan and keep the record true; return the steps that stand, the last backup, the error."""
        records = Records(self.session)
        way_there = status == "applied"
        if not plan.steps:
            records.put_now(context, _ended(record, status))
            return (), "", ""

        # Outside of a transaction the last step cannot be one with what comes after it: that has its own.
        ends_apart = not plan.steps[-1].transactional

        def note(within: Context, backups: tuple[str, ...], done: bool) -> None:
            kept = (*record.backups, *backups) if way_there else record.backups
            if done and not ends_apart:
                finish(within)
                ended = _ended(record, status)
                records.put(within, msgspec.structs.replace(ended, backups=kept) if way_there else ended)
            else:
                records.put(within, msgspec.structs.replace(record, status="running", backups=kept))

        along = Along(
            self.session,
            self.registry,
            self.vault,
            plan,
            losses,
            migration=record.id,
            backup=self._saves(request, plan, losses),
            allowed=request.options.allow_data_loss,
            note=note,
        )
        witness = Recorder(self.trail, self.session, "ApplyMigration" if way_there else "RollbackMigration")
        outcome = applier.run(context, self.session, plan, witness, companion=along)
        if outcome.error is None:
            if ends_apart:
                ended = _ended(record, status)
                if way_there:
                    ended = msgspec.structs.replace(ended, backups=(*record.backups, *along.taken))
                with self.session.transaction(context, ()):
                    finish(context)
                    records.put(context, ended)
            return tuple(each.at for each in outcome.executed), along.path, ""
        error = outcome.error.message
        if outcome.undo_error:
            error += f" What ran before it could not all be undone: {outcome.undo_error}."
        background = Context.background()
        latest = records.get(background, record.id) or record
        stands = bool(outcome.executed or outcome.undo_error or along.taken)
        if way_there and not stands and record.status == "planned":
            latest = msgspec.structs.replace(latest, status="failed", finished_at=now())
        records.put_now(background, msgspec.structs.replace(latest, error=error))
        if (
            outcome.error.code in ("data_loss", "backup_failed", "cancelled", "deadline_exceeded")
            and not stands
        ):
            raise outcome.error
        if latest.status == "running":
            error += " ApplyMigration of the same id goes on from here, RollbackMigration goes back."
        return tuple(each.at for each in outcome.executed), along.path, error

    def _plan(self, context: Context, resource: m.PlanResource) -> Plan:
        return self.planner.plan(context, (resource,))

    def _saves(self, request: m.MigrationRequest, plan: Plan, losses: Losses) -> bool:
        """Whether there will be a backup: as asked for, or since safe_destroy wants a way back."""
        wanted = self.safe_destroy and bool(destroying(plan, losses))
        return bool(losses) and (request.options.backup_before_migration or wanted)

    def _prepare(self, context: Context, request: m.MigrationRequest, plan: Plan, losses: Losses) -> bool:
        """Refuse what may not be lost, or not be saved; return whether a backup will be made."""
        gone = destroying(plan, losses)
        if gone and not request.options.allow_data_loss:
            refuse_losses(counted(context, self.session, _all(gone)), "")
            if not all(gone.values()):
                raise data_loss(
                    [risk.message for step in plan.steps for risk in step.risks if risk.kind == "data_loss"]
                )
        saves = self._saves(request, plan, losses)
        if saves:
            refuse_unsaved(plan, losses, self.session)
        return saves

    def _is_applied(self, record: Record, asked: Migration) -> bool:
        """Whether a migration was applied. Raises StateError where its id stands for another one."""
        if record.status in ("planned", "failed", "rolled_back"):
            return False
        if record.checksum != asked.checksum:
            raise StateError(
                f"migration {asked.id} is {record.status} in this database with other content: it is about "
                f"{record.resource_type} {record.resource_name}, or from and to differ. Give this one an id of "
                "its own.",
                code="migration_conflict",
            )
        if record.status == "rolling_back":
            raise StateError(
                f"the rollback of migration {asked.id} was interrupted. Finish it with RollbackMigration.",
                code="rollback_interrupted",
            )
        return record.status == "applied"

    def _asked(self, request: m.MigrationRequest, record: Record) -> Migration:
        """Return the migration that a record is about. Raises StateError where the request says another one."""
        if request.from_state or request.to_state:
            asked = Migration.of(request, self.registry)
            if asked.checksum != record.checksum:
                raise StateError(
                    f"migration {record.id} in this database has other content than this request.",
                    code="migration_conflict",
                )
            return asked
        return Migration.of(
            msgspec.structs.replace(
                request,
                resource_type=record.resource_type,
                resource_name=record.resource_name,
                from_state=record.from_state,
                to_state=record.to_state,
            ),
            self.registry,
        )

    def _require(self, context: Context, resource: m.PlanResource, what: str) -> None:
        """Raise StateError `state_mismatch` unless the database holds exactly that of the resource."""
        handler = self.registry.get(resource.resource_type)
        plan = self._plan(context, resource)
        change = plan.changes[0]
        if resource.action == "delete":
            if change.exists:
                raise _mismatch(f"{what} says that {change.ref} does not exist, but it does", {})
            return
        if not change.exists:
            raise _mismatch(f"{what} describes {change.ref}, which does not exist", {})
        if change.action != "unchanged" or plan.steps:
            found = change.attributes()
            paths = ", ".join(found) or "what belongs to it"
            raise _mismatch(
                f"{handler.type} {resource.name} is not what {what} says: {paths} differ"
                + ("s" if len(found) == 1 else ""),
                found,
            )

    def _keep_state(self, context: Context, plan: Plan, resource: m.PlanResource) -> None:
        live: Snapshot = self.catalog.scan(context)
        keys = {change.key for change in plan.changes}
        requests = {key: resource for key in keys if key.name == resource.name}
        self.state.record(plan.changes, requests, live)


def _timed(context: Context, request: m.MigrationRequest) -> Context:
    seconds = request.options.timeout_seconds
    return context.with_timeout(seconds) if seconds > 0 else context


def _mismatch(message: str, found: Mapping[str, Any]) -> StateError:
    return StateError(
        f"{message}. Read the resource again and plan the migration from what it is.",
        code="state_mismatch",
        details={"differences": dict(found)},
    )


def _ended(record: Record, status: Any) -> Record:
    """Return a record with its new status; the rows of a migration that goes back are where they were."""
    backups = record.backups if status == "applied" else ()
    return msgspec.structs.replace(record, status=status, finished_at=now(), backups=backups, error="")


def _all(losses: Losses) -> list[RowSet]:
    return [rows for each in losses.values() for rows in each]


def _some(found: list[tuple[RowSet, int | None]]) -> list[tuple[RowSet, int | None]]:
    return [each for each in found if each[1] != 0]


def _steps(plan: Plan, losses: Losses, *, saved: bool) -> tuple[m.MigrationStep, ...]:
    return tuple(
        m.MigrationStep(
            order=at + 1,
            description=step.description,
            sql=";\n".join(mask(statement.text) for statement in step.statements),
            reversible=step.undo is not None and (at not in losses or (saved and bool(losses[at]))),
        )
        for at, step in enumerate(plan.steps)
    )


def _noted(plan: Plan) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "description": step.description,
            "sql": [mask(statement.text) for statement in step.statements],
            "undo": [mask(statement.text) for statement in step.undo or ()],
        }
        for step in plan.steps
    )


def _lost(asked: Migration, kept: Sequence[tuple[Manifest, Any]]) -> tuple[str, ...]:
    """Return the columns of the resource that lost values; none where whole rows went."""
    parts = [_adapted(part, asked) for found, _ in kept for part in found.parts]
    own = [part for part in parts if (part.schema, part.name) == _place(asked)]
    if any(not part.lost for part in own):
        return ()
    return tuple(dict.fromkeys(name for part in own for name in part.lost))


def _place(asked: Migration) -> tuple[str, str]:
    return (getattr(asked.former, "schema", ""), getattr(asked.former, "name", asked.name))


def _adapted(part: Part, asked: Migration) -> Part:
    """Return a part under the names that its object and columns have on the way back."""
    if asked.former is None:
        return part
    refs = {asked.handler.ref(model) for model in (asked.former, asked.wanted) if model is not None}
    if asked.handler.type != part.resource_type or not any(
        (ref.name, ref.schema) == (part.ref[1], part.ref[2]) for ref in refs
    ):
        return part
    names = {each.new: each.old for each in asked.renamed()}

    def old(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in columns)

    schema, name = _place(asked)
    return msgspec.structs.replace(
        part,
        schema=schema,
        name=name,
        config=asked.before,
        columns=old(part.columns),
        lost=old(part.lost),
        key=old(part.key),
    )
