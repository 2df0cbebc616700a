"""From configuration and state to what each provider is asked for; pure, and the same for Plan and Apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kolumn.config.project import Project, ResourceConfig
from kolumn.contract import messages as m
from kolumn.contract.errors import Problem, ValidationError
from kolumn.host import state as states
from kolumn.host.addresses import address_of, bare_type, covers, moved, name_of, prefixed_type
from kolumn.host.state import Managed, ResourceRecord, State

Key = tuple[str, str, str]
"""Provider address, bare resource type, name: what a provider's reply is matched by."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What part of a project a command is about."""

    targets: tuple[str, ...] = ()
    """Addresses of resources, blocks or modules; empty for everything."""
    destroy: bool = False
    """Remove everything in state instead of following the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What every provider is asked for, and what the host must remember to understand the replies."""

    order: tuple[str, ...]
    """Provider addresses, one after the other."""
    resources: Mapping[str, tuple[m.PlanResource, ...]]
    """By provider address."""
    addresses: Mapping[Key, str]
    before: State
    """The state as it is kept."""
    state: State
    """The state the providers are handed: `before` with `moved` blocks applied."""
    managed: Managed
    """What that state manages."""
    moves: Mapping[str, str] = field(default_factory=dict)
    """Old address by new address."""
    configured: Mapping[str, ResourceConfig] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    """Addresses that were managed before."""
    interrupted: frozenset[str] = frozenset()
    """Addresses that an apply which never came back set out to create."""
    removed: frozenset[str] = frozenset()
    """Addresses that are to be deleted because the configuration no longer has them."""

    def address(self, provider: str, type_: str, name: str) -> str:
        """Return the address a provider's `type_` and `name` stand for."""
        found = self.addresses.get((provider, bare_type(provider, type_), name))
        return found or address_of(prefixed_type(provider, type_), name)


def build(project: Project, state: State, scope: Scope) -> Requests:
    """Return the requests that make the databases what `project` says.

    Raises ValidationError: an unknown target, a protected resource that would be deleted, a `moved` block
    that contradicts the configuration, providers that depend on each other in a circle.
    """
    configured = {} if scope.destroy else {resource.address: resource for resource in project.resources}
    managed = Managed(state)
    moves = {} if scope.destroy or not project.moved else _moves(project, configured, managed)
    current = _with_moves(state, moves)
    managed = Managed(current) if moves else managed
    removed = {
        address: provider
        for address, (provider, _) in managed.items()
        if address not in configured or configured[address].provider != provider
    }
    intents = {address: intent for address, intent in current.intents.items() if address not in managed}
    removed.update(
        {address: intent.provider for address, intent in intents.items() if address not in configured}
    )
    chosen = _chosen(scope, configured, removed, current.resources)
    if chosen is not None:
        configured = {address: each for address, each in configured.items() if address in chosen}
        removed = {address: provider for address, provider in removed.items() if address in chosen}
    _refuse_protected(removed, current.resources, project, scope)

    arrived = frozenset(moves.values())
    resources: dict[str, list[m.PlanResource]] = {}
    addresses: dict[Key, str] = {}
    for address, resource in configured.items():
        provider = resource.provider
        known = managed.get(address)
        if known is not None and known[0] != provider:
            known = None
        addresses[provider, bare_type(provider, resource.type), resource.name] = address
        resources.setdefault(provider, []).append(
            m.PlanResource(
                resource_type=resource.type,
                name=resource.name,
                config=_config(resource, known[1] if known and address in arrived else None),
                action="update" if known else "create",
                ignore_changes=resource.lifecycle.ignore_changes,
                depends_on=_keys(resource.depends_on, configured, provider),
            )
        )
    for address, provider in removed.items():
        entry = managed.get(address)
        intent = intents.get(address)
        type_, name = name_of(address)
        record = current.resources.get(address)
        addresses[provider, bare_type(provider, type_), name] = address
        resources.setdefault(provider, []).append(
            m.PlanResource(
                resource_type=type_,
                name=name,
                config=intent.config if intent and not entry else {},
                action="delete",
                depends_on=_record_keys(record, removed, provider),
            )
        )
    return Requests(
        order=_order(resources, configured, removed, current.resources, reverse=scope.destroy),
        resources={provider: tuple(each) for provider, each in resources.items()},
        addresses=addresses,
        before=state,
        state=current,
        managed=managed,
        moves={new: old for old, new in moves.items()},
        configured=configured,
        known=frozenset(managed),
        interrupted=frozenset(intents),
        removed=frozenset(removed),
    )


def _moves(project: Project, configured: Mapping[str, ResourceConfig], managed: Managed) -> dict[str, str]:
    """Return new address by old address, for what is in state and moved."""
    problems = [
        Problem(
            f"{each.source} is still configured, so it cannot have moved to {each.target}",
            code="moved_still_configured",
            resource=each.source,
            location=each.location,
            hint="Remove the moved block, or rename the resource's block.",
        )
        for each in project.moved
        if each.source in configured
    ]
    found: dict[str, str] = {}
    for address in managed:
        now = address
        for each in project.moved:
            now = moved(now, each.source, each.target)
        if now == address or now not in configured or now in managed:
            continue
        if name_of(now)[0] != name_of(address)[0]:
            problems.append(
                Problem(
                    f"{address} cannot move to {now}: a resource keeps its type",
                    code="moved_type",
                    resource=now,
                    location=next((each.location for each in project.moved), None),
                )
            )
        found[address] = now
    if problems:
        raise ValidationError.of(problems)
    return found


