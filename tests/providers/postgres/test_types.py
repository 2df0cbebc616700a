"""Type names, compared with what a server makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.providers.postgres.language.tokens import literal
from kolumn.providers.postgres.language.types import BUILT_IN, normal_type, parse_type, serial_of
from tests.providers.postgres.sandbox import Sandbox, opened
from tests.servers.postgres import Server


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[Sandbox]:
    with opened(server.url) as connection:
        connection.rows("CREATE TYPE public.mood AS ENUM ('sad')")
        connection.rows("CREATE TYPE public.\"Mood\" AS ENUM ('sad')")
        connection.rows("CREATE TYPE public.\"integer\" AS ENUM ('sad')")
        connection.rows("CREATE TYPE public.text AS (a int)")
        connection.rows("CREATE SCHEMA other")
        connection.rows("CREATE DOMAIN other.price AS numeric")
        yield connection


def spelled(sandbox: Sandbox, text: str) -> str:
    """Return how the server spells the type of a column that `text` declares, with nothing in its path."""
    with sandbox.connection.transaction(force_rollback=True):
        sandbox.connection.execute(f"CREATE TABLE public.spelled (a {text}\n)".encode())
        sandbox.connection.execute("SET LOCAL search_path = ''")
        row = sandbox.connection.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'public.spelled'::regclass AND attnum = 1"
        ).fetchone()
        assert row is not None
        return str(row[0])


SPELLINGS = """
int | INT4 | integer | pg_catalog.int4 | "int4" | integer ARRAY | int[3] | int[][] | int array[4] | _int4
smallint | int2 | bigint | int8 | real | float4 | float(24) | float(25) | float | double precision | float8
decimal | dec(10) | numeric(10,2) | numeric(10, 0) | DECIMAL(3,-2) | numeric | bool | boolean | "bool"
char | char(1) | character(20) | bpchar | bpchar(5) | "char" | nchar(3) | national character varying(7)
nchar varying | varchar | varchar(20) | character varying (20) | char varying(3) | pg_catalog."char"
pg_catalog.varchar(4) | bit | bit(3) | bit varying | bit varying(5) | varbit | varbit(8) | "bit" | "bit"(7)
time | time(3) | time with time zone | time(2) without time zone | timetz | timetz(1) | timestamp
timestamp(0) | timestamp with time zone | timestamptz | TimestampTZ(3) | timestamp (4) with time zone
timestamp without time zone | "timestamp"(2) | interval | interval(3) | interval year | interval year to month
interval day to second(3) | interval second(0) | INTERVAL HOUR TO MINUTE | text | text[] | uuid | json | jsonb
xml | bytea | inet | cidr | macaddr8 | money | oid | regclass | int4range | tstzmultirange | tsvector
mood | public.mood | MOOD[] | "Mood" | public."Mood"[] | "integer" | public.text | public."integer"[]
other.price | other."price"[] | /* c */ int -- x
"""


@pytest.mark.parametrize("text", re.findall(r"[^|\s][^|\n]*", SPELLINGS))
def test_types_are_spelled_as_the_server_does(sandbox: Sandbox, text: str) -> None:
    if "-2" in text and sandbox.version < 15:
        pytest.skip("a scale below 0 came with version 15")
    theirs = spelled(sandbox, text)
    assert normal_type(text) == normal_type(theirs)
    shown = theirs.replace("public.", "") if theirs != "public.text" else theirs
    assert normal_type(text) == shown


WORDS = """
    int integer float double precision character char varying national nchar varchar numeric bit time
    timestamp with without zone interval year to month day second array setof mood text bpchar timestamptz
    timetz _int4 json public pg_catalog null select
    ( ) , 1 3 10 53 54 [ ] . - 'x' "char" "bit" "integer" "mood"
"""


@given(st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=7).map(" ".join))
def test_what_is_a_type_to_the_server_is_one_here(sandbox: Sandbox, text: str) -> None:
    """And the other way round, as far as the name goes: the server also knows which types there are."""
    fault = sandbox.fault(f"SELECT null::{text}")
    ours = parse_type(text)
    if not fault and isinstance(ours, str):
        assert "goes on with" in ours or "setof" in text or text.count(".") > 1, ours
    if fault.startswith("syntax error"):
        assert isinstance(ours, str) or "setof" in text
    if not fault and not isinstance(ours, str) and not ours.set_of:
        assert normal_type(spelled(sandbox, text)) == normal_type(text)


def test_built_in_types_are_those_of_the_server(sandbox: Sandbox) -> None:
    """A type missing here would be taken for one of the user's."""
    found = sandbox.rows(
        "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace "
        r"AND typname NOT LIKE 'pg\_%' AND typname NOT LIKE '\_%'"
    )
    assert {name for (name,) in found} == BUILT_IN


@pytest.mark.parametrize("text", ["smallserial", "serial2", "SERIAL", "serial4", "bigserial", '"serial8"'])
def test_serial_types(sandbox: Sandbox, text: str) -> None:
    assert serial_of(text) == spelled(sandbox, text)


@pytest.mark.parametrize("text", ["int", "serial[]", "public.serial", "serial(3)", "serial x"])
def test_what_is_not_serial(text: str) -> None:
    assert serial_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "int)",
        "int, b int",
        "int not null",
        "int DEFAULT 1",
        "int;",
        "varchar(10",
        "varchar(10))",
        "varchar(10) CHECK (true)",
        "numeric(10,)",
        "int[",
        "int[-1]",
        "int 'x'",
        "'int'",
        "a.b.c",
        'a.""',
        "check",
        "varchar((select 1))",
        "float(54)",
        "int $1",
        'text COLLATE "C"',
        "int /*",
        'int "',
        "interval month to year",
    ],
)
def test_what_is_more_or_less_than_a_type(text: str) -> None:
    assert isinstance(parse_type(text), str)


def test_literals_in_modifiers_stay() -> None:
    assert normal_type("Geometry(Point, 4326)") == "geometry(point,4326)"
    assert normal_type(f"thing({literal('A b')})") == "thing('A b')"
