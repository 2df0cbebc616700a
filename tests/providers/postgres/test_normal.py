"""Normal forms: texts of one form mean the same to a server, whatever is done to their spelling."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kolumn.providers.postgres.language.keywords import UNRESERVED
from kolumn.providers.postgres.language.normal import normal_expression, normal_statement
from kolumn.providers.postgres.language.tokens import literal, quote, tokenize
from tests.providers.postgres.sandbox import Sandbox, opened
from tests.servers.postgres import Server


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[Sandbox]:
    with opened(server.url) as connection:
        for statement in (
            'CREATE TABLE public.t (a int, b text, c numeric, "A" int, day date, "user" text, k int[])',
            "CREATE TABLE public.public (a int, b text)",
            "CREATE TABLE public.s (a int, t int, b text)",
            "CREATE SEQUENCE public.q",
            "CREATE TYPE public.mood AS ENUM ('x', 'y')",
            "CREATE TYPE public.text AS ENUM ('x', 'y')",
            "CREATE FUNCTION public.f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION public.f(a public.t) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION public.lower(a text) RETURNS text LANGUAGE sql AS 'SELECT a'",
        ):
            connection.rows(statement)
        yield connection


def wording(sandbox: Sandbox, query: str) -> str | None:
    """Return the server's own wording of a query, None if it has none."""
    try:
        with sandbox.connection.transaction(force_rollback=True):
            sandbox.connection.execute(f"CREATE VIEW public.v AS {query}".encode())
            sandbox.connection.execute("SET LOCAL search_path = ''")
            row = sandbox.connection.execute("SELECT pg_get_viewdef('public.v'::regclass)").fetchone()
            assert row is not None
            return str(row[0])
    except psycopg.Error:
        return None


SAME = [
    ("a>1", "a > 1"),
    ("(a > 1)", "a > 1"),
    ("((a) > (1))", "a > 1"),
    ("A > 1 -- why", "a /* not */ > 1"),
    ('"a" != 1', "a <> 1"),
    ("CAST(a AS INT8)", "a::bigint"),
    ("cast(a + 1 as numeric(10, 2))", "(a + 1)::decimal(10,2)"),
    ("(a::text)::varchar(3)", "a::pg_catalog.text::character varying(3)"),
    ("((a + 1)::int)", "CAST((a + 1) AS integer)"),
    ("'x'::public.mood", "'x'::mood"),
    ("$$it's$$", "'it''s'"),
    ("E'a'", "'a'"),
    ("E'a\\\\b'", "'a\\b'"),
    ("'a'\n  'b'", "'ab'"),
    ("U&'\\0061'", "'a'"),
    ("nextval('public.q'::regclass)", "nextval('q'::regclass)"),
    ("nextval('\"q\"'::regclass)", "nextval('q'::regclass)"),
    ("NOT (a)", "not a"),
    ("a AND (b)", "a and b"),
    ("f((a))", "f(a)"),
    ('t."user"', "t.user"),
    ("1E5", "1e5"),
    ("now()::timestamp with time zone", "now()::timestamptz"),
    ("a::int[3]", "a::integer array"),
    ("(((a)))", "a"),
]

