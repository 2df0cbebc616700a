"""PostgreSQL's errors in the five categories of the contract (spec 9.2).

SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    PermissionError,
    StateError,
)
from kolumn.contract.masking import REDACTED, is_secret_name
from kolumn.engine.operations import Statement
from kolumn.providers.postgres.connection.confidential import SECRETS
from kolumn.sql import faults as shared

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_SHOWN = 2000
"""How many characters of a statement an error shows."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    category: type[KolumnError]
    code: str
    hint: str = ""


_GRANT_HINT = (
    "Only its owner, and who has a privilege with grant option, can grant or revoke it (setting role)."
)

_POOLED = _Meaning(
    ConnectionError,
    "connection_pooler",
    "A pooler that hands out connections per statement stands between: connect to the server itself.",
)
_STATES: Mapping[str, _Meaning] = {
    "01006": _Meaning(PermissionError, "not_revoked", _GRANT_HINT),
    "01007": _Meaning(PermissionError, "not_granted", _GRANT_HINT),
    "0A000": _Meaning(OperationError, "unsupported_by_server"),
    "22001": _Meaning(OperationError, "value_too_long", "Correct the rows that are too long, or the type."),
    "22003": _Meaning(OperationError, "value_out_of_range", "Correct the rows that do not fit the type."),
    "22012": _Meaning(OperationError, "division_by_zero"),
    "22P02": _Meaning(OperationError, "invalid_value", "Correct the value, or the rows that hold it."),
    "23502": _Meaning(
        OperationError, "not_null_violation", "Fill the rows that hold NULL, or give the column a default."
    ),
    "23503": _Meaning(
        OperationError, "foreign_key_violation", "Correct the rows that refer to nothing, or add those rows."
    ),
    "23505": _Meaning(OperationError, "unique_violation", "Remove the rows that are there twice."),
    "23514": _Meaning(OperationError, "check_violation", "Correct the rows that break it, or the check."),
    "23P01": _Meaning(OperationError, "exclusion_violation", "Remove the rows that conflict."),
    "23001": _Meaning(OperationError, "foreign_key_violation", "Other rows refer to it: remove those first."),
    "25006": _Meaning(
        PermissionError,
        "read_only",
        "The server is a standby, or transactions are read-only by default: connect to the primary.",
    ),
    "25P02": _Meaning(
        OperationError, "transaction_aborted", "An earlier statement of the transaction failed."
    ),
    "25P03": _Meaning(
        ConnectionError,
        "connection_lost",
        "Idle transactions are ended: idle_in_transaction_session_timeout.",
    ),
    "25P04": _Meaning(
        ConnectionError, "connection_lost", "The server limits transactions: transaction_timeout."
    ),
    "26000": _POOLED,
    "28000": _Meaning(
        PermissionError, "login_refused", "Check username, ssl_mode and the server's pg_hba.conf."
    ),
    "28P01": _Meaning(PermissionError, "wrong_password", "Check username and password."),
    "2BP01": _Meaning(
        OperationError, "dependents_exist", "Other objects need it: drop or change those as well."
    ),
    "3D000": _Meaning(ConnectionError, "no_such_database", "Create the database, or correct its name."),
    "3F000": _Meaning(OperationError, "undefined_schema", "Create the schema, or correct its name."),
    "40001": _Meaning(OperationError, "serialization_failure", "Others changed the same rows: try again."),
    "40P01": _Meaning(
        OperationError, "deadlock", "Another transaction waited for this one, and this one for it: try again."
    ),
    "42501": _Meaning(PermissionError, "denied", "Grant the privilege, or act as the owner (setting role)."),
    "42601": _Meaning(OperationError, "syntax_error"),
    "42P05": _POOLED,
    "42622": _Meaning(OperationError, "name_too_long", "Names have 63 bytes at most."),
    "42701": _Meaning(OperationError, "duplicate_column"),
    "42702": _Meaning(OperationError, "ambiguous_column", "Write the table's name before the column's."),
    "42703": _Meaning(OperationError, "undefined_column", "Correct the name, or add the column."),
    "42704": _Meaning(OperationError, "undefined_object", "Correct the name, or create it first."),
    "42710": _Meaning(OperationError, "duplicate_object"),
    "42723": _Meaning(OperationError, "duplicate_function"),
    "42725": _Meaning(OperationError, "ambiguous_function", "Write the types of its arguments."),
    "42803": _Meaning(OperationError, "grouping_error"),
    "42804": _Meaning(
        OperationError, "type_mismatch", "Convert it with a USING expression or a cast, or correct the type."
    ),
    "42830": _Meaning(
        OperationError, "invalid_foreign_key", "What it refers to needs a primary key or unique constraint."
    ),
    "42846": _Meaning(OperationError, "cannot_cast", "Say how with a USING expression, or correct the type."),
    "42883": _Meaning(
        OperationError, "undefined_function", "Correct its name or argument types, or create it."
    ),
    "42939": _Meaning(OperationError, "reserved_name", "Choose a name that does not begin with pg_."),
    "42P01": _Meaning(OperationError, "undefined_table", "Correct the name, or create it first."),
    "42P04": _Meaning(OperationError, "duplicate_database"),
    "42P06": _Meaning(OperationError, "duplicate_schema"),
    "42P07": _Meaning(OperationError, "duplicate_table"),
    "42P16": _Meaning(OperationError, "invalid_table_definition"),
    "42P17": _Meaning(OperationError, "invalid_object_definition"),
    "53100": _Meaning(
        OperationError, "disk_full", "Make room on the server's disk, or use another tablespace."
    ),
    "53200": _Meaning(OperationError, "out_of_memory", "Give the server more memory, or lower work_mem."),
    "53300": _Meaning(
        ConnectionError,
        "too_many_connections",
        "Close others, or raise max_connections of the server or role.",
    ),
    "53400": _Meaning(
        OperationError, "limit_exceeded", "A limit of the server is reached, e.g. temp_file_limit: raise it."
    ),
    "54000": _Meaning(OperationError, "too_big"),
    "54001": _Meaning(OperationError, "too_complex", "Raise the server's max_stack_depth, or simplify it."),
    "55000": _Meaning(OperationError, "wrong_state"),
    "55006": _Meaning(OperationError, "in_use", "Others use it: wait until they are done."),
    "55P03": _Meaning(
        OperationError, "lock_timeout", "Wait until the others are done, or raise lock_timeout."
    ),
    "55P04": _Meaning(
        OperationError, "unsafe_new_value", "A value added to an enum can be used after the commit only."
    ),
    "57P01": _Meaning(ConnectionError, "connection_lost", "An administrator ended the connection."),
    "57P02": _Meaning(ConnectionError, "connection_lost", "The server crashed and recovers: try again."),
    "57P03": _Meaning(ConnectionError, "cannot_connect", "The server starts or stops: try again."),
    "57P04": _Meaning(ConnectionError, "connection_lost", "The database was dropped."),
    "57P05": _Meaning(
        ConnectionError, "connection_lost", "The server ends idle connections: idle_session_timeout."
    ),
    "58030": _Meaning(OperationError, "io_error", "Check the server's disk and its log."),
    "58P01": _Meaning(OperationError, "undefined_file", "It must be installed on the server first."),
    "XX001": _Meaning(OperationError, "corrupt", "Data on the server is damaged: restore a backup."),
    "XX002": _Meaning(OperationError, "corrupt", "An index on the server is damaged: REINDEX it."),
}

