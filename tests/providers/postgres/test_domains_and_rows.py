"""Domains, composite types and range types: every attribute changed both ways, with rows that use them."""

from __future__ import annotations

import pytest

from kolumn.contract.errors import ValidationError
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.resources.composite_type import CompositeTypeHandler
from kolumn.providers.postgres.resources.domain import DomainHandler
from tests.client import wanted
from tests.providers.postgres.databases import apply, database, statements
from tests.providers.postgres.evolution import both_ways, evolve
from tests.servers import postgres

DOMAIN_CHANGES = {
    "default": ("int", "int DEFAULT 1 + 2"),
    "other default": ("text DEFAULT 'a'", "text DEFAULT 'it''s' || E'\\n'"),
    "not null": ("int", "int NOT NULL"),
    "check": ("int", "int CHECK (VALUE > 0)"),
    "named check": ("int CHECK (VALUE > 0)", 'int CONSTRAINT "My Check" CHECK (VALUE > 0)'),
    "other check": ("int CONSTRAINT c CHECK (VALUE > 0)", "int CONSTRAINT c CHECK (VALUE > 1 AND VALUE < 9)"),
    "several checks": (
        "int CHECK (VALUE > 0) CHECK (VALUE < 9)",
        "int CHECK (VALUE < 9) CHECK (VALUE > 0) CONSTRAINT z CHECK (VALUE <> 7)",
    ),
    "type": ("int DEFAULT 5", "bigint DEFAULT 5"),
    "precision": ("numeric(10,2)", "numeric(12,4) NOT NULL"),
    "length": ("varchar(20)", "text"),
    "array": ("int[]", "bigint[] CHECK (VALUE[1] = 1)"),
    "collation": ("text", 'text COLLATE "C"'),
    "all at once": (
        "varchar(10) COLLATE \"C\" DEFAULT 'x' NOT NULL CONSTRAINT a CHECK (VALUE <> '')",
        "text CONSTRAINT b CHECK (VALUE <> 'q')",
    ),
}


@pytest.mark.parametrize("change", DOMAIN_CHANGES)
def test_domains_change_both_ways_under_rows(server: postgres.Server, change: str) -> None:
    value = "'{1,2}'" if change == "array" else "5"
    made = [
        f"""
CREATE DOMAIN d AS {definition};
CREATE DOMAIN over AS d;
CREATE TABLE t (id int PRIMARY KEY, x d DEFAULT {value}, y over, CHECK (x IS NOT NULL));
CREATE INDEX ti ON t (x);
CREATE VIEW v AS SELECT id, x FROM t;
COMMENT ON DOMAIN d IS 'a domain';
"""
        for definition in DOMAIN_CHANGES[change]
    ]
    rows = f"INSERT INTO t (id, y) VALUES (1, {value});"
    look = "SELECT id, x::text, y::text FROM t"
    held = (1, "{1,2}", "{1,2}") if change == "array" else None
    for before, after in (made, made[::-1]):
        answer = evolve(server, before + rows, after, look=look)
        (row,) = answer["rows"]
        assert row == held or [float(each) for each in row] == [1, 5, 5]


def test_constraints_of_domains_have_names_validity_and_comments(server: postgres.Server) -> None:
    plain = "CREATE DOMAIN d AS int CONSTRAINT a CHECK (VALUE > 0) CONSTRAINT b CHECK (VALUE < 9); "
    both_ways(
        server,
        plain,
        """
CREATE DOMAIN d AS int CONSTRAINT b CHECK (VALUE < 9);
ALTER DOMAIN d ADD CONSTRAINT a CHECK (VALUE > 0) NOT VALID;
COMMENT ON CONSTRAINT b ON DOMAIN d IS 'less than nine';
COMMENT ON CONSTRAINT a ON DOMAIN d IS 'it''s more';
""",
    )


