"""Schemas, which the servers also call databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import attribute, replaced
from kolumn.engine.operations import Drop, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.tokens import fold, quote
from kolumn.providers.mysql.reading import OWN_PREFIX, SYSTEM, Entry, Reading
from kolumn.providers.mysql.tables.model import verify_charset
from kolumn.sql.model import Schema


@dataclass(frozen=True)
class MySQLSchema(Schema):
    """A database of the server. The one that is connected to is there from the beginning."""

    character_set: str = attribute(
        "Character set of tables that name none", default="", kept=True, grammar="keyword"
    )
    collation: str = attribute("Collation of tables that name none", default="", kept=True, grammar="keyword")

    def verify(self) -> Iterator[Problem]:
        """Yield faults: what belongs to others, and what cannot be renamed."""
        yield from verify_charset(self.character_set, self.collation)
        if fold(self.name) in SYSTEM or fold(self.name).startswith(OWN_PREFIX):
            yield Problem(f"{self.name} is reserved", code="reserved_name", path="name")
        if self.renamed_from:
            yield Problem(
                "the server cannot rename a database",
                code="unsupported_attribute",
                path="renamed_from",
                hint="Create another one and let tables move there.",
            )


class SchemaHandler(MySQLHandler[MySQLSchema]):
    """Databases of the server."""

    type = "schema"
    description = "A schema: what the server calls a database"
    MODEL = MySQLSchema
    KEYWORD: ClassVar[str] = "DATABASE"
    PLACE: ClassVar[int] = -1
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"character_set", "collation"})

    def ref(self, model: MySQLSchema) -> Ref:
        """Return its name."""
        return Ref(self.type, fold(model.name))

    def normal(self, model: MySQLSchema) -> MySQLSchema:
        """Return the normal form, in which a collation says its character set."""
        found = super().normal(model)
        return replaced(
            found, {"name": fold(model.name), **({"character_set": ""} if found.collation else {})}
        )

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return nothing: tables need the same rows."""
        return {}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the databases; all of them count only where they are named."""
        for name, character_set, collation in reading.rows["databases"]:
            yield Entry(Ref(self.type, fold(name)), (name, character_set, collation), aside=True)

    def build(self, entry: Entry, reading: Reading) -> MySQLSchema:
        """Return the database."""
        name, character_set, collation = entry.row
        return MySQLSchema(name=name, character_set=character_set, collation=collation)

    def address(self, model: MySQLSchema) -> str:
        """Return its quoted name."""
        return quote(model.name)

    def definition_sql(self, model: MySQLSchema, server: Server) -> Iterator[str]:
        """Yield CREATE DATABASE."""
        yield f"CREATE DATABASE {quote(model.name)}{_charset(model)}"

    def alteration_sql(
        self, before: MySQLSchema, after: MySQLSchema, fields: tuple[str, ...], server: Server
    ) -> Iterator[str]:
        """Yield ALTER DATABASE."""
        yield f"ALTER DATABASE {quote(after.name)}{_charset(after)}"

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements. Raises ValidationError for dropping a database that still holds something."""
        if isinstance(operation, Drop):
            if fold(operation.subject.name) == fold(server.database):
                _refuse(operation.subject, "it is the one that is connected to", "connected_schema")
            left = [ref for ref in live.refs() if ref.schema == operation.subject.name]
            if left:
                named = ", ".join(f"{ref.type} {ref.name}" for ref in left[:5])
                _refuse(
                    operation.subject,
                    f"it holds {named}{' and more' if len(left) > 5 else ''}",
                    "schema_not_empty",
                )
        yield from super().statements(operation, live, server)


def _charset(model: MySQLSchema) -> str:
    text = f" CHARACTER SET {model.character_set}" if model.character_set else ""
    return text + (f" COLLATE {model.collation}" if model.collation else "")


def _refuse(schema: Ref, why: str, code: str) -> None:
    raise ValidationError.of(
        [
            Problem(
                f"schema {schema.name} cannot be dropped: {why}",
                code=code,
                resource=str(schema),
                hint="Delete what it holds as well, or keep the schema.",
            )
        ]
    )
