"""A PostgreSQL server to ask about its language: nothing done here stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row


class Sandbox:
    """One connection whose every statement is taken back."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection
        self.version = connection.info.server_version // 10000

    def ask(self, query: str, *parameters: Any) -> Any:
        """Return the first value of the first row."""
        row = self.rows(query, *parameters)[0]
        return row[0]

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return all rows. Errors are the driver's; what was done before in the transaction stands."""
        with self.connection.transaction():
            cursor = self.connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def fault(self, statement: str) -> str:
        """Return the server's message for a statement that fails, empty if it works; nothing stays."""
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(statement.encode())
        except psycopg.Error as error:
            return error.diag.message_primary or str(error)
        return ""


@contextmanager
def opened(url: str) -> Iterator[Sandbox]:
    """Open a connection in one transaction that is rolled back."""
    with psycopg.connect(url, row_factory=tuple_row) as connection:
        connection.execute("SET search_path = public")
        connection.execute("SET TimeZone = UTC")
        yield Sandbox(connection)
        connection.rollback()
