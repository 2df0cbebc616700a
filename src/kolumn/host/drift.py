"""Drift: what the databases are, against what the state says of them."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from kolumn.contract import messages as m
from kolumn.contract.errors import Problem, ValidationError
from kolumn.host.addresses import address_of, bare_type, covers, prefixed_type
from kolumn.host.attributes import same_steps
from kolumn.host.planning import Options, ProjectPlan
from kolumn.host.providers import Client
from kolumn.host.reviewing import sensitive_steps
from kolumn.host.sealing import HIDDEN, Veil, hidden, is_sealed, seal, shown
from kolumn.host.state import Managed
from kolumn.host.workspace import Workspace

UNMANAGED = "unmanaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which drift to look for; empty filters mean all of it."""

    targets: tuple[str, ...] = ()
    """Addresses, blocks or modules."""
    types: tuple[str, ...] = ()
    """Resource types, with or without their provider's prefix."""
    least_severity: str = ""
    """`warning` or `error` to leave out what weighs less."""
    include_unmanaged: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """Findings with the address they are about, those of one address together."""

    checked: int
    findings: tuple[tuple[str, m.DriftFinding], ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """What drifted of what is managed, each address once."""
        found = (address for address, each in self.findings if each.kind != UNMANAGED)
        return tuple(dict.fromkeys(found))


def detect(workspace: Workspace, scope: Scope) -> Drift:
    """Ask every provider that manages something. Raises ValidationError for a target or type there is none of.

    What the configuration says to ignore is no drift, and sensitive values are not among the findings.
    """
    project, state = workspace.configuration.project, workspace.state
    managed = Managed(state)
    _refuse_unknown(scope.targets, managed)
    ignored = {each.address: each.lifecycle.ignore_changes for each in project.resources}
    secret = {each.address: each.sensitive for each in project.resources if each.sensitive}
    veil = Veil(project.secrets)
    types = _types(workspace, scope.types, state.providers)
    checked = 0
    findings: list[tuple[str, m.DriftFinding]] = []
    for provider, raw in state.providers.items():
        if scope.types and not types[provider]:
            continue
        names = _names(provider, managed, scope.targets)
        if scope.targets and not names:
            continue
        client = workspace.fleet.get(provider)
        client.set_state(raw)
        response = _asked(
            client,
            m.DriftRequest(
                resource_types=types[provider],
                names=names,
                include_unmanaged=scope.include_unmanaged and not scope.targets,
                least_severity=scope.least_severity,
            ),
        )
        checked += response.checked
        for each in response.findings:
            address = address_of(prefixed_type(provider, each.resource_type), each.name)
            if each.kind != UNMANAGED:
                if scope.targets and not any(covers(target, address) for target in scope.targets):
                    continue
                if _is_ignored(each.attribute, ignored.get(address, ())):
                    continue
            entry = managed.get(address)
            steps = sensitive_steps(secret.get(address, ()), entry[1] if entry else None)
            told = _told(each, steps, state.salt, veil)
            if told is not None:
                findings.append((address, told))
    return Drift(checked, tuple(findings))


def _asked(client: Client, request: m.DriftRequest) -> m.DriftResponse:
    try:
        return client.drift(request)
    except ValidationError as error:
        if error.code != "unsupported_function":
            raise
        raise ValidationError(
            f"Provider {client.address} cannot detect drift. `kolumn plan` compares its database with the "
            "configuration, `kolumn plan --refresh-only` with the state; --type leaves its resources out.",
            code="drift_unavailable",
        ) from error


def revert(workspace: Workspace, drift: Drift, options: Options) -> ProjectPlan:
    """Return the plan that makes what drifted as configuration and state say. Raises ValidationError."""
    configured = {each.address for each in workspace.configuration.project.resources}
    unknown = [address for address in drift.addresses if address not in configured]
    if unknown:
        raise ValidationError.of(
            Problem(
                f"{address} drifted, but the configuration has it no longer",
                code="not_configured",
                resource=address,
                hint="Name what to revert with --target, or `kolumn apply` to delete this one.",
            )
            for address in unknown
        )
    return workspace.plan(dataclasses.replace(options, targets=drift.addresses, restore=True))


def adopt(workspace: Workspace, drift: Drift, options: Options) -> ProjectPlan:
    """Return the plan that takes what drifted into the state as it is now; databases stay."""
    return workspace.plan(dataclasses.replace(options, targets=drift.addresses, refresh_only=True))


def _refuse_unknown(targets: Sequence[str], managed: Managed) -> None:
    unknown = [each for each in targets if not any(covers(each, address) for address in managed)]
    if unknown:
        raise ValidationError.of(
            Problem(
                f"target {each} is no managed resource",
                code="unknown_target",
                resource=each,
                hint="`kolumn state list` names the addresses.",
            )
            for each in unknown
        )


def _types(
    workspace: Workspace, types: Sequence[str], providers: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return the wanted types of each provider, without prefix. Raises ValidationError for one nobody has."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(providers, ())
    if not types:
        return found
    known: set[str] = set()
    for provider in found:
        has = {each.name for each in workspace.fleet.get(provider).schema().resource_types}
        mine = [each for each in types if bare_type(provider, each) in has]
        found[provider] = tuple(bare_type(provider, each) for each in mine)
        known.update(mine)
    if unknown := [each for each in types if each not in known]:
        raise ValidationError(
            f"No provider of this project has a resource type {', '.join(unknown)}. "
            "`kolumn providers` names what there is.",
            code="unknown_resource_type",
        )
    return found


def _names(provider: str, managed: Managed, targets: Sequence[str]) -> tuple[str, ...]:
    """Return the names of what `targets` mean of one provider, as patterns that match only them."""
    return tuple(
        glob.escape(instance.name)
        for address, (owner, instance) in managed.items()
        if targets and owner == provider and any(covers(target, address) for target in targets)
    )


def _is_ignored(attribute: str, ignored: Sequence[str]) -> bool:
    if not attribute or not ignored:
        return False
    at = same_steps(attribute)
    for path in ignored:
        steps = same_steps(path)
        if path == "all" or (
            len(steps) <= len(at) and all(one in ("*", other) for one, other in zip(steps, at, strict=False))
        ):
            return True
    return False


def _told(
    finding: m.DriftFinding, sensitive: Iterable[tuple[str, ...]], salt: str, veil: Veil
) -> m.DriftFinding | None:
    """Return a finding as it may be shown; None where the values behind a stand-in turn out to be equal."""
    before, after = finding.state_value, finding.live_value
    if is_sealed(before):
        if before == seal(after, salt):
            return None
        return msgspec.structs.replace(
            finding, state_value=HIDDEN, live_value=None if after is None else HIDDEN, sensitive=True
        )
    if finding.sensitive:
        before, after = (None if each is None else HIDDEN for each in (before, after))
    for rest in _inside(finding.attribute, sensitive):
        before, after = hidden(before, rest), hidden(after, rest)
    before, after = (shown(veil.value(each)) for each in (before, after))
    return msgspec.structs.replace(finding, state_value=before, live_value=after)


def _inside(attribute: str, sensitive: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the steps that lead to something sensitive inside the value of an attribute."""
    at = same_steps(attribute)
    for steps in sensitive:
        if at[: len(steps)] == steps:
            yield ()
        elif steps[: len(at)] == at:
            yield steps[len(at) :]


def by_address(drift: Drift) -> Mapping[str, Sequence[m.DriftFinding]]:
    """Return the findings of each address, in their order."""
    grouped: dict[str, list[m.DriftFinding]] = {}
    for address, each in drift.findings:
        grouped.setdefault(address, []).append(each)
    return grouped
