"""Every message of the contract (spec 5 and 9.3), JSON exactly as the Go types give it.

Field order, names and `omitempty` are the specification's; `encoding` explains how they are declared.
Differences a Go peer never notices: an empty untagged map or list is sent as `{}` or `[]` where Go may
send `null` (read, `null` is taken as empty); map keys keep their order; `<`, `>` and `&` are not escaped.
Durations are integer nanoseconds, times RFC 3339 in UTC.

Extensions, which a client that does not ask for them never sees:

* `PlanRequest.options` (`PlanOptions`), `PlanResource.ignore_changes` and `PlanResource.depends_on`;
* `PlanResponse.steps` and `.fingerprint`, sent when `options.detail` is true;
* `ApplyResponse.steps` and `.state`, sent when `options.detail` is true;
* the action `unchanged` in `PlannedResource` and `ApplyResult`: the resource is already as wanted;
* `PlanOptions.restore`: what configuration leaves alone becomes what the last apply left;
* `DriftFinding.sensitive`, `DriftRequest.schemas` and `.least_severity`, `ValidationFinding.repair`;
* an empty `resource_type` in `DiscoverResourcesRequest`: every registered type in one catalogue read.

Defined here because the specification only names them: drift, validation, audit, transaction and outbox
messages.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from kolumn.contract.encoding import JSONObject, Message, Name, always, omitempty
from kolumn.contract.times import ZERO_TIME, Timestamp

Action: TypeAlias = Literal["create", "update", "delete"]
PlannedAction: TypeAlias = Literal["create", "update", "delete", "unchanged"]
ResourceStatus: TypeAlias = Literal["active", "quarantined", "deleted"]
Severity: TypeAlias = Literal["info", "warning", "error"]


def _zero_time() -> Timestamp:
    return ZERO_TIME


# 5.1 Core types


class CreateResourceRequest(Message, frozen=True, kw_only=True):
    """Create one resource of `resource_type` called `name` as `config` describes it."""

    resource_type: Name
    name: Name
    config: JSONObject


class CreateResourceResponse(Message, frozen=True, kw_only=True):
    """What was created: its id and its state as the catalogue shows it."""

    success: bool = always(bool)
    resource_id: str = ""
    state: JSONObject = omitempty(dict)
    error: str = ""


class ReadResourceRequest(Message, frozen=True, kw_only=True):
    """Read the live state of one resource."""

    resource_type: Name
    name: Name


class ReadResourceResponse(Message, frozen=True, kw_only=True):
    """The live state; `exists` is false, and `success` true, when there is no such resource."""

    success: bool = always(bool)
    exists: bool = always(bool)
    state: JSONObject = omitempty(dict)
    error: str = ""


class UpdateResourceRequest(Message, frozen=True, kw_only=True):
    """Make an existing resource what `config` describes; `prior_state` is what the caller last saw."""

    resource_type: Name
    name: Name
    config: JSONObject
    prior_state: JSONObject = omitempty(dict)


class UpdateResourceResponse(Message, frozen=True, kw_only=True):
    """The state after the update."""

    success: bool = always(bool)
    state: JSONObject = omitempty(dict)
    error: str = ""


class DeleteResourceRequest(Message, frozen=True, kw_only=True):
    """Remove one resource; `state` is what the caller last saw."""

    resource_type: Name
    name: Name
    state: JSONObject = omitempty(dict)


class DeleteResourceResponse(Message, frozen=True, kw_only=True):
    """Where the resource went (8.3) and what it was before."""

    success: bool = always(bool)
    quarantine_location: str = ""
    before_state: JSONObject = omitempty(dict)
    error: str = ""


class DiscoverResourcesRequest(Message, frozen=True, kw_only=True):
    """Find live resources of a type; an empty `resource_type` means all types at once."""

    resource_type: str = always(str)
    filters: JSONObject = omitempty(dict)


class DiscoveredResource(Message, frozen=True, kw_only=True):
    """One live resource: `config` as a person would write it, `state` as the catalogue shows it."""

    type: Name
    name: Name
    config: JSONObject = always(dict)
    state: JSONObject = always(dict)


class DiscoverResourcesResponse(Message, frozen=True, kw_only=True):
    """What was found, ordered by type and name."""

    success: bool = always(bool)
    resources: tuple[DiscoveredResource, ...] = always(tuple)
    error: str = ""


# 5.2 Plan and Apply


class PlanResource(Message, frozen=True, kw_only=True):
    """One wanted operation."""

    resource_type: Name
    name: Name
    config: JSONObject = always(dict)
    """What should exist; empty for `delete`."""
    action: Action
    ignore_changes: tuple[str, ...] = ()
    """Extension: attribute paths whose differences are left alone; `all` for every one."""
    depends_on: tuple[str, ...] = ()
    """Extension: what must come first, as in `execution_order`: `type name`."""


class PlanOptions(Message, frozen=True, kw_only=True):
    """Extension: what the caller of Plan or Apply wants beyond the specification."""

    detail: bool = False
    """Send steps, fingerprint and (Apply) the new state."""
    fingerprint: str = ""
    """Apply: refuse with a StateError when the plan would now be another than the one it belongs to."""
    online: bool = False
    """Prefer the way that lets others read and write meanwhile, where the database has one."""
    prune: bool = False
    """Delete also every live object that neither the request nor the state means."""
    restore: bool = False
    """Bring back also what configuration leaves alone, e.g. an owner, as the last apply left it."""
    keep_partial: bool = False
    """On failure leave what was done and say what stands, instead of undoing it."""
    lock_timeout_seconds: int = 0
    """How long to wait for the apply lock; 0 for the provider's own setting."""
    reason: str = ""
    """Apply: why it goes ahead against what would have kept it back; noted in the audit trail."""
    backup: bool = False
    """Apply: save to a verified backup what steps destroy, before they do; refuse what no backup can hold."""


