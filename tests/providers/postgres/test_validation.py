"""Data validation of what only PostgreSQL has: enums, domains, exclusion, VALIDATE, types, tables that inherit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from kolumn.engine import validation
from tests.client import Client, wanted
from tests.conformance.test_validation import ID, column, may_fail, table
from tests.providers.postgres.databases import database
from tests.servers import postgres


def said(client: Client, *resources: Mapping[str, Any], **options: Any) -> list[str]:
    """Return what a plan says may fail, having seen that apply refuses it for all that was counted."""
    plan = client.plan(*resources, detail=True, **options)
    risks = may_fail(plan)
    counted = [risk["message"] for risk in risks if "rows" in risk]
    if counted:
        error = client.refused("Apply", {"resources": list(resources), "options": options})
        assert error.code == "data_validation"
        assert [problem.message for problem in error.problems] == counted
    return [risk["message"] for risk in risks]


def test_values_that_an_enum_is_to_lose(server: postgres.Server) -> None:
    made = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'odd');
CREATE TABLE t (id int PRIMARY KEY, x mood, more mood[]);
INSERT INTO t VALUES (1, 'sad', '{ok}'), (2, 'ok', '{sad,odd}'), (3, 'odd', NULL), (4, NULL, '{}');
"""
    with database(server, made) as base, base.kolumn() as client:
        rest = table("t", ID, column("x", "mood"), column("more", "mood[]"))
        smaller = wanted("enum", "mood", {"values": ["ok", "happy"]})
        assert said(client, smaller, rest) == [
            "2 rows of t have 'sad' or 'odd' in x, which enum mood is to lose (id 1, 3)",
            "1 row of t has 'sad' or 'odd' in more, which enum mood is to lose (id 2)",
        ]
        base.run("UPDATE t SET x = 'ok', more = '{happy}'")
        assert said(client, smaller, rest) == []
        client.apply(smaller, rest)
        assert base.rows("SELECT DISTINCT x::text, more::text FROM t") == [("ok", "{happy}")]


def test_values_that_break_a_domain(server: postgres.Server) -> None:
    made = """
CREATE DOMAIN mail AS text;
CREATE TABLE a (id int PRIMARY KEY, main mail, other mail);
CREATE TABLE b (id int PRIMARY KEY, value mail);
INSERT INTO a VALUES (1, 'x@y', 'nobody'), (2, NULL, 'z@y');
INSERT INTO b VALUES (7, 'nowhere'), (8, 'x@y');
"""
    with database(server, made) as base, base.kolumn() as client:
        strict = wanted(
            "domain",
            "mail",
            {"type": "text", "not_null": True, "checks": [{"expression": "VALUE LIKE '%@%'"}]},
        )
        assert sorted(said(client, strict)) == [
            "1 row of a has a value in other that breaks (VALUE LIKE '%@%') of domain mail (id 1)",
            "1 row of a has no main (id 2)",
            "1 row of b has a value in value that breaks (VALUE LIKE '%@%') of domain mail (id 7)",
        ]
        base.run("DELETE FROM a", "DELETE FROM b WHERE id = 7")
        assert said(client, strict) == []
        client.apply(strict)


def test_rows_that_exclude_each_other(server: postgres.Server) -> None:
    made = """
CREATE TABLE stays (id int PRIMARY KEY, room int, during int4range);
INSERT INTO stays VALUES (1, 1, '[1,5)'), (2, 1, '[4,6)'), (3, 2, '[4,6)'), (4, 1, '[6,9)');
"""
    exclusion = {
        "name": "one_guest",
        "columns": [
            {"expression": "int4range(room, room, '[]')", "operator": "&&"},
            {"column": "during", "operator": "&&"},
        ],
        "where": "room > 0",
    }
    with database(server, made) as base, base.kolumn() as client:
        wish = table("stays", ID, column("room"), column("during", "int4range"), exclusions=[exclusion])
        assert said(client, wish) == ["2 rows of stays exclude each other by one_guest (id 1, 2)"]
        base.run("DELETE FROM stays WHERE id = 2")
        assert said(client, wish) == []
        client.apply(wish)


