"""The names of what has none, compared with those a server gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kolumn.providers.postgres.language import naming
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.language.tokens import clip, quote
from kolumn.sql.model import Check, ForeignKey, KeyPart, PrimaryKey, Unique
from tests.providers.postgres.sandbox import Sandbox, opened
from tests.servers.postgres import Server

DIALECT = PostgresDialect()


@pytest.fixture(scope="module")
def sandbox(server: Server) -> Iterator[Sandbox]:
    with opened(server.url) as connection:
        yield connection


NAMES = st.one_of(
    st.text(st.sampled_from('ab_1é漢😀 A".'), min_size=1, max_size=40),
    st.text(st.sampled_from("aé漢😀"), min_size=15, max_size=63),
).map(clip)


def constraints(sandbox: Sandbox, table: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, name in sandbox.rows(
        "SELECT contype::text, conname FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY oid",
        quote(table),
    ):
        found.setdefault(kind, []).append(name)
    return found


@given(NAMES, st.lists(NAMES, min_size=2, max_size=4, unique=True))
@example("t", ["a", "b"])
@example("t1", ["a1", "b2"])
@example("x" * 63, ["y" * 63, "z" * 63])
@example("é" * 31, ["漢" * 21, "a"])
def test_constraints(sandbox: Sandbox, table: str, columns: list[str]) -> None:
    one, two = columns[:2]
    every = ", ".join(map(quote, columns))
    with sandbox.connection.transaction(force_rollback=True):
        sandbox.rows(
            f"CREATE TABLE {quote(table)} ({', '.join(f'{quote(each)} serial' for each in columns)}, "
            f"PRIMARY KEY ({every}), UNIQUE ({quote(one)}), UNIQUE ({quote(two)}, {quote(one)}), "
            f"UNIQUE ({quote(two)}) INCLUDE ({quote(one)}), "
            f"CHECK ({quote(one)} > 0), CHECK ({quote(one)} > {quote(two)}), CHECK ({quote(one)} < 9), "
            f"FOREIGN KEY ({every}) REFERENCES {quote(table)}, "
            f"FOREIGN KEY ({quote(one)}) REFERENCES {quote(table)} ({quote(one)}), "
            f"EXCLUDE USING btree ({quote(one)} WITH =, (lower({quote(two)}::text)) WITH =))"
        )
        names = constraints(sandbox, table)
        sequence = sandbox.ask("SELECT pg_get_serial_sequence(%s, %s)::regclass::oid", quote(table), two)
        assert sandbox.ask("SELECT relname FROM pg_class WHERE oid = %s", sequence) == naming.sequence_name(
            table, two
        )
    assert names["p"] == [naming.primary_key_name(table)]
    keys = names["u"]
    pair = [naming.key_name(table, [two, one], "key", number) for number in ("", "1")]
    assert len(keys) == 3
    assert keys[0] == naming.key_name(table, [one])
    assert keys[1] in pair
    assert naming.foreign_key_name(table, columns) in names["f"]
    assert naming.key_name(table, [one, "lower"], "excl") in names["x"]
    parts = {each: (KeyPart(column=each),) for each in columns}
    all_parts = tuple(KeyPart(column=each) for each in columns)
    known = [
        *(PrimaryKey(columns=all_parts, name=name) for name in names["p"]),
        Unique(columns=parts[one], name=keys[0]),
        ForeignKey(columns=tuple(columns), references=quote(table), name=names["f"][0]),
    ]
    for constraint in known:
        assert DIALECT.generated_name(table, constraint), constraint
    texts = [f"{quote(one)} > 0", f"{quote(one)} > {quote(two)}", f"{quote(one)} < 9"]
    for text, name in zip(texts, names["c"], strict=True):
        assert DIALECT.generated_name(table, Check(expression=text, name=name)), (text, name)
    if sandbox.version >= 18:
        assert naming.not_null_name(table, one) in names["n"]


EXPRESSIONS = [
    "a",
    "lower(b)",
    "pg_catalog.lower(b)",
    "a + 1",
    "(a)::text",
    "b::varchar(10)",
    "(a + 1)::bigint",
    "a + 1::bigint",
    'lower(b) COLLATE "C"',
    '(lower(b))::text COLLATE "C"',
    "b || 'x'",
    "coalesce(b, 'x')",
    "nullif(a, 1)",
    "greatest(a, 2)",
    "trim(b)",
    "trim(b)::text",
    "left(b, 1)",
    "'x'::text",
    "'2020-01-01'::timestamp",
    "((a + 1)::bigint)::text",
    "-a",
    "NOT (a > 1)",
    "substring(b from 1 for 2)",
    '(b)::"char"',
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_of_indexes(sandbox: Sandbox, expression: str) -> None:
    with sandbox.connection.transaction(force_rollback=True):
        sandbox.rows("CREATE TABLE named (a int, b text)")
        sandbox.rows(f"CREATE INDEX ON named (({expression}), a, ({expression}))")
        theirs = sandbox.ask("SELECT relname FROM pg_class WHERE relname LIKE 'named_%%' AND relkind = 'i'")
    called = naming.expression_name(expression)
    assert theirs == naming.key_name("named", [called, "a", called], "idx")


def test_names_of_people_are_not_taken_for_generated_ones() -> None:
    part = (KeyPart(column="a"),)
    assert not DIALECT.generated_name("t", PrimaryKey(columns=part, name="t_pk"))
    assert not DIALECT.generated_name("t", Unique(columns=part, name="t_b_key"))
    assert not DIALECT.generated_name("t", Check(expression="a > 0", name="t_b_check"))
    assert not DIALECT.generated_name("t", Check(expression="a > 0", name="positive"))
    assert not DIALECT.generated_name("t", ForeignKey(columns=("a",), references="u", name="t_b_fkey"))
    assert DIALECT.generated_name("t", Unique(columns=part, name="t_a_key12"))
    assert DIALECT.generated_name("t", Check(expression="a > 0", name="t_check1"))
