"""The contract's functions on resources (spec 3.2): all of them plan, and what changes is applied.

Creating, updating and deleting one resource is a plan of one; nothing changes a database by another road.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import msgspec

from kolumn.contract import messages as m
from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError, Problem, StateError, ValidationError
from kolumn.contract.logs import DiscoveryLogger
from kolumn.contract.masking import mask
from kolumn.engine import applier, row_estimates, validation
from kolumn.engine.applier import Outcome
from kolumn.engine.audit.recorder import Recorder
from kolumn.engine.backup.saving import Saving
from kolumn.engine.companion import ALONE
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.journal import interruption, journal_of
from kolumn.engine.operations import Risk, Step
from kolumn.engine.plan import Plan, ResourceChange, ResourceKey
from kolumn.engine.planning.matching import find
from kolumn.engine.quarantine import catalogue
from kolumn.engine.quarantine.recording import recorded
from kolumn.engine.resource import Ref, Snapshot

SAFE_DESTROY_HINT = (
    "safe_destroy is on, and this cannot be kept in quarantine, so nothing is changed. "
    "To delete for good set safe_destroy = false in the provider block, or KOLUMN_SAFE_DESTROY=false."
)

_SINGLE = {"create": "CreateResource", "update": "UpdateResource", "delete": "DeleteResource"}
"""The function that does one action to one resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFunctions(FunctionGroup):
    """The functions of tier 1 on one connection."""

    METHODS: ClassVar[Mapping[str, str]] = {
        "CreateResource": "create",
        "ReadResource": "read",
        "UpdateResource": "update",
        "DeleteResource": "delete",
        "DiscoverResources": "discover",
        "Plan": "plan",
        "Apply": "apply",
    }

    def plan(self, context: Context, request: m.PlanRequest) -> m.PlanResponse:
        """Return what Apply of the same request would do; changes nothing."""
        options = request.options or m.PlanOptions()
        plan = self._planned(context, request.resources, options)
        plan = validation.checked(context, self.session, plan)
        detail = options.detail
        rows = (
            row_estimates.of_steps(plan.steps, lambda tables: self.catalog.rows(context, tables))
            if detail
            else []
        )
        warnings = list(plan.warnings)
        together = bool(plan.steps) and self.session.capabilities.transactional_ddl
        waiting = {at: entry.location for at, entry in plan.quarantined}
        if plan.steps and (journal := journal_of(self.session)):
            warnings += filter(None, [interruption(journal.unfinished(context))])
        if self.safe_destroy and (refused := next(self._destructive(plan), None)):
            warnings.append(f"{refused}: apply will refuse this plan, since {SAFE_DESTROY_HINT}")
        return m.PlanResponse(
            success=True,
            execution_order=_execution_order(plan),
            resources=tuple(_planned(change) for change in plan.changes),
            warnings=tuple(warnings),
            steps=tuple(
                _step(at, plan, each, waiting.get(at, ""), together=together) for at, each in enumerate(rows)
            ),
            fingerprint=plan.fingerprint if detail else "",
            unmanaged=tuple(map(str, plan.unmanaged)) if detail else (),
        )

    def apply(self, context: Context, request: m.PlanRequest) -> m.ApplyResponse:
        """Plan the request again, through the same code, and run it.

        Raises StateError when `options.fingerprint` is another plan's, ValidationError as Plan does,
        OperationError when safe_destroy forbids it. What fails while running is in the response.
        """
        options = request.options or m.PlanOptions()
        lock_context = context
        if options.lock_timeout_seconds:
            lock_context = context.with_timeout(options.lock_timeout_seconds)
        with self.session.lock(lock_context, "apply"):
            plan = self._planned(context, request.resources, options)
            if options.fingerprint and options.fingerprint != plan.fingerprint:
                raise StateError(
                    "the database changed since this plan was made, so applying it would do something else. "
                    "Plan again.",
                    code="stale_plan",
                )
            self._refuse_loss(plan)
            plan = self._recorded(context, plan)
            saving = (
                Saving(self.session, self.registry, self.vault, plan, self.compiler)
                if options.backup
                else None
            )
            outcome = applier.run(
                context,
                self.session,
                plan,
                Recorder(self.trail, self.session, "Apply", options.reason),
                keep_partial=options.keep_partial,
                companion=saving or ALONE,
            )
            self._raise_if_lost(outcome)
            self._tidied(plan, outcome)
            live = self.catalog.scan(Context.background())
            self._record(plan, request, live, outcome)
        applied = self._applied(plan, outcome, live, detail=options.detail)
        return msgspec.structs.replace(applied, backup_path=saving.path if saving is not None else "")

    def _raise_if_lost(self, outcome: Outcome) -> None:
        """Raise what made the database give up the transaction that was held: nothing is left to tell of."""
        if (
            outcome.error is not None
            and self.conversation.transaction is not None
            and not self.session.is_held
        ):
            raise outcome.error

    def _planned(self, context: Context, resources: Sequence[m.PlanResource], options: m.PlanOptions) -> Plan:
        metadata = self.session.metadata
        used = None
        if self.safe_destroy and metadata is not None:
            used = partial(catalogue.taken, context, metadata)
        return self.planner.plan(
            context,
            resources,
            prune=options.prune,
            online=self.online or options.online,
            restore=options.restore,
            quarantine=used,
        )

    def _recorded(self, context: Context, plan: Plan) -> Plan:
        """Return the plan whose steps note what they set aside."""
        if not plan.quarantined:
            return plan
        assert self.session.metadata is not None
        assert self.quarantine is not None
        self.session.metadata.make(context, catalogue.TABLE)
        at_once = self.session.capabilities.transactional_ddl and not any(
            step.alone or not step.transactional for step in plan.steps
        )
        return recorded(plan, self.session.metadata, self.quarantine, self.retention_days, at_once=at_once)

    def _tidied(self, plan: Plan, outcome: Outcome) -> None:
        """Leave no empty list behind where nothing was set aside after all."""
        if plan.quarantined and outcome.error is not None:
            catalogue.tidy(self.session)

    def _refuse_loss(self, plan: Plan) -> None:
        if self.safe_destroy and (refused := next(self._destructive(plan), None)):
            raise OperationError(f"{refused}: {SAFE_DESTROY_HINT}", code="safe_destroy")

    def _destructive(self, plan: Plan) -> Iterator[str]:
        """Yield in words what a plan would destroy: deleted resources, and steps that lose data."""
        locations = plan.locations()
        for change in plan.changes:
            if change.action == "delete" and change.exists and change.ref not in locations:
                yield f"{change.ref} would be deleted"
        for step in plan.steps:
            for risk in step.risks:
                if risk.kind == "data_loss":
                    yield f"{step.subject}: {risk.message}"

    def _record(self, plan: Plan, request: m.PlanRequest, live: Snapshot, outcome: Outcome) -> None:
        """Keep in state what stands: after a failure only what was finished or had been managed before."""
        requests = {
            ResourceKey(self.registry.get(each.resource_type).type, each.name): each
            for each in request.resources
        }
        changes = plan.changes
        if outcome.error is not None:
            finished = _finished(plan, outcome)
            changes = tuple(
                change for change in changes if change.key in finished or change.action == "unchanged"
            )
        self.state.record(changes, requests, live, plan.locations())

    def _applied(self, plan: Plan, outcome: Outcome, live: Snapshot, *, detail: bool) -> m.ApplyResponse:
        finished, locations = _finished(plan, outcome), plan.locations()
        results = []
        counts = dict.fromkeys(("created", "updated", "deleted", "unchanged", "failed"), 0)
        words = {"create": "created", "update": "updated", "delete": "deleted", "unchanged": "unchanged"}
        for change in plan.changes:
            error = ""
            if outcome.error is not None and change.action != "unchanged" and change.key not in finished:
                error = _failure(change, outcome)
            counts["failed" if error else words[change.action]] += 1
            results.append(
                m.ApplyResult(
                    resource_type=change.key.type,
                    name=change.key.name,
                    action=change.action,  # type: ignore[arg-type]
                    success=not error,
                    state={}
                    if error or (not detail and change.action == "unchanged")
                    else _computed(change.ref, live),
                    error=error,
                    quarantine_location=""
                    if error or change.action != "delete"
                    else locations.get(change.ref, ""),
                )
            )
        message = ""
        if outcome.error is not None:
            message = outcome.error.message
            if outcome.failed is not None:
                message = f"{outcome.failed}: {message}"
            if outcome.undo_error:
                message += f" What ran before it could not all be undone: {outcome.undo_error}."
        return m.ApplyResponse(
            success=outcome.error is None,
            results=tuple(results),
            summary=m.ApplySummary(**counts),
            error=message,
            steps=tuple(
                m.ExecutedStep(
                    order=executed.at + 1,
                    resource_type=plan.owners[executed.at].type,
                    name=plan.owners[executed.at].name,
                    description=plan.steps[executed.at].description,
                    duration=executed.duration,
                )
                for executed in outcome.executed
            )
            if detail
            else (),
            state=self.state.export() if detail else None,
        )

    def create(self, context: Context, request: m.CreateResourceRequest) -> m.CreateResourceResponse:
        """Create a resource. Raises OperationError `already_exists` when the database has it."""
        change = self._one(
            context,
            m.PlanResource(
                resource_type=request.resource_type, name=request.name, config=request.config, action="create"
            ),
        )
        live = self.catalog.scan(context)
        return m.CreateResourceResponse(
            success=True, resource_id=change.ref.identity, state=self._state_of(change.ref, live)
        )

    def update(self, context: Context, request: m.UpdateResourceRequest) -> m.UpdateResourceResponse:
        """Change a resource. Raises OperationError `not_found` when the database lacks it."""
        change = self._one(
            context,
            m.PlanResource(
                resource_type=request.resource_type, name=request.name, config=request.config, action="update"
            ),
        )
        return m.UpdateResourceResponse(
            success=True, state=self._state_of(change.ref, self.catalog.scan(context))
        )

    def delete(self, context: Context, request: m.DeleteResourceRequest) -> m.DeleteResourceResponse:
        """Remove a resource: set it aside, or for good where safe_destroy is off.

        Raises OperationError `not_found`, or `safe_destroy` for what cannot be set aside while that is on.
        """
        handler = self.registry.get(request.resource_type)
        live = self.catalog.scan(context)
        ref = self._locate(handler.type, request.name, live)
        if ref is None:
            raise _not_found(handler.type, request.name)
        before = self._state_of(ref, live)
        plan = self._plan_of_one(
            context,
            m.PlanResource(
                resource_type=request.resource_type,
                name=request.name,
                config=handler.config(live.get(ref)),
                action="delete",
            ),
        )
        return m.DeleteResourceResponse(
            success=True, before_state=before, quarantine_location=plan.locations().get(ref, "")
        )

    def read(self, context: Context, request: m.ReadResourceRequest) -> m.ReadResourceResponse:
        """Return what the database has of a resource: its configuration with identity and digest."""
        handler = self.registry.get(request.resource_type)
        live = self.catalog.scan(context)
        ref = self._locate(handler.type, request.name, live)
        if ref is None:
            return m.ReadResourceResponse(success=True, exists=False)
        return m.ReadResourceResponse(success=True, exists=True, state=self._state_of(ref, live))

    def discover(self, context: Context, request: m.DiscoverResourcesRequest) -> m.DiscoverResourcesResponse:
        """Return what the database has of one type, or of all; `filters`: name, schema (globs or lists).

        What counts only where it is named is left out of all, unless it is managed.
        """
        types = (self.registry.get(request.resource_type).type,) if request.resource_type else ()
        filters = _filters(request.filters)
        live = self.catalog.scan(context)
        aside = frozenset() if types else live.aside - {managed.ref for _, managed in self.state.managed()}
        found = []
        for ref in live.refs(*types):
            if ref in aside or not _passes(ref, filters):
                continue
            config = self.registry.get(ref.type).config(live.get(ref))
            found.append(
                m.DiscoveredResource(
                    type=ref.type, name=ref.identity, config=config, state=_computed(ref, live)
                )
            )
        DiscoveryLogger.debug("discovered", resources=len(found))
        return m.DiscoverResourcesResponse(success=True, resources=tuple(found))

    def _one(self, context: Context, resource: m.PlanResource) -> ResourceChange:
        return self._plan_of_one(context, resource).changes[0]

    def _plan_of_one(self, context: Context, resource: m.PlanResource) -> Plan:
        """Apply one operation; raise what an apply of several reports in its results."""
        request = m.PlanRequest(resources=(resource,))
        with self.session.lock(context, "apply"):
            plan = self._planned(context, request.resources, m.PlanOptions())
            change = plan.changes[0]
            if resource.action == "create" and change.exists:
                raise OperationError(
                    f"{change.ref} exists already. Use UpdateResource.", code="already_exists"
                )
            if resource.action == "update" and not change.exists:
                raise _not_found(change.key.type, change.key.name)
            self._refuse_loss(plan)
            plan = self._recorded(context, plan)
            outcome = applier.run(
                context, self.session, plan, Recorder(self.trail, self.session, _SINGLE[resource.action])
            )
            self._tidied(plan, outcome)
            if outcome.error is not None:
                raise outcome.error
            self._record(plan, request, self.catalog.scan(context), outcome)
        return plan

    def _locate(self, resource_type: str, name: str, live: Snapshot) -> Ref | None:
        managed = self.state.get(ResourceKey(resource_type, name))
        if managed is not None:
            return managed.ref if managed.ref in live else None
        return find(live, self.registry.get(resource_type), name)

    def _state_of(self, ref: Ref, live: Snapshot) -> Mapping[str, Any]:
        model = live.get(ref)
        config = self.registry.get(ref.type).config(model) if model is not None else {}
        return {**config, **_computed(ref, live)}


