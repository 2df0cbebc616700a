"""A fresh DuckDB file, and Kolumn connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kolumn.host.providers import load
from tests.client import Client
from tests.targets import Settings
from tests.targets.duckdb import DUCKDB


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with DUCKDB.fresh(tmp_path / "database") as found:
        yield found


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    client = Client(load("duckdb")).configure(settings)
    yield client
    client.provider.close()
