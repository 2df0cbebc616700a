"""Tokens, names and literals, compared with what a server makes of the same texts."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kolumn.providers.postgres.language import keywords
from kolumn.providers.postgres.language.tokens import (
    clip,
    dollar,
    identifier,
    literal,
    qualified,
    quote,
    tokenize,
    value,
)
from kolumn.sql.tokens import ILLEGAL, OPERATOR, PARAMETER, QUOTED, STRING, UNFINISHED, WORD
from tests.providers.postgres.sandbox import Sandbox, opened
from tests.servers.postgres import Server

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
TRICKY = st.text(st.sampled_from("aAbn_0 '\"\\$\n\t;-/*é漢().uUxXeE&+!"), max_size=30)


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[Sandbox]:
    with opened(server.url) as connection:
        yield connection


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokenize(text)]


def test_the_pieces_of_a_statement() -> None:
    text = """SELECT a."B c", E'it\\'s' || $tag$ $1 $$ $tag$ /* one /* two */ */ FROM x -- end
    WHERE y>=-$1::int"""
    assert [token.text for token in tokenize(text)] == [
        "SELECT",
        "a",
        ".",
        '"B c"',
        ",",
        "E'it\\'s'",
        "||",
        "$tag$ $1 $$ $tag$",
        "FROM",
        "x",
        "WHERE",
        "y",
        ">=",
        "-",
        "$1",
        "::",
        "int",
    ]
    assert [token.kind for token in tokenize("$1 U&\"a\" uescape '!' U&'a' n'x'")] == [
        PARAMETER,
        QUOTED,
        STRING,
        STRING,
    ]


@pytest.mark.parametrize("text", ["'a", 'x "', "/* /* */", "$a$ b $ $b$", "E'\\'", "U&'", "$$ $"])
def test_what_does_not_end_is_one_token_to_the_end(text: str) -> None:
    last = tokenize(text)[-1]
    assert last.kind == UNFINISHED
    assert last.end == len(text)


@pytest.mark.parametrize("text", ["1a", "0x", "1e", "$1a", "\0", "\\", "1_", "1__0", "0b2"])
def test_what_no_token_begins_with(text: str) -> None:
    assert ILLEGAL in {token.kind for token in tokenize(text)}


@given(TRICKY | TEXT)
def test_nothing_but_white_space_and_comments_lies_between_tokens(text: str) -> None:
    end = 0
    for token in tokenize(text):
        assert token.text == text[token.start : token.end]
        assert token.start >= end
        gap = text[end : token.start]
        assert not gap.strip(" \t\n\r\f\v") or gap.lstrip(" \t\n\r\f\v").startswith(("--", "/*"))
        end = token.end


@pytest.mark.parametrize(
    "piece",
    ["'", "/*", "$a$b", "/* /* */", "1.e", "+", "-+", "U&''", "$$", "E'\\", "'a'\n", "<", "1_", 'U&"a" \n'],
)
def test_time_grows_with_the_text_only(piece: str) -> None:
    started = time.perf_counter()
    tokenize(piece * 20_000 + "x")
    assert time.perf_counter() - started < 1


@given(TEXT | TRICKY)
@example("\\'")
def test_literals_are_those_of_the_server(sandbox: Sandbox, text: str) -> None:
    assert sandbox.ask("SELECT quote_literal(%s::text)", text) == literal(text)
    assert sandbox.ask(f"SELECT {literal(text)}") == text
    assert sandbox.ask(f"SELECT {dollar(text)}") == text
    assert [value(token) for token in tokenize(f"{literal(text)} {dollar(text, 'a')}")] == [text, text]


@given(TEXT | TRICKY | st.sampled_from(sorted(keywords.KEYWORDS)))
def test_names_are_quoted_as_the_server_does(sandbox: Sandbox, name: str) -> None:
    assert sandbox.ask("SELECT quote_ident(%s::text)", name) == quote(name) or (
        sandbox.version < 18 and quote(name) == f'"{name}"' and name in keywords.QUOTED
    )
    assume(name)
    token = tokenize(quote(name))[0]
    assert identifier(token) == clip(name)
    with sandbox.connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 AS {quote(name)}".encode())
        assert cursor.description is not None
        assert cursor.description[0].name == clip(name)


def test_keywords_are_those_of_the_server(sandbox: Sandbox) -> None:
    categories = {
        "R": keywords.RESERVED,
        "T": keywords.TYPE_OR_FUNCTION,
        "C": keywords.COLUMN_NAME,
        "U": keywords.UNRESERVED | {"recheck"},
    }
    for word, category in sandbox.rows("SELECT word, catcode::text FROM pg_get_keywords()"):
        stricter = category == "U" and sandbox.version < 18 and word in keywords.QUOTED
        assert word in categories[category] or stricter


def test_a_name_has_its_schema() -> None:
    assert qualified("", "film") == "public.film"
    assert qualified("Sales", "order") == '"Sales"."order"'


STRINGS = st.builds(
    "{}'{}'{}".format,
    st.sampled_from(["", "", "E", "e", "U&", "u&"]),
    st.lists(
        st.sampled_from(
            [
                "a",
                "''",
                "\\\\",
                "\\n",
                "\\x41",
                "\\u0041",
                "\\0041",
                "\\+000041",
                "\\101",
                '"',
                "$$",
                "\n",
                "é",
            ]
        ),
        max_size=6,
    ).map("".join),
    st.sampled_from(["", "\n'x'", " --c\n\t'x''y'", " UESCAPE '!'", "\n--'\n --'\n'z'"]),
)


@given(STRINGS)
def test_strings_mean_what_the_server_reads(sandbox: Sandbox, text: str) -> None:
    try:
        meant = sandbox.ask(f"SELECT {text}")
    except psycopg.Error:
        return
    tokens = tokenize(text)
    assert [token.kind for token in tokens] == [STRING]
    assert value(tokens[0]) in (meant, None)


@given(st.text(st.sampled_from("+-*/<>=~!@#^&|`?%"), min_size=1, max_size=8))
@example("*+-")
@example("@-")
@example("=>")
def test_operators_are_cut_as_the_server_cuts_them(sandbox: Sandbox, signs: str) -> None:
    """Of several operators in a row the server tries the last one first, before what follows it."""
    assume("--" not in signs and "/*" not in signs)
    tokens = tokenize(signs)
    assert {token.kind for token in tokens} == {OPERATOR}
    last = "<>" if tokens[-1].text == "!=" else tokens[-1].text
    fault = sandbox.fault(f"SELECT null::pg_ddl_command {signs} null::pg_ddl_command")
    if fault.startswith("operator does not exist"):
        left = "pg_ddl_command " if len(tokens) == 1 else ""
        assert fault == f"operator does not exist: {left}{last} pg_ddl_command"
    else:
        assert fault.startswith("syntax error") or not fault


@pytest.mark.parametrize(
    ("text", "name"),
    [("FooBar", "foobar"), ('"FooBar"', "FooBar"), ('U&"\\0046oo"', "Foo"), ("ÄÖx", "ÄÖx"), ("a$1", "a$1")],
)
def test_what_names_stand_for(text: str, name: str) -> None:
    token = tokenize(text)[0]
    assert token.kind in (WORD, QUOTED)
    assert identifier(token) == name
