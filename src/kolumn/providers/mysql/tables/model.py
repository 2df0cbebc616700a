"""Tables of MySQL and MariaDB: the models all SQL databases share, and what these have more of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.providers.mysql.language.types import GEOMETRIES, TEXTS, type_of
from kolumn.sql import model
from kolumn.sql.model import Constraint

PARTITIONINGS = (
    "range", "range columns", "list", "list columns", "hash", "linear hash", "key", "linear key", "system_time",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9_]*")


def named(text: str, what: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless a text is a plain word, such as the name of a collation or an engine."""
    if not _NAME.fullmatch(text):
        yield Problem(f"{text!r} is no name of {what}", code="invalid_identifier", path=path)


def verify_charset(character_set: str, collation: str) -> Iterator[Problem]:
    """Yield faults of a character set and a collation."""
    yield from named(character_set, "a character set", "character_set")
    yield from named(collation, "a collation", "collation")
    owner = collation.lower().partition("_")[0]
    known = {"utf8": "utf8mb3"}
    mine = known.get(character_set.lower(), character_set.lower())
    if character_set and collation and known.get(owner, owner) not in (mine, "uca1400"):
        yield Problem(
            f"collation {collation} does not belong to character set {character_set}",
            code="conflicting_attributes",
            path="collation",
            hint="Leave character_set out: a collation says it.",
        )


@dataclass(frozen=True)
class MySQLKeyPart(model.KeyPart):
    """One column or expression of an index or key."""

    length: int | None = attribute(
        "How much of the column's value counts, in characters or bytes", default=None
    )

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        if self.collation:
            yield Problem(
                "an index has the collation of its columns", code="unsupported_attribute", path="collation"
            )
        if self.length is not None and (self.length < 1 or self.expression):
            yield Problem(
                "length is how much of a column counts, 1 or more", code="invalid_value", path="length"
            )


@dataclass(frozen=True)
class MySQLPrimaryKey(model.PrimaryKey):
    """A table's primary key."""

    columns: tuple[MySQLKeyPart, ...] = attribute("Columns of the key, in order", validators=[NOT_EMPTY])
    using: str = attribute(
        "How it is kept, where that is said: btree or hash", default="",
        validators=[one_of("", "btree", "hash")], grammar="keyword",
    )  # fmt: skip
    without_overlaps: bool = attribute(
        "Whether rows with equal columns may be there at different times of the table's period (MariaDB)",
        default=False,
    )

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a name: the server calls every primary key PRIMARY."""
        if self.name and self.name.upper() != "PRIMARY":
            yield Problem("a primary key is always called PRIMARY", code="unsupported_attribute", path="name")
        if any(part.expression for part in self.columns):
            yield Problem("a primary key has columns only", code="unsupported_attribute", path="columns")


@dataclass(frozen=True)
class MySQLUnique(model.Unique):
    """A unique constraint, which is a unique index over whole columns."""

    columns: tuple[MySQLKeyPart, ...] = attribute(
        "Columns of the constraint, in order", validators=[NOT_EMPTY]
    )
    without_overlaps: bool = attribute(
        "Whether rows with equal columns may be there at different times of the table's period (MariaDB)",
        default=False,
    )

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for what only an index of its own has."""
        if any(part.expression or part.length or part.order.lower() == "desc" for part in self.columns):
            yield Problem(
                "a unique constraint has whole columns, in ascending order",
                code="unsupported_attribute",
                path="columns",
                hint="Declare an index with unique = true instead.",
            )


@dataclass(frozen=True)
class MySQLCheck(model.Check):
    """A check constraint."""

    enforced: bool = attribute("Whether it is enforced (MySQL; always in MariaDB)", default=True)


@dataclass(frozen=True)
class MySQLForeignKey(model.ForeignKey):
    """A foreign key."""

    def verify(self) -> Iterator[Problem]:
        """Yield faults: what the server does not have."""
        yield from super().verify()
        yield from _verify_foreign_key(
            self.deferrable or self.initially_deferred, self.on_delete, self.on_update
        )
        if self.match:
            yield Problem("MATCH means nothing to the server", code="unsupported_attribute", path="match")


