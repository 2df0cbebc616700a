"""The transaction that a client holds open over several calls: its time limit, its end, what it takes back."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal, NamedTuple

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.contract.logs import ConnectionLogger
from kolumn.contract.times import Timestamp
from kolumn.engine.session import Session
from kolumn.engine.state.store import Checkpoint, StateStore
from kolumn.engine.transactions import holding

Ending = Literal["committed", "rolled_back", "expired", "lost"]

GIVEN_UP = "its connection broke, or the database gave it up."

_REMEMBERED = 1000
"""How many ended transactions are told from ones that never were."""


class Ended(NamedTuple):
    """How a transaction ended, and what its time limit in seconds was."""

    how: Ending
    seconds: float | None


class Savepoint(NamedTuple):
    """A savepoint by its name, with the state as it was then."""

    name: str
    state: Checkpoint


class Transaction(msgspec.Struct, kw_only=True):
    """A transaction that is open."""

    id: str
    session: Session
    isolation: str
    read_only: bool
    started_at: Timestamp
    seconds: float | None
    """After how long it is rolled back by itself; None for never."""
    deadline: float | None
    """The same as a reading of `time.monotonic()`."""
    state: Checkpoint
    """What a rollback takes the state back to."""
    savepoints: list[Savepoint] = []

    @property
    def expires_at(self) -> Timestamp | None:
        """When it is rolled back by itself."""
        return None if self.seconds is None else self.started_at + timedelta(seconds=self.seconds)

    @property
    def is_due(self) -> bool:
        """Whether its time is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline


