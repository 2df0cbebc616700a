"""The schema that Kolumn's own tables live in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kolumn.contract.context import Context
from kolumn.engine.operations import Statement
from kolumn.providers.duckdb.language.tokens import quote

if TYPE_CHECKING:
    from kolumn.providers.duckdb.connection.session import DuckDBSession


class Home:
    """Makes the schema when it is needed, and removes it when nothing is in it any more."""

    def __init__(self, session: DuckDBSession, schema: str) -> None:
        self._session = session
        self._schema = schema

    def make(self, context: Context) -> None:
        """Make it if it is not there."""
        self._session.run(context, [Statement(f"CREATE SCHEMA IF NOT EXISTS {quote(self._schema)}")])

    def leave(self, context: Context) -> None:
        """Remove it if it is empty."""
        found = self._session.query(
            context,
            Statement(
                "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() "
                "AND lower(schema_name) = lower(?) LIMIT 1",
                (self._schema,),
            ),
        )
        if not found:
            self._session.run(context, [Statement(f"DROP SCHEMA IF EXISTS {quote(self._schema)}")])
