"""Packages of Debian, of any of its suites, unpacked into a folder of their own; nothing is installed.

Only what `apt-get` verifies with Debian's keys is used. Where to fetch from is what the system itself has
configured; a system that is no Debian has no such packages.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.cache import Unavailable

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_LIST = Path("/etc/apt/sources.list")


def unpack(suite: str, packages: Sequence[str], into: Path) -> None:
    """Unpack packages of a suite, and all they need, below `into`. Raises Unavailable."""
    if not _KEYS.exists() or shutil.which("apt-get") is None:
        raise Unavailable("it comes from Debian's packages, and this is no Debian")
    apt = into.parent / f"{into.name}.apt"
    try:
        archives = _download(suite, packages, apt)
        into.mkdir(exist_ok=True)
        for archive in archives:
            _run(["dpkg", "-x", str(archive), str(into)])
    finally:
        shutil.rmtree(apt, ignore_errors=True)


def program(root: Path, path: str) -> list[str]:
    """Return the command that runs a program of an unpacked system with that system's own libraries."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loaders = (libraries / "ld-linux-x86-64.so.2", root / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    loader = next((each for each in loaders if each.exists()), None)
    if loader is None:
        raise Unavailable("its packages hold no loader for this machine")
    folders = f"{libraries}:{root / 'lib/x86_64-linux-gnu'}"
    name = str(root / path)
    return [str(loader), "--library-path", folders, "--argv0", name, name]


def _download(suite: str, packages: Sequence[str], apt: Path) -> list[Path]:
    empty, lists, archives = apt / "etc/empty.d", apt / "state/lists/partial", apt / "cache/archives/partial"
    for folder in (empty, lists, archives):
        folder.mkdir(parents=True)
    status, sources = apt / "status", apt / "etc/sources.list"
    status.touch()
    sources.write_text(f"deb [signed-by={_KEYS}] {_mirror()} {suite} main\n")
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": empty,
        "Dir::State": apt / "state",
        "Dir::State::status": status,
        "Dir::Cache": apt / "cache",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
        "Acquire::Languages": "none",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _run(["apt-get", *options, "-q", "update"])
    _run(["apt-get", *options, "-q", "-y", "-d", "install", *packages])
    return sorted((apt / "cache/archives").glob("*.deb"))


def _mirror() -> str:
    """Return where the system fetches its packages from."""
    if _SOURCES.exists():
        for line in _SOURCES.read_text().splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    if _LIST.exists():
        for line in _LIST.read_text().splitlines():
            words = [word for word in line.split() if not word.startswith("[")]
            if words[:1] == ["deb"]:
                return words[1]
    raise Unavailable("apt says nowhere to fetch packages from")


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{command[0]}: {said[-1] if said else 'no reason given'}")
