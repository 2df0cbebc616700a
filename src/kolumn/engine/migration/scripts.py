"""Migration scripts as the database remembers them, and how one is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from kolumn.contract import extensions as x
from kolumn.contract.context import Context
from kolumn.contract.errors import ValidationError
from kolumn.engine.metadata import Column, Condition, Scalar, Table
from kolumn.engine.migration.record import now, required
from kolumn.engine.operations import Operation, Statement, Step
from kolumn.engine.resource import Ref
from kolumn.engine.session import Session

SCRIPTS = Table(
    "migration_scripts",
    (
        Column("version", "name"),
        Column("name", "text"),
        Column("checksum", "name"),
        Column("status", "name"),
        Column("applied_at", "name"),
        Column("executed", "integer"),
        Column("error", "text"),
    ),
    ("version",),
)

_BEGINNING = ("begin", "start transaction")
_ENDING = ("commit", "end")


class Scripts:
    """The records of one database."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, context: Context) -> list[x.ScriptRecord]:
        """Return every record."""
        if self._session.metadata is None:
            return []
        return [_record(row) for row in self._session.metadata.select(context, SCRIPTS, order=("version",))]

    def get(self, context: Context, version: str) -> x.ScriptRecord | None:
        """Return the record of a version, None where there is none."""
        found = required(self._session).select(context, SCRIPTS, [Condition("version", "=", version)])
        return _record(found[0]) if found else None

    def put(self, context: Context, record: x.ScriptRecord) -> None:
        """Write a record in place of the one of its version, within the transaction that is open."""
        metadata = required(self._session)
        metadata.make(context, SCRIPTS)
        row: dict[str, Scalar] = {name: getattr(record, name) for name in record.__struct_fields__}
        place = [Condition("version", "=", record.version)]
        if metadata.select(context, SCRIPTS, place):
            metadata.update(context, SCRIPTS, {each: row[each] for each in row if each != "version"}, place)
        else:
            metadata.insert(context, SCRIPTS, [row])

    def remove(self, context: Context, version: str) -> None:
        """Forget a version."""
        required(self._session).delete(context, SCRIPTS, [Condition("version", "=", version)])

    def running(self, request: x.RunScriptRequest, executed: int, error: str = "") -> x.ScriptRecord:
        """Return the record of a script that is under way."""
        return x.ScriptRecord(
            version=request.version,
            name=request.name,
            checksum=request.checksum,
            status="running",
            applied_at=now(),
            executed=executed,
            error=error,
        )


def _record(row: dict[str, Scalar]) -> x.ScriptRecord:
    return x.ScriptRecord(
        version=str(row["version"]),
        name=str(row["name"]),
        checksum=str(row["checksum"]),
        status=cast("x.ScriptStatus", row["status"]),
        applied_at=str(row["applied_at"]),
        executed=int(row["executed"] or 0),
        error=str(row["error"]),
    )


class RunScript(Operation):
    """Run what somebody wrote: the engine knows nothing of what it does."""

    def describe(self) -> str:
        """Return the script it is."""
        return f"run {self.subject.name}"

    def inverse(self) -> None:
        """Return nothing: the way back is a script of its own."""

    def effect(self) -> dict[Ref, None]:
        """Return nothing that is known."""
        return {}


def step_of(request: x.RunScriptRequest, statements: Sequence[str], *, together: bool) -> Step:
    """Return a script as a step, for the session to arrange what it needs; `together` in one transaction."""
    operation = RunScript(subject=Ref("script", f"{request.version}.{request.direction}"))
    return Step(
        operation=operation,
        description=operation.describe(),
        statements=tuple(map(Statement, statements)),
        transactional=together,
        needs=frozenset(request.needs),
    )


def without_own_transaction(statements: Sequence[str], first_words: Sequence[str]) -> list[str]:
    """Return the statements without a BEGIN and COMMIT around all of them: the transaction is Kolumn's.

    Raises ValidationError for statements that would end it half-way.
    """
    found, begun = list(statements), list(first_words)
    if len(begun) > 1 and begun[0] in _BEGINNING and begun[-1] in _ENDING:
        found, begun = found[1:-1], begun[1:-1]
    for text, words in zip(found, begun, strict=True):
        if words in (*_BEGINNING, *_ENDING, "rollback"):
            raise ValidationError(
                f"{text.strip()[:60]!r} would end the transaction that the script runs in. Take it out, or begin "
                "the file with the line `-- kolumn: no transaction`.",
                code="transaction_in_script",
            )
    return found
