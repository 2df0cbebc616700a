"""Foreign keys declared apart from their table.

A foreign key is part of its table, and an import describes it there. Declared as a resource it has a life of
its own: the table's plan then leaves it alone (`Handler.apart`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.dialect import PostgresDialect
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.server import Server
from kolumn.providers.postgres.tables import alter
from kolumn.providers.postgres.tables.building import foreign_key
from kolumn.providers.postgres.tables.comparison import TableNormalizer
from kolumn.providers.postgres.tables.handler import GRAMMARS
from kolumn.providers.postgres.tables.model import PostgresForeignKey, PostgresTable
from kolumn.providers.postgres.tables.references import with_target_columns
from kolumn.providers.postgres.tables.rows import ConstraintRow
from kolumn.providers.postgres.tokens import qualified, quote
from kolumn.sql.differ import column_ref, foreign_key_needs
from kolumn.sql.operations import AddConstraint, AlterConstraint


_ELSEWHERE = Snapshot({}, lambda _: None)
"""What a change of a foreign key must know of other objects: nothing."""


@dataclass(frozen=True)
class TableForeignKey(PostgresForeignKey):
    """A foreign key with the table it belongs to."""

    table: str = attribute("Table it belongs to", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema of the table; empty for public", default="", grammar="schema")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


class ForeignKeyHandler(PostgresHandler[TableForeignKey]):
    """Foreign keys as resources."""

    type = "foreign_key"
    description = "A foreign key declared apart from its table"
    MODEL = TableForeignKey
    KEYWORD: ClassVar[str] = "CONSTRAINT"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"comment", "deferrable", "initially_deferred", "not_valid", "not_enforced"}
    )
    is_part = True

    def __init__(self, dialect: PostgresDialect) -> None:
        super().__init__(dialect)
        self.normalizer = TableNormalizer(dialect, GRAMMARS)

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return nothing: the tables' queries tell of foreign keys."""
        return {}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the foreign keys of the tables that were read; they count only where they are named."""
        number = 0
        for table in reading.tables:
            for row in table.row.constraints:
                if row.kind == "f":
                    number += 1
                    ref = Ref(self.type, row.name, table.ref.schema, table.ref.name)
                    named = (row, table.ref.name, table.ref.schema)
                    yield Entry(ref, (self.type, number), named, owner=table.ref, aside=True)

    def build(self, entry: Entry) -> TableForeignKey:
        """Return the foreign key."""
        row, table, schema = entry.row
        assert isinstance(row, ConstraintRow)
        return _with_table(foreign_key(row, schema), table, schema)

    # What it needs

    def completed(self, model: TableForeignKey, other: Callable[[Ref], Any]) -> TableForeignKey:
        """Return a wanted foreign key with the columns it refers to: the primary key where it names none."""
        table = with_target_columns(_table(model), other, self.normalizer)
        (key,) = table.foreign_keys
        return dataclasses.replace(model, references=key.references)

    def uses(self, model: TableForeignKey) -> frozenset[Ref]:
        """Return its table and columns, and the table, columns and key it refers to."""
        own = Ref("table", model.table, self.dialect.normal_schema(model.schema))
        columns = frozenset(column_ref(own, name) for name in model.columns)
        return frozenset({own}) | columns | foreign_key_needs(_table(model), model, self.normalizer)

    def changes_in_place(
        self, before: TableForeignKey, after: TableForeignKey, fields: tuple[str, ...]
    ) -> bool:
        """Whether ALTER CONSTRAINT, VALIDATE and COMMENT can do it; nothing unchecks what was checked."""
        return super().changes_in_place(before, after, fields) and not (
            after.not_valid and not before.not_valid
        )

    # Writing

    def address(self, model: TableForeignKey) -> str:
        """Return its name on its table."""
        return f"{quote(model.name)} ON {qualified(model.schema, model.table)}"

    def definition_sql(self, model: TableForeignKey, server: Server) -> Iterator[str | Statement]:
        """Yield ALTER TABLE ADD CONSTRAINT; the comment comes apart."""
        key = dataclasses.replace(_plain(model), comment="")
        bare = _bare(model)
        yield from alter.alter(
            AddConstraint(subject=_ref(model), before=bare, after=bare.with_constraint(key), constraint=key),
            _ELSEWHERE,
            server,
        )

    def drop_sql(self, model: TableForeignKey) -> str:
        """Return ALTER TABLE DROP CONSTRAINT."""
        return f"ALTER TABLE {qualified(model.schema, model.table)} DROP CONSTRAINT {quote(model.name)}"

    def rename_sql(self, before: TableForeignKey, after: TableForeignKey) -> str:
        """Return ALTER TABLE RENAME CONSTRAINT."""
        table = qualified(before.schema, before.table)
        return f"ALTER TABLE {table} RENAME CONSTRAINT {quote(before.name)} TO {quote(after.name)}"

    def alteration(
        self, field: str, before: TableForeignKey, after: TableForeignKey, server: Server
    ) -> Iterator[str | Statement]:
        """Yield what changes one attribute; the two of deferring go together."""
        if field == "initially_deferred" and before.deferrable != after.deferrable:
            return
        fields = ("deferrable", "initially_deferred") if field == "deferrable" else (field,)
        bare = _bare(after)
        yield from alter.alter(
            AlterConstraint(
                subject=_ref(after),
                before=bare,
                after=bare,
                old=_plain(before),
                new=_plain(after),
                fields=fields,
            ),
            _ELSEWHERE,
            server,
        )

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on both tables."""
        return "SHARE ROW EXCLUSIVE on both tables (others read)"

    def rehearsed(self, wanted: TableForeignKey, scratch: str) -> None:
        """Return nothing: a foreign key has no text the server words its own way."""


def _ref(model: TableForeignKey) -> Ref:
    return Ref("table", model.table, model.schema)


def _bare(model: TableForeignKey) -> PostgresTable:
    return PostgresTable(name=model.table, schema=model.schema)


def _plain(model: TableForeignKey) -> PostgresForeignKey:
    fields = {each.name: getattr(model, each.name) for each in dataclasses.fields(PostgresForeignKey)}
    return PostgresForeignKey(**fields)


def _table(model: TableForeignKey) -> PostgresTable:
    return PostgresTable(name=model.table, schema=model.schema, foreign_keys=(_plain(model),))


def _with_table(key: PostgresForeignKey, table: str, schema: str) -> TableForeignKey:
    fields = {each.name: getattr(key, each.name) for each in dataclasses.fields(PostgresForeignKey)}
    return TableForeignKey(table=table, schema=schema, **fields)
