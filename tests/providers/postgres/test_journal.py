"""The journal of an apply, and the schema it lives in."""

from __future__ import annotations

import pytest

from kolumn.engine.journal import journal_of
from kolumn.providers.postgres.connection.session import PostgresSession
from tests.providers.postgres.sessions import (
    FOREVER,
    Other,
    opened,
)


class TestJournal:
    @pytest.mark.parametrize("schema", ["kolumn", "Kol\"umn % 'notes'"])
    def test_it_leaves_nothing_behind(self, database: str, other: Other, schema: str) -> None:
        with opened(database, metadata_schema=schema) as session:
            journal = journal_of(session)
            assert journal is not None
            assert journal.unfinished(FOREVER) == ()
            journal.begin(FOREVER, "a", ["create t", "create i", "drop u"])
            journal.note(FOREVER, "a", 1, 2, "done")
            journal.note(FOREVER, "a", 3, 3, "started")
        with opened(database, metadata_schema=schema) as session:
            journal = journal_of(session)
            assert journal is not None
            found = [
                (each.apply, each.number, each.description, each.status)
                for each in journal.unfinished(FOREVER)
            ]
            assert found == [
                ("a", 1, "create t", "done"),
                ("a", 2, "create i", "done"),
                ("a", 3, "drop u", "started"),
            ]
            journal.begin(FOREVER, "b", ["again"])
            assert [each.apply for each in journal.unfinished(FOREVER)] == ["b"]
            journal.end(FOREVER)
            assert journal.unfinished(FOREVER) == ()
        names = other.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'")
        assert names.fetchall() == [("public",)]

    @pytest.mark.parametrize("theirs", ["before", "since"])
    def test_a_schema_that_others_use_stays(
        self, session: PostgresSession, other: Other, theirs: str
    ) -> None:
        if theirs == "before":
            other.execute("CREATE SCHEMA kolumn")
        journal = journal_of(session)
        assert journal is not None
        journal.begin(FOREVER, "a", ["create t"])
        if theirs == "since":
            other.execute("CREATE FUNCTION kolumn.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        journal.end(FOREVER)
        assert other.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'kolumn'").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM pg_class WHERE relname = 'journal'").fetchone() == (0,)
