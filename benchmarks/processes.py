"""Run whole processes and say what they cost: nothing is timed from inside the thing that is measured."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

Meter = Callable[[], float]
"""Seconds of processor time that a server has spent on its clients so far."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a process cost, or the medians of several runs."""

    wall: float
    """Seconds from start to exit."""
    cpu: float
    """Seconds of processor time, user and system, children included."""
    peak: float
    """Largest resident set in MiB."""
    server: float | None = None
    """Seconds of processor time of the server; None where there is none, or none that can be looked at."""

    @property
    def processors(self) -> float:
        """Seconds of processor time on both sides."""
        return self.cpu + (self.server or 0.0)


@dataclass(frozen=True, slots=True)
class Command:
    """A process to measure."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of this process."""
    prepare: Callable[[], None] | None = None
    """Runs unmeasured before every run: puts back what the run before it left behind."""
    accept: frozenset[int] = frozenset({0})
    """Exit codes that mean it did its work."""
    output: Path | None = None
    """Where standard output goes; nowhere when None."""
    input: Path | None = None

    def said_to(self, output: Path) -> Command:
        """Return the command with its standard output in a file."""
        return replace(self, output=output)


class Failed(Exception):
    """A measured process did not do its work, so that its time means nothing."""


def run(command: Command, meter: Meter | None = None) -> Cost:
    """Run a process once. Raises Failed with the end of its output."""
    if command.prepare is not None:
        command.prepare()
    spent = meter() if meter is not None else 0.0
    with tempfile.TemporaryFile() as errors:
        standard_output = command.output.open("wb") if command.output else subprocess.DEVNULL
        standard_input = command.input.open("rb") if command.input else subprocess.DEVNULL
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command.arguments),
            cwd=command.folder,
            env={**_inherited(), **command.environment},
            stdin=standard_input,
            stdout=standard_output,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (standard_input, standard_output):
            if not isinstance(stream, int):
                stream.close()
        if process.returncode not in command.accept:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2000:]
            raise Failed(f"{' '.join(map(str, command.arguments))}: exit code {process.returncode}\n{said}")
    server = meter() - spent if meter is not None else None
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, server)


def _inherited() -> dict[str, str]:
    """Return the environment, compiled bytecode allowed: without it every start compiles everything again."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def alternate(commands: Mapping[str, Command], rounds: int, meter: Meter | None = None) -> dict[str, Cost]:
    """Run all commands in turn, `rounds` times, and return the medians by name.

    In turn, so that a slow minute of a shared machine falls on all of them and leaves their ratios alone.
    """
    runs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command, meter))
    return {name: median(costs) for name, costs in runs.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each number by itself."""
    servers = [cost.server for cost in costs if cost.server is not None]
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.peak for cost in costs),
        statistics.median(servers) if servers else None,
    )
