"""How a message declares what Go's `encoding/json` would do with each of its fields.

Go decides per field whether a zero value is sent. Here the declaration says it, and msgspec does the
work in C (there is no Python code per object when a message is written):

    class PingResponse(Message):
        success: bool = always(bool)     # untagged in Go: sent even when false
        latency_ms: int = always(int)
        message: str = ""                # `omitempty`: left out when it has its zero value

* a field without a default is required when read and always sent;
* `always(make)` is sent always, and has the value `make()` when it is missing in what is read;
* a plain default is Go's `omitempty`, so it must be the zero value: `""`, `0`, `False`, `()`, `None`, and
  `omitempty(dict)` for a map.

It rests on msgspec's `omit_defaults`, which leaves a field out when it *is* its default (identity, which
holds for Python's empty and zero objects) or is empty like its default, and never leaves out a field
whose default comes from a function. The tests of exact texts would show it if that changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

JSONObject: TypeAlias = Mapping[str, Any]
"""Go's `map[string]interface{}`. Key order is kept on the way (Go sorts it): columns have an order."""

Name = Annotated[str, msgspec.Meta(min_length=1)]
"""A string that must be there and not be empty."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything that crosses the contract: immutable, compared by value, unknown fields ignored.

    Subclasses repeat `frozen=True, kw_only=True`: msgspec hands neither down to the type checker.
    """


def always(make: Callable[[], T]) -> T:
    """Declare a field that is always sent and is `make()` when missing in what is read."""
    default: T = msgspec.field(default_factory=lambda: make())
    return default


def omitempty(make: type[T]) -> T:
    """Declare a map that is left out when empty; `make` is `dict`."""
    default: T = msgspec.field(default_factory=make)
    return default
