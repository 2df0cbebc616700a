"""One connection to one DuckDB file: transactions, locks, what is run in them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError, PermissionError
from kolumn.engine import file_lock
from kolumn.engine.metadata import Metadata
from kolumn.engine.operations import Statement, Step
from kolumn.engine.rows import RowStore
from kolumn.engine.session import Capabilities, Identity
from kolumn.engine.transactions import holding
from kolumn.engine.transactions.holding import HeldLocks
from kolumn.providers.duckdb.connection.file import DatabaseFile
from kolumn.providers.duckdb.connection.metadata import duckdb_metadata
from kolumn.providers.duckdb.connection.rows import DuckDBRows
from kolumn.providers.duckdb.connection.views import verify_views, whole_views
from kolumn.providers.duckdb.connection.work import Row, Work
from kolumn.providers.duckdb.language.tokens import quote
from kolumn.providers.duckdb.settings import DuckDBSettings
from kolumn.sql.session import SQLSession, patience

ISOLATION_LEVELS = ("snapshot",)
"""https://duckdb.org/docs/current/connect/concurrency"""


@dataclass(slots=True)
class _Held:
    """A transaction that spans calls."""

    read_only: bool
    locks: HeldLocks
    nested: bool = False
    """Whether `transaction` is open inside it."""
    changes: int = 0
    """How many statements changed something."""
    is_lost: bool = False


