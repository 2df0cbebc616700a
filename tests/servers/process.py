"""A server as a process of ours: its folder, its port, and its end with ours."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.servers.cache import locked


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def ends_with_parent(stop: str) -> list[str]:
    """Return what sends a server the signal `stop` even when this process is killed, where there is such."""
    command = ["setpriv", "--pdeathsig", stop]
    with contextlib.suppress(OSError):
        if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return []


def home(product: str) -> Path:
    """Make the folder of one server, and remove those whose process was killed.

    A lock on it, which the kernel frees, says that its process lives. The path is short: sockets need that.
    """
    base = Path(tempfile.gettempdir())
    with locked(f"{product}-homes"):
        for old in base.glob(f"kolumn-{product}-*"):
            with contextlib.suppress(OSError), (old / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix=f"kolumn-{product}-"))
        mine = (made / "lock").open("w")
        fcntl.flock(mine, fcntl.LOCK_EX)
    _LOCKS.append(mine)
    return made


_LOCKS: list[object] = []
"""Kept open for as long as the process lives."""


def stop(process: subprocess.Popen[bytes], folder: Path, *signals: signal.Signals) -> None:
    """Stop a server by its own process, by the gentlest signal first, and remove its folder."""
    patience: Sequence[tuple[signal.Signals, int]] = [(each, 15) for each in signals]
    for kind, seconds in (*patience, (signal.SIGKILL, 5)):
        if process.poll() is not None:
            break
        process.send_signal(kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    shutil.rmtree(folder, ignore_errors=True)
