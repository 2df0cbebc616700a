"""Foreign keys that name only a table: they refer to its primary key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from kolumn.engine.resource import Ref
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.model import PostgresTable
from kolumn.sql.normal import Normalizer
from kolumn.sql.reference import parse_reference


def with_target_columns(
    table: PostgresTable, other: Callable[[Ref], Any], normalizer: Normalizer
) -> PostgresTable:
    """Return a wanted table whose foreign keys name the columns they refer to, as far as that is known."""
    schema = normalizer.dialect.normal_schema(table.schema)

    def full(text: str, columns: int) -> str:
        found = parse_reference(text)
        if found is None or found.columns:
            return text
        place = normalizer.dialect.normal_schema(found.schema) if found.schema else schema
        own = (found.table, place) == (table.name, schema)
        target = table if own else other(Ref("table", found.table, place))
        key = canonical(target).primary_key if isinstance(target, PostgresTable) else None
        if key is None or len(key.columns) != columns:
            return text
        return str(dataclasses.replace(found, columns=tuple(part.column for part in key.columns)))

    if not any(column.references for column in table.columns) and not table.foreign_keys:
        return table
    return dataclasses.replace(
        table,
        columns=tuple(
            dataclasses.replace(column, references=full(column.references, 1))
            if column.references
            else column
            for column in table.columns
        ),
        foreign_keys=tuple(
            dataclasses.replace(key, references=full(key.references, len(key.columns)))
            for key in table.foreign_keys
        ),
    )