class PlanRequest(Message, frozen=True, kw_only=True):
    """The operations to plan (Plan) or to carry out (Apply)."""

    resources: tuple[PlanResource, ...]
    options: PlanOptions | None = None


class PlannedResource(Message, frozen=True, kw_only=True):
    """What will happen to one resource; `changes` maps attribute to `{"before": ..., "after": ...}`."""

    resource_type: Name
    name: Name
    action: PlannedAction
    changes: JSONObject = omitempty(dict)
    dependencies: tuple[str, ...] = ()


class OffendingRows(Message, frozen=True, kw_only=True):
    """Extension: rows that are there already and that a step would fail on."""

    table: str = always(str)
    count: int = always(int)
    key: tuple[str, ...] = ()
    """What tells rows apart: the primary key, else a column or two; empty where nothing may be shown."""
    keys: tuple[tuple[Any, ...], ...] = ()
    """The values of `key` in the first few of these rows."""


class PlanRisk(Message, frozen=True, kw_only=True):
    """Extension: one thing to know before a step runs."""

    kind: Name
    """`data_loss`, `table_rewrite`, `long_lock`, `irreversible`, `may_fail` or another of the provider's."""
    message: str = always(str)
    rows: OffendingRows | None = None
    """`may_fail`: the rows it fails on, where there are some: apply refuses the plan as long as there are."""


class PlanStep(Message, frozen=True, kw_only=True):
    """Extension: one step of a plan, in the order it runs."""

    order: int
    """Counts from 1."""
    resource_type: Name
    name: Name
    description: str = always(str)
    along: tuple[str, ...] = ()
    """Other resources that come, go or change in it, as `type name`, e.g. the indexes of a new table."""
    sql: tuple[str, ...] = ()
    """The statements, or the calls of a database without SQL, secrets masked."""
    undo: tuple[str, ...] = ()
    reversible: bool = always(bool)
    transactional: bool = always(bool)
    """Runs inside the one transaction of the apply."""
    alone: bool = False
    """Where others share a transaction, it has one of its own or is in none: a migration file by itself."""
    lock: str = ""
    """What it locks and how, in the database's own words; what others may do meanwhile, where that can be told,
    stands in parentheses at the end: `(others read and write)`, `(others read)`, `(nobody else reads or writes)`."""
    rewrites: bool = False
    """Writes the whole table anew."""
    rows: int | None = None
    """Rows of the table it is about, before the plan, as the catalogue estimates them; 0 where there is no table
    or it is new, None where nobody knows."""
    risks: tuple[PlanRisk, ...] = ()
    cleared: tuple[str, ...] = ()
    """What it could fail on; the rows were counted, and none is in the way."""
    needs: tuple[str, ...] = ()
    """What the session arranges around the transaction, in the provider's own terms."""
    values: bool = False
    """Whether values, secrets among them, stand apart from `sql`: then that alone cannot be run."""
    quarantine_location: str = ""
    """Where what it removes waits and can come back from."""


class PlanResponse(Message, frozen=True, kw_only=True):
    """The plan: `execution_order` holds `type name` of each resource, by its first step."""

    success: bool = always(bool)
    execution_order: tuple[str, ...] = always(tuple)
    resources: tuple[PlannedResource, ...] = always(tuple)
    warnings: tuple[str, ...] = ()
    error: str = ""
    steps: tuple[PlanStep, ...] = ()
    fingerprint: str = ""
    unmanaged: tuple[str, ...] = ()
    """Extension, with `detail` and where there are steps: `type identity` of each live object that neither
    the request nor the state means."""


