"""The audit trails of a project's databases: reading them, and finding out whether somebody changed them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import msgspec

from kolumn.contract import extensions as x
from kolumn.contract import messages as m
from kolumn.contract.errors import ValidationError
from kolumn.contract.times import Timestamp
from kolumn.host.addresses import address_of, name_of, prefixed_type
from kolumn.host.providers import Client
from kolumn.host.workspace import Workspace

_PAGE = 1000
_AGO = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which entries are wanted; empty for all."""

    since: Timestamp | None = None
    until: Timestamp | None = None
    address: str = ""
    """Of a resource, e.g. `sqlite_table.users`."""
    actor: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """One entry, and whose it is."""

    provider: str
    address: str
    """Of the resource; empty where the entry is about a call as a whole."""
    entry: m.AuditEntry


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of verifying one database's trail."""

    provider: str
    result: x.VerifyAuditLogResponse


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of verifying all of them."""

    results: tuple[Verified, ...]
    without: tuple[str, ...] = ()
    """Providers that keep no trail and cannot verify one."""

    @property
    def intact(self) -> bool:
        """Whether no fault was found."""
        return all(each.result.intact for each in self.results)


def parse_moment(text: str, now: Timestamp) -> Timestamp:
    """Read a time as people write it: `2025-12-15`, RFC 3339, or how long ago: `90m`, `12h`, `7d`, `2w`.

    A day without a time is its beginning in UTC. Raises ValidationError `bad_argument`.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return Timestamp.of(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        return Timestamp.parse(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    except (ValueError, OverflowError):
        raise ValidationError(
            f"{text!r} is no time. Write 2025-12-15, 2025-12-15T10:30:00Z, or how long ago: 12h, 7d.",
            code="bad_argument",
        ) from None


def read(workspace: Workspace, filters: Filters, *, limit: int) -> tuple[Noted, ...]:
    """Return the newest entries of all databases together, at most `limit` of them, all for 0.

    Raises ValidationError for an address that is none.
    """
    type_, name = name_of(filters.address) if filters.address else ("", "")
    if filters.address and not type_:
        raise ValidationError(
            f"{filters.address!r} is no address of a resource. Write TYPE.NAME, e.g. sqlite_table.users.",
            code="bad_argument",
        )
    found: list[Noted] = []
    for provider in _providers(workspace):
        if type_ and not type_.startswith(f"{provider.partition('.')[0]}_"):
            continue
        request = m.AuditRequest(
            since=filters.since,
            until=filters.until,
            resource_type=type_,
            name=name,
            actor=filters.actor,
            action=filters.action,
            limit=min(limit or _PAGE, _PAGE),
        )
        try:
            entries = _entries(workspace.fleet.get(provider), request)
            found += (
                Noted(provider, _address(provider, entry), entry) for entry in islice(entries, limit or None)
            )
        except ValidationError as error:
            if error.code != "unsupported_function":
                raise
    # Sorting keeps the order of what is equal, which within a trail is that of its numbers.
    found.sort(key=lambda noted: noted.entry.time, reverse=True)
    return tuple(found[: limit or None])


def verify(workspace: Workspace) -> Verification:
    """Verify the trail of every database, against what the state knows of it as well."""
    results, without = [], []
    for provider in _providers(workspace):
        client = workspace.fleet.get(provider)
        if raw := workspace.state.providers.get(provider):
            client.set_state(raw)
        try:
            results.append(Verified(provider, client.verify_audit()))
        except ValidationError as error:
            if error.code != "unsupported_function":
                raise
            without.append(provider)
    return Verification(tuple(results), tuple(without))


def _providers(workspace: Workspace) -> tuple[str, ...]:
    """Return the addresses of all providers that are configured or manage something."""
    configured = (block.address for block in workspace.configuration.project.providers)
    used = (resource.provider for resource in workspace.configuration.project.resources)
    return tuple(dict.fromkeys([*configured, *used, *workspace.state.providers]))


def _entries(client: Client, request: m.AuditRequest) -> Iterator[m.AuditEntry]:
    while True:
        page = client.audit(request)
        yield from page.entries
        if not page.next_cursor:
            return
        request = msgspec.structs.replace(request, cursor=page.next_cursor)


def _address(provider: str, entry: m.AuditEntry) -> str:
    if not entry.resource_type:
        return ""
    return address_of(prefixed_type(provider, entry.resource_type), entry.name)
