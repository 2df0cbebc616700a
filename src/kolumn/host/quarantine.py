"""What was deleted and can come back: listed, restored and purged across the providers of a project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from kolumn.contract import extensions as x
from kolumn.contract.errors import OperationError, ValidationError
from kolumn.host.addresses import address_of, bare_type, prefixed_type
from kolumn.host.state import State
from kolumn.host.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One entry and the provider in whose database it is."""

    provider: str
    entry: x.QuarantineEntry

    @property
    def addresses(self) -> tuple[str, ...]:
        """What state called it, and what its database calls it."""
        resources = [each.partition(" ")[::2] for each in self.entry.resources]
        return tuple(
            address_of(prefixed_type(self.provider, type_), name)
            for type_, name in dict.fromkeys([*resources, (self.entry.resource_type, self.entry.name)])
        )

    def is_called(self, address: str) -> bool:
        """Whether an address means it; some databases do not tell capital letters from small ones."""
        return address.casefold() in map(str.casefold, self.addresses)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back in one provider's database."""

    provider: str
    response: x.RestoreQuarantineResponse


def listed(workspace: Workspace, wanted: Sequence[str] = ()) -> tuple[Quarantined, ...]:
    """Return what is in quarantine, or what `wanted` names by id or address.

    Raises ValidationError `not_in_quarantine` naming what is not there, `ambiguous` for an address that means
    several entries.
    """
    found = [
        Quarantined(provider, entry)
        for provider in _providers(workspace)
        for entry in _entries(workspace, provider)
    ]
    if not wanted:
        return tuple(found)
    chosen: dict[tuple[str, str], Quarantined] = {}
    for name in wanted:
        matches = [each for each in found if name == each.entry.id or each.is_called(name)]
        if not matches:
            raise ValidationError(
                f"{name} is not in quarantine. `kolumn quarantine list` tells what is.",
                code="not_in_quarantine",
            )
        if len(matches) > 1:
            ids = ", ".join(f"{each.entry.id} ({each.entry.quarantined_at})" for each in matches)
            raise ValidationError(f"{name} is there several times: {ids}. Give the id.", code="ambiguous")
        chosen[matches[0].provider, matches[0].entry.id] = matches[0]
    return tuple(chosen.values())


def restore(workspace: Workspace, wanted: Sequence[str]) -> tuple[Restored, ...]:
    """Bring entries back; what configuration names is managed again. The project must be locked."""
    configured: dict[str, list[str]] = {}
    for each in workspace.configuration.project.resources:
        name = f"{bare_type(each.provider, each.type)} {each.name}"
        configured.setdefault(each.provider, []).append(name)
    done = []
    for provider, ids in _by_provider(listed(workspace, wanted)):
        request = x.RestoreQuarantineRequest(ids=ids, configured=tuple(configured.get(provider, ())))
        response = workspace.fleet.get(provider).restore_quarantine(request)
        _keep_state(workspace, provider)
        done.append(Restored(provider, response))
    return tuple(done)


def purge(workspace: Workspace, wanted: Sequence[str], *, force: bool) -> tuple[Quarantined, ...]:
    """Remove entries for good: those named, else all whose retention has ended, with `force` all.

    The project must be locked.
    """
    done = []
    found = listed(workspace, wanted)
    for provider, ids in _by_provider(found):
        request = x.PurgeQuarantineRequest(ids=ids if wanted else (), force=force)
        response = workspace.fleet.get(provider).purge_quarantine(request)
        _keep_state(workspace, provider)
        done += [Quarantined(provider, each) for each in response.purged]
    return tuple(done)


def _providers(workspace: Workspace) -> list[str]:
    """Return the providers that are configured or manage something."""
    project = workspace.configuration.project
    addresses = [each.address for each in project.providers]
    return list(dict.fromkeys([*addresses, *workspace.state.providers]))


def _entries(workspace: Workspace, provider: str) -> tuple[x.QuarantineEntry, ...]:
    client = workspace.fleet.get(provider)
    if raw := workspace.state.providers.get(provider):
        client.set_state(raw)
    try:
        return client.quarantine()
    except (ValidationError, OperationError) as error:
        if error.code in ("unsupported_function", "no_quarantine"):
            return ()
        raise


def _by_provider(found: Iterable[Quarantined]) -> list[tuple[str, tuple[str, ...]]]:
    ids: dict[str, list[str]] = {}
    for each in found:
        ids.setdefault(each.provider, []).append(each.entry.id)
    return [(provider, tuple(each)) for provider, each in ids.items()]


def _keep_state(workspace: Workspace, provider: str) -> None:
    state: State = workspace.state
    raw = workspace.fleet.get(provider).get_state()
    if provider in state.providers:
        workspace.ledger.put(msgspec.structs.replace(state, providers={**state.providers, provider: raw}))