def test_rows_from_before_a_constraint_are_asked_about_when_it_is_validated(server: postgres.Server) -> None:
    made = """
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int, price int);
INSERT INTO t VALUES (1, 5, -1);
"""

    def wish(*, not_valid: bool) -> Any:
        return table(
            "t",
            ID,
            column("parent"),
            column("price"),
            checks=[{"name": "dear", "expression": "price > 0", "not_valid": not_valid}],
            foreign_keys=[
                {"name": "of", "columns": ["parent"], "references": "parents(id)", "not_valid": not_valid}
            ],
        )

    with database(server, made) as base, base.kolumn() as client:
        assert said(client, wish(not_valid=True)) == []
        client.apply(wish(not_valid=True))
        assert sorted(said(client, wish(not_valid=False))) == [
            "1 row of t breaks dear (price > 0) (id 1)",
            "1 row of t has a parent that parents(id) lacks (id 1)",
        ]
        base.run("INSERT INTO parents VALUES (5)", "UPDATE t SET price = 1")
        assert said(client, wish(not_valid=False)) == []
        client.apply(wish(not_valid=False))


def test_foreign_keys_declared_apart(server: postgres.Server) -> None:
    made = """
CREATE TABLE parents (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO parents VALUES (1, 1); INSERT INTO t VALUES (1, 1, 1), (2, 1, NULL), (3, 1, 2), (4, NULL, NULL);
"""
    config = {"table": "t", "columns": ["a", "b"], "references": "parents(a, b)"}
    with database(server, made) as base, base.kolumn() as client:
        assert said(client, wanted("foreign_key", "k", config)) == [
            "1 row of t has a (a, b) that parents(a, b) lacks (id 3)"
        ]
        full = wanted("foreign_key", "k", {**config, "match": "full"})
        assert said(client, full) == ["2 rows of t have a (a, b) that parents(a, b) lacks (id 2, 3)"]
        late = wanted("foreign_key", "k", {**config, "match": "full", "not_valid": True})
        assert said(client, late) == []
        client.apply(late)
        assert said(client, full) == ["2 rows of t have a (a, b) that parents(a, b) lacks (id 2, 3)"]
        base.run("DELETE FROM t WHERE id IN (2, 3)")
        client.apply(full)


@pytest.mark.parametrize(
    ("before", "after", "values", "bad"),
    [
        ("bigint", "integer", ["1", "3000000000", "-3000000000", "NULL"], [2, 3]),
        ("integer", "smallint", ["32767", "32768"], [2]),
        ("numeric", "integer", ["1.4", "2147483647.6", "'NaN'"], [2, 3]),
        ("double precision", "numeric(4,2)", ["99.994", "99.996", "-100"], [2, 3]),
        ("numeric(8,4)", "numeric(5,1)", ["9999.94", "9999.95"], [2]),
        ("text", "character varying(3)", ["'abc'", "'abcd'", "'abc  '", "NULL"], [2]),
        ("character varying(10)", "character(2)", ["'ab'", "'abc'", "'ab   '"], [2]),
        ("text", "integer", ["' 12 '", "'x'", "'3000000000'", "NULL", "'-7'"], [2, 3]),
    ],
)
def test_values_that_do_not_fit_the_new_type(
    server: postgres.Server, before: str, after: str, values: list[str], bad: list[int]
) -> None:
    rows = ", ".join(f"({number}, {value})" for number, value in enumerate(values, 1))
    made = f"CREATE TABLE t (id int PRIMARY KEY, x {before}); INSERT INTO t VALUES {rows}"
    with database(server, made) as base, base.kolumn() as client:
        wish = table("t", ID, column("x", after))
        ids = ", ".join(map(str, bad))
        verb = "1 row of t has" if len(bad) == 1 else f"{len(bad)} rows of t have"
        assert said(client, wish) == [f"{verb} a x that is no {after} (id {ids})"]
        base.run(f"DELETE FROM t WHERE id IN ({ids})")
        assert said(client, wish) == []
        client.apply(wish)


def test_texts_that_no_type_can_read(server: postgres.Server) -> None:
    made = "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t VALUES (1, '2020-01-01'), (2, 'later')"
    with database(server, made) as base, base.kolumn() as client:
        (message,) = said(client, table("t", ID, column("x", "date")))
        if base.version >= 16:
            assert message == "1 row of t has a x that is no date (id 2)"
        else:
            assert message.endswith("; not counted: no query on this server can tell which values do not fit")


def test_nulls_that_count_as_equal(server: postgres.Server) -> None:
    made = "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, NULL), (2, NULL), (3, 1)"
    index = {"name": "i", "table": "t", "columns": ["x"], "unique": True}
    with database(server, made) as base, base.kolumn() as client:
        assert said(client, wanted("index", "i", index)) == []
        strict = wanted("index", "i", {**index, "nulls_not_distinct": True})
        assert said(client, strict) == ["2 rows of t have the same x as another (x NULL)"]