def test_a_check_is_renamed_and_validated_in_place(server: postgres.Server) -> None:
    made = "CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT a CHECK (VALUE > 0) NOT VALID; CREATE TABLE t (x d)"
    with database(server, made) as base, base.kolumn() as client:
        domain = wanted("domain", "d", {"type": "int", "checks": {"b": "value > 0"}})
        table = wanted("table", "t", {"columns": {"x": "d"}})
        assert statements(client.plan(domain, table, detail=True)) == [
            "ALTER DOMAIN public.d RENAME CONSTRAINT a TO b",
            "ALTER DOMAIN public.d VALIDATE CONSTRAINT b",
        ]
        apply(client, domain, table)


def test_a_check_without_a_name_is_any_with_its_expression(server: postgres.Server) -> None:
    made = "CREATE DOMAIN d AS int CONSTRAINT odd CHECK (VALUE > 0 AND VALUE <> 7)"
    with database(server, made) as base, base.kolumn() as client:
        domain = wanted("domain", "d", {"type": "integer", "checks": ["(value > 0) and value != 7"]})
        assert not client.plan(domain, detail=True).get("steps")


def test_a_domain_is_renamed_in_place(server: postgres.Server) -> None:
    made = "CREATE DOMAIN d AS int DEFAULT 3 CHECK (VALUE > 0); CREATE TABLE t (x d, y d[]); INSERT INTO t VALUES (4)"
    with database(server, made) as base, base.kolumn() as client:
        domain = wanted(
            "domain", "e", {"renamed_from": "d", "type": "int", "default": "3", "checks": ["VALUE > 0"]}
        )
        table = wanted("table", "t", {"columns": {"x": "e", "y": "e[]"}})
        assert statements(client.plan(domain, table, detail=True)) == ["ALTER DOMAIN public.d RENAME TO e"]
        apply(client, domain, table)
        assert base.rows("SELECT x::int FROM t") == [(4,)]


def test_what_values_inside_others_must_satisfy_takes_a_new_domain(server: postgres.Server) -> None:
    """PostgreSQL does not look at values inside arrays and rows, and so refuses to add constraints for them."""
    rest = "CREATE TYPE c AS (q d); CREATE TABLE t (id int PRIMARY KEY, a d[], b c, e c[]);"
    rows = "INSERT INTO t VALUES (1, '{x,y}', ROW('z'), ARRAY[ROW('w')::c]);"
    before, after = (
        f"CREATE DOMAIN d AS text; {rest}",
        f"CREATE DOMAIN d AS text NOT NULL CHECK (VALUE <> 'q'); {rest}",
    )
    look = "SELECT a::text, b::text, e::text FROM t"
    assert evolve(server, before + rows, after, look)["rows"] == [("{x,y}", "(z)", '{"(w)"}')]
    assert evolve(server, after + rows, before, look)["rows"] == [("{x,y}", "(z)", '{"(w)"}')]


def test_a_type_makes_way_with_all_that_is_made_of_it(server: postgres.Server) -> None:
    rest = """
CREATE DOMAIN d AS m CHECK (VALUE <> 'b');
CREATE TYPE r AS RANGE (subtype = d);
CREATE TYPE c AS (p m, q d[], s r);
CREATE DOMAIN f AS c;
CREATE TABLE t (id int PRIMARY KEY, x d, y d[], z c, zz c[], r r, rm r_multirange, f f);
CREATE VIEW v AS SELECT x, (z).p AS p FROM t;
COMMENT ON COLUMN c.p IS 'part';
"""
    before, after = (
        f"CREATE TYPE m AS ENUM ({values}); {rest}" for values in ("'a', 'b', 'c'", "'c', 'b', 'a'")
    )
    rows = "INSERT INTO t VALUES (1, 'a', '{a,c}', ROW('a', '{c}', '[a,c)'), ARRAY[ROW('b', NULL, NULL)::c], '[c,c]', '{}')"
    answer = evolve(
        server,
        before + rows.replace("'[a,c)'", "'[a,a]'"),
        after,
        "SELECT x::text, y::text, z::text, zz::text, r::text, rm::text, f IS NULL FROM t",
    )
    assert answer["rows"] == [("a", "{a,c}", '(a,{c},"[a,a]")', '{"(b,,)"}', "[c,c]", "{}", True)]
    evolve(server, after, before)


