"""The JSON of every message, compared with what Go's encoding/json gives for the types of spec 5, 7 and 9."""

import inspect
from typing import Any

import pytest

from kolumn.contract import extensions as x
from kolumn.contract import messages as m
from kolumn.contract.codec import decode, encode
from kolumn.contract.encoding import Message
from kolumn.contract.functions import FUNCTIONS
from kolumn.contract.schema import (
    AttributeSchema,
    ObjectType,
    ProviderSchema,
    ResourceTypeDefinition,
    ValidatorSpec,
)
from kolumn.contract.times import Timestamp

NOON = Timestamp.parse("2025-12-15T10:30:00Z")
LATER = Timestamp.parse("2025-12-15T12:30:00.250+02:00")
TYPED: dict[str, Any] = {"resource_type": "table", "name": "users"}

INSTANCE = m.ResourceInstance(
    type="postgres_table",
    name="users",
    provider="postgres.production",
    config={"schema": "public"},
    state={"oid": "16384", "row_count": 1500},
    created_at=NOON,
    updated_at=LATER,
)
INSTANCE_JSON = (
    '{"type":"postgres_table","name":"users","provider":"postgres.production","status":"active",'
    '"config":{"schema":"public"},"state":{"oid":"16384","row_count":1500},'
    '"created_at":"2025-12-15T10:30:00Z","updated_at":"2025-12-15T10:30:00.25Z"}'
)
STATE = m.ProviderState(version="1.0.0", provider="postgres", resources=(INSTANCE,), updated_at=NOON)
STATE_JSON = (
    '{"version":"1.0.0","provider":"postgres","resources":[' + INSTANCE_JSON + "],"
    '"updated_at":"2025-12-15T10:30:00Z"}'
)
STEP = m.MigrationStep(order=1, description="add", sql="ALTER TABLE t ADD c", reversible=True)
STEP_JSON = '{"order":1,"description":"add","sql":"ALTER TABLE t ADD c","reversible":true}'

