"""Indexes of their own, not those behind constraints. https://www.postgresql.org/docs/current/sql-createindex.html"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.dialect import PostgresDialect
from kolumn.providers.postgres.fragments import embedded
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.parameters import NONE, Parameters
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.server import Server
from kolumn.providers.postgres.tables import catalogue
from kolumn.providers.postgres.tables.clauses import parse_index
from kolumn.providers.postgres.tables.comparison import TableNormalizer, normal_part
from kolumn.providers.postgres.tables.handler import GRAMMARS
from kolumn.providers.postgres.tables.model import PostgresKeyPart
from kolumn.providers.postgres.tables.reading import place
from kolumn.providers.postgres.tables.render import part_sql
from kolumn.providers.postgres.tokens import qualified, quote
from kolumn.sql import model
from kolumn.sql.handlers import IndexHandler
from kolumn.sql.normal import Grammar


@dataclass(frozen=True)
class PostgresIndex(model.Index):
    """An index of its own, not one that a constraint brings."""

    columns: tuple[PostgresKeyPart, ...] = attribute("Columns or expressions, in order", validators=[NOT_EMPTY])
    method: str = attribute("Index method", default="btree", grammar="identifier")
    include: tuple[str, ...] = attribute("Further columns the index holds", default=(), grammar="column")
    nulls_not_distinct: bool = attribute(
        "Whether NULLs count as equal in a unique index (PostgreSQL 15)", default=False
    )
    parameters: Mapping[str, Any] = attribute("Storage parameters, e.g. fillfactor", default=NONE)
    tablespace: str = attribute("Tablespace; the database's when left out", default="", grammar="identifier")
    only: bool = attribute(
        "Whether an index of a partitioned table leaves its partitions without (ON ONLY)", default=False
    )
    clustered: bool = attribute("Whether CLUSTER sorts the table by it", default=False)
    replica_identity: bool = attribute("Whether it identifies rows for logical replication", default=False)
    comment: str = attribute("Comment", default="")
    invalid: bool = dataclasses.field(default=False, kw_only=True)
    """Whether CREATE INDEX CONCURRENTLY left it unfinished; never wanted."""

    def __post_init__(self) -> None:
        if not isinstance(self.parameters, Parameters):
            object.__setattr__(self, "parameters", Parameters(self.parameters))

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        assert isinstance(self.parameters, Parameters)
        yield from self.parameters.problems("parameters")


class IndexRow(NamedTuple):
    """What the catalogues say of an index."""

    name: str
    schema: str
    table: str
    definition: str
    clustered: bool
    replica_identity: bool
    invalid: bool
    partitioned: bool
    options: list[str] | None
    tablespace: str | None
    nulls_not_distinct: bool
    statistics: list[str] | None
    comment: str


class PostgresIndexHandler(PostgresHandler[Any], IndexHandler):
    """Indexes."""

    type = "index"
    description = "An index on a table or materialized view"
    MODEL = PostgresIndex
    KEYWORD: ClassVar[str] = "INDEX"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"comment", "parameters", "tablespace", "clustered", "replica_identity"}
    )

    GRAMMARS: ClassVar[Mapping[str, Grammar]] = GRAMMARS

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of tables: these bring all indexes."""
        return {**catalogue.queries(server), "indexes": catalogue.indexes(server)}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the indexes that are neither a constraint's nor made by an index of a partitioned table."""
        parents = dict(reading.rows["inheritance"])
        for row in sorted(reading.rows["indexes"]):  # by oid
            oid, table = row[0], reading.refs.get(("pg_class", row[3]))
            if row[8] is not None or table is None or oid in parents:
                continue
            found = IndexRow(
                row[2],
                place(row[1]),
                table.name,
                _without_name(row[13]),
                row[4],
                row[5],
                not row[6],
                row[7],
                row[9],
                row[10],
                row[12],
                row[15],
                reading.comment("pg_class", oid),
            )
            ref = Ref(self.type, row[2], place(row[1]))
            yield Entry(ref, ("pg_class", oid), found, owner=table, aside=not row[6] and not row[7])

    def build(self, entry: Entry) -> PostgresIndex:
        """Return the index."""
        row = entry.row
        assert isinstance(row, IndexRow)
        clause = parse_index(row.definition)
        targets = dict(each.split(":") for each in row.statistics or ())
        parts = tuple(
            dataclasses.replace(part, statistics=int(targets[str(number)])) if str(number) in targets else part
            for number, part in enumerate(clause.parts, 1)
        )
        return PostgresIndex(
            name=row.name,
            schema=row.schema,
            table=row.table,
            columns=parts,
            unique=clause.unique,
            method=clause.method,
            include=clause.include,
            nulls_not_distinct=row.nulls_not_distinct,
            where=clause.where,
            parameters=Parameters.read(row.options or ()),
            tablespace=row.tablespace or "",
            only=row.partitioned and row.invalid,
            clustered=row.clustered,
            replica_identity=row.replica_identity,
            comment=row.comment,
            invalid=row.invalid and not row.partitioned,
        )

    def normal(self, model: Any) -> Any:
        """Return the normal form."""
        found = super().normal(model)
        return dataclasses.replace(found, columns=tuple(map(normal_part, found.columns)))

    def changes_in_place(self, before: Any, after: Any, fields: tuple[str, ...]) -> bool:
        """Whether the index can stay; one that was left unfinished is built anew."""
        return not before.invalid and super().changes_in_place(before, after, fields)

    def definition_sql(self, model: Any, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE INDEX and what can only be said after it."""
        columns = ", ".join(map(part_sql, model.columns))
        yield "".join(
            (
                f"CREATE {'UNIQUE ' if model.unique else ''}INDEX {quote(model.name)} ",
                f"ON {'ONLY ' if model.only else ''}{qualified(model.schema, model.table)} ",
                f"USING {quote(model.method)} ({columns})",
                f" INCLUDE ({', '.join(map(quote, model.include))})" if model.include else "",
                " NULLS NOT DISTINCT" if model.nulls_not_distinct else "",
                f" WITH ({model.parameters.sql()})" if model.parameters else "",
                f" TABLESPACE {quote(model.tablespace)}" if model.tablespace else "",
                f" WHERE ({embedded(model.where)})" if model.where else "",
            )
        )
        for number, part in enumerate(model.columns, 1):
            if part.statistics is not None:
                yield f"ALTER INDEX {self.address(model)} ALTER COLUMN {number} SET STATISTICS {part.statistics}"
        table = qualified(model.schema, model.table)
        if model.clustered:
            yield f"ALTER TABLE {table} CLUSTER ON {quote(model.name)}"
        if model.replica_identity:
            yield f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {quote(model.name)}"

    def alteration(self, field: str, before: Any, after: Any, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that change one attribute."""
        index, table = self.address(after), qualified(after.schema, after.table)
        match field:
            case "parameters":
                for each in before.parameters.changes(after.parameters):
                    yield f"ALTER INDEX {index} {each}"
            case "tablespace":
                yield f"ALTER INDEX {index} SET TABLESPACE {quote(after.tablespace or 'pg_default')}"
            case "clustered":
                word = f"CLUSTER ON {quote(after.name)}" if after.clustered else "SET WITHOUT CLUSTER"
                yield f"ALTER TABLE {table} {word}"
            case "replica_identity":
                word = f"USING INDEX {quote(after.name)}" if after.replica_identity else "DEFAULT"
                yield f"ALTER TABLE {table} REPLICA IDENTITY {word}"


def _without_name(definition: str) -> str:
    return definition
