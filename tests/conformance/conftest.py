"""One provider after the other, each on a database of its own that is fresh and empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kolumn.host.providers import load
from tests.client import Client
from tests.targets import TARGETS, Settings, Target


@pytest.fixture(params=sorted(TARGETS))
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = TARGETS[request.param]
    if reason := found.skip():
        pytest.skip(f"{found.provider}: {reason} ({found.variable} names another server)")
    return found


@pytest.fixture
def settings(target: Target, tmp_path: Path) -> Iterator[Settings]:
    with target.fresh(tmp_path / "database") as found:
        yield found


@pytest.fixture
def connect(target: Target) -> Iterator[Callable[[Settings], Client]]:
    """Return a function that gives one more configured provider."""
    opened: list[Client] = []

    def open_one(settings: Settings) -> Client:
        opened.append(Client(load(target.provider)))
        return opened[-1].configure(settings)

    yield open_one
    for client in opened:
        client.provider.close()


@pytest.fixture
def client(settings: Settings, connect: Callable[[Settings], Client]) -> Client:
    return connect(settings)
