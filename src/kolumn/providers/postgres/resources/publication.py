"""Publications: what logical replication offers.

https://www.postgresql.org/docs/current/sql-createpublication.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.tokens import qualified, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.sql.operations import AlterObject, RenameColumn

_OPERATIONS = ("insert", "update", "delete", "truncate")


@dataclass(frozen=True)
class PublishedTable:
    """A table, or some of its columns and rows."""

    SHORTHAND: ClassVar[str] = "name"

    name: str = attribute("Name of the table", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    columns: tuple[str, ...] = attribute(
        "Columns; all where left out (15 and later)", default=(), grammar="column"
    )
    where: str = attribute("SQL condition on its rows (15 and later)", default="", grammar="expression")


@dataclass(frozen=True)
class Publication:
    """Tables whose changes others can subscribe to."""

    name: str = attribute("Name of the publication", validators=[NOT_EMPTY], grammar="identifier")
    all_tables: bool = attribute("Whether it has every table there is and will be", default=False)
    tables: tuple[PublishedTable, ...] = attribute("Tables", default=())
    schemas: tuple[str, ...] = attribute(
        "Schemas whose tables it has, those to come included (15 and later)", default=(), grammar="identifier"
    )
    operations: tuple[str, ...] = attribute(
        "What is published: insert, update, delete, truncate",
        default=_OPERATIONS,
        validators=[one_of(*_OPERATIONS)],
        grammar="keyword",
    )
    publish_via_partition_root: bool = attribute(
        "Whether changes of partitions are published as changes of the table they are part of", default=False
    )
    publish_generated_columns: str = attribute(
        "Whether generated columns are published: none or stored (18 and later)",
        default="none",
        validators=[one_of("none", "stored")],
        grammar="keyword",
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        if self.all_tables and (self.tables or self.schemas):
            yield Problem(
                "a publication of all tables lists none",
                code="conflicting_attributes",
                path="tables" if self.tables else "schemas",
                hint="Leave out tables and schemas, or all_tables.",
            )
        names = [(each.schema or "public", each.name) for each in self.tables]
        for schema, name in sorted({each for each in names if names.count(each) > 1}):
            yield Problem(f"table {schema}.{name} is there twice", code="duplicate", path="tables")
        for each in self.tables:
            if each.columns and self.schemas:
                yield Problem(
                    f"table {each.name} cannot have columns in a publication that has schemas",
                    code="conflicting_attributes",
                    path=f"tables.{each.name}.columns",
                    hint="PostgreSQL allows one or the other.",
                )


class PublicationHandler(PostgresHandler[Publication]):
    """Publications. Whatever they publish comes and goes in place, unless it is all tables."""

    type = "publication"
    description = "A publication: tables whose changes others can subscribe to"
    MODEL = Publication
    KEYWORD: ClassVar[str] = "PUBLICATION"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {
            "tables", "schemas", "operations", "publish_via_partition_root", "publish_generated_columns",
            "owner", "comment",
        }
    )  # fmt: skip

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of publications, their tables and their schemas."""
        generated = "p.pubgencols = 's'" if server.since(18) else "false"
        found = {
            "publications": f"""
SELECT p.oid, p.pubname::text, pg_get_userbyid(p.pubowner)::text, p.puballtables,
    ARRAY[p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate], p.pubviaroot, {generated}
FROM pg_catalog.pg_publication p WHERE {not_a_member("pg_publication", "p.oid")}
""",
            "published_tables": f"""
SELECT r.oid, r.prpubid, n.nspname::text, c.relname::text,
    {_COLUMNS if server.since(15) else "'{}'::text[], ''"}
FROM pg_catalog.pg_publication_rel r
JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {{user_schemas}} ORDER BY 3, 4
""",
        }
        if server.since(15):
            found["published_schemas"] = """
SELECT s.pnpubid, n.nspname::text FROM pg_catalog.pg_publication_namespace s
JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid WHERE {user_schemas} ORDER BY 2
"""
        return found

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the publications; the tables in one depend on those they are."""
        tables: dict[int, list[tuple[Any, ...]]] = {}
        for oid, publication, schema, name, columns, where in reading.rows["published_tables"]:
            table = (name, self.dialect.normal_schema(schema), tuple(columns), where)
            tables.setdefault(publication, []).append((oid, table))
        schemas: dict[int, list[str]] = {}
        for publication, schema in reading.rows.get("published_schemas", ()):
            schemas.setdefault(publication, []).append(schema)
        for oid, name, owner, everything, operations, via_root, generated in reading.rows["publications"]:
            published = tables.get(oid, [])
            row = (
                name,
                owner,
                everything,
                tuple(table for _, table in published),
                tuple(schemas.get(oid, ())),
                tuple(word for word, on in zip(_OPERATIONS, operations, strict=True) if on),
                via_root,
                generated,
                reading.comment("pg_publication", oid),
            )
            ref = Ref(self.type, name)
            for member, _ in published:
                reading.refs["pg_publication_rel", member] = ref
            yield Entry(ref, ("pg_publication", oid), row)

    def build(self, entry: Entry) -> Publication:
        """Return the publication."""
        name, owner, everything, tables, schemas, operations, via_root, generated, comment = entry.row
        return Publication(
            name=name,
            owner=owner,
            all_tables=everything,
            tables=tuple(
                PublishedTable(name=table, schema=schema, columns=columns, where=where)
                for table, schema, columns, where in tables
            ),
            schemas=schemas,
            operations=operations,
            publish_via_partition_root=via_root,
            publish_generated_columns="stored" if generated else "none",
            comment=comment,
        )

    def normal(self, model: Publication) -> Publication:
        """Return the normal form: lists without their order."""
        plain = super().normal(model)
        tables = (dataclasses.replace(each, columns=tuple(sorted(each.columns))) for each in plain.tables)
        return dataclasses.replace(
            plain,
            tables=tuple(sorted(tables, key=lambda each: (each.schema, each.name))),
            schemas=tuple(sorted(set(plain.schemas))),
            operations=tuple(each for each in _OPERATIONS if each in plain.operations),
        )

    # Order

    def uses(self, model: Publication) -> frozenset[Ref]:
        """Return the tables with the columns named, and the schemas."""
        found = super().uses(model) | {Ref("schema", name) for name in model.schemas}
        for each in model.tables:
            schema = self.dialect.normal_schema(each.schema)
            found |= {Ref("table", each.name, schema)}
            found |= {Ref("column", name, schema, each.name) for name in each.columns}
        return found | self.guesses(model)

    def guesses(self, model: Publication) -> frozenset[Ref]:
        """Return the functions and types that conditions may name."""
        found: set[Ref] = set()
        for each in model.tables:
            if each.where:
                found |= self.named_in(each.where)
        return frozenset(found)

    def follow(self, model: Publication, operation: Operation) -> Publication:
        """Return the publication as it is after a table, a column, a schema or its owner is renamed."""
        if isinstance(operation, RenameColumn):
            tables = tuple(
                _with_column_renamed(self.dialect, each, operation)
                if self._table(each) == operation.subject
                else each
                for each in model.tables
            )
            return dataclasses.replace(model, tables=tables)
        if isinstance(operation, Rename):
            old, new = operation.subject.name, operation.after.name
            if operation.subject.type == "table":
                tables = tuple(
                    dataclasses.replace(each, name=new) if self._table(each) == operation.subject else each
                    for each in model.tables
                )
                return dataclasses.replace(model, tables=tables)
            if operation.subject.type == "schema":
                schemas = tuple(new if name == old else name for name in model.schemas)
                tables = tuple(
                    dataclasses.replace(each, schema=new) if each.schema == old else each
                    for each in model.tables
                )
                return dataclasses.replace(model, schemas=schemas, tables=tables)
        return super().follow(model, operation)

    def _table(self, published: PublishedTable) -> Ref:
        return Ref("table", published.name, self.dialect.normal_schema(published.schema))

    # Change

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on tables that come or go."""
        model = operation.after if isinstance(operation, AlterObject) else getattr(operation, "model", None)
        changes = not isinstance(operation, AlterObject) or "tables" in operation.fields
        if model is None or not model.tables or not changes:
            return ""
        names = ", ".join(sorted(self._table(each).identity for each in model.tables))
        return f"SHARE UPDATE EXCLUSIVE on {names}"

    def address(self, model: Publication) -> str:
        """Return its quoted name: publications are in no schema."""
        return quote(model.name)

    def definition_sql(self, model: Publication, server: Server) -> Iterator[str]:
        """Yield CREATE PUBLICATION."""
        _verify(model, server)
        text = f"CREATE PUBLICATION {quote(model.name)}"
        if model.all_tables:
            text += " FOR ALL TABLES"
        elif objects := _objects(model.tables, model.schemas):
            text += f" FOR {objects}"
        defaults = Publication(name="")
        options = list(
            _options(
                model, [field for field in _OPTIONS if getattr(model, field) != getattr(defaults, field)]
            )
        )
        yield text + (f" WITH ({', '.join(options)})" if options else "")

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements; options change in one."""
        if not isinstance(operation, AlterObject):
            yield from super().statements(operation, live, server)
            return
        before, after, fields = self.normal(operation.before), self.normal(operation.after), operation.fields
        _verify(after, server)
        alter = f"ALTER PUBLICATION {quote(after.name)}"
        if {"tables", "schemas"}.intersection(fields):
            yield from (f"{alter} {change}" for change in self._members(before, operation.after))
        if options := list(_options(after, [field for field in _OPTIONS if field in fields])):
            yield f"{alter} SET ({', '.join(options)})"
        if "owner" in fields:
            yield self.owner_sql(after)
        if "comment" in fields:
            yield self.comment_sql(after)

    def _members(self, before: Publication, wanted: Publication) -> Iterator[str]:
        """Yield what leaves and what comes; a table with other columns or rows does both."""
        after = self.normal(wanted)
        old, new = (
            {self._table(each): each for each in before.tables},
            {self._table(each): each for each in after.tables},
        )
        written = {self._table(each): each for each in wanted.tables}
        gone = [each for ref, each in old.items() if new.get(ref) != each]
        come = [written[ref] for ref, each in new.items() if old.get(ref) != each]
        lost = [name for name in before.schemas if name not in after.schemas]
        gained = [name for name in after.schemas if name not in before.schemas]
        if gone or lost:
            yield f"DROP {_objects((dataclasses.replace(each, columns=(), where='') for each in gone), lost)}"
        if come or gained:
            yield f"ADD {_objects(come, gained)}"


_OPTIONS = ("operations", "publish_via_partition_root", "publish_generated_columns")

_COLUMNS = """array(SELECT a.attname::text FROM unnest(r.prattrs) AS k (number)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = k.number ORDER BY a.attnum),
    coalesce(pg_get_expr(r.prqual, r.prrelid), '')"""


def _options(model: Publication, fields: Iterable[str]) -> Iterator[str]:
    for field in fields:
        match field:
            case "operations":
                yield f"publish = '{', '.join(each.lower() for each in model.operations)}'"
            case "publish_via_partition_root":
                yield f"publish_via_partition_root = {str(model.publish_via_partition_root).lower()}"
            case _:
                yield f"publish_generated_columns = {model.publish_generated_columns.lower()}"


def _objects(tables: Iterable[PublishedTable], schemas: Iterable[str]) -> str:
    parts = []
    if listed := [_published(each) for each in tables]:
        parts.append(f"TABLE {', '.join(listed)}")
    if named := [quote(name) for name in schemas]:
        parts.append(f"TABLES IN SCHEMA {', '.join(named)}")
    return ", ".join(parts)


def _published(table: PublishedTable) -> str:
    text = f"ONLY {qualified(table.schema, table.name)}"
    if table.columns:
        text += f" ({', '.join(map(quote, table.columns))})"
    return text + (f" WHERE ({embedded(table.where)})" if table.where else "")


def _with_column_renamed(dialect: Any, table: PublishedTable, operation: RenameColumn) -> PublishedTable:
    old, new = operation.old, operation.new
    return dataclasses.replace(
        table,
        columns=tuple(new if name == old else name for name in table.columns),
        where=dialect.with_column_renamed(table.where, old, new),
    )


def _verify(model: Publication, server: Server) -> None:
    """Refuse what came with a later version. Raises ValidationError."""
    wanted = {
        "schemas": (15, bool(model.schemas)),
        "tables.columns": (15, any(each.columns for each in model.tables)),
        "tables.where": (15, any(each.where for each in model.tables)),
        "publish_generated_columns": (18, model.publish_generated_columns.lower() != "none"),
    }
    if problems := [
        Problem(
            f"{server.product} has no {path.replace('.', ' with ')} in publications",
            code="unsupported_by_server",
            path=path,
            resource=f"publication.{model.name}",
            hint=f"That came with version {major}: leave it out, or upgrade the server.",
        )
        for path, (major, asked) in wanted.items()
        if asked and not server.since(major)
    ]:
        raise ValidationError.of(problems)
