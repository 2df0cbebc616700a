"""The server's errors in the five categories of the contract (spec 9.2).

Numbers: https://dev.mysql.com/doc/mysql-errors/9.4/en/server-error-reference.html and
https://mariadb.com/kb/en/mariadb-error-code-reference/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kolumn.contract.context import Context
from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    PermissionError,
    StateError,
)
from kolumn.contract.masking import REDACTED, is_secret_name
from kolumn.contract.secrets import SecureString
from kolumn.engine.operations import Statement
from kolumn.sql import faults as shared

_SHOWN = 2000
"""How many characters of a statement an error shows."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    category: type[KolumnError]
    code: str
    hint: str = ""


_DENIED = _Meaning(PermissionError, "denied", "Grant the privilege, or connect as somebody who has it.")
_LOST = _Meaning(ConnectionError, "connection_lost", "Check the network and the server's log.")
_UNIQUE = _Meaning(OperationError, "unique_violation", "Remove the rows that are there twice.")
_FOREIGN = _Meaning(
    OperationError,
    "foreign_key_violation",
    "Correct the rows that refer to nothing, or remove what refers first.",
)
_CHECK = _Meaning(OperationError, "check_violation", "Correct the rows that break it, or the check.")
_NULL = _Meaning(
    OperationError, "not_null_violation", "Fill the rows that hold NULL, or give the column a default."
)
_LONG = _Meaning(OperationError, "value_too_long", "Correct the rows that are too long, or the type.")
_RANGE = _Meaning(OperationError, "value_out_of_range", "Correct the rows that do not fit the type.")
_VALUE = _Meaning(OperationError, "invalid_value", "Correct the value, or the rows that hold it.")
_ONLINE = _Meaning(
    OperationError, "not_online", "The server cannot do this while others write: apply without online."
)

_NUMBERS: Mapping[int, _Meaning] = {
    1005: _Meaning(OperationError, "invalid_table_definition"),
    1007: _Meaning(OperationError, "duplicate_database"),
    1008: _Meaning(OperationError, "undefined_schema"),
    1040: _Meaning(ConnectionError, "too_many_connections", "Close others, or raise max_connections."),
    1044: _DENIED,
    1045: _Meaning(PermissionError, "wrong_password", "Check username and password."),
    1048: _NULL,
    1049: _Meaning(OperationError, "undefined_schema", "Create the database, or correct its name."),
    1050: _Meaning(OperationError, "duplicate_table"),
    1051: _Meaning(OperationError, "undefined_table"),
    1054: _Meaning(OperationError, "undefined_column", "Correct the name, or add the column."),
    1059: _Meaning(OperationError, "name_too_long", "Names have 64 characters at most."),
    1060: _Meaning(OperationError, "duplicate_column"),
    1061: _Meaning(OperationError, "duplicate_object"),
    1062: _UNIQUE,
    1064: _Meaning(OperationError, "syntax_error"),
    1091: _Meaning(OperationError, "undefined_object"),
    1114: _Meaning(OperationError, "disk_full", "Make room on the server's disk."),
    1118: _Meaning(OperationError, "too_big", "Make columns smaller, or TEXT or BLOB of them."),
    1138: _NULL,
    1142: _DENIED,
    1143: _DENIED,
    1146: _Meaning(OperationError, "undefined_table", "Correct the name, or create it first."),
    1153: _Meaning(
        OperationError,
        "packet_too_large",
        "Raise max_allowed_packet on the server, or make the text shorter.",
    ),
    1205: _Meaning(OperationError, "lock_timeout", "Wait until the others are done, or raise lock_timeout."),
    1213: _Meaning(
        OperationError, "deadlock", "Another transaction waited for this one, and this one for it: try again."
    ),
    1215: _Meaning(OperationError, "invalid_foreign_key"),
    1216: _FOREIGN,
    1217: _FOREIGN,
    1227: _DENIED,
    1264: _RANGE,
    1265: _VALUE,
    1280: _Meaning(OperationError, "invalid_name"),
    1290: _Meaning(PermissionError, "read_only", "The server runs read-only: connect to the primary."),
    1292: _VALUE,
    1304: _Meaning(OperationError, "duplicate_function"),
    1305: _Meaning(OperationError, "undefined_function"),
    1359: _Meaning(OperationError, "duplicate_object"),
    1364: _NULL,
    1366: _VALUE,
    1370: _DENIED,
    1396: _Meaning(OperationError, "wrong_account", "An account of that name is there already, or is not."),
    1406: _LONG,
    1410: _DENIED,
    1418: _Meaning(
        OperationError,
        "unsafe_function",
        "Say deterministic = true or data_access, or set log_bin_trust_function_creators on the server.",
    ),
    1419: _DENIED,
    1451: _FOREIGN,
    1452: _FOREIGN,
    1553: _Meaning(
        OperationError, "dependents_exist", "A foreign key needs the index: drop or change that as well."
    ),
    1586: _UNIQUE,
    1667: _Meaning(OperationError, "not_in_transaction"),
    1698: _Meaning(PermissionError, "login_refused", "This account logs in by other means than a password."),
    1674: _Meaning(
        OperationError,
        "drawn_default",
        "Add the column without its default, fill it, and add the default then: triggers are in the way.",
    ),
    1784: _DENIED,
    1792: _Meaning(PermissionError, "read_only", "The transaction may only read."),
    1822: _Meaning(
        OperationError, "invalid_foreign_key", "What it refers to needs an index on these columns."
    ),
    1824: _Meaning(OperationError, "undefined_table", "Create the table that it refers to first."),
    1826: _Meaning(OperationError, "duplicate_object"),
    1830: _NULL,
    1832: _Meaning(OperationError, "dependents_exist", "A foreign key uses the column."),
    1845: _ONLINE,
    1846: _ONLINE,
    3675: _Meaning(OperationError, "wrong_state"),
    3780: _Meaning(
        OperationError, "invalid_foreign_key", "Both columns need the same type and character set."
    ),
    3819: _CHECK,
    3822: _Meaning(OperationError, "duplicate_object"),
    3959: _CHECK,
    4025: _CHECK,
}

