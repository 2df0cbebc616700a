"""Storage parameters: what stands in `WITH (...)` of tables and indexes, and in the options of columns.

https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kolumn.contract.errors import Problem
from kolumn.providers.postgres.language.tokens import literal

_NAME = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"-?[0-9]+\.[0-9]+")
_MEANINGS = {"on": "true", "yes": "true", "off": "false", "no": "false", "true": "true", "false": "false"}


class Parameters(Mapping[str, Any]):
    """Parameters by name; immutable, and equal to any that mean the same: `70` is `"70"`, `on` is `true`."""

    __slots__ = ("_meant", "_texts")

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self._texts = {str(name).lower(): _text(value) for name, value in (given or {}).items()}
        pairs = ((name, _MEANINGS.get(text.lower(), text)) for name, text in self._texts.items())
        self._meant = tuple(sorted(pairs))

    @classmethod
    def read(cls, options: Iterable[str], prefix: str = "") -> Parameters:
        """Return what the catalogue has as `name=value`; `prefix` goes before each name."""
        pairs = (option.partition("=") for option in options)
        return cls({prefix + name: value for name, _, value in pairs})

    def __getitem__(self, name: str) -> Any:
        """Return a value as configuration spells it: a number, true or false, or a text."""
        text = self._texts[name]
        if text in ("true", "false"):
            return text == "true"
        if _WHOLE.fullmatch(text) and len(text) < 16:
            return int(text)
        return float(text) if _FRACTION.fullmatch(text) and repr(float(text)) == text else text

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameters) and self._meant == other._meant

    def __hash__(self) -> int:
        return hash(self._meant)

    def __repr__(self) -> str:
        return f"Parameters({self._texts})"

    def problems(self, path: str) -> Iterator[Problem]:
        """Yield what cannot be a parameter; `path` is that of the attribute."""
        for name, text in self._texts.items():
            if _NAME.fullmatch(name) is None:
                yield Problem(
                    f"{name!r} is no name of a parameter",
                    code="invalid_parameter",
                    path=f"{path}.{name}",
                    hint="Names are written as in fillfactor or toast.autovacuum_enabled.",
                )
            elif text.startswith("\0"):
                yield Problem(
                    f"parameter {name} must be a number, true, false or a text",
                    code="wrong_type",
                    path=f"{path}.{name}",
                )

    def sql(self) -> str:
        """Return them as a list: `fillfactor='70', autovacuum_enabled='false'`."""
        return ", ".join(f"{name}={literal(text)}" for name, text in self._texts.items())

    def changes(self, wanted: Parameters) -> Iterator[str]:
        """Yield `SET (...)` and `RESET (...)` as needed to come from these to `wanted`, in their order.

        PostgreSQL puts what is set to the end of the list.
        """
        mine, meant = dict(self._meant), dict(wanted._meant)
        new = [name for name in wanted if meant[name] != mine.get(name)]
        gone = [name for name in self if name not in wanted]
        left = [name for name in self if name not in new and name not in gone]
        if [*left, *new] != list(wanted):
            gone, new = list(self), list(wanted)
        if gone:
            yield f"RESET ({', '.join(gone)})"
        if new:
            yield f"SET ({Parameters({name: wanted._texts[name] for name in new}).sql()})"


NONE = Parameters()


def _text(value: Any) -> str:
    """Return a value as PostgreSQL keeps it; what no value can be begins with a NUL."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(int(value)) if value == int(value) else repr(value)
        case str() if "\0" not in value:
            return value.strip()
    return "\0"
