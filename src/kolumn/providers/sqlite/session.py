"""One connection to one SQLite file: opening, transactions, locks, cancellation."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote as percent

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, PermissionError
from kolumn.engine import file_lock
from kolumn.engine.metadata import Metadata, Table
from kolumn.engine.operations import Create, Rename, Statement, Step
from kolumn.engine.rows import RowStore
from kolumn.engine.session import Capabilities, Identity
from kolumn.engine.transactions import holding
from kolumn.engine.transactions.holding import HeldLocks
from kolumn.providers.sqlite import locks
from kolumn.providers.sqlite.faults import is_busy, translate
from kolumn.providers.sqlite.inspection import compile_all, violations
from kolumn.providers.sqlite.rows import SQLiteRows, text_or_bytes
from kolumn.providers.sqlite.settings import SQLiteSettings
from kolumn.providers.sqlite.tokens import fold, quote
from kolumn.sql.metadata import TableMetadata
from kolumn.sql.session import SQLSession, patience

R = TypeVar("R")

ISOLATION_LEVELS = ("serializable",)
"""https://sqlite.org/isolation.html"""

FOREIGN_KEYS_OFF = "foreign_keys_off"
"""A step's need: foreign keys are not enforced while it runs, and checked before the commit."""

RECONNECT = "reconnect"
"""A step's need: the connection is opened anew afterwards, as files are attached when it is opened."""

_OPCODES_BETWEEN_CHECKS = 20_000
_POLL_SECONDS = 0.02
_ROWS_AT_ONCE = 500
ATTACHMENTS = "kolumn_schemas"
"""Remembers which files are attached as schemas: SQLite itself forgets with the connection."""


@dataclass(slots=True)
class _Held:
    """A transaction that spans calls."""

    read_only: bool
    locks: HeldLocks
    nested: bool = False
    """Whether `transaction` is open inside it."""


