"""One configured PostgreSQL database: transactions, statements in pipelines, catalogue reading, locks."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.contract.logs import ConnectionLogger
from kolumn.engine.journal import Journal
from kolumn.engine.metadata import Metadata
from kolumn.engine.operations import Statement, Step
from kolumn.engine.rows import RowStore
from kolumn.engine.session import Capabilities
from kolumn.providers.postgres.connection import faults
from kolumn.providers.postgres.connection.connections import Connections, milliseconds
from kolumn.providers.postgres.connection.metadata import postgres_journal, postgres_metadata
from kolumn.providers.postgres.connection.rows import PostgresRows
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.connection.settings import PostgresSettings
from kolumn.providers.postgres.connection.wire import Row, exchange
from kolumn.providers.postgres.connection.work import (
    BEGIN,
    BEGIN_READING,
    EMPTY_PATH,
    Fetch,
    Scratch,
    Work,
    read_within,
)

if TYPE_CHECKING:
    from psycopg import Connection

_CHUNK = 1000
"""Statements in one pipeline at most: their answers wait in memory until they are read."""
_POLL_SECONDS = 0.1
_OUTCOME_SECONDS = 15.0
"""How long a server is asked what came of a commit whose answer was lost."""

_ASSIGNED = Statement(
    "SELECT pg_catalog.pg_current_xact_id_if_assigned()::text, pg_catalog.pg_postmaster_start_time()::text"
)
_STATUS = "SELECT pg_catalog.pg_xact_status(%s::text::xid8), pg_catalog.pg_postmaster_start_time()::text"
_COMMIT = Statement("COMMIT")

_HOLDER = """
SELECT a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
       coalesce(host(a.client_addr), 'this machine'),
       to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid::bigint = %s AND l.objid::bigint = %s
