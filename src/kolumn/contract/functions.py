"""The functions a provider offers, in one table (spec 3 and Appendix A).

Dispatcher, schema, conformance suite and `PROVIDER_STATUS.md` all read `FUNCTIONS`; nothing else lists them.
Where section 3 and Appendix A contradict each other the stronger promise to the user is taken
(docs/spec-readings.md): `GetAuditLog` is required of analytical databases (3.3.1) although Appendix A waives
it, and transactions of NoSQL databases are required where the server has them, which covers 3.3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType

from kolumn.contract import extensions as x
from kolumn.contract import messages as m
from kolumn.contract.encoding import Message


class Category(StrEnum):
    """Kinds of database (spec 14)."""

    SQL = "sql"
    ANALYTICAL = "analytical"
    NOSQL = "nosql"
    TIMESERIES = "timeseries"


class Requirement(StrEnum):
    """Whether a category must offer a function; one that is not required may still be offered."""

    REQUIRED = "required"
    IF_SUPPORTED = "if_supported"
    NOT_REQUIRED = "not_required"


class Tier(IntEnum):
    """The tiers of 3.1; streaming functions stand beside them (4.3), and what the specification does not know."""

    UNIVERSAL = 1
    CONDITIONAL = 2
    MIGRATION = 3
    STREAMING = 4
    EXTENSION = 5


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the contract."""

    name: str
    tier: Tier
    request: type[Message]
    response: type[Message]
    required: Mapping[Category, Requirement]
    description: str
    """One line, from the specification."""


_ALL = MappingProxyType(dict.fromkeys(Category, Requirement.REQUIRED))
_ENTERPRISE = MappingProxyType(
    {
        Category.SQL: Requirement.REQUIRED,
        Category.ANALYTICAL: Requirement.REQUIRED,
        Category.NOSQL: Requirement.NOT_REQUIRED,
        Category.TIMESERIES: Requirement.NOT_REQUIRED,
    }
)
_TRANSACTIONS = MappingProxyType(
    {
        Category.SQL: Requirement.REQUIRED,
        Category.ANALYTICAL: Requirement.IF_SUPPORTED,
        Category.NOSQL: Requirement.IF_SUPPORTED,
        Category.TIMESERIES: Requirement.NOT_REQUIRED,
    }
)
_NONE = MappingProxyType(dict.fromkeys(Category, Requirement.NOT_REQUIRED))

