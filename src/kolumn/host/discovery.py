"""Which providers there are, and where: executables `kolumn-provider-NAME` and packages of this environment.

What somebody put there on purpose goes before what happens to be installed: the folders of
KOLUMN_PROVIDER_PATH, `~/.kolumn/providers`, packages, the folders of PATH. An executable's name may say its
version, `kolumn-provider-NAME_v1.2.0`; of several in one folder the newest comes first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kolumn.contract import entry_points
from kolumn.contract.errors import ValidationError
from kolumn.contract.installed import GROUP
from kolumn.host.requirements import satisfies, version_numbers

PATH_NAME: Final = "KOLUMN_PROVIDER_PATH"
PACKAGE: Final = "package"
_PREFIX: Final = "kolumn-provider-"
_SUFFIXES: Final = (".exe", ".bat", ".cmd") if os.name == "nt" else ("",)


@dataclass(frozen=True, slots=True)
class Found:
    """One provider that was found."""

    name: str
    source: str
    """`package`, `KOLUMN_PROVIDER_PATH`, `~/.kolumn/providers` or `PATH`."""
    place: str
    """The executable's path; for a package the module of its entry point."""
    version: str = ""
    """What the executable's name says; empty when only the provider itself can tell."""

    @property
    def command(self) -> tuple[str, ...]:
        """What starts it."""
        if self.source == PACKAGE:
            # -P: nothing in the project's folder may stand in for a module.
            return (sys.executable, "-P", "-m", "kolumn.rpc", self.name)
        return (self.place,)


def all_of(environment: Mapping[str, str], name: str = "") -> Iterator[Found]:
    """Yield everything found, in the order in which it is preferred; only of one name if given."""
    home = Path(environment.get("HOME") or Path.home())
    for folder in environment.get(PATH_NAME, "").split(os.pathsep):
        if folder:
            yield from _in_folder(Path(folder), PATH_NAME, name)
    yield from _in_folder(home / ".kolumn" / "providers", "~/.kolumn/providers", name)
    for each, value in sorted(entry_points.find(GROUP).items()):
        if name in ("", each):
            yield Found(each, PACKAGE, value.partition(":")[0].strip())
    for folder in environment.get("PATH", "").split(os.pathsep):
        if folder:
            yield from _in_folder(Path(folder), "PATH", name)


def package(name: str) -> Found:
    """Return the provider of that name that is a package of this environment."""
    return Found(name, PACKAGE, entry_points.find(GROUP)[name].partition(":")[0].strip())


def choose(
    name: str,
    constraint: str,
    environment: Mapping[str, str],
    ask: Callable[[Found], str] = lambda found: found.version,
) -> Found:
    """Return the provider to use: the first whose version meets `constraint`, the first of all if none does.

    `ask` tells the version of one whose name does not. Raises ValidationError `unknown_provider`.
    """
    first: Found | None = None
    for found in all_of(environment, name):
        first = first or found
        if not constraint:
            break
        version = found.version or ask(found)
        if version and _meets(version, constraint):
            return found
    if first is None:
        known = ", ".join(sorted({each.name for each in all_of(environment)})) or "none"
        raise ValidationError(
            f'There is no provider "{name}". Found: {known}. A provider comes with its package, e.g. '
            f"`pip install 'kolumn[{name}]'`, or as an executable {_PREFIX}{name} in ~/.kolumn/providers, in a "
            f"folder of {PATH_NAME} or on PATH.",
            code="unknown_provider",
        )
    return first


def _meets(version: str, constraint: str) -> bool:
    try:
        return satisfies(version, constraint)
    except ValueError:
        return True  # `requirements` says what is wrong with it, and where it is written


def _in_folder(folder: Path, source: str, name: str) -> Iterator[Found]:
    try:
        files = [each.name for each in os.scandir(folder) if each.name.startswith(_PREFIX + name)]
    except OSError:
        return
    found: list[tuple[tuple[int, ...], Found]] = []
    for file in files:
        path = folder / file
        suffix = next((suffix for suffix in _SUFFIXES if file.endswith(suffix)), None)
        if suffix is None or not path.is_file() or not os.access(path, os.X_OK):
            continue
        words, _, version = file[len(_PREFIX) :].removesuffix(suffix).partition("_v")
        if words and name in ("", words):
            found.append((version_numbers(version), Found(words, source, str(path.absolute()), version)))
    found.sort(key=lambda each: each[1].name)
    found.sort(key=lambda each: each[0], reverse=True)
    for _, each in found:
        yield each
