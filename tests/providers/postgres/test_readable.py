"""Queries as people write them: what PostgreSQL makes of them is the same to the letter."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolumn.providers.postgres.language.readable import readable
from tests.providers.postgres.sessions import Other


@pytest.mark.parametrize(
    ("catalogued", "written"),
    [
        ("SELECT 1 WHERE ((a > 1) AND (b = 2))", "SELECT 1 WHERE a > 1 AND b = 2"),
        ("SELECT 1 WHERE (a AND (b AND c))", "SELECT 1 WHERE a AND (b AND c)"),
        (
            "SELECT 1 FROM ((a JOIN b ON ((x = y))) JOIN c USING (z))",
            "SELECT 1 FROM a JOIN b ON x = y JOIN c USING (z)",
        ),
        ("SELECT 1 FROM (a JOIN (b JOIN c ON (x)) ON (y))", "SELECT 1 FROM a JOIN (b JOIN c ON x) ON y"),
        ("SELECT 1 FROM (a JOIN b USING (x)) j", "SELECT 1 FROM (a JOIN b USING (x)) j"),
        (
            "SELECT (a + b) AS c, (SELECT 1) AS d, (a, b) AS e",
            "SELECT a + b AS c, (SELECT 1) AS d, (a, b) AS e",
        ),
        ("SELECT CASE WHEN (a = 1) THEN (b) ELSE (c) END", "SELECT CASE WHEN a = 1 THEN b ELSE c END"),
        ("SELECT 1 WHERE (NOT (a = 1))", "SELECT 1 WHERE NOT (a = 1)"),
        ("SELECT 1 WHERE ((a BETWEEN (1) AND (2)) AND (b))", "SELECT 1 WHERE (a BETWEEN (1) AND (2)) AND b"),
        ("((a)::text = 'x (y)'::text)", "(a)::text = 'x (y)'::text"),
        ("(a).b", "(a).b"),
        ("EXISTS ( SELECT 1)", "EXISTS ( SELECT 1)"),
    ],
)
def test_parentheses_nobody_would_write(catalogued: str, written: str) -> None:
    assert readable(catalogued) == written


_VALUES = st.sampled_from(
    ["a", "b", "c", "(a + 1)", "(-b)", "((a + b) * c)", "coalesce(a, 1)", "(SELECT max(b) FROM t)", "3", "n"]
)
_TESTS = st.builds(
    "{} {}".format,
    _VALUES,
    st.sampled_from(
        ["= 1", "> b", "IS NULL", "IS DISTINCT FROM c", "BETWEEN 1 AND 2", "BETWEEN a AND b + 1", "IN (1, 2)",
         "NOT IN (SELECT a FROM t)", "= ANY (ARRAY[1, 2])", "::text LIKE 'x%'", "<> (SELECT 1)",
         "NOT BETWEEN 3 AND c", "IN (a, b)", "IN (a, b, c, 4)", "NOT IN (c, b, a)",
         "BETWEEN SYMMETRIC 1 AND b", "NOT BETWEEN SYMMETRIC c AND 2"]
    ),
)  # fmt: skip
_ROWS = st.sampled_from(
    ["(a, b) = (1, c)", "(a, b) <> (1, c)", "(a, b) < (1, c)", "v IN ('x', 'y')", "v NOT IN ('x', 'y')"]
)
_CONDITIONS = st.recursive(
    st.one_of(_TESTS, _ROWS),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("{} AND {} AND {}".format, inner, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("{} OR {} OR {}".format, inner, inner, inner),
        st.builds("(NOT ({}))".format, inner),
        st.builds("(({}) IS TRUE)".format, inner),
        st.builds("(CASE WHEN {} THEN {} ELSE b = 1 END)".format, inner, inner),
        st.builds("(({}) = ({}))".format, inner, inner),
        st.builds("EXISTS (SELECT 1 FROM t AS inside WHERE {} HAVING count(*) > 1)".format, inner),
    ),
    max_leaves=8,
)
_JOINS = st.recursive(
    st.sampled_from(
        ["t", "u", "(SELECT a, b, c, n, v FROM t WHERE a = 1 OR b = 2) AS s", "unnest(ARRAY[1, 2]) AS f (g)"]
    ),
    lambda inner: st.one_of(
        st.builds("({} CROSS JOIN {})".format, inner, inner),
        st.builds("({} LEFT JOIN {} ON (true AND (1 = 1)))".format, inner, inner),
        st.builds("({} JOIN {} ON ((1 = 2) OR true)) ".format, inner, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=_CONDITIONS, on=_CONDITIONS, item=_CONDITIONS, joins=_JOINS)
def test_a_readable_query_is_the_same_query(other: Other, where: str, on: str, item: str, joins: str) -> None:
    for query in (
        f"SELECT {where} AS w, a + b AS s FROM t JOIN u USING (a, b, c, n, v) WHERE {where}",
        f"SELECT 1 AS one FROM {_aliased(joins)}",
        f"SELECT a, {item} AS i, count(*) FILTER (WHERE {on}) AS n FROM t GROUP BY a, b, c, n, v HAVING {where}",
    ):
        try:
            with other.transaction(force_rollback=True):
                other.execute(
                    "CREATE TEMP TABLE t (a integer, b integer, c integer, n numeric, v varchar(9))"
                )
                other.execute(
                    "CREATE TEMP TABLE u (a integer, b integer, c integer, n numeric, v varchar(9))"
                )
                first = _worded(other, query)
                assert _worded(other, readable(first)) == first
        except psycopg.errors.SyntaxError:
            raise
        except psycopg.Error as error:
            assert error.diag.sqlstate in ("42702", "42712", "42803", "42804", "42883", "22P02"), error


def _worded(other: Other, query: str) -> str:
    other.execute("DROP VIEW IF EXISTS pg_temp.v")
    other.execute(f"CREATE TEMP VIEW v AS {query}".encode())
    row = other.execute("SELECT pg_get_viewdef('pg_temp.v'::regclass)").fetchone()
    assert row is not None
    return str(row[0])


def _aliased(joins: str) -> str:
    """Return the joins with each relation called something else."""
    number = 0
    words = []
    for word in joins.replace("(", "( ").replace(")", " )").split(" "):
        if word in ("t", "u") and words[-1:] != ["FROM"]:
            number += 1
            word = f"{word} AS x{number}"
        elif word in ("s", "f"):
            number += 1
            word = f"{word}{number}"
        words.append(word)
    return " ".join(words)
