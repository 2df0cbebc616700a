"""What the catalogues say of a table, put together from their rows: plain values without oids."""

from __future__ import annotations

from typing import Any, NamedTuple


class SequenceRow(NamedTuple):
    """A sequence that belongs to a column."""

    schema: str
    name: str
    type: str
    start: int
    increment: int
    min_value: int
    max_value: int
    cache: int
    cycle: bool


class NotNullRow(NamedTuple):
    """A not-null constraint, as there are since PostgreSQL 18."""

    name: str
    no_inherit: bool
    validated: bool
    comment: str


class ColumnRow(NamedTuple):
    """A column; the first thirteen fields are columns of the query, in its order."""

    name: str
    type: str
    not_null: bool
    default: str | None
    """Default, or what a generated column is computed from."""
    source: str | None
    """`s` or `v`: generated, stored or virtual; `a` or `d`: identity, always or by default."""
    local: bool
    inherited: bool
    collation_schema: str | None
    collation: str | None
    """None where it is the type's own."""
    storage: str | None
    """None where it is the type's own."""
    compression: str | None
    statistics: int | None
    options: list[str] | None
    comment: str
    sequence: SequenceRow | None
    """The sequence of an identity or serial column."""
    not_null_constraint: NotNullRow | None
    not_null_from: str
    """The name of the parent's not-null constraint."""
    follows: bool
    """Whether it is in all as the parent has it."""
    origin: tuple[bool, str | None, str | None, str | None] | None
    """The parent's NOT NULL, default, storage and compression, of a column that does not follow it."""


class IndexRow(NamedTuple):
    """What an index is besides its columns."""

    clustered: bool
    replica_identity: bool
    options: list[str] | None
    tablespace: str | None
    nulls_not_distinct: bool
    include: tuple[str, ...]


class TargetRow(NamedTuple):
    """What a foreign key refers to, and what follows from changes there."""

    schema: str
    table: str
    columns: tuple[str, ...]
    on_update: str
    on_delete: str
    full: bool
    on_delete_columns: tuple[str, ...]


class ConstraintRow(NamedTuple):
    """A constraint of the table itself."""

    name: str
    kind: str
    """`p`, `u`, `x`, `c` or `f`, as in pg_constraint."""
    columns: tuple[str, ...]
    deferrable: bool
    deferred: bool
    validated: bool
    enforced: bool
    no_inherit: bool
    period: bool
    text: str | None
    """A check's expression, an exclusion constraint's definition."""
    backing: IndexRow | None
    """The index that enforces it."""
    target: TargetRow | None
    comment: str


class TableRow(NamedTuple):
    """A table."""

    name: str
    schema: str
    """Empty for public."""
    owner: str
    comment: str
    unlogged: bool
    access_method: str | None
    tablespace: str | None
    options: list[str] | None
    toast_options: list[str] | None
    row_level_security: bool
    force_row_level_security: bool
    replica_identity: str
    of_type: str | None
    partition_key: str | None
    """As PARTITION BY has it: `RANGE (created_at)`."""
    bounds: str | None
    parents: tuple[tuple[str, str], ...]
    """Schema and name of the partitioned table, or of the tables it inherits from."""
    columns: tuple[ColumnRow, ...]
    constraints: tuple[ConstraintRow, ...]
    handed_down: tuple[ConstraintRow, ...]
    """The constraints it has from its parents."""
    in_order: bool
    """Whether it has all columns of its parents, first and in their order."""
    version: int
    """The server's major version."""


Catalogued = tuple[Any, ...]
"""A row as a query returns it."""
