"""The lock of a project folder: an advisory file lock, released by the kernel when its process ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kolumn.contract.errors import PermissionError, StateError
from kolumn.host.backends import Holder

_POLL_SECONDS = 0.05


class _Record(msgspec.Struct):
    pid: int
    host: str
    user: str
    command: str
    since: str


@contextmanager
def file_lock(path: Path, holder: Holder, wait: float, checkpoint: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on `path`, waiting up to `wait` seconds; `checkpoint` may raise to stop waiting.

    Raises StateError `locked` that names the holder, PermissionError when the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PermissionError(
            f"The lock file {path} cannot be opened: {error.strerror}. Make the folder writable.",
            code="lock_unavailable",
        ) from error
    try:
        _acquire(descriptor, path, wait, checkpoint)
        record = _Record(holder.pid, holder.host, holder.user, holder.command, str(holder.since))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(record), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait: float, checkpoint: Callable[[], None]) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            checkpoint()
            if time.monotonic() >= deadline:
                raise _locked(descriptor, path, wait) from None
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            raise StateError(
                f"The file system of {path} gives no locks ({error.strerror}). Keep the project on a "
                "local disk.",
                code="lock_unavailable",
            ) from error
        else:
            return


def _locked(descriptor: int, path: Path, wait: float) -> StateError:
    who, details = "another kolumn process", {"lock": str(path)}
    try:
        record = msgspec.json.decode(os.pread(descriptor, 4096, 0), type=_Record)
    except msgspec.MsgspecError:
        pass  # the holder has taken the lock and not yet said who it is
    else:
        who = f"`kolumn {record.command}` of {record.user} on {record.host} (process {record.pid})"
        who += f" since {record.since}"
        details["holder"] = who
    waited = f" after waiting {wait:g} s" if wait else ""
    return StateError(
        f"The project is locked{waited} by {who}. Wait for it to end, or wait longer with "
        "--lock-timeout SECONDS.",
        code="locked",
        details=details,
    )
