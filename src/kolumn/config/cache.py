"""Keeps the evaluated project of a folder, so that an unchanged configuration is not parsed again.

Only pure evaluations are kept: nothing discovered, nothing sensitive, no files, time or environment other
than the variables'. The file is readable by its owner only; one that cannot be read or does not fit is
ignored and written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kolumn.config.collector import collector_paused
from kolumn.config.configuration import (
    VARIABLE_PREFIX,
    Arguments,
    Configuration,
    files_of,
    variable_files,
)
from kolumn.config.project import Discover, Project
from kolumn.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FOLDER: Final = Path(".kolumn") / "cache"
FILE: Final = "project.json"
_FORMAT: Final = 3


@dataclass(frozen=True)
class _Head:
    """The first line of the file: whether the project in the second one still fits."""

    format: int
    folders: tuple[str, ...]
    """Folders of the project and its modules."""
    digest: str


def load_project(
    folder: Path,
    *,
    var: Sequence[tuple[str, str]] = (),
    var_files: Sequence[Path | str] = (),
    arguments: Sequence[tuple[str, str]] = (),
    environ: Mapping[str, str] | None = None,
    discover: Discover | None = None,
    cache: bool = True,
    fit_to_keep: Callable[[Project], bool] = lambda project: True,  # noqa: ARG005 - all are
) -> tuple[Configuration, Project]:
    """Load and evaluate a folder, from the cache when nothing changed.

    After a hit the Configuration has parsed nothing yet; it does when it is asked, for example by `locate`.
    `fit_to_keep` may say that a project has something that the cache must not.
    Parameters are those of `load` and `evaluate`. Raises ValidationError.
    """
    configuration = Configuration(folder, Arguments.of(var, var_files, arguments, environ))
    if cache:
        with collector_paused():
            project = read(configuration)
        if project is not None:
            return configuration, project
    # The parser is imported only when there is something to parse: a hit costs no more than reading.
    from kolumn.config.evaluation import evaluate_fully

    evaluated = evaluate_fully(configuration, discover)
    if cache and evaluated.pure and fit_to_keep(evaluated.project):
        write(configuration, evaluated.project, literal=evaluated.literal)
    return configuration, evaluated.project


def read(configuration: Configuration) -> Project | None:
    """Return the kept project when it is still what evaluation would give, else None."""
    import msgspec

    try:
        data = (configuration.folder / FOLDER / FILE).read_bytes()
        head_end = data.index(b"\n")
        head = msgspec.json.decode(data[:head_end], type=_Head)
        if head.format != _FORMAT:
            return None
        folders = tuple(map(Path, head.folders))
        if head.digest != digest(configuration.folder, configuration.arguments, folders):
            return None
        return msgspec.json.decode(memoryview(data)[head_end + 1 :], type=Project)
    except (OSError, ValueError, RecursionError):
        return None


def write(configuration: Configuration, project: Project, *, literal: bool = False) -> None:
    """Keep a project; does nothing when the folder cannot be written or the data does not fit JSON.

    What was computed is read back to see whether it fits; what is `literal` always does.
    """
    import msgspec

    folders = configuration.loaded.folders
    target = configuration.folder / FOLDER / FILE
    temporary = ""
    try:
        head = _Head(
            _FORMAT, tuple(map(str, folders)), digest(configuration.folder, configuration.arguments, folders)
        )
        data = msgspec.json.encode(head) + b"\n" + msgspec.json.encode(project)
        if not literal and msgspec.json.decode(data.partition(b"\n")[2], type=Project) != project:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        import tempfile  # slow to import, and most commands only read

        # mkstemp makes the file readable by its owner only.
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f"{FILE}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(target)
    except (OSError, ValueError, OverflowError, TypeError, RecursionError):
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def digest(folder: Path, arguments: Arguments, folders: Sequence[Path]) -> str:
    """Return the digest of everything a pure evaluation depends on. Raises OSError."""
    found = hashlib.blake2b(digest_size=32)

    def add(*parts: bytes) -> None:
        for part in parts:
            found.update(len(part).to_bytes(8, "big"))
            found.update(part)

    add(__version__.encode(), str(folder).encode(), os.path.abspath(folder).encode())  # noqa: PTH100 - links kept
    for one in folders:
        paths = files_of(one)
        if one == folders[0]:
            paths = paths + variable_files(folder)
        for path in paths:
            add(str(path).encode(), path.read_bytes())
    for kind, text in arguments.var:
        add(kind.encode(), text.encode())
        if kind == "var-file":
            add(Path(text).read_bytes())
    for name in sorted(arguments.environ):
        if name.startswith(VARIABLE_PREFIX):
            add(name.encode(), arguments.environ[name].encode())
    return found.hexdigest()
