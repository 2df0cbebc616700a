"""Plan: ask every provider, in order, what would happen, and put the answers into one review."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kolumn.config.project import Project
from kolumn.contract import messages as m
from kolumn.contract.errors import Problem, ValidationError
from kolumn.host import requests as wanted
from kolumn.host.addresses import address_of, bare_type, prefixed_type
from kolumn.host.configuration import Configuration
from kolumn.host.providers import Client, Fleet, PlanReply
from kolumn.host.requests import Requests, Scope
from kolumn.host.results import Change, Review
from kolumn.host.reviewing import changes, output_changes
from kolumn.host.sealing import Veil, seal
from kolumn.host.state import OutputRecord, ResourceRecord, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to plan."""

    targets: tuple[str, ...] = ()
    destroy: bool = False
    prune: bool = False
    """Delete live objects that neither configuration nor state names."""
    refresh_only: bool = False
    """Bring the state in line with the databases, change nothing there."""
    restore: bool = False
    """Bring back also what the configuration leaves alone, as the last apply left it."""
    online: bool = False
    lock_timeout: float = 0.0
    """Seconds to wait for locks, of the project and in the databases."""
    parallelism: int = 4
    """How many providers that do not depend on each other are asked at once."""
    count_unmanaged: bool = True
    """Also look for live objects nobody names, when there is something to do anyway and it costs little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlan:
    """What one provider is asked and what the fingerprint of its answer was."""

    address: str
    request: m.PlanRequest
    fingerprint: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPlan:
    """A plan ready to be applied."""

    requests: Requests
    providers: tuple[ProviderPlan, ...]
    review: Review
    records: Mapping[str, ResourceRecord]
    """What the state will say about each resource of the configuration."""
    outputs: Mapping[str, OutputRecord]
    options: Options
    refreshed: State | None = None
    """The state a refresh leaves; only with `options.refresh_only`."""


def plan(configuration: Configuration, state: State, fleet: Fleet, options: Options) -> ProjectPlan:
    """Return what makes the databases match the configuration; changes nothing.

    Raises ValidationError with every fault, each with its place in the files; ConnectionError.
    """
    project = configuration.project
    scope = Scope(options.targets, options.destroy)
    if options.prune and (options.targets or options.destroy):
        raise ValidationError(
            "--prune looks at the whole database; leave out --target.", code="conflicting_options"
        )
    requests = wanted.build(project, state, scope)
    order = list(requests.order)
    if options.prune:
        order += [each.address for each in project.providers if each.address not in order]
    answers = _ask_all(order, requests, configuration, fleet, options)
    counted = [name for answer in answers for name in answer.unmanaged or ()]
    warnings = [warning for answer in answers for warning in answer.warnings]
    outputs = (
        dict(state.outputs) if options.targets else {} if options.destroy else _output_records(project, state)
    )
    review = Review(
        changes=tuple(change for answer in answers for change in answer.changes),
        unchanged=sum(answer.unchanged for answer in answers),
        warnings=tuple(dict.fromkeys(warnings)),
        outputs=output_changes(state.outputs, outputs),
        unmanaged=tuple(counted) if any(answer.unmanaged is not None for answer in answers) else None,
        destroy=options.destroy,
    )
    if review.changes or project.policies:
        from kolumn.host.policies.evaluation import judge

        review = judge(review, project, configuration.schemas)
    return ProjectPlan(
        requests=requests,
        providers=tuple(answer.plan for answer in answers),
        review=review,
        records=_records(requests),
        outputs=outputs,
        options=options,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one provider said, for the review."""

    plan: ProviderPlan
    changes: tuple[Change, ...]
    unchanged: int
    warnings: tuple[str, ...]
    unmanaged: tuple[str, ...] | None


def _ask_all(
    order: Sequence[str], requests: Requests, configuration: Configuration, fleet: Fleet, options: Options
) -> list[_Answer]:
    """Ask every provider, several at once: planning changes nothing, so their order does not matter yet."""

    def ask(address: str) -> _Answer | None:
        return _ask_one(address, requests, configuration, fleet, options)

    if len(order) < 2 or options.parallelism < 2:
        return [answer for address in order if (answer := ask(address)) is not None]
    from concurrent.futures import ThreadPoolExecutor

    for address in order:
        fleet.get(address)
    with ThreadPoolExecutor(min(options.parallelism, len(order)), "kolumn-plan") as pool:
        return [answer for answer in pool.map(ask, order) if answer is not None]


