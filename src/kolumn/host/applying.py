"""Apply: carry out a plan, provider by provider, and keep the state true at every moment.

Before anything is changed the intention to create is written, so that a process killed between a database's
commit and the next write of the state forgets nothing: what it meant to create is looked for at the next run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from kolumn.config.project import Project, ResourceConfig
from kolumn.contract import messages as m
from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError, StateError, ValidationError
from kolumn.host import state as states
from kolumn.host.addresses import address_of, bare_type, prefixed_type
from kolumn.host.ledger import Ledger
from kolumn.host.planning import ProjectPlan, ProviderPlan
from kolumn.host.providers import ApplyReply, Fleet
from kolumn.host.results import Action, Applied, OutputValue, Result
from kolumn.host.sealing import HIDDEN, Veil, is_sealed, seal_paths, seal_texts
from kolumn.host.state import Intent, Managed, State


def apply(
    plan: ProjectPlan,
    project: Project,
    ledger: Ledger,
    fleet: Fleet,
    context: Context,
    *,
    keep_partial: bool = False,
    backup: bool = False,
    reason: str = "",
    announce: Callable[[ProviderPlan], None] = lambda _: None,
) -> Applied:
    """Carry out `plan`. What fails is in the result, together with what stands.

    `reason` says why, if that is to be noted in the databases' audit trails.

    Raises StateError when the state cannot be written, or a provider's database changed since the plan.
    """
    started = time.perf_counter()
    veil = Veil(project.secrets)
    changed = {change.provider for change in plan.review.changes}
    before = ledger.state.intents
    ledger.put(_with_intents(ledger.state, plan, project))
    options = {"keep_partial": keep_partial, "backup": backup, "reason": reason}
    results: list[Result] = []
    steps = 0
    backups: list[str] = []
    finished = False
    error: KolumnError | None = None
    remaining = [each for each in plan.providers if each.address in changed]
    begun: set[str] = set()
    for each in remaining:
        announce(each)
        try:
            context.check()
            reply = fleet.get(each.address).apply(_request(each, options))
        except KolumnError as caught:
            error = caught
            if not _is_refusal(caught):
                begun.add(each.address)
            break
        begun.add(each.address)
        steps += len(reply.steps)
        if reply.backup_path:
            backups.append(reply.backup_path)
        done = _results(each, reply, plan, veil)
        results += done
        after = _after(ledger.state, each, reply, plan, project)
        finished = reply.success and each.address == remaining[-1].address
        ledger.put(_finished(after, plan) if finished else after)
        if not reply.success:
            error = OperationError(veil.text(reply.error) or "The apply failed.", code="apply_failed")
            break
    if error is None:
        if not finished:
            ledger.put(_finished(ledger.state, plan))
    else:
        ledger.put(_without_intents(ledger.state, before, begun))
    return Applied(
        results=tuple(results),
        steps=steps,
        seconds=time.perf_counter() - started,
        serial=ledger.serial,
        outputs=output_values(ledger.state),
        backups=tuple(backups),
        error=error,
    )


def _is_refusal(error: KolumnError) -> bool:
    """Whether an error was raised before anything was run."""
    return isinstance(error, ValidationError | StateError) or error.code in (
        "safe_destroy",
        "backup_impossible",
    )


def _without_intents(state: State, before: Mapping[str, Intent], begun: Collection[str]) -> State:
    """Return the state without the intentions that concern providers where nothing has begun."""
    intents = {
        address: intent
        for address, intent in state.intents.items()
        if intent.provider in begun or address in before
    }
    return msgspec.structs.replace(state, intents=intents)


def output_values(state: State) -> tuple[OutputValue, ...]:
    """Return the outputs of the last apply, sensitive ones as `(sensitive)`."""
    return tuple(
        OutputValue(
            name,
            HIDDEN if each.sensitive or is_sealed(each.value) else each.value,
            each.sensitive,
            each.description,
        )
        for name, each in sorted(state.outputs.items())
    )


def _request(plan: ProviderPlan, options: Mapping[str, Any]) -> m.PlanRequest:
    """Return what Apply is asked: what Plan was, refused when that would now be another plan."""
    planned = plan.request.options or m.PlanOptions(detail=True)
    applied = msgspec.structs.replace(planned, fingerprint=plan.fingerprint, **options)
    return msgspec.structs.replace(plan.request, options=applied)


def _with_intents(state: State, plan: ProjectPlan, project: Project) -> State:
    """Return the state with everything the plan is about to create or adopt noted down."""
    intents = dict(state.intents)
    configured = plan.requests.configured
    for change in plan.review.changes:
        resource = configured.get(change.address)
        if resource is None or (change.action not in ("create", "adopt") and not change.adopted):
            continue
        intents[change.address] = Intent(
            provider=resource.provider,
            type=resource.type,
            name=resource.name,
            config=_sealed(resource, project, state.salt),
        )
    if intents == state.intents:
        return state
    return msgspec.structs.replace(state, intents=intents)


def _after(
    state: State, plan: ProviderPlan, reply: ApplyReply, project_plan: ProjectPlan, project: Project
) -> State:
    """Return the state after one provider has answered."""
    providers, resources, intents = dict(state.providers), dict(state.resources), dict(state.intents)
    moves = project_plan.requests.moves
    if bytes(reply.state) not in (b"null", b""):
        raw = msgspec.Raw(bytes(reply.state))
        managed = _addresses(plan.address, raw)
        if stale := managed & _deleted(plan, reply, project_plan):
            raw = states.rewrite(plan.address, raw, dict.fromkeys(stale))
            managed -= stale
        providers[plan.address] = _seal_state(raw, plan.address, project, state.salt)
    else:
        managed = _addresses(plan.address, providers.get(plan.address, msgspec.Raw(b'{"resources":[]}')))
    for address in managed:
        if address in project_plan.records:
            resources[address] = project_plan.records[address]
        if address in moves and moves[address] in resources:
            del resources[moves[address]]
    for address, record in list(resources.items()):
        if record.provider == plan.address and address not in managed:
            del resources[address]
    for address, intent in list(intents.items()):
        if intent.provider == plan.address and (reply.success or address in managed):
            del intents[address]
    return msgspec.structs.replace(state, providers=providers, resources=resources, intents=intents)


def _addresses(provider: str, raw: msgspec.Raw) -> set[str]:
    return {
        address_of(prefixed_type(provider, each.type), each.name)
        for each in states.instances(raw)
        if each.status == "active"
    }


def _deleted(plan: ProviderPlan, reply: ApplyReply, project_plan: ProjectPlan) -> set[str]:
    """Return the addresses that were asked to go and are gone."""
    failed = {
        (bare_type(plan.address, each.resource_type), each.name) for each in reply.results if not each.success
    }
    return {
        project_plan.requests.address(plan.address, each.resource_type, each.name)
        for each in plan.request.resources
        if each.action == "delete" and (bare_type(plan.address, each.resource_type), each.name) not in failed
    }


def _finished(state: State, plan: ProjectPlan) -> State:
    """Return the state at the end of an apply that succeeded: records, moves and outputs as configured."""
    managed = Managed(state)
    return msgspec.structs.replace(
        state,
        resources={address: record for address, record in plan.records.items() if address in managed},
        outputs=dict(plan.outputs),
    )


def _results(
    plan: ProviderPlan, reply: ApplyReply, project_plan: ProjectPlan, veil: Veil
) -> Iterable[Result]:
    planned: Mapping[str, Action] = {
        change.address: change.action
        for change in project_plan.review.changes
        if change.provider == plan.address
    }
    for each in reply.results:
        address = project_plan.requests.address(plan.address, each.resource_type, each.name)
        action = planned.get(address, "unchanged")
        if action == "unchanged" and each.success:
            continue
        yield Result(
            address=address,
            provider=plan.address,
            action=action,
            success=each.success,
            error=veil.text(each.error),
            quarantine=each.quarantine_location,
        )


def _sealed(resource: ResourceConfig, project: Project, salt: str) -> dict[str, Any]:
    config = seal_paths(resource.config, resource.sensitive, salt)
    return dict(seal_texts(config, project.secrets, salt))


def _seal_memory(state: dict[str, Any], paths: Iterable[str], salt: str) -> None:
    """Seal what a provider remembers of sensitive attributes of the live object."""
    if isinstance(state.get("live"), dict):
        there = {name: each for name, each in state["live"].items() if each is not None}
        state["live"] = {**state["live"], **seal_paths(there, paths, salt)}


def _seal_state(raw: msgspec.Raw, provider: str, project: Project, salt: str) -> msgspec.Raw:
    """Return a provider's state with sensitive values sealed; untouched when the project has none."""
    paths = {each.address: each.sensitive for each in project.resources if each.sensitive}
    if not paths and not project.secrets:
        return raw
    document: dict[str, Any] = msgspec.json.decode(raw)
    for entry in document.get("resources", ()):
        address = address_of(prefixed_type(provider, entry["type"]), entry["name"])
        if address in paths:
            entry["config"] = seal_paths(entry.get("config", {}), paths[address], salt)
            _seal_memory(entry.get("state", {}), paths[address], salt)
        entry["config"] = seal_texts(entry.get("config", {}), project.secrets, salt)
        entry["state"] = seal_texts(entry.get("state", {}), project.secrets, salt)
    return msgspec.Raw(msgspec.json.encode(document))
