"""Run-time parameters as `ALTER ROLE ... SET` takes them and the catalogues keep them: `name=value`.

https://www.postgresql.org/docs/current/config-setting.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kolumn.contract.errors import Problem
from kolumn.providers.postgres.language.tokens import literal, quote

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

_NAME = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w$]*(?:\.[A-Za-z_\u0080-\U0010ffff][\w$]*)*")
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",]*?))\s*(?:(,)|\Z)')


def read(settings: Iterable[str]) -> dict[str, str]:
    """Return what the catalogue has as `name=value`."""
    pairs = (setting.partition("=") for setting in settings)
    return {name: value for name, _, value in pairs}


def normal(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings so that equal ones mean the same: names folded, values as the catalogue has them.

    They stay in their order, which is no difference.
    """
    found = {}
    for name, value in settings.items():
        folded, text = name.lower(), _text(value)
        if folded in _LISTS:
            text = ", ".join(quote(each) for each in _items(folded, text))
        found[folded] = text
    return found


def problems(settings: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield what cannot be a setting; `path` is that of the attribute."""
    seen: dict[str, str] = {}
    for name, value in settings.items():
        where = f"{path}.{name}"
        other = seen.setdefault(name.lower(), name)
        if _NAME.fullmatch(name) is None:
            yield Problem(
                f"{name!r} is no name of a parameter",
                code="invalid_parameter",
                path=where,
                hint="Names are written as in search_path or app.tenant.",
            )
        elif other != name:
            yield Problem(f"{other} and {name} are one parameter", code="duplicate", path=where)
        elif not isinstance(value, str | int | float):
            yield Problem(
                f"parameter {name} must be a text, a number, true or false", code="wrong_type", path=where
            )
        elif "\0" in _text(value):
            yield Problem(f"parameter {name} has a NUL character", code="invalid_parameter", path=where)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield `RESET name` and `SET name = value` as needed to come from one to the other."""
    old, new = normal(before), normal(after)
    for name in before:  # as it is spelled: parameters the server does not know keep that
        if name.lower() not in new:
            yield f"RESET {_quoted(name)}"
    for name, value in new.items():
        if old.get(name) != value:
            yield f"SET {_quoted(name)} = {_value(name, value)}"


def _quoted(name: str) -> str:
    return ".".join(quote(part) for part in name.split("."))


def _value(name: str, value: str) -> str:
    return ", ".join(map(literal, _items(name, value))) if name in _LISTS else literal(value)


def _items(name: str, value: str) -> list[str]:
    """Return the items of a list, as the server splits it; unquoted names in lower case.

    An empty list is one empty name. What is no list is one item.
    """
    found = []
    end = 0
    while match := _ITEM.match(value, end):
        quoted, plain, divider = match.groups()
        if quoted is None:
            found.append(plain.lower() if name in _NAMES else plain)
        else:
            found.append(quoted.replace('""', '"'))
        end = match.end()
        if not divider:
            return found
    return [value]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else str(value)
