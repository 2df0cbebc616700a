"""The journal as a table of the managed database, for sessions whose steps commit one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from kolumn.contract.context import Context
from kolumn.engine.journal import JournalEntry, Status
from kolumn.engine.operations import Statement
from kolumn.engine.session import Session


class Home(Protocol):
    """What a table lives in where that is not always there, such as a schema."""

    def make(self, context: Context) -> None:
        """Make it if it is not there; called within a transaction."""

    def leave(self, context: Context) -> None:
        """Remove it if it was made for this and is empty; called within a transaction."""


class TableJournal:
    """Keeps its notes in `table`, a quoted name, made with the first note.

    `parameter` is how the driver writes a value's place: `?` or `%s`. `exists` is a query that returns a
    row when the table is there.
    """

    def __init__(
        self, session: Session, table: str, *, parameter: str, exists: Statement, home: Home | None = None
    ) -> None:
        self._session = session
        self._table = table
        self._parameter = parameter
        # Where values are marked with a percent sign, one in a name stands for itself only when doubled.
        self._escaped = table.replace("%", "%%") if "%" in parameter else table
        self._exists = exists
        self._home = home

    def unfinished(self, context: Context) -> tuple[JournalEntry, ...]:
        """Return the steps noted, in order; reading creates nothing."""
        if not self._session.query(context, self._exists):
            return ()
        rows = self._session.query(
            context,
            Statement(f"SELECT apply, number, description, status FROM {self._table} ORDER BY apply, number"),
        )
        return tuple(
            JournalEntry(str(apply), int(number), str(description), cast("Status", status))
            for apply, number, description, status in rows
        )

    def begin(self, context: Context, apply: str, descriptions: Sequence[str]) -> None:
        """Note all steps as pending, in one go, in place of what an interrupted apply left."""
        create = (
            f"CREATE TABLE IF NOT EXISTS {self._table} (apply VARCHAR(64) NOT NULL, number INTEGER NOT NULL, "
            "description TEXT NOT NULL, status VARCHAR(16) NOT NULL, PRIMARY KEY (apply, number))"
        )
        place = self._parameter
        insert = f"INSERT INTO {self._escaped} VALUES ({place}, {place}, {place}, 'pending')"
        with self._session.transaction(context, ()):
            if self._home is not None:
                self._home.make(context)
            self._session.run(context, [Statement(create), Statement(f"DELETE FROM {self._table}")])
            self._session.run(
                context,
                [
                    Statement(insert, (apply, number, description))
                    for number, description in enumerate(descriptions, 1)
                ],
            )

    def note(self, context: Context, apply: str, first: int, last: int, status: Status) -> None:
        """Note how far the steps from `first` to `last` are."""
        place = self._parameter
        update = (
            f"UPDATE {self._escaped} SET status = {place} "
            f"WHERE apply = {place} AND number BETWEEN {place} AND {place}"
        )
        with self._session.transaction(context, ()):
            self._session.run(context, [Statement(update, (status, apply, first, last))])

    def end(self, context: Context) -> None:
        """Drop the table, and its home with it: an apply that ended well leaves nothing behind."""
        with self._session.transaction(context, ()):
            self._session.run(context, [Statement(f"DROP TABLE IF EXISTS {self._table}")])
            if self._home is not None:
                self._home.leave(context)
