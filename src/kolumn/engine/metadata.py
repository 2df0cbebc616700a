"""What Kolumn keeps in the managed database itself, such as the audit trail and the quarantine's catalogue.

Rows of texts and whole numbers, in tables of Kolumn's own: its schema where the database has schemas, else names
that begin with `kolumn_`. Both are invisible to the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from kolumn.contract.context import Context
from kolumn.engine.operations import Statement

Scalar = str | int | None
Row = Mapping[str, Scalar]


class Column(NamedTuple):
    """One column; `name` is a text of at most 200 characters, which can be part of a key."""

    name: str
    kind: Literal["name", "text", "integer"]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One table of Kolumn's own, e.g. `audit`; it is made when it is first written to."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    append_only: bool = False
    """Whether the database itself refuses to change and remove rows, where it has means to."""


class Condition(NamedTuple):
    """What a column must be like; rows must meet all conditions given."""

    column: str
    operator: Literal["=", "<>", "<", "<=", ">", ">="]
    value: Scalar


class Metadata(Protocol):
    """Tables of Kolumn's own. Every call takes part in the session's transaction where one is open.

    All of them raise what `Session.run` raises.
    """

    def exists(self, context: Context, table: Table) -> bool:
        """Whether the table is there; nothing is made by asking."""

    def make(self, context: Context, table: Table) -> None:
        """Make the table if it is not there. Raises PermissionError saying what is needed."""

    def drop(self, context: Context, table: Table) -> None:
        """Drop the table if it is there, and where it lived if that was made for it and holds nothing more."""

    def insert(self, context: Context, table: Table, rows: Sequence[Row]) -> None:
        """Add rows; columns left out are null."""

    def update(self, context: Context, table: Table, values: Row, where: Sequence[Condition]) -> None:
        """Change the rows that meet all conditions."""

    def updating(
        self,
        table: Table,
        values: Row,
        where: Sequence[Condition],
        computed: Mapping[str, str] | None = None,
    ) -> Statement:
        """Return the statement that changes rows; `computed` has an expression instead of a value by column."""

    def delete(self, context: Context, table: Table, where: Sequence[Condition]) -> None:
        """Remove the rows that meet all conditions."""

    def insertion(self, table: Table, row: Row, computed: Mapping[str, str] | None = None) -> Statement:
        """Return what adds a row, for a step that does it with its own work; `computed` are expressions."""

    def deletion(self, table: Table, where: Sequence[Condition]) -> Statement:
        """Return what removes the rows that meet all conditions, for a step likewise."""

    def select(
        self,
        context: Context,
        table: Table,
        where: Sequence[Condition] = (),
        *,
        order: Sequence[str] = (),
        descending: bool = False,
        limit: int | None = None,
    ) -> list[dict[str, Scalar]]:
        """Return the rows that meet all conditions; none where the table is not there."""
