"""Which views still work: DuckDB binds a view when it is read, so what it reads may be gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kolumn.contract.errors import KolumnError
from kolumn.providers.duckdb.language.tokens import full_name, literal

Ask = Callable[[str], list[tuple[Any, ...]]]
Names = frozenset[tuple[str, str]]


def broken_views(ask: Ask, metadata_schema: str) -> tuple[Names, Mapping[tuple[str, str], str]]:
    """Return schema and name of every view, and why some cannot be bound.

    All are asked about in one query; one by one only where that fails. That a name is unknown is found before
    anything runs, so it does not end a transaction.
    """
    rows = ask(
        "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary "
        f"AND database_name = current_database() AND schema_name <> {literal(metadata_schema)}"
    )
    names = frozenset((schema, name) for schema, name in rows)
    broken: dict[tuple[str, str], str] = {}
    if not names:
        return names, broken
    try:
        ask(" UNION ALL ".join(f"(SELECT 1 FROM {full_name(*each)} WHERE false)" for each in sorted(names)))
    except KolumnError:
        for each in sorted(names):
            try:
                ask(f"SELECT 1 FROM {full_name(*each)} WHERE false")
            except KolumnError as error:
                broken[each] = error.message.removeprefix("DuckDB says: ")
    return names, broken
