"""Expressions as JSON data and back: what a project keeps of a rule until there is a plan to ask it about."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from kolumn.config import syntax
from kolumn.config.syntax import Expression, Index, Value

NODE: Final = "\0node"
"""The key that tells a node from a map of the language; no file can have it."""
_PARTS: Final = "parts"
"""Stands for the parts of a node, to tell them from a list of the language."""
_TYPES: Final[Mapping[str, type[Any]]] = {
    name: each
    for name, each in vars(syntax).items()
    if isinstance(each, type) and issubclass(each, Expression | Index) and each is not Expression
}


def to_data(value: Value) -> Any:
    """Return an expression as JSON data; UNKNOWN stays what it is."""
    if isinstance(value, Expression | Index):
        fields = {each.name: to_data(getattr(value, each.name)) for each in dataclasses.fields(value)}
        return {NODE: type(value).__name__, **fields}
    if isinstance(value, tuple):
        return {NODE: _PARTS, "items": [to_data(item) for item in value]}
    if isinstance(value, dict):
        return {key: to_data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_data(item) for item in value]
    return value


def from_data(data: Any) -> Value:
    """Return the expression that `to_data` was given. Raises ValueError for anything else."""
    if isinstance(data, list):
        return [from_data(item) for item in data]
    if not isinstance(data, Mapping):
        return data
    fields = {key: from_data(item) for key, item in data.items() if key != NODE}
    if NODE not in data:
        return fields
    if data[NODE] == _PARTS:
        return tuple(fields["items"])
    kind = _TYPES.get(str(data[NODE]))
    if kind is None:
        raise ValueError(f"there is no node {data[NODE]!r}")
    return kind(**fields)