CASES: list[tuple[Message, str]] = [
    # 5.1
    (
        m.CreateResourceRequest(**TYPED, config={"b": 1, "a": None}),
        '{"resource_type":"table","name":"users","config":{"b":1,"a":null}}',
    ),
    (m.CreateResourceRequest(**TYPED, config={}), '{"resource_type":"table","name":"users","config":{}}'),
    (m.CreateResourceResponse(), '{"success":false}'),
    (
        m.CreateResourceResponse(success=True, resource_id="1", state={"a": 1}, error="e"),
        '{"success":true,"resource_id":"1","state":{"a":1},"error":"e"}',
    ),
    (m.ReadResourceRequest(**TYPED), '{"resource_type":"table","name":"users"}'),
    (m.ReadResourceResponse(success=True), '{"success":true,"exists":false}'),
    (
        m.ReadResourceResponse(success=True, exists=True, state={"a": 1}),
        '{"success":true,"exists":true,"state":{"a":1}}',
    ),
    (
        m.UpdateResourceRequest(**TYPED, config={"a": 1}),
        '{"resource_type":"table","name":"users","config":{"a":1}}',
    ),
    (
        m.UpdateResourceRequest(**TYPED, config={}, prior_state={"a": 0}),
        '{"resource_type":"table","name":"users","config":{},"prior_state":{"a":0}}',
    ),
    (m.UpdateResourceResponse(success=True), '{"success":true}'),
    (m.DeleteResourceRequest(**TYPED), '{"resource_type":"table","name":"users"}'),
    (
        m.DeleteResourceResponse(success=True, quarantine_location="q", before_state={"a": 1}),
        '{"success":true,"quarantine_location":"q","before_state":{"a":1}}',
    ),
    (m.DiscoverResourcesRequest(), '{"resource_type":""}'),
    (
        m.DiscoverResourcesRequest(resource_type="table", filters={"schema": "public"}),
        '{"resource_type":"table","filters":{"schema":"public"}}',
    ),
    (m.DiscoverResourcesResponse(), '{"success":false,"resources":[]}'),
    (
        m.DiscoverResourcesResponse(
            success=True, resources=(m.DiscoveredResource(type="table", name="users"),)
        ),
        '{"success":true,"resources":[{"type":"table","name":"users","config":{},"state":{}}]}',
    ),
    # 5.2
    (m.PlanRequest(resources=()), '{"resources":[]}'),
    (
        m.PlanRequest(
            resources=(
                m.PlanResource(**TYPED, config={"a": 1}, action="create"),
                m.PlanResource(**TYPED, action="delete", ignore_changes=("a",), depends_on=("table b",)),
            ),
            options=m.PlanOptions(detail=True),
        ),
        (
            '{"resources":[{"resource_type":"table","name":"users","config":{"a":1},"action":"create"},'
            '{"resource_type":"table","name":"users","config":{},"action":"delete","ignore_changes":["a"],'
            '"depends_on":["table b"]}],"options":{"detail":true}}'
        ),
    ),
    (m.PlanResponse(), '{"success":false,"execution_order":[],"resources":[]}'),
    (
        m.PlanResponse(
            success=True,
            execution_order=("table users",),
            resources=(
                m.PlannedResource(
                    **TYPED,
                    action="update",
                    changes={"a": {"before": 1, "after": 2}},
                    dependencies=("schema s",),
                ),
                m.PlannedResource(**TYPED, action="unchanged"),
            ),
            warnings=("w",),
        ),
        (
            '{"success":true,"execution_order":["table users"],"resources":[{"resource_type":"table",'
            '"name":"users","action":"update","changes":{"a":{"before":1,"after":2}},'
            '"dependencies":["schema s"]},{"resource_type":"table","name":"users","action":"unchanged"}],'
            '"warnings":["w"]}'
        ),
    ),
    (
        m.PlanRisk(
            kind="may_fail",
            message="!",
            rows=m.OffendingRows(table="t", count=2, key=("id",), keys=((1,), (2,))),
        ),
        '{"kind":"may_fail","message":"!","rows":{"table":"t","count":2,"key":["id"],"keys":[[1],[2]]}}',
    ),
    (
        m.PlanStep(order=1, **TYPED, sql=("DROP TABLE users",), risks=(m.PlanRisk(kind="data_loss"),)),
        (
            '{"order":1,"resource_type":"table","name":"users","description":"","sql":["DROP TABLE users"],'
            '"reversible":false,"transactional":false,"risks":[{"kind":"data_loss","message":""}]}'
        ),
    ),
    (
        m.ApplyResponse(),
        (
            '{"success":false,"results":[],"summary":{"created":0,"updated":0,"deleted":0,"unchanged":0,'
            '"failed":0}}'
        ),
    ),
    (
        m.ApplyResponse(
            success=True,
            results=(m.ApplyResult(**TYPED, action="create", success=True, state={"a": 1}),),
            summary=m.ApplySummary(created=1),
            steps=(m.ExecutedStep(order=1, **TYPED, description="d", duration=1_500_000),),
        ),
        (
            '{"success":true,"results":[{"resource_type":"table","name":"users","action":"create",'
            '"success":true,"state":{"a":1}}],"summary":{"created":1,"updated":0,"deleted":0,"unchanged":0,'
            '"failed":0},"steps":[{"order":1,"resource_type":"table","name":"users","description":"d",'
            '"duration":1500000}]}'
        ),
    ),
    # 5.3
    (m.StateRequest(), "{}"),
    (m.StateResponse(success=True), '{"success":true}'),
    (m.StateResponse(success=True, state=STATE), '{"success":true,"state":' + STATE_JSON + "}"),
    (m.SetStateRequest(state=STATE), '{"state":' + STATE_JSON + "}"),
    (m.SetStateResponse(success=True), '{"success":true}'),
    (
        m.ProviderState(version="1.0.0", resources=()),
        '{"version":"1.0.0","provider":"","resources":[],"updated_at":"0001-01-01T00:00:00Z"}',
    ),
    # 5.4
    (
        m.MigrationRequest(migration_id="m", resource_type="table", resource_name="users"),
        (
            '{"migration_id":"m","resource_type":"table","resource_name":"users","from_state":{},"to_state":{},'
            '"options":{"dry_run":false,"allow_data_loss":false,"backup_before_migration":false,'
            '"timeout_seconds":0}}'
        ),
    ),
    (
        m.MigrationPlanResponse(success=True, migration_id="m", steps=(STEP,)),
        '{"success":true,"migration_id":"m","steps":[' + STEP_JSON + '],"data_loss_risk":false}',
    ),
    (m.MigrationStep(), '{"order":0,"description":"","reversible":false}'),
    (
        m.MigrationApplyResponse(
            success=True, migration_id="m", executed_steps=(STEP,), backup_path="p", duration=2_000_000_000
        ),
        '{"success":true,"migration_id":"m","executed_steps":[' + STEP_JSON + "],"
        '"backup_path":"p","duration":2000000000}',
    ),
    (
        m.MigrationRollbackResponse(success=True, migration_id="m", error="e"),
        '{"success":true,"migration_id":"m","rolled_back_steps":[],"duration":0,"error":"e"}',
    ),
    # 5.5
    (m.PingRequest(), "{}"),
    (m.PingResponse(success=True, latency_ms=3), '{"success":true,"latency_ms":3}'),
    (m.VersionRequest(), "{}"),
    (
        m.VersionResponse(success=True, version="1.0.0", go_version="python3.11", provider_name="sqlite"),
        '{"success":true,"version":"1.0.0","go_version":"python3.11","provider_name":"sqlite"}',
    ),
    # 9.3
    (m.ErrorResponse(error="e"), '{"success":false,"error":"e"}'),
    (
        m.ErrorResponse(error="e", code="c", details={"category": "StateError"}),
        '{"success":false,"error":"e","code":"c","details":{"category":"StateError"}}',
    ),
    # What `kolumn migrate` and `kolumn backup` ask for
    (x.ListBackupsRequest(), "{}"),
    (
        x.ListBackupsResponse(
            success=True,
            folder="f",
            backups=(x.Backup(name="b", parts=(x.BackupPart(resource_type="table", name="users", rows=2),)),),
        ),
        (
            '{"success":true,"folder":"f","backups":[{"name":"b","path":"","rows":0,"bytes":0,'
            '"parts":[{"resource_type":"table","name":"users","rows":2,"bytes":0}]}]}'
        ),
    ),
    (x.VerifyBackupRequest(name="b"), '{"name":"b"}'),
    (x.VerifyBackupResponse(success=True), '{"success":true}'),
    (x.RestoreBackupRequest(names=("b",), dry_run=True), '{"names":["b"],"dry_run":true}'),
    (
        x.RestoreBackupResponse(
            success=True, parts=(x.RestoredPart(resource_type="table", name="users", rows=2, restored=1),)
        ),
        '{"success":true,"parts":[{"resource_type":"table","name":"users","rows":2,"restored":1}]}',
    ),
    (
        x.RunScriptRequest(version="1", script="SELECT 1", checksum="c", needs=("n",)),
        '{"version":"1","script":"SELECT 1","checksum":"c","transactional":true,"needs":["n"]}',
    ),
    (
        x.RunScriptResponse(success=True, version="1", executed=1, already=True),
        '{"success":true,"version":"1","executed":1,"duration":0,"already":true}',
    ),
    (x.ListMigrationsRequest(), "{}"),
    (
        x.ListMigrationsResponse(
            success=True,
            migrations=(x.MigrationRecord(migration_id="m", resource_type="table", resource_name="users"),),
            scripts=(x.ScriptRecord(version="1", checksum="c", executed=2),),
        ),
        (
            '{"success":true,"migrations":[{"migration_id":"m","resource_type":"table","resource_name":"users",'
            '"status":"planned","checksum":""}],"scripts":[{"version":"1","checksum":"c","status":"applied",'
            '"executed":2}]}'
        ),
    ),
    # Defined here, for 3.3 and 4.3
    (m.DriftRequest(), "{}"),
    (
        m.DriftRequest(resource_types=("table",), names=("users",), include_unmanaged=True),
        '{"resource_types":["table"],"names":["users"],"include_unmanaged":true}',
    ),
    (
        m.DriftResponse(
            success=True,
            drifted=True,
            findings=(
                m.DriftFinding(
                    **TYPED, kind="changed", attribute="columns.a.type", state_value="int", live_value="text"
                ),
            ),
            checked=1,
            checked_at=NOON,
        ),
        (
            '{"success":true,"drifted":true,"findings":[{"resource_type":"table","name":"users","kind":"changed",'
            '"attribute":"columns.a.type","state_value":"int","live_value":"text","severity":"warning"}],'
            '"checked":1,"checked_at":"2025-12-15T10:30:00Z"}'
        ),
    ),
    (m.ValidateRequest(), "{}"),
    (
        m.ValidateResponse(success=True, findings=(m.ValidationFinding(code="duplicate"),)),
        (
            '{"success":true,"valid":false,"findings":[{"code":"duplicate","message":"","severity":"error"}],'
            '"checked":0}'
        ),
    ),
    (m.AuditRequest(since=NOON, limit=10), '{"since":"2025-12-15T10:30:00Z","limit":10}'),
    (
        m.AuditResponse(success=True, entries=(m.AuditEntry(id="1", time=NOON, action="create"),)),
        (
            '{"success":true,"entries":[{"id":"1","time":"2025-12-15T10:30:00Z","actor":"","action":"create",'
            '"success":false,"duration":0}]}'
        ),
    ),
    (x.VerifyAuditLogRequest(), "{}"),
    (
        x.VerifyAuditLogResponse(
            success=True, kept=True, entries=2, head="ab", faults=(x.AuditFault(kind="cut", entry=3),)
        ),
        (
            '{"success":true,"intact":false,"kept":true,"entries":2,"head":"ab",'
            '"faults":[{"kind":"cut","entry":3,"message":""}]}'
        ),
    ),
    (x.QuarantineRequest(), "{}"),
    (
        x.QuarantineResponse(
            success=True, entries=(x.QuarantineEntry(id="1", resource_type="view", name="v"),)
        ),
        (
            '{"success":true,"entries":[{"id":"1","resource_type":"view","name":"v","location":"",'
            '"quarantined_at":"","quarantined_by":"","retained_until":"","expired":false}]}'
        ),
    ),
    (
        x.RestoreQuarantineRequest(ids=("1",), configured=("table t",)),
        '{"ids":["1"],"configured":["table t"]}',
    ),
    (
        x.RestoreQuarantineResponse(success=True, managed=("table t",), notes=("n",)),
        '{"success":true,"restored":[],"managed":["table t"],"notes":["n"]}',
    ),
    (x.PurgeQuarantineRequest(force=True), '{"force":true}'),
    (x.PurgeQuarantineResponse(success=True), '{"success":true,"purged":[]}'),
    (m.TransactionRequest(transaction_id="t"), '{"transaction_id":"t"}'),
    (
        m.TransactionResponse(success=True, transaction_id="t", status="active", started_at=NOON),
        '{"success":true,"transaction_id":"t","status":"active","started_at":"2025-12-15T10:30:00Z"}',
    ),
    (m.OutboxHealthMetricsRequest(), "{}"),
    (
        m.OutboxHealthMetrics(pending_messages=1, oldest_pending=NOON, healthy=True),
        (
            '{"total_messages":0,"pending_messages":1,"processed_messages":0,"failed_messages":0,'
            '"oldest_pending":"2025-12-15T10:30:00Z","last_processed":null,"healthy":true}'
        ),
    ),
    (m.OutboxCleanupRetentionRequest(outbox="o"), '{"outbox":"o"}'),
    (m.OutboxCleanupRetentionResponse(success=True), '{"success":true,"deleted_messages":0}'),
    # 7
    (
        ProviderSchema(name="sqlite"),
        '{"name":"sqlite","version":"","category":"","description":"","resource_types":[]}',
    ),
    (
        ResourceTypeDefinition(name="table"),
        '{"name":"table","description":"","config_schema":{"attributes":{}},"state_schema":{"attributes":{}}}',
    ),
    (
        AttributeSchema(type="string"),
        '{"type":"string","description":"","required":false,"computed":false,"sensitive":false}',
    ),
    (
        AttributeSchema(
            type="list",
            description="d",
            required=True,
            default=False,
            validators=(ValidatorSpec(type="length", value={"max": 63}, message="too long"),),
            elements=ObjectType(attributes={"a": AttributeSchema(type="int", default=0)}),
        ),
        (
            '{"type":"list","description":"d","required":true,"computed":false,"sensitive":false,'
            '"default":false,"validators":[{"type":"length","value":{"max":63},"message":"too long"}],'
            '"elements":{"attributes":{"a":{"type":"int","description":"","required":false,"computed":false,'
            '"sensitive":false,"default":0}}}}'
        ),
    ),
]


