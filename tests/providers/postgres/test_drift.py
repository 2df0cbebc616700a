"""Drift on PostgreSQL costs what a plan costs, and finds what only its superusers can see."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from kolumn.providers.postgres import PostgresProvider
from tests.client import Client, wanted


def _tables(count: int) -> list[Any]:
    return [
        wanted(
            "table",
            f"t{number}",
            {
                "name": f"t{number}",
                "columns": [
                    {"name": "id", "type": "bigint", "primary_key": True},
                    {"name": "name", "type": "text", "default": "'x'"},
                    {"name": "n", "type": "integer", "check": f"n > {number}"},
                ],
            },
        )
        for number in range(count)
    ]


def _sent(client: Client) -> int:
    """Return how many queries and statements the provider has sent so far."""
    sent: int = client.provider._connection.session.queries_sent
    return sent


def _cost(client: Client, function: str, request: Any) -> int:
    before = _sent(client)
    client.done(function, request)
    return _sent(client) - before


@pytest.fixture
def client(database: str) -> Any:
    with Client(PostgresProvider()).configure({"url": database, "safe_destroy": False}) as made:
        yield made


def test_drift_takes_one_reading_of_the_catalogue(client: Client) -> None:
    few, many = _tables(3), _tables(60)
    client.apply(*few)
    scan = _cost(client, "Plan", {"resources": few})
    assert _cost(client, "DetectDrift", {}) == scan
    client.apply(*many)
    assert _cost(client, "DetectDrift", {}) == _cost(client, "Plan", {"resources": many}) == scan
    assert _cost(client, "ValidateState", {}) == scan


def test_drift_of_many_costs_no_more_than_the_plan_back(client: Client, database: str) -> None:
    """What seems to differ is asked about all at once, so the round trips do not grow with it."""
    tables = _tables(60)
    client.apply(*tables)
    with psycopg.connect(database, autocommit=True) as other:
        for number in range(60):
            other.execute(f"ALTER TABLE t{number} ALTER name SET DEFAULT 'y'".encode())
    before = _sent(client)
    found = client.done("DetectDrift")["findings"]
    cost = _sent(client) - before
    assert len(found) == 60
    assert {each["attribute"] for each in found} == {"columns.name.default"}
    assert cost <= _cost(client, "Plan", {"resources": tables})
