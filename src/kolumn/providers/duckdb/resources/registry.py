"""DuckDB's resource types, and those it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.engine.handler import Handler
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.model import DuckDBIndex, DuckDBSchema
from kolumn.providers.duckdb.resources.attached import AttachedDatabaseHandler
from kolumn.providers.duckdb.resources.function import FunctionHandler
from kolumn.providers.duckdb.resources.secret import SecretHandler
from kolumn.providers.duckdb.resources.sequence import SequenceHandler
from kolumn.providers.duckdb.resources.table import DuckDBTableHandler
from kolumn.providers.duckdb.resources.user_type import TypeHandler
from kolumn.providers.duckdb.resources.view import DuckDBViewHandler, StageHandler
from kolumn.sql import handlers as sql

_NOBODY = "it knows no users: who may open the file decides; set the permissions of the file and its folder."

REFUSED: Mapping[str, str] = {
    "user": _NOBODY,
    "role": _NOBODY,
    "grant": _NOBODY,
    "policy": "it knows no users; put what others may see in a file of its own, or in views.",
    "procedure": "it runs no procedures; write the logic in a macro (function) or the application.",
    "aggregate": "aggregates are built in; write a macro (function) over them.",
    "trigger": "what follows a change is the application's to do; a trigger made by hand stays with its table.",
    "materialized_view": "use a table that is filled from the query, or a view.",
    "database": "a database is a file: set its path in the provider block; further files are of type "
    "attached_database.",
    "enum": 'enums are of type `type`: values = ["new", "done"].',
    "domain": "restrict the column with a check; a name for a type is of type `type`.",
    "extension": "extensions belong to the installation: list what to load in the provider block, as extensions.",
    "partition": "tables are not partitioned; files are: read them as a stage with a pattern.",
    "warehouse": "it runs inside the process that opens the file: set memory_limit and threads there.",
}


class DuckDBIndexHandler(sql.IndexHandler):
    """Indexes of their own, not those that constraints bring."""

    IN_PLACE = frozenset({"comment"})

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(DuckDBIndex, dialect)


class DuckDBSchemaHandler(sql.SchemaHandler):
    """Schemas."""

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(DuckDBSchema, dialect)


def handlers() -> Iterator[Handler[Any]]:
    """Yield the handlers of DuckDB's resource types."""
    dialect = DuckDBDialect()
    yield DuckDBSchemaHandler(dialect)
    yield TypeHandler(dialect)
    yield SequenceHandler(dialect)
    yield FunctionHandler(dialect)
    yield DuckDBTableHandler(dialect)
    yield DuckDBIndexHandler(dialect)
    yield DuckDBViewHandler(dialect)
    yield StageHandler(dialect)
    yield SecretHandler(dialect)
    yield AttachedDatabaseHandler(dialect)
