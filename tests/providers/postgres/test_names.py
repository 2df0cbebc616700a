"""Whatever names and texts are made of, they arrive in PostgreSQL as they stand, and come back so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kolumn.providers.postgres.language.tokens import clip, literal, qualified, quote
from tests.client import wanted
from tests.command import SOAK
from tests.providers.postgres.databases import Database, apply, database, imported
from tests.servers import postgres

CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
NASTY = st.sampled_from(
    [
        '"',
        "'",
        "\\",
        "$",
        ";",
        "--",
        "/*",
        "*/",
        "$$",
        "%",
        "%s",
        "{",
        "}",
        ".",
        ",",
        "(",
        ")",
        " ",
        "\n",
        "\t",
        "é",
        "漢",
        "😀",
        "A",
        "a",
        "_",
        "1",
    ]
)
WORDS = st.sampled_from(
    ["select", "Table", "user", "order", "pg_class", "nextval", "true", "null", "double precision"]
)


NAMES = st.one_of(
    WORDS, st.text(CHARACTERS, min_size=1, max_size=63), st.lists(NASTY, min_size=1, max_size=63).map("".join)
).map(clip)
TEXTS = st.one_of(
    st.text(CHARACTERS, min_size=1, max_size=80), st.lists(NASTY, min_size=1, max_size=40).map("".join)
)
EXAMPLE = ('a"b', "it's", "back\\slash", "$$dollar$$", "semi;colon", "Select", "é" * 31, "x" * 63)


@pytest.fixture(scope="module")
def base(server: postgres.Server) -> Iterator[Database]:
    with database(server) as made:
        yield made


def resources(names: list[str], text: str) -> list[Any]:
    schema, kind, label, table, key, column, check, index, view, routine = names
    place = {"schema": schema}
    typed = qualified(schema, kind)
    columns = [
        {"name": key, "type": "integer", "primary_key": True},
        {"name": column, "type": typed, "default": literal(label), "comment": text},
    ]
    checks = [{"name": check, "expression": f"{quote(key)} > 0"}]
    query = f"SELECT {quote(column)} FROM {qualified(schema, table)}"
    return [
        wanted("schema", schema, {"name": schema, "comment": text}),
        wanted(
            "enum", kind, {**place, "name": kind, "values": [label, clip(f"not {label}")], "comment": text}
        ),
        wanted(
            "table", table, {**place, "name": table, "columns": columns, "checks": checks, "comment": text}
        ),
        wanted(
            "index", index, {**place, "name": index, "table": table, "columns": [column], "comment": text}
        ),
        wanted("view", view, {**place, "name": view, "definition": query, "comment": text}),
        wanted(
            "function",
            routine,
            {
                **place,
                "name": routine,
                "language": "sql",
                "returns": "text",
                "body": f"SELECT {literal(text)}",
                "comment": text,
            },
        ),
    ]


def facts(base: Database, names: list[str]) -> dict[str, Any]:
    """Return what PostgreSQL calls what was made, and the comments on it."""
    schema, _, _, table, *_ = names
    with psycopg.connect(base.url, autocommit=True) as connection:

        def ask(query: str, *values: str) -> Any:
            return sorted(row[0] for row in connection.execute(query.encode(), values).fetchall())

        inside = "= (SELECT oid FROM pg_namespace WHERE nspname = %s)"
        return {
            "relations": ask(
                f"SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace {inside}", schema
            ),
            "indexes": ask(
                f"SELECT relname FROM pg_class WHERE relkind = 'i' AND relnamespace {inside}", schema
            ),
            "types": ask(
                f"SELECT typname FROM pg_type WHERE typtype = 'e' AND typnamespace {inside}", schema
            ),
            "labels": ask("SELECT enumlabel FROM pg_enum"),
            "columns": ask(
                "SELECT attname FROM pg_attribute WHERE attnum > 0 AND attrelid = "
                f"(SELECT oid FROM pg_class WHERE relname = %s AND relnamespace {inside})",
                table,
                schema,
            ),
            "checks": ask(
                f"SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace {inside}", schema
            ),
            "routines": ask(f"SELECT proname FROM pg_proc WHERE pronamespace {inside}", schema),
            "comments": set(
                ask(
                    "SELECT DISTINCT description FROM pg_description d LEFT JOIN pg_class c ON c.oid = d.objoid "
                    "WHERE d.objoid >= 16384 AND d.objoid IS DISTINCT FROM to_regnamespace('kolumn')::oid AND (d.classoid <> 'pg_class'::regclass OR c.oid IS NOT NULL)"
                )
            ),
            "said": ask(f"SELECT {qualified(schema, names[9])}()".replace("%", "%%")),
        }


@settings(
    max_examples=300 if SOAK else 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(NAMES, min_size=10, max_size=10, unique_by=lambda name: name[:40]), TEXTS)
@example([*EXAMPLE, 'v"', "f;"], "it's a \\ $$ comment; -- \n")
@example(
    ["Order", "user", "select", "table", "primary", "check", "not", "index", "view", "function"],
    "'; DROP TABLE x; --",
)
def test_names_arrive_and_come_back(base: Database, names: list[str], text: str) -> None:
    if names[0].startswith("pg_") or names[0] in (
        "public",
        "information_schema",
        "kolumn",
        "kolumn_quarantine",
    ):
        names = ["s" + names[0][:62].encode()[:60].decode(errors="ignore"), *names[1:]]
    made = resources(names, text)
    try:
        with base.kolumn() as client:
            apply(client, *made)
        _, kind, label, table, key, column, check, index, view, routine = names
        found = facts(base, names)
        assert found["relations"] == sorted([table, view])
        assert index in found["indexes"]
        assert found["types"] == [kind]
        assert found["labels"] == sorted([label, clip(f"not {label}")])
        assert found["columns"] == sorted([key, column])
        assert found["checks"] == [check]
        assert found["routines"] == [routine]
        assert found["comments"] == {text}
        assert found["said"] == [text]
        with base.kolumn() as client:
            again = imported(client)
            assert not client.plan(*again, prune=True, detail=True).get("steps")
    finally:
        with base.kolumn() as client:
            client.apply(prune=True)
            assert imported(client) == []
