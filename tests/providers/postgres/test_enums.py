"""Enums: values added, renamed, removed and moved, with rows, views and all else that uses them."""

from __future__ import annotations

import json
import re

import pytest

from kolumn.contract.errors import ValidationError
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.resources.enum import EnumHandler
from tests.client import wanted
from tests.providers.postgres.databases import apply, database, imported, statements
from tests.providers.postgres.evolution import both_ways, evolve, words
from tests.servers import postgres


def test_values_are_added_where_they_belong(server: postgres.Server) -> None:
    before = "CREATE TYPE m AS ENUM ('b', 'd')"
    after = "CREATE TYPE m AS ENUM ('a', 'a''', 'b', 'c', 'd', 'e', 'f\\g')"
    assert words(evolve(server, before, after)) == ["add a, a', c, e, f\\g to enum m"]


def test_rows_keep_their_values_where_values_are_added(server: postgres.Server) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, x m NOT NULL DEFAULT 'b');"
    answer = evolve(
        server,
        f"CREATE TYPE m AS ENUM ('b', 'd'); {table} INSERT INTO t VALUES (1, 'd'), (2, 'b')",
        f"CREATE TYPE m AS ENUM ('a', 'b', 'c', 'd'); {table}",
        look="SELECT id, x::text FROM t ORDER BY t.x",
    )
    assert answer["rows"] == [(2, "b"), (1, "d")]


def test_values_are_removed_and_moved_through_a_new_type(server: postgres.Server) -> None:
    rest = """
CREATE SCHEMA s;
CREATE TABLE t (id int PRIMARY KEY, x m NOT NULL DEFAULT 'b', y m[] DEFAULT '{a,b}', z text, CHECK (x <> 'zz'));
CREATE TABLE s."T 2" ("X y" m UNIQUE, id int REFERENCES t);
CREATE INDEX ti ON t (x) WHERE x = 'a';
CREATE INDEX tj ON t (x, z);
COMMENT ON INDEX ti IS 'partial';
CREATE VIEW v AS SELECT id, x FROM t WHERE x <> 'b';
CREATE VIEW w AS SELECT x, count(*) FROM v GROUP BY x;
COMMENT ON VIEW w IS 'on a view';
GRANT SELECT ON w TO PUBLIC;
CREATE MATERIALIZED VIEW n AS SELECT 'a'::m AS x;
CREATE FUNCTION f(m) RETURNS int LANGUAGE sql AS 'SELECT 1';
COMMENT ON FUNCTION f(m) IS 'takes one';
CREATE FUNCTION g() RETURNS m LANGUAGE sql IMMUTABLE AS $$SELECT 'a'::m$$;
CREATE TABLE u (a m DEFAULT g(), b text DEFAULT 'x'::text);
CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER tr BEFORE UPDATE OF x ON t FOR EACH ROW WHEN (OLD.x IS DISTINCT FROM NEW.x) EXECUTE FUNCTION h();
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (x = 'a');
CREATE STATISTICS st ON x, id FROM t;
COMMENT ON TYPE m IS 'moods';
REVOKE USAGE ON TYPE m FROM PUBLIC;
"""
    before = f"CREATE TYPE m AS ENUM ('a', 'b', 'c', 'zz'); {rest}"
    after = f"CREATE TYPE m AS ENUM ('b', 'zz', 'a'); {rest}"
    rows = (
        "INSERT INTO t VALUES (1, 'a', '{a,b}'), (2, 'b', '{}'), (3, 'b', NULL); INSERT INTO u VALUES (NULL)"
    )
    answer = evolve(
        server, f"{before} {rows}", after, look="SELECT id, x::text, y::text FROM t ORDER BY t.x, id"
    )
    assert answer["rows"] == [(2, "b", "{}"), (3, "b", None), (1, "a", "{a,b}")]
    evolve(server, after, before)


def test_a_removed_value_that_a_row_has_is_said_and_fails(server: postgres.Server) -> None:
    made = "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (x m); INSERT INTO t VALUES ('b')"
    with database(server, made) as base, base.kolumn() as client:
        resources = [wanted("enum", "m", {"values": ["a"]}), wanted("table", "t", {"columns": {"x": "m"}})]
        plan = client.plan(*resources, detail=True)
        said = {risk["kind"]: risk["message"] for step in plan["steps"] for risk in step.get("risks", ())}
        assert {"table_rewrite", "long_lock", "may_fail"} <= said.keys()
        assert said["may_fail"] == "1 row of t has 'b' in x, which enum m is to lose"
        error = client.refused("Apply", {"resources": resources, "options": {}})
        assert error.code == "data_validation"
        assert base.rows("SELECT x::text FROM t") == [("b",)]
        assert base.one("SELECT count(*) FROM pg_enum") == 2


