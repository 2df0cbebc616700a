"""The session of the engine on a MySQL or MariaDB server.

DDL commits by itself there, what was under way with it: a transaction holds rows only, never structure. So every
step runs outside of one, noted in the journal before and after, and is undone by its own statements.
https://dev.mysql.com/doc/refman/9.4/en/implicit-commit.html
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError
from kolumn.engine.metadata import Metadata
from kolumn.engine.migration.scripts import RunScript
from kolumn.engine.operations import Statement, Step
from kolumn.engine.rows import RowStore
from kolumn.engine.session import Capabilities, Identity
from kolumn.engine.transactions import holding
from kolumn.engine.transactions.holding import HeldLocks
from kolumn.providers.mysql.connection import faults
from kolumn.providers.mysql.connection.connections import Connections
from kolumn.providers.mysql.connection.metadata import mysql_metadata
from kolumn.providers.mysql.connection.rows import MySQLRows
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.connection.settings import MySQLSettings
from kolumn.providers.mysql.connection.work import Row, Work
from kolumn.providers.mysql.language.tokens import quote
from kolumn.sql.session import SQLSession, nested_transaction, patience

ISOLATION_LEVELS = ("repeatable read", "read committed", "read uncommitted", "serializable")
"""https://dev.mysql.com/doc/refman/9.4/en/innodb-transaction-isolation-levels.html; the first is the default."""

_POLL_SECONDS = 0.1
_SHOWN_AT_ONCE = 500
_HOLDER = """
SELECT p.id, p.user, p.host FROM information_schema.processlist p WHERE p.id = IS_USED_LOCK(%s)
"""


@dataclass(slots=True)
class _Held:
    """A transaction that spans calls, on a connection of its own."""

    work: Work
    read_only: bool
    locks: HeldLocks
    nested: bool = False
    """Whether `transaction` is open inside it."""


