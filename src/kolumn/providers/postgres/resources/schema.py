"""Schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.engine.declaration import attribute
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.server import Server
from kolumn.providers.postgres.tokens import quote
from kolumn.sql.model import Schema

_COMMENT_OF_PUBLIC = "standard public schema"
_OWNER_OF_PUBLIC = "pg_database_owner"


@dataclass(frozen=True)
class PostgresSchema(Schema):
    """A schema. `public` is there from the beginning."""

    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")


class SchemaHandler(PostgresHandler[PostgresSchema]):
    """Schemas: namespaces of everything else."""

    type = "schema"
    description = "A schema: a namespace of tables, types and routines"
    MODEL = PostgresSchema
    KEYWORD: ClassVar[str] = "SCHEMA"
    PLACE: ClassVar[int] = -1

    def ref(self, model: PostgresSchema) -> Ref:
        """Return its name."""
        return Ref(self.type, model.name)

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_namespace."""
        return {
            "schemas": f"""
SELECT n.oid, n.nspname, pg_get_userbyid(n.nspowner)
FROM pg_catalog.pg_namespace n
WHERE {{user_schemas}} AND {not_a_member("pg_namespace", "n.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the schemas; public counts only where it is named, unless somebody changed it."""
        for oid, name, owner in reading.rows["schemas"]:
            comment = reading.comment("pg_namespace", oid)
            usual = name == "public" and comment == _COMMENT_OF_PUBLIC and owner == _OWNER_OF_PUBLIC
            yield Entry(Ref(self.type, name), ("pg_namespace", oid), (name, owner, comment), aside=usual)

    def build(self, entry: Entry) -> PostgresSchema:
        """Return the schema."""
        name, owner, comment = entry.row
        return PostgresSchema(name=name, owner=owner, comment=comment)

    def address(self, model: PostgresSchema) -> str:
        """Return its quoted name."""
        return quote(model.name)

    def definition_sql(self, model: PostgresSchema, server: Server) -> Iterator[str]:
        """Yield CREATE SCHEMA."""
        yield f"CREATE SCHEMA {quote(model.name)}"