def test_keys_of_tables_that_others_inherit_from(server: postgres.Server) -> None:
    made = """
CREATE TABLE t (id int, x int); CREATE TABLE kin () INHERITS (t);
INSERT INTO t VALUES (1, 1); INSERT INTO kin VALUES (1, 1), (2, NULL);
CREATE TABLE p (id int, x int) PARTITION BY LIST (x);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
INSERT INTO p VALUES (1, 1), (1, 1), (1, 2);
"""
    with database(server, made) as base, base.kolumn() as client:
        plain = table("t", column("id"), column("x"), uniques=[{"columns": ["id", "x"]}])
        assert said(client, plain) == [], "each table has an index of its own"
        parted = table(
            "p",
            column("id"),
            column("x"),
            partition_by={"strategy": "list", "columns": ["x"]},
            uniques=[{"columns": ["id", "x"]}],
        )
        assert said(client, parted) == ["2 rows of p have the same (id, x) as another ((id, x) (1, 1))"]


def test_steps_that_let_others_work_are_asked_about_alike(server: postgres.Server) -> None:
    made = "CREATE TABLE t (id int PRIMARY KEY, x int, y int); INSERT INTO t VALUES (1, NULL, -1), (2, 1, -1)"
    with database(server, made) as base, base.kolumn() as client:
        wish = table(
            "t",
            ID,
            column("x", not_null=True),
            column("y", unique=True),
            checks=[{"name": "above", "expression": "y > 0"}],
        )
        assert sorted(said(client, wish, online=True)) == [
            "1 row of t has no x (id 1)",
            "2 rows of t break above (y > 0) (id 1, 2)",
            "2 rows of t have the same y as another (y -1)",
        ]
        assert base.one("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        base.run("UPDATE t SET x = 1, y = id")
        assert said(client, wish, online=True) == []
        client.apply(wish, online=True)


def test_added_columns_that_get_their_values_by_themselves(server: postgres.Server) -> None:
    made = "CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2)"
    with database(server, made) as base, base.kolumn() as client:
        wish = table(
            "t",
            column("x"),
            column("id", "bigint", identity="always", primary_key=True),
            column("n", "serial", unique=True),
            column("u", "uuid", default="gen_random_uuid()", not_null=True, unique=True),
        )
        (message,) = said(client, wish)
        assert message.endswith("the same (u); not counted: what rows get in u is not known before")
        client.apply(wish)


def test_counting_costs_nothing_where_nothing_can_fail(server: postgres.Server) -> None:
    made = "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1)"
    with database(server, made) as base, base.kolumn() as client:
        client.apply(table("t", ID, column("x")))
        session = client.provider._connection.session  # type: ignore[attr-defined]

        def sent(*columns: Mapping[str, Any]) -> int:
            before = session.queries_sent
            client.plan(table("t", *columns), detail=True)
            return int(session.queries_sent - before)

        empty, harmless = sent(ID, column("x")), sent(ID, column("x"), column("y"))
        one = sent(ID, column("x", not_null=True))
        three = sent(ID, column("x", not_null=True, unique=True, check="x > 0"))
        assert sent(ID, column("x")) == empty
        assert one == harmless + 1
        assert three == harmless + 3


def test_what_one_question_does_is_no_matter_for_the_others(
    server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = """
CREATE FUNCTION slow(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN PERFORM pg_sleep(5); RETURN true; END';
CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, NULL), (2, 0);
"""
    monkeypatch.setattr(validation, "SECONDS", 0.2)
    with database(server, made) as base, base.kolumn() as client:
        wish = table(
            "t",
            ID,
            column("x", not_null=True),
            checks=[
                {"name": "a", "expression": "slow(x)"},
                {"name": "b", "expression": "1 / x > 0"},
                {"name": "c", "expression": "x > 0"},
            ],
        )
        started = time.monotonic()
        messages = sorted(said(client, wish))
        assert time.monotonic() - started < 4
        assert messages[0] == "1 row of t breaks c (x > 0) (id 2)"
        assert messages[1] == "1 row of t has no x (id 1)"
        assert messages[2].endswith("(1 / x > 0); not counted: PostgreSQL says: division by zero.")
        assert messages[3].endswith("(slow(x)); not counted: it took longer than 0.2 s")