_TABLE = (
    # 3.2, for every provider
    Function(
        "CreateResource",
        Tier.UNIVERSAL,
        m.CreateResourceRequest,
        m.CreateResourceResponse,
        _ALL,
        "Create new database resource",
    ),
    Function(
        "ReadResource",
        Tier.UNIVERSAL,
        m.ReadResourceRequest,
        m.ReadResourceResponse,
        _ALL,
        "Read existing resource state",
    ),
    Function(
        "UpdateResource",
        Tier.UNIVERSAL,
        m.UpdateResourceRequest,
        m.UpdateResourceResponse,
        _ALL,
        "Modify existing resource",
    ),
    Function(
        "DeleteResource",
        Tier.UNIVERSAL,
        m.DeleteResourceRequest,
        m.DeleteResourceResponse,
        _ALL,
        "Remove resource",
    ),
    Function(
        "DiscoverResources",
        Tier.UNIVERSAL,
        m.DiscoverResourcesRequest,
        m.DiscoverResourcesResponse,
        _ALL,
        "Auto-discover infrastructure",
    ),
    Function(
        "Plan",
        Tier.UNIVERSAL,
        m.PlanRequest,
        m.PlanResponse,
        _ALL,
        "Generate execution plan with dependency tree",
    ),
    Function(
        "Apply",
        Tier.UNIVERSAL,
        m.PlanRequest,
        m.ApplyResponse,
        _ALL,
        "Execute planned changes in dependency order",
    ),
    Function("GetState", Tier.UNIVERSAL, m.StateRequest, m.StateResponse, _ALL, "Retrieve provider state"),
    Function(
        "SetState", Tier.UNIVERSAL, m.SetStateRequest, m.SetStateResponse, _ALL, "Update provider state"
    ),
    Function("Ping", Tier.UNIVERSAL, m.PingRequest, m.PingResponse, _ALL, "Health check connection"),
    Function("Version", Tier.UNIVERSAL, m.VersionRequest, m.VersionResponse, _ALL, "Return provider version"),
    # 3.3.1
    Function(
        "DetectDrift",
        Tier.CONDITIONAL,
        m.DriftRequest,
        m.DriftResponse,
        _ENTERPRISE,
        "Detect configuration drift",
    ),
    Function(
        "ValidateState",
        Tier.CONDITIONAL,
        m.ValidateRequest,
        m.ValidateResponse,
        _ENTERPRISE,
        "Validate state consistency",
    ),
    Function(
        "GetAuditLog", Tier.CONDITIONAL, m.AuditRequest, m.AuditResponse, _ENTERPRISE, "Retrieve audit trail"
    ),
    # 3.3.2
    Function(
        "BeginTransaction",
        Tier.CONDITIONAL,
        m.TransactionRequest,
        m.TransactionResponse,
        _TRANSACTIONS,
        "Start transaction",
    ),
    Function(
        "CommitTransaction",
        Tier.CONDITIONAL,
        m.TransactionRequest,
        m.TransactionResponse,
        _TRANSACTIONS,
        "Commit transaction",
    ),
    Function(
        "RollbackTransaction",
        Tier.CONDITIONAL,
        m.TransactionRequest,
        m.TransactionResponse,
        _TRANSACTIONS,
        "Rollback transaction",
    ),
    # 3.4
    Function(
        "PlanMigration",
        Tier.MIGRATION,
        m.MigrationRequest,
        m.MigrationPlanResponse,
        _ALL,
        "Plan schema migration",
    ),
    Function(
        "ApplyMigration",
        Tier.MIGRATION,
        m.MigrationRequest,
        m.MigrationApplyResponse,
        _ALL,
        "Execute schema migration",
    ),
    Function(
        "RollbackMigration",
        Tier.MIGRATION,
        m.MigrationRequest,
        m.MigrationRollbackResponse,
        _ALL,
        "Rollback failed migration",
    ),
    # 4.3
    Function(
        "OutboxHealthMetrics",
        Tier.STREAMING,
        m.OutboxHealthMetricsRequest,
        m.OutboxHealthMetrics,
        _ALL,
        "Return outbox health metrics",
    ),
    Function(
        "OutboxCleanupRetention",
        Tier.STREAMING,
        m.OutboxCleanupRetentionRequest,
        m.OutboxCleanupRetentionResponse,
        _ALL,
        "Clean old outbox entries",
    ),
    # Beyond the specification
    Function(
        "VerifyAuditLog",
        Tier.EXTENSION,
        x.VerifyAuditLogRequest,
        x.VerifyAuditLogResponse,
        _NONE,
        "Find what was tampered with in the audit trail",
    ),
    Function(
        "ListMigrations",
        Tier.EXTENSION,
        x.ListMigrationsRequest,
        x.ListMigrationsResponse,
        _NONE,
        "List what the database remembers of migrations",
    ),
    Function(
        "RunMigrationScript",
        Tier.EXTENSION,
        x.RunScriptRequest,
        x.RunScriptResponse,
        _NONE,
        "Run a migration script and note it in the database",
    ),
    Function(
        "ListBackups",
        Tier.EXTENSION,
        x.ListBackupsRequest,
        x.ListBackupsResponse,
        _NONE,
        "List the backups of destroyed data",
    ),
    Function(
        "VerifyBackup",
        Tier.EXTENSION,
        x.VerifyBackupRequest,
        x.VerifyBackupResponse,
        _NONE,
        "Read a whole backup and compare its checksums",
    ),
    Function(
        "RestoreBackup",
        Tier.EXTENSION,
        x.RestoreBackupRequest,
        x.RestoreBackupResponse,
        _NONE,
        "Put the rows of a backup back",
    ),
    Function(
        "ListQuarantine",
        Tier.EXTENSION,
        x.QuarantineRequest,
        x.QuarantineResponse,
        _NONE,
        "List what was deleted and can come back",
    ),
    Function(
        "RestoreQuarantine",
        Tier.EXTENSION,
        x.RestoreQuarantineRequest,
        x.RestoreQuarantineResponse,
        _NONE,
        "Bring back what was deleted",
    ),
    Function(
        "PurgeQuarantine",
        Tier.EXTENSION,
        x.PurgeQuarantineRequest,
        x.PurgeQuarantineResponse,
        _NONE,
        "Remove for good what was deleted",
    ),
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType({function.name: function for function in _TABLE})
"""Every function by its name, in the order of the specification."""