def _computed(ref: Ref, live: Snapshot) -> dict[str, Any]:
    return {"identity": ref.identity, "digest": live.digest(ref)} if ref in live else {}


def _not_found(resource_type: str, name: str) -> OperationError:
    return OperationError(f"{resource_type} {name} does not exist in the database.", code="not_found")


def _finished(plan: Plan, outcome: Outcome) -> frozenset[ResourceKey]:
    """Return the resources all of whose steps stand."""
    if outcome.error is None:
        return frozenset(change.key for change in plan.changes)
    standing = {executed.at for executed in outcome.executed}
    missing = {owner for at, owner in enumerate(plan.owners) if at not in standing}
    finished = {plan.owners[at] for at in standing} - missing
    finished.update(key for at in standing for key in plan.along.get(at, ()) if key not in missing)
    return frozenset(finished)


def _failure(change: ResourceChange, outcome: Outcome) -> str:
    assert outcome.error is not None
    if outcome.failed is None or outcome.failed == change.key:
        return outcome.error.message
    return f"not done, or undone, because {outcome.failed} failed"


def _execution_order(plan: Plan) -> tuple[str, ...]:
    return tuple(str(change.key) for change in plan.changes if change.action != "unchanged")


def _planned(change: ResourceChange) -> m.PlannedResource:
    return m.PlannedResource(
        resource_type=change.key.type,
        name=change.key.name,
        action=change.action,  # type: ignore[arg-type]
        changes=change.attributes(),
        dependencies=change.dependencies,
    )