class ApplyResult(Message, frozen=True, kw_only=True):
    """What happened to one resource."""

    resource_type: Name
    name: Name
    action: PlannedAction
    success: bool = always(bool)
    state: JSONObject = omitempty(dict)
    error: str = ""
    quarantine_location: str = ""
    """Extension: where what was deleted waits."""


class ApplySummary(Message, frozen=True, kw_only=True):
    """How many resources met which end; the five add up to the number of results."""

    created: int = always(int)
    updated: int = always(int)
    deleted: int = always(int)
    unchanged: int = always(int)
    failed: int = always(int)


class ExecutedStep(Message, frozen=True, kw_only=True):
    """Extension: one step that ran."""

    order: int
    resource_type: Name
    name: Name
    description: str = always(str)
    duration: int = always(int)
    """Nanoseconds."""


# 5.3 State (before ApplyResponse, which carries it)


class ResourceInstance(Message, frozen=True, kw_only=True):
    """One managed resource: what was asked for (`config`) and what the catalogue showed (`state`)."""

    type: Name
    name: Name
    provider: str = always(str)
    status: ResourceStatus = always(lambda: "active")
    config: JSONObject = always(dict)
    state: JSONObject = always(dict)
    metadata: JSONObject = omitempty(dict)
    created_at: Timestamp = always(_zero_time)
    updated_at: Timestamp = always(_zero_time)


class ProviderState(Message, frozen=True, kw_only=True):
    """Everything a provider manages. `version` is the version of this format.

    `metadata` carries `lineage` (string, one per history) and `serial` (integer, grows with each write).
    """

    version: Name
    provider: str = always(str)
    resources: tuple[ResourceInstance, ...]
    metadata: JSONObject = omitempty(dict)
    updated_at: Timestamp = always(_zero_time)


class ApplyResponse(Message, frozen=True, kw_only=True):
    """One result per resource of the request, in execution order."""

    success: bool = always(bool)
    results: tuple[ApplyResult, ...] = always(tuple)
    summary: ApplySummary = always(ApplySummary)
    error: str = ""
    steps: tuple[ExecutedStep, ...] = ()
    state: ProviderState | None = None
    """Extension: the state after the apply, for the caller to keep."""
    backup_path: str = ""
    """Extension: where the last backup is that was made."""


class StateRequest(Message, frozen=True, kw_only=True):
    """Ask for the whole state."""


class StateResponse(Message, frozen=True, kw_only=True):
    """The state; none when the provider holds none yet."""

    success: bool = always(bool)
    state: ProviderState | None = None
    error: str = ""


class SetStateRequest(Message, frozen=True, kw_only=True):
    """Replace the provider's state."""

    state: ProviderState


class SetStateResponse(Message, frozen=True, kw_only=True):
    """Whether the state was taken."""

    success: bool = always(bool)
    error: str = ""


# 5.4 Migrations


class MigrationOptions(Message, frozen=True, kw_only=True):
    """How to migrate; `timeout_seconds` 0 means no limit of its own."""

    dry_run: bool = always(bool)
    allow_data_loss: bool = always(bool)
    backup_before_migration: bool = always(bool)
    timeout_seconds: int = always(int)


class MigrationRequest(Message, frozen=True, kw_only=True):
    """Take one resource from one definition to another; an empty state means that it does not exist."""

    migration_id: Name
    resource_type: Name
    resource_name: Name
    from_state: JSONObject = always(dict)
    to_state: JSONObject = always(dict)
    options: MigrationOptions = always(MigrationOptions)
    """Sent always: Go's `omitempty` does nothing for a struct."""


class MigrationStep(Message, frozen=True, kw_only=True):
    """One step of a migration; `order` counts from 1."""

    order: int = always(int)
    description: str = always(str)
    sql: str = ""
    reversible: bool = always(bool)


class MigrationPlanResponse(Message, frozen=True, kw_only=True):
    """The steps a migration would take."""

    success: bool = always(bool)
    migration_id: str = always(str)
    steps: tuple[MigrationStep, ...] = always(tuple)
    warnings: tuple[str, ...] = ()
    data_loss_risk: bool = always(bool)
    error: str = ""


class MigrationApplyResponse(Message, frozen=True, kw_only=True):
    """The steps that ran; `duration` in nanoseconds."""

    success: bool = always(bool)
    migration_id: str = always(str)
    executed_steps: tuple[MigrationStep, ...] = always(tuple)
    backup_path: str = ""
    duration: int = always(int)
    error: str = ""


