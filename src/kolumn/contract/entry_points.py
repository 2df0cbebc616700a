"""Entry points of one group, read from the installed packages' own files.

`importlib.metadata` gives the same answer, but importing it and scanning with it takes longer than a whole
plan of a small project. It is still asked when nothing is found, for packages installed in other ways (zip
files).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

_FILE = "entry_points.txt"
_KINDS = (".dist-info", ".egg-info")


def find(group: str) -> dict[str, str]:
    """Return `module:object` by name; of packages that define a name twice the first on `sys.path` counts."""
    found: dict[str, str] = {}
    for text in _texts():
        if f"[{group}]" in text:
            for name, value in _entries(text, group):
                found.setdefault(name, value)
    if not found:
        from importlib.metadata import entry_points

        found = {point.name: point.value for point in entry_points(group=group)}
    return found


def load(value: str) -> Any:
    """Return the object that `module:object` means. Raises ImportError, AttributeError."""
    module, _, path = value.partition(":")
    loaded: Any = import_module(module.strip())
    for name in path.split("[")[0].strip().split("."):
        loaded = getattr(loaded, name)
    return loaded


def _texts() -> Iterator[str]:
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - speed
        except OSError:
            continue  # a zip file, or a folder that is not there
        for name in names:
            if name.endswith(_KINDS):
                try:
                    with open(os.path.join(folder, name, _FILE), encoding="utf-8") as file:  # noqa: PTH118, PTH123 - speed
                        yield file.read()
                except OSError:
                    continue


def _entries(text: str, group: str) -> Iterator[tuple[str, str]]:
    inside = False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped == f"[{group}]"
        elif inside and "=" in stripped and not stripped.startswith(("#", ";")):
            name, _, value = stripped.partition("=")
            yield name.strip(), value.strip()
