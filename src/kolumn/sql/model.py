"""The models all SQL databases share. A provider subclasses what it has more of.

Models stay as a person wrote them: a primary key written at its column stays there. What they mean,
whichever way written, is in `Table.constraints()`, and that is what the differ compares.
Expressions, types and bodies are SQL text of the database at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.sql.reference import parse_reference

ACTIONS = ("no action", "restrict", "cascade", "set null", "set default")


@dataclass(frozen=True)
class KeyPart:
    """One column or expression of an index or key."""

    SHORTHAND: ClassVar[str] = "column"

    column: str = attribute("Column name", default="")
    expression: str = attribute("SQL expression instead of a column", default="")
    order: str = attribute("Sort order", default="asc", validators=[one_of("asc", "desc")])
    collation: str = attribute("Collation that differs from the column's", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault unless exactly one of column and expression is given."""
        if bool(self.column) == bool(self.expression):
            yield Problem("give either column or expression", code="conflicting_attributes", path="column")


@dataclass(frozen=True)
class PrimaryKey:
    """A table's primary key."""

    SHORTHAND: ClassVar[str] = "columns"

    columns: tuple[KeyPart, ...] = attribute("Columns of the key, in order", validators=[NOT_EMPTY])
    name: str = attribute("Constraint name", default="")


@dataclass(frozen=True)
class Unique:
    """A unique constraint."""

    SHORTHAND: ClassVar[str] = "columns"

    columns: tuple[KeyPart, ...] = attribute("Columns of the constraint, in order", validators=[NOT_EMPTY])
    name: str = attribute("Constraint name", default="")


@dataclass(frozen=True)
class Check:
    """A check constraint."""

    SHORTHAND: ClassVar[str] = "expression"

    expression: str = attribute("SQL expression that must not be false", validators=[NOT_EMPTY])
    name: str = attribute("Constraint name", default="")


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key."""

    columns: tuple[str, ...] = attribute("Columns that refer", validators=[NOT_EMPTY])
    references: str = attribute("What they refer to: `table(column, ...)` or `schema.table(column)`")
    name: str = attribute("Constraint name", default="")
    on_delete: str = attribute("Action on delete", default="no action", validators=[one_of(*ACTIONS)])
    on_update: str = attribute("Action on update", default="no action", validators=[one_of(*ACTIONS)])
    match: str = attribute("MATCH type, as written", default="")
    deferrable: bool = attribute("Whether the check can wait for the commit", default=False)
    initially_deferred: bool = attribute("Whether it waits by default", default=False)

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a target that cannot be read, or for unequal numbers of columns."""
        yield from _verify_reference(self.references, len(self.columns))


def _verify_reference(text: str, columns: int) -> Iterator[Problem]:
    target = parse_reference(text)
    if target is None:
        yield Problem(
            f"references {text!r} is not understood",
            code="invalid_reference",
            path="references",
            hint="Write `table(column)`, `table.column` or `table`.",
        )
    elif target.columns and len(target.columns) != columns:
        yield Problem(
            f"{columns} column(s) refer to {len(target.columns)}", code="invalid_reference", path="references"
        )


@dataclass(frozen=True)
class Column:
    """A column of a table, with the constraints written at it."""

    name: str = attribute("Column name", validators=[NOT_EMPTY])
    type: str = attribute("Data type, as the database spells it", default="")
    not_null: bool = attribute("Whether NULL is refused", default=False)
    primary_key: bool = attribute("Whether this column is the primary key", default=False)
    unique: bool = attribute("Whether values are unique", default=False)
    default: str | None = attribute("Default value as a SQL expression", default=None)
    generated: str = attribute("SQL expression the value is computed from", default="")
    stored: bool = attribute("Whether a generated value is stored rather than computed", default=False)
    collation: str = attribute("Collation", default="")
    check: str = attribute("SQL expression that must not be false", default="")
    references: str = attribute("Foreign key target: `table(column)`", default="")
    on_delete: str = attribute(
        "Action on delete of the target", default="no action", validators=[one_of(*ACTIONS)]
    )
    on_update: str = attribute(
        "Action on update of the target", default="no action", validators=[one_of(*ACTIONS)]
    )
    deferrable: bool = attribute("Whether the foreign key's check can wait for the commit", default=False)
    initially_deferred: bool = attribute("Whether it waits by default", default=False)
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name: rename instead of drop and add", default="", hint=True)

    @staticmethod
    def prepare(config: Mapping[str, Any], path: str, problems: list[Problem]) -> Mapping[str, Any]:
        """Accept `nullable` as the opposite of `not_null`, and a plain `true`/number as default."""
        if "nullable" in config:
            config = dict(config)
            nullable = config.pop("nullable")
            if nullable in ("true", "false"):
                nullable = nullable == "true"
            if nullable is not None and not isinstance(nullable, bool):
                problems.append(
                    Problem("nullable must be true or false", code="wrong_type", path=f"{path}nullable")
                )
            elif (
                nullable is not None and config.get("not_null") is not None and config["not_null"] == nullable
            ):
                problems.append(
                    Problem(
                        "nullable and not_null contradict",
                        code="conflicting_attributes",
                        path=f"{path}nullable",
                    )
                )
            elif nullable is not None:
                config.setdefault("not_null", not nullable)
        return config

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.generated and self.default is not None:
            yield Problem(
                f"column {self.name} is generated and cannot have a default",
                code="conflicting_attributes",
                path="default",
            )
        if self.references:
            yield from _verify_reference(self.references, 1)

    def constraints(self) -> Iterator[PrimaryKey | Unique | Check | ForeignKey]:
        """Yield what is written at this column as the table constraints it means."""
        part = (KeyPart(column=self.name),)
        if self.primary_key:
            yield PrimaryKey(columns=part)
        if self.unique:
            yield Unique(columns=part)
        if self.check:
            yield Check(expression=self.check)
        if self.references:
            yield ForeignKey(
                columns=(self.name,),
                references=self.references,
                on_delete=self.on_delete,
                on_update=self.on_update,
                deferrable=self.deferrable,
                initially_deferred=self.initially_deferred,
            )