class MigrationRollbackResponse(Message, frozen=True, kw_only=True):
    """The steps that were undone, in the order of undoing; `duration` in nanoseconds."""

    success: bool = always(bool)
    migration_id: str = always(str)
    rolled_back_steps: tuple[MigrationStep, ...] = always(tuple)
    duration: int = always(int)
    error: str = ""


# 5.5 Utilities


class PingRequest(Message, frozen=True, kw_only=True):
    """Ask whether the database answers."""


class PingResponse(Message, frozen=True, kw_only=True):
    """The database answered within `latency_ms` milliseconds."""

    success: bool = always(bool)
    latency_ms: int = always(int)
    message: str = ""


class VersionRequest(Message, frozen=True, kw_only=True):
    """Ask for the provider's version."""


class VersionResponse(Message, frozen=True, kw_only=True):
    """The provider's version; `go_version` holds the language runtime's, here `python3.11.2` or the like."""

    success: bool = always(bool)
    version: str = always(str)
    build_date: str = ""
    git_commit: str = ""
    go_version: str = ""
    provider_name: str = always(str)


# 9.3 Errors


class ErrorResponse(Message, frozen=True, kw_only=True):
    """A failure as data; `details` has `category` (9.2) and, for several faults, `problems`."""

    success: bool = always(bool)
    error: str = always(str)
    code: str = ""
    details: JSONObject = omitempty(dict)


# 3.3.1 Drift, validation, audit: named by the specification, defined here


class DriftRequest(Message, frozen=True, kw_only=True):
    """Compare live resources with the state; empty filters mean all of them."""

    resource_types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Globs over the resource's name and over its object's, with and without schema."""
    include_unmanaged: bool = False
    """Report live resources that are in no state as well."""
    schemas: tuple[str, ...] = ()
    """Globs over the schema of the object."""
    least_severity: str = ""
    """Leave out findings that weigh less: `warning` or `error`; empty for none."""


class DriftFinding(Message, frozen=True, kw_only=True):
    """One difference between the live database and the state."""

    resource_type: Name
    name: Name
    kind: Literal["added", "removed", "changed", "unmanaged"]
    """`removed`: the resource, or the attribute, is gone; `unmanaged`: a live resource no state knows."""
    attribute: str = ""
    """Path of the attribute, e.g. `columns.email.type`; empty when the whole resource is meant."""
    state_value: Any = None
    live_value: Any = None
    severity: Severity = always(lambda: "warning")
    sensitive: bool = False
    """The values differ and are not told: `[REDACTED]` stands for each."""


class DriftResponse(Message, frozen=True, kw_only=True):
    """The findings, by resource type, name and attribute; `drifted` is true when there are any."""

    success: bool = always(bool)
    drifted: bool = always(bool)
    findings: tuple[DriftFinding, ...] = always(tuple)
    checked: int = always(int)
    """How many resources were compared."""
    checked_at: Timestamp = always(_zero_time)
    error: str = ""


class ValidateRequest(Message, frozen=True, kw_only=True):
    """Check `state`, or the provider's own when left out, in itself and against the database."""

    state: JSONObject | None = None
    """A `ProviderState`, or what is left of one: whatever is wrong with it is a finding."""
    resource_types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class StateEdit(Message, frozen=True, kw_only=True):
    """One change of a state document. Edits of one response all mean the document as it was sent."""

    path: Name
    """JSON path, e.g. `$.resources[3].status`."""
    remove: bool = False
    value: Any = None
    """What is there afterwards, unless it is removed."""


class StateRepair(Message, frozen=True, kw_only=True):
    """What to do about a fault of the state. The database is not changed by it."""

    action: Literal["forget", "drop_duplicate", "digest", "adopt", "set", "upgrade", "restore"]
    """`forget` and `drop_duplicate` remove an entry, `digest` notes what the catalogue says now, `adopt` takes
    the live object's configuration over, `set` puts a field right, `upgrade` brings it to the known format,
    `restore` goes back to an earlier state (the host's)."""
    description: str = always(str)
    edits: tuple[StateEdit, ...] = ()


class ValidationFinding(Message, frozen=True, kw_only=True):
    """One fault of the state."""

    resource_type: str = ""
    name: str = ""
    path: str = ""
    """JSON path inside the state."""
    code: Name
    message: str = always(str)
    severity: Severity = always(lambda: "error")
    repair: StateRepair | None = None
    """What mends it; none where somebody has to decide."""


class ValidateResponse(Message, frozen=True, kw_only=True):
    """`valid` is true when no finding is an error."""

    success: bool = always(bool)
    valid: bool = always(bool)
    findings: tuple[ValidationFinding, ...] = always(tuple)
    checked: int = always(int)
    error: str = ""