DIFFERENT = [
    ("'A'", "'a'"),
    ("'a b'", "'a  b'"),
    ("'a' 'b'", "'ab'"),
    ('"A"', "a"),
    ('"user"', "user"),
    ('"current_date"', "current_date"),
    ("a", "(a).b"),
    ("f(a, b)", "f((a, b))"),
    ("- a ^ 2", "(- a) ^ 2"),
    ("(a + b) * c", "a + b * c"),
    ("a::int", 'a::"int"'),
    ("a::text", "a::public.text"),
    ('a::"char"', "a::char"),
    ("a::char", "a::bpchar"),
    ("E'\\n'", "'\\n'"),
    ("B'1'", "'1'"),
    ("N'a'", "'a'"),
    ("lower(b)", "public.lower(b)"),
    ("public.a", "a"),
    ("1.0", "1.00"),
    ("a @ - 1", "a @- 1"),
    ("interval '1' day", "interval '1'"),
    ("'public.q'", "'q'"),
    ("'public.pg_x'::regclass", "'pg_x'::regclass"),
    ("(a).b", "a.b"),
    ("k[1]", "k [ 1 ] [ 1 ]"),
    ("a IS DISTINCT FROM public.b", "a IS DISTINCT FROM b"),
    ("ARRAY[a]", "ARRAY[[a]]"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_expressions_of_one_form(one: str, other: str) -> None:
    assert normal_expression(one) == normal_expression(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_expressions_of_different_forms(one: str, other: str) -> None:
    assert normal_expression(one) != normal_expression(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM public.t;", "select a from t"),
        ("SELECT a FROM t, public.s", "select a from t,s"),
        ("(SELECT 1)", "SELECT 1"),
        ("SELECT a FROM (public.t JOIN public.s USING (a))", "SELECT a FROM (t JOIN s USING (a))"),
        ("SELECT a::INT AS x FROM t -- end", 'SELECT a::integer AS "x" FROM "t" ;'),
    ],
)
def test_statements_of_one_form(one: str, other: str) -> None:
    assert normal_statement(one) == normal_statement(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("WITH t AS (SELECT 1 AS a) SELECT a FROM t", "WITH t AS (SELECT 1 AS a) SELECT a FROM public.t"),
        ("SELECT interval '1' day", "SELECT interval '1' \"day\""),
        ("SELECT a FROM t GROUP BY rollup(a, b)", 'SELECT a FROM t GROUP BY "rollup"(a, b)'),
        ("SELECT 1::bit varying", 'SELECT 1::bit "varying"'),
        ("SELECT public.a FROM public", "SELECT a FROM public"),
        ("SELECT a FROM public.f(1) a", "SELECT a FROM f(1) a"),
        ("UPDATE t SET b = 1, (a) = ROW(1)", "UPDATE t SET b = 1, a = ROW(1)"),
        ("SELECT extract(year FROM public.a) FROM public", "SELECT extract(year FROM a) FROM public"),
        ("SELECT a FROM public.pg_class", "SELECT a FROM pg_class"),
    ],
)
def test_statements_of_different_forms(one: str, other: str) -> None:
    assert normal_statement(one) != normal_statement(other)


ATOMS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "c",
            '"A"',
            "t.a",
            "public.t.b",
            't."user"',
            "1",
            "2.50",
            "'x'",
            "'2'",
            "E'y\\\\'",
            "$$z$$",
        ),
        *("null", "true", "now()", "current_user", '"user"', "day", "k", "k[1]", "current_date", "B'1'"),
        *("'q'::regclass", "nextval('public.q'::regclass)", "interval '1' day", "date '2020-01-01'"),
    ]
)
TYPES = st.sampled_from(
    [
        *("int", "integer", "int4", "text", "varchar(3)", "numeric(10,2)", "bool", "mood", "public.mood"),
        *("public.text", "timestamptz", "bpchar", '"char"', "char", "int[]", "float8", "double precision"),
        *("bit varying", "name"),
    ]
)


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "||", "=", "!=", "<", "-", "*"]), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or", "is distinct from"]), inner),
        st.builds("({})".format, inner),
        st.builds("({})::{}".format, inner, TYPES),
        st.builds("{}::{}".format, inner, TYPES),
        st.builds("cast({} as {})".format, inner, TYPES),
        st.builds("not {}".format, inner),
        st.builds("- {}".format, inner),
        st.builds(
            "{}({})".format, st.sampled_from(["lower", "public.lower", "f", "public.f", "coalesce"]), inner
        ),
        st.builds("coalesce({}, {})".format, inner, inner),
        st.builds("({}, {})".format, inner, inner),
        st.builds("{} in ({}, {})".format, inner, inner, inner),
        st.builds("{} between {} and {}".format, inner, inner, inner),
        st.builds("case when {} then {} else {} end".format, inner, inner, inner),
        st.builds("case {} when {} then {} end".format, inner, inner, inner),
        st.builds("{} is not null".format, inner),
        st.builds('{} collate "C"'.format, inner),
        st.builds("array[{}]".format, inner),
    )


