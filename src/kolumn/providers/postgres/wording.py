"""Texts that the server words in its own way, in models of one shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from kolumn.engine.declaration import declared_fields

SETTLED = frozenset({"type", "expression", "default", "query", "routine_body", "command", "bounds"})
"""Grammars of texts that the server words in its own way."""


def texts(model: Any) -> Iterator[str]:
    """Yield the texts of a model and its elements that the server may word otherwise."""
    for each in declared_fields(type(model)):
        value = getattr(model, each.name)
        if each.kind == "model" and value is not None:
            yield from texts(value)
        elif each.kind == "models":
            for element in value:
                yield from texts(element)
        elif each.about.grammar in SETTLED:
            if isinstance(value, str) and value:
                yield value
            elif isinstance(value, tuple):
                yield from value


def worded(wanted: Any, found: Any, known: frozenset[str]) -> Any:
    """Return `wanted` with the texts of `found`, a model of the same shape, as far as they are `known`.

    Lists of elements are walked together where both are of one length.
    """
    changes: dict[str, Any] = {}
    for each in declared_fields(type(wanted)):
        mine, theirs = getattr(wanted, each.name), getattr(found, each.name)
        made: Any = mine
        if each.kind == "model" and mine is not None and theirs is not None:
            made = worded(mine, theirs, known)
        elif each.kind == "models" and len(mine) == len(theirs):
            made = tuple(worded(one, other, known) for one, other in zip(mine, theirs, strict=True))
        elif each.about.grammar in SETTLED and mine and theirs and _is_known(mine, theirs, known):
            made = theirs
        if made != mine:
            changes[each.name] = made
    return dataclasses.replace(wanted, **changes) if changes else wanted


def _is_known(mine: Any, theirs: Any, known: frozenset[str]) -> bool:
    if isinstance(mine, str):
        return theirs in known
    return len(mine) == len(theirs) and known.issuperset(theirs)
