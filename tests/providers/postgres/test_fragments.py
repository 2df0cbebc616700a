"""Pieces of SQL: nothing that passes can do more on a server than be what it claims, or be a syntax error."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kolumn.providers.postgres.language.arguments import Argument, identity, parse_arguments
from kolumn.providers.postgres.language.fragments import (
    body_fault,
    commands_fault,
    embedded,
    expression_fault,
    query_fault,
    sql_body_fault,
    type_fault,
)
from kolumn.providers.postgres.language.tokens import dollar
from tests.providers.postgres.sandbox import Sandbox, opened
from tests.servers.postgres import Server

PIECES = """
    a b t canary 1 2.5 'x' 'it''s' E'\\\\' E'\\'' $$ $x$ $x " "q" ' -- /* */ ( ) [ ] ; , . :: = + - || \\
    DROP TABLE DELETE FROM SELECT WHERE UNION ALL AS AND OR NOT NULL IS IN CASE WHEN THEN ELSE END CHECK
    DEFAULT PRIMARY KEY int text COLLATE "C" cast f lower $1 U&'\\0041' UESCAPE '!' RETURN BEGIN ATOMIC case
    end RETURNING INTO WITH INSERT VALUES \0 é
"""
TEXT = st.lists(
    st.tuples(st.sampled_from(PIECES.replace("\n", " ").split(" ")), st.sampled_from([" ", "", "\n"])),
    max_size=9,
).map(lambda pieces: "".join(part for piece in pieces for part in piece))


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[Sandbox]:
    with opened(server.url) as connection:
        connection.rows("CREATE TABLE public.canary (a int)")
        connection.rows("INSERT INTO public.canary VALUES (1)")
        connection.rows("CREATE TABLE public.t (a int, b text)")
        yield connection


def results(sandbox: Sandbox, statement: str) -> int:
    """Run a text as a client that sends several statements at once; return how many the server found in it.

    A syntax error is none. Any other error counts as one, as nothing after it ran; so what comes first in a
    text of the tests must not fail by itself.
    """
    try:
        with sandbox.connection.transaction(force_rollback=True):
            cursor = sandbox.connection.execute(statement.encode())
            count = 1
            while cursor.nextset():
                count += 1
            return count
    except psycopg.errors.SyntaxError:
        return 0
    except psycopg.Error:
        return 1


def test_a_second_statement_is_found(sandbox: Sandbox) -> None:
    assert results(sandbox, "SELECT (1); DROP TABLE canary; SELECT (1)") == 3
    assert results(sandbox, "SELECT (1); SELECT (") == 0


@given(TEXT)
@example("1); DROP TABLE canary; SELECT (1")
@example("1 -- ")
@example("1 /* /* */")
@example("'a'\n'b'; '")
@example("$x$ $$ ) $x")
@example('U&"a" UESCAPE \'"\'')
def test_no_expression_is_more_than_one(sandbox: Sandbox, text: str) -> None:
    if not expression_fault(text):
        assert results(sandbox, f"SELECT ({embedded(text)})") <= 1
        assert results(sandbox, f"SELECT ({text}\n)") <= 1
        assert results(sandbox, f"CREATE TABLE made (a int DEFAULT ({embedded(text)}), b int)") <= 1


@given(TEXT)
def test_no_query_is_more_than_one(sandbox: Sandbox, text: str) -> None:
    if not query_fault(text):
        assert results(sandbox, f"CREATE VIEW made AS {embedded(text)}") <= 1
        assert results(sandbox, f"CREATE VIEW made AS {embedded(text)} WITH CHECK OPTION") <= 1


@given(TEXT)
def test_no_body_gets_out_of_its_quotes(sandbox: Sandbox, text: str) -> None:
    if not body_fault(text):
        assert sandbox.ask(f"SELECT {dollar(text)}") == text


@given(TEXT.map("BEGIN ATOMIC {} END".format) | TEXT.map("RETURN {}".format) | TEXT)
@example("BEGIN ATOMIC SELECT 1 AS case; END; DROP TABLE canary; END")
@example("BEGIN ATOMIC SELECT 1 case; END; DROP TABLE canary; END")
@example("BEGIN ATOMIC SELECT 1; END; DROP TABLE canary; SELECT CASE WHEN true THEN 1 END")
@example("RETURN 1; DROP TABLE canary")
def test_no_body_without_quotes_is_more_than_one(sandbox: Sandbox, text: str) -> None:
    if not sql_body_fault(text):
        assert results(sandbox, f"CREATE FUNCTION pg_temp.made(a int) RETURNS int {embedded(text)}") <= 1


@given(TEXT)
def test_no_list_of_arguments_gets_out(sandbox: Sandbox, text: str) -> None:
    if not isinstance(parse_arguments(text), str):
        made = f"CREATE FUNCTION pg_temp.made({embedded(text)}) RETURNS int LANGUAGE sql AS 'SELECT 1'"
        assert results(sandbox, made) <= 1


EXPRESSIONS = """
1|a + b|(a)|NOT a|lower(a)|a IS NOT NULL|a NOT IN (1, 2)|CASE WHEN a THEN 1 ELSE 2 END|now()|'it''s'
a IS DISTINCT FROM b|timestamp with time zone '2020-01-01'|a::timestamp with time zone
interval '1' year to month|a AT TIME ZONE 'UTC'|left(a, 1)|a SIMILAR TO 'b'|ARRAY[1, 2]|row(1, 2)
a COLLATE "C"|CURRENT_TIMESTAMP|(SELECT max(a) FROM t)|exists (select 1)|count(*) FILTER (WHERE a > 1)
a BETWEEN 1 AND 2|a -- comment|a NOT LIKE 'b%'|NOT NULL|t.user|$$x$$|a->>'b'|a is json with unique keys
percentile_cont(0.5) within group (order by a)|-1|@ a|a IS NULL|"select"|'x'::public.mood|f(a => 1)
date '2020-01-01'|U&'\\0041'|B'01'|.5|collation for (a)|a between null and 2|a and not null|a isnull
"""
NO_EXPRESSIONS = """
--|1;|1, 2|1)|(1|'|"|/*|$$|$1|1 AS b|1 NOT NULL|1 NULL|'x' CHECK (true)|1 PRIMARY KEY|a REFERENCES b|1 UNIQUE
1 CONSTRAINT x CHECK (true)|SELECT 1|DROP TABLE x|a[1|a]|(a]|1a|""|a WHERE b|a FROM b WHERE c|DEFAULT|AND a
1 GENERATED ALWAYS AS (1) STORED|1 DEFERRABLE|a, b|a FOR UPDATE|a LIMIT 1|a USING b|a DO NOTHING
"""


@pytest.mark.parametrize("text", EXPRESSIONS.strip().replace("\n", "|").split("|"))
def test_expressions(text: str) -> None:
    assert expression_fault(text) == ""


@pytest.mark.parametrize("text", ["", *NO_EXPRESSIONS.strip().replace("\n", "|").split("|")])
def test_what_is_no_expression(text: str) -> None:
    assert expression_fault(text) != ""


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "select a, b from t;",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "VALUES (1), (2)",
        "TABLE t",
        "(SELECT 1) UNION (SELECT 2)",
        "SELECT * FROM f() WITH ORDINALITY",
        "SELECT a FROM t FETCH FIRST 3 ROWS WITH TIES",
        "SELECT a::timestamp with time zone FROM t -- end",
        "SELECT t.into FROM t",
    ],
)
def test_queries(text: str) -> None:
    assert query_fault(text) == ""
    assert not embedded(text).endswith((";", "end"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "SELECT 1; SELECT 2",
        "DELETE FROM t",
        "SELECT 1 INTO x",
        "SELECT a FROM t WITH CHECK OPTION",
        "SELECT a FROM t WITH NO DATA",
        "SELECT a FROM t WITH LOCAL CHECK OPTION",
        "SELECT 1)",
        "SELECT '",
        "SELECT $1",
    ],
)
def test_what_is_no_query(text: str) -> None:
    assert query_fault(text) != ""


def test_commands_of_rules() -> None:
    assert commands_fault("INSERT INTO log VALUES (1); NOTIFY x;") == ""
    assert commands_fault("DROP TABLE x") != ""
    assert commands_fault("SELECT 1; DROP TABLE x") != ""
    assert commands_fault(";") != ""


def test_a_column_holds_no_set() -> None:
    assert type_fault("setof int") != ""
    assert type_fault("int[]") == ""


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", ()),
        (" -- none", ()),
        ("int", (Argument("integer"),)),
        ("a int", (Argument("integer", "a"),)),
        ("double precision", (Argument("double precision"),)),
        ("a double precision = 1", (Argument("double precision", "a", default="1"),)),
        ('"double" int', (Argument("integer", "double"),)),
        ("IN a int, out b text", (Argument("integer", "a"), Argument("text", "b", "out"))),
        ("a inout int", (Argument("integer", "a", "inout"),)),
        ("in out a int", (Argument("integer", "a", "inout"),)),
        ("variadic a int[]", (Argument("integer[]", "a", "variadic"),)),
        (
            "a mood, b int default f(1, 2)",
            (Argument("mood", "a"), Argument("integer", "b", default="f(1, 2)")),
        ),
        ('"Arg One" varchar(3)', (Argument("character varying(3)", "Arg One"),)),
        ("timestamp with time zone", (Argument("timestamp with time zone"),)),
        ("x timestamp with time zone", (Argument("timestamp with time zone", "x"),)),
    ],
)
def test_arguments(sandbox: Sandbox, text: str, arguments: tuple[Argument, ...]) -> None:
    assert parse_arguments(text) == arguments
    with sandbox.connection.transaction(force_rollback=True):
        sandbox.rows("CREATE TYPE public.mood AS ENUM ('sad')")
        sandbox.rows("CREATE FUNCTION public.f(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        sandbox.rows(f"CREATE PROCEDURE public.made({text}\n) LANGUAGE plpgsql AS 'BEGIN END'")
        types = sandbox.ask(
            "SELECT array(SELECT format_type(each, null) FROM unnest(proargtypes) AS each) "
            "FROM pg_proc WHERE proname = 'made'"
        )
        going_in = arguments if sandbox.version < 14 else [each for each in arguments if each.mode != "out"]
        assert [each.split("(")[0] for each in identity(arguments)] == types[: len(going_in)]


@pytest.mark.parametrize(
    "text",
    [
        "int,",
        "a int) x",
        "1",
        "a int b",
        "select int",
        "a int default",
        "a int = 1; drop",
        "a int = 1, = 2",
        "table",
    ],
)
def test_what_is_no_list_of_arguments(text: str) -> None:
    assert isinstance(parse_arguments(text), str)
