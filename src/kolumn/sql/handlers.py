"""Handlers of what all SQL databases have: tables, indexes, views, triggers, schemas.

Each takes its provider's model class and dialect, so a provider registers `TableHandler(MyTable, dialect)`
and subclasses only what it knows better. Every text of the configuration passes the dialect's check
of its grammar, with the path of its attribute, before a model is made: nothing but exactly one type,
one expression or one statement ever reaches a compiler.
"""

from __future__ import annotations

import builtins
import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import declared_fields, replaced
from kolumn.engine.handler import DeclaredHandler
from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.resource import Model, Ref
from kolumn.engine.rewriting import with_kept
from kolumn.sql import risks
from kolumn.sql.dialect import Dialect, Relation
from kolumn.sql.differ import diff_table, drop_constraint, foreign_key_needs, key_ref
from kolumn.sql.model import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    InlineTrigger,
    PrimaryKey,
    Schema,
    Table,
    Unique,
    View,
    parse_event,
)
from kolumn.sql.normal import Grammar, Normalizer
from kolumn.sql.operations import AddConstraint, AlterObject, RenameColumn
from kolumn.sql.reference import parse_reference
from kolumn.sql.renaming import with_column_renamed, with_table_renamed

S = TypeVar("S", bound=Model)
_ALWAYS_CONSTANT = frozenset({"null", "true", "false"})


class SQLHandler(DeclaredHandler[S], Generic[S]):
    """A handler whose texts are in one SQL dialect."""

    IN_PLACE: ClassVar[frozenset[str]] = frozenset()
    """Attributes the database can change without making the object anew."""
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {}
    """Grammars of attributes that only this provider has, by name."""

    def __init__(self, model: builtins.type[S], dialect: Dialect, description: str = "") -> None:
        self.model = model
        self.dialect = dialect
        self.normalizer = Normalizer(dialect, self.GRAMMARS)
        self.description = description or self.description
        self.renames = self.type in dialect.renames
        self._checks: Mapping[str, Callable[[str], str | None]] = {
            "identifier": dialect.check_identifier,
            "column": dialect.check_identifier,
            "schema": dialect.check_identifier,
            "type": dialect.check_type,
            "expression": dialect.check_expression,
            "default": dialect.check_expression,
            "query": dialect.check_query,
            "body": dialect.check_body,
            "reference": self._check_reference,
            "event": self._check_event,
            **{name: each.check for name, each in self.GRAMMARS.items()},
        }
        # The same names, types and defaults stand in every table and index.
        self._checked = functools.lru_cache(maxsize=16384)(self._check)

    def fold(self, name: str) -> str:
        """Return `name` as the dialect compares it."""
        return self.dialect.fold(name)

    def ref(self, model: S) -> Ref:
        """Return type, schema and name, and the table where names are unique per table only."""
        schema = getattr(model, "schema", "")
        parent = getattr(model, "table", "") if self.type in self.dialect.named_in_table else ""
        return Ref(
            self.type,
            self.fold(model.name),
            self.dialect.normal_schema(schema) if schema else "",
            self.fold(parent) if parent else "",
        )

    def check(self, grammar: str, text: str) -> Problem | None:
        """Return what is wrong with a text, None if it is exactly one of its grammar."""
        return self._checked(grammar, text)

    def _check(self, grammar: str, text: str) -> Problem | None:
        check = self._checks.get(grammar)
        if check is None:
            return None
        fault = "it has a NUL character" if "\0" in text else check(text)
        if fault is not None:
            return Problem(
                f"{text!r} is not one {_WORDS.get(grammar, grammar)}: {fault}", code=f"invalid_{grammar}"
            )
        if grammar == "default" and self._is_bare_word(text):
            quoted = text.strip().replace("'", "''")
            return Problem(
                f"default {text.strip()} is neither a number nor a constant {self.dialect.name} knows",
                code="bare_word",
                hint=f"For a text, quote it inside the string: default = \"'{quoted}'\".",
            )
        return None

    def normal(self, model: S) -> S:
        """Return the normal form: names folded, types and texts as the dialect normalises them."""
        return self.normalizer.model(model, self.dialect.normal_schema(getattr(model, "schema", "")))

    def uses(self, model: S) -> frozenset[Ref]:
        """Return the schema the object is in, if it is not the default one."""
        schema = getattr(model, "schema", "")
        name = self.dialect.normal_schema(schema) if schema else ""
        return frozenset({Ref("schema", name)}) if name else frozenset()

    def diff(self, live: S | None, wanted: S | None) -> list[Operation]:
        """Return the operations; what configuration leaves alone stays as it is."""
        if live is not None and wanted is not None:
            wanted = with_kept(wanted, live)
        return super().diff(live, wanted)

    def replace(self, live: S, wanted: S) -> list[Operation]:
        """Return a change in place where all that differs can change in place, else a drop and a creation."""
        before, after = self.normal(live), self.normal(wanted)
        fields = tuple(
            each.name
            for each in declared_fields(self.model)
            if not each.about.hint and getattr(before, each.name) != getattr(after, each.name)
        )
        if not self.changes_in_place(before, after, fields):
            return super().replace(live, wanted)
        return [
            AlterObject(
                subject=self.ref(wanted),
                before=live,
                after=wanted,
                fields=fields,
                requires=self.uses(wanted) - self.uses(live),
                releases=self.uses(live) - self.uses(wanted),
                guesses=self.guesses(live) | self.guesses(wanted),
            )
        ]

    def changes_in_place(self, before: S, after: S, fields: tuple[str, ...]) -> bool:
        """Whether the database can change all of `fields` of the object in place; models in normal form."""
        return self.IN_PLACE.issuperset(fields)

    def follow(self, model: S, operation: Operation) -> S:
        """Return the model with its references to a renamed table or column as the database has them then."""
        if isinstance(operation, Rename) and isinstance(operation.before, Table):
            return with_table_renamed(model, operation.before, operation.after.name, self.normalizer)
        if isinstance(operation, RenameColumn):
            return with_column_renamed(model, operation.before, operation.old, operation.new, self.normalizer)
        return model

    def relation_refs(self, relation: Relation, schema: str) -> Iterator[Ref]:
        """Yield what `relation`, named in an object of `schema`, may be; only existing objects count."""
        own = self.dialect.normal_schema(schema) if schema else ""
        places = {self.dialect.normal_schema(relation.schema)} if relation.schema else {"", own}
        for where in sorted(places):
            for kind in self.dialect.relation_types:
                yield Ref(kind, relation.name, where)

    def _is_bare_word(self, text: str) -> bool:
        word = text.strip()
        known = word.lower() in _ALWAYS_CONSTANT or re.fullmatch(r"[^\W\d]\w*", word) is None
        return not known and not self.dialect.is_constant(word)

    def _check_reference(self, text: str) -> str | None:
        found = parse_reference(text)
        if found is None:
            return "write `table(column)`, `table.column` or `table`"
        schema = (found.schema,) if found.schema else ()
        return self._check_names((found.table, *found.columns, *schema))

    def _check_event(self, text: str) -> str | None:
        found = parse_event(text)
        if found is None:
            return "write insert, delete, update, or `update of <column>, ...`"
        return self._check_names(found[1])

    def _check_names(self, names: Iterable[str]) -> str | None:
        faults = (self.dialect.check_identifier(name) for name in names)
        return next((fault for fault in faults if fault is not None), None)


