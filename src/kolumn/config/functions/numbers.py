"""Numeric functions."""

from __future__ import annotations

import math
from typing import Any

from kolumn.config.diagnostics import Fault
from kolumn.config.functions.registry import LIST, NUMBER, TEXT, WHOLE, function
from kolumn.config.values import MAX_BITS, to_number, whole

Number = int | float


@function(NUMBER, name="abs")
def absolute(value: Number) -> Number:
    """Return the value without its sign."""
    return abs(value)


@function(NUMBER)
def ceil(value: Number) -> Number:
    """Round up."""
    return math.ceil(value)


@function(NUMBER)
def floor(value: Number) -> Number:
    """Round down."""
    return math.floor(value)


@function(NUMBER, NUMBER)
def log(value: Number, base: Number) -> Number:
    """Return the logarithm of `value` to `base`."""
    try:
        return whole(math.log(value, base))
    except (ValueError, ZeroDivisionError):
        raise Fault("log() needs numbers above 0 and a base other than 1.", code="out_of_range") from None


@function(NUMBER, rest=NUMBER, name="max")
def maximum(first: Number, *others: Number) -> Number:
    """Return the greatest."""
    return max(first, *others) if others else first


@function(NUMBER, rest=NUMBER, name="min")
def minimum(first: Number, *others: Number) -> Number:
    """Return the least."""
    return min(first, *others) if others else first


@function(TEXT, WHOLE)
def parseint(text: str, base: int) -> int:
    """Return the whole number that `text` is in `base` (2 to 36)."""
    if not 2 <= base <= 36:
        raise Fault("The base of parseint() is 2 to 36.", code="out_of_range")
    try:
        if len(text) > 1000 or text != text.strip() or "_" in text or not text.isascii():
            raise ValueError
        return int(text, base)
    except ValueError:
        raise Fault(f"parseint(): the text is no whole number in base {base}.", code="wrong_type") from None


@function(NUMBER, NUMBER, name="pow")
def power(base: Number, exponent: Number) -> Number:
    """Return `base` to the power of `exponent`."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if abs(base) > 1 and base.bit_length() * exponent > MAX_BITS:
            raise Fault("This number is too big.", code="too_big")
        return int(base**exponent)
    try:
        result = float(base) ** float(exponent)
    except (OverflowError, ZeroDivisionError):
        raise Fault("pow(): the result is not a number that can be written.", code="too_big") from None
    if isinstance(result, complex):
        raise Fault("pow(): the result is not a real number.", code="out_of_range")
    return whole(result)


@function(NUMBER)
def signum(value: Number) -> int:
    """Return -1, 0 or 1."""
    return (value > 0) - (value < 0)


@function(LIST, name="sum")
def total(values: list[Any]) -> Number:
    """Return the sum of a list that is not empty."""
    if not values:
        raise Fault("sum() needs at least one number.", code="out_of_range")
    numbers = [to_number(value) for value in values]
    if all(isinstance(number, int) for number in numbers):
        return whole(sum(numbers))
    return whole(math.fsum(numbers))
