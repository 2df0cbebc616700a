"""Every test that asks for a server runs on each version that is tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
