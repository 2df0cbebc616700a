"""One configured PostgreSQL database: transactions, statements in pipelines, catalogue reading, locks."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, OperationError
from kolumn.contract.logs import ConnectionLogger
from kolumn.engine.metadata import Metadata
from kolumn.engine.operations import Statement, Step
from kolumn.engine.rows import RowStore
from kolumn.engine.session import Capabilities, Identity
from kolumn.providers.postgres.connection import faults
from kolumn.providers.postgres.connection.connections import Connections, milliseconds
from kolumn.providers.postgres.connection.held import ISOLATION_LEVELS, HeldTransaction
from kolumn.providers.postgres.connection.metadata import postgres_metadata
from kolumn.providers.postgres.connection.rows import PostgresRows
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.connection.settings import PostgresSettings
from kolumn.providers.postgres.connection.wire import Row, exchange
from kolumn.providers.postgres.connection.work import (
    BEGIN,
    BEGIN_ASKING,
    BEGIN_READING,
    EMPTY_PATH,
    Fetch,
    Scratch,
    Work,
    read_within,
)
from kolumn.providers.postgres.language.tokens import quote
from kolumn.sql.session import SQLSession, nested_transaction, patience

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


class PostgresSession(SQLSession[HeldTransaction]):
    """A database behind a pool of connections, opened when first used.

    Threads do not see each other's transactions; one thread's calls within `transaction` share a connection.
    A transaction that is held (`begin`) is that of all threads.
    """

    def __init__(self, settings: PostgresSettings, refused_types: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._refused = refused_types or {}
        self._connections = Connections(settings)
        self._thread = threading.local()
        self._count_lock = threading.Lock()
        self._held: HeldTransaction | None = None
        self.queries_sent = 0
        """Queries and statements sent so far, without those that open and close transactions."""
        self.rows: RowStore | None = PostgresRows(self)
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
            isolation_levels=ISOLATION_LEVELS,
            savepoints=True,
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

    @property
    def identity(self) -> Identity:
        """The role that connected, and the application's name."""
        return Identity(self.server(Context.background()).login, self._settings.application)

    def ping(self, context: Context) -> str:
        """Make a round trip; return product and version. Raises ConnectionError or PermissionError."""
        self.query(context, Statement("SELECT 1"))
        return self.server(context).product

    def close(self) -> None:
        """Close every connection and clear the password; safe to call again."""
        self.roll_back()
        self._connections.close()

    def query(self, context: Context, statement: Statement) -> list[Row]:
        """Run one query and return its rows: in the thread's transaction, else by itself."""
        with self._working(context) as work:
            return work.fetch(context, [statement])[0]

    def answer(
        self, context: Context, queries: Sequence[Statement], seconds: float
    ) -> list[list[Row] | KolumnError]:
        """Return the rows of each query, or what was wrong with it: one round trip, and one more for each fault."""
        answers: list[list[Row] | KolumnError] = []
        while rest := queries[len(answers) :][:_CHUNK]:
            found: list[list[Row]] = []
            try:
                with self._asking(seconds, context) as work:
                    work.run(context, rest, partial(_note, found))
            except ConnectionError:
                raise
            except KolumnError as error:
                context.check()
                answers += [*found, error]
            else:
                answers += found
        return answers

    @contextlib.contextmanager
    def _asking(self, seconds: float, context: Context) -> Iterator[Work]:
        """Lend a connection on which nothing can be changed and every statement has a time limit."""
        limit = Statement(f"SET LOCAL statement_timeout = {milliseconds(seconds)}")
        if (held := self._held) is not None:
            with held.nested(limit, always_back=True) as work:
                yield work
            return
        with self._connections.borrow(context) as connection:
            work = Work(connection, self._count, True, [BEGIN_ASKING, limit])
            with work.rolled_back(always=True):
                yield work

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
            raise nested_transaction()
        self.admit(steps)
        transactional = all(step.transactional for step in steps)
        brief = any(step.attempts > 1 for step in steps)
        local = "LOCAL " if transactional else ""
        hurried = [Statement(f"SET {local}lock_timeout = {self._limit(online=True)}")] if brief else []
        patient = Statement(f"SET {local}lock_timeout = {self._limit()}")
        if (held := self._held) is not None:
            with held.nested(*hurried) as work, self._pinned(work):
                yield
                if brief and work.is_usable:  # a savepoint that is released leaves settings as they are
                    work.run(context, [patient])
            return
        with self._connections.borrow(context) as connection:
            work = Work(connection, self._count, transactional, [BEGIN] if transactional else [])
            work.opening += hurried
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
                        work.tidy(patient)

    def _limit(self, *, online: bool = False) -> str:
        settings = self._settings
        return milliseconds(settings.online_lock_timeout if online else settings.lock_timeout)

    @property
    def is_held(self) -> bool:
        """Whether a transaction that was begun is still open."""
        return self._held is not None and self._held.is_open

    def begin(
        self, context: Context, *, isolation: str, read_only: bool = False, locks: Sequence[str] = ()
    ) -> None:
        """Open a transaction that spans calls, on a connection of its own."""
        with self.taking(context, locks) as taken:
            connection = self._connections.open(context)
            held = HeldTransaction(connection, self._count, read_only=read_only, locks=taken)
            try:
                held.begin(context, isolation)
            except BaseException:
                held.end()
                raise
            self._held = held

    def commit(self, context: Context) -> None:
        """Commit the transaction that is held; it is open still where the commit was not even tried."""
        held = self.required()
        held.verify()
        self._commit(context, Work(held.connection, self._count, True))
        self.roll_back()  # nothing is left to roll back

    def roll_back(self) -> None:
        """Roll back the transaction that is held, if there is one."""
        held, self._held = self._held, None
        if held is not None:
            held.end()

    def control(self, context: Context, text: str) -> None:
        """Run a statement about the transaction that is held."""
        self.required().control(context, text)

    def quoted(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

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
        if (held := self._held) is not None:
            with held.nested(EMPTY_PATH, always_back=True) as work:
                yield Fetch(context, work)
            return
        with self._connections.borrow(context) as connection:
            work = Work(connection, self._count, True, [BEGIN_READING, EMPTY_PATH])
            with work.rolled_back(always=True):
                yield Fetch(context, work)

    @contextlib.contextmanager
    def scratch(self, context: Context) -> Iterator[Scratch]:
        """Open a transaction that is always rolled back, to ask the server what it makes of statements.

        One that is held is asked itself, as it knows what it has made, unless it may only read.
        """
        if (held := self._held) is not None and not held.read_only:
            with held.scratch(context) as scratch:
                yield scratch
            return
        with self._connections.borrow(context) as connection:
            work = Work(connection, self._count, True, [BEGIN])
            with work.rolled_back(always=True):
                yield Scratch(context, work)

    @contextlib.contextmanager
    def locked(self, context: Context, name: str) -> Iterator[None]:
        """Hold the lock `name`, on a connection of its own; wait for the deadline, else `lock_timeout`."""
        until = time.monotonic() + patience(context, self._settings.lock_timeout)
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
        if (held := self._held) is not None:
            with held.nested() as work:
                yield work
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


def _note(found: list[list[Row]], _: int, rows: list[Row]) -> None:
    found.append(rows)


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
