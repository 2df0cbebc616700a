"""Connecting: what is set on each connection, what the server says it is, and the pool."""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError
from kolumn.contract.logs import ConnectionLogger
from kolumn.engine.operations import Statement
from kolumn.providers.postgres.connection import faults
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.connection.settings import PostgresSettings
from kolumn.providers.postgres.connection.wire import exchange
from kolumn.sql.faults import too_old

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.errors import Diagnostic
    from psycopg_pool import ConnectionPool

OLDEST = 140000
"""The oldest version of PostgreSQL supported, as server_version_num."""
_POLL_SECONDS = 0.25
"""How often the wait for a connection is interrupted to see whether it makes sense."""

_CONFIGURATION = {
    "client_min_messages": "warning",
    "check_function_bodies": "off",  # functions may come before what they use
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",  # a default written without a zone then means the same from everywhere
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "row_security": "off",  # an error rather than a part of the rows
    "search_path": "public",
    "statement_timeout": "0",  # deadlines are the caller's
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "jit": "off",  # compiling a catalogue query takes longer than running it
}

_FACTS = """
SELECT version(), current_user::text, session_user::text, current_database()::text,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
       current_setting('max_identifier_length')::int, pg_catalog.pg_is_in_recovery(),
       current_setting('server_version')
"""