def _with_moves(state: State, moves: Mapping[str, str]) -> State:
    if not moves:
        return state
    import msgspec

    return msgspec.structs.replace(
        state,
        providers={
            provider: states.rewrite(provider, raw, moves) for provider, raw in state.providers.items()
        },
        resources={moves.get(address, address): record for address, record in state.resources.items()},
    )


def _config(resource: ResourceConfig, before: states.Instance | None) -> Mapping[str, Any]:
    """Return the configuration; of a moved resource with the name it has in the database, if that changes."""
    if before is None:
        return resource.config
    former = before.read_config().get("name")
    if (
        not isinstance(former, str)
        or former == resource.config.get("name")
        or "renamed_from" in resource.config
    ):
        return resource.config
    return {**resource.config, "renamed_from": former}


def _keys(
    addresses: Sequence[str], configured: Mapping[str, ResourceConfig], provider: str
) -> tuple[str, ...]:
    """Return `type name` of those addresses that the same provider has."""
    if not addresses:
        return ()
    found = [configured[address] for address in addresses if address in configured]
    return tuple(
        f"{bare_type(provider, each.type)} {each.name}" for each in found if each.provider == provider
    )


def _record_keys(record: ResourceRecord | None, removed: Mapping[str, str], provider: str) -> tuple[str, ...]:
    if record is None:
        return ()
    keys = []
    for address in record.depends_on:
        if removed.get(address) == provider:
            type_, name = name_of(address)
            keys.append(f"{bare_type(provider, type_)} {name}")
    return tuple(keys)


def _chosen(
    scope: Scope,
    configured: Mapping[str, ResourceConfig],
    removed: Mapping[str, str],
    records: Mapping[str, ResourceRecord],
) -> frozenset[str] | None:
    """Return the addresses that the targets mean, with what they depend on; None for all.

    What is to be removed brings along what depends on it.
    """
    if not scope.targets:
        return None
    known = [*configured, *removed]
    unknown = [target for target in scope.targets if not any(covers(target, address) for address in known)]
    if unknown:
        raise ValidationError.of(
            Problem(
                f"target {target} is no resource of this project",
                code="unknown_target",
                resource=target,
                hint="`kolumn state list` and the configuration name the addresses.",
            )
            for target in unknown
        )
    queue = [address for address in known if any(covers(target, address) for target in scope.targets)]
    chosen: set[str] = set()
    dependents: dict[str, list[str]] = {}
    for address in removed:
        for needed in records[address].depends_on if address in records else ():
            dependents.setdefault(needed, []).append(address)
    while queue:
        address = queue.pop()
        if address in chosen:
            continue
        chosen.add(address)
        if address in configured:
            queue += [needed for needed in configured[address].depends_on if needed in configured]
        if address in removed:
            queue += dependents.get(address, [])
    return frozenset(chosen)


def _refuse_protected(
    removed: Mapping[str, str], records: Mapping[str, ResourceRecord], project: Project, scope: Scope
) -> None:
    protected = (
        {each.address for each in project.resources if each.lifecycle.prevent_destroy}
        if scope.destroy
        else set()
    )
    released = {each.address for each in project.resources if not each.lifecycle.prevent_destroy}
    protected |= {
        address
        for address in removed
        if address in records and records[address].prevent_destroy and address not in released
    }
    problems = [
        Problem(
            f"{address} would be deleted, but its lifecycle says prevent_destroy",
            code="prevent_destroy",
            resource=address,
            hint="Put its block back or, to delete it, set prevent_destroy = false, apply, then remove it.",
        )
        for address in sorted(protected & set(removed))
    ]
    if problems:
        raise ValidationError.of(problems)


def _order(
    resources: Mapping[str, Sequence[m.PlanResource]],
    configured: Mapping[str, ResourceConfig],
    removed: Mapping[str, str],
    records: Mapping[str, ResourceRecord],
    *,
    reverse: bool,
) -> tuple[str, ...]:
    """Return the providers so that each comes after those its resources depend on."""
    if len(resources) < 2:
        return tuple(resources)
    needs: dict[str, set[str]] = {provider: set() for provider in resources}
    for resource in configured.values():
        for address in resource.depends_on:
            other = configured.get(address)
            if other is not None and other.provider != resource.provider:
                needs[resource.provider].add(other.provider)
    if reverse:
        for address, provider in removed.items():
            for needed in records[address].depends_on if address in records else ():
                other_provider = removed.get(needed)
                if other_provider is not None and other_provider != provider:
                    needs[other_provider].add(provider)
    from graphlib import CycleError, TopologicalSorter  # most projects have one provider

    try:
        return tuple(TopologicalSorter({key: sorted(needs[key]) for key in sorted(needs)}).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ValidationError(
            f"Providers depend on each other in a circle: {circle}. Resources of one provider must "
            "not depend on "
            "those of another and the other way round; break one of the references.",
            code="provider_cycle",
        ) from error
