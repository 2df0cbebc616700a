"""A lock among Kolumn's processes on one database file, in a file beside it (embedded databases)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote as percent

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError, PermissionError, StateError

_POLL_SECONDS = 0.05


def beside(file: Path, name: str) -> Path:
    """Return where the lock `name` of a database file is."""
    return file.with_name(f"{file.name}.kolumn-{percent(name, safe='')}.lock")


@contextlib.contextmanager
def hold(context: Context, path: Path, patience: float) -> Iterator[None]:
    """Hold the lock of the file `path`, waiting at most `patience` seconds for it.

    The kernel takes the lock back when the process dies, whatever way. Raises StateError naming the holder.
    """
    descriptor = _acquire(context, path, patience)
    try:
        holder = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": datetime.now(UTC).isoformat("T", "seconds"),
        }
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(context: Context, path: Path, patience: float) -> int:
    until = time.monotonic() + patience
    while True:
        descriptor = _open(path)
        # A holder removes the file when it is done, so what we locked may be gone from the path.
        if _take(descriptor) and _is_current(descriptor, path):
            return descriptor
        refusal = _held(descriptor, path)
        os.close(descriptor)
        if time.monotonic() >= until:
            raise refusal
        try:
            context.wait(_POLL_SECONDS)
        except OperationError:
            if context.cancelled:
                raise
            raise refusal from None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise PermissionError(
            f"the lock file {path} cannot be made: {error.strerror}. Its folder must exist and be writable.",
            code="lock_file",
        ) from error


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one now at `path`."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _held(descriptor: int, path: Path) -> StateError:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        words = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        holder, words = {}, "another process"
    return StateError(
        f"{words} is working on this database. Wait until it is done, or give a longer lock timeout.",
        code="locked",
        details={"holder": holder, "lock": str(path)},
    )