def test_what_had_the_name_of_another_kind_of_type_makes_way(server: postgres.Server) -> None:
    rest = "CREATE TABLE t (id int PRIMARY KEY, x d NOT NULL DEFAULT 'x', y d[]);"
    rows = "INSERT INTO t VALUES (1, 'y', '{x,y}')"
    before, after = (
        f"CREATE DOMAIN d AS text CHECK (VALUE IN ('x', 'y')); {rest}",
        f"CREATE TYPE d AS ENUM ('x', 'y'); {rest}",
    )
    for one, other in ((before, after), (after, before)):
        assert evolve(server, one + rows, other, "SELECT x::text, y::text FROM t")["rows"] == [("y", "{x,y}")]


ROW_CHANGES = {
    "added at the end": ("(a int, b text)", "(a int, b text, n numeric(5,2))"),
    "type": ("(a int, b text)", "(a bigint, b varchar(5))"),
    "collation": ("(a int, b text)", '(a int, b text COLLATE "C")'),
    "order": ("(a int, b text)", "(b text, a int)"),
    "in between": ("(a int, b text)", "(a int, n int[], b text)"),
    "everything": ("(z int, a int, b text)", "(b varchar, y text, a bigint)"),
}


@pytest.mark.parametrize("change", ROW_CHANGES)
def test_composite_types_change_both_ways_under_rows(server: postgres.Server, change: str) -> None:
    made = [
        f"""
CREATE TYPE c AS {definition};
COMMENT ON COLUMN c.a IS 'first';
CREATE TABLE t (id int PRIMARY KEY, c c);
CREATE VIEW v AS SELECT (c).b FROM t;
CREATE FUNCTION f(c) RETURNS text LANGUAGE sql AS 'SELECT ($1).b';
"""
        for definition in ROW_CHANGES[change]
    ]
    rows = "INSERT INTO t VALUES (2, NULL), (3, ROW()::c); INSERT INTO t (id, c.a, c.b) VALUES (1, 7, 'x');"
    rows = rows.replace("ROW()::c", "'({nulls})'")
    look = "SELECT id, (c).a, (c).b, c IS DISTINCT FROM NULL FROM t ORDER BY id"
    for (before, after), definition in ((made, ROW_CHANGES[change][0]), (made[::-1], ROW_CHANGES[change][1])):
        nulls = "," * (definition.replace("(5,2)", "").count(","))
        answer = evolve(server, before + rows.replace("{nulls}", nulls), after, look)
        assert answer["rows"] == [(1, 7, "x", True), (2, None, None, False), (3, None, None, True)]


def test_arrays_of_rows_convert_where_attributes_correspond(server: postgres.Server) -> None:
    rest = "CREATE TABLE t (c c[]);"
    before, after = (
        f"CREATE TYPE c AS (a int, b text); {rest}",
        f"CREATE TYPE c AS (a numeric, b varchar(9)); {rest}",
    )
    rows = "INSERT INTO t VALUES (ARRAY[ROW(1, 'x, \"y\"')::c, NULL])"
    assert evolve(server, before + rows, after, "SELECT c[1].b, c[2] IS NULL FROM t")["rows"] == [
        ('x, "y"', True)
    ]
    with database(server, before) as base, base.kolumn() as client:
        composite = wanted(
            "composite_type",
            "c",
            {"attributes": [{"name": "b", "type": "text"}, {"name": "a", "type": "int"}]},
        )
        with pytest.raises(ValidationError, match="same attributes in the same order"):
            client.plan(composite, wanted("table", "t", {"columns": {"c": "c[]"}}))


