"""What the engine asks of one configured connection to one database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from kolumn.contract.provider import Context
from kolumn.engine.consequences import Brought
from kolumn.engine.handler import Handler
from kolumn.engine.journal import Journal
from kolumn.engine.metadata import Metadata
from kolumn.engine.operations import Operation, Statement, Step
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rows import RowSet, RowStore


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


def _nothing() -> None:
    """Nobody wants to know."""


class Session(Protocol):
    """One configured connection (pool) to one database."""

    @property
    def capabilities(self) -> Capabilities:
        """What the server behind this session can do."""

    @property
    def journal(self) -> Journal | None:
        """Where steps that commit one by one are noted; None where every apply is one transaction."""

    @property
    def metadata(self) -> Metadata | None:
        """Tables of Kolumn's own in the database; None where it can keep none."""

    @property
    def rows(self) -> RowStore | None:
        """Copies rows out and in; None where the database lets nobody do that."""

    def ping(self, context: Context) -> str:
        """Make a round trip; return what the server says it is. Raises ConnectionError."""

    def transaction(self, context: Context, steps: Iterable[Step]) -> AbstractContextManager[None]:
        """Open a transaction in which `steps` can run; commit on success, roll back on error."""

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

    def lock(self, context: Context, name: str) -> AbstractContextManager[None]:
        """Hold the lock `name` among all Kolumn sessions on this database. Raises StateError."""

    def close(self) -> None:
        """Close every connection and clear credentials; safe to call again."""


class Catalog(Protocol):
    """Reads a database's own catalogue, in bulk."""

    def scan(self, context: Context) -> Snapshot:
        """Read every object of every registered type in a fixed number of queries."""

    def settle(self, context: Context, pairs: Sequence[tuple[Handler[Any], Any, Any]]) -> Sequence[Any]:
        """Return each wanted model with the live one's wording wherever the database takes both for the same.

        A pair is handler, live model, wanted model. Asked once per plan, for what seems to differ, so that
        an expression spelled in another way than the catalogue spells it is no change. A database whose
        catalogue keeps texts as they were written has nothing to add to the handlers' normal forms.
        """


class Compiler(Protocol):
    """Turns operations into steps for one database."""

    def consolidate(
        self, operations: list[Operation], live: Snapshot, *, online: bool = False
    ) -> list[Operation]:
        """Merge operations this database must or can do at once, e.g. into one table rebuild."""

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

    def ordered(self, operations: list[Operation], live: Snapshot) -> list[Operation]:
        """Return the operations with what the catalogue says of their order; they are all there are."""

    def losses(self, step: Step) -> Iterable[RowSet]:
        """Yield the rows, or values of rows, that are gone once the step ran."""

    def split(self, script: str) -> Sequence[str]:
        """Return the statements of a script, each as it is written. Raises ValidationError."""
