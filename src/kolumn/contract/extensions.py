"""Messages of functions that go beyond the specification's list: what Kolumn's own host asks a provider for.

A provider offers them like any other function; a host that does not know them never calls them
(docs/spec-readings.md).
"""

from __future__ import annotations

from kolumn.contract.encoding import JSONObject, Message, Name, always, omitempty
from kolumn.contract.messages import ProviderState

# The quarantine (spec 8.3)


class QuarantineRequest(Message, frozen=True, kw_only=True):
    """List what is in quarantine; all of it without ids."""

    ids: tuple[str, ...] = ()


class QuarantinedObject(Message, frozen=True, kw_only=True):
    """One object that went with a deletion. `how`: moved, along, dropped, part, column or values."""

    resource_type: Name
    identity: Name
    how: Name
    config: JSONObject = omitempty(dict)
    """What it was."""


class QuarantineEntry(Message, frozen=True, kw_only=True):
    """What one deletion set aside. `resource_type` is `column` for the values of a column."""

    id: Name
    resource_type: Name
    name: Name
    """Its name in the database."""
    location: str = always(str)
    quarantined_at: str = always(str)
    quarantined_by: str = always(str)
    retained_until: str = always(str)
    """Before this it is purged only with `force`."""
    expired: bool = always(bool)
    rows: int | None = None
    """How many rows wait; missing where there are none to speak of."""
    objects: tuple[QuarantinedObject, ...] = ()
    resources: tuple[str, ...] = ()
    """What state called it: `type name`."""


class QuarantineResponse(Message, frozen=True, kw_only=True):
    """What is in quarantine, the oldest first."""

    success: bool = always(bool)
    entries: tuple[QuarantineEntry, ...] = always(tuple)
    error: str = ""


class RestoreQuarantineRequest(Message, frozen=True, kw_only=True):
    """Bring entries back, all or none."""

    ids: tuple[str, ...]
    configured: tuple[str, ...] = ()
    """Resources, `type name`, that configuration names: they are managed again."""


class RestoreQuarantineResponse(Message, frozen=True, kw_only=True):
    """What came back, and how."""

    success: bool = always(bool)
    restored: tuple[QuarantineEntry, ...] = always(tuple)
    managed: tuple[str, ...] = ()
    """What is managed again: `type identity`."""
    unmanaged: tuple[str, ...] = ()
    """What is there again without being managed: `type identity`."""
    notes: tuple[str, ...] = ()
    """What is not as it was, e.g. rows that are new since."""
    steps: tuple[str, ...] = ()
    state: ProviderState | None = None
    error: str = ""


class PurgeQuarantineRequest(Message, frozen=True, kw_only=True):
    """Remove entries for good: these, or without ids all whose retention has ended."""

    ids: tuple[str, ...] = ()
    force: bool = False
    """Also before their retention ends; with no ids, all of them."""


class PurgeQuarantineResponse(Message, frozen=True, kw_only=True):
    """What is gone for good."""

    success: bool = always(bool)
    purged: tuple[QuarantineEntry, ...] = always(tuple)
    state: ProviderState | None = None
    error: str = ""