def _verify_foreign_key(deferrable: bool, *actions: str) -> Iterator[Problem]:
    if deferrable:
        yield Problem("the check of a foreign key cannot wait for the commit", code="unsupported_attribute",
                      path="deferrable")  # fmt: skip
    if "set default" in (each.lower() for each in actions):
        yield Problem("InnoDB refuses SET DEFAULT", code="unsupported_attribute", path="on_delete")


@dataclass(frozen=True)
class MySQLColumn(model.Column):
    """A column of a table, with the constraints written at it."""

    character_set: str = attribute("Character set; the table's when left out", default="", grammar="keyword")
    collation: str = attribute("Collation; the table's when left out", default="", grammar="keyword")
    auto_increment: bool = attribute("Whether rows are numbered by the server", default=False)
    on_update_value: str = attribute(
        "What every change of a row sets it to: CURRENT_TIMESTAMP", default="", grammar="default"
    )
    invisible: bool = attribute("Whether SELECT * leaves it out", default=False)
    srid: int | None = attribute("The one spatial reference system of its values (MySQL)", default=None)
    versioned: bool = attribute(
        "Whether its former values are kept, where the table keeps them (MariaDB)", default=True
    )
    period: str = attribute(
        "Which end of the time it holds in which a row was current: start or end (MariaDB)",
        default="",
        validators=[one_of("", "start", "end")],
        grammar="keyword",
    )
    compressed: bool = attribute("Whether its values are stored compressed (MariaDB)", default=False)

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        yield from verify_charset(self.character_set, self.collation)
        yield from _verify_foreign_key(
            self.deferrable or self.initially_deferred, self.on_delete, self.on_update
        )
        kind = type_of(self.type)
        if not self.type:
            yield Problem(f"column {self.name} needs a type", code="missing_attribute", path="type")
        if kind is not None:
            if (self.character_set or self.collation) and kind.name not in TEXTS:
                yield Problem(
                    f"a {kind.name} has no character set", code="conflicting_attributes", path="collation"
                )
            if self.srid is not None and kind.name not in GEOMETRIES:
                yield Problem("srid is for geometries only", code="conflicting_attributes", path="srid")
        if self.stored and not self.generated:
            yield Problem(
                "stored is only for generated columns", code="conflicting_attributes", path="stored"
            )
        if self.auto_increment and (self.default is not None or self.generated):
            yield Problem(
                "a column that the server numbers has no default and is not generated",
                code="conflicting_attributes",
                path="auto_increment",
            )
        if self.on_update_value and (self.generated or "timestamp" not in self.on_update_value.lower()):
            yield Problem(
                "a change can set a column to CURRENT_TIMESTAMP only",
                code="invalid_value",
                path="on_update_value",
            )

    def constraints(self) -> Iterator[Constraint]:
        """Yield what is written at this column as the table constraints it means."""
        part = (MySQLKeyPart(column=self.name),)
        if self.primary_key:
            yield MySQLPrimaryKey(columns=part)
        if self.unique:
            yield MySQLUnique(columns=part)
        if self.check:
            yield MySQLCheck(expression=self.check)
        if self.references:
            yield MySQLForeignKey(
                columns=(self.name,),
                references=self.references,
                on_delete=self.on_delete,
                on_update=self.on_update,
            )


