"""Every test that asks for a server runs on each version that is tested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import psycopg
import pytest

from kolumn.providers.postgres.connection.session import PostgresSession
from tests.command import SOAK
from tests.providers.postgres.sessions import Other, opened
from tests.servers import postgres


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside a soak run take every second test of the older versions: the newest runs all of them."""
    older = [f"[pg{version}" for version in postgres.versions()[:-1]]

    def is_wanted(item: pytest.Item) -> bool:
        mine = item.path.parent == Path(__file__).parent
        if SOAK or not mine or not any(each in item.nodeid for each in older):
            return True
        return crc32(item.nodeid.encode()) % 2 == 0

    items[:] = [item for item in items if is_wanted(item)]


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
