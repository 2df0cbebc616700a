"""Foreign keys as resources of their own, apart from their table: for tables that somebody else declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.engine.declaration import NOT_EMPTY, attribute, declared_fields
from kolumn.engine.operations import Create, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.tables import alter, locks, render
from kolumn.providers.postgres.tables.building import foreign_key
from kolumn.providers.postgres.tables.comparison import TableNormalizer
from kolumn.providers.postgres.tables.model import PostgresForeignKey, PostgresTable
from kolumn.providers.postgres.tables.reading import FOREIGN_KEYS
from kolumn.providers.postgres.tables.references import with_target_columns
from kolumn.providers.postgres.tables.rows import ConstraintRow
from kolumn.sql import risks
from kolumn.sql.differ import foreign_key_needs
from kolumn.sql.operations import AlterConstraint, AlterObject


@dataclass(frozen=True)
class SeparateForeignKey(PostgresForeignKey):
    """A foreign key declared apart from its table."""

    name: str = attribute("Constraint name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema of the table; empty for public", default="", grammar="schema")
    table: str = attribute("Table whose columns refer", validators=[NOT_EMPTY], grammar="identifier")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    @property
    def constraint(self) -> PostgresForeignKey:
        """The foreign key as its table has it."""
        fields = {each.name: getattr(self, each.name) for each in declared_fields(PostgresForeignKey)}
        return PostgresForeignKey(**fields)

    @property
    def owner_table(self) -> PostgresTable:
        """As much of the table as there is to know."""
        return PostgresTable(name=self.table, schema=self.schema, foreign_keys=(self.constraint,))


class ForeignKeyHandler(PostgresHandler[SeparateForeignKey]):
    """Foreign keys. Imported ones stand in their tables; declared apart, the table's own configuration is without."""

    type = "foreign_key"
    description = "A foreign key declared apart from its table"
    MODEL = SeparateForeignKey
    KEYWORD: ClassVar[str] = "CONSTRAINT"
    parts = True

    def __init__(self, dialect: PostgresDialect) -> None:
        super().__init__(dialect)
        self.normalizer: TableNormalizer = TableNormalizer(dialect)

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return nothing: the queries of tables bring all constraints."""
        return {}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the foreign keys of all tables; they count only where they are declared apart."""
        for table, oid, row in reading.notes[FOREIGN_KEYS]:
            ref = Ref(self.type, row.name, table.schema, table.name)
            identity = ("foreign key", oid)
            yield Entry(ref, identity, (table.name, table.schema, row), owner=table, aside=True)

    def build(self, entry: Entry) -> SeparateForeignKey:
        """Return the foreign key."""
        table, schema, row = entry.row
        assert isinstance(row, ConstraintRow)
        found = foreign_key(row, schema)
        fields = {each.name: getattr(found, each.name) for each in declared_fields(PostgresForeignKey)}
        return SeparateForeignKey(**fields, table=table, schema=schema)

    # What it is part of and needs

    def part_of(self, model: SeparateForeignKey) -> tuple[Ref, Ref]:
        """Return its table, and the constraint that it is there."""
        table = self._table(model)
        return table, Ref("constraint", model.name, table.schema, table.name)

    def _table(self, model: SeparateForeignKey) -> Ref:
        return Ref("table", model.table, self.dialect.normal_schema(model.schema))

    def completed(self, model: SeparateForeignKey, other: Callable[[Ref], Any]) -> SeparateForeignKey:
        """Return the foreign key with the columns it refers to."""
        full = with_target_columns(model.owner_table, other, self.normalizer)
        return dataclasses.replace(model, references=full.foreign_keys[0].references)

    def uses(self, model: SeparateForeignKey) -> frozenset[Ref]:
        """Return both tables, and the columns and the key it refers to."""
        needs = foreign_key_needs(model.owner_table, model.constraint, self.normalizer)
        return super().uses(model) | needs | {self._table(model)}

    # Comparing

    def created(self, model: SeparateForeignKey) -> Create:
        """Return the creation, with the rows it may fail on."""
        found = tuple(risks.adding_constraint(model.owner_table, model.constraint))
        return dataclasses.replace(super().created(model), risks=found)

    def changes_in_place(
        self, before: SeparateForeignKey, after: SeparateForeignKey, fields: tuple[str, ...]
    ) -> bool:
        """Whether ALTER CONSTRAINT and VALIDATE CONSTRAINT can make all of the change."""
        return bool(self.normalizer.alterable(before.constraint, after.constraint)) and not (
            {"table", "schema"} & set(fields)
        )

    # Writing

    def definition_sql(self, model: SeparateForeignKey, server: Server) -> Iterator[str | Statement]:
        """Yield ALTER TABLE ... ADD CONSTRAINT."""
        table = model.owner_table
        yield render.alter_table(table, [f"ADD {render.constraint_sql(table, model.constraint)}"])

    def comment_sql(self, model: SeparateForeignKey) -> str:
        """Return the statement that sets the comment, or takes it away."""
        return render.constraint_comment(model.owner_table, model.constraint)

    def drop_sql(self, model: SeparateForeignKey) -> str:
        """Return ALTER TABLE ... DROP CONSTRAINT."""
        return render.alter_table(model.owner_table, [f"DROP CONSTRAINT {quote(model.name)}"])

    def rename_sql(self, before: SeparateForeignKey, after: SeparateForeignKey) -> str:
        """Return ALTER TABLE ... RENAME CONSTRAINT."""
        words = f"RENAME CONSTRAINT {quote(before.name)} TO {quote(after.name)}"
        return render.alter_table(before.owner_table, [words])

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        if isinstance(operation, AlterObject):
            table = operation.after.owner_table
            change = AlterConstraint(
                subject=self._table(operation.after),
                before=table,
                after=table,
                old=operation.before.constraint,
                new=operation.after.constraint,
                fields=operation.fields,
            )
            yield from alter.alter(change, server)
        else:
            yield from super().statements(operation, live, server)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on both tables."""
        return locks.of_foreign_key(operation)