@dataclass(frozen=True)
class MySQLIndex(model.Index):
    """An index."""

    columns: tuple[MySQLKeyPart, ...] = attribute("Columns or expressions, in order", validators=[NOT_EMPTY])
    kind: str = attribute(
        "fulltext or spatial, where it is one of these", default="",
        validators=[one_of("", "fulltext", "spatial")], grammar="keyword",
    )  # fmt: skip
    using: str = attribute(
        "How it is kept, where that is said: btree or hash", default="",
        validators=[one_of("", "btree", "hash")], grammar="keyword",
    )  # fmt: skip
    key_block_size: int | None = attribute("Size of its pages in KiB, where that is said", default=None)
    parser: str = attribute(
        "What cuts texts into words, for fulltext: the name of a plugin", default="", grammar="identifier"
    )
    visible: bool = attribute("Whether queries may use it (MariaDB: not IGNORED)", default=True)
    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.where:
            yield Problem("an index has all rows of its table", code="unsupported_attribute", path="where")
        if self.kind and self.unique:
            yield Problem(
                f"a {self.kind} index is never unique", code="conflicting_attributes", path="unique"
            )
        if self.kind and any(part.expression or part.length or part.order == "desc" for part in self.columns):
            yield Problem(f"a {self.kind} index has whole columns, without an order", code="conflicting_attributes",
                          path="columns")  # fmt: skip
        if self.parser and self.kind != "fulltext":
            yield Problem("parser is for fulltext indexes", code="conflicting_attributes", path="parser")
        if self.key_block_size is not None and self.key_block_size < 1:
            yield Problem("key_block_size is 1 or more", code="invalid_value", path="key_block_size")
        if self.key_block_size is not None and self.is_constraint:
            yield Problem("key_block_size is not for a unique constraint", code="conflicting_attributes",
                          path="key_block_size", hint="Say how it is kept (using) as well.")  # fmt: skip
        if self.name.lower() == "primary":
            yield Problem("PRIMARY is the table's primary key", code="reserved_name", path="name",
                          hint="Declare it in the table.")  # fmt: skip

    @property
    def is_constraint(self) -> bool:
        """Whether the server takes it for a unique constraint of its table."""
        whole = all(
            part.column and part.length is None and part.order.lower() == "asc" for part in self.columns
        )
        return self.unique and whole and self.visible and not self.comment and not self.using


@dataclass(frozen=True)
class Partition:
    """One partition."""

    name: str = attribute("Name", validators=[NOT_EMPTY], grammar="identifier")
    values: str = attribute(
        "Range: what its values are less than, MAXVALUE among that; list: its values, with commas",
        default="",
        grammar="list",
    )
    comment: str = attribute("Comment", default="")
    subpartitions: tuple[str, ...] = attribute(
        "Names of its subpartitions, where they are not the server's own making",
        default=(),
        grammar="identifier",
    )


@dataclass(frozen=True)
class Partitioning:
    """How a table is divided (https://dev.mysql.com/doc/refman/9.4/en/partitioning-types.html)."""

    method: str = attribute("How rows are assigned", validators=[one_of(*PARTITIONINGS)], grammar="keyword")
    expression: str = attribute(
        "Of what: an expression, or for key and the columns methods columns with commas",
        default="",
        grammar="list",
    )
    count: int | None = attribute("Number of partitions, where they have no names of their own", default=None)
    partitions: tuple[Partition, ...] = attribute("Partitions, in order", default=())
    subpartition_method: str = attribute(
        "How each is divided further", default="",
        validators=[one_of("", "hash", "linear hash", "key", "linear key")], grammar="keyword",
    )  # fmt: skip
    subpartition_expression: str = attribute("Of what", default="", grammar="list")
    subpartition_count: int | None = attribute("Number of subpartitions of each", default=None)

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        kind = self.method.lower().split()[0]
        if kind in ("range", "list") and not self.partitions:
            yield Problem(f"partitions by {kind} must be listed", code="missing_attribute", path="partitions")
        if kind in ("range", "list") and any(not each.values for each in self.partitions):
            yield Problem("every partition needs values", code="missing_attribute", path="partitions")
        if self.count is not None and self.partitions:
            yield Problem("give count or partitions", code="conflicting_attributes", path="count")


@dataclass(frozen=True)
class ApplicationPeriod:
    """The time for which a row holds, kept by the application (https://mariadb.com/kb/en/application-time-periods/)."""

    name: str = attribute("Name", validators=[NOT_EMPTY], grammar="identifier")
    start: str = attribute("Column of its beginning", validators=[NOT_EMPTY], grammar="column")
    end: str = attribute(
        "Column of its end, which it does not include", validators=[NOT_EMPTY], grammar="column"
    )