class Connections:
    """The connections to one database, one by one or borrowed from a pool. Safe for several threads."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._pool: ConnectionPool[Connection[Any]] | None = None
        self._spare: Connection[Any] | None = None
        """A connection for the pool's taking: the first is made where its error is seen."""
        self._failure: KolumnError | None = None
        """Why the pool could not connect the last time."""
        self._closed = False

    def server(self, context: Context) -> Server:
        """Return what the server is, connecting if nobody has yet."""
        if self._server is None:
            connection = self.open(context)
            with self._lock:
                unused, self._spare = self._spare, connection
            if unused is not None:
                unused.close()
        assert self._server is not None
        return self._server

    def open(self, context: Context) -> Connection[Any]:
        """Return a new connection outside the pool, ready for use; the caller closes it.

        Raises ConnectionError or PermissionError.
        """
        connection = self._connect(context)
        try:
            self._prepare(context, connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def borrow(self, context: Context) -> Iterator[Connection[Any]]:
        """Lend a connection from the pool; a broken one is not lent again."""
        self.server(context)
        pool = self._opened_pool()
        connection = self._take(context, pool)
        try:
            yield connection
        finally:
            pool.putconn(connection)

    def close(self) -> None:
        """Close every connection that is not lent and clear the password; safe to call again."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
            spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()
        if pool is not None:
            pool.close()
        self._settings.secret.clear()
        for secret in self._settings.secret_parameters.values():
            secret.clear()

    def _connect(self, context: Context) -> Connection[Any]:
        import psycopg
        from psycopg.conninfo import make_conninfo

        context.check()
        self._check_open()
        left = context.remaining()
        seconds = self._settings.patience or 0.0
        if left is not None:
            seconds = min(seconds, left) if seconds else left
        try:
            limit = max(1, round(seconds)) if seconds else 0
            conninfo = make_conninfo(**self._settings.conninfo(), connect_timeout=limit)
            connection = psycopg.connect(conninfo, autocommit=True)
        except psycopg.Error as error:
            context.check()
            raise faults.cannot_connect(error, self._settings.where) from None
        connection.add_notice_handler(_log)
        return connection

    def _prepare(self, context: Context, connection: Connection[Any]) -> None:
        """Set what statements rely on and ask the server what it is, in one round trip."""
        version = connection.pgconn.server_version
        if product := connection.pgconn.parameter_status(b"crdb_version"):
            raise faults.not_postgres(product.decode())
        if version < OLDEST:
            raise too_old(f"PostgreSQL {version // 10000}", "PostgreSQL 14")
        wanted = _CONFIGURATION | {"lock_timeout": milliseconds(self._settings.lock_timeout)}
        if version >= 170000:
            wanted["transaction_timeout"] = "0"
        configure = "SELECT " + ", ".join(
            f"set_config('{key}', '{value}', false)" for key, value in wanted.items()
        )
        statements = [Statement(configure)]
        if role := self._settings.role:
            quoted = role.replace('"', '""')
            statements.append(Statement(f'SET ROLE "{quoted}"'))
        statements.append(Statement(_FACTS))
        answers: dict[int, list[tuple[Any, ...]]] = {}
        exchange(context, connection, statements, answers.__setitem__)
        ((said, user, login, database, superuser, identifier, standby, number),) = answers[len(answers) - 1]
        if not said.startswith(("PostgreSQL ", "EnterpriseDB ")):
            raise faults.not_postgres(said)
        self._server = Server(
            version=version,
            product=f"PostgreSQL {number.split()[0]}",
            user=user,
            login=login,
            database=database,
            is_superuser=superuser,
            max_identifier=identifier,
            is_standby=standby,
        )

    def _opened_pool(self) -> ConnectionPool[Connection[Any]]:
        with self._lock:
            self._check_open()
            if self._pool is None:
                self._pool = self._make_pool()
                self._pool.open()
            return self._pool

    def _make_pool(self) -> ConnectionPool[Connection[Any]]:
        from psycopg import Connection
        from psycopg_pool import ConnectionPool

        connections = self

        class Pooled(Connection[Any]):
            @classmethod
            def connect(cls, *_: Any, **__: Any) -> Any:
                return connections._for_pool()

        # It warns of every attempt that fails; without a handler Python prints that to standard error.
        logging.getLogger("psycopg").addHandler(logging.NullHandler())
        pool = self._settings.connection_pool
        return ConnectionPool(
            connection_class=Pooled,
            min_size=pool.min_size,
            max_size=pool.max_size,
            timeout=pool.timeout,
            max_idle=pool.max_idle,
            max_lifetime=pool.max_lifetime,
            num_workers=1,
            check=_check_alive,
            open=False,
            name="kolumn",
        )

    def _for_pool(self) -> Connection[Any]:
        from psycopg import OperationalError

        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None:
            return spare
        try:
            return self.open(Context.background())
        except KolumnError as error:
            self._failure = error
            raise OperationalError(error.message) from error

    def _take(self, context: Context, pool: ConnectionPool[Connection[Any]]) -> Connection[Any]:
        from psycopg_pool import PoolClosed, PoolTimeout

        limit = self._settings.connection_pool.timeout
        until = time.monotonic() + limit
        self._failure = None
        while True:
            context.check()
            try:
                return pool.getconn(_POLL_SECONDS)
            except PoolTimeout:
                if self._failure is not None:
                    raise self._failure from None
                if time.monotonic() >= until:
                    break
            except PoolClosed:
                raise _closed() from None
        raise ConnectionError(
            f"no connection became free within {limit:g} s: all {pool.max_size} are in use. "
            "Raise max_size or timeout of connection_pool.",
            code="pool_exhausted",
        )

    def _check_open(self) -> None:
        if self._closed:
            raise _closed()


def _closed() -> ConnectionError:
    return ConnectionError("the connection was closed. Call Configure again.", code="closed")


def milliseconds(seconds: float) -> str:
    """Return seconds as a setting in milliseconds; what is above nothing stays above nothing."""
    return f"{max(1, round(seconds * 1000)) if seconds > 0 else 0}"


def _check_alive(connection: Connection[Any]) -> None:
    """Raise OperationalError if the server has ended an idle connection.

    That costs a round trip only where the server has said something without being asked.
    """
    from psycopg_pool import ConnectionPool

    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        ConnectionPool.check_connection(connection)


def _log(diagnostic: Diagnostic) -> None:
    ConnectionLogger.warn(
        "the server warns", message=diagnostic.message_primary or "", detail=diagnostic.message_detail or ""
    )
