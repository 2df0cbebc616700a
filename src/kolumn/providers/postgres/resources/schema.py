"""Schemas (https://www.postgresql.org/docs/current/sql-createschema.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import attribute
from kolumn.engine.operations import Drop, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.sql.model import Schema
from kolumn.sql.operations import AlterObject

PUBLIC = "public"
_COMMENT_OF_PUBLIC = "standard public schema"
_OWNER_OF_PUBLIC = "pg_database_owner"
_SHOWN = 5
"""How many of the objects in the way of a drop are named."""


@dataclass(frozen=True)
class PostgresSchema(Schema):
    """A schema. `public` is there from the beginning: deleting it gives it back its usual owner and comment."""

    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str | None = attribute("Comment; public has one of its own unless this is given", default=None)

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a rename from or to public: names without a schema mean it."""
        if self.renamed_from and PUBLIC in (self.name, self.renamed_from):
            yield Problem(
                "schema public cannot be renamed, as names without a schema mean it",
                code="conflicting_attributes",
                path="renamed_from",
                hint="Create another schema and let configuration move what belongs there.",
            )


class MakeUsual(AlterObject):
    """Give public the owner and comment it has in every database; before version 15, the comment only."""


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

    def normal(self, model: PostgresSchema) -> PostgresSchema:
        """Return the normal form, in which a comment is always a text."""
        usual = _COMMENT_OF_PUBLIC if model.name == PUBLIC else ""
        comment = usual if model.comment is None else model.comment
        return replace(super().normal(model), name=model.name, comment=comment)

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_namespace; owned by the first role, public is as old clusters have it."""
        return {
            "schemas": f"""
SELECT n.oid, n.nspname, pg_get_userbyid(n.nspowner), n.nspowner = 10
FROM pg_catalog.pg_namespace n
WHERE {{user_schemas}} AND {not_a_member("pg_namespace", "n.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the schemas; public counts only where it is named, unless somebody changed it."""
        for oid, name, owner, initial in reading.rows["schemas"]:
            comment = reading.comment("pg_namespace", oid)
            usual = False
            if name == PUBLIC:
                own = owner == _OWNER_OF_PUBLIC if reading.server.since(15) else initial
                usual = own and comment == _COMMENT_OF_PUBLIC
            yield Entry(Ref(self.type, name), ("pg_namespace", oid), (name, owner, comment), aside=usual)

    def build(self, entry: Entry) -> PostgresSchema:
        """Return the schema."""
        name, owner, comment = entry.row
        usual = _COMMENT_OF_PUBLIC if name == PUBLIC else ""
        return PostgresSchema(name=name, owner=owner, comment=None if comment == usual else comment)

    def diff(self, live: PostgresSchema | None, wanted: PostgresSchema | None) -> list[Operation]:
        """Return the operations; public is not dropped but becomes what every database has."""
        if live is None or wanted is not None or live.name != PUBLIC:
            return super().diff(live, wanted)
        usual = PostgresSchema(name=PUBLIC, owner=_OWNER_OF_PUBLIC)
        return [MakeUsual(subject=self.ref(live), before=live, after=usual, fields=("owner", "comment"))]

    def address(self, model: PostgresSchema) -> str:
        """Return its quoted name."""
        return quote(model.name)

    def definition_sql(self, model: PostgresSchema, server: Server) -> Iterator[str]:
        """Yield CREATE SCHEMA."""
        yield f"CREATE SCHEMA {quote(model.name)}"
        if model.name == PUBLIC and model.comment is None:
            yield self.comment_sql(self.normal(model))

    def comment_sql(self, model: PostgresSchema) -> str:
        """Return the statement that sets the comment."""
        return super().comment_sql(self.normal(model))

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements. Raises ValidationError for dropping a schema that still holds something."""
        match operation:
            case Drop(subject=subject):
                _refuse_contents(subject, live)
            case MakeUsual() if not server.since(15):
                operation = replace(operation, fields=("comment",))
        yield from super().statements(operation, live, server)


def _refuse_contents(schema: Ref, live: Snapshot) -> None:
    left = [ref for ref in live.refs() if ref.schema == schema.name and ref not in live.aside]
    if not left:
        return
    named = ", ".join(f"{ref.type} {ref.name}" for ref in left[:_SHOWN])
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    raise ValidationError.of(
        [
            Problem(
                f"schema {schema.name} is not empty: it holds {named}{more}",
                code="schema_not_empty",
                resource=str(schema),
                hint="Delete what it holds as well (kolumn apply --prune deletes what no configuration names), "
                "or keep the schema.",
            )
        ]
    )
