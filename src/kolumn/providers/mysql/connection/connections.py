"""Opening connections with the driver, and keeping one that nobody uses."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError
from kolumn.engine.operations import Statement
from kolumn.providers.mysql.connection import faults
from kolumn.providers.mysql.connection.server import ABOUT, OLDEST_MARIADB, OLDEST_MYSQL, Server, read_version
from kolumn.providers.mysql.connection.settings import MySQLSettings
from kolumn.providers.mysql.connection.work import Work
from kolumn.sql.faults import too_old

if TYPE_CHECKING:
    from pymysql.connections import Connection

_UNWANTED_MODES = frozenset({"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "PAD_CHAR_TO_FULL_LENGTH"})
"""SQL modes in which texts mean something else than Kolumn writes."""

_KILL_SECONDS = 5.0
_BINARY_LOG = "SHOW VARIABLES WHERE variable_name IN ('log_bin', 'binlog_format')"


class Connections:
    """Connections to one database; those given back are used again."""

    def __init__(self, settings: MySQLSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: list[Work] = []
        self._server: Server | None = None
        self._reads_committed: bool | None = None
        """Whether Kolumn's own transactions see what others have made meanwhile, tables of its own among that. A
        server that writes statements into its binary log refuses changes then. None before it is known."""
        self._closed = False

    def server(self, context: Context) -> Server:
        """Return what the server is; connects if nobody has yet."""
        if self._server is None:
            with self.borrow(context):
                pass
        assert self._server is not None
        return self._server

    def forget(self) -> None:
        """Ask the server again what it is when somebody wants to know."""
        self._server = None

    @contextlib.contextmanager
    def borrow(self, context: Context) -> Iterator[Work]:
        """Lend a connection that is fit for work; it is closed instead of kept if it broke meanwhile."""
        work = self._take(context)
        try:
            yield work
        finally:
            with self._lock:
                keep = work.is_usable and not self._closed and len(self._idle) < 2
                if keep:
                    self._idle.append(work)
            if not keep:
                work.close()

    def open(self, context: Context, *, several: bool = False) -> Work:
        """Return a new connection; `several`: one that takes several statements at a time, for Kolumn's own only.

        Raises ConnectionError or PermissionError.
        """
        context.check()
        if self._closed:
            raise ConnectionError("the connection was closed. Call Configure first.", code="not_configured")
        connection = self._connect(context, several=several)
        work = Work(connection, self._kill)
        try:
            self._prepare(context, work)
        except BaseException:
            work.close()
            raise
        return work

    def close(self) -> None:
        """Close all connections and clear the password."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for work in idle:
            work.close()
        self._settings.secret.clear()

    def _take(self, context: Context) -> Work:
        while True:
            with self._lock:
                work = self._idle.pop() if self._idle else None
            if work is None:
                return self.open(context)
            if work.is_fresh or work.answers():
                return work
            work.close()

    def _connect(self, context: Context, *, several: bool = False) -> Connection[Any]:
        import pymysql
        from pymysql.constants import CLIENT

        settings = self._settings
        remaining = context.remaining()
        patience = settings.connect_timeout if remaining is None else min(settings.connect_timeout, remaining)
        arguments: dict[str, Any] = {
            "user": settings.username,
            "password": settings.secret.reveal(),
            "database": settings.database,
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": max(1, round(patience)),
            "program_name": settings.application_name,
            "local_infile": False,
            "client_flag": CLIENT.FOUND_ROWS | (CLIENT.MULTI_STATEMENTS if several else 0),
        }
        if settings.socket:
            arguments["unix_socket"] = settings.socket
        else:
            arguments |= {"host": settings.host, "port": settings.port}
        modes = _tls(settings)
        for at, tls in enumerate(modes):
            try:
                return pymysql.connect(**arguments, **tls)
            except (pymysql.Error, OSError, RuntimeError, UnicodeError) as error:
                unencrypted = "doesn't support" in str(error) or "not support" in str(error)
                if at + 1 < len(modes) and (unencrypted or faults.number_of(error) == 2026):
                    continue
                context.check()
                raise faults.cannot_connect(error, settings.where) from error
        raise AssertionError

    def _prepare(self, context: Context, work: Work) -> None:
        """Read what the server is, and set what every connection of Kolumn's needs."""
        row = work.run(context, Statement(ABOUT))[0]
        version, is_mariadb = read_version(str(row[0]))
        modes = [each for each in str(row[5]).split(",") if each and each not in _UNWANTED_MODES]
        server = Server(
            version=version,
            is_mariadb=is_mariadb,
            database=str(row[2]),
            account=str(row[3]),
            lower_case_table_names=int(row[4]),
            sql_mode=",".join(modes),
            engine=str(row[6]),
        )
        if version < (OLDEST_MARIADB if is_mariadb else OLDEST_MYSQL):
            raise too_old(server.product, "MySQL 8.0.23 or MariaDB 10.6,")
        patience = max(1, round(self._settings.lock_timeout))
        assignments = [
            f"SESSION sql_mode = '{server.sql_mode}'",
            f"SESSION lock_wait_timeout = {patience}",
            f"SESSION innodb_lock_wait_timeout = {patience}",
            "SESSION sql_quote_show_create = 1",
            "SESSION group_concat_max_len = 4294967295",
        ]
        if not is_mariadb:
            assignments.append("SESSION information_schema_stats_expiry = 0")
            assignments.append("SESSION show_create_table_skip_secondary_engine = 0")
        work.run(context, Statement(f"SET {', '.join(assignments)}"))
        if self._reads_committed is None:
            found: dict[str, str] = dict(work.run(context, Statement(_BINARY_LOG)))
            logged = found.get("log_bin") == "ON" and found.get("binlog_format") == "STATEMENT"
            self._reads_committed = not logged
        if self._reads_committed:
            work.run(context, Statement("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        self._server = server

    def _kill(self, identifier: int) -> None:
        """Stop what a connection runs, over another one: the protocol knows no other way."""
        with contextlib.suppress(KolumnError, Exception):
            patience = Context.background().with_timeout(_KILL_SECONDS)
            connection = self._connect(patience)
            try:
                connection.query(f"KILL QUERY {identifier}")
            finally:
                connection.close()


def _tls(settings: MySQLSettings) -> Sequence[dict[str, Any]]:
    """Return the driver's arguments for TLS, in the order in which to try them."""
    mode = settings.ssl_mode.lower()
    if mode == "disabled" or settings.socket:
        return [{"ssl_disabled": True}]
    # The driver encrypts where it is given a context, and fails where the server does not offer it.
    tls = ssl.create_default_context(cafile=_file(settings.ssl_ca))
    tls.check_hostname = mode == "verify_identity"
    if mode not in ("verify_ca", "verify_identity"):
        tls.verify_mode = ssl.CERT_NONE
    if settings.ssl_cert:
        tls.load_cert_chain(_file(settings.ssl_cert) or "", _file(settings.ssl_key))
    if mode == "preferred":
        return [{"ssl": tls}, {"ssl_disabled": True}]
    return [{"ssl": tls}]


def _file(path: str) -> str | None:
    return str(Path(path).expanduser()) if path else None
