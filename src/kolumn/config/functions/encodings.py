"""Functions that encode and decode."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from kolumn.config.diagnostics import Fault
from kolumn.config.functions.registry import ANY, TEXT, CallContext, function
from kolumn.config.values import Budget, whole


@function(TEXT)
def base64encode(text: str) -> str:
    """Encode the text's UTF-8 bytes."""
    return base64.b64encode(text.encode()).decode("ascii")


@function(TEXT)
def base64decode(text: str) -> str:
    """Decode to text."""
    try:
        return base64.b64decode(text.encode(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Fault("base64decode(): this is not Base64 of UTF-8 text.", code="bad_encoding") from None


def measure(value: Any, budget: Budget) -> None:
    """Count the elements of a value before it is written out: shared parts count every time."""
    if isinstance(value, (list, dict)):
        budget.spend(len(value))
        for item in value.values() if isinstance(value, dict) else value:
            measure(item, budget)


@function(ANY, with_context=True)
def jsonencode(context: CallContext, value: Any) -> str:
    """Encode as JSON; keys keep their order."""
    measure(value, context.budget)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@function(TEXT)
def jsondecode(text: str) -> Any:
    """Decode JSON."""
    try:
        return _numbers(json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        raise Fault("jsondecode(): this is not JSON.", code="bad_encoding") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    return whole(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


@function(TEXT)
def urlencode(text: str) -> str:
    """Escape for the query part of a URL."""
    from urllib.parse import quote_plus

    return quote_plus(text)


@function(TEXT)
def csvdecode(text: str) -> list[dict[str, str]]:
    """Decode CSV whose first line has the names."""
    import csv

    try:
        rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    except csv.Error:
        raise Fault("csvdecode(): this is not CSV.", code="bad_encoding") from None
    rows = [row for row in rows if row]
    if not rows:
        raise Fault("csvdecode(): there is no header line.", code="bad_encoding")
    header = rows[0]
    if len(set(header)) != len(header):
        raise Fault("csvdecode(): two columns have the same name.", code="bad_encoding")
    if any(len(row) != len(header) for row in rows):
        raise Fault("csvdecode(): a line has another number of columns than the first.", code="bad_encoding")
    return [dict(zip(header, row, strict=True)) for row in rows[1:]]
