"""Indexes of their own, not those behind constraints (https://www.postgresql.org/docs/current/sql-createindex.html).

An index of a partitioned table brings one of each partition along; these are its parts and not declared, unless they
are called otherwise than PostgreSQL calls them, or have something of their own: then `attached_to` says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Create, Drop, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language import names, naming
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.parameters import NONE, Parameters
from kolumn.providers.postgres.language.respelling import respelled
from kolumn.providers.postgres.language.tokens import qualified, quote
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.tables import locks, marks
from kolumn.providers.postgres.tables.catalogue import indexes
from kolumn.providers.postgres.tables.clauses import IndexClause, parse_index
from kolumn.providers.postgres.tables.comparison import TableNormalizer, normal_part
from kolumn.providers.postgres.tables.handler import GRAMMARS, collation_refs
from kolumn.providers.postgres.tables.model import PostgresKeyPart, PostgresTable
from kolumn.providers.postgres.tables.reading import place
from kolumn.providers.postgres.tables.render import part_sql
from kolumn.sql import model
from kolumn.sql.handlers import IndexHandler
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject


@dataclass(frozen=True)
class PostgresIndex(model.Index):
    """An index of its own, not one that a constraint brings."""

    columns: tuple[PostgresKeyPart, ...] = attribute(
        "Columns or expressions, in order", validators=[NOT_EMPTY]
    )
    method: str = attribute("Index method", default="btree", grammar="identifier")
    include: tuple[str, ...] = attribute("Further columns the index holds", default=(), grammar="column")
    nulls_not_distinct: bool = attribute(
        "Whether NULLs count as equal in a unique index (PostgreSQL 15)", default=False, guards="integrity"
    )
    parameters: Mapping[str, Any] = attribute("Storage parameters, e.g. fillfactor", default=NONE)
    tablespace: str = attribute("Tablespace; the database's when left out", default="", grammar="identifier")
    only: bool = attribute(
        "Whether an index of a partitioned table leaves its partitions without (ON ONLY)", default=False
    )
    attached_to: str = attribute(
        "Index of the partitioned table that this one is a part of, where it is not as PostgreSQL makes it: its "
        "name, with its schema where that is not the index's own; left out, whatever it is a part of",
        default="",
        kept=True,
        grammar="relation",
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
        for at, part in enumerate(self.columns):
            if part.statistics is not None and part.column:
                yield Problem(
                    f"column {part.column} has its statistics target at its table",
                    code="conflicting_attributes",
                    path=f"columns[{at}].statistics",
                    hint="Only expressions of an index have one of their own.",
                )


class IndexRow(NamedTuple):
    """What the catalogues say of an index."""

    name: str
    schema: str
    table: str
    attached_to: str
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
    NAMESPACE: ClassVar[str] = "relation"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"comment", "parameters", "tablespace", "clustered", "replica_identity", "columns", "attached_to"}
    )
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = GRAMMARS

    def __init__(self, dialect: PostgresDialect) -> None:
        super().__init__(dialect)
        self.normalizer: TableNormalizer = TableNormalizer(dialect, GRAMMARS)

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of all indexes, which tables ask as well."""
        return {"indexes": indexes(server)}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the indexes that are not a constraint's.

        What counts only where it is named: a part of another index that is as PostgreSQL makes it, and what
        CREATE INDEX CONCURRENTLY left unfinished.
        """
        known = {row[0]: row for row in reading.rows["indexes"]}
        parents = dict(reading.rows.get("inheritance", ()))
        for oid, row in sorted(known.items()):
            if row[8] is not None:
                continue
            parent = known.get(parents.get(oid, 0))
            schema = place(row[1])
            found = IndexRow(
                row[2],
                schema,
                row[17],
                names.relation(place(parent[1]), parent[2], schema) if parent is not None else "",
                row[13],
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
            table = Ref("materialized_view" if row[18] else "table", row[17], place(row[16]))
            aside = _is_usual(found) if parent is not None else not row[6] and not row[7]
            yield Entry(Ref(self.type, row[2], schema), ("pg_class", oid), found, owner=table, aside=aside)

    def build(self, entry: Entry) -> PostgresIndex:
        """Return the index."""
        row = entry.row
        assert isinstance(row, IndexRow)
        clause = parse_index(respelled(row.definition))
        targets = dict(each.split(":") for each in row.statistics or ())
        parts = tuple(
            dataclasses.replace(part, statistics=int(targets[str(number)]))
            if str(number) in targets
            else part
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
            attached_to=row.attached_to,
            clustered=row.clustered,
            replica_identity=row.replica_identity,
            comment=row.comment,
            invalid=row.invalid and not row.partitioned,
        )

    # What it needs

    def uses(self, model: Any) -> frozenset[Ref]:
        """Return the table it is on, and what its expressions need."""
        return super().uses(model) | self.guesses(model)

    def guesses(self, model: Any) -> frozenset[Ref]:
        """Return the routines, types and collations its texts may mean."""
        found: frozenset[Ref] = self.named_in(model.where) if model.where else frozenset()
        for part in model.columns:
            found |= collation_refs(part.collation)
            if part.expression:
                found |= self.named_in(part.expression)
        return found

    # Comparing

    def normal(self, model: Any) -> Any:
        """Return the normal form."""
        found = super().normal(model)
        return dataclasses.replace(found, columns=tuple(map(normal_part, found.columns)))

    def changes_in_place(self, before: Any, after: Any, fields: tuple[str, ...]) -> bool:
        """Whether ALTER INDEX can make all of the change; an unfinished index is made anew."""
        if before.invalid or not super().changes_in_place(before, after, fields):
            return False
        if "attached_to" in fields and before.attached_to:
            return False
        return "columns" not in fields or _without_statistics(before) == _without_statistics(after)

    def replace(self, live: Any, wanted: Any) -> list[Operation]:
        """Return a change in place where all that differs can change in place, else a drop and a creation."""
        found = super().replace(live, wanted)
        return [self._in_place(each) if isinstance(each, AlterObject) else each for each in found]

    def _in_place(self, operation: AlterObject) -> Operation:
        wanted = operation.after
        if "attached_to" in operation.fields:
            parent = frozenset({self._whole(wanted)})
            operation = dataclasses.replace(operation, requires=operation.requires | parent)
        return marks.marked(operation, self._table(wanted), operation.before, wanted)

    def created(self, model: Any) -> Create:
        """Return the creation of the index, that of parts before that of the whole, which takes them in."""
        operation = marks.marked(super().created(model), self._table(model), None, model)
        requires = operation.requires | {self.ref(model).moment("parts of")}
        provides = operation.provides
        if model.attached_to:
            provides |= {self._whole(model).moment("parts of")}
        return dataclasses.replace(operation, requires=requires, provides=provides)

    def dropped(self, model: Any) -> Drop:
        """Return the drop of the index, that of the whole before that of its parts, which go with it."""
        operation = super().dropped(model)
        gone = self.ref(model).moment("gone")
        if not model.attached_to:
            return dataclasses.replace(operation, provides=operation.provides | {gone})
        table = self._table(model)
        return dataclasses.replace(
            operation,
            uses=operation.uses - {table},
            releases=operation.releases - {table},
            requires=operation.requires | {self._whole(model).moment("gone"), table.moment("gone")},
            provides=operation.provides | {gone},
        )

    def _whole(self, model: Any) -> Ref:
        """Return the index that one is a part of."""
        schema, name = names.related(model.attached_to, model.schema)
        return Ref(self.type, name, schema)

    def _table(self, model: Any) -> Ref:
        return Ref("table", model.table, self.dialect.normal_schema(model.schema))

    # Writing

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
        yield from self._statistics(None, model)
        table = qualified(model.schema, model.table)
        if model.clustered:
            yield f"ALTER TABLE {table} CLUSTER ON {quote(model.name)}"
        if model.replica_identity:
            yield f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {quote(model.name)}"

    def _statistics(self, before: Any, after: Any) -> Iterator[str]:
        for number, part in enumerate(after.columns, 1):
            old = before.columns[number - 1].statistics if before is not None else None
            if part.statistics != old:
                target = -1 if part.statistics is None else part.statistics
                yield f"ALTER INDEX {self.address(after)} ALTER COLUMN {number} SET STATISTICS {target}"

    def alteration(self, field: str, before: Any, after: Any, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that change one attribute."""
        index, table = self.address(after), qualified(after.schema, after.table)
        match field:
            case "columns":
                yield from self._statistics(before, after)
            case "attached_to":
                whole = self._whole(after)
                yield f"ALTER INDEX {qualified(whole.schema, whole.name)} ATTACH PARTITION {index}"
            case "parameters":
                for each in before.parameters.changes(after.parameters):
                    yield f"ALTER INDEX {index} {each}"
            case "tablespace":
                yield f"ALTER INDEX {index} SET TABLESPACE {quote(after.tablespace or 'pg_default')}"
            case "clustered":
                word = f"CLUSTER ON {quote(after.name)}" if after.clustered else "SET WITHOUT CLUSTER"
                yield f"ALTER TABLE {table} {word}"
            case "replica_identity":
                yield f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {quote(after.name)}"

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        match operation:
            case AlterObject(after=after, fields=fields) if (
                "replica_identity" in fields and not after.replica_identity
            ):
                rest = tuple(field for field in fields if field != "replica_identity")
                yield from super().statements(dataclasses.replace(operation, fields=rest), live, server)
                table = live.get(self._table(after))
                identity = getattr(table, "replica_identity", "default").upper()
                yield f"ALTER TABLE {qualified(after.schema, after.table)} REPLICA IDENTITY {identity}"
            case Create(model=model) if model.attached_to and self._whole(model) in live:
                yield from self._joining(model, live, server)
            case Drop(model=model) if model.attached_to and not self._is_apart(model, live):
                yield from self._leaving(model, live)
            case _:
                yield from super().statements(operation, live, server)

    def _joining(self, model: Any, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that make a part of an index that is there: it has one there, of another name."""
        whole = live.get(self._whole(model))
        if whole.only:
            yield from self.definition_sql(model, server)
            yield from self.alteration("attached_to", None, model, server)
        else:
            found = (live.get(ref) for ref in live.attached(self._table(model)) if ref.type == self.type)
            others = (each for each in found if each.attached_to and self._whole(each) == self._whole(model))
            former = next(others, dataclasses.replace(model, name=usual_name(model.table, model)))
            yield f"ALTER INDEX {self.address(former)} RENAME TO {quote(model.name)}"
            yield from self._statistics(None, model)
        if model.comment:
            yield self.comment_sql(model)

    def _is_apart(self, model: Any, live: Snapshot) -> bool:
        """Whether the index has become one of its own, as its table left the partitioned one."""
        table = live.get(self._table(model))
        return isinstance(table, PostgresTable) and not table.partition_of

    def _leaving(self, model: Any, live: Snapshot) -> Iterator[str]:
        """Yield the statements that make a part as PostgreSQL makes it, if it did not go with the whole."""
        if self._whole(model) in live and self._table(model) in live:
            yield f"ALTER INDEX {self.address(model)} RENAME TO {quote(usual_name(model.table, model))}"
            if model.comment:
                renamed = dataclasses.replace(model, name=usual_name(model.table, model), comment="")
                yield self.comment_sql(renamed)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the strongest lock the operation takes."""
        return locks.of_index(operation)

    # The server's own wording

    def rehearsed(self, wanted: Any, scratch: str) -> Any:
        """Return the index on a table of the same columns in schema `scratch`."""
        return dataclasses.replace(
            wanted,
            schema=scratch,
            comment="",
            tablespace="",
            only=False,
            attached_to="",
            clustered=False,
            replica_identity=False,
        )

    def rehearsal(self, rehearsed: Any, live: Any, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that make the table, without rows, and the index."""
        table = qualified(rehearsed.schema, rehearsed.table)
        yield f"CREATE TABLE IF NOT EXISTS {table} (LIKE {qualified(live.schema, live.table)})"
        yield from self.definition_sql(rehearsed, server)


def _without_statistics(index: PostgresIndex) -> tuple[PostgresKeyPart, ...]:
    return tuple(dataclasses.replace(part, statistics=None) for part in index.columns)


def usual_name(table: str, clause: IndexClause | PostgresIndex) -> str:
    """Return the name PostgreSQL gives an index of `table` if no other has it."""
    columns = clause.parts if isinstance(clause, IndexClause) else clause.columns
    parts = [part.column or naming.expression_name(part.expression) for part in columns]
    return naming.key_name(table, [*parts, *clause.include], "idx")


def _is_usual(row: IndexRow) -> bool:
    """Whether a part of another index is as PostgreSQL makes it."""
    more = row.comment or row.clustered or row.replica_identity or row.statistics
    return not more and row.name == usual_name(row.table, parse_index(row.definition))
