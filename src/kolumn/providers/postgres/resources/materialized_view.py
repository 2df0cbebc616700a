"""Materialized views.

https://www.postgresql.org/docs/current/sql-creatematerializedview.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Create, Operation, Risk, Statement
from kolumn.engine.resource import Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.parameters import NONE, Parameters
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.resources.view import QueryHandler, ViewRow, silent_column, written

_STORAGES = {"p": "plain", "e": "external", "x": "extended", "m": "main"}
_COMPRESSIONS = {"p": "pglz", "l": "lz4"}
_DEFAULT_ACCESS_METHOD = "heap"


@dataclass(frozen=True)
class MaterializedColumn:
    """What is said about a column of a materialized view besides what its query says."""

    name: str = attribute("Column name", validators=[NOT_EMPTY], grammar="column")
    statistics: int | None = attribute("Statistics target; the server's default when left out", default=None)
    storage: str = attribute(
        "Storage other than the type's own",
        default="",
        validators=[one_of("", *_STORAGES.values())],
        grammar="keyword",
    )
    compression: str = attribute(
        "Compression other than the server's default",
        default="",
        validators=[one_of("", *_COMPRESSIONS.values())],
        grammar="keyword",
    )
    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a column that nothing is said about."""
        if self == MaterializedColumn(name=self.name):
            yield silent_column(self.name)