class SQLiteSession(SQLSession[_Held]):
    """A connection to one database file, opened when first used.

    Reading from a file that is not there reads an empty database and creates nothing. Not for several
    threads at once; the provider runs one call at a time.
    """

    def __init__(self, settings: SQLiteSettings, refused_types: Mapping[str, str]) -> None:
        self._settings = settings
        self._file = settings.file.absolute()
        self._connection: sqlite3.Connection | None = None
        self._is_stand_in = False
        """Whether the connection is an empty one in place of a file that is not there yet."""
        self._has_journal_mode = False
        self._held: _Held | None = None
        self._lock = threading.RLock()
        self.capabilities = Capabilities(
            server=f"SQLite {sqlite3.sqlite_version}",
            transactional_ddl=settings.apply_mode.lower() == "transaction",
            refused_types=refused_types,
            isolation_levels=ISOLATION_LEVELS,
            savepoints=True,
        )
        self.rows: RowStore | None = SQLiteRows(self)
        self.metadata: Metadata | None = TableMetadata(
            self,
            lambda name: f"kolumn_{name}",
            parameter="?",
            exists=lambda name: Statement("SELECT 1 FROM sqlite_schema WHERE name = ?", (f"kolumn_{name}",)),
            protect=_protection,
        )
        self.identity = Identity("", "kolumn")

    @property
    def file(self) -> Path:
        """The database file, absolute."""
        return self._file

    @property
    def exists(self) -> bool:
        """Whether the database file is there."""
        return self._file.exists()

    def ping(self, context: Context) -> str:
        """Read the file's header; return product and version. Raises ConnectionError."""
        self.query(context, Statement("PRAGMA schema_version"))
        missing = "" if self.exists else f" (the file {self._file} is not there yet)"
        return self.capabilities.server + missing

    def close(self) -> None:
        """Close the connection; safe to call again."""
        self.roll_back()
        self._disconnect()

    def _disconnect(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def query(self, context: Context, statement: Statement) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        return self._execute(context, self._open(context, write=False), statement)

    def run(
        self,
        context: Context,
        statements: Iterable[Statement],
        finished: Callable[[], None] = lambda: None,
    ) -> None:
        """Run statements, each on its own unless inside `transaction`; all or none while one is held."""
        if self._held is not None and not self._held.nested:
            with self.transaction(context, ()):
                self.run(context, statements, finished)
            return
        connection = self._open(context, write=True)
        for statement in statements:
            self._execute(context, connection, statement)
            finished()

    def stream(self, context: Context, statement: Statement) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query in pieces, also texts that are not UTF-8 (see `rows.OddText`)."""
        connection = self._open(context, write=False)
        context.check()
        connection.set_progress_handler(lambda: _is_over(context), _OPCODES_BETWEEN_CHECKS)
        unregister = context.on_cancel(connection.interrupt)
        before = connection.text_factory
        connection.text_factory = text_or_bytes
        try:
            cursor = self._patiently(
                context, lambda: connection.execute(statement.text, statement.parameters), statement.text
            )
            while found := cursor.fetchmany(_ROWS_AT_ONCE):
                yield found
                context.check()
        except sqlite3.Error as error:
            raise translate(error, context, statement.text) from error
        finally:
            connection.text_factory = before
            unregister()

    @contextlib.contextmanager
    def locked(self, context: Context, name: str) -> Iterator[None]:
        """Hold `name` among Kolumn's processes on this file, waiting for the deadline or busy_timeout."""
        if not self._file.parent.is_dir():
            raise self._no_folder()
        seconds = patience(context, self._settings.busy_timeout)
        with file_lock.hold(context, file_lock.beside(self._file, name), seconds):
            yield

    @contextlib.contextmanager
    def transaction(self, context: Context, steps: Iterable[Step]) -> Iterator[None]:
        """Open a write transaction in which `steps` can run.

        Before the commit no foreign key may be broken, and no view or trigger, that was whole before. The
        two pragmas that steps may ask for take effect only outside a transaction, hence here; a transaction
        that is held has them from its beginning.
        """
        steps = list(steps)
        self.admit(steps)
        if self._held is not None:
            with self._nested(context, self._held, steps):
                yield
            return
        with self._lock:
            connection = self._open(context, write=True)
            if steps and not all(step.transactional for step in steps):
                for step in steps:
                    if RECONNECT in step.needs and isinstance(step.operation, Create):
                        self._make(step.operation.model.path)
                yield
                if any(RECONNECT in step.needs for step in steps):
                    self._disconnect()
                    self._open(context, write=True)
                return
            relaxed = any(FOREIGN_KEYS_OFF in step.needs for step in steps)
            if relaxed:
                connection.execute("PRAGMA foreign_keys=OFF")
            try:
                self._patiently(context, lambda: connection.execute("BEGIN IMMEDIATE"))
                careful = any(not isinstance(step.operation, Create) for step in steps)
                guard = _Guard(self, context, steps) if careful else None
                yield
                if guard is not None:
                    guard.verify(context)
                context.check()
                self._patiently(context, lambda: connection.execute("COMMIT"))
            finally:
                if self._connection is connection:
                    if connection.in_transaction:
                        connection.rollback()
                    self._restore(connection)

    @property
    def is_held(self) -> bool:
        """Whether a transaction that was begun is still open.

        SQLite itself ends one when the disk is full, or when a change is interrupted.
        """
        return self._held is not None and self._connection is not None and self._connection.in_transaction

    def begin(
        self, context: Context, *, isolation: str, read_only: bool = False, locks: Sequence[str] = ()
    ) -> None:
        """Open a transaction that spans calls; one that may write is the only one.

        Foreign keys are not enforced in it, as tables could not be rebuilt or dropped otherwise: what calls
        change is checked at the end of each.
        """
        with self._lock, self.taking(context, locks) as taken:
            held = _Held(read_only, taken)
            try:
                connection = self._open(context, write=not read_only)
                if read_only:
                    self._patiently(context, lambda: connection.execute("BEGIN"))
                    # What is read must be one moment from now on, so it is read from.
                    self._patiently(context, lambda: connection.execute("PRAGMA schema_version").fetchall())
                    connection.execute("PRAGMA query_only=ON")
                else:
                    connection.execute("PRAGMA foreign_keys=OFF")
                    self._patiently(context, lambda: connection.execute("BEGIN IMMEDIATE"))
            except BaseException:
                self._held = held
                self.roll_back()
                raise
            self._held = held

    def commit(self, context: Context) -> None:
        """Commit the transaction that is held; where others read, it stays open until they are done."""
        with self._lock:
            connection = self._holding()
            context.check()
            self._patiently(context, lambda: connection.execute("COMMIT"))
            self.roll_back()  # nothing is left to roll back

    def roll_back(self) -> None:
        """Roll back the transaction that is held, if there is one."""
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            if (connection := self._connection) is not None:
                if connection.in_transaction:
                    connection.rollback()
                connection.execute("PRAGMA query_only=OFF")
                self._restore(connection)
            held.locks.release()

    def control(self, context: Context, text: str) -> None:
        """Run a statement about the transaction that is held."""
        self._execute(context, self._holding(), Statement(text))

    def quoted(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

    def _holding(self) -> sqlite3.Connection:
        """Return the connection of the transaction that is held, which must still be there."""
        self.required()
        if not self.is_held or self._connection is None:
            raise holding.lost("SQLite rolled it back when a statement was interrupted or failed.")
        return self._connection

    @contextlib.contextmanager
    def _nested(self, context: Context, held: _Held, steps: list[Step]) -> Iterator[None]:
        """Open a savepoint in the transaction that is held, in which `steps` can run."""
        with self._lock:
            connection = self._holding()
            connection.execute("SAVEPOINT kolumn_call")
            held.nested = True
            try:
                careful = any(not isinstance(step.operation, Create) for step in steps)
                guard = _Guard(self, context, steps) if careful else None
                yield
                if guard is not None:
                    guard.verify(context)
                context.check()
                self._holding().execute("RELEASE kolumn_call")
            except BaseException as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO kolumn_call")
                    connection.execute("RELEASE kolumn_call")
                if held.read_only and isinstance(error, KolumnError):
                    raise holding.read_only(error) from error
                raise
            finally:
                held.nested = False
                connection.execute("PRAGMA legacy_alter_table=OFF")

    def _restore(self, connection: sqlite3.Connection) -> None:
        """Set what a transaction changed besides the database."""
        connection.execute("PRAGMA legacy_alter_table=OFF")
        connection.execute(f"PRAGMA foreign_keys={'ON' if self._settings.foreign_keys else 'OFF'}")

    def _make(self, path: str) -> None:
        """Make a file that is to be attached, if it is not there: an empty file is an empty database.

        Before it is noted as attached, since otherwise nothing could be opened any more.
        """
        file = self._file.parent / path
        try:
            file.touch()
        except OSError as error:
            raise ConnectionError(
                f"the file {file} cannot be made: {error.strerror}. Create its folder, or correct the path.",
                code="cannot_open",
            ) from error

    @property
    def lent(self) -> frozenset[str]:
        """The folded names of the files that settings attach: they are used here, and managed elsewhere."""
        return frozenset(self._settings.attachments())

    def attachments(self, context: Context) -> dict[str, Path]:
        """Return the files attached as schemas, by folded name."""
        rows = self.query(context, Statement("PRAGMA database_list"))
        return {fold(name): Path(file) for _, name, file in rows if fold(name) not in ("main", "temp")}

    def _execute(
        self, context: Context, connection: sqlite3.Connection, statement: Statement
    ) -> list[tuple[Any, ...]]:
        context.check()
        # Interrupting reaches only a statement that runs already; the handler covers one about to start.
        connection.set_progress_handler(lambda: _is_over(context), _OPCODES_BETWEEN_CHECKS)
        unregister = context.on_cancel(connection.interrupt)
        try:
            return self._patiently(
                context,
                lambda: connection.execute(statement.text, statement.parameters).fetchall(),
                statement.text,
            )
        finally:
            unregister()

    def _patiently(self, context: Context, call: Callable[[], R], statement: str = "") -> R:
        """Call until nobody else's lock is in the way, at most busy_timeout seconds."""
        until = time.monotonic() + self._settings.busy_timeout
        while True:
            try:
                return call()
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise translate(error, context, statement) from error
                if time.monotonic() >= until:
                    raise self._locked() from error
            context.wait(_POLL_SECONDS)

    def _locked(self) -> OperationError:
        holders = locks.holders(self._file)
        words = f"{' and '.join(holders)} holds it" if holders else "another connection holds it"
        return OperationError(
            f"the database {self._file} is locked: {words}. Wait until it is done, or raise busy_timeout "
            f"({self._settings.busy_timeout:g} s).",
            code="database_locked",
            details={"holders": holders},
        )

    def _no_folder(self) -> ConnectionError:
        return ConnectionError(
            f"the folder {self._file.parent} of the database is not there. Create it, or correct the path.",
            code="cannot_open",
        )

    def _open(self, context: Context, *, write: bool) -> sqlite3.Connection:
        with self._lock:
            if self._held is not None:
                return self._holding()
            if self._connection is not None and self._is_stand_in and (write or self.exists):
                self._disconnect()
            if write and self._settings.read_only:
                raise PermissionError(
                    f"the database {self._file} was opened with read_only = true. Remove it to make changes.",
                    code="read_only",
                )
            connection = self._connection
            if connection is None:
                connection = self._patiently(context, lambda: self._connect(write=write))
                self._connection, self._has_journal_mode = connection, False
            if write and self._settings.journal_mode and not self._has_journal_mode:
                mode = f"PRAGMA journal_mode={self._settings.journal_mode}"
                self._patiently(context, lambda: connection.execute(mode).fetchall(), mode)
                self._has_journal_mode = True
            return connection

    def _connect(self, *, write: bool) -> sqlite3.Connection:
        self._is_stand_in = not write and not self.exists
        if self._is_stand_in:
            uri = "file::memory:"
        elif not self._file.parent.is_dir():
            raise self._no_folder()
        else:
            mode = "ro" if self._settings.read_only else "rwc" if write else "rw"
            uri = f"file:{percent(str(self._file))}?mode={mode}"
        # No cached statements: SQLite 3.40 crashes on an EXPLAIN prepared before the schema changed.
        connection = sqlite3.connect(
            uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=0
        )
        try:
            self._prepare(connection, write=write)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, *, write: bool) -> None:
        connection.execute(f"PRAGMA foreign_keys={'ON' if self._settings.foreign_keys else 'OFF'}")
        connection.execute("PRAGMA legacy_alter_table=OFF")
        files = self._settings.attachments()
        if not self._is_stand_in:
            known = connection.execute(
                "SELECT 1 FROM sqlite_schema WHERE name = ?", (ATTACHMENTS,)
            ).fetchone()
            if known:
                rows = connection.execute(f"SELECT name, path FROM {ATTACHMENTS}")
                files |= {name: self._file.parent / path for name, path in rows}
        for name, path in files.items():
            if path.exists():
                mode = "ro" if self._settings.read_only else "rw"
                uri = f"file:{percent(str(path.absolute()))}?mode={mode}"
                connection.execute(f"ATTACH DATABASE ? AS {quote(name)}", (uri,))


def _protection(table: Table) -> list[Statement]:
    """Return what makes SQLite refuse UPDATE and DELETE, and INSERT OR REPLACE, which fires no trigger of these."""
    name = f"kolumn_{table.name}"
    same = " AND ".join(f"{column} = new.{column}" for column in table.key)
    taken = f" WHEN EXISTS (SELECT 1 FROM {name} WHERE {same})"
    refusal = f"SELECT raise(ABORT, '{name} is append-only: its rows are neither changed nor removed');"
    return [
        Statement(f"CREATE TRIGGER {name}_{event.lower()} BEFORE {event} ON {name}{when} BEGIN {refusal} END")
        for event, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", taken))
    ]


class _Guard:
    """Sees that a transaction breaks nothing that was whole before it."""

    def __init__(self, session: SQLiteSession, context: Context, steps: list[Step]) -> None:
        def ask(text: str, *parameters: Any) -> list[tuple[Any, ...]]:
            return session.query(context, Statement(text, parameters))

        self._ask = ask
        self._renamed = {
            fold(step.operation.subject.name): step.operation.target.name
            for step in steps
            if isinstance(step.operation, Rename)
        }
        self._whole = {name for name, why in compile_all(ask).items() if not why}
        self._violations = violations(ask) if any(FOREIGN_KEYS_OFF in step.needs for step in steps) else None

    def verify(self, context: Context) -> None:
        """Raise OperationError for rows that refer to nothing now, and for views and triggers that broke."""
        if self._violations is not None:
            before = Counter(violation.renamed(self._renamed) for violation in self._violations.elements())
            fresh = violations(self._ask) - before
            if fresh:
                first = next(iter(fresh))
                raise OperationError(
                    f"after this change {fresh.total()} row(s) would refer to nothing: {first}. "
                    "Nothing was changed. Correct these rows or the foreign key.",
                    code="foreign_key_violation",
                    details={"violations": [str(each) for each in list(fresh)[:100]]},
                )
        context.check()
        for name, why in compile_all(self._ask).items():
            if why and name in self._whole:
                raise OperationError(
                    f"{name} would not work any more: {why}. Nothing was changed. Change or remove it "
                    "together with what it uses.",
                    code="broken_dependent",
                    details={"object": name},
                )


def _is_over(context: Context) -> bool:
    return context.cancelled or context.remaining() == 0.0
