"""What a PostgreSQL server on this machine spends on its clients, as the system accounts for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.processes import Meter

_TICKS = os.sysconf("SC_CLK_TCK")
_LINGER_SECONDS = 10.0


def meter(data: Path) -> Meter | None:
    """Return a meter for the server of a data folder; None where it does not run on this machine.

    A client's process ends with its connection, and its time is then added to that of the server's other
    ended children. So the meter waits until only those are left that were there at the beginning.
    """
    try:
        server = int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        resident = _children(server)
    except (OSError, ValueError):
        return None

    def spent() -> float:
        until = time.monotonic() + _LINGER_SECONDS
        while _children(server) - resident and time.monotonic() < until:
            time.sleep(0.002)
        fields = Path(f"/proc/{server}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        user, system = fields[13:15]  # cutime and cstime, the 16th and 17th of proc(5)
        return (int(user) + int(system)) / _TICKS

    return spent


def _children(process: int) -> frozenset[str]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    return frozenset(listed.split())