def test_values_are_renamed_and_what_uses_them_follows(server: postgres.Server) -> None:
    made = """
CREATE TYPE m AS ENUM ('a', 'b');
CREATE TABLE t (id int PRIMARY KEY, x m DEFAULT 'a', CHECK (x <> 'b'));
CREATE VIEW v AS SELECT id FROM t WHERE x = 'a';
INSERT INTO t VALUES (1, 'a');
"""
    with database(server, made) as base, base.kolumn() as client:
        resources = imported(client)
        for each in resources:
            if each["resource_type"] == "enum":
                each["config"]["values"] = [{"name": "A", "renamed_from": "a"}, "b", "c"]
            else:
                each["config"] = json.loads(json.dumps(each["config"]).replace("'a'", "'A'"))
        plan = client.plan(*resources, detail=True)
        assert statements(plan) == [
            "ALTER TYPE public.m RENAME VALUE 'a' TO 'A'",
            "ALTER TYPE public.m ADD VALUE 'c'",
        ]
        apply(client, *resources)
        assert base.rows("SELECT id, x::text FROM t") == [(1, "A")]


def test_a_value_is_renamed_while_others_are_removed(server: postgres.Server) -> None:
    made = """
CREATE TYPE m AS ENUM ('a', 'b', 'c');
CREATE TABLE t (id int PRIMARY KEY, x m, y m[]);
INSERT INTO t VALUES (1, 'a', '{a,b}'), (2, NULL, NULL);
"""
    with database(server, made) as base, base.kolumn() as client:
        enum = wanted("enum", "m", {"values": ["b", {"name": "it's", "renamed_from": "a"}]})
        table = wanted("table", "t", {"columns": {"id": "int", "x": "m", "y": "m[]"}, "primary_key": ["id"]})
        apply(client, enum, table)
        assert base.rows("SELECT id, x::text, y::text FROM t ORDER BY id") == [
            (1, "it's", "{it's,b}"),
            (2, None, None),
        ]


def test_a_value_that_the_same_plan_uses_is_added_with_a_new_type(server: postgres.Server) -> None:
    before = """
CREATE TYPE m AS ENUM ('a', 'b');
CREATE TABLE t (id int PRIMARY KEY, x m NOT NULL DEFAULT 'b'); INSERT INTO t VALUES (1, 'a');
CREATE DOMAIN d AS m;
"""
    after = """
CREATE TYPE m AS ENUM ('a', 'n', 'b');
CREATE TABLE t (id int PRIMARY KEY, x m NOT NULL DEFAULT 'n', CHECK (x <> 'n' OR id > 3));
CREATE DOMAIN d AS m DEFAULT 'n';
CREATE VIEW v AS SELECT * FROM t WHERE x = 'n';
"""
    answer = evolve(server, before, after, look="SELECT id, x::text FROM t")
    assert answer["rows"] == [(1, "a")]
    evolve(server, after, before)


def test_online_a_value_is_committed_before_it_is_used(server: postgres.Server) -> None:
    made = "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (x m DEFAULT 'a'); INSERT INTO t VALUES ('b')"
    with database(server, made) as base, base.kolumn(online=True) as client:
        enum = wanted("enum", "m", {"values": ["a", "n", "b"]})
        table = wanted("table", "t", {"columns": {"x": {"type": "m", "default": "'n'"}}})
        assert "ALTER TYPE public.m ADD VALUE 'n' AFTER 'a'" in statements(
            client.plan(enum, table, detail=True)
        )
        apply(client, enum, table)
        base.run("INSERT INTO t VALUES (DEFAULT)")
        assert base.rows("SELECT x::text FROM t ORDER BY t.x") == [("n",), ("b",)]


def test_an_enum_is_renamed_in_place(server: postgres.Server) -> None:
    made = """
CREATE TYPE m AS ENUM ('a', 'b');
CREATE TABLE t (x m DEFAULT 'a', y m[]); INSERT INTO t VALUES ('b', '{a}');
CREATE VIEW v AS SELECT x FROM t WHERE x = 'a'::m;
CREATE DOMAIN d AS m;
"""
    with database(server, made) as base, base.kolumn() as client:
        resources = []
        for each in imported(client):
            config = json.dumps(each["config"])
            if each["resource_type"] == "enum":
                resources.append(wanted("enum", "n", json.loads(config) | {"name": "n", "renamed_from": "m"}))
            else:
                config = re.sub(r"::public\.m\b", "::public.n", re.sub(r'"m(\[\])?"', r'"n\1"', config))
                resources.append(wanted(each["resource_type"], each["name"], json.loads(config)))
        assert statements(client.plan(*resources, detail=True)) == ["ALTER TYPE public.m RENAME TO n"]
        apply(client, *resources)
        assert base.rows("SELECT x::text, y::text FROM t") == [("b", "{a}")]


def test_an_enum_is_renamed_and_loses_a_value_at_once(server: postgres.Server) -> None:
    made = "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (x m DEFAULT 'a'); INSERT INTO t VALUES ('a')"
    with database(server, made) as base, base.kolumn() as client:
        enum = wanted("enum", "n", {"values": ["a"], "renamed_from": "m"})
        table = wanted("table", "t", {"columns": {"x": {"type": "n", "default": "'a'"}}})
        apply(client, enum, table)
        assert base.rows("SELECT x::text, pg_typeof(x)::text FROM t") == [("a", "n")]