class DuckDBSession(SQLSession[_Held]):
    """A connection to one database file, opened when first used.

    Reading from a file that is not there reads an empty database and creates nothing. Not for several
    threads at once; the provider runs one call at a time.
    """

    def __init__(self, settings: DuckDBSettings, refused_types: Mapping[str, str]) -> None:
        from duckdb import __version__

        self._settings = settings
        self._file = DatabaseFile(settings)
        self._work: Work | None = None
        self._is_stand_in = False
        """Whether the connection is an empty one in place of a file that is not there yet."""
        self._held: _Held | None = None
        self._lock = threading.RLock()
        self.schema = settings.metadata_schema
        self.capabilities = Capabilities(
            server=f"DuckDB {__version__}",
            transactional_ddl=True,
            refused_types=refused_types,
            isolation_levels=ISOLATION_LEVELS,
            savepoints=False,
        )
        self.rows: RowStore | None = DuckDBRows(self)
        self.metadata: Metadata | None = duckdb_metadata(self, self.schema)
        self.identity = Identity("", "kolumn")

    @property
    def file(self) -> Path:
        """The database file, absolute."""
        return self._file.path

    @property
    def lent(self) -> frozenset[str]:
        """The folded names of the files that settings attach: they are used here, and managed elsewhere."""
        return frozenset(self._settings.attachments())

    def ping(self, context: Context) -> str:
        """Open the file; return product and version. Raises ConnectionError."""
        self.query(context, Statement("SELECT 1"))
        missing = "" if self._file.exists else f" (the file {self.file} is not there yet)"
        return self.capabilities.server + missing

    def close(self) -> None:
        """Close the connection; safe to call again."""
        self.roll_back()
        self._disconnect()

    def release(self) -> None:
        """Close the file between calls, so that other processes can open it, unless a transaction is held."""
        with self._lock:
            if self._held is None:
                self._disconnect()

    def _disconnect(self) -> None:
        with self._lock:
            work, self._work = self._work, None
            if work is not None:
                work.close()

    def query(self, context: Context, statement: Statement) -> list[Row]:
        """Run one query and return its rows."""
        return self._run(context, self._open(context, write=False), statement)

    def ask(self, context: Context, query: Statement) -> list[Row]:
        """Run a query that may fail.

        One that fails on a row would end the transaction it runs in, so while one is held it is tried beside
        it first.
        """
        if self._held is not None:
            self._holding().try_beside(context, query)
        return self.query(context, query)

    def run(
        self,
        context: Context,
        statements: Iterable[Statement],
        finished: Callable[[], None] = lambda: None,
    ) -> None:
        """Run statements, each on its own unless inside `transaction`."""
        if self._held is not None and not self._held.nested:
            with self.transaction(context, ()):
                self.run(context, statements, finished)
            return
        if self._held is not None and self._held.read_only:
            raise holding.read_only(PermissionError("read only", code="read_only"))
        for statement in statements:
            self.changed(context, statement)
            finished()

    def changed(self, context: Context, statement: Statement) -> list[Row]:
        """Run a statement that changes something; return its row, which is the number of rows where it changes rows."""
        work = self._open(context, write=True)
        if self._held is not None:
            self._held.changes += 1
        return self._run(context, work, statement)

    def stream(self, context: Context, statement: Statement) -> Iterator[list[Row]]:
        """Yield the rows of a query in pieces."""
        work = self._open(context, write=False)
        with self._noticing_loss(work):
            yield from work.stream(context, statement)

    def _run(self, context: Context, work: Work, statement: Statement) -> list[Row]:
        with self._noticing_loss(work):
            return work.run(context, statement)

    @contextlib.contextmanager
    def _noticing_loss(self, work: Work) -> Iterator[None]:
        """Note that the transaction which is held is gone, where what fails took it along."""
        try:
            yield
        except KolumnError:
            if self._held is not None and not self._held.is_lost:
                self._held.is_lost = work.is_aborted
            raise

    @contextlib.contextmanager
    def locked(self, context: Context, name: str) -> Iterator[None]:
        """Hold `name` among Kolumn's sessions on this file, waiting for the deadline or busy_timeout."""
        if not self.file.parent.is_dir():
            raise self._file.no_folder()
        seconds = patience(context, self._settings.busy_timeout)
        with file_lock.hold(context, file_lock.beside(self.file, name), seconds):
            yield

    @contextlib.contextmanager
    def transaction(self, context: Context, steps: Iterable[Step]) -> Iterator[None]:
        """Open a transaction in which `steps` can run; in one that is held, be part of that.

        Before the commit no view may be broken that was whole before. What fails inside a transaction that is
        held takes all of it along, as DuckDB has no savepoints.
        """
        steps = list(steps)
        self.admit(steps)
        if self._held is not None:
            with self._nested(context, self._held, steps):
                yield
            return
        with self._lock:
            work = self._open(context, write=True)
            if steps and not all(step.transactional for step in steps):
                yield
                return
            work.control(context, "BEGIN TRANSACTION")
            try:
                with self._views_kept(context, steps):
                    yield
                context.check()
                work.control(context, "COMMIT")
            except BaseException:
                work.roll_back()
                raise

    @property
    def is_held(self) -> bool:
        """Whether a transaction that was begun is still open; DuckDB ends one in which a statement fails."""
        return self._held is not None and self._work is not None and not self._held.is_lost

    def begin(
        self, context: Context, *, isolation: str, read_only: bool = False, locks: Sequence[str] = ()
    ) -> None:
        """Open a transaction that spans calls."""
        with self._lock, self.taking(context, locks) as taken:
            held = _Held(read_only, taken)
            try:
                work = self._open(context, write=not read_only)
                work.control(context, f"BEGIN TRANSACTION{' READ ONLY' if read_only else ''}")
                # What is read must be one moment from now on, so it is read from.
                work.control(context, "SELECT count(*) FROM duckdb_schemas()")
            except BaseException:
                self._held = held
                self.roll_back()
                raise
            self._held = held

    def commit(self, context: Context) -> None:
        """Commit the transaction that is held; one that conflicts with another is rolled back."""
        with self._lock:
            work = self._holding()
            context.check()
            try:
                work.control(context, "COMMIT")
            finally:
                self.roll_back()  # nothing is left to roll back

    def roll_back(self) -> None:
        """Roll back the transaction that is held, if there is one, and close the file: this may be between calls."""
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            if self._work is not None:
                self._work.roll_back()
            self._disconnect()
            held.locks.release()

    def control(self, context: Context, text: str) -> None:
        """Raise OperationError: all there is to say about a transaction are savepoints, which DuckDB lacks."""
        raise OperationError("DuckDB has no savepoints.", code="no_savepoints")

    def quoted(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

    def _holding(self) -> Work:
        """Return the connection of the transaction that is held, which must still be there."""
        self.required()
        if not self.is_held or self._work is None:
            raise holding.lost("DuckDB gives one up when a statement in it fails or is interrupted.")
        return self._work

    @contextlib.contextmanager
    def _nested(self, context: Context, held: _Held, steps: list[Step]) -> Iterator[None]:
        with self._lock:
            self._holding()
            before, held.nested = held.changes, True
            try:
                with self._views_kept(context, steps):
                    yield
                context.check()
            except BaseException:
                # What was done so far cannot be taken back alone.
                held.is_lost = held.is_lost or held.changes > before
                raise
            finally:
                held.nested = False

    @contextlib.contextmanager
    def _views_kept(self, context: Context, steps: Sequence[Step]) -> Iterator[None]:
        """Raise OperationError if a view that works before does not after."""

        def ask(text: str) -> list[Row]:
            return self.query(context, Statement(text))

        whole = whole_views(ask, self.schema, steps)
        yield
        verify_views(ask, self.schema, whole)

    def _open(self, context: Context, *, write: bool) -> Work:
        with self._lock:
            if self._held is not None:
                return self._holding()
            if self._work is not None and self._is_stand_in and (write or self._file.exists):
                self._disconnect()
            if write:
                self._file.verify_writable()
            if self._work is None:
                self._is_stand_in = not write and not self._file.exists
                self._work = self._file.stand_in(context) if self._is_stand_in else self._file.open(context)
            return self._work
