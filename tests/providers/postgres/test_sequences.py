"""Sequences: every attribute changed both ways, what they have counted kept, and their life with tables."""

from __future__ import annotations

import pytest

from kolumn.contract.errors import ValidationError
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.resources.sequence import SequenceHandler
from tests.client import wanted
from tests.providers.postgres.databases import apply, database, imported, roles, statements
from tests.providers.postgres.evolution import both_ways, evolve
from tests.servers import postgres

CHANGES = {
    "type": ("", "AS smallint"),
    "increment": ("", "INCREMENT 3"),
    "bounds": ("MINVALUE -5 MAXVALUE 1000", "MINVALUE 1 MAXVALUE 900"),
    "cache and cycle": ("CACHE 10", "CYCLE"),
    "start": ("START 5", "START 2"),
    "type with bounds": ("AS smallint MAXVALUE 500", "AS integer MAXVALUE 70000"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_sequences_change_both_ways_and_go_on_counting(server: postgres.Server, change: str) -> None:
    one, other = (f"CREATE SEQUENCE s {options};" for options in CHANGES[change])
    for before, after in ((one, other), (other, one)):
        answer = evolve(
            server, f"{before} SELECT setval('s', 42)", after, "SELECT last_value, is_called FROM s"
        )
        assert answer["rows"] == [(42, True)]


@pytest.mark.parametrize(
    ("before", "after", "first"),
    [
        ("", "START 7", 7),
        ("", "INCREMENT -1", -1),
        ("INCREMENT -2 START -6", "START 10 MINVALUE 10", 10),
        ("AS smallint", "AS bigint START 70000 MINVALUE 70000", 70000),
        ("START 70000", "AS smallint", 1),
    ],
)
def test_a_sequence_nobody_used_begins_at_its_new_start(
    server: postgres.Server, before: str, after: str, first: int
) -> None:
    answer = evolve(
        server, f"CREATE SEQUENCE s {before}", f"CREATE SEQUENCE s {after}", "SELECT nextval('s')"
    )
    assert answer["rows"] == [(first,)]


def test_a_sequence_beyond_its_new_bounds_is_said_and_fails(server: postgres.Server) -> None:
    with database(server, "CREATE SEQUENCE s; SELECT setval('s', 100)") as base, base.kolumn() as client:
        sequence = wanted("sequence", "s", {"max_value": 50})
        plan = client.plan(sequence, detail=True)
        assert [risk["kind"] for risk in plan["steps"][0]["risks"]] == ["may_fail"]
        assert not client.call("Apply", {"resources": [sequence], "options": {}})["success"]
        assert base.one("SELECT last_value FROM s") == 100


def test_usual_numbers_are_left_out(server: postgres.Server) -> None:
    made = """
CREATE SEQUENCE a; CREATE SEQUENCE b AS integer INCREMENT -1;
CREATE SEQUENCE c MINVALUE 5; CREATE SEQUENCE d INCREMENT -2 MAXVALUE 9 START 9;
"""
    with database(server, made) as base, base.kolumn() as client:
        found = {each["name"]: each["config"] for each in imported(client, "sequence")}
        assert {
            name: {k: v for k, v in config.items() if k not in ("name", "owner")}
            for name, config in found.items()
        } == {
            "a": {},
            "b": {"type": "integer", "increment": -1},
            "c": {"min_value": 5},
            "d": {"increment": -2, "max_value": 9},
        }


def test_sequences_are_unlogged_and_logged(server: postgres.Server) -> None:
    if server.version < 15:
        pytest.skip("sequences are unlogged since PostgreSQL 15")
    both_ways(server, "CREATE SEQUENCE s", "CREATE UNLOGGED SEQUENCE s")


def test_a_sequence_is_renamed_and_defaults_follow(server: postgres.Server) -> None:
    made = "CREATE SEQUENCE s START 5; CREATE TABLE t (id bigint DEFAULT nextval('s')); INSERT INTO t VALUES (DEFAULT)"
    with database(server, made) as base, base.kolumn() as client:
        resources = (
            wanted("sequence", "Q q", {"start": 5, "renamed_from": "s"}),
            wanted("table", "t", {"columns": {"id": {"type": "bigint", "default": "nextval('\"Q q\"')"}}}),
        )
        apply(client, *resources)
        assert base.one("SELECT nextval('\"Q q\"')") == 6


OWNED = "CREATE TABLE t (id int, x bigint); CREATE SEQUENCE s START 7 OWNED BY t.x; "


def test_ownership_comes_goes_and_moves(server: postgres.Server) -> None:
    free = "CREATE TABLE t (id int, x bigint); CREATE SEQUENCE s START 7; "
    moved = "CREATE TABLE t (id int, x bigint); CREATE SEQUENCE s START 7 OWNED BY t.id; "
    both_ways(server, free, OWNED)
    both_ways(server, OWNED, moved)


def test_an_owned_sequence_comes_and_goes_with_its_table(server: postgres.Server) -> None:
    both_ways(server, "", OWNED + "ALTER TABLE t ALTER x SET DEFAULT nextval('s')")
    both_ways(server, "CREATE TABLE t (id int)", OWNED)


def test_an_owned_sequence_outlives_its_table(server: postgres.Server) -> None:
    used = "SELECT nextval('s'), nextval('s')"
    answer = evolve(server, OWNED + used, "CREATE SEQUENCE s START 7", "SELECT last_value FROM s")
    assert answer["rows"] == [(8,)]


def test_an_owned_sequence_outlives_a_table_made_anew(server: postgres.Server) -> None:
    parts = (
        "CREATE TABLE t (id int, x bigint) PARTITION BY LIST (id); CREATE SEQUENCE s START 7 OWNED BY t.x; "
    )
    answer = evolve(server, OWNED + "SELECT nextval('s'), nextval('s')", parts, "SELECT last_value FROM s")
    assert answer["rows"] == [(8,)]


def test_owners_of_owned_sequences_follow_their_tables(server: postgres.Server) -> None:
    with roles(server, "keeper") as (keeper,):
        after = f"{OWNED} GRANT CREATE ON SCHEMA public TO {keeper}; ALTER TABLE t OWNER TO {keeper}"
        both_ways(server, OWNED, after)


def test_serial_and_identity_sequences_belong_to_their_tables(server: postgres.Server) -> None:
    made = "CREATE TABLE t (id serial PRIMARY KEY, x bigint GENERATED ALWAYS AS IDENTITY)"
    with database(server, made) as base, base.kolumn() as client:
        assert [each["resource_type"] for each in imported(client)] == ["table"]
        named = {
            each["name"]
            for each in client.done("DiscoverResources", {"resource_type": "sequence"})["resources"]
        }
        assert named == {"t_id_seq", "t_x_seq"}
        table = imported(client)
        assert not client.plan(*table, prune=True, detail=True).get("steps")


def test_a_serial_column_becomes_one_with_a_sequence_of_its_own(server: postgres.Server) -> None:
    serial = "CREATE TABLE t (id serial PRIMARY KEY); "
    own = """
CREATE SEQUENCE t_id_seq AS integer CACHE 5;
CREATE TABLE t (id integer PRIMARY KEY DEFAULT nextval('t_id_seq'));
ALTER SEQUENCE t_id_seq OWNED BY t.id;
"""
    rows = "INSERT INTO t SELECT FROM generate_series(1, 3)"
    assert evolve(server, serial + rows, own, "SELECT nextval('t_id_seq')")["rows"] == [(4,)]


def test_a_serial_column_takes_values_from_another_sequence(server: postgres.Server) -> None:
    serial = "CREATE TABLE t (id serial PRIMARY KEY)"
    other = "CREATE SEQUENCE s AS integer; CREATE TABLE t (id integer PRIMARY KEY DEFAULT nextval('s'))"
    both_ways(server, serial, other)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"increment": 0}, "increment"),
        ({"type": "numeric"}, "type"),
        ({"type": "smallint", "max_value": 40000}, "max_value"),
        ({"min_value": 5, "max_value": 5}, "min_value"),
        ({"start": 0}, "start"),
        ({"cache": 0}, "cache"),
        ({"owned_by": "t"}, "owned_by"),
        ({"owned_by": "t(a, b)"}, "owned_by"),
    ],
)
def test_faults_are_said(config: dict[str, object], path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SequenceHandler(PostgresDialect()).parse(config, "s")
    assert [problem.path for problem in caught.value.problems] == [path]


def test_statements_name_only_what_changes(server: postgres.Server) -> None:
    with database(server, "CREATE SEQUENCE s CACHE 3 CYCLE") as base, base.kolumn() as client:
        plan = client.plan(wanted("sequence", "s", {"cache": 4, "comment": "it's"}), detail=True)
        assert statements(plan) == [
            "ALTER SEQUENCE public.s CACHE 4 NO CYCLE",
            "COMMENT ON SEQUENCE public.s IS 'it''s'",
        ]
