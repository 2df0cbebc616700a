"""What the database itself remembers of backups: their seals, so that one that was altered is found without a key."""

from __future__ import annotations

from kolumn.contract.context import Context
from kolumn.engine.backup.manifest import Manifest
from kolumn.engine.metadata import Column, Condition, Scalar, Table
from kolumn.engine.session import Session

TABLE = Table(
    "backups",
    (
        Column("name", "name"),
        Column("seal", "name"),
        Column("created_at", "name"),
        Column("reason", "text"),
        Column("rows_kept", "integer"),
    ),
    ("name",),
)


def note(context: Context, session: Session, made: Manifest) -> None:
    """Note a backup, in the transaction that makes it needed."""
    if session.metadata is None:
        return
    session.metadata.make(context, TABLE)
    row: dict[str, Scalar] = {
        "name": made.name,
        "seal": made.seal,
        "created_at": made.created_at,
        "reason": made.reason,
        "rows_kept": made.rows,
    }
    session.metadata.insert(context, TABLE, [row])


def seal(context: Context, session: Session, name: str) -> str:
    """Return the noted seal of a backup, empty where there is none."""
    if session.metadata is None:
        return ""
    found = session.metadata.select(context, TABLE, [Condition("name", "=", name)])
    return str(found[0]["seal"]) if found else ""
