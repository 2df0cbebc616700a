"""What the database itself rewrites in models when a table or a column gets another name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from kolumn.engine.rewriting import rewrite
from kolumn.sql.model import Index, Table, Trigger, parse_event
from kolumn.sql.normal import Normalizer
from kolumn.sql.reference import Reference, parse_reference, quote

M = TypeVar("M")


def with_table_renamed(model: M, old: Table, name: str, normalizer: Normalizer) -> M:
    """Return `model` after table `old` is called `name`: foreign keys, indexes and triggers follow.

    Texts of expressions and statements stay; where the database rewrites those, its catalogue says so.
    """
    table = normalizer.table_ref(old.name, old.schema)

    def change(grammar: str, text: str) -> str:
        found = parse_reference(text) if grammar == "reference" else None
        if found is None or normalizer.table_ref(found.table, found.schema or _schema(model)) != table:
            return text
        return str(dataclasses.replace(found, table=name))

    changed = rewrite(model, change)
    if isinstance(model, Table) and normalizer.table_ref(model.name, model.schema) == table:
        return _replaced(changed, name=name)
    if isinstance(model, Index | Trigger) and normalizer.table_ref(model.table, model.schema) == table:
        return _replaced(changed, table=name)
    return changed


def with_column_renamed(model: M, table: Table, old: str, new: str, normalizer: Normalizer) -> M:
    """Return `model` after column `old` of `table` is called `new`.

    The table itself, foreign keys to it, its indexes and the events of its triggers follow.
    """
    dialect = normalizer.dialect
    ref, folded = normalizer.table_ref(table.name, table.schema), dialect.fold(old)
    name = getattr(model, "table", "") if isinstance(model, Index | Trigger) else getattr(model, "name", "")
    own = isinstance(model, Table | Index | Trigger) and normalizer.table_ref(name, _schema(model)) == ref

    def rename(column: str) -> str:
        return new if dialect.fold(column) == folded else column

    def change(grammar: str, text: str) -> str:
        match grammar:
            case "column" if own:
                return rename(text)
            case "expression" if own and not isinstance(model, Trigger):
                return dialect.with_column_renamed(text, old, new)
            case "event" if own:
                return _event(text, rename)
            case "reference":
                found = parse_reference(text)
                if found is None or normalizer.table_ref(found.table, found.schema or _schema(model)) != ref:
                    return text
                columns = tuple(rename(column) for column in found.columns)
                return (
                    text if columns == found.columns else str(Reference(found.table, columns, found.schema))
                )
        return text

    return rewrite(model, change)


def _event(text: str, rename: Callable[[str], str]) -> str:
    kind, columns = parse_event(text) or ("", ())
    renamed = tuple(rename(column) for column in columns)
    return text if renamed == columns else f"{kind} of {', '.join(map(quote, renamed))}"


def _schema(model: object) -> str:
    return getattr(model, "schema", "")


def _replaced(model: M, **changes: str) -> M:
    return dataclasses.replace(model, **changes)  # type: ignore[type-var]
