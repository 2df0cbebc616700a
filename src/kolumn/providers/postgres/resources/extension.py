"""Extensions (https://www.postgresql.org/docs/current/sql-createextension.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Operation
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.tokens import literal, quote
from kolumn.providers.postgres.reading import Reading

_PLPGSQL = ("plpgsql", "pg_catalog")
"""The extension every new database has, and its schema."""


@dataclass(frozen=True)
class Extension:
    """An extension. What it brings along is its own and is managed by nobody else."""

    name: str = attribute("Name of the extension", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute(
        "Schema of its objects; when left out where it wants to be itself, else public",
        default="",
        kept=True,
        grammar="schema",
    )
    version: str = attribute(
        "Version; when left out the server's default for a new extension, and whatever it has afterwards",
        default="",
        kept=True,
    )
    cascade: bool = attribute("Whether what it needs is created with it", default=False, hint=True)
    requires: tuple[str, ...] = attribute(
        "Extensions it needs, which are created before it", default=(), compare=False, grammar="identifier"
    )
    comment: str | None = attribute("Comment; the one it comes with when left out", default=None)
    has_default_version: bool = field(default=False, compare=False, kw_only=True)
    """Whether the live extension has the version a new one would get."""
    own_comment: str = field(default="", compare=False, kw_only=True)
    """The comment the live extension comes with."""
    relocatable: bool = field(default=True, compare=False, kw_only=True)
    """Whether the live extension can move to another schema."""


class ExtensionHandler(PostgresHandler[Extension]):
    """Extensions: created before everything but their schema, dropped after everything."""

    type = "extension"
    description = "An extension: types, functions and more that come as one"
    MODEL = Extension
    KEYWORD: ClassVar[str] = "EXTENSION"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"schema", "version", "comment"})
    PLACE: ClassVar[int] = -1

    def ref(self, model: Extension) -> Ref:
        """Return its name, which is unique in the database."""
        return Ref(self.type, model.name)

    def config(self, model: Extension) -> dict[str, Any]:
        """Return the configuration, without a version that a new extension would get anyway."""
        return super().config(replace(model, version="") if model.has_default_version else model)

    def uses(self, model: Extension) -> frozenset[Ref]:
        """Return its schema and the extensions it requires."""
        return super().uses(model) | {Ref(self.type, name) for name in model.requires}

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of pg_extension.

        The files of what is available are only looked at where there is more than plpgsql.
        """
        return {
            "extensions": """
WITH available AS MATERIALIZED (
    SELECT name, default_version, comment FROM pg_catalog.pg_available_extensions()
    WHERE EXISTS (SELECT FROM pg_catalog.pg_extension WHERE oid >= 16384)
)
SELECT e.oid, e.extname, n.nspname, e.extversion, coalesce(a.default_version = e.extversion, e.oid < 16384),
    array(
        SELECT r.extname::text FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension r ON r.oid = d.refobjid
        WHERE d.classid = 'pg_extension'::regclass AND d.objid = e.oid
            AND d.refclassid = 'pg_extension'::regclass
        ORDER BY 1
    ),
    coalesce(obj_description(e.oid, 'pg_extension'), ''),
    coalesce(a.comment, obj_description(e.oid, 'pg_extension'), ''),
    e.extrelocatable
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN available a ON a.name = e.extname
""",
            "extension_members": """
SELECT e.extname, d.classid::regclass::text, d.objid
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.objid >= 16384
    AND d.classid IN (
        'pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,
        'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_collation'::regclass,
        'pg_ts_config'::regclass, 'pg_ts_dict'::regclass)
""",
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the extensions; plpgsql counts only where it is named, unless somebody changed it.

        What depends on an object of an extension depends on the extension.
        """
        for extension, catalogue, oid in reading.rows["extension_members"]:
            reading.refs[catalogue, oid] = Ref(self.type, extension)
        for oid, name, schema, *rest in reading.rows["extensions"]:
            version, is_default, requires, comment, own, relocatable = rest
            row = (name, schema, version, is_default, tuple(requires), comment, own, relocatable)
            untouched = (name, schema) == _PLPGSQL and comment == own
            yield Entry(Ref(self.type, name), ("pg_extension", oid), row, aside=untouched)

    def build(self, entry: Entry) -> Extension:
        """Return the extension."""
        name, schema, version, is_default, requires, comment, own, relocatable = entry.row
        return Extension(
            name=name,
            schema=schema,
            version=version,
            requires=requires,
            comment=None if comment == own else comment,
            has_default_version=is_default,
            own_comment=own,
            relocatable=relocatable,
        )

    def replace(self, live: Extension, wanted: Extension) -> list[Operation]:
        """Return the change in place. Raises ValidationError for a move the extension does not support."""
        if wanted.comment is None and live.comment is not None:
            wanted = replace(wanted, comment=live.own_comment)
        moved = self.dialect.normal_schema(live.schema) != self.dialect.normal_schema(wanted.schema)
        if moved and not live.relocatable:
            raise ValidationError.of(
                [
                    Problem(
                        f"extension {live.name} cannot move to another schema",
                        code="not_relocatable",
                        path="schema",
                        resource=str(self.ref(live)),
                        hint=f'Write schema = "{live.schema}", or leave it out.',
                    )
                ]
            )
        return super().replace(live, wanted)

    def address(self, model: Extension) -> str:
        """Return its quoted name."""
        return quote(model.name)

    def definition_sql(self, model: Extension, server: Server) -> Iterator[str]:
        """Yield CREATE EXTENSION.

        Without a schema it is the extension's own choice, for which the search path has to name one.
        """
        options = f" SCHEMA {quote(model.schema)}" if model.schema else ""
        options += f" VERSION {literal(model.version)}" if model.version else ""
        options += " CASCADE" if model.cascade else ""
        if not model.schema:
            yield "SET LOCAL search_path = public"
        yield f"CREATE EXTENSION {quote(model.name)}{options}"
        if not model.schema:
            yield "SET LOCAL search_path TO DEFAULT"
        if model.comment == "":
            yield self.comment_sql(model)

    def alteration(self, field: str, before: Extension, after: Extension, server: Server) -> Iterator[str]:
        """Yield ALTER EXTENSION."""
        change = (
            f"SET SCHEMA {quote(after.schema)}"
            if field == "schema"
            else f"UPDATE TO {literal(after.version)}"
        )
        yield f"ALTER EXTENSION {quote(after.name)} {change}"
