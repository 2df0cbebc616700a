"""Type affinity: what SQLite makes of a column's declared type (https://sqlite.org/datatype3.html)."""

from __future__ import annotations

from typing import Literal

Affinity = Literal["INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"]


def affinity(declared: str) -> Affinity:
    """Return the affinity of a declared type, by the rules of section 3.1 in their order."""
    name = declared.upper()
    if "INT" in name:
        return "INTEGER"
    if "CHAR" in name or "CLOB" in name or "TEXT" in name:
        return "TEXT"
    if "BLOB" in name or not name:
        return "BLOB"
    if "REAL" in name or "FLOA" in name or "DOUB" in name:
        return "REAL"
    return "NUMERIC"


def conversion_risk(before: str, after: str) -> str:
    """Return in words how stored values change when a column gets another type, empty if they do not."""
    old, new = affinity(before), affinity(after)
    if old == new or new == "BLOB":
        return ""
    if new == "TEXT":
        return "" if old == "BLOB" else "numbers become text"
    if old in ("TEXT", "BLOB"):
        return "text that looks like a number becomes one, and 007 becomes 7"
    if new == "REAL":
        return "whole numbers beyond 2^53 lose digits"
    return ""
