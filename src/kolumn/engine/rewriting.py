"""Models made from other models, field by field as they are declared (see `engine.declaration`)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kolumn.engine.declaration import DeclaredField, declared_fields, held, replaced

M = TypeVar("M")


def former_names(model: Any) -> dict[str, str]:
    """Return what elements of `model` were called before, by path: `{"columns.headline": "title"}`."""
    found: dict[str, str] = {}
    for each in declared_fields(type(model)):
        if each.kind == "models":
            for element in getattr(model, each.name):
                before = getattr(element, "renamed_from", "")
                if before:
                    found[f"{each.name}.{element.name}"] = before
    return found


def with_kept(wanted: M, live: M) -> M:
    """Return `wanted` with the live values of what configuration leaves alone, in its elements as well."""
    kind = type(wanted)
    if kind not in _KEPT:
        _KEPT[kind] = tuple(
            each
            for each in declared_fields(kind)
            if each.about.kept or (each.kind in ("model", "models") and keeps(each.element))
        )
    changes: dict[str, Any] = {}
    for each in _KEPT[kind]:
        mine, theirs = getattr(wanted, each.name), getattr(live, each.name, each.default)
        made: Any = mine
        if each.about.kept:
            made = theirs if mine == each.default else mine
        elif each.kind == "model" and mine is not None and theirs is not None:
            made = with_kept(mine, theirs)
        elif each.kind == "models":
            named = {getattr(element, "name", ""): element for element in theirs}
            made = tuple(
                with_kept(element, named[name])
                if (name := getattr(element, "name", "")) and name in named
                else element
                for element in mine
            )
        if made != mine:
            changes[each.name] = made
    return replaced(wanted, changes)


_KEPT: dict[type[Any], tuple[DeclaredField, ...]] = {}


_KEEPING: dict[type[Any], bool] = {}


def keeps(model: type[Any]) -> bool:
    """Whether the database's own value can stand where configuration says nothing, anywhere in a model."""
    if model not in _KEEPING:
        _KEEPING[model] = any(
            each.about.kept or (each.kind in ("model", "models") and keeps(each.element))
            for each in declared_fields(model)
        )
    return _KEEPING[model]


Change = Callable[[str, str], str]
"""Returns what stands in the place of a text: called with its grammar and the text."""

_REWRITTEN: dict[type[Any], Mapping[str, DeclaredField]] = {}


def rewrite(model: M, change: Change, *, hints: bool = True) -> M:
    """Return `model` with every text that has a grammar replaced by what `change` makes of it.

    Texts at their default stay. Without `hints`, hints are reset to their default. A model in which
    nothing changes is returned itself.
    """
    kind = type(model)
    fields = _REWRITTEN.get(kind)
    if fields is None:
        fields = _REWRITTEN[kind] = {
            each.name: each
            for each in declared_fields(kind)
            if each.about.grammar or each.about.hint or each.kind in ("model", "models")
        }
    changes: dict[str, Any] = {}
    for name, value in held(model).items():
        each = fields.get(name)
        if each is None or value is None or value == each.default:
            continue
        made: Any
        if each.about.hint and not hints:
            made = each.default
        elif each.kind == "model":
            made = rewrite(value, change, hints=hints)
        elif each.kind == "models":
            made = tuple([rewrite(element, change, hints=hints) for element in value])
            if all(map(operator.is_, made, value)):
                continue
        elif each.kind == "strings":
            made = tuple([change(each.about.grammar, text) for text in value])
        elif isinstance(value, str):
            made = change(each.about.grammar, value)
        else:
            continue
        if made is not value and (made != value or each.kind in ("model", "models")):
            changes[name] = made
    return replaced(model, changes)
