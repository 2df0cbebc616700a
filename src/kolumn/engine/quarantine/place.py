"""Where a database sets objects aside, and what it knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from kolumn.engine.operations import Operation, Statement, Step
from kolumn.engine.resource import Ref, Snapshot

if TYPE_CHECKING:
    from kolumn.engine.quarantine.operations import PutBackValues


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where rows wait: names as the database has them."""

    name: str
    schema: str = ""
    """The schema, database or file; empty for the one that everything is in."""

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Quarantine(Protocol):
    """What a database offers for setting objects aside; one per connection."""

    def object_place(self, ref: Ref, model: Any, entry: str) -> Place | None:
        """Return where an object is moved, None where its configuration is all there is of it."""

    def values_place(self, table: Ref, model: Any, entry: str) -> Place:
        """Return where values of a table are kept."""

    def holds_rows(self, ref: Ref) -> bool:
        """Whether objects of this type hold what no configuration says."""

    def loses(self, before: Any, after: Any) -> bool:
        """Whether an object that becomes another one loses something that no rows hold, e.g. a value of an enum."""

    def bare(self, model: Any, live: Snapshot) -> Any:
        """Return the object as it waits: without what ties it to others, which may change or go meanwhile."""

    def attached(self, ref: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield what vanishes with an object, e.g. the indexes and triggers of a table."""

    def owner(self, ref: Ref, live: Snapshot) -> Ref | None:
        """Return what an object vanishes with, None where it stands alone."""

    def stays_with(self, ref: Ref) -> bool:
        """Whether what is attached to a moved object, e.g. an index, moves along; else it is dropped before."""

    def standing_on(self, ref: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield the objects that cannot stay as they are without an object, or without a column of a table."""

    def disturbing(self, table: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield what must be away while values are put back into a table, e.g. triggers that cannot be turned off."""

    def survives(self, ref: Ref) -> bool:
        """Whether an object stays, with less in it, when a column that it refers to is dropped."""

    def released(self, ref: Ref, model: Any, gone: frozenset[Ref]) -> Any:
        """Return an object as it can be without `gone`; itself where it cannot, None where it goes with that."""

    def rejoined(self, model: Any, source: Any, back: frozenset[Ref]) -> Any:
        """Return an object with what `source`, the object as it was, has from what is `back`."""

    def key(self, model: Any, column: str) -> tuple[str, ...]:
        """Return columns of a table, others than `column`, that tell its rows apart; none where there are none."""

    def without_rules(self, model: Any, column: str) -> Any:
        """Return a table whose column takes any value: no constraint, no NOT NULL, nothing that fills it."""

    def with_column(self, model: Any, source: Any, column: str) -> Any:
        """Return a table with a column as `source` has it, and the constraints over it."""

    def compile(self, operation: Operation, live: Snapshot) -> list[Step]:
        """Return the steps of an operation of `engine.quarantine.operations`."""

    def purge(self, ref: Ref, place: Place) -> Iterator[Statement]:
        """Yield what removes for good what waits at a place."""

    def exists(self, place: Place) -> Statement:
        """Return the query that has a row if something waits at a place."""

    def count(self, place: Place) -> str:
        """Return a scalar expression: how many rows wait at a place."""

    def differing(self, operation: PutBackValues, live: Snapshot) -> Statement:
        """Return the query that has a row if a column that is there has other values than those that are kept."""

    def unmatched(self, operation: PutBackValues, live: Snapshot) -> Statement:
        """Return the query of how many rows have no kept value, how many kept values no row, and how many changed."""
