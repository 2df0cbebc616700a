"""Tables, their columns and constraints, as configuration declares them.

https://www.postgresql.org/docs/current/sql-createtable.html

What tables inherit (the columns of a partition or of a child, the constraints and indexes a partition has from
its parent) is not part of their configuration. A column without a type says something more about a column that
comes from elsewhere: from `partition_of`, `inherits` or `of_type`.
"""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.providers.postgres.language.parameters import NONE, Parameters
from kolumn.sql import model
from kolumn.sql.model import KeyPart

STRATEGIES = ("range", "list", "hash")
IDENTITIES = ("always", "by default")
STORAGES = ("plain", "external", "extended", "main")
REPLICA_IDENTITIES = ("default", "full", "nothing")


def _parameters(what: str) -> Any:
    return attribute(what, default=NONE)


def _comment() -> Any:
    return attribute("Comment", default="")


@dataclass(frozen=True)
class PostgresKeyPart(KeyPart):
    """One column or expression of an index, of an exclusion constraint or of a partition key."""

    nulls: str = attribute(
        "Where NULLs come: first or last; as they come by default for the sort order when left out",
        default="",
        validators=[one_of("", "first", "last")],
        grammar="keyword",
    )
    collation: str = attribute(
        "Collation that differs from the column's: its name, with its schema where that is not public",
        default="",
        grammar="qualified",
    )
    opclass: str = attribute(
        "Operator class that is not the default one of the type", default="", grammar="qualified"
    )
    opclass_parameters: Mapping[str, Any] = _parameters("Parameters of the operator class")
    statistics: int | None = attribute("Statistics target of an expression of an index", default=None)

    def __post_init__(self) -> None:
        if not isinstance(self.opclass_parameters, Parameters):
            object.__setattr__(self, "opclass_parameters", Parameters(self.opclass_parameters))

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        yield from self.parameter_problems()

    def parameter_problems(self) -> Iterator[Problem]:
        """Yield what cannot be a parameter of the operator class."""
        assert isinstance(self.opclass_parameters, Parameters)
        yield from self.opclass_parameters.problems("opclass_parameters")
        if self.opclass_parameters and not self.opclass:
            yield Problem(
                "parameters of an operator class need the class itself",
                code="conflicting_attributes",
                path="opclass_parameters",
                hint="Name it with opclass.",
            )


@dataclass(frozen=True, kw_only=True)
class _IndexBacked:
    """What constraints have that an index enforces."""

    include: tuple[str, ...] = attribute("Further columns the index holds", default=(), grammar="column")
    deferrable: bool = attribute("Whether the check can wait for the commit", default=False)
    initially_deferred: bool = attribute("Whether it waits by default", default=False)
    parameters: Mapping[str, Any] = _parameters("Storage parameters of the index, e.g. fillfactor")
    tablespace: str = attribute("Tablespace of the index", default="", grammar="identifier")
    clustered: bool = attribute("Whether CLUSTER sorts the table by it", default=False)
    replica_identity: bool = attribute("Whether it identifies rows for logical replication", default=False)
    comment: str = _comment()

    def __post_init__(self) -> None:
        if not isinstance(self.parameters, Parameters):
            object.__setattr__(self, "parameters", Parameters(self.parameters))

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        assert isinstance(self.parameters, Parameters)
        yield from self.parameters.problems("parameters")
        yield from _deferral_problems(self.deferrable, self.initially_deferred)


def _deferral_problems(deferrable: bool, deferred: bool) -> Iterator[Problem]:
    if deferred and not deferrable:
        yield Problem(
            "initially_deferred needs deferrable",
            code="conflicting_attributes",
            path="initially_deferred",
            hint="Set deferrable = true as well.",
        )


def _key_problems(columns: tuple[KeyPart, ...]) -> Iterator[Problem]:
    for at, part in enumerate(columns):
        if part.expression or part.collation or part.order != "asc":
            yield Problem(
                "a key of a table has plain columns",
                code="invalid_key",
                path=f"columns[{at}]",
                hint="For expressions, collations and sort orders create a unique index.",
            )


