"""Addresses of resources: the modules, the type, the name.

`sqlite_table.users` and `module.shop.sqlite_table.users["eu"]` are resources of a configuration. What only a
database has is called by its identity there: `sqlite_table.archive.users` is table users of schema archive,
`sqlite_table."a.b"` a table with a dot in its name.
"""

from __future__ import annotations

import re
from functools import cache

_STEP = r'(?:[^.\["]|\[(?:"(?:[^"\\]|\\.)*"|[^\]]*)\])+'
_MODULES = re.compile(rf"(?:module\.{_STEP}\.)*")
_TYPE = re.compile(r"[^.\[\"]+")
_INDEX = re.compile(r'\[(?:"(?:[^"\\]|\\.)*"|\d+)\]$')


def address_of(type_: str, name: str) -> str:
    """Return the address of a resource from its type and its name, the address without the type."""
    if not name.startswith("module."):
        return f"{type_}.{name}"
    end = _modules_end(name)
    return f"{name[:end]}{type_}.{name[end:]}"


@cache
def bare_type(provider: str, type_: str) -> str:
    """Return a resource type without its provider's prefix: `sqlite_table` -> `table`."""
    return type_.removeprefix(f"{provider.partition('.')[0]}_")


@cache
def prefixed_type(provider: str, type_: str) -> str:
    """Return a resource type with its provider's prefix: `table` -> `sqlite_table`."""
    prefix = f"{provider.partition('.')[0]}_"
    return type_ if type_.startswith(prefix) else prefix + type_


def without_index(address: str) -> str:
    """Return the address of the block that an instance comes from: without a final `[...]`."""
    return _INDEX.sub("", address)


def covers(target: str, address: str) -> bool:
    """Whether `target` means `address`: itself, its block without the index, or the module it is in."""
    if target == address or target == without_index(address):
        return True
    return target.startswith("module.") and (address.startswith((f"{target}.", f"{target}[")))


def moved(address: str, source: str, target: str) -> str:
    """Return what `address` is called after everything under `source` became `target`."""
    if address == source:
        return target
    if address.startswith((f"{source}[", f"{source}.")):
        return target + address[len(source) :]
    return address


def name_of(address: str) -> tuple[str, str]:
    """Return type and name of an address; the type is empty when it has none."""
    start = _modules_end(address)
    type_ = _TYPE.match(address, start)
    if type_ is None or address[type_.end() : type_.end() + 1] != ".":
        return "", address
    return type_.group(), address[:start] + address[type_.end() + 1 :]


def _modules_end(address: str) -> int:
    """Return where the modules end that an address, or a name, begins with."""
    match = _MODULES.match(address)
    return match.end() if match is not None else 0
