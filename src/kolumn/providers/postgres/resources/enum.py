"""Enumerated types (https://www.postgresql.org/docs/current/sql-createtype.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.server import Server
from kolumn.providers.postgres.tokens import literal, qualified


@dataclass(frozen=True)
class Enum:
    """An enumerated type. An enum may have no values yet."""

    name: str = attribute("Name of the type", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    values: tuple[str, ...] = attribute("Its values, in their sort order", default=())
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


class EnumHandler(PostgresHandler[Enum]):
    """Enumerated types."""

    type = "enum"
    description = "An enumerated type"
    MODEL = Enum
    KEYWORD: ClassVar[str] = "TYPE"

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_enum."""
        return {
            "enums": f"""
SELECT t.oid, n.nspname, t.typname, pg_get_userbyid(t.typowner),
    array(SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND {{user_schemas}} AND {not_a_member("pg_type", "t.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the enums."""
        for oid, schema, name, owner, values in reading.rows["enums"]:
            place = self.dialect.normal_schema(schema)
            row = (name, place, tuple(values), owner, reading.comment("pg_type", oid))
            yield Entry(Ref(self.type, name, place), ("pg_type", oid), row)

    def build(self, entry: Entry) -> Enum:
        """Return the enum."""
        name, schema, values, owner, comment = entry.row
        return Enum(name=name, schema=schema, values=values, owner=owner, comment=comment)

    def definition_sql(self, model: Enum, server: Server) -> Iterator[str]:
        """Yield CREATE TYPE ... AS ENUM."""
        values = ", ".join(map(literal, model.values))
        yield f"CREATE TYPE {qualified(model.schema, model.name)} AS ENUM ({values})"