def test_attributes_are_renamed_with_their_values(server: postgres.Server) -> None:
    made = "CREATE TYPE c AS (a int, b text); CREATE TABLE t (c c); INSERT INTO t VALUES (ROW(1, 'x'))"
    table = wanted("table", "t", {"columns": {"c": "c"}})
    with database(server, made) as base, base.kolumn() as client:
        renamed = {
            "attributes": [{"name": "A", "type": "int", "renamed_from": "a"}, {"name": "b", "type": "text"}]
        }
        composite = wanted("composite_type", "c", renamed)
        assert statements(client.plan(composite, table, detail=True)) == [
            'ALTER TYPE public.c RENAME ATTRIBUTE a TO "A"'
        ]
        apply(client, composite, table)
        moved = {
            "attributes": [
                {"name": "b", "type": "text"},
                {"name": "z", "type": "bigint", "renamed_from": "A"},
            ]
        }
        apply(client, wanted("composite_type", "c", moved), table)
        assert base.rows("SELECT (c).z, (c).b FROM t") == [(1, "x")]


def test_a_dropped_attribute_loses_its_values(server: postgres.Server) -> None:
    made = "CREATE TYPE c AS (a int, b text); CREATE TABLE t (c c); INSERT INTO t VALUES (ROW(1, 'x'))"
    with database(server, made) as base, base.kolumn() as client:
        composite = wanted("composite_type", "c", {"attributes": {"b": "text"}})
        plan = client.plan(composite, wanted("table", "t", {"columns": {"c": "c"}}), detail=True)
        (risk,) = [risk for step in plan["steps"] for risk in step.get("risks", ())]
        assert risk["kind"] == "data_loss"
        assert "attribute a of type c" in risk["message"]


def test_typed_tables_follow_their_type(server: postgres.Server) -> None:
    made = "CREATE TYPE c AS (a int); CREATE TABLE t OF c; INSERT INTO t VALUES (1)"
    with database(server, made) as base, base.kolumn() as client:
        composite = wanted(
            "composite_type",
            "c",
            {"attributes": [{"name": "a", "type": "int"}, {"name": "b", "type": "text"}]},
        )
        table = wanted("table", "t", {"of_type": "c"})
        assert statements(client.plan(composite, table, detail=True)) == [
            "ALTER TYPE public.c ADD ATTRIBUTE b text CASCADE"
        ]
        apply(client, composite, table)
        assert base.rows("SELECT a, b FROM t") == [(1, None)]


RANGE_CHANGES = {
    "subtype": ("SUBTYPE = float8", "SUBTYPE = numeric"),
    "difference": ("SUBTYPE = float8", "SUBTYPE = float8, SUBTYPE_DIFF = float8mi"),
    "own difference": ("SUBTYPE = float8", "SUBTYPE = float8, SUBTYPE_DIFF = apart"),
    "multirange": ("SUBTYPE = float8", 'SUBTYPE = float8, MULTIRANGE_TYPE_NAME = "Many"'),
    "both": (
        "SUBTYPE = float8, MULTIRANGE_TYPE_NAME = few",
        'SUBTYPE = numeric, MULTIRANGE_TYPE_NAME = "Many"',
    ),
}


@pytest.mark.parametrize("change", RANGE_CHANGES)
def test_range_types_change_both_ways_under_rows(server: postgres.Server, change: str) -> None:
    made = []
    for definition in RANGE_CHANGES[change]:
        many = '"Many"' if "Many" in definition else "few" if "few" in definition else "r_multirange"
        made.append(
            f"""
CREATE FUNCTION apart(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE r AS RANGE ({definition});
CREATE TABLE t (r r PRIMARY KEY, m {many}, l r[]);
CREATE VIEW v AS SELECT r FROM t WHERE r @> r(1, 2);
COMMENT ON TYPE r IS 'between';
"""
        )
    rows = "INSERT INTO t VALUES ('[1,2)', '{[1,2),[5,6)}', '{\"[3,4]\"}');"
    look = "SELECT r::text, (SELECT count(*) FROM v)::int FROM t"
    for before, after in (made, made[::-1]):
        assert evolve(server, before + rows, after, look)["rows"] == [("[1,2)", 1)]