_OUT_OF_LOCKS = _Meaning(
    OperationError,
    "out_of_locks",
    "One transaction locks everything it makes or changes until it ends, and the server's table of locks is "
    "full. Raise max_locks_per_transaction of the server (and restart it), apply in parts with --target, or "
    "with --online, where what is in use is changed step by step.",
)
"""53200 has two causes; https://www.postgresql.org/docs/current/runtime-config-locks.html"""

REFUSALS = frozenset({"01006", "01007"})
"""Warnings that GRANT and REVOKE did not do all they were asked to."""

_CLASSES: Mapping[str, _Meaning] = {
    "08": _Meaning(ConnectionError, "connection_lost", "Check the network and the server's log."),
    "0L": _Meaning(PermissionError, "denied"),
    "0P": _Meaning(PermissionError, "no_such_role", "Create the role, or correct its name."),
    "22": _Meaning(OperationError, "invalid_value"),
    "23": _Meaning(
        OperationError, "constraint_failed", "Correct the rows that break it, or the configuration."
    ),
    "25": _Meaning(OperationError, "wrong_transaction_state"),
    "28": _Meaning(PermissionError, "login_refused", "Check username and password."),
    "40": _Meaning(OperationError, "rolled_back", "Try again."),
    "53": _Meaning(OperationError, "out_of_resources"),
    "54": _Meaning(OperationError, "too_big"),
    "55": _Meaning(OperationError, "wrong_state"),
    "57": _Meaning(OperationError, "interrupted"),
    "58": _Meaning(OperationError, "server_error", "Look at the server's log."),
    "F0": _Meaning(OperationError, "server_error", "Look at the server's configuration."),
    "P0": _Meaning(OperationError, "raised"),
    "XX": _Meaning(OperationError, "server_error", "Look at the server's log."),
}

_LOST_STATES = frozenset({"57P01", "57P02", "57P04", "57P05", "25P03", "25P04"})

