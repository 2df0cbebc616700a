"""Types with a name (https://duckdb.org/docs/current/sql/statements/create_type).

A table keeps the definition of its columns' types, not their names: a type that changes changes no table by
itself, but the columns that are declared with its name do with it (`DuckDBTableHandler.completed`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.engine.resource import Ref
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.language.tokens import fold
from kolumn.providers.duckdb.language.types import expanded, normal_type
from kolumn.providers.duckdb.model import UserType
from kolumn.providers.duckdb.render import type_text
from kolumn.providers.duckdb.resources import mentions
from kolumn.sql.handlers import SQLHandler


class TypeHandler(SQLHandler[UserType]):
    """Enums, structs, and other names for types."""

    type = "type"
    description = "A type with a name: an enum, a struct, or another name for a type"
    IN_PLACE = frozenset({"comment"})

    completed_from = frozenset({"type"})

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(UserType, dialect)

    def normal(self, model: UserType) -> UserType:
        """Return the normal form, in which the definition says all."""
        found = super().normal(model)
        return replaced(found, {"values": (), "fields": (), "definition": normal_type(type_text(model))})

    def uses(self, model: UserType) -> frozenset[Ref]:
        """Return the schema and the types it is made of."""
        schema = self.dialect.normal_schema(model.schema)
        return (super().uses(model) | mentions.of_type(type_text(model), schema)) - {self.ref(model)}

    def completed(self, model: UserType, other: Callable[[Ref], Any]) -> UserType:
        """Return the type with the definitions of those it is made of: the catalogue has it so."""
        schema = self.dialect.normal_schema(model.schema)
        if model.values:
            return model
        if model.fields:
            fields = tuple(
                replaced(each, {"type": expanded(each.type, definitions(other, schema))})
                for each in model.fields
            )
            return replaced(model, {"fields": fields})
        return replaced(model, {"definition": expanded(model.definition, definitions(other, schema))})


def definitions(other: Callable[[Ref], Any], schema: str) -> Callable[[tuple[str, ...]], str | None]:
    """Return what gives the definition behind the name of a type, as seen from an object in `schema`."""

    def lookup(path: tuple[str, ...]) -> str | None:
        places = [fold(path[-2])] if len(path) > 1 else [schema, ""]
        for place in places:
            found = other(Ref("type", fold(path[-1]), "" if place == "main" else place))
            if isinstance(found, UserType):
                return type_text(found)
        return None

    return lookup
