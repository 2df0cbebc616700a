"""Expressions after a column got another name, compared with what a server makes of them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kolumn.providers.postgres.language.normal import normal_expression
from kolumn.providers.postgres.language.renaming import with_column_renamed
from kolumn.providers.postgres.language.tokens import quote
from tests.providers.postgres.sandbox import Sandbox, opened
from tests.servers.postgres import Server


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[Sandbox]:
    with opened(server.url) as connection:
        connection.rows("CREATE TYPE public.pair AS (name int, day int)")
        connection.rows(
            "CREATE FUNCTION public.name(name int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'"
        )
        connection.rows("CREATE TABLE public.other (name int, b text)")
        yield connection


COLUMNS = [
    "name",
    "day",
    "time",
    "zone",
    "text",
    "value",
    "User",
    "date",
    "year",
    "json",
    "at",
    "left",
    "a b",
    "lower",
]
TEMPLATES = (
    """
{c} IS NOT NULL|{c}::text = 'x'|lower({c}::text) = 'a'|'{c}' = 'x' OR {c} IS NULL|public.name(name => 1) > 0
r.{c} IS NULL|public.r.{c} IS NULL|(p).name > 1 AND {c} IS NULL|(p).day = 1 OR ({c}) IS NULL
{c}::text::date > date '2020-01-01'|interval '1' day > interval '2 day' AND {c} IS NULL
CASE {c}::text WHEN 'a' THEN true ELSE {c} IS NULL END|{c}::text COLLATE "C" < 'b'
extract(year from ({c}::text)::timestamp) > 1
('2020-01-01'::timestamptz AT TIME ZONE 'UTC') > '2020-01-01'::date
{c} IS DISTINCT FROM NULL|{c}::text LIKE 'a' ESCAPE '!'|{c}::text BETWEEN 'a' AND {c}::text
array[{c}::text] = '{{a}}'::text[]|coalesce({c}::text, 'x') <> 'text'|CAST({c} AS text) = 'a'
{c}::text NOT IN ('a', 'text', {c}::text)|row({c}::text, 1) = row('a', 1)|"lower"({c}::text) = 'a'
{c}::text OPERATOR(pg_catalog.=) 'a'|substring({c}::text from 1 for 2) = 'a'
$${c}$$ = 'x' /* {c} */ OR {c} IS NULL
timestamp with time zone '2020-01-01' > now() OR {c} IS NULL|not ({c} IS NULL)|length({c}::text)>1 -- {c}
""".strip()
    .replace("\n", "|")
    .split("|")
)


def constraint(sandbox: Sandbox, column: str, expression: str, renamed: str = "") -> str | None:
    """Return the server's wording of a check, after a renaming if one is given; None if it takes none."""
    kind = "text"
    try:
        with sandbox.connection.transaction(force_rollback=True):
            sandbox.connection.execute(
                f"CREATE TABLE public.r ({quote(column)} {kind}, p public.pair)".encode()
            )
            sandbox.connection.execute(
                f"ALTER TABLE public.r ADD CONSTRAINT k CHECK ({expression}\n)".encode()
            )
            if renamed:
                sandbox.connection.execute(
                    f"ALTER TABLE public.r RENAME COLUMN {quote(column)} TO {quote(renamed)}".encode()
                )
            row = sandbox.connection.execute(
                "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'k'"
            ).fetchone()
            assert row is not None
            return str(row[0])
    except psycopg.Error:
        return None


@pytest.mark.parametrize("column", COLUMNS)
def test_live_texts_follow(sandbox: Sandbox, column: str) -> None:
    """What the server says of a check, renamed here, is what the server says after its own renaming."""
    for template in TEMPLATES:
        text = template.format(c=quote(column))
        live = constraint(sandbox, column, text)
        if live is not None:
            after = constraint(sandbox, column, text, "renamed to")
            assert after is not None
            ours = with_column_renamed(live, column, "renamed to")
            assert normal_expression(ours) == normal_expression(after)


@pytest.mark.parametrize("column", COLUMNS)
def test_texts_of_people_follow(sandbox: Sandbox, column: str) -> None:
    """A text renamed here means to the server what the text it had means after its own renaming."""
    taken = 0
    for template in TEMPLATES:
        text = template.format(c=quote(column))
        after = constraint(sandbox, column, text, "new_name")
        taken += after is not None
        if after is not None:
            assert constraint(sandbox, "new_name", with_column_renamed(text, column, "new_name")) == after
    assert taken > len(TEMPLATES) * 2 // 3


@given(
    st.lists(
        st.sampled_from(
            [
                "name",
                '"name"',
                "(",
                ")",
                "+",
                "1",
                "public.name",
                "=>",
                "'name'",
                "::",
                "text",
                "and",
                ",",
                ".",
            ]
        ),
        max_size=8,
    ).map(" ".join),
    st.sampled_from(["x", "New Name"]),
)
@example("name(name => name)", "x")
def test_whatever_the_text(sandbox: Sandbox, text: str, new: str) -> None:
    text = f"({text}\n) is null"
    after = constraint(sandbox, "name", text, new)
    if after is not None:
        assert constraint(sandbox, new, with_column_renamed(text, "name", new)) == after


def test_texts_with_queries_stay() -> None:
    text = "a > (SELECT max(a) FROM other)"
    assert with_column_renamed(text, "a", "b") == text
    assert with_column_renamed("exists (values (a))", "a", "b") == "exists (values (a))"
    assert with_column_renamed('"select" > a', "a", "b") == '"select" > b'
