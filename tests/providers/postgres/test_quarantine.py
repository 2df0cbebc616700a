"""What only PostgreSQL sets aside: values of enums, sequences, partitions, owners; and what it cannot keep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kolumn.contract.errors import OperationError
from kolumn.providers.postgres import PostgresProvider
from tests.client import Client, wanted
from tests.peers.test_postgres_databases import statements
from tests.servers import postgres

SHOP = """
CREATE ROLE {role};
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'great');
CREATE TYPE size AS (width integer, height integer);
CREATE FUNCTION next_code() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE SEQUENCE numbers START 100;
CREATE TABLE person (
    id bigserial PRIMARY KEY, feels mood DEFAULT 'ok', code text DEFAULT next_code(),
    number bigint DEFAULT nextval('numbers'), since integer GENERATED ALWAYS AS IDENTITY, shape size,
    twice integer GENERATED ALWAYS AS (2 * 2) STORED
);
ALTER TABLE person OWNER TO {role};
GRANT SELECT (feels, code) ON person TO public;
CREATE STATISTICS spread ON feels, code FROM person;
CREATE TABLE event (at date NOT NULL, what text, person bigint REFERENCES person) PARTITION BY RANGE (at);
CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE event_new PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');
CREATE INDEX event_what ON event (what);
CREATE PUBLICATION told FOR TABLE person, event;
INSERT INTO person (feels, shape) VALUES ('ok', '(1,2)'), ('happy', NULL), (NULL, '(3,4)');
INSERT INTO event VALUES ('2001-01-01', 'a', 1), ('2021-01-01', 'b', 2);
"""


class Shop:
    """A database with rows, seen by psql, and a provider that is careful with it."""

    def __init__(self, server: postgres.Server, url: str, client: Client) -> None:
        self.server, self.url, self.client = server, url, client

    def sql(self, text: str) -> Any:
        import psycopg

        with psycopg.connect(self.url) as connection:
            answer = connection.execute(text)  # type: ignore[arg-type]
            return answer.fetchall() if answer.description else None

    def look(self) -> Any:
        lines = sorted(
            line.strip().rstrip(",;")
            for each in statements(self.server, self.url)
            for line in each.splitlines()
        )
        rows = self.sql(
            "SELECT id, feels::text, code, number, since, shape::text, twice FROM person ORDER BY 1"
        )
        return lines, rows, self.sql("SELECT *, tableoid::regclass::text FROM event ORDER BY 1")

    def restore_all(self) -> Any:
        entries = self.client.done("ListQuarantine")["entries"]
        return self.client.done("RestoreQuarantine", {"ids": [each["id"] for each in entries]})


@pytest.fixture(params=postgres.versions(), ids=lambda version: f"pg{version}")
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    server = postgres.server(request.param)
    role = "shopkeeper"
    with server.database() as url:
        client = Client(PostgresProvider()).configure({"url": url})
        found = Shop(server, url, client)
        found.sql(f"DROP ROLE IF EXISTS {role}")
        found.sql(SHOP.format(role=role))
        yield found
        client.provider.close()
        found.sql(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


@pytest.mark.parametrize(
    ("resource_type", "name"),
    [
        ("table", "person"),
        ("table", "event"),
        ("table", "event_old"),
        ("sequence", "numbers"),
        ("function", "next_code()"),
        ("publication", "told"),
        ("statistics", "spread"),
        ("index", "event_what"),
        ("grant", "person.public"),
    ],
)
def test_it_comes_back_as_it_was(shop: Shop, resource_type: str, name: str) -> None:
    before = shop.look()
    shop.client.done("DeleteResource", {"resource_type": resource_type, "name": name})
    shop.restore_all()
    assert shop.look() == before


def test_a_value_of_an_enum(shop: Shop) -> None:
    before = shop.look()
    fewer = {"name": "mood", "values": ["sad", "ok", "happy"]}
    shop.client.apply(wanted("enum", "mood", fewer))
    assert shop.look() != before
    (entry,) = shop.client.done("ListQuarantine")["entries"]
    assert entry["name"] == "mood (former definition)"
    shop.restore_all()
    assert shop.look() == before
    with pytest.raises(OperationError, match="which enum mood is to lose"):
        shop.client.call(
            "Apply", {"resources": [wanted("enum", "mood", {"name": "mood", "values": ["sad"]})]}
        )
    assert shop.look() == before


def test_what_partitions_and_views_have_over_a_column(shop: Shop) -> None:
    shop.sql(
        "DROP PUBLICATION told; ALTER TABLE event_old ADD CONSTRAINT told CHECK (what <> ''), ADD UNIQUE (what, at);"
        " CREATE MATERIALIZED VIEW whats AS SELECT DISTINCT what FROM event;"
        " CREATE UNIQUE INDEX whats_once ON whats (what)"
    )
    before = shop.look()
    found = shop.client.done("DiscoverResources", {"resource_types": ["table"]})["resources"]
    event = next(each["config"] for each in found if each["name"] == "event")
    event["columns"] = [each for each in event["columns"] if each["name"] != "what"]
    shop.client.apply(
        wanted("table", "event", event, "update"),
        wanted("index", "event_what", {}, "delete"),
        wanted("materialized_view", "whats", {}, "delete"),
    )
    assert shop.look() != before
    shop.restore_all()
    lines, *rows = shop.look()
    assert (set(lines), rows[0]) == (set(before[0]), before[1])
    assert [sorted(map(str, row)) for row in rows[1]] == [sorted(map(str, row)) for row in before[2]]


def test_a_type_that_what_waits_has_columns_of(shop: Shop) -> None:
    before = shop.look()
    shop.client.apply(
        wanted("table", "person", {}, "delete"),
        wanted("enum", "mood", {}, "delete"),
        wanted("function", "next_code()", {}, "delete"),
    )
    assert not shop.client.call("ReadResource", {"resource_type": "enum", "name": "mood"})["exists"]
    shop.restore_all()
    assert shop.look() == before


def test_what_waits_says_so_where_it_is_in_the_way(shop: Shop) -> None:
    before = shop.look()
    shop.client.apply(wanted("table", "person", {}, "delete"))
    (entry,) = shop.client.done("ListQuarantine")["entries"]
    fewer = {"name": "mood", "values": ["sad", "ok", "happy"]}
    applied = shop.client.call("Apply", {"resources": [wanted("enum", "mood", fewer)]})
    assert not applied["success"]
    assert f"kolumn quarantine restore {entry['id']}" in json.dumps(applied)
    shop.restore_all()
    assert shop.look() == before


def test_what_cannot_be_kept_is_refused(shop: Shop) -> None:
    before = shop.look()
    size = {"name": "size", "attributes": [{"name": "width", "type": "integer"}]}
    error = shop.client.refused("Apply", {"resources": [wanted("composite_type", "size", size)]})
    assert error.code == "safe_destroy"
    assert "safe_destroy = false" in error.message
    assert shop.look() == before


def test_a_type_in_use_is_not_taken_along(shop: Shop) -> None:
    before = shop.look()
    error = shop.client.refused("DeleteResource", {"resource_type": "enum", "name": "mood"})
    assert error.code in ("still_needed", "validation_failed"), error
    assert "table person needs enum mood" in str(error.problems)
    assert shop.look() == before
