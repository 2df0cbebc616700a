"""The columns of a resource in the spellings people use, without evaluating more than their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kolumn.config.project import UNKNOWN, Unknown
from kolumn.config.syntax import Blocks, Dynamic, Expression, ObjectOf, TupleOf, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def column_names(
    entries: Mapping[str, Value],
    evaluated: Callable[[Value], Any],
    made: Callable[[Dynamic, int], list[str]],
) -> list[str] | None:
    """Return the names of all columns; None when they are not known.

    `evaluated` evaluates an expression, `made` gives the names of the columns of a dynamic block.

    Only what the names depend on is evaluated, so that a column may mention its neighbours.
    """
    names: list[str] = []
    for key in ("column", "columns"):
        value = entries.get(key)
        if value is None:
            continue
        found = _blocks(value, evaluated, made) if isinstance(value, Blocks) else _names(value, evaluated)
        if found is None:
            return None
        names += found
    return names


def _blocks(
    group: Blocks, evaluated: Callable[[Value], Any], made: Callable[[Dynamic, int], list[str]]
) -> list[str]:
    names: list[str] = []
    for item in group.items:
        if isinstance(item, Dynamic):
            names += made(item, group.depth)
        elif item.labels:
            names.append(item.labels[0])
        else:
            names += _listed([getattr(item.body, "entries", item.body)], evaluated)
    return names


def _names(value: Value, evaluated: Callable[[Value], Any]) -> list[str] | None:
    if isinstance(value, ObjectOf) and all(isinstance(key, str) for key, _ in value.items):
        return [key for key, _ in value.items]
    if isinstance(value, TupleOf):
        objects = [dict(item.items) if isinstance(item, ObjectOf) else item for item in value.items]
        if all(isinstance(item, dict) for item in objects):
            return _listed(objects, evaluated)
    if isinstance(value, Expression):
        value = evaluated(value)
    if isinstance(value, Unknown):
        return None
    columns = normalised_columns(value)
    return list(columns) if isinstance(columns, dict) else None


def _listed(objects: list[Any], evaluated: Callable[[Value], Any]) -> list[str]:
    names = [item.get("name") for item in objects]
    names = [evaluated(name) if isinstance(name, Expression) else name for name in names]
    return [name for name in names if isinstance(name, str)]


def normalised_columns(value: Any) -> Any:
    """Return columns in any spelling as a map from name to {name, ...}."""
    if isinstance(value, Unknown):
        return UNKNOWN
    result: dict[str, Any] = {}
    if isinstance(value, dict):
        for name, column in value.items():
            inner = column if isinstance(column, dict) else {"type": column}
            result[name] = {"name": name, **inner}
    elif isinstance(value, list):
        for column in value:
            if isinstance(column, dict) and isinstance(column.get("name"), str):
                result[column["name"]] = column
    return result
