"""Every test that asks for a server runs on each version that is tested."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from kolumn.providers.postgres.connection.session import PostgresSession
from tests.providers.postgres.sessions import Other, opened
from tests.servers import postgres


@pytest.fixture(scope="session", params=postgres.versions(), ids=lambda version: f"pg{version}")
def server(request: pytest.FixtureRequest) -> postgres.Server:
    """A running server."""
    return postgres.server(request.param)


@pytest.fixture
def database(server: postgres.Server) -> Iterator[str]:
    """The url of an empty database, dropped afterwards."""
    with server.database() as url:
        yield url


@pytest.fixture
def session(database: str) -> Iterator[PostgresSession]:
    """A session on that database."""
    with opened(database) as session:
        yield session


@pytest.fixture
def other(database: str) -> Iterator[Other]:
    """Somebody else who is connected to it."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
