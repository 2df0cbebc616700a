"""Refresh: bring the state in line with the databases without changing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kolumn.config.project import Project
from kolumn.contract.times import Timestamp
from kolumn.host import state as states
from kolumn.host.addresses import address_of, bare_type, covers, prefixed_type
from kolumn.host.planning import Options, ProjectPlan
from kolumn.host.providers import Fleet
from kolumn.host.requests import Requests
from kolumn.host.results import Applied, Change, Difference, Result, Review
from kolumn.host.sealing import Veil, seal_texts, shown
from kolumn.host.state import Managed, State


def plan_refresh(project: Project, state: State, fleet: Fleet, options: Options) -> ProjectPlan:
    """Return what a refresh finds, and the state it would leave.

    A resource that is gone from its database is forgotten; one that was changed there is recorded as it is
    now, so that the next plan compares the configuration with it again.
    """
    providers = dict(state.providers)
    changes: list[Change] = []
    unchanged = 0
    for provider, raw in state.providers.items():
        client = fleet.get(provider)
        client.set_state(raw)  # what counts only where it is named is reported as far as it is managed
        live = {
            (bare_type(provider, each.type), str(each.state.get("identity", each.name))): each
            for each in client.discover()
        }
        document: dict[str, Any] = msgspec.json.decode(raw)
        kept: list[dict[str, Any]] = []
        for entry in document.get("resources", ()):
            type_ = prefixed_type(provider, entry["type"])
            address = address_of(type_, entry["name"])
            if options.targets and not any(covers(target, address) for target in options.targets):
                kept.append(entry)
                continue
            if entry.get("status", "active") != "active":
                kept.append(entry)
                continue
            identity = str(entry.get("state", {}).get("identity", entry["name"]))
            found = live.get((_found_as(provider, entry), identity))
            if found is None:
                changes.append(_change(address, type_, provider, "forget", "it is gone from the database"))
                continue
            kept.append(entry)
            if dict(found.state) == entry.get("state"):
                unchanged += 1
                continue
            changes.append(
                _change(
                    address,
                    type_,
                    provider,
                    "refresh",
                    "it was changed outside of Kolumn",
                    _differences(entry.get("config", {}), Veil(project.secrets).value(found.config)),
                )
            )
            kept[-1] = {
                **entry,
                "config": seal_texts(found.config, project.secrets, state.salt),
                "state": found.state,
                "metadata": {"created_by": "kolumn", "managed": True},
                "updated_at": str(Timestamp.utc_now()),
            }
        if any(change.provider == provider for change in changes):
            document["resources"] = kept
            providers[provider] = msgspec.Raw(msgspec.json.encode(document))
    managed = {
        address_of(prefixed_type(provider, each.type), each.name)
        for provider, raw in providers.items()
        for each in states.instances(raw)
    }
    after = msgspec.structs.replace(
        state,
        providers=providers,
        resources={address: record for address, record in state.resources.items() if address in managed},
    )
    return ProjectPlan(
        requests=Requests(
            order=(), resources={}, addresses={}, before=state, state=state, managed=Managed(state)
        ),
        providers=(),
        review=Review(changes=tuple(changes), unchanged=unchanged, refresh_only=True),
        records=after.resources,
        outputs=state.outputs,
        options=options,
        refreshed=after,
    )


def _found_as(provider: str, entry: Mapping[str, Any]) -> str:
    """Return the type a managed resource is reported as: a role that may log in is a user to its database."""
    match entry.get("metadata"):
        case {"ref": [str(kind), *_]}:
            return kind
    return bare_type(provider, entry["type"])


def results(plan: ProjectPlan, serial: int, seconds: float) -> Applied:
    """Return the result of a refresh that was written."""
    return Applied(
        results=tuple(
            Result(address=each.address, provider=each.provider, action=each.action, success=True)
            for each in plan.review.changes
        ),
        seconds=seconds,
        serial=serial,
    )


def _change(
    address: str,
    type_: str,
    provider: str,
    action: Any,
    reason: str,
    differences: tuple[Difference, ...] = (),
) -> Change:
    return Change(
        address=address, type=type_, provider=provider, action=action, reason=reason, differences=differences
    )


def _differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[Difference, ...]:
    """Return top-level attributes that differ; how a list differs inside is the provider's to say.

    `renamed_from` is a wish of the configuration, which no database knows.
    """
    return tuple(
        Difference(key, shown(before.get(key)), after.get(key))
        for key in [*before, *(key for key in after if key not in before)]
        if key != "renamed_from"
        and before.get(key) != after.get(key)
        and not isinstance(after.get(key, before.get(key)), list | dict)
    )