class AuditRequest(Message, frozen=True, kw_only=True):
    """Read the audit trail, newest first; empty filters match everything."""

    since: Timestamp | None = None
    """Inclusive."""
    until: Timestamp | None = None
    """Exclusive."""
    resource_type: str = ""
    name: str = ""
    actor: str = ""
    """A database user or an operating-system user."""
    action: str = ""
    cursor: str = ""
    """`next_cursor` of the page before, which must have been asked for with the same filters."""
    limit: int = 0
    """Entries per page; 0 for the provider's default, and never more than its most."""


class AuditEntry(Message, frozen=True, kw_only=True):
    """One thing that was done."""

    id: Name
    """Its number in the trail."""
    time: Timestamp
    actor: str = always(str)
    """The database user; the operating-system user where the database knows none."""
    action: str = always(str)
    """`create`, `update`, `delete`, `rebuild` for what was in the way; `apply` and the like for a call as a whole."""
    resource_type: str = ""
    name: str = ""
    success: bool = always(bool)
    """Whether it stands as far as this entry goes: false for `started`, `failed` and `undone`."""
    outcome: str = ""
    """`started` (noted before anything ran), `partial` (more of the resource follows), `succeeded`, `failed`,
    `undone`."""
    function: str = ""
    call_id: str = ""
    """The same for all entries of one call."""
    os_user: str = ""
    host: str = ""
    application: str = ""
    plan_fingerprint: str = ""
    duration: int = always(int)
    """Nanoseconds."""
    statements: tuple[str, ...] = ()
    """What ran, secrets masked."""
    before: JSONObject = omitempty(dict)
    """What was changed, by attribute, as it was; sensitive values are `[REDACTED]`."""
    after: JSONObject = omitempty(dict)
    error: str = ""
    previous_hash: str = ""
    hash: str = ""
    """SHA-256 over the entry and `previous_hash`, in hexadecimal digits."""


class AuditResponse(Message, frozen=True, kw_only=True):
    """One page of entries; an empty `next_cursor` means that this was the last."""

    success: bool = always(bool)
    entries: tuple[AuditEntry, ...] = always(tuple)
    next_cursor: str = ""
    error: str = ""


# 3.3.2 Transactions: named by the specification, defined here


class TransactionRequest(Message, frozen=True, kw_only=True):
    """Begin, commit or roll back. `isolation`, `read_only` and `timeout_seconds` are for Begin only.

    Until it ends, all that is called on this provider is part of the transaction. One is open at a time.
    """

    transaction_id: str = ""
    """Commit, Rollback: which one; with one transaction open it may be left out."""
    isolation: str = ""
    """The database's own word, e.g. `serializable`; empty for its default."""
    read_only: bool = False
    timeout_seconds: int = 0
    """Roll back by itself after this long; 0 for the provider's setting `query_timeout`."""
    savepoint: str = ""
    """Begin: open a savepoint of this name inside the transaction; Rollback: go back to it; Commit: forget it."""


class TransactionResponse(Message, frozen=True, kw_only=True):
    """The transaction and what became of it."""

    success: bool = always(bool)
    transaction_id: str = ""
    status: Literal["active", "committed", "rolled_back", ""] = ""
    isolation: str = ""
    read_only: bool = False
    started_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    error: str = ""


# 4.3 Outbox


class OutboxHealthMetricsRequest(Message, frozen=True, kw_only=True):
    """Ask for an outbox's health; an empty name means all of them together."""

    outbox: str = ""


class OutboxHealthMetrics(Message, frozen=True, kw_only=True):
    """The figures of 4.5; `healthy` when nothing failed and fewer than 1000 messages wait."""

    total_messages: int = always(int)
    pending_messages: int = always(int)
    processed_messages: int = always(int)
    failed_messages: int = always(int)
    oldest_pending: Timestamp | None = always(lambda: None)
    last_processed: Timestamp | None = always(lambda: None)
    healthy: bool = always(bool)


class OutboxCleanupRetentionRequest(Message, frozen=True, kw_only=True):
    """Delete processed messages older than the retention; 0 for the outbox's own setting."""

    outbox: str = ""
    retention_seconds: int = 0
    batch_size: int = 0
    dry_run: bool = False


class OutboxCleanupRetentionResponse(Message, frozen=True, kw_only=True):
    """How many messages went, or would go in a dry run; `oldest_kept` is the oldest one that stays."""

    success: bool = always(bool)
    deleted_messages: int = always(int)
    oldest_kept: Timestamp | None = None
    error: str = ""
