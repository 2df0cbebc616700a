"""Databases for the tests of resource types: what psql is for a person, and Kolumn working on them."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from kolumn.providers.postgres import PostgresProvider
from tests.client import Client, wanted
from tests.servers import postgres


class Database:
    """One database of a server, looked at and worked on by hand."""

    def __init__(self, server: postgres.Server, url: str) -> None:
        self.server = server
        self.url = url
        self.version = server.version

    def run(self, *statements: str) -> None:
        """Run statements as a superuser, each by itself."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
                connection.execute("RESET ROLE")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.url, autocommit=True, row_factory=tuple_row) as connection:
            return connection.execute(query.encode()).fetchall()

    def one(self, query: str) -> Any:
        """Return the first value of the only row."""
        ((value, *_),) = self.rows(query)
        return value

    def dump(self, *options: str) -> str:
        """Return the schema with owners and privileges as pg_dump has it, without Kolumn's own notes."""
        text = self.server.programs.run(
            "pg_dump", "--schema-only", "--exclude-schema=kolumn", *options, self.url
        )
        return re.sub(r"\n{2,}", "\n", re.sub(r"(?m)^(--.*|\\(un)?restrict .*)$", "", text))

    def kolumn(self, user: str = "", **settings: object) -> Client:
        """Return Kolumn connected to it, as a superuser unless a user is named, who then keeps no audit trail."""
        url = self.server.url_of(self.url.rpartition("/")[2], user) if user else self.url
        return Client(PostgresProvider()).configure(
            {"url": url, "safe_destroy": False, "audit": not user, **settings}
        )


@contextlib.contextmanager
def database(server: postgres.Server, *statements: str) -> Iterator[Database]:
    """Make a database, and in it what the statements say; drop it afterwards."""
    with server.database("kolumn_access") as url:
        made = Database(server, url)
        made.run(*statements)
        yield made


@contextlib.contextmanager
def roles(server: postgres.Server, *names: str) -> Iterator[tuple[str, ...]]:
    """Make roles whose names begin so; yield their names and drop them afterwards.

    What they own or have in databases must be gone by then.
    """
    end = uuid.uuid4().hex[:8]
    found = tuple(f"{name}_{end}" for name in names)
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name in found:
            connection.execute(psycopg.sql.SQL("CREATE ROLE {}").format(psycopg.sql.Identifier(name)))
    try:
        yield found
    finally:
        drop_roles(server, *found)


def drop_roles(server: postgres.Server, *names: str) -> None:
    """Drop the roles that are there."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name in names:
            quoted = psycopg.sql.Identifier(name)
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None:
                connection.execute(psycopg.sql.SQL("DROP OWNED BY {}").format(quoted))
                connection.execute(psycopg.sql.SQL("DROP ROLE {}").format(quoted))


def imported(client: Client, *types: str) -> list[Mapping[str, Any]]:
    """Return what an import of everything, or of some types, would write, as requests to create it."""
    found = []
    for kind in types or ("",):
        found += client.done("DiscoverResources", {"resource_type": kind} if kind else {})["resources"]
    return [wanted(each["type"], each["name"], each.get("config", {})) for each in found]


def apply(client: Client, *resources: Mapping[str, Any], **options: Any) -> Any:
    """Apply, and see that a second plan then has nothing to do; return the plan."""
    plan = client.plan(*resources, detail=True, **options)
    client.apply(*resources, detail=True, **options)
    again = client.plan(*resources, detail=True, **options)
    assert not again.get("steps"), again["steps"]
    return plan


def statements(answer: Any) -> list[str]:
    """Return the statements of a plan."""
    return [text for step in answer.get("steps", ()) for text in step["sql"]]
