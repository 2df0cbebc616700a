"""Rows as the engine moves them: out of a database into a stream of lines, and back in.

Each database writes rows in a form of its own, one row on each line. What is common is that nobody ever holds
all rows in memory, and that what came out goes in again exactly as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from kolumn.contract.context import Context
from kolumn.engine.resource import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSet:
    """The rows of one object, or some of their values."""

    ref: Ref
    model: Any
    """The object as it is while they are read."""
    schema: str
    name: str
    """As the database spells them."""
    lost: tuple[str, ...] = ()
    """The columns whose values are about to go; none where whole rows go."""
    key: tuple[str, ...] = ()
    """The columns that tell rows apart, where only values go; none: rows alike in all other columns are taken
    for one another, which they are."""

    def __str__(self) -> str:
        columns = f" (column{'s' if len(self.lost) > 1 else ''} {', '.join(self.lost)})" if self.lost else ""
        return f"{self.ref}{columns}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What `RowStore.copy_out` wrote."""

    columns: tuple[str, ...]
    """In the order of the values of a row."""
    key: tuple[str, ...] = ()
    """By what values will find their rows again, as far as `RowSet.key` serves for that."""
    rows: int
    """As the database counts them."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Where the counters stand that fill columns, e.g. sequences, by column."""


class RowStore(Protocol):
    """Copies rows out of one database and in again. All calls take part in the session's transaction.

    Raises what `Session.run` raises.
    """

    @property
    def format(self) -> str:
        """The name of the form in which rows are written, e.g. `postgres copy text`."""

    @property
    def holds_outside(self) -> bool:
        """Whether rows can also be held for a step that is no part of a transaction."""

    def hold(self, context: Context, rows: RowSet) -> None:
        """Keep others from changing the rows until the end of the transaction, or of what a step has in its place."""

    def count(self, context: Context, rows: RowSet) -> int:
        """Return how many rows there are, or how many have a value that would be lost."""

    def copy_out(self, context: Context, rows: RowSet, write: Callable[[bytes], object]) -> Copied:
        """Hand all rows to `write`, in pieces of any size; each row is one line that ends with a newline."""

    def loading(self, context: Context, rows: Sequence[RowSet]) -> AbstractContextManager[None]:
        """Let rows of all these come in whatever order: no trigger fires, references are checked at the end."""

    def copy_in(
        self,
        context: Context,
        rows: RowSet,
        columns: Sequence[str],
        lines: Iterable[bytes],
        counters: Mapping[str, int],
    ) -> int:
        """Put rows back from pieces of any size: whole rows are added, lost values find their rows.

        Within `loading`. Returns how many rows were added or got their values back.
        """
