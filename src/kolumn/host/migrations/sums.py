"""`kolumn.sum`: what the files of a directory were when they were reviewed, in a chain.

The first line is a digest of the others. Each other line is a file's name with a digest of that name, of the
file's content, and of the line before: so a line cannot be taken out, put in or moved without the next one
telling.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence

from kolumn.contract.errors import StateError
from kolumn.host.migrations.directory import Directory, Script

NAME = "kolumn.sum"
_PREFIX = "h1:"


def ordered(scripts: Iterable[Script]) -> list[Script]:
    """Return files in the order of the chain: by number, the way up first."""
    return sorted(scripts, key=lambda each: (each.what.number, each.what.direction != "up", each.path.name))


def summed(scripts: Iterable[Script]) -> str:
    """Return the content of the file for these scripts."""
    lines, before = [], ""
    for script in ordered(scripts):
        before = _link(before, script.path.name, script.content)
        lines.append(f"{script.path.name} {before}")
    return "\n".join([_total(lines), *lines]) + "\n"


def write(directory: Directory) -> None:
    """Write the file, all of it or nothing."""
    path = directory.path / NAME
    temporary = path.with_name(f"{NAME}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(summed(directory.files))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def faults(directory: Directory) -> list[str]:
    """Return what is not as `kolumn.sum` says, each fault with the file that it is about."""
    scripts = {script.path.name: script for script in directory.files}
    path = directory.path / NAME
    if not path.is_file():
        if not scripts:
            return []
        return [f"{NAME} is missing: review the files, then run `kolumn migrate hash`"]
    try:
        total, *lines = path.read_text(encoding="utf-8").splitlines()
        noted = [(name, digest) for name, _, digest in (line.rpartition(" ") for line in lines)]
    except (OSError, UnicodeDecodeError, ValueError):
        return [f"{NAME} cannot be read"]
    found = []
    if total != _total(lines) or not all(name and digest.startswith(_PREFIX) for name, digest in noted):
        found.append(f"{NAME} itself was altered")
    before = ""
    for name, digest in noted:
        script = scripts.get(name)
        if script is None:
            found.append(f"{name} is missing")
        elif _link(before, name, script.content) != digest:
            found.append(f"{name} was altered")
        before = digest
    known = {name for name, _ in noted}
    found += [f"{name} is not in {NAME}" for name in scripts if name not in known]
    if not found and [name for name, _ in noted] != [each.path.name for each in ordered(scripts.values())]:
        found.append(f"{NAME} has the files in another order")
    return found


def refuse_faults(directories: Sequence[Directory]) -> None:
    """Raise StateError `migration_altered` naming every file that is not what was reviewed."""
    found = [f"{each.path}: {fault}" for each in directories for fault in faults(each)]
    if found:
        raise StateError(
            f"the migrations are not what was reviewed: {'; '.join(found)}. Nothing was run. Put the files back as "
            "they were or, if the change is meant, run `kolumn migrate hash`.",
            code="migration_altered",
            details={"faults": found},
        )


def _link(before: str, name: str, content: bytes) -> str:
    digest = hashlib.sha256(f"{before}\n{name}\n".encode() + hashlib.sha256(content).digest()).digest()
    return _PREFIX + base64.b64encode(digest).decode()


def _total(lines: Sequence[str]) -> str:
    return _PREFIX + base64.b64encode(hashlib.sha256("\n".join(lines).encode()).digest()).decode()
