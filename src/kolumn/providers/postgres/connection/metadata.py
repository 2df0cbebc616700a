"""Kolumn's own tables in a PostgreSQL database: they live in the metadata schema, which comes and goes with them."""

from __future__ import annotations

from kolumn.contract.context import Context
from kolumn.contract.errors import PermissionError
from kolumn.engine.metadata import Table
from kolumn.engine.operations import Statement
from kolumn.engine.session import Session
from kolumn.sql.metadata import TableMetadata

_OURS = "Notes of Kolumn, dropped when it is empty."
"""The comment on a schema that was made for this: it tells so even after a crash."""

_IS_LEFT = """
SELECT 1 FROM pg_catalog.pg_namespace n
WHERE n.nspname = %s AND pg_catalog.obj_description(n.oid, 'pg_namespace') = %s AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid)
"""


_REFUSE = """
CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: its rows are neither changed nor removed', TG_RELID::regclass
    USING ERRCODE = 'restrict_violation';
END $$
"""
"""Also for a superuser, and where session_replication_role keeps other triggers quiet (ENABLE ALWAYS)."""


class MetadataSchema:
    """The schema of what Kolumn notes in the database."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        quoted = name.replace('"', '""')
        self.quoted = f'"{quoted}"'

    def make(self, context: Context) -> None:
        """Make the schema if it is not there. Raises PermissionError."""
        there = Statement("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (self._name,))
        if not self._session.query(context, there):
            made = [f"CREATE SCHEMA {self.quoted}", f"COMMENT ON SCHEMA {self.quoted} IS '{_OURS}'"]
            try:
                self._session.run(context, list(map(Statement, made)))
            except PermissionError as error:
                raise PermissionError(
                    f"{error.message} What Kolumn notes in the database is kept in schema {self._name}: have it "
                    "made, with the right to create tables in it, or name another with metadata_schema.",
                    code=error.code,
                    details=error.details,
                ) from error

    def leave(self, context: Context) -> None:
        """Drop the schema if it was made here and holds nothing."""
        if self._session.query(context, Statement(_IS_LEFT, (self._name, _OURS))):
            self._session.run(context, [Statement(f"DROP SCHEMA {self.quoted}")])


def postgres_metadata(session: Session, schema: str) -> TableMetadata:
    """Return the tables kept in `schema`."""
    home = MetadataSchema(session, schema)
    return TableMetadata(
        session,
        lambda name: f"{home.quoted}.{name}",
        parameter="%s",
        exists=lambda name: _exists(schema, name),
        home=home,
        protect=lambda table: _protection(home.quoted, table),
    )


def _protection(schema: str, table: Table) -> list[Statement]:
    """Return what makes the server refuse UPDATE, DELETE and TRUNCATE."""
    return [
        Statement(_REFUSE.format(schema=schema)),
        Statement(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{table.name} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()"
        ),
        Statement(f"ALTER TABLE {schema}.{table.name} ENABLE ALWAYS TRIGGER append_only"),
    ]


def _exists(schema: str, table: str) -> Statement:
    return Statement(
        "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = %s", (schema, table)
    )
