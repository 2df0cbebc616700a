"""Both servers, each with a database of its own for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kolumn.providers.mysql import MySQLProvider
from tests.client import Client
from tests.servers import mysql
from tests.targets.mysql import TARGETS

Connect = Callable[..., Client]


@pytest.fixture(params=mysql.PRODUCTS)
def product(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(product: str, tmp_path: Any) -> Iterator[dict[str, Any]]:
    with TARGETS[product].fresh(tmp_path) as found:
        yield dict(found)


@pytest.fixture
def connect(settings: dict[str, Any]) -> Iterator[Connect]:
    opened: list[Client] = []

    def open_one(**more: Any) -> Client:
        opened.append(Client(MySQLProvider()))
        return opened[-1].configure({**settings, **more})

    yield open_one
    for client in opened:
        client.provider.close()


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()


@pytest.fixture
def execute(settings: dict[str, Any], product: str) -> Callable[[str], None]:
    return lambda script: TARGETS[product].execute(settings, script)


@pytest.fixture
def ask(settings: dict[str, Any]) -> Callable[[str], list[tuple[Any, ...]]]:
    return lambda query: mysql.execute(settings["url"], query)
