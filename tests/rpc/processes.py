"""Counting processes, from outside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended (a zombie has)."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """Return the processes that `pid` started, and they."""
    parents = _parents()
    found, new = [], [pid]
    while new:
        new = [each for each, parent in parents.items() if parent in new]
        found += new
    return found


def left_over(before: Container[int] = ()) -> set[int]:
    """Return the providers that this process started, or that nobody is the parent of; those of other tests aside."""
    own, parents = descendants(os.getpid()), _parents()
    found = {pid for pid in providers() if pid in own or parents.get(pid) == 1}
    return {pid for pid in found if pid not in before}


def _parents() -> dict[int, int]:
    """Return the parent of every process that has not ended."""
    parents: dict[int, int] = {}
    for entry in (each.name for each in Path("/proc").iterdir()):
        if entry.isdecimal():
            try:
                fields = (Path("/proc") / entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry)] = int(fields[1])
    return parents


def providers() -> set[int]:
    """Return every process on this machine that serves a provider."""
    found = set()
    for entry in (each.name for each in Path("/proc").iterdir()):
        if entry.isdecimal():
            try:
                words = (Path("/proc") / entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word == b"kolumn.rpc" or b"kolumn-provider-" in word for word in words[:4]):
                found.add(int(entry))
    return {pid for pid in found if alive(pid)}


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait for `condition`; return whether it came true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