_KILLED = frozenset({1317, 1969, 3024, 1028, 1078})
"""A statement was stopped: KILL QUERY, max_statement_time, max_execution_time, a sort that was aborted."""

LOST = frozenset({1053, 1152, 1159, 1161, 1184, 1927, 2006, 2013, 2014, 2055, 3168, 4031})
"""The connection is gone."""

_CONNECTING: Mapping[int, _Meaning] = {
    1049: _Meaning(ConnectionError, "no_such_database", "Create the database, or correct its name."),
    2002: _Meaning(ConnectionError, "refused", "Check host, port or socket, and that the server runs."),
    2003: _Meaning(
        ConnectionError, "refused", "Check host and port, and that the server runs and listens there."
    ),
    2005: _Meaning(ConnectionError, "unknown_host", "Check host."),
    2026: _Meaning(ConnectionError, "tls", "Check ssl_mode and the certificates."),
}


def number_of(error: BaseException) -> int:
    """Return the server's or driver's number of an error, 0 where it has none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def _words(error: BaseException) -> str:
    said = error.args[1] if len(error.args) > 1 else (error.args[0] if error.args else error)
    return shared.sentence(" ".join(str(said).split()))


def translate(error: BaseException, context: Context, statement: Statement | None = None) -> KolumnError:
    """Return an error of the driver as one of the five categories; `statement` is what was being run."""
    number = number_of(error)
    details: dict[str, Any] = {"errno": number}
    if statement is not None:
        details["statement"] = statement.text[:_SHOWN]
    if number in _KILLED or number in LOST:
        try:
            context.check()
        except OperationError as ended:
            return OperationError(ended.message, code=ended.code, details=details)
    if number in _KILLED:
        return OperationError(
            f"the server says: {_words(error)} It was stopped from outside: by KILL or a limit of the server.",
            code="interrupted",
            details=details,
        )
    if number in LOST or not number:
        return lost(_words(error), details)
    meaning = _NUMBERS.get(number, _Meaning(OperationError, "sql_error"))
    said = _fit_to_show(_words(error), number)
    if statement is not None and any(isinstance(each, SecureString) for each in statement.parameters):
        said = re.sub(r"(?s)'.*'", f"'{REDACTED}'", said)
    text = f"the server says: {said}" + (f" {meaning.hint}" if meaning.hint else "")
    return meaning.category(text, code=meaning.code, details=details)


def _fit_to_show(words: str, number: int) -> str:
    """Return the message without the key of a column named like a secret."""
    if number in (1062, 1586):
        found = re.match(r"(?s)(Duplicate entry )'.*'( for key '(.*)'.*)", words)
        if found and is_secret_name(found[3].rpartition(".")[2]):
            return f"{found[1]}'{REDACTED}'{found[2]}"
    return words


def lost(said: str, details: Mapping[str, Any] | None = None) -> ConnectionError:
    """Return that the connection broke; `said` is what the driver said last."""
    return ConnectionError(
        f"the connection to the server was lost: {said} Whether the statement under way took effect is not "
        "known. Plan and apply again.",
        code=_LOST.code,
        details=dict(details or {}),
    )


def cannot_connect(error: BaseException, where: str) -> KolumnError:
    """Return why there is no connection to `where`."""
    number = number_of(error)
    meaning = _CONNECTING.get(number) or _NUMBERS.get(number)
    words = _words(error)
    if meaning is None or number in LOST:
        meaning = _Meaning(ConnectionError, "cannot_connect", "Check the settings and the server's log.")
    if "timed out" in words:
        meaning = _Meaning(
            ConnectionError, "connect_timeout", "Check host, port and firewalls, or raise connect_timeout."
        )
    elif "SSL" in words or "certificate" in words.lower():
        meaning = _CONNECTING[2026]
    elif "Name or service not known" in words or "name resolution" in words:
        meaning = _CONNECTING[2005]
    return meaning.category(
        f"cannot connect to {where}: {words} {meaning.hint}", code=meaning.code, details={"where": where}
    )


def locked(holder: Mapping[str, Any], name: str) -> StateError:
    """Return that somebody else holds Kolumn's lock `name` on this database."""
    words = f"connection {holder['id']}" if holder else "another session"
    if holder.get("user"):
        words += f" of {holder['user']} from {holder['host']}"
    return shared.locked(words, holder, name)
