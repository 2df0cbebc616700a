"""The journal of a PostgreSQL database: a table in the metadata schema, which comes and goes with it."""

from __future__ import annotations

from kolumn.contract.context import Context
from kolumn.contract.errors import PermissionError
from kolumn.engine.operations import Statement
from kolumn.engine.session import Session
from kolumn.sql.journal import TableJournal

_OURS = "Notes of Kolumn, dropped when it is empty."
"""The comment on a schema that was made for the journal: it tells so even after a crash."""

_IS_LEFT = """
SELECT 1 FROM pg_catalog.pg_namespace n
WHERE n.nspname = %s AND pg_catalog.obj_description(n.oid, 'pg_namespace') = %s AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid)
"""


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
                    f"{error.message} The steps of this apply are noted in schema {self._name} while it "
                    "lasts: have it made, with the right to create tables in it, or name another with "
                    "metadata_schema.",
                    code=error.code,
                    details=error.details,
                ) from error

    def leave(self, context: Context) -> None:
        """Drop the schema if it was made here and holds nothing."""
        if self._session.query(context, Statement(_IS_LEFT, (self._name, _OURS))):
            self._session.run(context, [Statement(f"DROP SCHEMA {self.quoted}")])


def postgres_journal(session: Session, schema: str) -> TableJournal:
    """Return the journal kept in the table `journal` of `schema`."""
    home = MetadataSchema(session, schema)
    exists = Statement(
        "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = 'journal'", (schema,)
    )
    return TableJournal(session, f"{home.quoted}.journal", parameter="%s", exists=exists, home=home)