@pytest.mark.parametrize(("message", "text"), CASES, ids=[type(message).__name__ for message, _ in CASES])
def test_json_is_what_go_writes(message: Message, text: str) -> None:
    assert encode(message).decode() == text
    assert decode(type(message), text.encode()) == message


def test_every_message_of_the_contract_is_among_the_cases() -> None:
    shown = {type(message) for message, _ in CASES}
    for function in FUNCTIONS.values():
        assert {function.request, function.response} <= shown, function.name
    inner = {
        "ApplyResult", "ApplySummary", "AuditEntry", "DiscoveredResource", "DriftFinding", "ExecutedStep",
        "MigrationOptions", "OffendingRows", "PlanOptions", "PlanResource", "PlanRisk", "PlannedResource", "ResourceInstance",
        "StateEdit", "StateRepair", "ValidationFinding",
    }  # fmt: skip
    declared = {
        kind.__name__
        for _, kind in inspect.getmembers(m, inspect.isclass)
        if issubclass(kind, Message) and kind is not Message
    }
    assert declared == {kind.__name__ for kind in shown if kind.__module__ == m.__name__} | inner


def test_messages_are_immutable() -> None:
    with pytest.raises(AttributeError):
        m.PingResponse().success = True  # type: ignore[misc]


def test_omitempty_holds_for_values_made_at_run_time() -> None:
    """What is left out depends on the value, not on the object that carries it."""
    empty = "x".replace("x", "")
    message = m.AuditRequest(actor=empty, limit=int("0"), resource_type=empty)
    assert encode(message) == b"{}"
    assert encode(m.PlanResponse(warnings=())) == encode(m.PlanResponse())
    assert encode(m.ReadResourceResponse(state={})) == b'{"success":false,"exists":false}'


def test_the_state_file_of_the_specification_is_read_and_written_back() -> None:
    text = (
        b'{"version":"1.0.0","provider":"postgres","resources":[{"type":"postgres_table","name":"users",'
        b'"provider":"postgres.production","status":"active","config":{"schema":"public","name":"users",'
        b'"columns":[]},"state":{"oid":"16384","row_count":1500,"size_bytes":262144},"metadata":'
        b'{"created_by":"kolumn","managed":true},"created_at":"2025-12-15T10:30:00Z",'
        b'"updated_at":"2025-12-15T10:30:00Z"}],"metadata":{"last_plan":"2025-12-15T10:30:00Z",'
        b'"last_apply":"2025-12-15T10:30:00Z"},"updated_at":"2025-12-15T10:30:00Z"}'
    )
    assert encode(decode(m.ProviderState, text)) == text
