"""Attribute paths, however they are spelled: `columns.id.type`, `column.id.type`, `column["id"].type`."""

from __future__ import annotations

import re

from kolumn.contract.schema import singular

_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')


def steps(path: str) -> tuple[str, ...]:
    """Return the steps of a path as they are written."""
    return tuple(
        re.sub(r"\\(.)", r"\1", quoted) if quoted else index or name
        for quoted, index, name in _STEP.findall(path)
    )


def same_steps(path: str) -> tuple[str, ...]:
    """Return the steps of a path in one spelling, whether it goes through a list or through blocks."""
    return tuple(singular(step) for step in steps(path))
