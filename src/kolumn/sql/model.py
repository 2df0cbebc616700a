"""The models all SQL databases share. A provider subclasses what it has more of.

Models stay as a person wrote them: a primary key written at its column stays there. What they mean,
whichever way written, is in `Table.constraints()`, and that is what the differ compares.
Expressions, types and bodies are SQL text of the database at hand; every field that holds one says so
with one of these grammars, so that a field a provider adds is checked and normalised like the rest:
`identifier`, `column` (a column of the table at hand), `schema` (a schema's name), `type`, `expression`,
`default` (an expression in which a lone word is suspicious), `query` (one SELECT), `body` (what a trigger
or routine runs), `reference` (see `sql.reference`), `event` (a trigger's) and `keyword` (compared without
regard to case).
"""

from __future__ import annotations

import builtins
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, declared_fields, held, one_of, replaced
from kolumn.sql.reference import parse_names, parse_reference

ACTIONS = ("no action", "restrict", "cascade", "set null", "set default")


@dataclass(frozen=True)
class KeyPart:
    """One column or expression of an index or key."""

    SHORTHAND: ClassVar[str] = "column"

    column: str = attribute("Column name", default="", grammar="column")
    expression: str = attribute("SQL expression instead of a column", default="", grammar="expression")
    order: str = attribute("Sort order", default="asc", validators=[one_of("asc", "desc")], grammar="keyword")
    collation: str = attribute("Collation that differs from the column's", default="", grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault unless exactly one of column and expression is given."""
        if bool(self.column) == bool(self.expression):
            yield Problem("give either column or expression", code="conflicting_attributes", path="column")


@dataclass(frozen=True)
class Constraint:
    """A constraint of a table. A provider with further kinds subclasses it (see `Table.CONSTRAINTS`)."""

    GUARDS: ClassVar[str] = "integrity"
    KIND: ClassVar[str]

    name: str = attribute("Constraint name", default="", grammar="identifier")


@dataclass(frozen=True)
class PrimaryKey(Constraint):
    """A table's primary key."""

    KIND: ClassVar[str] = "primary key"
    SHORTHAND: ClassVar[str] = "columns"

    columns: tuple[KeyPart, ...] = attribute("Columns of the key, in order", validators=[NOT_EMPTY])


@dataclass(frozen=True)
class Unique(Constraint):
    """A unique constraint."""

    KIND: ClassVar[str] = "unique"
    SHORTHAND: ClassVar[str] = "columns"

    columns: tuple[KeyPart, ...] = attribute("Columns of the constraint, in order", validators=[NOT_EMPTY])


@dataclass(frozen=True)
class Check(Constraint):
    """A check constraint."""

    KIND: ClassVar[str] = "check"
    SHORTHAND: ClassVar[str] = "expression"

    expression: str = attribute(
        "SQL expression that must not be false", validators=[NOT_EMPTY], grammar="expression"
    )


@dataclass(frozen=True)
class ForeignKey(Constraint):
    """A foreign key."""

    KIND: ClassVar[str] = "foreign key"

    columns: tuple[str, ...] = attribute("Columns that refer", validators=[NOT_EMPTY], grammar="column")
    references: str = attribute(
        "What they refer to: `table(column, ...)` or `schema.table(column)`", grammar="reference"
    )
    on_delete: str = attribute(
        "Action on delete", default="no action", validators=[one_of(*ACTIONS)], grammar="keyword"
    )
    on_update: str = attribute(
        "Action on update", default="no action", validators=[one_of(*ACTIONS)], grammar="keyword"
    )
    match: str = attribute("MATCH type, as written", default="", grammar="identifier")
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

    SHORTHAND: ClassVar[str] = "type"
    CONSTRAINTS: ClassVar[Mapping[builtins.type[Any], tuple[str, ...]]] = {
        PrimaryKey: ("primary_key",),
        Unique: ("unique",),
        Check: ("check",),
        ForeignKey: ("references", "on_delete", "on_update", "deferrable", "initially_deferred"),
    }
    """By kind of constraint: the fields that write one at the column. A subclass with more adds them,
    those of a nested model as `field.field`."""

    name: str = attribute("Column name", validators=[NOT_EMPTY], grammar="column")
    type: str = attribute("Data type, as the database spells it", default="", grammar="type")
    not_null: bool = attribute("Whether NULL is refused", default=False, guards="integrity")
    primary_key: bool = attribute("Whether this column is the primary key", default=False, guards="integrity")
    unique: bool = attribute("Whether values are unique", default=False, guards="integrity")
    default: str | None = attribute("Default value as a SQL expression", default=None, grammar="default")
    generated: str = attribute("SQL expression the value is computed from", default="", grammar="expression")
    stored: bool = attribute("Whether a generated value is stored rather than computed", default=False)
    collation: str = attribute("Collation", default="", grammar="identifier")
    check: str = attribute(
        "SQL expression that must not be false", default="", grammar="expression", guards="integrity"
    )
    references: str = attribute(
        "Foreign key target: `table(column)`", default="", grammar="reference", guards="integrity"
    )
    on_delete: str = attribute(
        "Action on delete of the target",
        default="no action",
        validators=[one_of(*ACTIONS)],
        grammar="keyword",
        guards="terms",
    )
    on_update: str = attribute(
        "Action on update of the target",
        default="no action",
        validators=[one_of(*ACTIONS)],
        grammar="keyword",
        guards="terms",
    )
    deferrable: bool = attribute(
        "Whether the foreign key's check can wait for the commit", default=False, guards="terms"
    )
    initially_deferred: bool = attribute("Whether it waits by default", default=False, guards="terms")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute(
        "Former name: rename instead of drop and add", default="", hint=True, grammar="identifier"
    )

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

    def constraints(self) -> Iterator[Constraint]:
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

    @functools.cached_property
    def own_constraints(self) -> tuple[Constraint, ...]:
        """What `constraints` yields."""
        return tuple(self.constraints())

    def without_constraints(self, *kinds: builtins.type[Any]) -> Self:
        """Return the column with no constraint of the given kinds (all without any) written at it."""
        changes: dict[str, Any] = {}
        own = held(self)
        for head, rest, default in _constraint_fields(type(self), *kinds):
            if head in own:
                _set(self, changes, head, rest, default)
        return replaced(self, changes)

    def with_constraints_of(self, other: Column) -> Self:
        """Return the column with the constraints written at `other` in place of its own."""
        changes: dict[str, Any] = {}
        for head, rest, _ in _constraint_fields(type(self)):
            value = getattr(other, head)
            _set(self, changes, head, rest, getattr(value, rest) if rest else value)
        return replaced(self, changes)


_CONSTRAINT_FIELDS: dict[tuple[type[Any], ...], tuple[tuple[str, str, Any], ...]] = {}


def _constraint_fields(*kinds: type[Any]) -> tuple[tuple[str, str, Any], ...]:
    """Return the fields of a class of columns, the first of `kinds`, that write constraints of the others.

    Each with the name of a field inside its model, if it is that, and its default. Without others: all.
    """
    if kinds not in _CONSTRAINT_FIELDS:
        column, wanted = kinds[0], kinds[1:]
        defaults = {each.name: each.default for each in declared_fields(column)}
        paths = [
            path.partition(".")
            for kind, written in column.CONSTRAINTS.items()
            if not wanted or kind in wanted
            for path in written
        ]
        _CONSTRAINT_FIELDS[kinds] = tuple(
            (head, rest, getattr(defaults[head], rest) if rest else defaults[head]) for head, _, rest in paths
        )
    return _CONSTRAINT_FIELDS[kinds]


def _set(column: Column, changes: dict[str, Any], head: str, rest: str, value: Any) -> None:
    """Note in `changes` what gives a column's field, or the field `rest` of the model in it, a value."""
    now = changes.get(head, getattr(column, head)) if rest else getattr(column, head)
    if not rest and now != value:
        changes[head] = value
    elif rest and getattr(now, rest) != value:
        changes[head] = replaced(now, {rest: value})


@dataclass(frozen=True)
class Table:
    """A table. `columns` is in the order of the database."""

    CONSTRAINTS: ClassVar[Mapping[type[Any], str]] = {
        PrimaryKey: "primary_key",
        Unique: "uniques",
        Check: "checks",
        ForeignKey: "foreign_keys",
    }
    """By kind of constraint: the field that holds those of the table. A subclass with more adds them."""

    @staticmethod
    def prepare(config: Mapping[str, Any], path: str, problems: list[Problem]) -> Mapping[str, Any]:
        """Refuse indexes inside a table (spec 7.4): they are resources, with a life of their own."""
        given = [key for key in ("indexes", "index") if key in config]
        problems.extend(
            Problem(
                "an index is a resource of its own, not part of a table",
                code="index_in_table",
                path=f"{path}{key}",
                hint="Write one create block per index, of the provider's index type, with "
                'table = "<this table>", columns = [...] and, if it is, unique = true.',
            )
            for key in given
        )
        return {key: value for key, value in config.items() if key not in given} if given else config

    name: str = attribute("Table name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema the table is in; empty for the default one", default="", grammar="schema")
    columns: tuple[Column, ...] = attribute("Columns, in order", default=())
    primary_key: PrimaryKey | None = attribute("Primary key: a list of columns, or a block", default=None)
    uniques: tuple[Unique, ...] = attribute("Unique constraints", default=())
    checks: tuple[Check, ...] = attribute("Check constraints", default=())
    foreign_keys: tuple[ForeignKey, ...] = attribute("Foreign keys", default=())
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute(
        "Former name: rename instead of drop and create", default="", hint=True, grammar="identifier"
    )

    def constraints(self) -> tuple[Constraint, ...]:
        """Return every constraint, those written at columns first, in the order written."""
        return self._constraints

    @functools.cached_property
    def _constraints(self) -> tuple[Constraint, ...]:
        found: list[Constraint] = [each for column in self.columns for each in column.own_constraints]
        if self.primary_key is not None:
            found.append(self.primary_key)
        for field in self.CONSTRAINTS.values():
            if field != "primary_key":
                found += getattr(self, field)
        return tuple(found)

    def with_constraint(self, constraint: Constraint) -> Self:
        """Return the table with `constraint` added to those of the table."""
        kind = next(kind for kind in self.CONSTRAINTS if isinstance(constraint, kind))
        field = self.CONSTRAINTS[kind]
        held = getattr(self, field)
        return self._with({field: (*held, constraint) if isinstance(held, tuple) else constraint})

    def without_constraint(self, constraint: Constraint) -> Self:
        """Return the table without `constraint`, wherever it is written; all equal ones go."""
        kind = next(kind for kind in self.CONSTRAINTS if isinstance(constraint, kind))
        field = self.CONSTRAINTS[kind]
        held = getattr(self, field)
        kept = tuple(each for each in held if each != constraint) if isinstance(held, tuple) else held
        columns = tuple(
            column.without_constraints(kind) if constraint in column.own_constraints else column
            for column in self.columns
        )
        return self._with({field: None if kept == constraint else kept, "columns": columns})

    def _with(self, changes: Mapping[str, Any]) -> Self:
        return replaced(self, changes)

    def column(self, name: str) -> Column | None:
        """Return the column of exactly that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def verify(self) -> Iterator[Problem]:
        """Yield faults across columns: repeated names, several primary keys, unknown key columns."""
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            seen: set[str] = set()
            for name in names:
                if name in seen:
                    yield Problem(
                        f"column {name} is declared twice", code="duplicate", path=f"columns.{name}"
                    )
                seen.add(name)
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

    name: str = attribute("Index name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema of the table; empty for the default one", default="", grammar="schema")
    table: str = attribute("Table the index is on", validators=[NOT_EMPTY], grammar="identifier")
    columns: tuple[KeyPart, ...] = attribute("Columns or expressions, in order", validators=[NOT_EMPTY])
    unique: bool = attribute("Whether keys are unique", default=False, guards="integrity")
    where: str = attribute("Predicate of a partial index", default="", grammar="expression")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


@dataclass(frozen=True)
class View:
    """A view."""

    name: str = attribute("View name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema the view is in; empty for the default one", default="", grammar="schema")
    columns: tuple[str, ...] = attribute(
        "Column names, where the view names them itself", default=(), grammar="identifier"
    )
    definition: str = attribute("The SELECT statement", validators=[NOT_EMPTY], grammar="query")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


@dataclass(frozen=True)
class Trigger:
    """When a trigger fires. What it then does is said by the subclasses."""

    name: str = attribute("Trigger name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema of the table; empty for the default one", default="", grammar="schema")
    table: str = attribute("Table or view it is on", validators=[NOT_EMPTY], grammar="identifier")
    timing: str = attribute(
        "When it fires",
        validators=[one_of("before", "after", "instead of")],
        grammar="keyword",
        default="before",
    )
    events: tuple[str, ...] = attribute(
        "Events: insert, delete, update, or `update of a, b`", validators=[NOT_EMPTY], grammar="event"
    )
    for_each_row: bool = attribute("Whether it fires for every row", default=False)
    when: str = attribute("Condition", default="", grammar="expression")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


@dataclass(frozen=True)
class InlineTrigger(Trigger):
    """A trigger that holds its own statements, as most databases have it."""

    body: str = attribute("What it runs", validators=[NOT_EMPTY], grammar="body")


_EVENT = re.compile(r"\s*(insert|delete|update|truncate)(?:\s+of\s+(.+?))?\s*", re.IGNORECASE | re.DOTALL)


def parse_event(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Read a trigger's event, `update of a, "b c"`, as its kind in lower case and its columns.

    None if it is no event; only an update can name columns.
    """
    match = _EVENT.fullmatch(text)
    if match is None:
        return None
    kind, columns = match[1].lower(), match[2]
    if columns is None:
        return kind, ()
    names = parse_names(columns)
    return (kind, names) if names and kind == "update" else None


@dataclass(frozen=True)
class Schema:
    """A schema: a namespace of tables."""

    name: str = attribute("Schema name", validators=[NOT_EMPTY], grammar="schema")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")
