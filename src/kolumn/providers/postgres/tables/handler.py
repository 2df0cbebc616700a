"""The resource type table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from kolumn.engine.operations import Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import with_kept
from kolumn.providers.postgres import names
from kolumn.providers.postgres.dialect import PostgresDialect
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.server import Server
from kolumn.providers.postgres.tables import alter, catalogue, render
from kolumn.providers.postgres.tables.bounds import bounds_fault
from kolumn.providers.postgres.tables.building import build
from kolumn.providers.postgres.tables.comparison import TableNormalizer
from kolumn.providers.postgres.tables.forms import (
    canonical,
    concise,
    with_not_null_names,
    without_not_null_names,
)
from kolumn.providers.postgres.tables.model import PostgresTable
from kolumn.providers.postgres.tables.parts import part_of, without_part
from kolumn.providers.postgres.tables.reading import table_entries
from kolumn.providers.postgres.tables.rows import TableRow
from kolumn.sql.handlers import TableHandler
from kolumn.sql.model import Table
from kolumn.sql.operations import AlterTable


def grammars() -> Mapping[str, Callable[[str], str | None]]:
    """Return the checks of the grammars that tables and indexes add."""
    return {
        "relation": names.name_fault,
        "qualified": names.name_fault,
        "operator": names.operator_fault,
        "bounds": bounds_fault,
    }


class PostgresTableHandler(PostgresHandler[Any], TableHandler):
    """Tables with their columns and constraints."""

    type = "table"
    description = "A table with its columns and constraints"
    MODEL = PostgresTable
    KEYWORD: ClassVar[str] = "TABLE"

    def __init__(self, dialect: PostgresDialect) -> None:
        super().__init__(dialect)
        self.normalizer = TableNormalizer(dialect)
        self._checks = {**self._checks, **grammars()}

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

    # Comparing

    def diff(self, live: Table | None, wanted: Table | None) -> list[Operation]:
        """Return the operations."""
        before = canonical(live) if isinstance(live, PostgresTable) else None
        after = canonical(wanted) if isinstance(wanted, PostgresTable) else None
        if before is not None and after is not None:
            after = with_kept(after, before)
            named = any(column.not_null_constraint is not None for column in before.columns)
            after = with_not_null_names(after) if named else without_not_null_names(after)
        return TableHandler.diff(self, before, after)

    def part(self, model: Any, part: Ref) -> object | None:
        """Return the constraint, the default or the generated column that `part` means."""
        return part_of(model, part)

    def without(self, model: Any, part: Ref) -> Any:
        """Return the table without one of its parts."""
        return without_part(model, part)

    # Writing

    def definition_sql(self, model: Any, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE TABLE and what can only be said after it."""
        yield from render.create_table(canonical(model), server)

    def statements(
        self, operation: Operation, live: Snapshot, server: Server
    ) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        if isinstance(operation, AlterTable):
            yield from alter.alter(operation, server)
        else:
            yield from super().statements(operation, live, server)

    def disturbs(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what must be dropped before the operation and comes back after it."""
        return super().disturbs(operation, live, replaced=replaced)
