"""One connection at work: statements, deadlines, cancellation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError
from kolumn.contract.secrets import SecureString
from kolumn.engine.operations import Statement
from kolumn.providers.mysql.connection import faults

if TYPE_CHECKING:
    from pymysql.connections import Connection

Row = tuple[Any, ...]
_FRESH_SECONDS = 20.0
"""For how long a connection that answered is trusted to be there."""
_ROWS_AT_ONCE = 500


class Work:
    """A connection that runs one statement at a time."""

    def __init__(self, connection: Connection[Any], kill: Callable[[int], None]) -> None:
        self._connection = connection
        self._kill = kill
        self._used = time.monotonic()
        self.is_usable = True
        """False once the connection broke, or is in a state nobody knows."""
        self.in_transaction = False
        self.has_changed = False
        """Whether the transaction has changed something."""
        self.afterwards: list[Statement] = []
        """What is to be run once the transaction is committed."""
        self.holds_table = False
        """Whether it can use one table only."""

    @property
    def identifier(self) -> int:
        """What the server calls the connection."""
        return int(self._connection.thread_id())  # type: ignore[no-untyped-call]

    @property
    def is_fresh(self) -> bool:
        """Whether it answered a short while ago."""
        return self.is_usable and time.monotonic() - self._used < _FRESH_SECONDS

    def answers(self) -> bool:
        """Ask whether the server is still there."""
        try:
            self._connection.ping(reconnect=False)
        except Exception:  # noqa: BLE001 - whatever it is, the connection is of no use any more
            return False
        return True

    def run(self, context: Context, statement: Statement) -> list[Row]:
        """Run one statement and return its rows. Raises what `Session.run` raises."""
        with self._running(context, statement) as cursor:
            cursor.execute(statement.text, revealed(statement) or None)
            return list(cursor.fetchall()) if cursor.description else []

    def change(self, context: Context, statement: Statement) -> int:
        """Run a statement that changes rows; return how many it met, changed or not."""
        with self._running(context, statement) as cursor:
            return int(cursor.execute(statement.text, revealed(statement) or None))

    def stream(self, context: Context, statement: Statement) -> Iterator[list[Row]]:
        """Yield the rows of a query in pieces, as the server sends them."""
        from pymysql.cursors import SSCursor

        with self._running(context, statement, SSCursor) as cursor:
            cursor.execute(statement.text, revealed(statement) or None)
            while found := cursor.fetchmany(_ROWS_AT_ONCE):
                yield list(found)

    def run_many(self, context: Context, texts: Sequence[str]) -> list[list[Row] | None]:
        """Send statements together, which the connection must have been opened for; None for one that fails.

        The server stops at one that fails, so the rest is sent again.
        """
        found: list[list[Row] | None] = []
        while len(found) < len(texts):
            rest = texts[len(found) :]
            try:
                with self._running(context, Statement("; ".join(rest))) as cursor:
                    cursor.execute("; ".join(rest))
                    while True:
                        found.append(list(cursor.fetchall()))
                        if not cursor.nextset():
                            break
            except KolumnError:
                if not self.is_usable:
                    raise
                context.check()
                found.append(None)
        return found

    @contextlib.contextmanager
    def _running(self, context: Context, statement: Statement, kind: Any = None) -> Iterator[Any]:
        context.check()
        unregister = context.on_cancel(lambda: self._kill(self.identifier))
        try:
            with self._connection.cursor(kind) as cursor:
                yield cursor
            self._used = time.monotonic()
        except KolumnError:
            raise
        except BaseException as error:
            import pymysql

            if not isinstance(error, (pymysql.Error, OSError, UnicodeError)):
                self.is_usable = False
                raise
            fault = faults.translate(error, context, statement)
            if (
                fault.code == "connection_lost"
                or faults.number_of(error) in faults.LOST
                or not self._connection.open
            ):
                self.is_usable = False
            raise fault from error
        finally:
            unregister()

    def lock_table(self, context: Context, place: str) -> None:
        """Hold a table alone, and no other, until `unlock_tables`; nothing else can be used meanwhile."""
        self.run(context, Statement(f"LOCK TABLES {place} WRITE"))
        self.holds_table = True

    def unlock_tables(self) -> None:
        """Let go of the table that is held."""
        if self.holds_table and self.is_usable:
            self.run(Context.background(), Statement("UNLOCK TABLES"))
        self.holds_table = False

    def control(self, context: Context, text: str) -> None:
        """Run a statement of transaction control."""
        self.run(context, Statement(text))

    def roll_back(self) -> None:
        """Roll back, without raising anything: what cannot be rolled back is closed."""
        self.in_transaction = False
        if self.is_usable:
            try:
                self._connection.rollback()
            except Exception:  # noqa: BLE001 - the server rolls back what loses its connection
                self.is_usable = False

    def close(self) -> None:
        """Close the connection."""
        self.is_usable = False
        with contextlib.suppress(Exception):
            self._connection.close()


def revealed(statement: Statement) -> tuple[Any, ...]:
    """Return the parameters as the driver takes them."""
    return tuple(each.reveal() if isinstance(each, SecureString) else each for each in statement.parameters)