@dataclass(frozen=True)
class PostgresPrimaryKey(_IndexBacked, model.PrimaryKey):
    """A primary key."""

    without_overlaps: bool = attribute(
        "Whether the last column is a range that must not overlap for equal others (PostgreSQL 18)",
        default=False,
    )

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        yield from _key_problems(self.columns)


@dataclass(frozen=True)
class PostgresUnique(_IndexBacked, model.Unique):
    """A unique constraint."""

    nulls_not_distinct: bool = attribute("Whether NULLs count as equal (PostgreSQL 15)", default=False)
    without_overlaps: bool = attribute(
        "Whether the last column is a range that must not overlap for equal others (PostgreSQL 18)",
        default=False,
    )

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        yield from _key_problems(self.columns)


@dataclass(frozen=True)
class PostgresCheck(model.Check):
    """A check constraint."""

    no_inherit: bool = attribute("Whether it stays out of tables that inherit", default=False)
    not_valid: bool = attribute("Whether rows from before it was added were left unchecked", default=False)
    not_enforced: bool = attribute("Whether it is not enforced at all (PostgreSQL 18)", default=False)
    comment: str = _comment()


@dataclass(frozen=True)
class PostgresForeignKey(model.ForeignKey):
    """A foreign key."""

    match: str = attribute(
        "full: all columns are NULL or none; simple otherwise",
        default="simple",
        validators=[one_of("simple", "full")],
        grammar="keyword",
    )
    on_delete_columns: tuple[str, ...] = attribute(
        "Columns that `set null` and `set default` on delete change; all without any (PostgreSQL 15)",
        default=(),
        grammar="column",
    )
    period: bool = attribute(
        "Whether the last columns are periods: what is referred to must cover the row's (PostgreSQL 18)",
        default=False,
    )
    not_valid: bool = attribute("Whether rows from before it was added were left unchecked", default=False)
    not_enforced: bool = attribute("Whether it is not enforced at all (PostgreSQL 18)", default=False)
    comment: str = _comment()

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        yield from _deferral_problems(self.deferrable, self.initially_deferred)
        if self.on_delete_columns and self.on_delete.lower() not in ("set null", "set default"):
            yield Problem(
                "on_delete_columns are what `set null` or `set default` change",
                code="conflicting_attributes",
                path="on_delete_columns",
                hint='Set on_delete = "set null", or leave the columns out.',
            )


@dataclass(frozen=True)
class ExclusionPart(PostgresKeyPart):
    """A column or expression of an exclusion constraint, and the operator that two rows must not fulfil."""

    operator: str = attribute(
        "Operator, e.g. `=` or `&&`, with its schema where that is not public", grammar="operator"
    )


@dataclass(frozen=True)
class Exclusion(_IndexBacked, model.Constraint):
    """An exclusion constraint."""

    KIND: ClassVar[str] = "exclusion constraint"

    columns: tuple[ExclusionPart, ...] = attribute(
        "Columns or expressions, each with its operator", validators=[NOT_EMPTY]
    )
    method: str = attribute("Index method", default="gist", grammar="identifier")
    where: str = attribute("Predicate: which rows it is about", default="", grammar="expression")


@dataclass(frozen=True)
class NotNull:
    """What a not-null constraint is besides its column (PostgreSQL 18)."""

    SHORTHAND: ClassVar[str] = "name"

    name: str = attribute("Constraint name", default="", grammar="identifier")
    no_inherit: bool = attribute("Whether it stays out of tables that inherit", default=False)
    not_valid: bool = attribute("Whether rows from before it was added were left unchecked", default=False)
    comment: str = _comment()


@dataclass(frozen=True)
class Identity:
    """An identity column's sequence. Numbers left out are those PostgreSQL takes for the column's type."""

    SHORTHAND: ClassVar[str] = "generated"

    generated: str = attribute(
        "always: values cannot be given by hand; or by default",
        validators=[one_of(*IDENTITIES)],
        grammar="keyword",
    )
    sequence: str = attribute(
        "Name of the sequence; left out, whatever it has", default="", kept=True, grammar="identifier"
    )
    start: int | None = attribute("First value", default=None)
    increment: int = attribute("Step between values", default=1)
    min_value: int | None = attribute("Smallest value", default=None)
    max_value: int | None = attribute("Largest value", default=None)
    cache: int = attribute("How many values a session takes at once", default=1)
    cycle: bool = attribute("Whether it begins again after the last value", default=False)


