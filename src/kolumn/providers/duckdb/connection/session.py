"""One connection to one DuckDB file: opening, transactions, locks, cancellation.

DuckDB's errors quote the statement, and with it what may be secret, so they are not kept as causes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote as percent

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, PermissionError
from kolumn.contract.secrets import SecureString
from kolumn.engine import file_lock
from kolumn.engine.metadata import Metadata, Table
from kolumn.engine.operations import Create, Statement, Step
from kolumn.engine.rows import RowStore
from kolumn.engine.session import Capabilities, Identity
from kolumn.engine.transactions import holding
from kolumn.engine.transactions.holding import HeldLocks
from kolumn.providers.duckdb.connection.faults import is_locked, locked, translate
from kolumn.providers.duckdb.connection.home import Home
from kolumn.providers.duckdb.connection.rows import DuckDBRows
from kolumn.providers.duckdb.connection.views import broken_views
from kolumn.providers.duckdb.language.tokens import PARAMETER, fold, full_name, literal, quote, tokenize
from kolumn.providers.duckdb.settings import DuckDBSettings
from kolumn.sql.metadata import TableMetadata

if TYPE_CHECKING:
    import duckdb

R = TypeVar("R")

ISOLATION_LEVELS = ("snapshot",)
"""https://duckdb.org/docs/current/connect/concurrency"""

ATTACHED = "attached"
"""The table that remembers which files are attached: DuckDB itself forgets when the file is closed."""

LEVELS = "/* for each level */ "
"""How a statement begins that is run with 0, 1, 2, ... for its one parameter, until it changes no row."""

_POLL_SECONDS = 0.05
_ROWS_AT_ONCE = 2048


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


