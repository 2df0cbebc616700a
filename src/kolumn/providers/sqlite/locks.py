"""Which other processes hold SQLite's own locks on a file."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path


def holders(database: Path) -> list[str]:
    """Return which other processes hold file locks on a SQLite database, as `process 12 (python3)`.

    Read from /proc/locks, so empty where that is missing or says nothing.
    """
    wanted = set()
    for name in (database, Path(f"{database}-shm")):
        with contextlib.suppress(OSError):
            wanted.add(name.stat().st_ino)
    found: dict[int, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            match = re.match(
                r"\d+: (?:-> )?(?:POSIX|OFDLCK) +\S+ +(?:READ|WRITE) +(\d+) +[0-9a-f]+:[0-9a-f]+:(\d+) ", line
            )
            if match and int(match[2]) in wanted and int(match[1]) != os.getpid():
                found[int(match[1])] = _command(int(match[1]))
    return [f"process {pid}{f' ({name})' if name else ''}" for pid, name in sorted(found.items())]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
