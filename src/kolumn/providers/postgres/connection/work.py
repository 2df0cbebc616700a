"""Work on one connection: statements in a transaction or by themselves, reading, trying things out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError
from kolumn.contract.logs import ConnectionLogger
from kolumn.engine.operations import Statement
from kolumn.providers.postgres.connection.wire import Row, Take, exchange

if TYPE_CHECKING:
    from psycopg import Connection

BEGIN = Statement("BEGIN ISOLATION LEVEL READ COMMITTED")
"""Whether it may write is left as the server has it: a database may have been made read-only for a reason."""
BEGIN_READING = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
BEGIN_ASKING = Statement("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
EMPTY_PATH = Statement("SET LOCAL search_path = ''")
"""The catalogue's functions then write every name with its schema."""

_SAVEPOINT = Statement("SAVEPOINT kolumn")
_RELEASE = Statement("RELEASE SAVEPOINT kolumn")
_BACK = Statement("ROLLBACK TO SAVEPOINT kolumn")
_TRIED_TOGETHER = 300
"""Statements tried in one pipeline at most."""
_TIDY_SECONDS = 30.0


@dataclass(slots=True)
class Work:
    """A connection while somebody works with it, and the transaction on it if there is one."""

    connection: Connection[Any]
    count: Callable[[int], None]
    """Told how many statements are sent, those that open and close transactions aside."""
    in_transaction: bool = False
    opening: list[Statement] = field(default_factory=list)
    """What is sent before the first statement, in the same round trip."""

    @property
    def is_usable(self) -> bool:
        """Whether the connection holds a transaction, or anything else, that was begun."""
        return not self.opening and not self.connection.closed

    def run(
        self,
        context: Context,
        statements: Sequence[Statement],
        take: Take | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Run statements, in one round trip where they are in a transaction (see `wire.exchange`)."""
        context.check()
        opening, self.opening = self.opening, []
        self.count(len(statements))
        before = len(opening)

        def after_opening(number: int, rows: list[Row]) -> None:
            if number >= before and take is not None:
                take(number - before, rows)

        exchange(
            context,
            self.connection,
            [*opening, *statements],
            after_opening,
            together=self.in_transaction,
            in_transaction=self.in_transaction,
            again=again,
        )

    def fetch(
        self, context: Context, queries: Sequence[Statement], *, again: bool = False
    ) -> list[list[Row]]:
        """Return the rows of each query; `again` if these will be asked for more often."""
        found: list[list[Row]] = []
        self.run(context, queries, lambda _, rows: found.append(rows), again=again)
        return found

    def tidy(self, *statements: Statement) -> None:
        """Put the connection back in order, after the context's end as well; else close it."""
        if not self.is_usable:
            return
        try:
            context = Context.background().with_timeout(_TIDY_SECONDS)
            exchange(context, self.connection, statements, together=False)
        except KolumnError as error:
            ConnectionLogger.debug("a connection is given up", error=error.message)
            self.connection.close()

    @contextlib.contextmanager
    def rolled_back(self, *, always: bool = False) -> Iterator[None]:
        """Roll the transaction back when an error leaves the block, or `always` at its end."""
        try:
            yield
        except BaseException:
            self.tidy(Statement("ROLLBACK"))
            raise
        if always:
            self.tidy(Statement("ROLLBACK"))


class Fetch:
    """Reads rows on one connection; a call is one round trip, however many queries it makes."""

    def __init__(self, context: Context, work: Work) -> None:
        self._context = context
        self._work = work

    def __call__(self, query: str, *parameters: Any) -> list[Row]:
        """Return the rows of one query."""
        return self.fetch_many([Statement(query, parameters)])[0]

    def fetch_many(self, queries: Sequence[str | Statement], *, again: bool = False) -> list[list[Row]]:
        """Return the rows of each query, all asked in one go; `again` if these will be asked for more often."""
        statements = [Statement(each) if isinstance(each, str) else each for each in queries]
        return self._work.fetch(self._context, statements, again=again)


class Scratch:
    """A transaction that is always rolled back. What fails in `attempt` is as if it had not been tried."""

    def __init__(self, context: Context, work: Work) -> None:
        self._context = context
        self._work = work
        self.fetch = Fetch(context, work)
        """Reads within the transaction. A query that fails ends it: `attempt` those that may."""

    def attempt(self, trials: Sequence[Statement | Sequence[Statement]]) -> list[KolumnError | None]:
        """Run each trial, one or more statements, and return what was wrong with it, None where it worked.

        Raises ConnectionError, and OperationError when the context ends.
        """
        found: list[KolumnError | None] = []
        many = _TRIED_TOGETHER
        while rest := trials[len(found) :][:many]:
            if len(rest) > 1 and self._work_together(rest):
                found += [None] * len(rest)
                many = min(many * 2, _TRIED_TOGETHER)
            else:
                found += self._one_by_one(rest)
                many = max(many // 4, 1) if found[-1] is not None else min(many * 2, _TRIED_TOGETHER)
        return found

    def _work_together(self, trials: Sequence[Statement | Sequence[Statement]]) -> bool:
        """Run trials under one savepoint, and return whether all of them worked; else none was made.

        A savepoint of its own costs each trial a look at every table the transaction knows
        (`AtEOSubXact_RelationCache`), so that thousands of them take a time that grows with their square.
        """
        statements = [_SAVEPOINT, *(part for each in trials for part in _parts(each)), _RELEASE]
        try:
            self._work.run(self._context, statements)
        except KolumnError as error:
            self._check(error)
            self._work.run(self._context, [_BACK, _RELEASE])
            return False
        return True

    def _one_by_one(self, trials: Sequence[Statement | Sequence[Statement]]) -> list[KolumnError | None]:
        """Run trials, each under a savepoint, up to the first that fails; return what came of those."""
        statements: list[Statement] = []
        ends: list[int] = []
        for each in trials:
            statements += [_SAVEPOINT, *_parts(each), _RELEASE]
            ends.append(len(statements))
        answers: list[list[Row]] = []
        try:
            self._work.run(self._context, statements, answers.insert)
        except KolumnError as error:
            self._check(error)
            self._work.run(self._context, [_BACK, _RELEASE])
            return [*([None] * sum(end <= len(answers) for end in ends)), error]
        return [None] * len(trials)

    def _check(self, error: KolumnError) -> None:
        if self._work.connection.closed or isinstance(error, ConnectionError):
            raise error
        self._context.check()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Fetch]:
        """Read with an empty search path, so that names come out qualified."""
        with read_within(self._context, self._work) as fetch:
            yield fetch


def _parts(trial: Statement | Sequence[Statement]) -> Sequence[Statement]:
    return (trial,) if isinstance(trial, Statement) else trial


@contextlib.contextmanager
def read_within(context: Context, work: Work) -> Iterator[Fetch]:
    """Read in a transaction that goes on, with an empty search path."""
    work.run(context, [Statement("SAVEPOINT kolumn_reading"), EMPTY_PATH])
    try:
        yield Fetch(context, work)
    finally:
        back = "ROLLBACK TO SAVEPOINT kolumn_reading", "RELEASE SAVEPOINT kolumn_reading"
        work.tidy(*map(Statement, back))