_WORDS = {
    "identifier": "name",
    "column": "column name",
    "schema": "schema name",
    "expression": "SQL expression",
    "default": "SQL expression",
    "body": "body",
    "event": "trigger event",
}


class TableHandler(SQLHandler[Table]):
    """Tables, changed in place column by column and constraint by constraint (see `sql.differ`)."""

    type = "table"
    description = "A table with its columns and constraints"

    def parse(self, config: Mapping[str, Any], name: str) -> Table:
        """Return the table. Raises ValidationError with every fault."""
        table = super().parse(config, name)
        problems = list(self._verify(table))
        if problems:
            raise ValidationError.of(problems)
        return table

    def normal(self, model: Table) -> Table:
        """Return the normal form: constraints at the table and sorted, columns sorted by name."""
        return self.normalizer.table(model)

    def uses(self, model: Table) -> frozenset[Ref]:
        """Return the schema and the tables foreign keys refer to, but for the table itself.

        Operations need less: a foreign key made apart, or inline before its target, does not keep the
        table waiting.
        """
        keys = [each for each in model.constraints() if isinstance(each, ForeignKey)]
        if not keys:
            return self.needs(model)
        refs = frozenset([self._target(model, key) for key in keys])
        return (self.needs(model) | refs) - {self.ref(model)}

    def needs(self, model: Table) -> frozenset[Ref]:
        """Return what a table uses apart from what its foreign keys refer to: its schema."""
        return super().uses(model)

    def receiving(self, before: Table, live: Table | None, lost: tuple[str, ...]) -> Table:
        """Return the table with its lost columns, which for now may be empty and break no constraint."""
        if live is not None:
            there = {self.fold(column.name) for column in live.columns}
            lost = tuple(name for name in lost if self.fold(name) not in there)
        table = before if live is None else live
        columns = {column.name: column for column in table.columns}
        previous = ""
        for column in before.columns:
            if column.name in lost:
                columns[column.name] = replaced(column.without_constraints(), {"not_null": False})
                columns = _placed_behind(columns, column.name, previous)
            previous = column.name
        table = replaced(table, {"columns": tuple(columns.values())})
        for constraint in table.constraints() if live is None and lost else ():
            if self._may_break(constraint, lost):
                table = table.without_constraint(constraint)
        return table

    def _may_break(self, constraint: Constraint, lost: tuple[str, ...]) -> bool:
        """Whether a constraint may not hold while the values of these columns are away."""
        folded = {self.fold(name) for name in lost}
        match constraint:
            case PrimaryKey() | Unique():
                return any(each.expression or self.fold(each.column) in folded for each in constraint.columns)
            case ForeignKey():
                return not folded.isdisjoint(map(self.fold, constraint.columns))
        return True

    def diff(self, live: Table | None, wanted: Table | None) -> list[Operation]:
        """Return the operations; foreign keys to other tables come last and go first."""
        if live is None:
            return [] if wanted is None else self._create(wanted)
        if wanted is None:
            return self._drop(live)
        before, after = self.ref(live), self.ref(wanted)
        operations: list[Operation] = []
        if before != after:
            if not self.renames or before._replace(name="") != after._replace(name=""):
                return [*self._drop(live), *self._create(wanted)]
            renamed = with_table_renamed(live, live, wanted.name, self.normalizer)
            operations.append(self.renamed(live, renamed))
            live = renamed
        return [*operations, *diff_table(live, wanted, self.normalizer, after)]

    def _create(self, wanted: Table) -> list[Operation]:
        subject, uses = self.ref(wanted), self.needs(wanted)
        keys = self._foreign_keys(wanted)
        now = wanted
        for key in keys:
            now = now.without_constraint(key)
        operations: list[Operation] = [_replaced(self.created(now), uses=uses, requires=uses)]
        for key in keys:
            before, now = now, wanted if key is keys[-1] else now.with_constraint(key)
            needs = foreign_key_needs(wanted, key, self.normalizer)
            operations.append(
                AddConstraint(subject=subject, before=before, after=now, constraint=key, requires=needs)
            )
        return operations

    def _drop(self, live: Table) -> list[Operation]:
        subject, uses = self.ref(live), self.needs(live)
        operations: list[Operation] = []
        now = live
        for key in self._foreign_keys(live):
            dropped = drop_constraint(now, key, self.normalizer, subject)
            operations.append(_replaced(dropped, releases=dropped.releases | {subject}))
            now = dropped.after
        lost = tuple(risks.dropping_table(live))
        return [*operations, _replaced(self.dropped(now), uses=uses, releases=uses, risks=lost)]

    def _foreign_keys(self, table: Table) -> list[ForeignKey]:
        """Return the foreign keys that are made after the table and dropped before it."""
        if self.dialect.inline_foreign_keys:
            return []
        keys = dict.fromkeys(each for each in table.constraints() if isinstance(each, ForeignKey))
        own = self.ref(table)
        return [key for key in keys if own != self._target(table, key)]

    def _target(self, table: Table, key: ForeignKey) -> Ref:
        target = self.normalizer.target(table, key)
        return Ref("table", target.table, target.schema)

    def _verify(self, table: Table) -> Iterator[Problem]:
        """Yield what only shows in the dialect's eyes: columns with one name, keys over unknown columns."""
        fold = self.dialect.fold
        names = {fold(column.name): column.name for column in table.columns}
        if len(names) < len(table.columns) or any(column.renamed_from for column in table.columns):
            yield from self._namesakes(table)
        if not table.columns:
            return
        for constraint in table.constraints():
            used: Iterable[str] = ()
            if isinstance(constraint, (PrimaryKey, Unique)):
                used = [part.column for part in constraint.columns if part.column]
            elif isinstance(constraint, ForeignKey):
                used = constraint.columns
            for column_name in used:
                if fold(column_name) not in names:
                    kinds = table.CONSTRAINTS.items()
                    yield Problem(
                        f"there is no column {column_name} in table {table.name}",
                        code="unknown_column",
                        path=next(field for kind, field in kinds if isinstance(constraint, kind)),
                        hint=f"Its columns are {', '.join(names.values())}.",
                    )

    def _namesakes(self, table: Table) -> Iterator[Problem]:
        """Yield columns of one name, and columns renamed from one."""
        names: dict[str, str] = {}
        formers: dict[str, str] = {}
        for column in table.columns:
            first = names.setdefault(self.fold(column.name), column.name)
            if first != column.name:
                yield Problem(
                    f"columns {first} and {column.name} are one name to {self.dialect.name}",
                    code="duplicate",
                    path=f"columns.{column.name}",
                )
            if not column.renamed_from:
                continue
            first = formers.setdefault(self.fold(column.renamed_from), column.name)
            if first != column.name:
                yield Problem(
                    f"columns {first} and {column.name} are both renamed from {column.renamed_from}",
                    code="duplicate",
                    path=f"columns.{column.name}.renamed_from",
                )


