"""The resource type table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, cast

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import Create, Drop, Operation, Risk, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.sharing import OncePerObject
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler, role_refs
from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.tables import (
    alter,
    catalogue,
    difference,
    disturbance,
    locks,
    marks,
    order,
    rehearsal,
    render,
)
from kolumn.providers.postgres.tables.bounds import BOUNDS
from kolumn.providers.postgres.tables.building import build
from kolumn.providers.postgres.tables.comparison import TableNormalizer
from kolumn.providers.postgres.tables.forms import canonical, concise
from kolumn.providers.postgres.tables.inheritance import parents, with_inherited
from kolumn.providers.postgres.tables.model import (
    Exclusion,
    PostgresColumn,
    PostgresKeyPart,
    PostgresTable,
)
from kolumn.providers.postgres.tables.parts import part_of, with_part, without_part
from kolumn.providers.postgres.tables.reading import table_entries
from kolumn.providers.postgres.tables.references import with_target_columns
from kolumn.providers.postgres.tables.rows import TableRow
from kolumn.sql.handlers import TableHandler
from kolumn.sql.model import Check, Constraint, Table
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterConstraint,
    AlterTable,
    DropColumn,
    DropConstraint,
)
from kolumn.sql.renaming import with_table_renamed

GRAMMARS: Mapping[str, Grammar] = {
    "relation": names.NAME,
    "qualified": names.NAME,
    "operator": names.OPERATOR,
    "bounds": BOUNDS,
}
"""The grammars that tables and indexes add."""


class PostgresTableHandler(PostgresHandler[Any], TableHandler):
    """Tables with their columns and constraints."""

    type = "table"
    description = "A table with its columns and constraints"
    MODEL = PostgresTable
    KEYWORD: ClassVar[str] = "TABLE"
    NAMESPACE: ClassVar[str] = "relation"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = GRAMMARS

    def __init__(self, dialect: PostgresDialect) -> None:
        super().__init__(dialect)
        self._column_uses: dict[str, OncePerObject[PostgresColumn, frozenset[Ref]]] = {}
        self.normalizer: TableNormalizer = TableNormalizer(dialect, GRAMMARS)

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of tables, columns, constraints, and of all indexes."""
        return {**catalogue.queries(server), "indexes": catalogue.indexes(server)}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the tables."""
        return table_entries(reading)

    def build(self, entry: Entry) -> PostgresTable:
        """Return the table, in canonical form."""
        row = entry.row
        assert isinstance(row, TableRow)
        return build(row)

    def config(self, model: Any) -> dict[str, Any]:
        """Return the configuration, as short as it can be."""
        return super().config(concise(canonical(model)))

    # What it needs

    def completed(self, model: Any, other: Callable[[Ref], Any]) -> Any:
        """Return a wanted table with its parent's columns, and with the columns its foreign keys refer to.

        Raises ValidationError for a parent that is not there.
        """
        missing = [ref for ref in parents(model) if not isinstance(other(ref), PostgresTable)]
        if missing:
            attribute = "partition_of" if model.partition_of else "inherits"
            raise ValidationError.of(
                [
                    Problem(
                        f"there is no table {ref.identity}",
                        code="unknown_table",
                        path=attribute,
                        hint="Declare it, or correct its name; the schema is the table's own unless given.",
                    )
                    for ref in missing
                ]
            )
        return with_inherited(with_target_columns(model, other, self.normalizer), other)

    def needs(self, model: Table) -> frozenset[Ref]:
        """Return what the table uses apart from what its foreign keys refer to."""
        table = _table(model)
        found = super().needs(model) | role_refs(table.owner) | frozenset(parents(table))
        return (found | self._text_uses(table)) - {self.ref(model)}

    def guesses(self, model: Table) -> frozenset[Ref]:
        """Return what of that was read out of texts."""
        return self._text_uses(_table(model)) - {self.ref(model)}

    def _text_uses(self, table: PostgresTable) -> frozenset[Ref]:
        found: set[Ref] = set()
        for column in table.columns:
            found |= self.column_uses(table, column)
        for constraint in table.constraints():
            found |= self.constraint_uses(table, constraint)
        if table.partition_by is not None:
            for part in table.partition_by.columns:
                found |= self.part_uses(part)
        if table.of_type:
            found |= self.type_uses(table.of_type, table.schema)
        return frozenset(found)

    def column_uses(self, table: PostgresTable, column: PostgresColumn) -> frozenset[Ref]:
        """Return the types, routines, sequences and collations a column may need; only existing ones do."""
        if table.schema not in self._column_uses:
            self._column_uses[table.schema] = OncePerObject(partial(self._uses_of_column, table.schema))
        return self._column_uses[table.schema](column)

    def _uses_of_column(self, schema: str, column: PostgresColumn) -> frozenset[Ref]:
        found = self.type_uses(column.type, schema) if column.type else frozenset()
        for text in (column.default, column.generated):
            if text:
                found |= self.named_in(text)
        return found | collation_refs(column.collation)

    def constraint_uses(self, table: PostgresTable, constraint: Constraint) -> frozenset[Ref]:
        """Return the routines, types and sequences a constraint may need, without a foreign key's target."""
        if isinstance(constraint, Check):
            return self.named_in(constraint.expression)
        if isinstance(constraint, Exclusion):
            found = self.named_in(constraint.where) if constraint.where else frozenset()
            return found.union(*(self.part_uses(part) for part in constraint.columns))
        return frozenset()

    def part_uses(self, part: PostgresKeyPart) -> frozenset[Ref]:
        """Return what a column or expression of an index may need."""
        found = self.named_in(part.expression) if part.expression else frozenset()
        return found | collation_refs(part.collation)

    # Comparing

    def diff(self, live: Table | None, wanted: Table | None) -> list[Operation]:
        """Return the operations; foreign keys to other tables come last and go first."""
        before = canonical(_table(live)) if live is not None else None
        after = canonical(_table(wanted)) if wanted is not None else None
        if before is None or after is None:
            return super().diff(before, after)
        after = difference.comparable(before, after)
        old, new = self.ref(before), self.ref(after)
        if old.schema != new.schema or difference.needs_replacing(before, after, self.normalizer):
            return [*self._drop(before), *self._create(after)]
        operations: list[Operation] = []
        if old != new:
            renamed = with_table_renamed(before, before, after.name, self.normalizer)
            operations.append(self.renamed(before, renamed))
            before = renamed
        found = difference.changes(before, after, self.normalizer, new)
        return [*operations, *map(self._with_needs, found)]

    def _with_needs(self, operation: AlterTable) -> Operation:
        """Return the operation with what the columns and constraints it is about need."""
        table = _table(operation.after)
        gone: frozenset[Ref] = frozenset()
        come: frozenset[Ref] = frozenset()
        match operation:
            case AddColumn(column=PostgresColumn() as column):
                come = self.column_uses(table, column)
            case DropColumn(column=PostgresColumn() as column):
                gone = self.column_uses(table, column)
            case AlterColumn(old=PostgresColumn() as old, new=PostgresColumn() as new):
                gone, come = self.column_uses(table, old), self.column_uses(table, new)
            case AddConstraint(constraint=constraint):
                come = self.constraint_uses(table, constraint)
            case DropConstraint(constraint=constraint):
                gone = self.constraint_uses(table, constraint)
        if isinstance(operation, AddConstraint | DropConstraint):
            added = operation.constraint if isinstance(operation, AddConstraint) else None
            dropped = operation.constraint if isinstance(operation, DropConstraint) else None
            operation = marks.marked(operation, operation.subject, dropped, added)
        elif isinstance(operation, AlterConstraint):
            operation = marks.marked(operation, operation.subject, operation.old, operation.new)
        elif "replica_identity" in operation.fields:
            operation = marks.says_identity(operation, operation.subject)
        own = {operation.subject}
        return dataclasses.replace(
            operation,
            requires=operation.requires | (come - gone - own),
            releases=operation.releases | (gone - come - own),
            guesses=operation.guesses | ((gone ^ come) - own),
        )

    def created(self, model: Table) -> Create:
        """Return the creation; new partitions come after others of the same table went."""
        operation = super().created(model)
        parent = self._partitioned(_table(model))
        return dataclasses.replace(operation, provides=operation.provides | parent) if parent else operation

    def dropped(self, model: Table) -> Drop:
        """Return the drop, with the rows that are lost."""
        operation = super().dropped(model)
        parent = self._partitioned(_table(model))
        lost = (Risk("data_loss", f"drops table {model.name} with all its rows"),)
        gone = operation.subject.moment("gone")  # indexes that go with it come after it
        return dataclasses.replace(
            operation, removes=operation.removes | parent, provides=operation.provides | {gone}, risks=lost
        )

    def _partitioned(self, table: PostgresTable) -> frozenset[Ref]:
        return frozenset(map(difference.partitions_of, parents(table))) if table.partition_of else frozenset()

    def disturbs(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what must be dropped before the operation and comes back after it."""
        for ref in super().disturbs(operation, live, replaced=replaced):
            if ref.type != "sequence":  # those that stay are saved: see SequenceHandler.consolidated
                yield ref
        yield from disturbance.of(operation, live, replaced=replaced)

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations with parents changed before their children."""
        return order.parents_first(operations)

    def part(self, model: Any, part: Ref) -> object | None:
        """Return the constraint, the default or the generated column that `part` means."""
        return part_of(model, part)

    def without(self, model: Any, part: Ref) -> Any:
        """Return the table without one of its parts."""
        return without_part(model, part)

    def with_part(self, model: Any, part: Ref, source: Any) -> Any:
        """Return the table with one of its parts as `source` has it."""
        return with_part(model, part, source)

    # The server's own wording

    def rehearsed(self, wanted: Any, scratch: str) -> Any:
        """Return the table as it is made in schema `scratch`."""
        return rehearsal.rehearsed(wanted, scratch)

    def rehearsal(self, rehearsed: Any, live: Any, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that make a rehearsed table."""
        return rehearsal.rehearsal(rehearsed, live, server)

    def worded(self, wanted: Any, rehearsed: Any, found: Any, known: frozenset[str]) -> Any:
        """Return the wanted table with the server's wording as far as the live one has it."""
        return rehearsal.reworded(wanted, found, known)

    # Writing

    def definition_sql(self, model: Any, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE TABLE and what can only be said after it."""
        yield from render.create_table(canonical(model), server)

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        if isinstance(operation, AlterTable):
            yield from alter.alter(operation, live, server)
        else:
            yield from super().statements(operation, live, server)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the strongest lock the operation takes."""
        return locks.of(operation)


def collation_refs(name: str) -> frozenset[Ref]:
    """Return what a collation's name may mean among the resources; empty for no name."""
    if not name:
        return frozenset()
    found = names.object_name(name)
    return frozenset({Ref("collation", found.name, found.schema)})


def _table(model: object) -> PostgresTable:
    return cast("PostgresTable", model)
