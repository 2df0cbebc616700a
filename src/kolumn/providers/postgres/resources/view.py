"""Views.

https://www.postgresql.org/docs/current/sql-createview.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Create, Drop, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.queries import common_table_names, extends
from kolumn.providers.postgres.language.readable import readable
from kolumn.providers.postgres.language.tokens import literal, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.sql.operations import AlterObject

QUERIES: Mapping[str, str] = {
    "views": f"""
SELECT c.oid, c.relkind::text, n.nspname, c.relname, pg_get_userbyid(c.relowner), pg_get_viewdef(c.oid),
    coalesce(c.reloptions, ARRAY[]::text[]), coalesce(s.spcname::text, ''), coalesce(m.amname::text, ''),
    c.relispopulated,
    array(
        SELECT ARRAY[
            a.attname::text, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation::text
        ]
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
    ),
    array(
        SELECT ARRAY[a.attname::text, pg_get_expr(d.adbin, d.adrelid)]
        FROM pg_catalog.pg_attrdef d
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = c.oid ORDER BY a.attnum
    ),
    array(
        SELECT ARRAY[
            a.attname::text,
            CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text ELSE '' END,
            CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text ELSE '' END,
            a.attcompression::text
        ]
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE c.relkind = 'm' AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND (a.attstattarget >= 0 OR a.attstorage <> t.typstorage OR a.attcompression <> '')
        ORDER BY a.attnum
    )
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE c.relkind IN ('v', 'm') AND {{user_schemas}} AND {not_a_member("pg_class", "c.oid")}
"""
}
"""Views and materialized views; an empty search path makes every name come with its schema."""


class ViewRow(NamedTuple):
    """A row of the query; without the oid, and with what is said about columns, it is an entry's row."""

    kind: str
    schema: str
    name: str
    owner: str
    definition: str
    options: list[str]
    tablespace: str
    access_method: str
    populated: bool
    shape: list[list[str]]
    defaults: list[list[str]]
    storage: list[list[str]]
    comment: str = ""
    comments: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, row: tuple[Any, ...], reading: Reading) -> ViewRow:
        """Return the row with its comments."""
        read = cls(*row[1:])
        comments = tuple(
            (column[0], text)
            for number, column in enumerate(read.shape, 1)
            if (text := reading.comment("pg_class", row[0], number))
        )
        return read._replace(comment=reading.comment("pg_class", row[0]), comments=comments)


def written(query: str) -> str:
    """Return a query of the catalogue as configuration has it: a line break in place of its semicolon."""
    return readable(query.rstrip().removesuffix(";").rstrip()) + "\n"