@dataclass(frozen=True)
class MySQLTable(model.Table):
    """A table."""

    CONSTRAINTS: ClassVar[Mapping[type[Any], str]] = {
        MySQLPrimaryKey: "primary_key",
        MySQLUnique: "uniques",
        MySQLCheck: "checks",
        MySQLForeignKey: "foreign_keys",
    }

    columns: tuple[MySQLColumn, ...] = attribute("Columns, in order", default=())
    primary_key: MySQLPrimaryKey | None = attribute(
        "Primary key: a list of columns, or a block", default=None
    )
    uniques: tuple[MySQLUnique, ...] = attribute("Unique constraints", default=())
    checks: tuple[MySQLCheck, ...] = attribute("Check constraints", default=())
    foreign_keys: tuple[MySQLForeignKey, ...] = attribute("Foreign keys", default=())
    engine: str = attribute(
        "Storage engine; the server's default when left out", default="", grammar="keyword"
    )
    character_set: str = attribute(
        "Character set of columns that name none; the database's when left out", default="", grammar="keyword"
    )
    collation: str = attribute(
        "Collation of columns that name none; the database's when left out", default="", grammar="keyword"
    )
    row_format: str = attribute(
        "Row format, where it is not the engine's default", default="", grammar="keyword"
    )
    auto_increment_start: int | None = attribute(
        "The number the first row gets; counts when the table is created", default=None, hint=True
    )
    options: Mapping[str, Any] | None = attribute(
        "Further table options by name, e.g. key_block_size or stats_persistent", default=None
    )
    partition_by: Partitioning | None = attribute("How the table is divided", default=None)
    system_versioned: bool = attribute("Whether former rows are kept (MariaDB)", default=False)
    application_period: ApplicationPeriod | None = attribute(
        "The time for which a row holds (MariaDB)", default=None
    )

    @staticmethod
    def prepare(config: Mapping[str, Any], path: str, problems: list[Problem]) -> Mapping[str, Any]:
        """Spell options one way: names in lower case, values as texts."""
        config = model.Table.prepare(config, path, problems)
        given = config.get("options")
        if isinstance(given, Mapping):
            config = {
                **config,
                "options": {str(key).lower(): str(value) for key, value in given.items()} or None,
            }
        return config

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        yield from verify_charset(self.character_set, self.collation)
        yield from named(self.engine, "an engine", "engine")
        yield from named(self.row_format, "a row format", "row_format")
        for key, value in (self.options or {}).items():
            yield from named(key, "an option", f"options.{key}")
            if not re.fullmatch(r"[\w.:/,\- ]*", str(value)):
                yield Problem(
                    f"{value!r} is no value of option {key}", code="invalid_value", path=f"options.{key}"
                )
            if key in (
                "engine",
                "row_format",
                "comment",
                "collate",
                "charset",
                "auto_increment",
                "partitioned",
            ):
                yield Problem(
                    f"{key} has an attribute of its own", code="unsupported_attribute", path=f"options.{key}"
                )
        if sum(each.auto_increment for each in self.columns) > 1:
            yield Problem("only one column can be numbered by the server", code="conflicting_attributes",
                          path="columns")  # fmt: skip
        yield from self._verify_period()
        if not self.columns:
            yield Problem(f"table {self.name} needs a column", code="missing_attribute", path="columns")

    def _verify_period(self) -> Iterator[Problem]:
        period = self.application_period
        if period is None:
            if any(getattr(each, "without_overlaps", False) for each in self.constraints()):
                yield Problem(
                    "without_overlaps is about the period of the table, which has none",
                    code="missing_attribute",
                    path="application_period",
                )
            return
        names = {each.name.lower() for each in self.columns}
        for path, name in (("start", period.start), ("end", period.end)):
            if name.lower() not in names:
                yield Problem(
                    f"there is no column {name}", code="unknown_column", path=f"application_period.{path}"
                )
        if period.name.lower() in names or period.name.lower() == "system_time":
            yield Problem(
                f"a period cannot be called {period.name}: choose a name that is no column's and not system_time",
                code="reserved_name",
                path="application_period.name",
            )
