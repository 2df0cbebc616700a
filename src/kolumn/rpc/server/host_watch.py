"""Notices that the host is gone, however it ended: nobody reads standard output any more."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import Final

_LOOK_EVERY: Final = 2.0
"""Seconds between two looks at whose child this process is, should somebody else have kept the pipe open."""


def watch(output: int, parent: int, gone: Callable[[], None]) -> None:
    """Call `gone` in another thread once the reader of the pipe `output` or the process `parent` has ended."""
    threading.Thread(target=_watch, args=(output, parent, gone), name="kolumn-host", daemon=True).start()


def _watch(output: int, parent: int, gone: Callable[[], None]) -> None:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(output, 0)  # no events asked for: errors and hang-ups are always told
        while os.getppid() == parent and not poll.poll(_LOOK_EVERY * 1000):
            pass
    else:
        tick = threading.Event()
        while os.getppid() == parent:
            tick.wait(_LOOK_EVERY)
    gone()