class MySQLSession(SQLSession[_Held]):
    """Connections to one database of one server."""

    def __init__(self, settings: MySQLSettings, refused_types: Mapping[str, str]) -> None:
        self._settings = settings
        self._refused = refused_types
        self._connections = Connections(settings)
        self._thread = threading.local()
        self._held: _Held | None = None
        self._scripted: Work | None = None
        """The connection of the script that is run: what it sets for its session is for all of it, and no other."""
        self.rows: RowStore | None = MySQLRows(self)
        self.metadata: Metadata | None = mysql_metadata(self, settings.metadata)
        self.queries_sent = 0
        """Statements sent so far."""

    @property
    def settings(self) -> MySQLSettings:
        """What was configured; the password is not in it."""
        return self._settings

    def server(self, context: Context) -> Server:
        """Return what the server is; connects if nobody has yet."""
        return self._connections.server(context)

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do; connects if nobody has yet."""
        server = self.server(Context.background())
        refused = dict(self._refused)
        if not server.sequences:
            refused["sequence"] = f"{server.product} has no sequences; number rows with auto_increment."
        return Capabilities(
            server=server.product,
            transactional_ddl=False,
            max_identifier=64,
            refused_types=refused,
            isolation_levels=ISOLATION_LEVELS,
            savepoints=True,
        )

    @property
    def identity(self) -> Identity:
        """The account the server takes the connection for."""
        return Identity(self.server(Context.background()).account, self._settings.application_name)

    def ping(self, context: Context) -> str:
        """Make a round trip; return product and version."""
        self.query(context, Statement("SELECT 1"))
        return self.server(context).product

    def close(self) -> None:
        """Close every connection and clear the password; safe to call again."""
        self.roll_back()
        self._end_script()
        self._connections.close()

    def query(self, context: Context, statement: Statement) -> list[Row]:
        """Run one query and return its rows."""
        with self._asking(context, statement.text) as work:
            self.queries_sent += 1
            return work.run(context, statement)

    def _asking(self, context: Context, text: str) -> AbstractContextManager[Work]:
        """Lend what a query is to run on.

        The catalogue is the same to every connection. Read in a transaction it would fix the moment that this
        sees, and it could not change tables of Kolumn's own that are made afterwards.
        """
        if "information_schema." in text:
            current = self._current()
            return self.working(context) if current is None else self.apart(context)
        return self.beside(context) if f"{quote(self._settings.metadata)}." in text else self.working(context)

    def run(
        self,
        context: Context,
        statements: Iterable[Statement],
        finished: Callable[[], None] = lambda: None,
    ) -> None:
        """Run statements one after the other, all on one connection."""
        notes = f"{quote(self._settings.metadata)}"
        with self.working(context) as work:
            for statement in statements:
                self.queries_sent += 1
                if work.holds_table and notes in statement.text:
                    with self.beside(context) as other:
                        other.run(context, statement)
                elif work.in_transaction and statement.text.startswith("CREATE "):
                    self._create_apart(context, work, statement)
                else:
                    work.run(context, statement)
                    work.has_changed = True
                finished()

    def afterwards(self, context: Context, statement: Statement) -> None:
        """Run a statement that commits by itself once the transaction that is open is committed; else at once."""
        with self.working(context) as work:
            if work.in_transaction:
                work.afterwards.append(statement)
            else:
                work.run(context, statement)

    def _create_apart(self, context: Context, work: Work, statement: Statement) -> None:
        """Create a table of Kolumn's own, which would commit the transaction, on another connection.

        A transaction that has changed nothing begins anew: it would not see the table.
        """
        with self.apart(context) as other:
            other.run(context, statement)
        if not work.has_changed and self._held is None:
            work.control(context, "COMMIT")
            work.control(context, "START TRANSACTION")

    @contextlib.contextmanager
    def transaction(self, context: Context, steps: Iterable[Step]) -> Iterator[None]:
        """Open a transaction of rows; where a step is DDL there is none, and one connection for all.

        While one is held open it is a savepoint inside that one.
        """
        steps = list(steps)
        if self._current() is not None:
            raise nested_transaction()
        self.admit(steps)
        if (held := self._held) is not None:
            with self._nested(context, held):
                yield
            return
        transactional = all(step.transactional for step in steps)
        with self._lent(context, steps) as work:
            if transactional:
                work.control(context, "START TRANSACTION")
                work.in_transaction, work.has_changed, work.afterwards = True, False, []
            try:
                with self._pinned(work):
                    yield
                if transactional:
                    context.check()
                    work.control(context, "COMMIT")
                    work.in_transaction = False
                    for statement in work.afterwards:
                        work.run(context, statement)
            except BaseException:
                # What a step has set for its session, e.g. the SQL mode, goes with the connection.
                work.is_usable = work.is_usable and transactional
                raise
            finally:
                work.unlock_tables()
                if work.in_transaction:
                    work.roll_back()

    @contextlib.contextmanager
    def _lent(self, context: Context, steps: Sequence[Step]) -> Iterator[Work]:
        """Lend a connection for steps: a script has one to itself, until the lock it runs under is let go."""
        if not any(isinstance(step.operation, RunScript) for step in steps):
            with self._connections.borrow(context) as work:
                yield work
            return
        if self._scripted is None or not self._scripted.is_usable:
            self._end_script()
            self._scripted = self._connections.open(context)
        yield self._scripted

    def _end_script(self) -> None:
        script, self._scripted = self._scripted, None
        if script is not None:
            script.close()

    @property
    def is_held(self) -> bool:
        """Whether a transaction that was begun is still open."""
        return self._held is not None and self._held.work.is_usable

    def begin(
        self, context: Context, *, isolation: str, read_only: bool = False, locks: Sequence[str] = ()
    ) -> None:
        """Open a transaction that spans calls, on a connection of its own."""
        with self.taking(context, locks) as taken:
            work = self._connections.open(context)
            try:
                work.control(context, f"SET TRANSACTION ISOLATION LEVEL {isolation.upper()}")
                snapshot = isolation == ISOLATION_LEVELS[0]
                options = [
                    *(["WITH CONSISTENT SNAPSHOT"] if snapshot else []),
                    "READ ONLY" if read_only else "READ WRITE",
                ]
                work.control(context, f"START TRANSACTION {', '.join(options)}")
                work.in_transaction = True
            except BaseException:
                work.close()
                raise
            self._held = _Held(work, read_only, taken)

    def commit(self, context: Context) -> None:
        """Commit the transaction that is held."""
        held = self._holding()
        context.check()
        held.work.control(context, "COMMIT")
        held.work.in_transaction = False
        for statement in held.work.afterwards:
            held.work.run(context, statement)
        self.roll_back()  # nothing is left to roll back

    def roll_back(self) -> None:
        """Roll back the transaction that is held, if there is one: the server does with its connection."""
        held, self._held = self._held, None
        if held is not None:
            if held.work.in_transaction:
                held.work.roll_back()
            held.work.close()
            held.locks.release()

    def control(self, context: Context, text: str) -> None:
        """Run a statement about the transaction that is held."""
        self._holding().work.control(context, text)

    def quoted(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

    @contextlib.contextmanager
    def locked(self, context: Context, name: str) -> Iterator[None]:
        """Hold the lock `name`, on a connection of its own; with it ends the connection of a script."""
        until = time.monotonic() + patience(context, self._settings.lock_timeout)
        key = lock_key(self._settings.database, name)
        with contextlib.ExitStack() as stack:
            work = self._connections.open(context)
            stack.callback(work.close)  # and the lock with it
            stack.callback(self._end_script)
            while work.run(context, Statement("SELECT GET_LOCK(%s, 0)", (key,)))[0][0] != 1:
                if time.monotonic() + _POLL_SECONDS >= until:
                    found = work.run(Context.background(), Statement(_HOLDER, (key,)))
                    holder = dict(zip(("id", "user", "host"), found[0], strict=True)) if found else {}
                    raise faults.locked(holder, name)
                context.wait(_POLL_SECONDS)
            yield

    @contextlib.contextmanager
    def working(self, context: Context) -> Iterator[Work]:
        """Lend what the thread works with: its transaction's connection, else one that is free."""
        current = self._current()
        if current is not None:
            yield current
        elif self._held is not None:
            yield self._holding().work
        else:
            with self._connections.borrow(context) as work:
                yield work

    @contextlib.contextmanager
    def beside(self, context: Context) -> Iterator[Work]:
        """Lend what the thread works with, unless that holds a table and can use no other: then one that is free."""
        current = self._current()
        if current is not None and current.holds_table:
            with self._connections.borrow(context) as work:
                yield work
        else:
            with self.working(context) as work:
                yield work

    @contextlib.contextmanager
    def reading(self, context: Context) -> Iterator[Work]:
        """Lend what reads the catalogues, which are in no transaction.

        MariaDB keeps some in an engine without savepoints, which would then deny the whole transaction any.
        """
        if self._held is not None and self._current() is None:
            self._holding()
            with self.apart(context) as work:
                yield work
        else:
            with self.working(context) as work:
                yield work

    @contextlib.contextmanager
    def apart(self, context: Context) -> Iterator[Work]:
        """Lend a connection outside of any transaction, e.g. for what commits by itself."""
        with self._connections.borrow(context) as work:
            yield work

    def show(self, context: Context, texts: Sequence[str]) -> list[list[Row] | None]:
        """Return what SHOW statements of Kolumn's own say, in a few round trips; None where one is refused."""
        found: list[list[Row] | None] = []
        if not texts:
            return found
        work = self._connections.open(context, several=True)
        try:
            for start in range(0, len(texts), _SHOWN_AT_ONCE):
                self.queries_sent += 1
                found += work.run_many(context, texts[start : start + _SHOWN_AT_ONCE])
        finally:
            work.close()
        return found

    def _holding(self) -> _Held:
        held = self.required()
        if not held.work.is_usable:
            raise holding.lost("its connection to the server broke.")
        return held

    @contextlib.contextmanager
    def _nested(self, context: Context, held: _Held) -> Iterator[None]:
        """Open a savepoint in the transaction that is held."""
        work = self._holding().work
        work.control(context, "SAVEPOINT `kolumn_call`")
        try:
            with self._pinned(work):
                yield
            context.check()
            work.control(context, "RELEASE SAVEPOINT `kolumn_call`")
        except BaseException as error:
            if work.is_usable:
                with contextlib.suppress(KolumnError):  # the transaction is lost then, and says so itself
                    work.control(Context.background(), "ROLLBACK TO SAVEPOINT `kolumn_call`")
            if held.read_only and isinstance(error, KolumnError):
                raise holding.read_only(error) from error
            raise

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


def lock_key(database: str, name: str) -> str:
    """Return the name of a lock of the server, at most 64 characters."""
    return "kolumn " + hashlib.sha256(f"{database}\0{name}".encode()).hexdigest()[:40]