EXPRESSIONS = st.recursive(ATOMS, _compound, max_leaves=5)


@st.composite
def respelled(draw: st.DrawFn, text: str) -> str:
    """Return `text` with some of its tokens spelled in another way, some of which change what it means."""
    tokens = [token.text for token in tokenize(text)]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(tokens) - 1))
        token = tokens[at]
        other = draw(st.integers(at, min(at + 6, len(tokens) - 1)))
        match draw(st.integers(0, 9)):
            case 0:
                tokens[at] = token.upper() if draw(st.booleans()) else token.lower()
            case 1 if token.isidentifier():
                tokens[at] = f'"{token}"'
            case 2 if token[0] == '"':
                tokens[at] = token[1:-1]
            case 3:
                tokens[at : other + 1] = ["(", *tokens[at : other + 1], ")"]
            case 4 if token in ("(", ")"):
                del tokens[at]
            case 5 if token[0] == "'":
                tokens[at] = draw(
                    st.sampled_from([f"E{token}", f"$${token[1:-1]}$$", token.upper(), f"N{token}"])
                )
            case 6 if token == "public":
                del tokens[at : at + 2]
            case 7:
                tokens[at:at] = ["public", "."]
            case 8:
                tokens[at:at] = draw(st.sampled_from([["/* x */"], ["-- x\n"], ["\n"]]))
            case 9:
                tokens[at] = draw(st.sampled_from(["<>", "!=", "int4", "integer", "a", "::", "cast"]))
    return draw(st.sampled_from([" ", "  ", "\n"])).join(tokens)


