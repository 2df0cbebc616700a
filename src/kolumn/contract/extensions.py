"""Messages of functions that go beyond the specification's list: what Kolumn's own host asks a provider for.

A provider offers them like any other function; a host that does not know them never calls them
(docs/spec-readings.md).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kolumn.contract.encoding import JSONObject, Message, Name, always, omitempty
from kolumn.contract.messages import ProviderState

# Audit trail


class VerifyAuditLogRequest(Message, frozen=True, kw_only=True):
    """Read the whole audit trail and compare it with its hashes, its head and the state (SetState)."""


class AuditFault(Message, frozen=True, kw_only=True):
    """One place where the trail is not what was written."""

    kind: Literal["altered", "removed", "inserted", "reordered", "cut", "head", "replaced"]
    """What happened to the entry; `cut`: the last ones are gone; `head`: the head does not fit;
    `replaced`: the state knows another entry."""
    entry: int = always(int)
    """Number of the entry, of the first one where several are concerned."""
    message: str = always(str)


class VerifyAuditLogResponse(Message, frozen=True, kw_only=True):
    """`intact` is true when there are no faults; `entries` are the rows that were read."""

    success: bool = always(bool)
    intact: bool = always(bool)
    kept: bool = always(bool)
    """Whether there is a trail at all."""
    entries: int = always(int)
    head: str = ""
    """The hash of the last entry: written down elsewhere, it proves later that nothing was cut off."""
    faults: tuple[AuditFault, ...] = always(tuple)
    error: str = ""


# Backups


class BackupPart(Message, frozen=True, kw_only=True):
    """The rows of one resource in a backup."""

    resource_type: Name
    name: Name
    """Its identity in the database."""
    rows: int = always(int)
    bytes: int = always(int)
    lost: tuple[str, ...] = ()
    """The columns whose values are kept; none for whole rows."""


class Backup(Message, frozen=True, kw_only=True):
    """One backup; `fault` says what is wrong with one that cannot be used."""

    name: Name
    path: str = always(str)
    created_at: str = ""
    provider: str = ""
    """Empty where that cannot be read."""
    database: str = ""
    reason: str = ""
    migration: str = ""
    encrypted: bool = False
    rows: int = always(int)
    bytes: int = always(int)
    parts: tuple[BackupPart, ...] = ()
    fault: str = ""


class ListBackupsRequest(Message, frozen=True, kw_only=True):
    """Ask which backups are in the provider's folder."""


class ListBackupsResponse(Message, frozen=True, kw_only=True):
    """The backups, oldest first, those that cannot be used as well."""

    success: bool = always(bool)
    folder: str = always(str)
    backups: tuple[Backup, ...] = always(tuple)
    error: str = ""


class VerifyBackupRequest(Message, frozen=True, kw_only=True):
    """Read all of a backup: seal, checksums, row counts."""

    name: Name


class VerifyBackupResponse(Message, frozen=True, kw_only=True):
    """The backup, which is whole; a damaged one is a StateError."""

    success: bool = always(bool)
    backup: Backup | None = None
    error: str = ""


class RestoreBackupRequest(Message, frozen=True, kw_only=True):
    """Put the rows of backups back, of some resources or of all; what went last comes back first."""

    names: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    resources: tuple[str, ...] = ()
    """`type identity` of each; none for all."""
    dry_run: bool = False


class RestoredPart(Message, frozen=True, kw_only=True):
    """What became of one part: `restored` of `rows` are there again, or have their values back."""

    resource_type: Name
    name: Name
    rows: int = always(int)
    restored: int = always(int)
    recreated: bool = False
    """Whether the resource, or a column of it, had to be made first."""


class RestoreBackupResponse(Message, frozen=True, kw_only=True):
    """What was put back; in a dry run what would be."""

    success: bool = always(bool)
    parts: tuple[RestoredPart, ...] = always(tuple)
    error: str = ""


# Migrations


ScriptStatus = Literal["running", "applied", "rolled_back"]


class RunScriptRequest(Message, frozen=True, kw_only=True):
    """Run one migration script and note it in the database.

    `up` is noted under `version` with the checksum; `down` takes the note of it back.
    """

    version: Name
    name: str = ""
    direction: Literal["up", "down"] = "up"
    script: str = always(str)
    checksum: str = always(str)
    """Of the file that is noted: of the way up."""
    transactional: bool = always(lambda: True)
    """Whether all of it is one transaction."""
    needs: tuple[str, ...] = ()
    """What the session arranges around the transaction (`PlanStep.needs`)."""
    dry_run: bool = False
    timeout_seconds: int = 0


class RunScriptResponse(Message, frozen=True, kw_only=True):
    """How many statements ran, and how long they took in nanoseconds; `already` when it was applied before."""

    success: bool = always(bool)
    version: str = always(str)
    statements: tuple[str, ...] = ()
    """In a dry run: what would run, secrets masked."""
    executed: int = always(int)
    duration: int = always(int)
    already: bool = False
    error: str = ""


class ScriptRecord(Message, frozen=True, kw_only=True):
    """A migration script as the database remembers it."""

    version: Name
    name: str = ""
    checksum: str = always(str)
    status: ScriptStatus = always(lambda: "applied")
    applied_at: str = ""
    executed: int = always(int)
    """Statements that ran; of a script that was interrupted, those that were finished."""
    error: str = ""


class MigrationRecord(Message, frozen=True, kw_only=True):
    """A migration of one resource as the database remembers it."""

    migration_id: Name
    resource_type: Name
    resource_name: Name
    status: Literal["planned", "running", "applied", "failed", "rolling_back", "rolled_back"] = always(
        lambda: "planned"
    )
    checksum: str = always(str)
    started_at: str = ""
    finished_at: str = ""
    backups: tuple[str, ...] = ()
    steps: tuple[JSONObject, ...] = ()
    error: str = ""


class ListMigrationsRequest(Message, frozen=True, kw_only=True):
    """Ask what the database remembers of migrations."""


class ListMigrationsResponse(Message, frozen=True, kw_only=True):
    """Migrations of resources by time, scripts by version."""

    success: bool = always(bool)
    migrations: tuple[MigrationRecord, ...] = always(tuple)
    scripts: tuple[ScriptRecord, ...] = always(tuple)
    error: str = ""


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
