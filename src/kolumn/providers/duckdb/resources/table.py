"""Tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Operation, Rename
from kolumn.engine.resource import Ref
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.language.types import expanded
from kolumn.providers.duckdb.model import DuckDBTable, Sequence
from kolumn.providers.duckdb.resources import mentions
from kolumn.providers.duckdb.resources.user_type import definitions
from kolumn.sql import handlers as sql
from kolumn.sql.model import Check, ForeignKey, Table


class DuckDBTableHandler(sql.TableHandler):
    """Tables. A foreign key is made with its table, so what it refers to is there before."""

    completed_from = frozenset({"type"})

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(DuckDBTable, dialect)

    def needs(self, model: Table) -> frozenset[Ref]:
        """Return the schema, the tables that foreign keys refer to, and what texts mention."""
        return super().needs(model) | self.referred(model) | self.guesses(model)

    def referred(self, model: Table) -> frozenset[Ref]:
        """Return the other tables that foreign keys refer to."""
        keys = [each for each in model.constraints() if isinstance(each, ForeignKey)]
        return frozenset(self._target(model, key) for key in keys) - {self.ref(model)}

    def guesses(self, model: Table) -> frozenset[Ref]:
        """Return the sequences, functions and types that texts of the table mention."""
        schema = self.dialect.normal_schema(model.schema)
        found: set[Ref] = set()
        for column in model.columns:
            found |= mentions.of_expression(column.default or "", schema)
            found |= mentions.of_expression(column.generated, schema)
            found |= mentions.of_type(column.type, schema)
        for each in model.constraints():
            if isinstance(each, Check):
                found |= mentions.of_expression(each.expression, schema)
        return frozenset(found)

    def follow(self, model: Table, operation: Operation) -> Table:
        """Return the table after what it refers to was renamed; its defaults follow a sequence."""
        if isinstance(operation, Rename) and isinstance(operation.before, Sequence):
            now = operation.subject._replace(name=operation.after.name)
            schema = self.dialect.normal_schema(model.schema)
            columns = tuple(
                replaced(
                    each,
                    {"default": mentions.with_sequence_renamed(each.default, operation.subject, now, schema)},
                )
                if each.default
                else each
                for each in model.columns
            )
            return dataclasses.replace(model, columns=columns)
        return super().follow(model, operation)

    def completed(self, model: Table, other: Callable[[Ref], Any]) -> Table:
        """Return the table with the definitions of its columns' types, which is what DuckDB keeps of them."""
        lookup = definitions(other, self.dialect.normal_schema(model.schema))
        columns = tuple(
            replaced(each, {"type": text}) if (text := expanded(each.type, lookup)) != each.type else each
            for each in model.columns
        )
        return model if columns == model.columns else dataclasses.replace(model, columns=columns)

    def receiving(self, before: Table, live: Table | None, lost: tuple[str, ...]) -> Table:
        """Return the table as it can take rows in any order: without foreign keys, which cannot wait."""
        table = super().receiving(before, live, lost)
        if live is None:
            for constraint in dict.fromkeys(table.constraints()):
                if isinstance(constraint, ForeignKey):
                    table = table.without_constraint(constraint)
        return table
