"""How routines are told apart: by name and the types of what goes in, without lengths and precisions.

Functions, procedures and aggregates share one set of names. A text that calls a routine seldom says which of
several of one name it means, so each goes under `Ref("routine", name, schema)` as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from kolumn.engine.resource import Ref
from kolumn.providers.postgres.language.types import TypeName, parse_type


@lru_cache(maxsize=4096)
def argument_type(text: str) -> str:
    """Return a type as arguments have it: in normal form, without length, precision or fields."""
    parsed = parse_type(text)
    if isinstance(parsed, str):
        return text
    return str(TypeName(parsed.name, parsed.schema, array=parsed.array, set_of=parsed.set_of))


def signature(name: str, types: Iterable[str]) -> str:
    """Return what a routine's ref is named, e.g. `area(integer, text)`."""
    return f"{name}({', '.join(map(argument_type, types))})"


def routine_ref(name: str, schema: str) -> Ref:
    """Return the ref that all routines of a name share; `schema` is empty for public."""
    return Ref("routine", name, schema)
