"""A folder of configuration: which files belong to it and what comes from outside. Parses nothing itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kolumn.config.declarations import Module
    from kolumn.config.loader import Loaded
    from kolumn.contract.errors import Problem

SUFFIXES: Final = (".kl", ".kl.json")
VARIABLE_PREFIX: Final = "KOLUMN_VAR_"
"""Environment variables with this prefix set variables."""
_DEFAULT_FILES: Final = ("kolumn.klvars", "kolumn.klvars.json")
_AUTOMATIC_SUFFIXES: Final = (".auto.klvars", ".auto.klvars.json")


@dataclass(frozen=True)
class Arguments:
    """What comes from outside the folder: variables from the command line and the environment."""

    var: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """In order of the command line: ("var", "name=value") and ("var-file", path)."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        var: Sequence[tuple[str, str]],
        var_files: Sequence[Path | str],
        arguments: Sequence[tuple[str, str]],
        environ: Mapping[str, str] | None,
    ) -> Arguments:
        """Bring the ways to give variables into one order, later ones winning."""
        ordered = [("var-file", str(path)) for path in var_files]
        ordered += [("var", f"{name}={value}") for name, value in var]
        ordered += list(arguments)
        return cls(tuple(ordered), dict(os.environ if environ is None else environ))


@dataclass(frozen=True)
class Configuration:
    """A folder of configuration. Its files are parsed when first needed; `load` does it at once."""

    folder: Path
    arguments: Arguments = field(default_factory=Arguments)

    @cached_property
    def loaded(self) -> Loaded:
        """The parsed files. Raises ValidationError with every syntax and static fault."""
        from kolumn.config.loader import load_files

        return load_files(self)

    @property
    def root(self) -> Module:
        """What the folder itself declares."""
        return self.loaded.root

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Things that are ignored but worth a word."""
        return self.loaded.warnings


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def files_of(folder: Path) -> list[Path]:
    """Return the configuration files of one folder, alphabetically."""
    return [folder / name for name in _names(folder) if name.endswith(SUFFIXES) and not name.startswith(".")]


def variable_files(folder: Path) -> list[Path]:
    """Return the variable files a folder's project reads by itself, in order."""
    names = _names(folder)
    found = [folder / name for name in _DEFAULT_FILES if name in names]
    return found + [folder / name for name in names if name.endswith(_AUTOMATIC_SUFFIXES)]
