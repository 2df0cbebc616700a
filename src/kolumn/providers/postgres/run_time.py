"""Run-time parameters that routines and roles set: `search_path`, `work_mem`, `app.tenant`.

https://www.postgresql.org/docs/current/config-setting.html. The catalogue keeps `name=value`; the value of a
list of names, such as search_path, has each of them quoted where SQL would.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kolumn.contract.errors import Problem
from kolumn.providers.postgres.tokens import literal, quote

_NAME = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")
_NAMES = frozenset({"search_path", "temp_tablespaces"})
_PATHS = frozenset(
    {
        "local_preload_libraries",
        "session_preload_libraries",
        "shared_preload_libraries",
        "unix_socket_directories",
    }
)
_LISTS = _NAMES | _PATHS
"""Parameters whose value is a list, each item quoted where it must be (GUC_LIST_QUOTE in guc_tables.c)."""
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",]*?))\s*(?:(,)|\Z)')


class RunTimeParameters(Mapping[str, str]):
    """Parameters with their values, in the order given; immutable. Order alone is no difference."""

    __slots__ = ("_values",)

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        pairs = ((str(name).lower(), each) for name, each in (given or {}).items())
        self._values: Mapping[str, str] = {name: _kept(name, each) for name, each in pairs}

    @classmethod
    def read(cls, entries: Iterable[str] | None) -> RunTimeParameters:
        """Return what the catalogue has as `name=value`."""
        return cls(dict(entry.partition("=")[::2] for entry in entries or ()))

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunTimeParameters) and dict(self._values) == dict(other._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"RunTimeParameters({dict(self._values)})"

    def problems(self, path: str) -> Iterator[Problem]:
        """Yield what cannot be a parameter; `path` is that of the attribute."""
        for name, text in self._values.items():
            if _NAME.fullmatch(name) is None:
                yield Problem(
                    f"{name!r} is no name of a run-time parameter",
                    code="invalid_parameter",
                    path=f"{path}.{name}",
                    hint="Names are written as in work_mem or app.tenant.",
                )
            elif "\0" in text:
                yield Problem(
                    f"parameter {name} must be a text, a number, true or false",
                    code="wrong_type",
                    path=f"{path}.{name}",
                )

    def setting(self, name: str) -> str:
        """Return one as SET takes it: `search_path TO 'app', 'public'`."""
        text = self._values[name]
        given = map(literal, _items(name, text)) if name in _LISTS else [literal(text)]
        return f"{_spelled(name)} TO {', '.join(given)}"

    def changes(self, wanted: RunTimeParameters) -> Iterator[str]:
        """Yield `RESET name` and `SET name TO ...` as needed to come from these to `wanted`."""
        for name in self:
            if name not in wanted:
                yield f"RESET {_spelled(name)}"
        for name in wanted:
            if self.get(name) != wanted[name]:
                yield f"SET {wanted.setting(name)}"


NONE = RunTimeParameters()


def _kept(name: str, given: Any) -> str:
    """Return a value as the catalogue keeps it; what no value can be has a NUL."""
    match given:
        case bool():
            return "on" if given else "off"
        case int() | float():
            return str(int(given)) if given == int(given) else repr(given)
        case str():
            return ", ".join(map(quote, _items(name, given))) if name in _LISTS else given
        case list() | tuple() if all(isinstance(each, str) for each in given):
            return ", ".join(map(quote, given)) if name in _LISTS else ", ".join(given)
    return "\0"


def _items(name: str, text: str) -> list[str]:
    """Return the items of a list, as the server splits it: names without quotes are in lower case.

    An empty list is one empty name. What is no list is one item.
    """
    found = []
    end = 0
    while match := _ITEM.match(text, end):
        quoted, plain, divider = match.groups()
        if quoted is None:
            found.append(plain.lower() if name in _NAMES else plain)
        else:
            found.append(quoted.replace('""', '"'))
        end = match.end()
        if not divider:
            return found
    return [text]


def _spelled(name: str) -> str:
    return ".".join(map(quote, name.split(".")))