def _ask_one(
    address: str, requests: Requests, configuration: Configuration, fleet: Fleet, options: Options
) -> _Answer | None:
    resources = requests.resources.get(address, ())
    client = fleet.get(address)
    if (raw := requests.state.providers.get(address)) is not None:
        client.set_state(raw)
    if not resources and not options.prune:
        return None
    request = m.PlanRequest(
        resources=resources,
        options=m.PlanOptions(
            detail=True,
            online=options.online,
            restore=options.restore,
            prune=options.prune,
            lock_timeout_seconds=math.ceil(options.lock_timeout),
        ),
    )
    reply = _ask(client, request, requests, configuration)
    response = reply.response
    pruned = _pruned(request, response, address) if options.prune else frozenset()
    unmanaged = None
    if options.count_unmanaged and not options.prune and response.steps:
        unmanaged = tuple(
            address_of(prefixed_type(address, type_), identity)
            for type_, _, identity in (each.partition(" ") for each in response.unmanaged)
        )
    veil = Veil(configuration.project.secrets)
    found = changes(reply, requests, address, pruned, veil)
    return _Answer(
        plan=ProviderPlan(
            address=address, request=request, fingerprint=response.fingerprint, steps=len(response.steps)
        ),
        changes=tuple(found),
        unchanged=len(response.resources) - sum(1 for each in found if each.action != "recreate"),
        warnings=tuple(map(veil.text, response.warnings)),
        unmanaged=unmanaged,
    )


def _ask(
    client: Client, request: m.PlanRequest, requests: Requests, configuration: Configuration
) -> PlanReply:
    try:
        return client.plan(request)
    except ValidationError as error:
        raise located(error, client.address, request, requests, configuration) from error


def located(
    error: ValidationError,
    provider: str,
    request: m.PlanRequest,
    requests: Requests,
    configuration: Configuration,
) -> ValidationError:
    """Return a provider's complaint with address, file and line of what it is about."""
    if not error.problems:
        return error
    spelled: dict[str, str] = {}
    for each in request.resources:
        address = requests.address(provider, each.resource_type, each.name)
        bare = bare_type(provider, each.resource_type)
        for form in (f"{each.resource_type}.{each.name}", f"{bare}.{each.name}", f"{bare} {each.name}"):
            spelled[form] = address
    problems: list[Problem] = []
    for problem in error.problems:
        found = spelled.get(problem.resource)
        if found is None:
            problems.append(problem)
            continue
        where = problem.location or configuration.locate(found, problem.path)
        problems.append(dataclasses.replace(problem, resource=found, location=where))
    return ValidationError(
        error.message if len(problems) > 1 else problems[0].message, code=error.code, problems=problems
    )


def _pruned(request: m.PlanRequest, response: m.PlanResponse, provider: str) -> frozenset[wanted.Key]:
    """Return what the provider deletes although nobody asked for it by name."""
    asked = {(bare_type(provider, each.resource_type), each.name) for each in request.resources}
    return frozenset(
        (provider, type_, each.name)
        for each in response.resources
        if ((type_ := bare_type(provider, each.resource_type)), each.name) not in asked
    )


def _records(requests: Requests) -> dict[str, ResourceRecord]:
    records = dict(requests.state.resources)
    for address, resource in requests.configured.items():
        records[address] = ResourceRecord(
            provider=resource.provider,
            prevent_destroy=resource.lifecycle.prevent_destroy,
            depends_on=resource.depends_on,
        )
    return records


def _output_records(project: Project, state: State) -> dict[str, OutputRecord]:
    return {
        each.name: OutputRecord(
            value=seal(each.value, state.salt) if each.sensitive else each.value,
            sensitive=each.sensitive,
            description=each.description,
        )
        for each in project.outputs
    }
