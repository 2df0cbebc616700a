"""Formatting of configuration files, on disk."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kolumn.config.formatter import format_source
from kolumn.contract.errors import PermissionError, Problem, ValidationError

_SUFFIXES = (".kl", ".klvars", ".kl.json")


@dataclass(frozen=True, slots=True)
class Formatted:
    """One file and what formatting does to it."""

    path: str
    changed: bool
    diff: str
    """Unified diff, empty when nothing changes."""


def format_text(text: str, name: str) -> str:
    """Return formatted text. Raises ValidationError for text that is not the language."""
    return format_source(text, name)


def format_paths(paths: Iterable[Path], *, write: bool) -> tuple[Formatted, ...]:
    """Format files, and the files directly in folders; write them unless told not to.

    Raises ValidationError with the faults of every file that cannot be read; nothing is written then.
    """
    problems: list[Problem] = []
    results: list[tuple[Path, str, Formatted]] = []
    for path in _files(paths):
        try:
            text = path.read_text(encoding="utf-8")
            formatted = format_source(text, str(path))
        except ValidationError as error:
            problems += error.problems or [Problem(error.message, code=error.code)]
            continue
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            problems.append(Problem(f"{path} cannot be read: {reason}", code="unreadable_file"))
            continue
        diff = "".join(
            difflib.unified_diff(
                text.splitlines(keepends=True),
                formatted.splitlines(keepends=True),
                f"{path}",
                f"{path} (formatted)",
            )
        )
        results.append((path, formatted, Formatted(str(path), formatted != text, diff)))
    if problems:
        raise ValidationError.of(problems)
    if write:
        for path, formatted, result in results:
            if result.changed:
                _replace(path, formatted)
    return tuple(result for _, _, result in results)


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                each
                for each in path.iterdir()
                if each.name.endswith(_SUFFIXES) and not each.name.startswith(".")
            )
        else:
            yield path


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.chmod(path.stat().st_mode & 0o7777)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PermissionError(f"{path} cannot be written: {error.strerror}.", code="not_writable") from error
