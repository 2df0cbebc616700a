"""DuckDB's errors in the five categories of the contract (spec 9.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, PermissionError

if TYPE_CHECKING:
    import duckdb

_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)(?: by user (\S+?))?\.?(?:\s|$)")
_LOCKED = re.compile(
    r'Could not set lock on file "(.+?)"|Cannot open file "(.+?)": .*used by another process'
)
_CONFLICT = re.compile(r"conflict|has been altered", re.IGNORECASE)

_CATEGORIES: dict[str, tuple[type[KolumnError], str, str]] = {
    "ConstraintException": (
        OperationError,
        "constraint_failed",
        "Correct the rows that break it, or the configuration.",
    ),
    "ConversionException": (OperationError, "type_mismatch", "Correct values that do not fit the type."),
    "OutOfRangeException": (OperationError, "type_mismatch", "Correct values that do not fit the type."),
    "DependencyException": (OperationError, "still_needed", "Change or remove what depends on it as well."),
    "OutOfMemoryException": (OperationError, "out_of_memory", "Raise the setting memory_limit."),
    "PermissionException": (PermissionError, "denied", "Check the settings of the connection."),
    "IOException": (ConnectionError, "io_error", "Check the path, its permissions and the disk."),
    "HTTPException": (ConnectionError, "http_error", "Check the URL, and the secret for it."),
    "ConnectionException": (ConnectionError, "cannot_open", ""),
    "FatalException": (ConnectionError, "corrupt", "The file may be damaged: restore a backup."),
    "SerializationException": (ConnectionError, "corrupt", "The file may be damaged: restore a backup."),
}


class Holder(NamedTuple):
    """The process that has a file open."""

    pid: int
    program: str
    user: str

    def __str__(self) -> str:
        by = f" of user {self.user}" if self.user else ""
        return f"process {self.pid} ({self.program}{by})"


def holder(error: BaseException) -> Holder | None:
    """Return who holds the lock that `error` says is held; None for any other error."""
    found = _HOLDER.search(str(error))
    return Holder(int(found[2]), found[1], found[3] or "") if found else None


def is_locked(error: BaseException) -> bool:
    """Whether `error` says that another process has the file open, so that waiting may help."""
    return _LOCKED.search(str(error)) is not None


def locked(error: BaseException, file: Path, seconds: float) -> OperationError:
    """Return that another process has `file`, or one that is attached to it, open: who, and what to do."""
    found = holder(error)
    who = str(found) if found else "another process"
    named = _LOCKED.search(str(error))
    if named is not None:
        file = Path(named[1] or named[2])
    return OperationError(
        f"the database {file} is open in {who}: DuckDB lets one process at a time open a file, unless all only "
        f"read it. Close it there or wait until that process is done, or raise busy_timeout ({seconds:g} s).",
        code="database_locked",
        details={"holders": [found._asdict()] if found else []},
    )


def translate(
    error: duckdb.Error, context: Context, statement: str = "", secrets: Iterable[str] = ()
) -> KolumnError:
    """Return `error` as one of the five categories; `statement` is what was being run, without `secrets`."""
    name = type(error).__name__
    if name == "InterruptException":
        try:
            context.check()
        except OperationError as ended:
            return ended
        return OperationError("DuckDB was interrupted.", code="cancelled")
    said = _said(error, secrets)
    details = {"duckdb_error": name}
    if statement:
        details["statement"] = statement[:2000]
    category, code, hint = _CATEGORIES.get(name, (OperationError, "sql_error", ""))
    lowered = said.lower()
    if "read-only mode" in lowered or "read only mode" in lowered:
        category, code, hint = PermissionError, "read_only", "Open it without read_only to make changes."
    elif "not a valid duckdb database file" in lowered:
        category, code, hint = (
            ConnectionError,
            "not_a_database",
            "The file is something else: check the path.",
        )
    elif "different configuration" in lowered:
        category, code, hint = (
            ConnectionError,
            "cannot_open",
            "Something else in this process has the file open with other options: close it there.",
        )
    elif "no space left" in lowered:
        category, code, hint = OperationError, "disk_full", "Make room on the disk."
    elif "permission denied" in lowered:
        category, code, hint = PermissionError, "denied", "Check the permissions of the file and its folder."
    elif name == "TransactionException" and _CONFLICT.search(said):
        category, code, hint = (
            OperationError,
            "conflict",
            "Another connection changed the same at the same time: try again.",
        )
    return category(f"DuckDB says: {said}." + (f" {hint}" if hint else ""), code=code, details=details)


def _said(error: duckdb.Error, secrets: Iterable[str]) -> str:
    """Return the message without the lines that show the statement, and without secrets."""
    hidden = sorted(filter(None, secrets), key=len, reverse=True)
    text = str(error)
    text = re.split(r"\n\s*\n?LINE \d+:", text)[0] if not hidden else text.split("\n")[0]
    for secret in hidden:
        text = text.replace(secret, "[REDACTED]")
    return " ".join(text.split()).rstrip(".")