Constraint = PrimaryKey | Unique | Check | ForeignKey


@dataclass(frozen=True)
class Table:
    """A table. `columns` is in the order of the database."""

    name: str = attribute("Table name", validators=[NOT_EMPTY])
    schema: str = attribute("Schema the table is in; empty for the default one", default="")
    columns: tuple[Column, ...] = attribute("Columns, in order", default=())
    primary_key: PrimaryKey | None = attribute("Primary key: a list of columns, or a block", default=None)
    uniques: tuple[Unique, ...] = attribute("Unique constraints", default=())
    checks: tuple[Check, ...] = attribute("Check constraints", default=())
    foreign_keys: tuple[ForeignKey, ...] = attribute("Foreign keys", default=())
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name: rename instead of drop and create", default="", hint=True)

    def constraints(self) -> tuple[Constraint, ...]:
        """Return every constraint, those written at columns first, in the order written."""
        found: list[Constraint] = [each for column in self.columns for each in column.constraints()]
        if self.primary_key is not None:
            found.append(self.primary_key)
        return (*found, *self.uniques, *self.checks, *self.foreign_keys)

    def column(self, name: str) -> Column | None:
        """Return the column of exactly that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def verify(self) -> Iterator[Problem]:
        """Yield faults across columns: repeated names, several primary keys, unknown key columns."""
        seen: set[str] = set()
        for column in self.columns:
            if column.name in seen:
                yield Problem(
                    f"column {column.name} is declared twice", code="duplicate", path=f"columns.{column.name}"
                )
            seen.add(column.name)
        keys = [each for each in self.constraints() if isinstance(each, PrimaryKey)]
        if len(keys) > 1:
            yield Problem(
                "more than one primary key",
                code="conflicting_attributes",
                path="primary_key",
                hint='For a key of several columns write primary_key = ["a", "b"] on the table.',
            )


@dataclass(frozen=True)
class Index:
    """An index of its own, not one that a constraint brings."""

    name: str = attribute("Index name", validators=[NOT_EMPTY])
    schema: str = attribute("Schema of the table; empty for the default one", default="")
    table: str = attribute("Table the index is on", validators=[NOT_EMPTY])
    columns: tuple[KeyPart, ...] = attribute("Columns or expressions, in order", validators=[NOT_EMPTY])
    unique: bool = attribute("Whether keys are unique", default=False)
    where: str = attribute("Predicate of a partial index", default="")
    renamed_from: str = attribute("Former name", default="", hint=True)


@dataclass(frozen=True)
class View:
    """A view."""

    name: str = attribute("View name", validators=[NOT_EMPTY])
    schema: str = attribute("Schema the view is in; empty for the default one", default="")
    columns: tuple[str, ...] = attribute("Column names, where the view names them itself", default=())
    definition: str = attribute("The SELECT statement", validators=[NOT_EMPTY])
    renamed_from: str = attribute("Former name", default="", hint=True)


@dataclass(frozen=True)
class Trigger:
    """A trigger."""

    name: str = attribute("Trigger name", validators=[NOT_EMPTY])
    schema: str = attribute("Schema of the table; empty for the default one", default="")
    table: str = attribute("Table or view it is on", validators=[NOT_EMPTY])
    timing: str = attribute(
        "When it fires", validators=[one_of("before", "after", "instead of")], default="before"
    )
    events: tuple[str, ...] = attribute(
        "Events: insert, delete, update, or `update of a, b`", validators=[NOT_EMPTY]
    )
    for_each_row: bool = attribute("Whether it fires for every row", default=False)
    when: str = attribute("Condition", default="")
    body: str = attribute("What it runs", validators=[NOT_EMPTY])
    renamed_from: str = attribute("Former name", default="", hint=True)


@dataclass(frozen=True)
class Schema:
    """A schema: a namespace of tables."""

    name: str = attribute("Schema name", validators=[NOT_EMPTY])
    renamed_from: str = attribute("Former name", default="", hint=True)
