"""Kolumn's own tables: in a schema of their own, which comes and goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kolumn.contract.context import Context
from kolumn.engine.metadata import Table
from kolumn.engine.operations import Statement
from kolumn.providers.duckdb.language.tokens import folded, full_name, literal, quote
from kolumn.sql.metadata import TableMetadata

if TYPE_CHECKING:
    from kolumn.providers.duckdb.connection.session import DuckDBSession

ATTACHED = "attached"
"""The table that remembers which files are attached: DuckDB itself forgets when the file is closed."""


class MetadataSchema:
    """The schema of what Kolumn notes."""

    def __init__(self, session: DuckDBSession, name: str) -> None:
        self._session = session
        self._name = name

    def make(self, context: Context) -> None:
        """Make the schema if it is not there."""
        self._session.run(context, [Statement(f"CREATE SCHEMA IF NOT EXISTS {quote(self._name)}")])

    def leave(self, context: Context) -> None:
        """Remove the schema if no table is in it."""
        text = (
            "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() "
            f"AND {folded('schema_name')} = {folded('?')} LIMIT 1"
        )
        if not self._session.query(context, Statement(text, (self._name,))):
            self._session.run(context, [Statement(f"DROP SCHEMA IF EXISTS {quote(self._name)}")])


def duckdb_metadata(session: DuckDBSession, schema: str) -> TableMetadata:
    """Return the tables kept in `schema`."""
    return TableMetadata(
        session,
        lambda name: full_name(schema, name),
        parameter="?",
        exists=lambda name: table_exists(schema, name),
        home=MetadataSchema(session, schema),
        protect=lambda table: _protection(schema, table),
    )


def table_exists(schema: str, name: str) -> Statement:
    """Return the query that has a row if there is a table `name`, spelled exactly so, in `schema`."""
    return Statement(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() "
        f"AND {folded('schema_name')} = {folded('?')} AND table_name = ?",
        (schema, name),
    )


def _protection(schema: str, table: Table) -> list[Statement]:
    """Return what makes DuckDB refuse UPDATE and DELETE: triggers that fail.

    A trigger cannot write to its own table, so there is one that it seems to write to.
    """
    refusals = full_name(schema, f"{table.name}_refused")
    words = literal(f"{schema}.{table.name} is append-only: its rows are neither changed nor removed")
    return [
        Statement(f"CREATE TABLE IF NOT EXISTS {refusals} (words VARCHAR)"),
        *(
            Statement(
                f"CREATE TRIGGER {table.name}_{event.lower()} AFTER {event} ON "
                f"{full_name(schema, table.name)} FOR EACH STATEMENT "
                f"INSERT INTO {refusals} SELECT error({words})"
            )
            for event in ("UPDATE", "DELETE")
        ),
    ]
