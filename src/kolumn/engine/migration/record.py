"""What the database remembers of migrations: one row each, written in the transactions that it tells of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from kolumn.contract import extensions as x
from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.contract.times import Timestamp
from kolumn.engine.metadata import Column, Condition, Metadata, Row, Table
from kolumn.engine.session import Session

Status = Literal["planned", "running", "applied", "failed", "rolling_back", "rolled_back"]
"""`planned`: nothing has happened yet. `running`: part of it stands. `failed`: all of it was undone.
`rolling_back`: lost rows are back, the rest of the way back is still to go."""

MIGRATIONS = Table(
    "migrations",
    (
        Column("id", "name"),
        Column("resource_type", "name"),
        Column("resource_name", "text"),
        Column("from_state", "text"),
        Column("to_state", "text"),
        Column("steps", "text"),
        Column("checksum", "name"),
        Column("status", "name"),
        Column("started_at", "name"),
        Column("finished_at", "name"),
        Column("backups", "text"),
        Column("error", "text"),
    ),
    ("id",),
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One migration of one resource."""

    id: str
    resource_type: str
    resource_name: str
    from_state: dict[str, Any]
    to_state: dict[str, Any]
    """Sensitive values are left out of both."""
    steps: tuple[dict[str, Any], ...]
    """Description, SQL and undo of each, secrets masked."""
    checksum: str
    status: Status
    started_at: str
    finished_at: str = ""
    backups: tuple[str, ...] = ()
    """Names of the backups whose rows are still away, in the order they were made."""
    error: str = ""

    def told(self) -> x.MigrationRecord:
        """Return the record as the contract tells it."""
        return x.MigrationRecord(
            migration_id=self.id,
            resource_type=self.resource_type,
            resource_name=self.resource_name,
            status=self.status,
            checksum=self.checksum,
            started_at=self.started_at,
            finished_at=self.finished_at,
            backups=self.backups,
            steps=self.steps,
            error=self.error,
        )


class Records:
    """The records of one database."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, context: Context) -> list[Record]:
        """Return every record, oldest first."""
        metadata = self._session.metadata
        if metadata is None:
            return []
        return [_record(row) for row in metadata.select(context, MIGRATIONS, order=("started_at", "id"))]

    def get(self, context: Context, migration: str) -> Record | None:
        """Return the record of a migration, None where there is none."""
        found = required(self._session).select(context, MIGRATIONS, [Condition("id", "=", migration)])
        return _record(found[0]) if found else None

    def put(self, context: Context, record: Record) -> None:
        """Write a record in place of the one of its id, within the transaction that is open if there is one.

        One statement, so that it is never away.
        """
        metadata = required(self._session)
        metadata.make(context, MIGRATIONS)
        row, place = dict(_row(record)), [Condition("id", "=", record.id)]
        if metadata.select(context, MIGRATIONS, place):
            metadata.update(context, MIGRATIONS, {each: row[each] for each in row if each != "id"}, place)
        else:
            metadata.insert(context, MIGRATIONS, [row])

    def put_now(self, context: Context, record: Record) -> None:
        """Write a record in a transaction of its own."""
        with self._session.transaction(context, ()):
            self.put(context, record)


def required(session: Session) -> Metadata:
    """Return where records are kept. Raises OperationError `no_metadata`."""
    if session.metadata is None:
        raise OperationError(
            "this database keeps no tables of Kolumn's, so that migrations cannot be noted in it.",
            code="no_metadata",
        )
    return session.metadata


def now() -> str:
    """Return the time as it is noted."""
    return str(Timestamp.utc_now())


def _row(record: Record) -> Row:
    fields: dict[str, Any] = {name: getattr(record, name) for name in record.__struct_fields__}
    for name in ("from_state", "to_state", "steps", "backups"):
        fields[name] = msgspec.json.encode(fields[name]).decode()
    return fields


def _record(row: Row) -> Record:
    def data(name: str) -> Any:
        return msgspec.json.decode(str(row[name]))

    def words(value: Any) -> tuple[str, ...]:
        return tuple(map(str, value)) if isinstance(value, Sequence) else ()

    return Record(
        id=str(row["id"]),
        resource_type=str(row["resource_type"]),
        resource_name=str(row["resource_name"]),
        from_state=data("from_state"),
        to_state=data("to_state"),
        steps=tuple(data("steps")),
        checksum=str(row["checksum"]),
        status=cast("Status", row["status"]),
        started_at=str(row["started_at"]),
        finished_at=str(row["finished_at"]),
        backups=words(data("backups")),
        error=str(row["error"]),
    )