@st.composite
def pairs(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> tuple[str, str]:
    text = draw(texts)
    return text, draw(respelled(text))


@given(pairs(EXPRESSIONS))
@example(("(a, b) = (1, 'x')", "a, b = 1, 'x'"))
@example(("f((a))", "f(a)"))
@example(("cast(- a as text)", "- a::text"))
def test_expressions_of_one_form_are_one_to_the_server(sandbox: Sandbox, pair: tuple[str, str]) -> None:
    one, other = pair
    if normal_expression(one) == normal_expression(other):
        first, second = (wording(sandbox, f"SELECT ({each}\n) AS x FROM t") for each in pair)
        assert first == second or first is None or second is None


QUERIES = st.builds(
    "{} {} from {} where ({}) is null".format,
    st.sampled_from(["select", "select distinct", "with t as (select 1 as a) select", "select all"]),
    st.lists(
        st.builds("{}{}".format, EXPRESSIONS, st.sampled_from([" as x", "", ' "day"'])),
        min_size=1,
        max_size=2,
    ).map(", ".join),
    st.sampled_from(
        ["t", "public.t", "t, public.s", "public.t join s on true", "public", "(public.s cross join t)"]
    ),
    EXPRESSIONS,
)


@given(pairs(QUERIES))
@example(("select interval '1' day from t where true", "select interval '1' \"day\" from t where true"))
def test_queries_of_one_form_are_one_to_the_server(sandbox: Sandbox, pair: tuple[str, str]) -> None:
    one, other = pair
    if normal_statement(one) == normal_statement(other):
        first, second = (wording(sandbox, each) for each in pair)
        assert first == second or first is None or second is None


TEMPLATES = [
    "SELECT interval '1' {}",
    "SELECT a::bit {} FROM t",
    "SELECT a::timestamp {} FROM t",
    "SELECT a::time(3) {} FROM t",
    "SELECT a::double {} FROM t",
    "SELECT a::character {} FROM t",
    "SELECT a FROM t GROUP BY {}(a)",
    "SELECT {}(a) FROM t",
    "SELECT {}(a, b) FROM t",
    "SELECT a {} FROM t",
    "SELECT a AS {} FROM t",
    "SELECT {} FROM (SELECT 1 AS {}) x",
    "SELECT b {} 'x' FROM t",
    "SELECT b LIKE 'x' {} 'y' FROM t",
    "SELECT b IS {} FROM t",
    "SELECT '1'::xml IS {}",
    "SELECT b IS NOT {} FROM t",
    "SELECT '1' IS JSON {}",
    "SELECT max(a) {} (ORDER BY a) FROM t",
    "SELECT count(*) {} (WHERE a > 1) FROM t",
    "SELECT count(*) OVER ({} BY a) FROM t",
    "SELECT count(*) OVER (ORDER BY a {} UNBOUNDED PRECEDING) FROM t",
    "SELECT count(*) OVER (ORDER BY a ROWS UNBOUNDED {}) FROM t",
    "SELECT count(*) OVER (ORDER BY a ROWS {} PRECEDING) FROM t",
    "SELECT count(*) OVER (ORDER BY a ROWS {} ROW) FROM t",
    "SELECT count(*) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING {} TIES) FROM t",
    "SELECT a FROM t ORDER BY a {} FIRST",
    "SELECT a FROM t ORDER BY a NULLS {}",
    "SELECT a FROM t FETCH {} 1 ROW ONLY",
    "SELECT a FROM t FETCH FIRST 1 {} ONLY",
    "SELECT a FROM t FOR UPDATE {}",
    "SELECT a FROM t FOR {} UPDATE",
    "SELECT a FROM t FOR {}",
    "SELECT * FROM generate_series(1, 2) WITH {}",
    "SELECT * FROM {} (SELECT 1) x",
    "SELECT * FROM {} t",
    "SELECT * FROM t {}",
    "WITH {} AS (SELECT 1 AS a) SELECT a FROM {}",
    "WITH {} x AS (SELECT 1 AS a) SELECT a FROM x",
    "WITH x AS {} (SELECT 1 AS a) SELECT a FROM x",
    "SELECT extract({} FROM day) FROM t",
    "SELECT normalize(b, {}) FROM t",
    "SELECT day AT {} FROM t",
    "SELECT day AT TIME {} 'UTC' FROM t",
    "SELECT xmlelement({} foo)",
    "SELECT xmlelement({} foo, a) FROM t",
    "SELECT xmlparse({} b) FROM t",
    "SELECT xmlserialize({} '<a/>'::xml AS text)",
    "SELECT xmlroot('<a/>'::xml, {} '1.0')",
    "SELECT a {} (1) FROM t",
    "SELECT trim({} b) FROM t",
    "SELECT overlay(b {} 'x' FROM 1) FROM t",
    "SELECT substring(b {} 'x') FROM t",
    "SELECT json_object({} 'a' VALUE 1)",
    "SELECT json_object('a' {} 1)",
    "SELECT json_array(1 {} ON NULL)",
    "SELECT json_value('1', '$' {} ON ERROR)",
    "SELECT a FROM t UNION {} SELECT 1",
    "SELECT {} 'x'",
    "SELECT {} '1'::int",
    "SELECT {} precision FROM t",
    "SELECT a::{} FROM t",
    "SELECT a FROM t GROUP BY GROUPING {} ((a))",
    "SELECT a FROM t TABLESAMPLE bernoulli (1) {} (1)",
    "VALUES ({})",
    "SELECT current_{} FROM t",
    "SELECT a {} FROM t WHERE a {} a",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_keywords_that_quotes_make_names(sandbox: Sandbox, template: str) -> None:
    """A keyword in quotes has the form of the bare word only where both mean the same."""
    for word in sorted(UNRESERVED):
        one, other = template.replace("{}", word), template.replace("{}", f'"{word}"')
        if normal_statement(one) == normal_statement(other):
            first, second = wording(sandbox, one), wording(sandbox, other)
            assert first == second or first is None or second is None, word


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_names_and_texts_keep_what_they_are(text: str) -> None:
    assert literal(text) in normal_expression(f"f({literal(text)})")
    if text:
        assert normal_expression(quote(text)) != normal_expression(literal(text))
        assert (
            normal_expression(quote(text)) != normal_expression(quote(text + "x")) or len(text.encode()) > 62
        )


@given(EXPRESSIONS)
def test_forms_do_not_depend_on_white_space(text: str) -> None:
    spread = "\n--x\n".join(token.text for token in tokenize(text))
    assert normal_expression(f"/**/ {spread}\n") == normal_expression(text)
