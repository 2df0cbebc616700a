"""What a plan meets again and again is worked out once: the same few columns stand in thousands of tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_KNOWN = 4096
"""How many objects are remembered before all are forgotten."""


class OncePerObject(Generic[T, R]):
    """A function of one immutable object, remembered by which object it is and not by what it equals.

    Comparing two columns takes longer than most of what is asked of one, and a parser makes those that are
    written alike one object (see `parsing.Parser`). Nobody may change what it returns.
    """

    __slots__ = ("_known", "_work")

    def __init__(self, work: Callable[[T], R]) -> None:
        self._work = work
        self._known: dict[int, tuple[Any, R]] = {}
        """By identity, with the object itself, so that no other can get its identity."""

    def __call__(self, value: T) -> R:
        """Return what the function says of `value`."""
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        made = self._work(value)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[id(value)] = (value, made)
        return made