class IndexHandler(SQLHandler[Index]):
    """Indexes; a changed one is dropped and created."""

    type = "index"
    description = "An index on a table"

    def uses(self, model: Index) -> frozenset[Ref]:
        """Return the table the index is on."""
        return super().uses(model) | frozenset(
            self.relation_refs(Relation(self.fold(model.table)), model.schema)
        )

    def diff(self, live: Index | None, wanted: Index | None) -> list[Operation]:
        """Return the operations; a unique index provides the key that foreign keys may need."""
        found = super().diff(live, wanted)
        return [self._with_key(operation) for operation in found]

    def _with_key(self, operation: Operation) -> Operation:
        if not isinstance(operation, Create | Drop) or not operation.model.unique or operation.model.where:
            return operation
        index: Index = operation.model
        if not all(part.column for part in index.columns):
            return operation
        table = self.normalizer.table_ref(index.table, index.schema)
        key = frozenset({key_ref(table, (self.fold(part.column) for part in index.columns))})
        if isinstance(operation, Create):
            return _replaced(operation, provides=operation.provides | key)
        return _replaced(operation, removes=operation.removes | key)


class ViewHandler(SQLHandler[View]):
    """Views; a changed one is dropped and created."""

    type = "view"
    description = "A view: a query with a name"

    def uses(self, model: View) -> frozenset[Ref]:
        """Return what the query may read: names that are no objects do no harm."""
        named = self.dialect.relations(model.definition)
        found = {ref for relation in named for ref in self.relation_refs(relation, model.schema)}
        return (super().uses(model) | found) - {self.ref(model)}


