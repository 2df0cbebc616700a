"""The dialect as the SQL floor sees it: what texts name, which names there can be, what new types risk."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.language.mentions import Name
from kolumn.providers.postgres.language.tokens import quote
from kolumn.sql.dialect import Relation
from kolumn.sql.model import Column
from tests.providers.postgres.sandbox import Sandbox, opened
from tests.servers.postgres import Server

DIALECT = PostgresDialect()

TABLES = ["a", "b", "film", "Mixed Case", "order", "public", "lateral_x"]


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[Sandbox]:
    with opened(server.url) as connection:
        connection.rows("CREATE SCHEMA other")
        for schema in ("public", "other"):
            for table in TABLES:
                connection.rows(f"CREATE TABLE {schema}.{quote(table)} (id int, x text)")
            connection.rows(f"CREATE FUNCTION {schema}.area(int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
            connection.rows(
                f"CREATE FUNCTION {schema}.rows_of(int) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1'"
            )
            connection.rows(f"CREATE TYPE {schema}.mood AS ENUM ('sad')")
            connection.rows(f"CREATE SEQUENCE {schema}.ticket")
        connection.rows("CREATE TYPE public.name AS ENUM ('sad')")
        yield connection


def depended(sandbox: Sandbox, catalogue: str, name: str) -> set[tuple[str, str]] | None:
    """Return what of a catalogue the view `made` depends on, as name and schema; empty for public."""
    namespace = {"pg_class": "relnamespace", "pg_proc": "pronamespace", "pg_type": "typnamespace"}[catalogue]
    rows = sandbox.connection.execute(
        f"SELECT o.{name}::text, n.nspname::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
        f"JOIN {catalogue} o ON o.oid = d.refobjid JOIN pg_namespace n ON n.oid = o.{namespace} "
        f"WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = '{catalogue}'::regclass "
        "AND r.ev_class = 'public.made'::regclass AND n.nspname <> 'pg_catalog' AND o.oid <> r.ev_class"
    ).fetchall()
    return {(found, "" if schema == "public" else schema) for found, schema in rows}


TABLE_NAMES = st.builds(
    "{}{}".format,
    st.sampled_from(["", "public.", "other.", "OTHER . "]),
    st.sampled_from([quote(each) for each in TABLES]),
)
SOURCES = st.recursive(
    st.builds("{} {}".format, TABLE_NAMES, st.sampled_from(["x", "AS y", "z(i)"])),
    lambda inner: st.one_of(
        st.builds("{} CROSS JOIN {}".format, inner, inner),
        st.builds("({} LEFT JOIN {} ON (1 = 1))".format, inner, inner),
        st.builds("{}, {}".format, inner, inner),
        st.builds("(SELECT 1 AS one FROM {}) AS q".format, inner),
        st.builds("{}, LATERAL (SELECT 2 AS two FROM {}) AS l".format, inner, inner),
        st.builds("ONLY {}, rows_of(1) r".format, TABLE_NAMES),
        st.builds("{} JOIN other.rows_of(1) r ON true".format, inner),
        st.builds("(TABLE {}) AS t".format, TABLE_NAMES),
    ),
    max_leaves=4,
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "1",
            "area(1)",
            "other.area(2)",
            "'sad'::mood",
            "CAST('sad' AS other.mood)",
            "other.mood 'sad'",
            "'sad'::public.name",
            "'{sad}'::mood[]",
            "extract(year FROM now())",
            "1 IS DISTINCT FROM 2",
            "substring('a' FROM 1)",
        ]
    ),
    st.builds("(SELECT count(*) FROM {})".format, SOURCES),
    st.builds("EXISTS (SELECT FROM {})".format, SOURCES),
    st.builds("1 IN (SELECT id FROM {})".format, TABLE_NAMES),
)
QUERIES = st.builds(
    "{}SELECT {} AS v FROM {} WHERE ({}) IS NOT NULL{}".format,
    st.one_of(st.just(""), st.builds("WITH w AS (SELECT 1 AS i FROM {}) ".format, SOURCES)),
    VALUES,
    SOURCES,
    VALUES,
    st.one_of(st.just(""), st.builds(" UNION ALL SELECT null FROM {}".format, SOURCES)),
)


@given(QUERIES)
def test_nothing_that_a_query_uses_is_overlooked(sandbox: Sandbox, query: str) -> None:
    try:
        with sandbox.connection.transaction(force_rollback=True):
            sandbox.connection.execute(f"CREATE VIEW public.made AS {query}".encode())
            tables = depended(sandbox, "pg_class", "relname")
            functions = depended(sandbox, "pg_proc", "proname")
            types = depended(sandbox, "pg_type", "typname")
    except psycopg.Error:
        return
    assert DIALECT.relations(query) >= {Relation(*each) for each in tables or ()}
    assert DIALECT.functions(query) >= {Name(*each) for each in functions or ()}
    elements = {(name.removeprefix("_"), schema) for name, schema in types or ()}
    assert DIALECT.type_names(query) >= {Name(*each) for each in elements}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT extract(year FROM created), trim(both ' ' from title) FROM film", {("film", "")}),
        ("SELECT 1 WHERE a IS DISTINCT FROM b", set()),
        ("SELECT * FROM f(1), generate_series(1, 2)", set()),
        ("INSERT INTO log (a) SELECT a FROM other.t", {("log", ""), ("t", "other")}),
        ("UPDATE film SET x = 1 FROM b WHERE true", {("film", ""), ("b", "")}),
        ("DELETE FROM ONLY film USING public.b", {("film", ""), ("b", "")}),
        ("MERGE INTO film USING b ON true WHEN MATCHED THEN DELETE", {("film", ""), ("b", "")}),
        ("'other.film'::regclass", {("film", "other")}),
        ('SELECT * FROM "Mixed Case", public."order"', {("Mixed Case", ""), ("order", "")}),
        ("SELECT 'from film' -- from film", set()),
        ("price > 0 AND length(title) < 10", set()),
    ],
)
def test_relations(text: str, names: set[tuple[str, str]]) -> None:
    assert DIALECT.relations(text) == {Relation(*each) for each in names}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nextval('ticket'::regclass)", {("ticket", "")}),
        ("nextval('public.ticket')", {("ticket", "")}),
        ("currval('other.\"Ticket\"')", {("Ticket", "other")}),
        ("pg_catalog.setval('ticket', 1)", {("ticket", "")}),
        ("'ticket'", set()),
        ("nextval(name)", set()),
        ("nextval('a; drop table b')", set()),
    ],
)
def test_sequences(text: str, names: set[tuple[str, str]]) -> None:
    assert DIALECT.sequences(text) == {Name(*each) for each in names}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mood", Name("mood")),
        ("public.mood[]", Name("mood")),
        ("other.mood", Name("mood", "other")),
        ('"Mood"(3)', Name("Mood")),
        ("text", None),
        ("serial", None),
        ("public.text", Name("text")),
        ("int)", None),
    ],
)
def test_types_of_users(text: str, found: Name | None) -> None:
    assert DIALECT.type_of(text) == found


@pytest.mark.parametrize("name", ["", "x" * 64, "é" * 32, "a\0b", "\ud800"])
def test_names_there_cannot_be(name: str) -> None:
    assert DIALECT.check_identifier(name)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_names_there_can_be_are_kept_whole(sandbox: Sandbox, name: str) -> None:
    """What passes is the name the server has; what does not, it cuts."""
    with sandbox.connection.transaction(force_rollback=True):
        sandbox.connection.execute(f"CREATE TEMP TABLE named ({quote(name)} int)".encode())
        row = sandbox.connection.execute(
            "SELECT attname::text = %s::text FROM pg_attribute "
            "WHERE attrelid = 'named'::regclass AND attnum = 1",
            (name,),
        ).fetchone()
        assert row is not None
        assert row[0] == (DIALECT.check_identifier(name) is None)


def test_a_long_name_is_refused_in_words() -> None:
    assert DIALECT.check_identifier("é" * 40) == "it is 80 bytes long, and PostgreSQL cuts names off after 63"


def test_constants_need_no_quotes(sandbox: Sandbox) -> None:
    for word in ("CURRENT_TIMESTAMP", "current_user", "LocalTime", "null", "USER", "current_schema"):
        assert DIALECT.is_constant(word)
        sandbox.rows(f"SELECT {word}")
    for word in ("now", "draft", "today"):
        assert not DIALECT.is_constant(word)
        assert sandbox.fault(f"SELECT {word}")


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("varchar(10)", "varchar(20)", []),
        ("int", "bigint", ["table_rewrite", "long_lock"]),
        ("bigint", "int", ["may_fail", "table_rewrite", "long_lock"]),
        ("timestamptz", "date", ["data_loss", "conversion", "table_rewrite", "long_lock"]),
        ("text", "mood", ["may_fail", "table_rewrite", "long_lock"]),
        ("numeric(10,2)", "numeric", []),
        ("timestamp", "timestamptz", ["conversion"]),
        ("serial", "int", []),
    ],
)
def test_risks_of_a_change_of_type(before: str, after: str, kinds: list[str]) -> None:
    risks = DIALECT.type_change_risks("film", Column(name="a", type=before), Column(name="a", type=after))
    assert [risk.kind for risk in risks] == kinds
    assert all("film" in risk.message for risk in risks)


def test_names_are_exact_and_public_is_the_default_schema() -> None:
    assert DIALECT.fold("Users") == "Users"
    assert DIALECT.normal_schema("public") == ""
    assert DIALECT.normal_schema("Public") == "Public"
