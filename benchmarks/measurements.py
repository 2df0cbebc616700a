"""What is run, how often, and the costs that come out, by size and name."""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import floor as floors
from benchmarks.processes import Command, Cost, alternate, median, run
from benchmarks.projects import Projects, version

_PEER = Path(__file__).with_name("peer_alembic.py").resolve()

LARGE = 5_000
"""From this number of tables on everything runs fewer times."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds of the two parts of the peer's work, its start-up left out."""

    reflect: float
    compare: float


@dataclass(frozen=True, slots=True)
class Size:
    """The medians of all runs on one number of tables."""

    tables: int
    costs: Mapping[str, Cost]
    peer: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything one run of the benchmarks found out."""

    floor: str
    """What the floor is made of on this machine."""
    basis: Mapping[str, Cost]
    """What does not depend on the size: `version`, and `start-up`, a plan of one table."""
    sizes: tuple[Size, ...]
    missing: tuple[str, ...] = field(default=())
    """What was not measured, and why."""


def measure(folder: Path, sizes: Sequence[int], rounds: int, tell: Callable[[str], None]) -> Measured:
    """Run everything; files go to `folder`, progress to `tell`. Raises Failed."""
    floor = floors.build(folder)
    peer, missing = _peer()
    for words in missing:
        tell(words)
    one = Projects(folder / "1", 1)
    tell("start-up")
    basis = alternate(
        {"version": version(), "start-up": one.nothing_to_do()},
        max(7, rounds),
    )
    found = []
    for tables in sizes:
        tell(f"{tables} tables: generate, import, apply")
        projects = Projects(folder / str(tables), tables)
        found.append(
            _measure_size(projects, floor, one, rounds if tables < LARGE else min(rounds, 3), peer, tell)
        )
    return Measured(floor.kind, basis, tuple(found), missing)


def _measure_size(
    projects: Projects,
    floor: floors.Floor,
    one: Projects,
    rounds: int,
    peer: bool,
    tell: Callable[[str], None],
) -> Size:
    folder = projects.folder
    plans = {
        "floor": Command(floor.command(projects.database), folder),
        "start-up": one.nothing_to_do(),
        "plan, nothing to do": projects.nothing_to_do(),
        "plan, one change": projects.one_change(),
        "first plan": projects.first_plan(),
        "evaluation of one table": one.evaluation(cached=False),
        "evaluation of one table, cached": one.evaluation(cached=True),
        "evaluation, cached": projects.evaluation(cached=True),
        "evaluation": projects.evaluation(cached=False),
    }
    tell(f"{projects.tables} tables: {', '.join(plans)}")
    costs = alternate(plans, rounds)
    changes = {
        "import": projects.importing(),
        "script": projects.script_run(),
        "apply to an empty database": projects.creation(),
    }
    tell(f"{projects.tables} tables: {', '.join(changes)}")
    costs |= alternate(changes, max(1, rounds // 2))
    comparison = None
    if peer:
        tell(f"{projects.tables} tables: SQLAlchemy and Alembic")
        cost, comparison = _measure_peer(projects, 1 if projects.tables >= LARGE else max(1, rounds // 2))
        costs["SQLAlchemy and Alembic"] = cost
    return Size(projects.tables, costs, comparison)


def _peer() -> tuple[bool, tuple[str, ...]]:
    absent = [name for name in ("sqlalchemy", "alembic") if importlib.util.find_spec(name) is None]
    if not absent:
        return True, ()
    return False, (f"no comparison with SQLAlchemy and Alembic: {' and '.join(absent)} not installed",)


def _measure_peer(projects: Projects, rounds: int) -> tuple[Cost, Comparison]:
    said = projects.folder / "peer.json"
    command = Command(
        [sys.executable, str(_PEER), str(projects.database)],
        projects.folder,
        output=said,
    )
    costs: list[Cost] = []
    parts: list[Mapping[str, float]] = []
    for _ in range(rounds):
        costs.append(run(command))
        parts.append(json.loads(said.read_bytes()))
    return median(costs), Comparison(
        statistics.median(part["reflect"] for part in parts),
        statistics.median(part["compare"] for part in parts),
    )
