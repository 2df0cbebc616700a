"""Kolumn's own tables: in a database of their own, which comes and goes with them."""

from __future__ import annotations

from kolumn.contract.context import Context
from kolumn.contract.errors import PermissionError
from kolumn.engine.metadata import Table
from kolumn.engine.operations import Statement
from kolumn.engine.session import Session
from kolumn.providers.mysql.language.tokens import literal, quote
from kolumn.sql.metadata import TableMetadata


class MetadataDatabase:
    """The database of what Kolumn notes. Its names are compared exactly, as they are keys."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    def make(self, context: Context) -> None:
        """Make the database if it is not there. Raises PermissionError."""
        there = Statement("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (self._name,))
        if self._session.query(context, there):
            return
        text = f"CREATE DATABASE IF NOT EXISTS {quote(self._name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        try:
            self._session.run(context, [Statement(text)])
        except PermissionError as error:
            raise PermissionError(
                f"{error.message} What Kolumn notes is kept in the database {self._name}: have it made, with "
                "the right to create tables in it, or name another with metadata_schema.",
                code=error.code,
                details=error.details,
            ) from error

    def leave(self, context: Context) -> None:
        """Drop the database if it holds nothing any more."""
        text = (
            "SELECT 1 FROM information_schema.schemata s WHERE s.schema_name = %s AND NOT EXISTS "
            "(SELECT 1 FROM information_schema.tables t WHERE t.table_schema = s.schema_name)"
        )
        if self._session.query(context, Statement(text, (self._name,))):
            self._session.run(context, [Statement(f"DROP DATABASE IF EXISTS {quote(self._name)}")])


def mysql_metadata(session: Session, database: str) -> TableMetadata:
    """Return the tables kept in `database`."""
    return TableMetadata(
        session,
        lambda name: f"{quote(database)}.{quote(name)}",
        parameter="%s",
        exists=lambda name: _exists(database, name),
        home=MetadataDatabase(session, database),
        protect=lambda table: _protection(database, table),
        text_type="LONGTEXT",
    )


def _protection(database: str, table: Table) -> list[Statement]:
    """Return what makes the server refuse UPDATE and DELETE; TRUNCATE fires no trigger."""
    place = f"{quote(database)}.{quote(table.name)}"
    words = literal(f"{table.name} is append-only: its rows are neither changed nor removed")
    return [
        Statement(
            f"CREATE TRIGGER {quote(database)}.{quote(f'{table.name}_{event.lower()}')} BEFORE {event} ON {place} "
            f"FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = {words}"
        )
        for event in ("UPDATE", "DELETE")
    ]


def _exists(database: str, table: str) -> Statement:
    return Statement(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
        (database, table),
    )