"""


class PostgresSession:
    """A database behind a pool of connections, opened when first used.

    Threads do not see each other's transactions; one thread's calls within `transaction` share a connection.
    """

    def __init__(self, settings: PostgresSettings, refused_types: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._refused = refused_types or {}
        self._connections = Connections(settings)
        self._thread = threading.local()
        self._count_lock = threading.Lock()
        self.queries_sent = 0
        """Queries and statements sent so far, without those that open and close transactions."""
        self.rows: RowStore | None = PostgresRows(self)
        self.journal: Journal | None = postgres_journal(self, settings.metadata_schema)
        self.metadata: Metadata | None = postgres_metadata(self, settings.metadata_schema)

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do; connects if nobody has yet."""
        server = self.server(Context.background())
        return Capabilities(
            server=server.product,
            transactional_ddl=True,
            max_identifier=server.max_identifier,
            refused_types=self._refused,
        )

    def server(self, context: Context) -> Server:
        """Return what the server is; connects if nobody has yet. Raises ConnectionError, PermissionError."""
        return self._connections.server(context)

    @property
    def version(self) -> int:
        """The server's server_version_num, e.g. 150018."""
        return self.server(Context.background()).version

    @property
    def current_user(self) -> str:
        """The role statements run as."""
        return self.server(Context.background()).user

    @property
    def database(self) -> str:
        """The name of the database."""
        return self.server(Context.background()).database

    @property
    def is_superuser(self) -> bool:
        """Whether `current_user` is a superuser."""
        return self.server(Context.background()).is_superuser

    def ping(self, context: Context) -> str:
        """Make a round trip; return product and version. Raises ConnectionError or PermissionError."""
        self.query(context, Statement("SELECT 1"))
        return self.server(context).product

    def close(self) -> None:
        """Close every connection and clear the password; safe to call again."""
        self._connections.close()

    def query(self, context: Context, statement: Statement) -> list[Row]:
        """Run one query and return its rows: in the thread's transaction, else by itself."""
        with self._working(context) as work:
            return work.fetch(context, [statement])[0]

    def run(
        self,
        context: Context,
        statements: Iterable[Statement],
        finished: Callable[[], None] = lambda: None,
    ) -> None:
        """Run statements: within `transaction` in pipelines, else each on its own.

        Calls `finished` after each that worked. Raises OperationError, ConnectionError or PermissionError.
        """
        with self._working(context) as work:
            remaining = iter(statements)
            while chunk := list(islice(remaining, _CHUNK)):
                work.run(context, chunk, lambda *_: finished())

    @contextlib.contextmanager
    def transaction(self, context: Context, steps: Iterable[Step]) -> Iterator[None]:
        """Open a transaction in which `steps` can run; commit on success, roll back on error.

        Where a step must not run in one there is none: its statements commit one by one, on one connection.
        Steps that may be tried again wait for locks as long as `online_lock_timeout` says only.
        """
        steps = list(steps)
        if self._current() is not None:
            raise OperationError("a transaction is open already. Commit it first.", code="nested_transaction")
        transactional = all(step.transactional for step in steps)
        with self._connections.borrow(context) as connection:
            work = Work(connection, self._count, transactional, [BEGIN] if transactional else [])
            brief = any(step.attempts > 1 for step in steps)
            if brief:
                local = "LOCAL " if transactional else ""
                limit = milliseconds(self._settings.online_lock_timeout)
                work.opening.append(Statement(f"SET {local}lock_timeout = {limit}"))
            with self._pinned(work):
                if transactional:
                    with work.rolled_back():
                        yield
                        self._commit(context, work)
                    return
                try:
                    yield
                finally:
                    if brief:
                        limit = milliseconds(self._settings.lock_timeout)
                        work.tidy(Statement(f"SET lock_timeout = {limit}"))

    @contextlib.contextmanager
    def lend(self, context: Context) -> Iterator[Work]:
        """Lend what the thread works with, its transaction begun: for what no statement can say, such as COPY."""
        with self._working(context) as work:
            if work.opening:
                work.run(context, [Statement("SELECT 1")])
            yield work

    @contextlib.contextmanager
    def read(self, context: Context) -> Iterator[Fetch]:
        """Open one view of the catalogue: every query sees the same moment, and names come out qualified.

        Within `transaction` it reads what that transaction sees.
        """
        if (current := self._current()) is not None and current.in_transaction:
            with read_within(context, current) as fetch:
                yield fetch
            return
        with self._connections.borrow(context) as connection:
            work = Work(connection, self._count, True, [BEGIN_READING, EMPTY_PATH])
            with work.rolled_back(always=True):
                yield Fetch(context, work)

    @contextlib.contextmanager
    def scratch(self, context: Context) -> Iterator[Scratch]:
        """Open a transaction that is always rolled back, to ask the server what it makes of statements."""
        with self._connections.borrow(context) as connection:
            work = Work(connection, self._count, True, [BEGIN])
            with work.rolled_back(always=True):
                yield Scratch(context, work)

    @contextlib.contextmanager
    def lock(self, context: Context, name: str) -> Iterator[None]:
        """Hold the lock `name` among all Kolumn sessions on this database, on a connection of its own.

        Waits for the context's deadline, else `lock_timeout`. Raises StateError naming who holds it.
        """
        remaining = context.remaining()
        until = time.monotonic() + (self._settings.lock_timeout if remaining is None else remaining)
        key = lock_key(name)
        take = Statement("SELECT pg_catalog.pg_try_advisory_lock(%s)", (key,))
        connection = self._connections.open(context)
        try:
            # Tried again rather than waited for in the server: who waits there has a snapshot, and an index
            # that the holder builds CONCURRENTLY waits for all snapshots.
            while not _ask(context, connection, take)[0][0]:
                if time.monotonic() + _POLL_SECONDS >= until:
                    raise faults.locked(_holder(connection, key), name)
                context.wait(_POLL_SECONDS)
            yield
        finally:
            connection.close()  # and the lock with it

    def _count(self, statements: int) -> None:
        with self._count_lock:
            self.queries_sent += statements

    def _current(self) -> Work | None:
        work: Work | None = getattr(self._thread, "work", None)
        return work

    @contextlib.contextmanager
    def _pinned(self, work: Work) -> Iterator[None]:
        """Have the thread's calls use `work`."""
        self._thread.work = work
        try:
            yield
        finally:
            self._thread.work = None

    @contextlib.contextmanager
    def _working(self, context: Context) -> Iterator[Work]:
        """Lend what the thread works with: its transaction's connection, else one from the pool."""
        current = self._current()
        if current is not None:
            yield current
            return
        with self._connections.borrow(context) as connection:
            yield Work(connection, self._count)

    def _commit(self, context: Context, work: Work) -> None:
        from psycopg.pq import TransactionStatus

        if work.opening:  # nothing was run
            return
        if work.connection.pgconn.transaction_status == TransactionStatus.INERROR:
            raise OperationError(
                "a statement of the transaction failed, so it cannot be committed.",
                code="transaction_aborted",
            )
        context.check()
        ((xid, started),) = _ask(context, work.connection, _ASSIGNED, in_transaction=True)
        try:
            exchange(context, work.connection, [_COMMIT], together=False, in_transaction=True)
        except KolumnError as error:
            if xid is None or not work.connection.closed:
                raise
            self._settle(xid, started, error)

    def _settle(self, xid: str, started: str, error: KolumnError) -> None:
        """Find out what came of a commit whose answer was lost; return if it was kept.

        https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
        """
        outcome = None
        with contextlib.suppress(KolumnError):
            outcome = self._outcome(Context.background().with_timeout(_OUTCOME_SECONDS), xid, started)
        if outcome == "committed":
            ConnectionLogger.warn("the connection was lost after the commit", transaction=xid)
        elif outcome == "aborted":
            raise error
        else:
            raise faults.commit_unknown(error.message) from error

    def _outcome(self, context: Context, xid: str, started: str) -> str | None:
        """Return `committed`, `aborted`, or None where the server cannot know.

        A server started since may be another one that took over, whose transactions have other numbers.
        """
        connection = self._connections.open(context)
        try:
            while True:
                ((status, start),) = _ask(context, connection, Statement(_STATUS, (xid,)))
                if status != "in progress":
                    return status if start == started else None
                context.wait(_POLL_SECONDS)
        finally:
            connection.close()


def _ask(
    context: Context, connection: Connection[Any], query: Statement, *, in_transaction: bool = False
) -> list[Row]:
    found: list[list[Row]] = []
    exchange(context, connection, [query], lambda _, rows: found.append(rows), in_transaction=in_transaction)
    return found[0]


def _holder(connection: Connection[Any], key: int) -> dict[str, Any]:
    """Return who holds an advisory lock, nothing where the server does not say."""
    parts = ((key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF)
    with contextlib.suppress(KolumnError):
        context = Context.background().with_timeout(_OUTCOME_SECONDS)
        for row in _ask(context, connection, Statement(_HOLDER, parts)):
            if row[0] is not None:
                return dict(zip(("pid", "user", "application", "client", "since"), row, strict=True))
    return {}


def lock_key(name: str) -> int:
    """Return the key of the advisory lock called `name`, a signed number of 64 bits."""
    return int.from_bytes(hashlib.sha256(f"kolumn lock {name}".encode()).digest()[:8], "big", signed=True)
