"""SQLite's errors in the five categories of the contract (spec 9.2)."""

from __future__ import annotations

import sqlite3

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, PermissionError
from kolumn.providers.sqlite.tokens import tokenize, unquote
from kolumn.sql.tokens import QUOTED, WORD

TEMPORARY_PREFIX = "kolumn_new_"
"""How the name of a table begins while it is rebuilt."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_CATEGORIES: dict[int, tuple[type[KolumnError], str, str]] = {
    sqlite3.SQLITE_CANTOPEN: (
        ConnectionError,
        "cannot_open",
        "Check that the folder exists and that this user may write to it.",
    ),
    sqlite3.SQLITE_NOTADB: (
        ConnectionError,
        "not_a_database",
        "The file is something else, or encrypted: check the path.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        ConnectionError,
        "corrupt",
        "The file is damaged: restore a backup, or try `.recover`.",
    ),
    sqlite3.SQLITE_IOERR: (ConnectionError, "io_error", "Check the disk and the file system."),
    sqlite3.SQLITE_PROTOCOL: (ConnectionError, "locking_protocol", "Try again."),
    sqlite3.SQLITE_READONLY: (
        PermissionError,
        "read_only",
        "Check the permissions of the file and its folder.",
    ),
    sqlite3.SQLITE_PERM: (PermissionError, "denied", "Check the permissions of the file."),
    sqlite3.SQLITE_AUTH: (PermissionError, "denied", "SQLite does not allow this statement here."),
    sqlite3.SQLITE_FULL: (
        OperationError,
        "disk_full",
        "Make room on the disk: a rebuild needs a table's size.",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        OperationError,
        "constraint_failed",
        "Correct the rows that break it, or the configuration.",
    ),
    sqlite3.SQLITE_MISMATCH: (OperationError, "type_mismatch", "Correct values that do not fit the type."),
    sqlite3.SQLITE_TOOBIG: (OperationError, "too_big", ""),
    sqlite3.SQLITE_NOMEM: (OperationError, "out_of_memory", ""),
}


def is_busy(error: BaseException) -> bool:
    """Whether `error` says that somebody else holds a lock, so that waiting may help."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _BUSY


def translate(error: sqlite3.Error, context: Context, statement: str = "") -> KolumnError:
    """Return `error` as one of the five categories; `statement` is what was being run."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_INTERRUPT:
        try:
            context.check()
        except OperationError as ended:
            return ended
        return OperationError("SQLite was interrupted.", code="cancelled")
    details = {"sqlite_error": getattr(error, "sqlite_errorname", type(error).__name__)}
    if statement:
        details["statement"] = statement[:2000]
    category, name, hint = _CATEGORIES.get(primary or 0, (OperationError, "sql_error", ""))
    if isinstance(error, sqlite3.ProgrammingError) and primary is None:
        category, name = ConnectionError, "closed"
    said = str(error).replace(TEMPORARY_PREFIX, "")
    if (rebuilt := _rebuilt_table(statement)) and rebuilt not in said:
        said += f" (in a row of table {rebuilt})"
    return category(f"SQLite says: {said}." + (f" {hint}" if hint else ""), code=name, details=details)


def _rebuilt_table(statement: str) -> str:
    """Return the table whose rows a statement copies, empty for any other statement."""
    if TEMPORARY_PREFIX not in statement or not statement.startswith("INSERT"):
        return ""
    names = (unquote(token.text) for token in tokenize(statement) if token.kind in (WORD, QUOTED))
    found = (name.removeprefix(TEMPORARY_PREFIX) for name in names if name.startswith(TEMPORARY_PREFIX))
    return next(found, "")