_CONNECTING: tuple[tuple[str, _Meaning], ...] = (
    ("too many clients", _STATES["53300"]),
    ("too many connections", _STATES["53300"]),
    ("remaining connection slots", _STATES["53300"]),
    ("password authentication failed", _STATES["28P01"]),
    ("no password supplied", _Meaning(PermissionError, "wrong_password", "Give the setting password.")),
    ("authentication failed", _STATES["28000"]),
    ("no pg_hba.conf entry", _STATES["28000"]),
    ("pg_hba.conf rejects", _STATES["28000"]),
    ("is not permitted to log in", _STATES["28000"]),
    ("permission denied for database", _STATES["42501"]),
    ('role "', _STATES["28000"]),
    ('database "', _STATES["3D000"]),
    ("the database system is", _STATES["57P03"]),
    (
        "Connection refused",
        _Meaning(
            ConnectionError, "refused", "Check host and port, and that the server runs and listens there."
        ),
    ),
    (
        "No such file or directory",
        _Meaning(ConnectionError, "refused", "Check the folder of the socket, and that the server runs."),
    ),
    ("name or service not known", _Meaning(ConnectionError, "unknown_host", "Check host.")),
    ("could not translate host name", _Meaning(ConnectionError, "unknown_host", "Check host.")),
    (
        "does not support SSL",
        _Meaning(ConnectionError, "tls", "Switch TLS on at the server, or use ssl_mode prefer."),
    ),
    (
        "timeout expired",
        _Meaning(
            ConnectionError, "connect_timeout", "Check host, port and firewalls, or raise connect_timeout."
        ),
    ),
    ("certificate", _Meaning(ConnectionError, "tls", "Check ssl_root_cert, ssl_cert, ssl_key and host.")),
    ("SSL", _Meaning(ConnectionError, "tls", "Check ssl_mode and the certificates.")),
)
"""What libpq says when it cannot connect: it hands on no SQLSTATE then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the server says about one error."""

    state: str
    """SQLSTATE, five characters."""
    message: str
    detail: str = ""
    hint: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    type: str = ""
    constraint: str = ""
    position: int = 0
    """Where in the statement, counting characters from 1; 0 where it does not say."""

    @classmethod
    def of(cls, result: PGresult) -> Report:
        """Return what an error result says."""
        from psycopg.pq import DiagnosticField as Field

        def text(field: int) -> str:
            value = result.error_field(field)
            return value.decode("utf-8", "replace") if value else ""

        position = text(Field.STATEMENT_POSITION)
        return cls(
            state=text(Field.SQLSTATE),
            message=text(Field.MESSAGE_PRIMARY) or result.get_error_message("utf-8"),
            detail=text(Field.MESSAGE_DETAIL),
            hint=text(Field.MESSAGE_HINT),
            schema=text(Field.SCHEMA_NAME),
            table=text(Field.TABLE_NAME),
            column=text(Field.COLUMN_NAME),
            type=text(Field.DATATYPE_NAME),
            constraint=text(Field.CONSTRAINT_NAME),
            position=int(position) if position.isdigit() else 0,
        )

    @property
    def is_loss(self) -> bool:
        """Whether the connection is gone with this error."""
        return self.state.startswith("08") or self.state in _LOST_STATES


_IN_QUARANTINE = re.compile(r"_quarantine_([0-9a-f]{10})\b")
"""Finds the ids of entries in the names of their schemas (see `providers.postgres.quarantine.prefix`)."""


def translate(report: Report, context: Context, statement: Statement | None = None) -> KolumnError:
    """Return an error of the server as one of the five categories; `statement` is what was being run."""
    if report.state == "57014":
        return _interrupted(report, context, statement)
    meaning = (
        _STATES.get(report.state) or _CLASSES.get(report.state[:2]) or _Meaning(OperationError, "sql_error")
    )
    words = [report.message, _fit_to_show(report), report.hint]
    if report.state == "53200" and "shared memory" in report.message:
        meaning, words = _OUT_OF_LOCKS, words[:2]
    if statement is not None and any(isinstance(each, SECRETS) for each in statement.parameters):
        words = [_discreet(each, statement.text) for each in words]
    said = "PostgreSQL says: " + " ".join(shared.sentence(each) for each in words if each)
    details = _details(report, statement)
    if "line" in details:
        said += f" (line {details['line']}, column {details['column']} of the statement)"
    if hint := _waiting(report) or meaning.hint:
        said += f" {hint}"
    return meaning.category(said, code=meaning.code, details=details)


def _interrupted(report: Report, context: Context, statement: Statement | None) -> KolumnError:
    try:
        context.check()
    except OperationError as ended:
        return OperationError(ended.message, code=ended.code, details=_details(report, statement))
    return OperationError(
        f"PostgreSQL says: {shared.sentence(report.message)} It was stopped from outside: by "
        "pg_cancel_backend or a limit of the server.",
        code="interrupted",
        details=_details(report, statement),
    )