@dataclass(frozen=True)
class ViewColumn:
    """What is said about a column of a view besides what its query says."""

    name: str = attribute("Column name", validators=[NOT_EMPTY], grammar="column")
    default: str | None = attribute(
        "Default of what is inserted, as an expression", default=None, grammar="default"
    )
    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a column that nothing is said about."""
        if self.default is None and not self.comment:
            yield silent_column(self.name)


def silent_column(name: str) -> Problem:
    """Return the fault that nothing is said about a column."""
    return Problem(
        f"nothing is said about column {name}",
        code="missing_attribute",
        path="name",
        hint="To name the columns of a view give column_names, or name them in the query.",
    )


@dataclass(frozen=True)
class View:
    """A view."""

    name: str = attribute("View name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    definition: str = attribute("The query", validators=[NOT_EMPTY], grammar="query")
    column_names: tuple[str, ...] = attribute(
        "Names of the columns, as far as the query does not name them", default=(), grammar="identifier"
    )
    columns: tuple[ViewColumn, ...] = attribute("Defaults of and comments on columns", default=())
    check_option: str = attribute(
        "Whether changed rows must be visible through the view: local, or cascaded to the views below",
        default="",
        validators=[one_of("", "local", "cascaded")],
        grammar="keyword",
    )
    security_barrier: bool | str = attribute(
        "Whether its conditions come before those of who reads it", default=False
    )
    security_invoker: bool | str = attribute(
        "Whether the rights of who reads it count, not its owner's (PostgreSQL 15)", default=False
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")
    shape: tuple[tuple[str, ...], ...] = field(default=(), compare=False, repr=False, kw_only=True)
    """Name, type and collation of each column where the server has said it, else empty."""

    def verify(self) -> Iterator[Problem]:
        """Yield options that are neither true nor false."""
        for name in _SWITCHES:
            given = getattr(self, name)
            if str(given).lower() not in _BOOLEANS:
                yield Problem(f"{name} must be true or false", code="wrong_type", path=name)


_SWITCHES = ("security_barrier", "security_invoker")
_BOOLEANS = frozenset({"true", "false", "on", "off", "yes", "no", "1", "0"})

V = TypeVar("V", bound=Any)


class QueryHandler(PostgresHandler[V]):
    """What views and materialized views have in common: a query, and columns that follow from it."""

    RELKIND: ClassVar[str]

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of views and materialized views."""
        return QUERIES

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the views of this kind."""
        for row in reading.rows["views"]:
            if row[1] == self.RELKIND:
                read = ViewRow.of(row, reading)
                ref = Ref(self.type, read.name, self.dialect.normal_schema(read.schema))
                yield Entry(ref, ("pg_class", row[0]), read)

    def uses(self, model: V) -> frozenset[Ref]:
        """Return the schema and what the query and the defaults mention, other than the view itself."""
        return super().uses(model) | self._mentioned(model)

    def guesses(self, model: V) -> frozenset[Ref]:
        """Return what may be something else: all but relations, and those called like a part of the query."""
        relations, parts = self.dialect.relation_types, common_table_names(model.definition)
        return frozenset(
            ref
            for ref in self._mentioned(model)
            if ref.type not in relations or (ref.name in parts and not ref.schema)
        )

    def _mentioned(self, model: V) -> frozenset[Ref]:
        texts = [model.definition, *(getattr(each, "default", None) or "" for each in model.columns)]
        found = self.relations_in(model.definition).union(*(self.named_in(text) for text in texts if text))
        return found - {self.ref(model), *self.aliases(model)}

    def worded(self, wanted: V, rehearsed: V, found: V, known: frozenset[str]) -> V:
        """Return `wanted` as the server words it, with the columns it has."""
        settled = super().worded(wanted, rehearsed, found, known)
        changes: dict[str, Any] = {"shape": found.shape}
        if settled.definition == found.definition:
            changes["column_names"] = ()
        return dataclasses.replace(settled, **changes)

    def column_comment_sql(self, model: V, column: str, text: str) -> str:
        """Return the statement that sets the comment on a column, or takes it away."""
        said = literal(text) if text else "NULL"
        return f"COMMENT ON COLUMN {self.address(model)}.{quote(column)} IS {said}"

    def names_sql(self, model: V) -> str:
        """Return the list of column names, with a space before it, empty where the query names them."""
        return f" ({', '.join(map(quote, model.column_names))})" if model.column_names else ""

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on the view."""
        if isinstance(operation, Create):
            return ""
        return f"ACCESS EXCLUSIVE on {operation.subject}"


