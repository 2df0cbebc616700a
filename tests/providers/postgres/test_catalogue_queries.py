"""The catalogues are read in a fixed number of queries, however many objects there are."""

from __future__ import annotations

import psycopg

from kolumn.providers.postgres import PostgresProvider
from tests.client import Client, wanted

AT_MOST = 60
"""Queries of one reading: every resource type has one or a few, and there are about thirty types."""

_SCHEMA = """
CREATE SCHEMA s{n};
CREATE TYPE s{n}.mood AS ENUM ('sad', 'happy');
CREATE DOMAIN s{n}.positive AS integer CHECK (VALUE > 0);
CREATE TYPE s{n}.pair AS (a integer, b text);
CREATE SEQUENCE s{n}.counter;
CREATE TABLE s{n}.parent (id integer PRIMARY KEY, mood s{n}.mood DEFAULT 'sad', CHECK (id > 0));
CREATE TABLE s{n}.child (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent integer REFERENCES s{n}.parent ON DELETE CASCADE,
    amount s{n}.positive,
    UNIQUE (parent, amount)
);
CREATE TABLE s{n}.part (at date) PARTITION BY RANGE (at);
CREATE TABLE s{n}.part_1 PARTITION OF s{n}.part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX ON s{n}.child (parent) WHERE amount > 5;
CREATE VIEW s{n}.both AS SELECT p.id, c.amount FROM s{n}.parent p JOIN s{n}.child c ON c.parent = p.id;
CREATE MATERIALIZED VIEW s{n}.kept AS SELECT count(*) FROM s{n}.both;
CREATE FUNCTION s{n}.touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON s{n}.parent FOR EACH ROW EXECUTE FUNCTION s{n}.touched();
ALTER TABLE s{n}.parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON s{n}.parent USING (id > 1);
CREATE RULE quiet AS ON DELETE TO s{n}.parent DO INSTEAD NOTHING;
CREATE STATISTICS s{n}.related ON parent, amount FROM s{n}.child;
GRANT SELECT ON s{n}.parent TO PUBLIC;
COMMENT ON TABLE s{n}.parent IS 'number {n}';
COMMENT ON COLUMN s{n}.parent.id IS 'of number {n}';
"""


def _create(database: str, numbers: range) -> None:
    with psycopg.connect(database) as connection:
        for number in numbers:
            connection.execute(_SCHEMA.format(n=number))


def _connected(database: str) -> Client:
    return Client(PostgresProvider()).configure({"url": database})


def _sent(client: Client) -> int:
    """Return how many queries and statements the provider has sent so far."""
    return client.provider._connection.session.queries_sent


def _discovered(database: str) -> tuple[int, int]:
    """Return how many objects there are, and how many queries it took to know."""
    with _connected(database) as client:
        before = _sent(client)
        found = client.done("DiscoverResources")
        return len(found["resources"]), _sent(client) - before


def test_reading_takes_as_many_queries_for_much_as_for_nothing(database):
    nothing, for_nothing = _discovered(database)
    _create(database, range(1))
    few, for_few = _discovered(database)
    _create(database, range(1, 30))
    many, for_many = _discovered(database)
    assert (few - nothing) * 30 == many - nothing > 100
    assert for_nothing == for_few == for_many <= AT_MOST


def test_a_plan_with_nothing_to_do_reads_once(database):
    _create(database, range(10))
    with _connected(database) as client:
        before = _sent(client)
        found = client.done("DiscoverResources")["resources"]
        reading = _sent(client) - before
        resources = [wanted(each["type"], each["name"], each["config"]) for each in found]
        client.apply(*resources)
        before = _sent(client)
        planned = client.plan(*resources)
        assert {each["action"] for each in planned["resources"]} == {"unchanged"}
        assert _sent(client) - before == reading