def _waiting(report: Report) -> str:
    """Return what to do where what waits in quarantine is in the way, empty where nothing of it is."""
    entries = list(dict.fromkeys(_IN_QUARANTINE.findall(report.detail))) if report.state == "2BP01" else []
    if not entries:
        return ""
    ids = " ".join(entries)
    return (
        f"What waits in quarantine needs it: bring that back first (kolumn quarantine restore {ids}) or let it go for "
        f"good (kolumn quarantine purge {ids} --force)."
    )


def _fit_to_show(report: Report) -> str:
    """Return the detail without whole rows, and without keys of columns named like a secret."""
    if report.state in ("23502", "23514"):
        return ""
    key = re.match(r"(?s)Key \((?P<columns>.*?)\)=\(.*\)(?P<rest> .*)", report.detail)
    if key and any(is_secret_name(each.strip(' "')) for each in key["columns"].split(",")):
        return f"Key ({key['columns']})=({REDACTED}){key['rest']}"
    return report.detail


def _discreet(words: str, shown: str) -> str:
    """Return `words` without what they quote, unless the shown text has it: it may be a secret."""
    quoted = re.search(r'(?s)"(.*)"', words)
    if quoted is None or all(part in shown for part in quoted[1].split('"')[::2]):
        return words
    return f'{words[: quoted.start()]}"{REDACTED}"{words[quoted.end() :]}'


def _details(report: Report, statement: Statement | None) -> dict[str, Any]:
    details: dict[str, Any] = {"sqlstate": report.state}
    for name in ("schema", "table", "column", "type", "constraint"):
        if value := getattr(report, name):
            details[name] = value
    if statement is not None:
        details["statement"] = statement.text[:_SHOWN]
        # With values put into the text, places in what was sent are others than in what is shown.
        if 0 < report.position <= len(statement.text) + 1 and not statement.parameters:
            before = statement.text[: report.position - 1]
            details["line"] = before.count("\n") + 1
            details["column"] = len(before) - (before.rfind("\n") + 1) + 1
    return details


def cannot_connect(error: BaseException, where: str) -> KolumnError:
    """Return why there is no connection to the database `where`; `error` is the driver's."""
    said = _driver_words(str(error))
    folded = said.casefold()
    meaning = next(
        (meaning for words, meaning in _CONNECTING if words.casefold() in folded),
        _Meaning(ConnectionError, "cannot_connect", "Check the settings and the server's log."),
    )
    return meaning.category(
        f"cannot connect to PostgreSQL at {where}: {shared.sentence(said)} {meaning.hint}",
        code=meaning.code,
        details={"where": where},
    )


def lost(said: str, *, in_transaction: bool, statement: Statement | None = None) -> ConnectionError:
    """Return that the connection broke; `said` is what the server or driver said last."""
    kept = (
        "Nothing of the transaction under way was kept."
        if in_transaction
        else "Whether the statement under way took effect is not known."
    )
    words = shared.sentence(_driver_words(said))
    return ConnectionError(
        f"the connection to PostgreSQL was lost: {words} {kept} Plan and apply again.",
        code="connection_lost",
        details={"statement": statement.text[:_SHOWN]} if statement is not None else {},
    )


def commit_unknown(said: str) -> ConnectionError:
    """Return that the connection broke while the server committed, and that it cannot say what came of it."""
    return ConnectionError(
        f"the connection to PostgreSQL was lost during the commit: {shared.sentence(said)} Whether the "
        "transaction was kept is not known, as the server could not be asked. A new plan shows it.",
        code="commit_unknown",
    )


def locked(holder: Mapping[str, Any], name: str) -> StateError:
    """Return that somebody else holds Kolumn's lock `name` on this database."""
    if holder:
        words = f"process {holder['pid']} of {holder['user']}"
        if holder["application"]:
            words += f" ({holder['application']})"
        words += f" from {holder['client']} since {holder['since']}"
    else:
        words = "another session"
    return shared.locked(words, holder, name)


def not_postgres(server: str) -> ConnectionError:
    """Return that the server only speaks PostgreSQL's protocol."""
    return ConnectionError(
        f"the server is not PostgreSQL: it calls itself {server}. Use the provider of that database.",
        code="unsupported_server",
        details={"server": server},
    )


def _driver_words(text: str) -> str:
    """Return what the driver says in one line, without what it only supposes."""
    words = re.sub(r"\s+", " ", text).strip()
    words = re.sub(r"^(connection failed|consuming input failed|sending query [a-z ]*failed): ", "", words)
    return re.sub(r" This probably means the server terminated [a-z ]+\.", "", words)