class ViewHandler(QueryHandler[View]):
    """Views: replaced in place where only columns are added behind those it has."""

    type = "view"
    description = "A view: a query with a name"
    MODEL = View
    KEYWORD: ClassVar[str] = "VIEW"
    NAMESPACE: ClassVar[str] = "relation"
    RELKIND: ClassVar[str] = "v"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"owner", "comment", "columns", "check_option", *_SWITCHES}
    )

    def build(self, entry: Entry) -> View:
        """Return the view."""
        row = ViewRow(*entry.row)
        options = dict(option.partition("=")[::2] for option in row.options)
        defaults, comments = dict(row.defaults), dict(row.comments)
        return View(
            name=row.name,
            schema=self.dialect.normal_schema(row.schema),
            definition=written(row.definition),
            columns=tuple(
                ViewColumn(name=name, default=defaults.get(name), comment=comments.get(name, ""))
                for name, *_ in row.shape
                if name in defaults or name in comments
            ),
            check_option=options.get("check_option", ""),
            security_barrier=_switch(options.get("security_barrier")),
            security_invoker=_switch(options.get("security_invoker")),
            owner=row.owner,
            comment=row.comment,
            shape=tuple(map(tuple, row.shape)),
        )

    def normal(self, model: View) -> View:
        """Return the normal form; the order in which columns are spoken of says nothing."""
        normal = super().normal(model)
        columns = tuple(sorted(normal.columns, key=lambda column: column.name))
        return dataclasses.replace(
            normal,
            columns=columns,
            security_barrier=_option(model.security_barrier),
            security_invoker=_option(model.security_invoker),
        )

    def changes_in_place(self, before: View, after: View, fields: tuple[str, ...]) -> bool:
        """Whether ALTER VIEW and CREATE OR REPLACE VIEW can make the change."""
        return self.IN_PLACE.issuperset(set(fields) - _QUERY) and (
            _QUERY.isdisjoint(fields) or _keeps_columns(before, after)
        )

    def definition_sql(self, model: View, server: Server) -> Iterator[str]:
        """Yield CREATE VIEW, and what is said about its columns."""
        yield self._view_sql(model, "CREATE VIEW")
        yield from self._columns_sql(dataclasses.replace(model, columns=()), model)

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation; a replacement brings the options along."""
        match operation:
            case AlterObject(before=before, after=after, fields=fields) if not _QUERY.isdisjoint(fields):
                if not _keeps_columns(self.normal(before), self.normal(after)):
                    yield from super().statements(_drop(operation), live, server)
                    yield from super().statements(_create(operation), live, server)
                    return
                yield self._view_sql(after, "CREATE OR REPLACE VIEW")
                rest = tuple(each for each in fields if each in ("owner", "comment", "columns"))
                yield from super().statements(dataclasses.replace(operation, fields=rest), live, server)
            case _:
                yield from super().statements(operation, live, server)

    def alteration(self, field: str, before: View, after: View, server: Server) -> Iterator[str]:
        """Yield the statements that change columns or an option."""
        if field == "columns":
            yield from self._columns_sql(before, after)
            return
        option = _option(getattr(after, field))
        change = f"SET ({field}={option})" if option else f"RESET ({field})"
        yield f"ALTER VIEW {self.address(after)} {change}"

    def _view_sql(self, model: View, words: str) -> str:
        given = ((name, _option(getattr(model, name))) for name in _SWITCHES)
        options = ", ".join(f"{name}={option}" for name, option in given if option)
        head = f"{words} {self.address(model)}{self.names_sql(model)}"
        if options:
            head += f" WITH ({options})"
        query = embedded(model.definition)
        check = f"\nWITH {model.check_option.upper()} CHECK OPTION" if model.check_option else ""
        return f"{head} AS\n{query}{check}"

    def _columns_sql(self, before: View, after: View) -> Iterator[str]:
        mine = {column.name: column for column in before.columns}
        theirs = {column.name: column for column in after.columns}
        for name in {**mine, **theirs}:
            old, new = mine.get(name, _NOTHING_SAID), theirs.get(name, _NOTHING_SAID)
            if old.default != new.default:
                change = "DROP DEFAULT" if new.default is None else f"SET DEFAULT ({embedded(new.default)})"
                yield f"ALTER VIEW {self.address(after)} ALTER COLUMN {quote(name)} {change}"
            if old.comment != new.comment:
                yield self.column_comment_sql(after, name, new.comment)

    def part(self, model: View, part: Ref) -> str | None:
        """Return the default of a column."""
        if part.type != "default":
            return None
        return next((column.default for column in model.columns if column.name == part.name), None)

    def without(self, model: View, part: Ref) -> View:
        """Return the view without the default of a column."""
        if self.part(model, part) is None:
            return model
        bare = (
            dataclasses.replace(column, default=None) if column.name == part.name else column
            for column in model.columns
        )
        return dataclasses.replace(
            model, columns=tuple(each for each in bare if each.default or each.comment)
        )

    def with_part(self, model: View, part: Ref, source: View) -> View:
        """Return the view with the default of a column as `source` has it."""
        default = self.part(source, part)
        if self.part(model, part) is None or default is None:
            return model
        columns = (
            dataclasses.replace(column, default=default) if column.name == part.name else column
            for column in model.columns
        )
        return dataclasses.replace(model, columns=tuple(columns))


_QUERY = frozenset({"definition", "column_names"})
_NOTHING_SAID = ViewColumn(name="-")


def _switch(option: str | None) -> bool | str:
    """Return an option of the catalogue as an attribute: a text only where it says true in another way."""
    return option is not None and (option == "true" or option)


def _option(value: bool | str) -> str:
    """Return an attribute as the catalogue has it, empty for an option that is not given."""
    return ("true" if value else "") if isinstance(value, bool) else value.lower()


def _keeps_columns(before: View, after: View) -> bool:
    """Whether the columns of `before` are the first of `after`; both in normal form."""
    if before.shape and after.shape:
        return after.shape[: len(before.shape)] == before.shape
    return before.column_names == after.column_names and extends(before.definition, after.definition)


def _drop(operation: AlterObject) -> Drop:
    return Drop(subject=operation.subject, model=operation.before)


def _create(operation: AlterObject) -> Create:
    return Create(subject=operation.subject, model=operation.after)