@dataclass(frozen=True)
class MaterializedView:
    """A materialized view."""

    name: str = attribute("Name of the materialized view", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    definition: str = attribute("The query", validators=[NOT_EMPTY], grammar="query")
    column_names: tuple[str, ...] = attribute(
        "Names of the columns, as far as the query does not name them", default=(), grammar="identifier"
    )
    columns: tuple[MaterializedColumn, ...] = attribute("Storage of and comments on columns", default=())
    with_data: bool = attribute(
        "Whether it is filled when it is created; whether it is now does not matter", default=True
    )
    parameters: Mapping[str, Any] = attribute("Storage parameters, e.g. fillfactor", default=NONE)
    tablespace: str = attribute("Tablespace; the database's when left out", default="", grammar="identifier")
    access_method: str = attribute("Table access method", default="heap", grammar="identifier")
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")
    shape: tuple[tuple[str, ...], ...] = field(default=(), compare=False, repr=False, kw_only=True)
    """Name, type and collation of each column where the server has said it, else empty."""

    def __post_init__(self) -> None:
        if not isinstance(self.parameters, Parameters):
            object.__setattr__(self, "parameters", Parameters(self.parameters))

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be a storage parameter."""
        assert isinstance(self.parameters, Parameters)
        yield from self.parameters.problems("parameters")


class MaterializedViewHandler(QueryHandler[MaterializedView]):
    """Materialized views; one with another query is dropped and created, and so computed anew."""

    type = "materialized_view"
    description = "A materialized view: the rows of a query, kept until it is refreshed"
    MODEL = MaterializedView
    KEYWORD: ClassVar[str] = "MATERIALIZED VIEW"
    NAMESPACE: ClassVar[str] = "relation"
    RELKIND: ClassVar[str] = "m"
    PLACE: ClassVar[int] = 1
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"owner", "comment", "columns", "parameters", "tablespace"}
    )

    def build(self, entry: Entry) -> MaterializedView:
        """Return the materialized view."""
        row = ViewRow(*entry.row)
        comments, storage = dict(row.comments), {name: rest for name, *rest in row.storage}
        return MaterializedView(
            name=row.name,
            schema=self.dialect.normal_schema(row.schema),
            definition=written(row.definition),
            columns=tuple(
                _column(name, storage.get(name, ["", "", ""]), comments.get(name, ""))
                for name, *_ in row.shape
                if name in storage or name in comments
            ),
            with_data=row.populated,
            parameters=Parameters.read(row.options),
            tablespace=row.tablespace,
            access_method=row.access_method,
            owner=row.owner,
            comment=row.comment,
            shape=tuple(map(tuple, row.shape)),
        )

    def normal(self, model: MaterializedView) -> MaterializedView:
        """Return the normal form, in which it does not matter whether the view is filled."""
        normal = super().normal(model)
        columns = tuple(sorted(normal.columns, key=lambda column: column.name))
        return dataclasses.replace(normal, columns=columns, with_data=True)

    def rehearsed(self, wanted: MaterializedView, scratch: str) -> MaterializedView | None:
        """Return the view as it is made to see how the server words it: empty, and nowhere in particular."""
        found = super().rehearsed(wanted, scratch)
        return found and dataclasses.replace(
            found, with_data=False, columns=(), tablespace="", parameters=NONE, access_method="heap"
        )

    def definition_sql(self, model: MaterializedView, server: Server) -> Iterator[str]:
        """Yield CREATE MATERIALIZED VIEW, and what is said about its columns."""
        head = f"CREATE MATERIALIZED VIEW {self.address(model)}{self.names_sql(model)}"
        if model.access_method != _DEFAULT_ACCESS_METHOD:
            head += f" USING {quote(model.access_method)}"
        assert isinstance(model.parameters, Parameters)
        if model.parameters:
            head += f" WITH ({model.parameters.sql()})"
        if model.tablespace:
            head += f" TABLESPACE {quote(model.tablespace)}"
        data = "" if model.with_data else "\nWITH NO DATA"
        yield f"{head} AS\n{embedded(model.definition)}{data}"
        yield from self._columns_sql(dataclasses.replace(model, columns=()), model, server)

    def alteration(
        self, field: str, before: MaterializedView, after: MaterializedView, server: Server
    ) -> Iterator[str | Statement]:
        """Yield the statements that change columns, storage parameters or the tablespace."""
        alter = f"ALTER MATERIALIZED VIEW {self.address(after)}"
        match field:
            case "columns":
                yield from self._columns_sql(before, after, server)
            case "parameters":
                assert isinstance(before.parameters, Parameters)
                assert isinstance(after.parameters, Parameters)
                for change in before.parameters.changes(after.parameters):
                    yield f"{alter} {change}"
            case "tablespace":
                yield f"{alter} SET TABLESPACE {quote(after.tablespace or 'pg_default')}"
            case _:
                yield from super().alteration(field, before, after, server)

    def _columns_sql(
        self, before: MaterializedView, after: MaterializedView, server: Server
    ) -> Iterator[str]:
        mine = {column.name: column for column in before.columns}
        theirs = {column.name: column for column in after.columns}
        for name in {**mine, **theirs}:
            old, new = mine.get(name, _PLAIN), theirs.get(name, _PLAIN)
            alter = f"ALTER MATERIALIZED VIEW {self.address(after)} ALTER COLUMN {quote(name)} SET"
            if old.statistics != new.statistics:
                yield f"{alter} STATISTICS {-1 if new.statistics is None else new.statistics}"
            if old.storage != new.storage:
                usual = "DEFAULT" if server.since(16) else _usual_storage(before, name)
                yield f"{alter} STORAGE {new.storage.upper() or usual}"
            if old.compression != new.compression:
                yield f"{alter} COMPRESSION {new.compression or 'default'}"
            if old.comment != new.comment:
                yield self.column_comment_sql(after, name, new.comment)

    def risks(self, operation: Operation, live: Snapshot) -> Iterable[Risk]:
        """Yield that a query runs again, and that moving copies every row."""
        name = operation.subject.identity
        match operation:
            case Create(subject=subject, model=model) if live.digest(subject) and model.with_data:
                yield Risk(
                    "long_lock",
                    f"computes materialized view {name} anew: nobody reads it for as long as its query takes",
                )
            case _ if "tablespace" in getattr(operation, "fields", ()):
                yield Risk("table_rewrite", f"copies all of materialized view {name} to another tablespace")


_PLAIN = MaterializedColumn(name="-")


def _usual_storage(live: MaterializedView, column: str) -> str:
    """Return how PostgreSQL stores large values of a column's type unless told otherwise."""
    kind = next((column_type for name, column_type, *_ in live.shape if name == column), "")
    return "MAIN" if kind.startswith(("numeric", "inet", "cidr")) else "EXTENDED"


def _column(name: str, storage: list[str], comment: str) -> MaterializedColumn:
    statistics, kind, compression = storage
    return MaterializedColumn(
        name=name,
        statistics=int(statistics) if statistics else None,
        storage=_STORAGES.get(kind, ""),
        compression=_COMPRESSIONS.get(compression, ""),
        comment=comment,
    )