@dataclass(frozen=True)
class PostgresColumn(model.Column):
    """A column of a table, with the constraints written at it."""

    collation: str = attribute(
        "Collation that differs from the type's: its name, with its schema where that is not public",
        default="",
        grammar="qualified",
    )
    identity: Identity | None = attribute(
        'Whether values come from a sequence of its own: "always" or "by default"', default=None
    )
    sequence: str = attribute(
        "Name of a serial column's sequence; left out, whatever it has",
        default="",
        kept=True,
        grammar="identifier",
    )
    not_null_constraint: NotNull | None = attribute(
        "Name and properties of the not-null constraint, where they are not the usual ones (PostgreSQL 18)",
        default=None,
    )
    storage: str = attribute(
        "How large values are stored; as usual for the type when left out",
        default="",
        validators=[one_of("", *STORAGES)],
        grammar="keyword",
    )
    compression: str = attribute(
        "How large values are compressed: pglz or lz4; as the server is set when left out",
        default="",
        grammar="keyword",
    )
    statistics: int | None = attribute("Statistics target; as the server is set when left out", default=None)
    parameters: Mapping[str, Any] = _parameters("Options for the planner: n_distinct, n_distinct_inherited")
    using: str = attribute(
        "SQL expression that makes the new value from the old one where the type changes and PostgreSQL "
        "has no conversion of its own",
        default="",
        hint=True,
        grammar="expression",
    )
    inherited: bool = dataclasses.field(default=False, compare=False, kw_only=True)
    """Whether the column comes from a parent or from the table's type."""
    local: bool = dataclasses.field(default=True, compare=False, kw_only=True)
    """Whether it is declared at the table itself, inherited or not."""
    follows: bool = dataclasses.field(default=False, compare=False, kw_only=True)
    """Whether it is in all as the parent has it."""
    origin: PostgresColumn | None = dataclasses.field(default=None, compare=False, repr=False, kw_only=True)
    """The parent's column, where that matters."""

    def __post_init__(self) -> None:
        if not isinstance(self.parameters, Parameters):
            object.__setattr__(self, "parameters", Parameters(self.parameters))

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        assert isinstance(self.parameters, Parameters)
        yield from self.parameters.problems("parameters")
        sources = [
            name
            for name, given in (
                ("default", self.default is not None),
                ("generated", bool(self.generated)),
                ("identity", self.identity is not None),
            )
            if given
        ]
        if len(sources) > 1 and "identity" in sources:
            yield Problem(
                f"column {self.name} has {' and '.join(sources)}: a value can come from one of them only",
                code="conflicting_attributes",
                path="identity",
            )
        if self.stored and not self.generated:
            yield Problem(
                "stored is only for generated columns", code="conflicting_attributes", path="stored"
            )
        yield from _deferral_problems(self.deferrable, self.initially_deferred)

    def constraints(self) -> Iterator[model.Constraint]:
        """Yield what is written at this column as the table constraints it means."""
        part = (KeyPart(column=self.name),)
        if self.primary_key:
            yield PostgresPrimaryKey(columns=part)
        if self.unique:
            yield PostgresUnique(columns=part)
        if self.check:
            yield PostgresCheck(expression=self.check)
        if self.references:
            yield PostgresForeignKey(
                columns=(self.name,),
                references=self.references,
                on_delete=self.on_delete,
                on_update=self.on_update,
                deferrable=self.deferrable,
                initially_deferred=self.initially_deferred,
            )


@dataclass(frozen=True)
class PartitionBy:
    """How a table is divided into partitions."""

    strategy: str = attribute("range, list or hash", validators=[one_of(*STRATEGIES)], grammar="keyword")
    columns: tuple[PostgresKeyPart, ...] = attribute(
        "Columns or expressions that decide which partition a row belongs to", validators=[NOT_EMPTY]
    )


