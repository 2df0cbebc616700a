"""What the engine asks of one configured connection to one database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from kolumn.contract.errors import KolumnError
from kolumn.contract.provider import Context
from kolumn.engine.handler import Handler
from kolumn.engine.metadata import Metadata
from kolumn.engine.operations import Operation, Statement, Step
from kolumn.engine.planning.consequences import Brought
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rows import RowSet, RowStore

if TYPE_CHECKING:
    from kolumn.engine.validation import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one server, in its version, can do. Asked of the server at Configure, never guessed."""

    server: str
    """Product and version as the server says it, e.g. `SQLite 3.45.1`."""
    transactional_ddl: bool
    """Whether DDL can be rolled back."""
    max_identifier: int | None = None
    """Longest identifier in bytes; None without a limit."""
    refused_types: Mapping[str, str] = field(default_factory=dict)
    """Resource types the database lacks, each with what to do instead."""
    isolation_levels: tuple[str, ...] = ()
    """The words for isolation that `Session.begin` takes, the default first; none where no transaction can
    span calls."""
    savepoints: bool = False
    """Whether part of a transaction can be rolled back."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a session works for."""

    user: str
    """Who the database says has connected; empty where it knows no users."""
    application: str
    """The name the session works under."""


def _nothing() -> None:
    """Nobody wants to know."""


class Session(Protocol):
    """One configured connection (pool) to one database."""

    @property
    def capabilities(self) -> Capabilities:
        """What the server behind this session can do."""

    @property
    def metadata(self) -> Metadata | None:
        """Tables of Kolumn's own in the database; None where it can keep none."""

    @property
    def identity(self) -> Identity:
        """Whom the session works for, for the audit trail."""

    @property
    def rows(self) -> RowStore | None:
        """Copies rows out and in; None where the database lets nobody do that."""

    def ping(self, context: Context) -> str:
        """Make a round trip; return what the server says it is. Raises ConnectionError."""

    def transaction(self, context: Context, steps: Iterable[Step]) -> AbstractContextManager[None]:
        """Open a transaction in which `steps` can run; commit on success, roll back on error.

        While one is held open (see `begin`) it is a savepoint inside that one.
        """

    @property
    def is_held(self) -> bool:
        """Whether a transaction that was begun is still open; false again as soon as it is lost."""

    def begin(
        self, context: Context, *, isolation: str, read_only: bool = False, locks: Sequence[str] = ()
    ) -> None:
        """Open a transaction that spans calls: until it ends all that is read and run is part of it.

        `isolation` is one of the capabilities' words. `locks` are taken before and, like all that are taken
        meanwhile, held until it ends. What fails inside is as if it had not been tried. When it is lost with
        its connection, everything raises ConnectionError (`transaction_lost`) until `roll_back` is called.
        """

    def commit(self, context: Context) -> None:
        """Commit the transaction that is held. When that fails `is_held` says whether it is still open."""

    def roll_back(self) -> None:
        """Roll back the transaction that is held and release its locks; without one, do nothing."""

    def set_savepoint(self, context: Context, name: str) -> None:
        """Open a savepoint in the transaction that is held."""

    def roll_back_to(self, context: Context, name: str) -> None:
        """Undo what was done since the savepoint, which stays open; those opened after it are gone."""

    def release_savepoint(self, context: Context, name: str) -> None:
        """Forget a savepoint, and those opened after it; what was done stays done."""

    def admit(self, steps: Iterable[Step]) -> None:
        """Raise OperationError (`not_in_transaction`) while a transaction is held that `steps` cannot run in."""

    def run(
        self,
        context: Context,
        statements: Iterable[Statement],
        finished: Callable[[], None] = _nothing,
    ) -> None:
        """Run statements in as few round trips as the driver can; call `finished` after each that worked.

        Raises OperationError, ConnectionError or PermissionError; the statement that failed is the one after
        those that finished.
        """

    def query(self, context: Context, statement: Statement) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""

    def answer(
        self, context: Context, queries: Sequence[Statement], seconds: float
    ) -> list[list[tuple[Any, ...]] | KolumnError]:
        """Return the rows of each query, or what was wrong with it, in as few round trips as there can be.

        Each may take `seconds`. Nothing is changed, and one that fails is as if it had not been asked.
        """

    def lock(self, context: Context, name: str) -> AbstractContextManager[None]:
        """Hold the lock `name` among all Kolumn sessions on this database. Raises StateError."""

    def close(self) -> None:
        """Close every connection and clear credentials; safe to call again."""


class Catalog(Protocol):
    """Reads a database's own catalogue, in bulk."""

    def scan(self, context: Context) -> Snapshot:
        """Read every object of every registered type in a fixed number of queries."""

    def rows(self, context: Context, tables: Sequence[Ref]) -> Mapping[Ref, int | None]:
        """Return about how many rows each of `tables` has, in a fixed number of queries.

        None stands for what cannot be told cheaply; a table that is not there is left out.
        """

    def settle(self, context: Context, pairs: Sequence[tuple[Handler[Any], Any, Any]]) -> Sequence[Any]:
        """Return each wanted model with the live one's wording wherever the database takes both for the same.

        A pair is handler, live model, wanted model. Asked once per plan, for what seems to differ, so that
        an expression spelled in another way than the catalogue spells it is no change. A database whose
        catalogue keeps texts as they were written has nothing to add to the handlers' normal forms.
        """


class Compiler(Protocol):
    """Turns operations into steps for one database."""

    def consolidate(
        self,
        operations: list[Operation],
        live: Snapshot,
        *,
        online: bool = False,
        wanted: Callable[[Ref], bool] = lambda _: False,
    ) -> list[Operation]:
        """Merge operations this database must or can do at once, e.g. into one table rebuild.

        `wanted` says of an object whether it is asked for by itself, and so does not go with another one that
        brought it along, e.g. an index with its foreign key.
        """

    def compile(self, operation: Operation, live: Snapshot, *, online: bool = False) -> list[Step]:
        """Return the steps of one operation against the database as it is just before it.

        `online` asks for steps that let others go on reading and writing, at the price of not being one
        transaction; a database with one way only takes that.
        """

    def depends(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what must be dropped before `operation` and comes back after it: objects, or parts of them.

        `replaced` says that it is a drop, and its object or another one of its name is created again.
        """

    def owner_of(self, part: Ref, live: Snapshot) -> Ref | None:
        """Return the object that `part`, which `depends` yielded, is a part of; None where there is none."""

    def brings(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[Brought]:
        """Yield what comes into being along with what `operations` create, although none of them says so."""

    def questions(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[tuple[int, Question]]:
        """Yield which rows of the database as it is the operations, in their order, would fail on.

        Each with the position of its operation.
        """

    def ordered(self, operations: list[Operation], live: Snapshot) -> list[Operation]:
        """Return the operations with what the catalogue says of their order; they are all there are."""

    def losses(self, step: Step) -> Iterable[RowSet]:
        """Yield the rows, or values of rows, that are gone once the step ran."""

    def split(self, script: str) -> Sequence[str]:
        """Return the statements of a script, each as it is written. Raises ValidationError."""
