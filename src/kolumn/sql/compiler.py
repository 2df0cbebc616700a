"""What compilers of SQL databases do alike (see `engine.session.Compiler`): what most databases need not say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

from kolumn.engine.operations import Operation, Step
from kolumn.engine.planning.consequences import Brought
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rows import RowSet
from kolumn.engine.validation import Question
from kolumn.sql.losses import losses


class SQLCompiler(ABC):
    """Turns operations into steps of statements."""

    @abstractmethod
    def consolidate(
        self,
        operations: list[Operation],
        live: Snapshot,
        *,
        online: bool = False,
        wanted: Callable[[Ref], bool] = lambda _: False,
    ) -> list[Operation]:
        """Merge operations this database must or can do at once."""

    @abstractmethod
    def compile(self, operation: Operation, live: Snapshot, *, online: bool = False) -> list[Step]:
        """Return the steps of one operation against the database as it is just before it."""

    @abstractmethod
    def questions(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[tuple[int, Question]]:
        """Yield which rows the operations would fail on."""

    @abstractmethod
    def split(self, script: str) -> Sequence[str]:
        """Return the statements of a script. Raises ValidationError."""

    def depends(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Return nothing: no object has to leave before another one changes."""
        return ()

    def owner_of(self, part: Ref, live: Snapshot) -> Ref | None:
        """Return nothing: no part of an object is ever in the way."""
        return None

    def brings(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[Brought]:
        """Return nothing: what is created comes alone."""
        return ()

    def ordered(self, operations: list[Operation], live: Snapshot) -> list[Operation]:
        """Return the operations as they are: the catalogue knows no more of their order."""
        return operations

    def losses(self, step: Step) -> Iterable[RowSet]:
        """Yield what `sql.losses` tells."""
        return losses(step)
