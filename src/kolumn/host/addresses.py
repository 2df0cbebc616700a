"""Addresses of resources: `sqlite_table.users`, `module.shop.sqlite_table.users["eu"]`."""

from __future__ import annotations

import re
from functools import cache

_PART = re.compile(r'(?:[^.\["]|\[(?:"(?:[^"\\]|\\.)*"|[^\]]*)\])+')
_INDEX = re.compile(r'\[(?:"(?:[^"\\]|\\.)*"|\d+)\]$')


def parts(address: str) -> list[str]:
    """Split an address at its dots, leaving those inside `["..."]` alone."""
    return _PART.findall(address)


def address_of(type_: str, name: str) -> str:
    """Return the address of a resource from its type and its name, the address without the type."""
    if "." not in name:
        return f"{type_}.{name}"
    pieces = parts(name)
    return ".".join([*pieces[:-1], type_, pieces[-1]])


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
    pieces = parts(address)
    if len(pieces) < 2:
        return "", address
    return pieces[-2], ".".join([*pieces[:-2], pieces[-1]])
