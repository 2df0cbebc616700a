"""What sessions of SQL databases do alike: the locks and savepoints of a transaction that is held, and questions."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.engine.operations import Statement, Step
from kolumn.engine.transactions import holding
from kolumn.engine.transactions.holding import HeldLocks


class Held(Protocol):
    """A transaction that spans calls."""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed in it."""

    @property
    def locks(self) -> HeldLocks:
        """The locks that are kept until it ends."""


H = TypeVar("H", bound=Held)


class SQLSession(ABC, Generic[H]):
    """A session that can hold a transaction open (see `engine.session.Session`, which it is part of)."""

    _held: H | None = None

    @abstractmethod
    def query(self, context: Context, statement: Statement) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""

    @abstractmethod
    def locked(self, context: Context, name: str) -> AbstractContextManager[None]:
        """Hold the lock `name` until the block ends, whatever transaction is open. Raises StateError."""

    @abstractmethod
    def control(self, context: Context, text: str) -> None:
        """Run a statement about the transaction that is held. Raises OperationError where there is none."""

    @abstractmethod
    def quoted(self, name: str) -> str:
        """Return a name as SQL."""

    @contextlib.contextmanager
    def lock(self, context: Context, name: str) -> Iterator[None]:
        """Hold the lock `name` among all Kolumn sessions on this database. Raises StateError naming who holds it.

        In a transaction that is held and may write, the lock is kept until that ends.
        """
        held = self._held
        if held is not None and not held.read_only:
            held.locks.hold(name, self.locked(context, name))
            yield
            return
        with self.locked(context, name):
            yield

    def admit(self, steps: Iterable[Step]) -> None:
        """Raise OperationError (`not_in_transaction`) while a transaction is held that `steps` cannot run in."""
        if self._held is not None:
            holding.admit(steps)

    def answer(
        self, context: Context, queries: Sequence[Statement], seconds: float
    ) -> list[list[tuple[Any, ...]] | KolumnError]:
        """Return the rows of each query, or what was wrong with it; each may take `seconds`."""
        answers: list[list[tuple[Any, ...]] | KolumnError] = []
        for query in queries:
            try:
                answers.append(self.ask(context.with_timeout(seconds), query))
            except KolumnError as error:
                context.check()
                answers.append(error)
        return answers

    def ask(self, context: Context, query: Statement) -> list[tuple[Any, ...]]:
        """Run a query that may fail; that leaves a transaction which is held as it was."""
        return self.query(context, query)

    def set_savepoint(self, context: Context, name: str) -> None:
        """Open a savepoint in the transaction that is held."""
        self.control(context, f"SAVEPOINT {self.quoted(name)}")

    def roll_back_to(self, context: Context, name: str) -> None:
        """Undo what was done since the savepoint."""
        self.control(context, f"ROLLBACK TO SAVEPOINT {self.quoted(name)}")

    def release_savepoint(self, context: Context, name: str) -> None:
        """Forget a savepoint."""
        self.control(context, f"RELEASE SAVEPOINT {self.quoted(name)}")

    @contextlib.contextmanager
    def taking(self, context: Context, locks: Sequence[str]) -> Iterator[HeldLocks]:
        """Take the locks of a transaction that is begun in the block; they are released if it is not.

        Raises OperationError (`nested_transaction`) while one is held already.
        """
        if self._held is not None:
            raise nested_transaction()
        taken = HeldLocks()
        try:
            for name in locks:
                taken.hold(name, self.locked(context, name))
            yield taken
        except BaseException:
            taken.release()
            raise

    def required(self) -> H:
        """Return the transaction that is held. Raises OperationError (`no_transaction`) where there is none."""
        if self._held is None:
            raise OperationError("no transaction is open. Begin one first.", code="no_transaction")
        return self._held


def nested_transaction() -> OperationError:
    """Return that a transaction cannot be begun in another one."""
    return OperationError("a transaction is open already. Commit it first.", code="nested_transaction")


def patience(context: Context, seconds: float) -> float:
    """Return how long to wait for a lock: until the call's deadline, else `seconds`."""
    remaining = context.remaining()
    return seconds if remaining is None else remaining
