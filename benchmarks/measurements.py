"""What is run, how often, and the costs that come out, by size and name."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import measures
from benchmarks.databases.database import Database
from benchmarks.processes import Command, Cost, alternate, median, run
from benchmarks.projects import Projects, version

LARGE = 5_000
"""From this number of tables on everything runs fewer times."""

Prepared = Mapping[str, Callable[[], Command]]
"""Measures by name; a command is made, with the files it needs, when its turn comes."""


@dataclass(frozen=True, slots=True)
class Size:
    """The medians of all runs on one number of tables."""

    tables: int
    costs: Mapping[str, Cost]
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Seconds of the parts of a peer's work, its start-up left out."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything one run of the benchmarks found out."""

    database: str
    """The database in words, with what matters to the numbers."""
    basis: Mapping[str, Cost]
    """What does not depend on the size: `version`, and `start-up`, a plan of one table."""
    sizes: tuple[Size, ...]
    missing: tuple[str, ...] = field(default=())
    """What was not measured, and why."""


def measure(
    database: Database,
    folder: Path,
    sizes: Sequence[int],
    rounds: int,
    tell: Callable[[str], None],
    only: str = "",
) -> Measured:
    """Run everything; files go to `folder`, progress to `tell`. Raises Failed.

    `only` is a regular expression: measures whose names it does not match are left out.
    """
    for words in database.missing:
        tell(f"left out: {words}")
    one = Projects(database, folder / "1", 1)
    tell(measures.START_UP)
    first: Prepared = {measures.VERSION: version, measures.START_UP: one.nothing_to_do}
    basis = alternate(_chosen(first, only), max(7, rounds), database.meter)
    found = []
    for tables in sizes:
        tell(f"{tables} tables: generate")
        projects = Projects(database, folder / str(tables), tables)
        times = rounds if tables < LARGE else min(rounds, 3)
        found.append(_measure_size(database, projects, one, times, tell, only))
    return Measured(database.described, basis, tuple(found), tuple(database.missing))


def _measure_size(
    database: Database,
    projects: Projects,
    one: Projects,
    rounds: int,
    tell: Callable[[str], None],
    only: str,
) -> Size:
    reading: Prepared = {
        **_made(database.reading(projects.source)),
        measures.START_UP: one.nothing_to_do,
        measures.PLAN: projects.nothing_to_do,
        measures.ONE_CHANGE: projects.one_change,
        measures.FIRST_PLAN: projects.first_plan,
        measures.EVALUATION_START: lambda: one.evaluation(cached=False),
        measures.EVALUATION_CACHED_START: lambda: one.evaluation(cached=True),
        measures.EVALUATION_CACHED: lambda: projects.evaluation(cached=True),
        measures.EVALUATION: lambda: projects.evaluation(cached=False),
    }
    writing: Prepared = {
        measures.IMPORT: projects.importing,
        **_made(database.loading(f"script_{projects.tables}", projects.script)),
        measures.CREATION: projects.creation,
        measures.CHANGE: projects.change,
    }
    costs: dict[str, Cost] = {}
    for prepared, times in ((reading, rounds), (writing, max(1, rounds // 2))):
        commands = _chosen(prepared, only)
        tell(f"{projects.tables} tables: {'; '.join(commands)}")
        costs |= alternate(commands, times, database.meter)
    times = 1 if projects.tables >= LARGE else max(1, rounds // 2)
    parts = {}
    for name, command in _chosen(_peers(database, projects), only).items():
        tell(f"{projects.tables} tables: {name}")
        costs[name], parts[name] = _measure_peer(database, command, projects.folder / "peer.json", times)
    return Size(projects.tables, costs, parts)


def _peers(database: Database, projects: Projects) -> Prepared:
    found: dict[str, Callable[[], Command]] = {}
    for peer in database.peers:
        found[peer.name] = partial(peer.plan, projects.source)
        if peer.creation is not None:
            found[peer.creation_measure] = partial(peer.creation, projects.source, f"peer_{projects.tables}")
    return found


def _made(commands: Mapping[str, Command]) -> Prepared:
    return {name: partial(_itself, command) for name, command in commands.items()}


def _itself(command: Command) -> Command:
    return command


def _chosen(prepared: Prepared, only: str) -> dict[str, Command]:
    return {name: make() for name, make in prepared.items() if re.search(only, name)}


def _measure_peer(
    database: Database, command: Command, said: Path, rounds: int
) -> tuple[Cost, Mapping[str, float]]:
    costs: list[Cost] = []
    parts: list[Mapping[str, float]] = []
    for _ in range(rounds):
        costs.append(run(command.said_to(said), database.meter))
        parts.append(json.loads(said.read_bytes()))
    return median(costs), {name: statistics.median(part[name] for part in parts) for name in parts[0]}
