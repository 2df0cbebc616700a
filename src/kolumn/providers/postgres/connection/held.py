"""A transaction that spans calls: on a connection of its own, with a savepoint around each call's work."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.engine.operations import Statement
from kolumn.engine.transactions import holding
from kolumn.engine.transactions.holding import HeldLocks
from kolumn.providers.postgres.connection.work import Scratch, Work

if TYPE_CHECKING:
    from psycopg import Connection

ISOLATION_LEVELS = ("read committed", "repeatable read", "serializable", "read uncommitted")
"""https://www.postgresql.org/docs/current/transaction-iso.html"""

_SAVEPOINT = Statement("SAVEPOINT kolumn_call")
_RELEASE = Statement("RELEASE SAVEPOINT kolumn_call")
_BACK = Statement("ROLLBACK TO SAVEPOINT kolumn_call")


class HeldTransaction:
    """A transaction held open on `connection`. One thread at a time works in it, the others wait."""

    def __init__(
        self, connection: Connection[Any], count: Callable[[int], None], *, read_only: bool, locks: HeldLocks
    ) -> None:
        self.connection = connection
        self.read_only = read_only
        self.locks = locks
        self._count = count
        self._guard = threading.RLock()

    def begin(self, context: Context, isolation: str) -> None:
        """Begin; whether it may write is left as the server has it unless it is to read only."""
        mode = " READ ONLY" if self.read_only else ""
        begin = Statement(f"BEGIN ISOLATION LEVEL {isolation.upper()}{mode}")
        Work(self.connection, self._count).run(context, [begin])

    @property
    def is_open(self) -> bool:
        """Whether the transaction is still there."""
        from psycopg.pq import TransactionStatus

        if self.connection.closed:
            return False
        status = self.connection.pgconn.transaction_status
        return status in (TransactionStatus.INTRANS, TransactionStatus.INERROR, TransactionStatus.ACTIVE)

    def verify(self) -> None:
        """Raise ConnectionError (`transaction_lost`) if the transaction is no more."""
        if not self.is_open:
            raise holding.lost("the connection to PostgreSQL was lost.")

    @contextlib.contextmanager
    def nested(self, *opening: Statement, always_back: bool = False) -> Iterator[Work]:
        """Lend the connection for work that is undone when an error leaves the block, or `always_back`.

        `opening` is what comes before the first statement.
        """
        from psycopg.pq import TransactionStatus

        with self._guard:
            self.verify()
            work = Work(self.connection, self._count, True, [_SAVEPOINT, *opening])
            try:
                yield work
                if work.opening:  # nothing was run
                    return
                if always_back:
                    work.tidy(_BACK, _RELEASE)
                    return
                if self.connection.pgconn.transaction_status == TransactionStatus.INERROR:
                    raise OperationError(
                        "a statement failed, so that what was done together with it cannot be kept.",
                        code="transaction_aborted",
                    )
                work.run(Context.background(), [_RELEASE])
            except BaseException as error:
                work.tidy(_BACK, _RELEASE)
                if self.read_only and isinstance(error, KolumnError):
                    raise holding.read_only(error) from error
                raise

    @contextlib.contextmanager
    def scratch(self, context: Context) -> Iterator[Scratch]:
        """Try things out in the transaction as it is; nothing of that is left."""
        with self.nested(always_back=True) as work:
            yield Scratch(context, work)

    def control(self, context: Context, text: str) -> None:
        """Run a statement on the transaction itself, such as one about a savepoint."""
        with self._guard:
            self.verify()
            Work(self.connection, self._count, True).run(context, [Statement(text)])

    def end(self) -> None:
        """Roll back what is not committed, close the connection and release the locks."""
        with self._guard:
            if self.is_open:
                Work(self.connection, self._count).tidy(Statement("ROLLBACK"))
            self.connection.close()
            self.locks.release()