class TriggerHandler(SQLHandler[InlineTrigger]):
    """Triggers with statements of their own; a changed one is dropped and created."""

    type = "trigger"
    description = "A trigger on a table or view"

    def normal(self, model: InlineTrigger) -> InlineTrigger:
        """Return the normal form; the order of events says nothing."""
        return self.normalizer.trigger(super().normal(model))

    def uses(self, model: InlineTrigger) -> frozenset[Ref]:
        """Return the table or view it is on, and what its body may read or write."""
        named = self.dialect.relations(model.body) | {Relation(self.fold(model.table))}
        if model.when:
            named |= self.dialect.relations(model.when)
        found = {ref for relation in named for ref in self.relation_refs(relation, model.schema)}
        return super().uses(model) | found


class SchemaHandler(SQLHandler[Schema]):
    """Schemas."""

    type = "schema"
    description = "A schema: a namespace of tables"

    def ref(self, model: Schema) -> Ref:
        """Return the folded name."""
        return Ref(self.type, self.dialect.normal_schema(model.name) or self.fold(model.name))


C = TypeVar("C", bound=Operation)


def _replaced(operation: C, **changes: Any) -> C:
    return dataclasses.replace(operation, **changes)


def _placed_behind(columns: Mapping[str, Column], name: str, other: str) -> dict[str, Column]:
    """Return the columns with `name` behind `other`, first where there is no such."""
    rest = {each: column for each, column in columns.items() if each != name}
    if other not in rest:
        return {name: columns[name], **rest}
    found: dict[str, Column] = {}
    for each, column in rest.items():
        found[each] = column
        if each == other:
            found[name] = columns[name]
    return found
