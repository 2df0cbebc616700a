"""Functions that convert between types, and the sensitive mark."""

from __future__ import annotations

from typing import Any

from kolumn.config.diagnostics import Fault
from kolumn.config.functions.registry import ANY, CallContext, function
from kolumn.config.values import Sensitive, bare, to_bool, to_number, to_text, type_name


@function(ANY)
def tostring(value: Any) -> str | None:
    """Convert to a string; null stays null."""
    return None if value is None else to_text(value)


@function(ANY)
def tonumber(value: Any) -> int | float | None:
    """Convert to a number; null stays null."""
    return None if value is None else to_number(value)


@function(ANY)
def tobool(value: Any) -> bool | None:
    """Convert to a bool; null stays null."""
    return None if value is None else to_bool(value)


@function(ANY)
def tolist(value: Any) -> list[Any] | None:
    """Convert a set to a list."""
    if value is None or isinstance(value, list):
        return None if value is None else list(value)
    raise Fault(f"tolist() takes a list or a set, found {type_name(value)}.", code="wrong_type")


@function(ANY)
def tomap(value: Any) -> dict[str, Any] | None:
    """Return a map as it is."""
    if value is None or isinstance(value, dict):
        return value
    raise Fault(f"tomap() takes a map, found {type_name(value)}.", code="wrong_type")


def texts_in(value: Any) -> list[str]:
    """Return the texts and numbers in a secret value: what must not be shown."""
    if isinstance(value, Sensitive):
        return texts_in(value.value)
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, (list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return [text for item in items for text in texts_in(item)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [to_text(value)]
    return []


@function(ANY, with_context=True)
def sensitive(context: CallContext, value: Any) -> Any:
    """Mark a value as one that must not be shown."""
    context.secrets.extend(texts_in(value))
    return Sensitive(value)


@function(ANY, with_context=True)
def nonsensitive(context: CallContext, value: Any) -> Any:
    """Take the sensitive mark off."""
    return bare(value, context.budget)
