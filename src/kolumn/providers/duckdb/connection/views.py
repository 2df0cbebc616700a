"""Which views still work: DuckDB binds a view when it is read, so what it reads may be gone.

`json_serialize_plan` binds a query and tells what is wrong with it as data. A query that fails, even for a name that
is unknown, would end the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Create, Step
from kolumn.providers.duckdb.language.tokens import folded, literal

Ask = Callable[[str], list[tuple[Any, ...]]]
Names = frozenset[tuple[str, str]]
"""Schema and name of views."""

_UNBOUND = frozenset({"binder", "catalog", "parser"})
"""Kinds of errors that mean a view does not work; others are about writing its plan as JSON, or its files."""


def whole_views(ask: Ask, metadata_schema: str, steps: Sequence[Step]) -> Names:
    """Return the views that work before `steps`, as far as these can break any; one query."""
    if all(isinstance(step.operation, Create) for step in steps):
        return frozenset()
    every, broken = _bound(ask, metadata_schema)
    return every - broken.keys()


def verify_views(ask: Ask, metadata_schema: str, whole: Names) -> None:
    """Raise OperationError for a view that worked before, one of `whole`, and does not now; one query."""
    if not whole:
        return
    _, broken = _bound(ask, metadata_schema)
    for (schema, name), why in broken.items():
        if (schema, name) in whole:
            shown = name if schema == "main" else f"{schema}.{name}"
            raise OperationError(
                f"view {shown} would not work any more: {why} Nothing was changed. Change or remove it "
                "together with what it uses.",
                code="broken_dependent",
                details={"object": f"view {shown}"},
            )


def _bound(ask: Ask, metadata_schema: str) -> tuple[Names, Mapping[tuple[str, str], str]]:
    """Return every view, and why some cannot be bound."""
    quoted = """'"' || replace({}, '"', '""') || '"'"""
    place = f"{quoted.format('schema_name')} || '.' || {quoted.format('view_name')}"
    query = f"'SELECT 1 FROM ' || {place} || ' WHERE false'"
    rows = ask(
        "SELECT schema_name, view_name, plan ->> '$.error_type', plan ->> '$.error_message' FROM ("
        f"SELECT schema_name, view_name, json_serialize_plan({query}) AS plan FROM duckdb_views() "
        "WHERE NOT internal AND NOT temporary AND database_name = current_database() "
        f"AND {folded('schema_name')} <> {folded(literal(metadata_schema))})"
    )
    names = frozenset((schema, name) for schema, name, _, _ in rows)
    broken = {
        (schema, name): f"{' '.join(str(why).split())}."
        for schema, name, kind, why in rows
        if str(kind).lower() in _UNBOUND
    }
    return names, broken