def test_range_types_with_operator_class_and_collation(server: postgres.Server) -> None:
    both_ways(
        server,
        "CREATE TYPE r AS RANGE (SUBTYPE = text)",
        'CREATE TYPE r AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops, COLLATION = "C")',
    )


def test_a_range_type_is_renamed_with_its_constructors(server: postgres.Server) -> None:
    made = "CREATE TYPE r AS RANGE (SUBTYPE = float8); CREATE TABLE t (r r); INSERT INTO t VALUES (r(1, 2))"
    with database(server, made) as base, base.kolumn() as client:
        resources = (
            wanted("range_type", "q", {"renamed_from": "r", "subtype": "float8"}),
            wanted("table", "t", {"columns": {"r": "q"}}),
        )
        apply(client, *resources)
        assert base.rows("SELECT r = q(1, 2), q_multirange(r)::text FROM t") == [(True, "{[1,2)}")]


def test_types_of_a_new_database_come_in_the_order_they_need(server: postgres.Server) -> None:
    both_ways(
        server,
        "",
        """
CREATE TYPE z AS ENUM ('x'); CREATE DOMAIN y AS z; CREATE TYPE x AS (a y[]); CREATE TYPE w AS RANGE (SUBTYPE = y);
CREATE TABLE a (b x, c w, d z DEFAULT 'x', e w_multirange, CONSTRAINT k CHECK (d <> 'x'));
CREATE FUNCTION f(x) RETURNS z LANGUAGE sql AS $$ SELECT 'x'::z $$;
CREATE TABLE b (a z DEFAULT f(NULL));
""",
    )


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"type": "int", "checks": [{"expression": "VALUE > 0", "comment": "x"}]}, "missing_attribute"),
        ({"type": "int", "not_null_name": "x"}, "conflicting_attributes"),
        ({"type": "int); DROP TABLE t; --"}, "invalid_type"),
        ({"type": "int", "default": "1; DROP TABLE t"}, "invalid_default"),
        ({"type": "int", "checks": ["VALUE > 0) OR (TRUE", "true"]}, "invalid_expression"),
        ({"type": "text", "collation": "a.b.c"}, "invalid_name"),
        ({"type": "int", "name": "x" * 64}, "invalid_identifier"),
        ({}, "missing_attribute"),
    ],
)
def test_faults_of_domains_are_said(config: dict[str, object], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DomainHandler(PostgresDialect()).parse(config, "d")
    assert [problem.code for problem in caught.value.problems] == [code]


def test_faults_of_composite_types_are_said() -> None:
    with pytest.raises(ValidationError) as caught:
        CompositeTypeHandler(PostgresDialect()).parse(
            {"attributes": [{"name": "a", "type": "int"}, {"name": "a", "type": "text"}]}, "c"
        )
    assert caught.value.problems[0].path == "attributes.a"


ODD = ['a"b', "a'b", "a.b", "A b", "select", "ü", "$1", "a;--", "x" * 63, "%s", "\\"]


def test_odd_names_are_taken_literally(server: postgres.Server) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    made = [f"CREATE SCHEMA {quoted(name)}" for name in ODD]
    for name in ODD:
        at = f"{quoted(name)}.{quoted(name)}"
        made += [
            f"CREATE DOMAIN {at} AS int CONSTRAINT {quoted(name)} CHECK (VALUE > 0)",
            f"CREATE TYPE {quoted(name)}.c AS ({quoted(name)} {at})",
            f"CREATE TYPE {quoted(name)}.r AS RANGE (SUBTYPE = float8, MULTIRANGE_TYPE_NAME = {quoted(name)}.m)",
            f"CREATE TABLE {quoted(name)}.t ({quoted(name)} {at}[], c {quoted(name)}.c, m {quoted(name)}.m)",
        ]
    both_ways(server, "", "; ".join(made))