class Conversation:
    """What is open between one client and one provider: at most one transaction.

    `guard` is what the provider holds during each call: a transaction expires between calls, not in one.
    """

    def __init__(self, state: StateStore, guard: threading.RLock) -> None:
        self._state = state
        self._guard = guard
        self._open: Transaction | None = None
        self._timer: threading.Timer | None = None
        self._endings: dict[str, Ended] = {}
        self._untold: KolumnError | None = None
        """That a transaction came to an end by itself, as long as nobody has been told."""

    @property
    def transaction(self) -> Transaction | None:
        """The transaction that is open."""
        return self._open

    def ended(self, identifier: str) -> Ended | None:
        """Return how a transaction ended, None where none of that id did."""
        return self._endings.get(identifier)

    def news(self) -> KolumnError | None:
        """Return, once, that a transaction came to an end by itself."""
        untold, self._untold = self._untold, None
        return untold

    def begin(
        self, context: Context, session: Session, *, isolation: str, read_only: bool, seconds: float | None
    ) -> Transaction:
        """Open a transaction, which takes the lock `apply` if it may write. Raises what `Session.begin` does."""
        started = time.monotonic()
        session.begin(
            context, isolation=isolation, read_only=read_only, locks=() if read_only else ("apply",)
        )
        self._untold = None
        self._open = Transaction(
            id=secrets.token_hex(16),
            session=session,
            isolation=isolation,
            read_only=read_only,
            started_at=Timestamp.utc_now(),
            seconds=seconds,
            deadline=None if seconds is None else started + seconds,
            state=self._state.checkpoint(),
        )
        if seconds is not None:
            self._timer = threading.Timer(seconds, self._expire, (self._open.id,))
            self._timer.name, self._timer.daemon = "kolumn-transaction", True
            self._timer.start()
        return self._open

    def commit(self, context: Context) -> Transaction:
        """Commit what is open, and return it. Raises what `Session.commit` does; it may still be open then."""
        transaction = self._current()
        try:
            transaction.session.commit(context)
        except KolumnError:
            self.settle()
            if self._open is None and self._endings[transaction.id].how == "lost":
                self._endings[transaction.id] = Ended("rolled_back", transaction.seconds)
                self._untold = None  # the error of the commit tells it
            raise
        self._end(transaction, "committed")
        return transaction

    def roll_back(self) -> Transaction | None:
        """Roll back what is open, and return it."""
        transaction = self._open
        if transaction is not None:
            transaction.session.roll_back()
            self._state.restore(transaction.state)
            self._end(transaction, "rolled_back")
        return transaction

    def set_savepoint(self, context: Context, name: str) -> None:
        """Open a savepoint in the transaction that is open."""
        transaction = self._current()
        transaction.session.set_savepoint(context, name)
        transaction.savepoints.append(Savepoint(name, self._state.checkpoint()))

    def roll_back_to(self, context: Context, name: str) -> None:
        """Undo what was done since a savepoint that is open, which stays."""
        transaction = self._current()
        at = _position(transaction, name)
        transaction.session.roll_back_to(context, name)
        self._state.restore(transaction.savepoints[at].state)
        del transaction.savepoints[at + 1 :]

    def release_savepoint(self, context: Context, name: str) -> None:
        """Forget a savepoint that is open, and those after it."""
        transaction = self._current()
        at = _position(transaction, name)
        transaction.session.release_savepoint(context, name)
        del transaction.savepoints[at:]

    @contextlib.contextmanager
    def call(self, context: Context) -> Iterator[Context]:
        """Lend a context for a call that works on the database: it ends with the transaction's time.

        Raises once, instead of working outside of a transaction its caller believes in, that it is gone.
        """
        self.settle()
        if (news := self.news()) is not None:
            raise news
        transaction = self._open
        if transaction is None or transaction.deadline is None:
            limited = context
        else:
            limited = context.with_timeout(max(0.0, transaction.deadline - time.monotonic()))
        try:
            yield limited
        except OperationError as error:
            if error.code == "deadline_exceeded" and transaction is not None and transaction.is_due:
                self.settle()
                self._untold = None
                raise expired(transaction.seconds) from error
            raise
        finally:
            self.settle()

    def settle(self) -> None:
        """Note what became of the open transaction by itself: its connection lost, its time over."""
        transaction = self._open
        if transaction is None:
            return
        if transaction.is_due:
            ending: Ending = "expired"
            self._untold = expired(transaction.seconds)
        elif not transaction.session.is_held:
            ending = "lost"
            self._untold = holding.lost(GIVEN_UP)
        else:
            return
        transaction.session.roll_back()
        self._state.restore(transaction.state)
        self._end(transaction, ending)
        ConnectionLogger.warn("a transaction ended by itself", transaction=transaction.id, why=ending)

    def _expire(self, identifier: str) -> None:
        with self._guard:
            if self._open is not None and self._open.id == identifier:
                self.settle()

    def _current(self) -> Transaction:
        if self._open is None:
            raise OperationError(
                "no transaction is open. Call BeginTransaction first.", code="no_transaction"
            )
        return self._open

    def _end(self, transaction: Transaction, ending: Ending) -> None:
        self._open = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._endings[transaction.id] = Ended(ending, transaction.seconds)
        while len(self._endings) > _REMEMBERED:
            del self._endings[next(iter(self._endings))]


def expired(seconds: float | None) -> OperationError:
    """Return that a transaction was rolled back when its time was over."""
    limit = "" if seconds is None else f" of {seconds:g} s"
    return OperationError(
        f"the transaction was rolled back by itself when its time limit{limit} was over: nothing of it was kept. "
        "Begin another one, with a higher timeout_seconds if that is not enough.",
        code="transaction_expired",
    )


def _position(transaction: Transaction, name: str) -> int:
    """Return where a savepoint stands among the open ones. Raises OperationError naming those there are."""
    names = [each.name for each in transaction.savepoints]
    if name in names:
        return names.index(name)
    known = f"Open are: {', '.join(names)}." if names else "None is open."
    raise OperationError(
        f"there is no savepoint {name} in this transaction. {known}",
        code="unknown_savepoint",
        details={"savepoints": names},
    )
