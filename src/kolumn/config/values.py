"""Values while evaluating: marks, conversions between types, equality.

A value is JSON data, a `SetValue`, `UNKNOWN`, or one of these in a `Sensitive` mark. Marks may stand
anywhere inside lists and dicts.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from kolumn.config.diagnostics import Fault
from kolumn.config.project import UNKNOWN, Unknown

MAX_ITEMS: Final = 100_000
"""Elements one collection may have."""
MAX_WORK: Final = 1_000_000
"""Elements all loops and walks of one evaluation may visit."""
MAX_TEXT: Final = 16 * 1024 * 1024
"""Characters one text may have."""
TEXT_PER_WORK: Final = 64
"""Characters of text that count like one element of a collection."""
MAX_BITS: Final = 3_000
"""Bits one whole number may have."""


class Sensitive:
    """A value that must not be shown."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value: Any = value.value if isinstance(value, Sensitive) else value

    def __repr__(self) -> str:
        return "(sensitive)"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a sensitive value is not written anywhere")


class SetValue(list[Any]):
    """A set: elements are unique; texts are in order of their characters."""

    __slots__ = ()

    @classmethod
    def of(cls, items: list[Any]) -> SetValue:
        """Return the set of `items`."""
        return cls(sort_set(distinct(items)))


class Budget:
    """Counts the work of one evaluation, so that a few lines cannot keep it busy forever."""

    __slots__ = ("left",)

    def __init__(self, work: int = MAX_WORK) -> None:
        self.left = work

    def spend(self, work: int) -> None:
        """Take `work` away. Raises Fault when nothing is left."""
        self.left -= work
        if self.left < 0:
            raise Fault(
                f"This configuration makes more than {MAX_WORK:,} elements.",
                hint="Make fewer elements in for expressions, range and products.",
                code="too_big",
            )


def type_name(value: Any) -> str:
    """Return what a person calls the type of a value."""
    if isinstance(value, Sensitive):
        return type_name(value.value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a bool"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, SetValue):
        return "a set"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a map"
    return "unknown"


def number_text(value: int | float) -> str:
    """Return a number as HCL writes it: no exponent, no trailing `.0`."""
    if isinstance(value, int):
        return str(value)
    return format(Decimal(repr(value)), "f")


def to_text(value: Any) -> str:
    """Convert a primitive to text. Raises Fault."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    raise Fault(f"Expected a string, found {type_name(value)}.", code="wrong_type")


def to_number(value: Any) -> int | float:
    """Convert a number or a text that holds one. Raises Fault, without the text: it may be secret."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= 1000 and value.isascii():
        try:
            return int(value) if value.lstrip("+-").isdigit() else whole(_finite(float(value)))
        except ValueError:
            pass
        raise Fault("Expected a number, found a string that is none.", code="wrong_type")
    raise Fault(f"Expected a number, found {type_name(value)}.", code="wrong_type")


def to_bool(value: Any) -> bool:
    """Convert a bool or the texts "true" and "false". Raises Fault."""
    if isinstance(value, bool):
        return value
    if value == "true":
        return True
    if value == "false":
        return False
    raise Fault(f"Expected true or false, found {type_name(value)}.", code="wrong_type")


def to_whole(value: Any) -> int:
    """Convert to a whole number. Raises Fault."""
    number = to_number(value)
    if isinstance(number, int):
        return number
    if number.is_integer():
        return int(number)
    raise Fault("Expected a whole number.", code="wrong_type")


def _finite(value: float) -> float:
    if math.isfinite(value):
        return value
    raise Fault("This number is too big.", code="too_big")


def whole(value: int | float) -> int | float:
    """Return a number as int when it is a whole one; HCL has one number type. Raises Fault when too big."""
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise Fault("This number is too big.", code="too_big")
        return value
    _finite(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def equal(left: Any, right: Any, budget: Budget | None = None) -> bool:
    """Compare as HCL does: values of different types are never equal."""
    if isinstance(left, Sensitive):
        left = left.value
    if isinstance(right, Sensitive):
        right = right.value
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        if len(left) != len(right):
            return False
        if budget:
            budget.spend(len(left))
        return all(key in right and equal(value, right[key], budget) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right) or isinstance(left, SetValue) != isinstance(right, SetValue):
            return False
        if budget:
            budget.spend(len(left))
        return all(equal(one, other, budget) for one, other in zip(left, right, strict=True))
    if isinstance(left, (dict, list)) or isinstance(right, (dict, list)):
        return False
    return bool(left == right)


def _identity(value: Any, budget: Budget) -> Any:
    """Return something hashable that is equal exactly for equal values."""
    budget.spend(1)
    if isinstance(value, Sensitive):
        value = value.value
    if isinstance(value, bool) or value is None:
        return ("b", value)
    if isinstance(value, (int, float)):
        return ("n", value)
    if isinstance(value, list):
        return ("l", tuple(_identity(item, budget) for item in value))
    if isinstance(value, dict):
        return ("m", frozenset((key, _identity(item, budget)) for key, item in value.items()))
    return value


def distinct(items: list[Any], budget: Budget | None = None) -> list[Any]:
    """Return the elements without repetitions, first ones kept."""
    budget = budget or Budget()
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(_identity(item, budget), item)
    return list(found.values())


def sort_set(items: list[Any]) -> list[Any]:
    """Order the elements of a set: numbers and texts by value, others as they came."""
    if all(isinstance(item, str) for item in items):
        return sorted(items)
    if all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in items):
        return sorted(items)
    return items


def is_marked(value: Any, budget: Budget) -> tuple[bool, bool]:
    """Return whether something in `value` is sensitive, and whether something is unknown."""
    if value is None or isinstance(value, (str, int, float)):
        return False, False
    if isinstance(value, Sensitive):
        return True, is_marked(value.value, budget)[1]
    if isinstance(value, Unknown):
        return False, True
    sensitive = unknown = False
    if isinstance(value, (list, dict)):
        budget.spend(len(value))
        for item in value.values() if isinstance(value, dict) else value:
            if item is None or isinstance(item, (str, int, float)):
                continue
            one, other = is_marked(item, budget)
            sensitive, unknown = sensitive or one, unknown or other
    return sensitive, unknown


def bare(value: Any, budget: Budget) -> Any:
    """Return `value` with all sensitive marks taken off."""
    if isinstance(value, Sensitive):
        return bare(value.value, budget)
    if isinstance(value, list):
        budget.spend(len(value))
        return type(value)(bare(item, budget) for item in value)
    if isinstance(value, dict):
        budget.spend(len(value))
        return {key: bare(item, budget) for key, item in value.items()}
    return value


__all__ = [
    "UNKNOWN",
    "Budget",
    "Sensitive",
    "SetValue",
    "Unknown",
    "bare",
    "distinct",
    "equal",
    "is_marked",
    "number_text",
    "sort_set",
    "to_bool",
    "to_number",
    "to_text",
    "to_whole",
    "type_name",
    "whole",
]
