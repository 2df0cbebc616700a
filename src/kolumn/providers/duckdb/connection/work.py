"""One connection at work: statements, deadlines, cancellation.

DuckDB's errors quote the statement, and with it what may be secret, so they are not kept as causes.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.contract.secrets import SecureString
from kolumn.engine.operations import Statement
from kolumn.providers.duckdb.connection.faults import translate
from kolumn.providers.duckdb.language.tokens import string_value, tokenize
from kolumn.sql.tokens import PARAMETER, STRING, edited

if TYPE_CHECKING:
    import duckdb

Row = tuple[Any, ...]

REPEATED = "/* run with $1 = 0, 1, 2, ... until it changes no row */"
"""What stands behind the first word of an INSERT or UPDATE that is run so, for rows that refer to each other."""

_POLL_SECONDS = 0.05
_ROWS_AT_ONCE = 2048
_WITH_TIME_ZONE = "WITH TIME ZONE"
"""In the name of a type: the driver makes Python values of it only with a package that Kolumn does not need."""
_READING = frozenset({"SELECT", "WITH", "FROM", "VALUES"})
"""How a query begins that changes nothing."""


class Work:
    """A connection that runs one statement at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        self._connection = connection
        self.read_only = read_only

    def run(self, context: Context, statement: Statement) -> list[Row]:
        """Run one statement and return its rows; times with a time zone come as texts."""
        if statement.text.startswith((f"INSERT {REPEATED}", f"UPDATE {REPEATED}")):
            return self._run_repeatedly(context, statement)
        return self._run(self._connection, context, statement)

    def try_beside(self, context: Context, query: Statement) -> None:
        """Run a query in a transaction of its own, where it may miss what an open one made. Raises KolumnError."""
        import duckdb

        cursor = self._connection.cursor()
        try:
            self._run(cursor, context, query, duckdb.CatalogException, duckdb.BinderException)
        finally:
            cursor.close()

    def stream(self, context: Context, statement: Statement) -> Iterator[list[Row]]:
        """Yield the rows of a query in pieces."""
        import duckdb

        context.check()
        with _interruptible(self._connection, context):
            try:
                self._connection.execute(statement.text, list(statement.parameters))
                while found := self._connection.fetchmany(_ROWS_AT_ONCE):
                    yield found
                    context.check()
            except duckdb.Error as error:
                raise translate(error, context, statement.text) from None

    def control(self, context: Context, text: str) -> None:
        """Run BEGIN or COMMIT, which nothing interrupts."""
        import duckdb

        try:
            self._connection.execute(text).fetchall()
        except duckdb.Error as error:
            raise translate(error, context, text) from None

    def roll_back(self) -> None:
        """End the transaction, if there is one."""
        import duckdb

        with contextlib.suppress(duckdb.Error):
            self._connection.execute("ROLLBACK")

    @property
    def is_aborted(self) -> bool:
        """Whether DuckDB gave up the transaction that is open."""
        import duckdb

        try:
            self._connection.execute("SELECT 1").fetchall()
        except duckdb.Error:
            return True
        return False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(
        self,
        connection: duckdb.DuckDBPyConnection,
        context: Context,
        statement: Statement,
        *accepted: type[duckdb.Error],
    ) -> list[Row]:
        """Run a statement; an `accepted` error leaves no rows."""
        import duckdb

        context.check()
        text, parameters, secrets = _revealed(statement)
        with _interruptible(connection, context):
            try:
                return _fetched(connection, text, parameters)
            except accepted:
                return []
            except duckdb.Error as error:
                raise translate(error, context, statement.text, secrets) from None
            except RuntimeError as error:  # the driver's word for an interrupted fetch
                context.check()
                raise OperationError(f"DuckDB says: {error}.", code="sql_error") from None

    def _run_repeatedly(self, context: Context, statement: Statement) -> list[Row]:
        level = 0
        while True:
            rows = self._run(self._connection, context, Statement(statement.text, (level,)))
            if not rows[0][0]:
                return rows
            level += 1


def _fetched(connection: duckdb.DuckDBPyConnection, text: str, parameters: Sequence[Any]) -> list[Row]:
    connection.execute(text, list(parameters))
    types = [str(each[1]) for each in connection.description or ()]
    if any(_WITH_TIME_ZONE in each for each in types):
        if tokenize(text)[0].word not in _READING:
            return []  # what it did is not to be done again, and nobody asks for its rows
        columns = (
            f"CAST(#{at} AS VARCHAR)" if _WITH_TIME_ZONE in each else f"#{at}"
            for at, each in enumerate(types, 1)
        )
        connection.execute(f"SELECT {', '.join(columns)} FROM (\n{text}\n)", list(parameters))
    found: list[Row] = connection.fetchall()
    return found


@contextlib.contextmanager
def _interruptible(connection: duckdb.DuckDBPyConnection, context: Context) -> Iterator[None]:
    """Interrupt what runs when the call is cancelled or out of time."""
    stop = threading.Event()
    unregister = context.on_cancel(lambda: _insist(connection, stop))
    try:
        yield
    finally:
        stop.set()
        unregister()


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
    edits = ((token.start, token.end, value) for token, value in zip(places, values, strict=True))
    return edited(statement.text, edits), [], list(_parts(values))


def _parts(values: Sequence[str]) -> Iterator[str]:
    """Yield what must not be repeated of values in SQL: each as a whole, and the texts in it."""
    for value in values:
        yield value
        yield from (string_value(token.text) for token in tokenize(value) if token.kind == STRING)