def test_columns_of_other_types_meet_a_new_enum(server: postgres.Server) -> None:
    before = "CREATE TABLE t (x text DEFAULT 'a', y m_ext); INSERT INTO t VALUES ('a', 'b')".replace(
        "m_ext", "text"
    )
    after = "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (x m DEFAULT 'b', y m)"
    assert evolve(server, before, after, look="SELECT x::text, y::text FROM t")["rows"] == [("a", "b")]
    evolve(server, after, before)


def test_columns_come_and_go_while_their_type_is_another_one(server: postgres.Server) -> None:
    before = "CREATE TYPE m AS ENUM ('a', 'b', 'c'); CREATE TABLE t (id int, a m DEFAULT 'c', k m, l m); "
    after = "CREATE TYPE m AS ENUM ('b', 'a'); CREATE TABLE t (id int, a text, k m DEFAULT 'a', l text, b m)"
    rows = "INSERT INTO t VALUES (1, 'c', 'b', 'c')"
    answer = evolve(server, before + rows, after, look="SELECT id, k::text, l FROM t")
    assert answer["rows"] == [(1, "b", "c")]
    evolve(server, after, before)


def test_partitions_and_children_convert_with_their_parents(server: postgres.Server) -> None:
    rest = """
CREATE TABLE p (id int, m m DEFAULT 'a') PARTITION BY LIST (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
ALTER TABLE p2 ALTER m SET DEFAULT 'b';
CREATE TABLE i (m m DEFAULT 'a');
CREATE TABLE j (n int) INHERITS (i);
CREATE INDEX pi ON p (m) WHERE m = 'a';
"""
    before, after = (f"CREATE TYPE m AS ENUM ({values}); {rest}" for values in ("'a', 'b', 'c'", "'b', 'a'"))
    rows = "INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO j VALUES ('b', 3)"
    answer = evolve(
        server, f"{before} {rows}", after, look="SELECT id, m::text FROM p UNION ALL SELECT n, m::text FROM j"
    )
    assert answer["rows"] == [(1, "a"), (2, "b"), (3, "b")]
    evolve(server, after, before)


def test_keys_over_converted_columns_are_kept(server: postgres.Server) -> None:
    rest = (
        "CREATE TABLE p (m m PRIMARY KEY); CREATE TABLE q (m m REFERENCES p ON DELETE CASCADE, UNIQUE (m)); "
    )
    before, after = (f"CREATE TYPE m AS ENUM ({values}); {rest}" for values in ("'a', 'b', 'c'", "'b', 'a'"))
    rows = "INSERT INTO p VALUES ('a'); INSERT INTO q VALUES ('a')"
    assert evolve(server, before + rows, after, look="SELECT m::text FROM q")["rows"] == [("a",)]
    evolve(server, after, before)


def test_a_partition_key_cannot_be_converted(server: postgres.Server) -> None:
    made = "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE p (m m) PARTITION BY LIST (m)"
    with database(server, made) as base, base.kolumn() as client:
        table = {"columns": {"m": "m"}, "partition_by": {"strategy": "list", "columns": ["m"]}}
        with pytest.raises(ValidationError, match="decides which partition") as caught:
            client.plan(wanted("enum", "m", {"values": ["a"]}), wanted("table", "p", table))
        assert caught.value.problems[0].code == "partition_key"


def test_a_table_dropped_in_the_same_plan_need_not_fit(server: postgres.Server) -> None:
    before = "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (m m); INSERT INTO t VALUES ('b'); CREATE TABLE u (m m)"
    evolve(server, before, "CREATE TYPE m AS ENUM ('a'); CREATE TABLE u (m m)")


def test_labels_are_checked() -> None:
    handler = EnumHandler(PostgresDialect())
    with pytest.raises(ValidationError) as caught:
        handler.parse({"values": ["a", "b", "a", "x" * 64, "ü" * 32, ""]}, "m")
    assert [problem.code for problem in caught.value.problems] == ["too_long", "too_long"]
    with pytest.raises(ValidationError) as caught:
        handler.parse({"values": ["a", "b", "a"]}, "m")
    assert [problem.path for problem in caught.value.problems] == ["values[2]"]
    model = handler.parse({"values": ["a", {"name": "b", "renamed_from": "c"}]}, "m")
    assert handler.config(model) == {"name": "m", "values": ["a", "b"]}


ODD = ["", " ", "'", "\\", '"', "a;b", "$$", "NULL", "ü", "x" * 63, "{", "}", ",", "a,b", "--", "%s", "\n"]


def test_odd_labels_are_taken_literally(server: postgres.Server) -> None:
    values = ", ".join("E'" + each.replace("\\", "\\\\").replace("'", "''") + "'" for each in ODD)
    made = f"CREATE TYPE m AS ENUM ({values}); CREATE TABLE t (x m, y m[])"
    both_ways(server, "", made)
    answer = evolve(server, made, made.replace("ENUM (", "ENUM ('first', "))
    assert words(answer) == ["add first to enum m"]