def _step(at: int, plan: Plan, rows: int | None, location: str, *, together: bool) -> m.PlanStep:
    step: Step = plan.steps[at]
    return m.PlanStep(
        order=at + 1,
        resource_type=plan.owners[at].type,
        name=plan.owners[at].name,
        description=step.description,
        along=tuple(map(str, plan.along.get(at, ()))),
        sql=tuple(mask(statement.text) for statement in step.statements),
        undo=tuple(mask(statement.text) for statement in step.undo or ()),
        reversible=step.undo is not None,
        transactional=step.transactional,
        alone=together and (step.alone or not step.transactional),
        lock=step.lock,
        rewrites=step.rewrites or any(risk.kind == "table_rewrite" for risk in step.risks),
        rows=rows,
        risks=tuple(map(_risk, step.risks)),
        cleared=step.cleared,
        needs=tuple(sorted(step.needs)),
        values=any(statement.parameters for statement in (*step.statements, *(step.undo or ()))),
        quarantine_location=location,
    )


def _risk(risk: Risk) -> m.PlanRisk:
    found = risk.offenders
    rows = None
    if found is not None:
        rows = m.OffendingRows(table=found.table, count=found.count, key=found.key, keys=found.keys)
    return m.PlanRisk(kind=risk.kind, message=risk.message, rows=rows)


def _filters(filters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for key, value in filters.items():
        values = [value] if isinstance(value, str) else value
        if key not in ("name", "schema"):
            problems.append(
                Problem(
                    f"unknown filter {key}",
                    code="unknown_attribute",
                    path=f"filters.{key}",
                    hint="Known: name, schema.",
                )
            )
        elif not isinstance(values, list | tuple) or not all(isinstance(each, str) for each in values):
            problems.append(
                Problem("must be a text or a list of texts", code="wrong_type", path=f"filters.{key}")
            )
        else:
            found[key] = tuple(values)
    if problems:
        raise ValidationError.of(problems)
    return found


def _passes(ref: Ref, filters: Mapping[str, tuple[str, ...]]) -> bool:
    for key, patterns in filters.items():
        texts = (ref.name, ref.identity) if key == "name" else (ref.schema,)
        if not any(fnmatch.fnmatchcase(text, pattern) for text in texts for pattern in patterns):
            return False
    return True