class DuckDBSession:
    """A connection to one database file, opened when first used.

    Reading from a file that is not there reads an empty database and creates nothing. Not for several
    threads at once; the provider runs one call at a time.
    """

    def __init__(self, settings: DuckDBSettings, refused_types: Mapping[str, str]) -> None:
        import duckdb

        self._settings = settings
        self._file = settings.file.absolute()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._is_stand_in = False
        """Whether the connection is an empty one in place of a file that is not there yet."""
        self._held: _Held | None = None
        self._lock = threading.RLock()
        self.schema = settings.metadata_schema
        self.capabilities = Capabilities(
            server=f"DuckDB {duckdb.__version__}",
            transactional_ddl=True,
            refused_types=refused_types,
            isolation_levels=ISOLATION_LEVELS,
            savepoints=False,
        )
        home = Home(self, self.schema)
        self.rows: RowStore | None = DuckDBRows(self)
        self.metadata: Metadata | None = TableMetadata(
            self,
            lambda name: full_name(self.schema, name),
            parameter="?",
            exists=self.table_exists,
            home=home,
            protect=self._protection,
        )
        self.identity = Identity("", "kolumn")

    def table_exists(self, name: str) -> Statement:
        """Return the query that has a row if Kolumn has a table of its own called `name`."""
        return Statement(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() "
            "AND lower(schema_name) = lower(?) AND table_name = ?",
            (self.schema, name),
        )

    def _protection(self, table: Table) -> list[Statement]:
        """Return what makes DuckDB refuse UPDATE and DELETE: triggers that fail.

        A trigger cannot write to its own table, so there is one that it seems to write to.
        """
        refusals = full_name(self.schema, f"{table.name}_refused")
        words = literal(
            f"{self.schema}.{table.name} is append-only: its rows are neither changed nor removed"
        )
        return [
            Statement(f"CREATE TABLE IF NOT EXISTS {refusals} (words VARCHAR)"),
            *(
                Statement(
                    f"CREATE TRIGGER {table.name}_{event.lower()} AFTER {event} ON "
                    f"{full_name(self.schema, table.name)} FOR EACH STATEMENT "
                    f"INSERT INTO {refusals} SELECT error({words})"
                )
                for event in ("UPDATE", "DELETE")
            ),
        ]

    @property
    def file(self) -> Path:
        """The database file, absolute."""
        return self._file

    @property
    def exists(self) -> bool:
        """Whether the database file is there."""
        return self._file.exists()

    def ping(self, context: Context) -> str:
        """Open the file; return product and version. Raises ConnectionError."""
        self.query(context, Statement("SELECT 1"))
        missing = "" if self.exists else f" (the file {self._file} is not there yet)"
        return self.capabilities.server + missing

    def close(self) -> None:
        """Close the connection; safe to call again."""
        self.roll_back()
        self._disconnect()

    def rest(self) -> None:
        """Close the file between calls, so that other processes can open it, unless a transaction is held."""
        with self._lock:
            if self._held is None:
                self._disconnect()

    def _disconnect(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def query(self, context: Context, statement: Statement) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        return self._execute(context, self._open(context, write=False), statement)

    def answer(
        self, context: Context, queries: Sequence[Statement], seconds: float
    ) -> list[list[tuple[Any, ...]] | KolumnError]:
        """Return the rows of each query, or what was wrong with it.

        A query that fails on a row would end the transaction it runs in, so while one is held each is tried
        beside it first.
        """
        answers: list[list[tuple[Any, ...]] | KolumnError] = []
        for query in queries:
            limited = context.with_timeout(seconds)
            try:
                if self._held is not None:
                    self._try_beside(limited, query)
                answers.append(self.query(limited, query))
            except KolumnError as error:
                context.check()
                answers.append(error)
        return answers

    def _try_beside(self, context: Context, query: Statement) -> None:
        """Run a query in a transaction of its own, where it may miss what the open one made."""
        import duckdb

        cursor = self._holding().cursor()
        unregister = context.on_cancel(cursor.interrupt)
        try:
            cursor.execute(query.text, list(query.parameters)).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):
            return
        except duckdb.Error as error:
            raise translate(error, context, query.text) from None
        finally:
            unregister()
            cursor.close()

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
        connection = self._open(context, write=True)
        for statement in statements:
            if self._held is not None:
                self._held.changes += 1
            if statement.text.startswith(LEVELS):
                self._run_levels(context, connection, statement)
            else:
                self._execute(context, connection, statement)
            finished()

    def changed(self, context: Context, statement: Statement) -> list[tuple[Any, ...]]:
        """Run a statement that changes rows; return its row, the number of them."""
        if self._held is not None:
            self._held.changes += 1
        return self._execute(context, self._open(context, write=True), statement)

    def _run_levels(
        self, context: Context, connection: duckdb.DuckDBPyConnection, statement: Statement
    ) -> None:
        level = 0
        while True:
            ((count,),) = self._execute(context, connection, Statement(statement.text, (level,)))
            if not count:
                return
            level += 1

    def stream(self, context: Context, statement: Statement) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query in pieces."""
        import duckdb

        connection = self._open(context, write=False)
        context.check()
        unregister = context.on_cancel(connection.interrupt)
        try:
            connection.execute(statement.text, list(statement.parameters))
            while found := connection.fetchmany(_ROWS_AT_ONCE):
                yield found
                context.check()
        except duckdb.Error as error:
            raise self._failed(error, context, connection, statement.text) from None
        finally:
            unregister()

    @contextlib.contextmanager
    def lock(self, context: Context, name: str) -> Iterator[None]:
        """Hold `name` among Kolumn's sessions on this file, waiting for the deadline or busy_timeout.

        Raises StateError naming who holds it. In a transaction that is held and may write, the lock is kept
        until that ends.
        """
        held = self._held
        if held is not None and not held.read_only:
            held.locks.hold(name, self._locked_by(context, name))
            yield
            return
        with self._locked_by(context, name):
            yield

    @contextlib.contextmanager
    def _locked_by(self, context: Context, name: str) -> Iterator[None]:
        remaining = context.remaining()
        patience = self._settings.busy_timeout if remaining is None else remaining
        path = self._file.with_name(f"{self._file.name}.kolumn-{percent(name, safe='')}.lock")
        if not path.parent.is_dir():
            raise self._no_folder()
        with file_lock.hold(context, path, patience):
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
            connection = self._open(context, write=True)
            if steps and not all(step.transactional for step in steps):
                yield
                return
            self._control(context, connection, "BEGIN TRANSACTION")
            try:
                whole = self._whole_views(context, steps)
                yield
                self._verify_views(context, whole)
                context.check()
                self._control(context, connection, "COMMIT")
            except BaseException:
                _end(connection)
                raise

    @property
    def is_held(self) -> bool:
        """Whether a transaction that was begun is still open; DuckDB ends one in which a statement fails."""
        return self._held is not None and self._connection is not None and not self._held.is_lost

    def begin(
        self, context: Context, *, isolation: str, read_only: bool = False, locks: Sequence[str] = ()
    ) -> None:
        """Open a transaction that spans calls."""
        if self._held is not None:
            raise OperationError("a transaction is open already. Commit it first.", code="nested_transaction")
        with self._lock:
            taken = HeldLocks()
            try:
                for name in locks:
                    taken.hold(name, self._locked_by(context, name))
                connection = self._open(context, write=not read_only)
                self._control(context, connection, f"BEGIN TRANSACTION{' READ ONLY' if read_only else ''}")
                # What is read must be one moment from now on, so it is read from.
                self._control(context, connection, "SELECT count(*) FROM duckdb_schemas()")
            except BaseException:
                self._held = _Held(read_only, taken)
                self.roll_back()
                raise
            self._held = _Held(read_only, taken)

    def commit(self, context: Context) -> None:
        """Commit the transaction that is held; one that conflicts with another is rolled back."""
        with self._lock:
            connection = self._holding()
            context.check()
            try:
                self._control(context, connection, "COMMIT")
            finally:
                self.roll_back()  # nothing is left to roll back

    def roll_back(self) -> None:
        """Roll back the transaction that is held, if there is one."""
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            if self._connection is not None:
                _end(self._connection)
            held.locks.release()

    def set_savepoint(self, context: Context, name: str) -> None:
        """Raise OperationError: DuckDB has no savepoints."""
        raise _no_savepoints()

    def roll_back_to(self, context: Context, name: str) -> None:
        """Raise OperationError: DuckDB has no savepoints."""
        raise _no_savepoints()

    def release_savepoint(self, context: Context, name: str) -> None:
        """Raise OperationError: DuckDB has no savepoints."""
        raise _no_savepoints()

    def admit(self, steps: Iterable[Step]) -> None:
        """Raise OperationError while a transaction is held that `steps` cannot run in: files, secrets."""
        if self._held is not None:
            holding.admit(steps)

    def _holding(self) -> duckdb.DuckDBPyConnection:
        """Return the connection of the transaction that is held, which must still be there."""
        if self._held is None:
            raise OperationError("no transaction is open. Begin one first.", code="no_transaction")
        if not self.is_held or self._connection is None:
            raise holding.lost("DuckDB gives one up when a statement in it fails or is interrupted.")
        return self._connection

    @contextlib.contextmanager
    def _nested(self, context: Context, held: _Held, steps: list[Step]) -> Iterator[None]:
        with self._lock:
            self._holding()
            before, held.nested = held.changes, True
            try:
                whole = self._whole_views(context, steps)
                yield
                self._verify_views(context, whole)
                context.check()
            except BaseException:
                # What was done so far cannot be taken back alone.
                held.is_lost = held.is_lost or held.changes > before
                raise
            finally:
                held.nested = False

    def _whole_views(self, context: Context, steps: list[Step]) -> frozenset[tuple[str, str]] | None:
        """Return the views that work; None where the steps can break none."""
        if all(isinstance(step.operation, Create) for step in steps):
            return None
        every, broken = broken_views(lambda text: self.query(context, Statement(text)), self.schema)
        return every - broken.keys()

    def _verify_views(self, context: Context, whole: frozenset[tuple[str, str]] | None) -> None:
        """Raise OperationError for a view that worked before and does not now."""
        if not whole:
            return
        _, broken = broken_views(lambda text: self.query(context, Statement(text)), self.schema)
        for (schema, name), why in broken.items():
            if (schema, name) in whole:
                shown = name if schema == "main" else f"{schema}.{name}"
                raise OperationError(
                    f"view {shown} would not work any more: {why} Nothing was changed. Change or remove it "
                    "together with what it uses.",
                    code="broken_dependent",
                    details={"object": f"view {shown}"},
                )

    @property
    def lent(self) -> frozenset[str]:
        """The folded names of the files that settings attach: they are used here, and managed elsewhere."""
        return frozenset(self._settings.attachments())

    def _execute(
        self, context: Context, connection: duckdb.DuckDBPyConnection, statement: Statement
    ) -> list[tuple[Any, ...]]:
        import duckdb

        context.check()
        text, parameters, secrets = _revealed(statement)
        stop = threading.Event()
        unregister = context.on_cancel(lambda: _insist(connection, stop))
        try:
            return connection.execute(text, parameters).fetchall()
        except duckdb.Error as error:
            raise self._failed(error, context, connection, statement.text, secrets) from None
        except RuntimeError as error:  # the driver's word for an interrupted fetch
            context.check()
            raise OperationError(f"DuckDB says: {error}.", code="sql_error") from None
        finally:
            stop.set()
            unregister()

    def _failed(
        self,
        error: duckdb.Error,
        context: Context,
        connection: duckdb.DuckDBPyConnection,
        statement: str,
        secrets: Sequence[str] = (),
    ) -> KolumnError:
        if self._held is not None and not self._held.is_lost:
            self._held.is_lost = _is_aborted(connection)
        return translate(error, context, statement, secrets)

    def _control(self, context: Context, connection: duckdb.DuckDBPyConnection, text: str) -> None:
        import duckdb

        try:
            connection.execute(text).fetchall()
        except duckdb.Error as error:
            raise translate(error, context, text) from None

    def _no_folder(self) -> ConnectionError:
        return ConnectionError(
            f"the folder {self._file.parent} of the database is not there. Create it, or correct the path.",
            code="cannot_open",
        )

    def _open(self, context: Context, *, write: bool) -> duckdb.DuckDBPyConnection:
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
            if self._connection is None:
                self._connection = self._patiently(context, lambda: self._connect(write=write))
            return self._connection

    def _patiently(self, context: Context, call: Callable[[], R]) -> R:
        """Call until no other process has the file open, at most busy_timeout seconds."""
        import duckdb

        until = time.monotonic() + self._settings.busy_timeout
        while True:
            try:
                return call()
            except duckdb.Error as error:
                if not is_locked(error):
                    raise translate(error, context) from None
                if time.monotonic() >= until:
                    raise locked(error, self._file, self._settings.busy_timeout) from None
            context.wait(_POLL_SECONDS)

    def _connect(self, *, write: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        self._is_stand_in = not write and not self.exists
        options: dict[str, Any] = dict(self._settings.options())
        if self._is_stand_in:
            connection = duckdb.connect(":memory:", config=options)
        elif not self._file.parent.is_dir():
            raise self._no_folder()
        else:
            connection = duckdb.connect(str(self._file), read_only=self._settings.read_only, config=options)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        for extension in self._settings.extensions:
            if self._settings.install_extensions:
                connection.install_extension(extension)
            connection.load_extension(extension)
        files = {
            name: (path, self._settings.read_only) for name, path in self._settings.attachments().items()
        }
        if not self._is_stand_in:
            known = self.table_exists(ATTACHED)
            if connection.execute(known.text, list(known.parameters)).fetchone():
                rows = connection.execute(
                    f"SELECT name, path, read_only FROM {full_name(self.schema, ATTACHED)}"
                )
                files |= {
                    fold(name): (self._file.parent / path, bool(read_only or self._settings.read_only))
                    for name, path, read_only in rows.fetchall()
                }
        there = {
            fold(name)
            for (name,) in connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        }
        for name, (path, read_only) in files.items():
            if name not in there and path.exists():
                option = " (READ_ONLY)" if read_only else ""
                connection.execute(f"ATTACH {literal(str(path.absolute()))} AS {quote(name)}{option}")


def _end(connection: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    with contextlib.suppress(duckdb.Error):
        connection.execute("ROLLBACK")


def _is_aborted(connection: duckdb.DuckDBPyConnection) -> bool:
    import duckdb

    try:
        connection.execute("SELECT 1").fetchall()
    except duckdb.Error:
        return True
    return False


def _insist(connection: duckdb.DuckDBPyConnection, stop: threading.Event) -> None:
    """Interrupt until the statement has ended: one that is just about to start does not hear the first time."""

    def again() -> None:
        while not stop.wait(_POLL_SECONDS):
            connection.interrupt()

    connection.interrupt()
    threading.Thread(target=again, name="kolumn-interrupt", daemon=True).start()


def _revealed(statement: Statement) -> tuple[str, list[Any], list[str]]:
    """Return text, parameters and secrets of a statement; where secrets are among them, all in the text.

    DuckDB takes no parameters in CREATE SECRET.
    """
    if not any(isinstance(each, SecureString) for each in statement.parameters):
        return statement.text, list(statement.parameters), []
    values = [each.reveal() if isinstance(each, SecureString) else str(each) for each in statement.parameters]
    places = [token for token in tokenize(statement.text) if token.kind == PARAMETER]
    text, end = [], 0
    for token, value in zip(places, values, strict=True):
        text += [statement.text[end : token.start], value]
        end = token.end
    return "".join([*text, statement.text[end:]]), [], values


def _no_savepoints() -> OperationError:
    return OperationError("DuckDB has no savepoints.", code="no_savepoints")
