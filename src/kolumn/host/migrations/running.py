"""`kolumn migrate`: the directories of a project's providers, what they hold, and running it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kolumn.contract.errors import KolumnError, ValidationError
from kolumn.contract.extensions import RunScriptRequest, RunScriptResponse
from kolumn.host.migrations import directory as directories
from kolumn.host.migrations import sums
from kolumn.host.migrations.directory import Direction, Directory, Migration
from kolumn.host.migrations.status import Line, compare, pending, to_roll_back
from kolumn.host.planning import Options
from kolumn.host.providers import Client
from kolumn.host.workspace import Workspace

DIRECTORY = "migrations"
"""Where migrations are, in the project's folder, when nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The migrations of one provider."""

    provider: str
    client: Client
    directory: Directory
    lines: tuple[Line, ...]
    faults: tuple[str, ...]
    """What is not as `kolumn.sum` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One script that was run."""

    provider: str
    version: str
    name: str
    direction: Direction
    statements: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did; `error` is set where it ended early."""

    ran: tuple[Ran, ...]
    settled: bool = False
    """Whether a plan has nothing left to do in the databases."""
    error: KolumnError | None = None


def providers(workspace: Workspace) -> tuple[str, ...]:
    """Return the addresses of the providers that the project uses, in the order it declares them."""
    project = workspace.configuration.project
    found = [each.address for each in project.providers]
    found += [each.provider for each in project.resources]
    found += workspace.state.providers
    return tuple(dict.fromkeys(found))


def folder_of(workspace: Workspace, given: Path | None, provider: str) -> Path:
    """Return where the migrations of a provider are: in a folder of its own where there are several."""
    base = given if given is not None else workspace.folder / DIRECTORY
    return base / provider if len(providers(workspace)) > 1 else base


def places(workspace: Workspace, given: Path | None) -> list[Place]:
    """Return the migrations of every provider and what its database remembers of them."""
    found = providers(workspace)
    if not found:
        raise ValidationError(
            "The project has no provider and no resource, so there is no database to migrate.",
            code="missing_provider",
        )
    return [_place(workspace, given, provider) for provider in found]


def _place(workspace: Workspace, given: Path | None, provider: str) -> Place:
    directory = directories.read(folder_of(workspace, given, provider))
    client = workspace.fleet.get(provider)
    lines = compare(directory, client.list_migrations().scripts)
    return Place(
        provider=provider,
        client=client,
        directory=directory,
        lines=tuple(lines),
        faults=tuple(sums.faults(directory)),
    )


def to_apply(
    found: Sequence[Place], *, out_of_order: bool = False, count: int | None = None
) -> list[tuple[Place, Migration]]:
    """Return what `apply` would run. Raises StateError before anything is run (see `sums`, `status`)."""
    sums.refuse_faults([place.directory for place in found])
    wanted = [
        (place, migration)
        for place in found
        for migration in pending(place.directory, place.lines, out_of_order=out_of_order)
    ]
    return wanted if count is None else wanted[:count]


def to_undo(found: Sequence[Place], *, steps: int, down_to: str | None) -> list[tuple[Place, Migration]]:
    """Return what `rollback` would run. Raises StateError before anything is run."""
    if len(found) > 1:
        raise ValidationError(
            "The project has several providers: say with --provider which one's migrations are rolled back.",
            code="missing_argument",
        )
    sums.refuse_faults([place.directory for place in found])
    return [
        (place, migration)
        for place in found
        for migration in to_roll_back(place.directory, place.lines, steps=steps, down_to=down_to)
    ]


def request(migration: Migration, direction: Direction) -> RunScriptRequest:
    """Return what the provider is asked to run."""
    script = migration.up if direction == "up" else migration.down
    assert script is not None
    return RunScriptRequest(
        version=migration.version,
        name=migration.up.what.name,
        direction=direction,
        script=script.text,
        checksum=migration.up.checksum,
        transactional=script.transactional,
        needs=script.needs,
    )


def preview(wanted: Sequence[tuple[Place, Migration]], direction: Direction) -> list[tuple[str, ...]]:
    """Return the statements of each script; nothing is run. Raises ValidationError for one that is faulty."""
    import msgspec

    return [
        place.client.run_script(
            msgspec.structs.replace(request(migration, direction), dry_run=True)
        ).statements
        for place, migration in wanted
    ]


def run(
    workspace: Workspace,
    wanted: Sequence[tuple[Place, Migration]],
    direction: Direction,
    announce: Callable[[Ran], None] = lambda _: None,
) -> Outcome:
    """Run scripts in order, up to the first that fails, then bring the state in line with the databases.

    The project must be locked.
    """
    ran: list[Ran] = []
    error: KolumnError | None = None
    for place, migration in wanted:
        try:
            workspace.context.check()
            started = time.perf_counter()
            response: RunScriptResponse = place.client.run_script(request(migration, direction))
        except KolumnError as caught:
            error = caught
            break
        done = Ran(
            provider=place.provider,
            version=migration.version,
            name=migration.up.what.name,
            direction=direction,
            statements=response.executed,
            seconds=time.perf_counter() - started,
        )
        ran.append(done)
        announce(done)
    outcome = Outcome(ran=tuple(ran), error=error)
    if ran or (direction == "up" and not wanted):  # an apply may have been killed before it kept the state
        try:
            outcome = replace(outcome, settled=keep_state(workspace))
        except KolumnError as caught:
            outcome = replace(outcome, error=error or caught)
    return outcome


def keep_state(workspace: Workspace) -> bool:
    """Bring the state in line with the databases; return whether these are as the configuration says.

    Where they are, the state takes in what migrations created and forgets what they dropped; else it only learns
    what became of what it knows.
    """
    plan = workspace.plan(Options(count_unmanaged=False))
    settled = not any(each.steps for each in plan.providers)
    if not settled:
        plan = workspace.plan(Options(refresh_only=True))
    if plan.review.has_changes:
        applied = workspace.apply(plan)
        if applied.error is not None:
            raise applied.error
    return settled
