"""Which providers the last command of a project needed, so that the next one starts them before it knows.

A wrong guess costs a process that nobody asks anything; it is never given credentials.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

_FILE: Final = Path(".kolumn") / "cache" / "providers.json"


def remembered(folder: Path) -> tuple[str, ...]:
    """Return the addresses of those providers; nothing if that is not known."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=tuple[str, ...])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ()


def remember(folder: Path, addresses: Iterable[str]) -> None:
    """Note them for the next command, where the project keeps a cache."""
    wanted = tuple(sorted(set(addresses)))
    path = folder / _FILE
    if wanted == remembered(folder) or not path.parent.is_dir():
        return
    try:
        path.write_bytes(msgspec.json.encode(wanted))
    except OSError:
        return  # the folder is read-only: the next command does without
