"""Which views still work: DuckDB binds a view when it is read, so what it reads may be gone.

`json_serialize_plan` binds a query and tells what is wrong with it as data. A query that fails, even for a name that
is unknown, would end the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kolumn.providers.duckdb.language.tokens import literal

Ask = Callable[[str], list[tuple[Any, ...]]]
Names = frozenset[tuple[str, str]]

_UNBOUND = frozenset({"binder", "catalog", "parser"})
"""Kinds of errors that mean a view does not work; others are about writing its plan as JSON, or its files."""


def broken_views(ask: Ask, metadata_schema: str) -> tuple[Names, Mapping[tuple[str, str], str]]:
    """Return schema and name of every view, and why some cannot be bound; one query."""
    quoted = """'"' || replace({}, '"', '""') || '"'"""
    place = f"{quoted.format('schema_name')} || '.' || {quoted.format('view_name')}"
    query = f"'SELECT 1 FROM ' || {place} || ' WHERE false'"
    rows = ask(
        "SELECT schema_name, view_name, plan ->> '$.error_type', plan ->> '$.error_message' FROM ("
        f"SELECT schema_name, view_name, json_serialize_plan({query}) AS plan FROM duckdb_views() "
        "WHERE NOT internal AND NOT temporary AND database_name = current_database() "
        f"AND schema_name <> {literal(metadata_schema)})"
    )
    names = frozenset((schema, name) for schema, name, _, _ in rows)
    broken = {
        (schema, name): f"{' '.join(str(why).split())}."
        for schema, name, kind, why in rows
        if str(kind).lower() in _UNBOUND
    }
    return names, broken