@dataclass(frozen=True)
class PostgresTable(model.Table):
    """A table, a partitioned table or a partition."""

    CONSTRAINTS: ClassVar[Mapping[builtins.type[Any], str]] = {
        model.PrimaryKey: "primary_key",
        model.Unique: "uniques",
        Exclusion: "exclusions",
        model.Check: "checks",
        model.ForeignKey: "foreign_keys",
    }

    columns: tuple[PostgresColumn, ...] = attribute("Columns, in order", default=())
    primary_key: PostgresPrimaryKey | None = attribute(
        "Primary key: a list of columns, or a block", default=None
    )
    uniques: tuple[PostgresUnique, ...] = attribute("Unique constraints", default=())
    exclusions: tuple[Exclusion, ...] = attribute("Exclusion constraints", default=())
    checks: tuple[PostgresCheck, ...] = attribute("Check constraints", default=())
    foreign_keys: tuple[PostgresForeignKey, ...] = attribute("Foreign keys", default=())
    partition_by: PartitionBy | None = attribute("How the table is partitioned", default=None)
    partition_of: str = attribute(
        "Table it is a partition of, with its schema where that is not public", default="", grammar="relation"
    )
    bounds: str = attribute(
        "Which rows of the partitioned table it holds: FROM (...) TO (...), IN (...), "
        "WITH (MODULUS 4, REMAINDER 0) or DEFAULT",
        default="",
        grammar="bounds",
    )
    inherits: tuple[str, ...] = attribute(
        "Tables it inherits from, with their schemas where these are not public",
        default=(),
        grammar="relation",
    )
    of_type: str = attribute("Composite type its columns come from", default="", grammar="type")
    unlogged: bool = attribute("Whether its data is lost after a crash (UNLOGGED)", default=False)
    parameters: Mapping[str, Any] = _parameters(
        "Storage parameters, those of the TOAST table as `toast.<name>`"
    )
    access_method: str = attribute("Table access method", default="heap", grammar="identifier")
    tablespace: str = attribute("Tablespace; the database's when left out", default="", grammar="identifier")
    row_level_security: bool = attribute("Whether policies decide who sees which rows", default=False)
    force_row_level_security: bool = attribute("Whether they apply to the owner as well", default=False)
    replica_identity: str = attribute(
        "What identifies rows for logical replication: the primary key by default, full rows or nothing; an "
        "index says so itself",
        default="default",
        validators=[one_of(*REPLICA_IDENTITIES)],
        grammar="keyword",
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    handed_down: tuple[model.Constraint, ...] = dataclasses.field(default=(), compare=False, kw_only=True)
    """The constraints it has from its parents: a live table's by its own names, a wanted one's by the parent's."""
    version: int = dataclasses.field(default=0, compare=False, kw_only=True)
    """The major version of the server a live table was read from, 0 for a wanted one."""

    def __post_init__(self) -> None:
        if not isinstance(self.parameters, Parameters):
            object.__setattr__(self, "parameters", Parameters(self.parameters))

    @property
    def derives(self) -> bool:
        """Whether columns come from elsewhere."""
        return bool(self.partition_of or self.inherits or self.of_type)

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        assert isinstance(self.parameters, Parameters)
        yield from self.parameters.problems("parameters")
        origins = [name for name in ("partition_of", "inherits", "of_type") if getattr(self, name)]
        if len(origins) > 1:
            yield Problem(
                f"{' and '.join(origins)} exclude each other",
                code="conflicting_attributes",
                path=origins[-1],
            )
        if bool(self.partition_of) != bool(self.bounds):
            missing = "bounds" if self.partition_of else "partition_of"
            yield Problem(
                "a partition needs both partition_of and bounds",
                code="missing_attribute",
                path=missing,
                hint='For example partition_of = "orders" and bounds = "FROM (1) TO (100)"; '
                'bounds = "DEFAULT" takes what no other partition does.',
            )
        for column in self.columns:
            if not column.type and not origins:
                yield Problem(
                    f"column {column.name} has no type",
                    code="missing_attribute",
                    path=f"columns.{column.name}.type",
                    hint='Write for example type = "text".',
                )
