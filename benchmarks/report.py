"""Ratios from costs, and both as Markdown (which reads well on a terminal too) and as JSON."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmarks import schemas
from benchmarks.measurements import Measured, Size

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_REFERENCE = 1_000
"""The number of tables whose cost per table is 1 in the table of flatness."""


_STARTS = {
    "floor": "",
    "script": "",
    "SQLAlchemy and Alembic": "",
    "evaluation": "evaluation of one table",
    "evaluation, cached": "evaluation of one table, cached",
}
"""What each program's start is measured by, if not by `start-up`."""

Number = Literal["wall", "cpu"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One quotient of two costs, by number of tables."""

    words: str
    values: dict[int, float]
    aim: str = ""


def ratios(measured: Measured, of: Number = "wall") -> list[Ratio]:
    """Return what is judged: every cost beyond start-up against the least that must be done.

    Ratios of processor time say the same more steadily where other programs share the machine.
    """

    def by_size(words: str, quotient: str, over: str, aim: str = "", *, whole: bool = False) -> Ratio:
        return Ratio(
            words,
            {
                size.tables: (_of(size, quotient, of) if whole else _beyond(size, quotient, of))
                / _of(size, over, of)
                for size in measured.sizes
                if quotient in size.costs and over in size.costs
            },
            aim,
        )

    peer, plan, creation = "SQLAlchemy and Alembic", "plan, nothing to do", "apply to an empty database"
    found = [
        by_size(f"{plan}, beyond start-up / floor", plan, "floor", "at most 3"),
        by_size(f"{plan}, whole process / floor", plan, "floor", whole=True),
        by_size(f"{plan} / {peer}, whole processes", plan, peer, "below 1", whole=True),
        by_size("plan, one change, beyond start-up / floor", "plan, one change", "floor"),
        by_size(
            f"plan, one change / {peer}, whole processes", "plan, one change", peer, "below 1", whole=True
        ),
        by_size("first plan, beyond start-up / floor", "first plan", "floor"),
        by_size("import, beyond start-up / floor", "import", "floor"),
        by_size(f"{creation}, beyond start-up / the bare script", creation, "script"),
    ]
    if of == "wall":
        # Alembic's users keep their models as code: the comparison is the part they wait for.
        alone = {
            size.tables: _beyond(size, plan, of) / size.peer.compare
            for size in measured.sizes
            if size.peer is not None
        }
        found.insert(3, Ratio(f"{plan}, beyond start-up / Alembic's comparison alone", alone, "below 1"))
    return [ratio for ratio in found if ratio.values]


def flatness(measured: Measured) -> list[Ratio]:
    """Return the CPU per table relative to that at 1,000 tables; 1 everywhere is flat."""
    base = next((size for size in measured.sizes if size.tables == _REFERENCE), measured.sizes[0])
    return [
        Ratio(
            name,
            {
                size.tables: (_beyond(size, name, "cpu") / size.tables)
                / (_beyond(base, name, "cpu") / base.tables)
                for size in measured.sizes
                if name in size.costs
            },
        )
        for name in base.costs
        if name not in ("start-up", *_STARTS.values())
    ]


def _of(size: Size, name: str, of: Number) -> float:
    return size.costs[name].wall if of == "wall" else size.costs[name].cpu


def _beyond(size: Size, name: str, of: Number) -> float:
    """Return seconds of `name` without the start of its program; floor and shell have next to none."""
    start = _STARTS.get(name, "start-up")
    if not start:
        return _of(size, name, of)
    # A start-up that is slower than the whole is noise; a millisecond keeps the quotients meaningful.
    return max(_of(size, name, of) - _of(size, start, of), 0.001)


def markdown(measured: Measured) -> str:
    """Return the whole report."""
    return "\n".join(_lines(measured))


def _lines(measured: Measured) -> Iterator[str]:
    yield f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine()}. Floor: {measured.floor}."
    yield from (f"Left out: {words}." for words in measured.missing)
    numbers = [size.tables for size in measured.sizes]
    headings = [f"{tables:,} tables" for tables in numbers]
    kinds: tuple[tuple[str, Number], ...] = (("wall", "wall"), ("CPU", "cpu"))
    for words, of in kinds:
        yield f"\n**Ratios of {words} times**\n"
        yield from _table(
            ["", *headings, "aim"],
            (
                [ratio.words, *(_number(ratio.values.get(tables)) for tables in numbers), ratio.aim]
                for ratio in ratios(measured, of)
            ),
        )
    yield "\n**CPU time per table relative to 1,000 tables** (1 is flat)\n"
    yield from _table(
        ["", *headings],
        (
            [ratio.words, *(_number(ratio.values.get(tables)) for tables in numbers)]
            for ratio in flatness(measured)
        ),
    )
    yield "\n**Costs** (wall ms / CPU ms / peak MiB)\n"
    names = dict.fromkeys(name for size in measured.sizes for name in size.costs)
    yield from _table(
        ["", *headings],
        ([name, *(_cost(size, name) for size in measured.sizes)] for name in names),
    )
    yield "\n**Once per process** (wall ms / CPU ms / peak MiB)\n"
    aims = {"version": "`kolumn version`; aim: below 100 ms of CPU", "start-up": "`kolumn plan` on one table"}
    yield from _table(
        ["", "", ""],
        ([name, _shown(cost), aims.get(name, "")] for name, cost in measured.basis.items() if name in aims),
    )
    yield "\n**Parse and evaluate 1,000 resources**, beyond start-up (aim: below 1,000 ms)\n"
    yield from _table(
        ["", *headings],
        [
            [name, *(f"{_evaluation(size, name):,.0f} ms" for size in measured.sizes)]
            for name in ("evaluation", "evaluation, cached")
        ],
    )


def _evaluation(size: Size, name: str) -> float:
    """Return wall milliseconds per 1,000 resources."""
    return _beyond(size, name, "wall") * 1000 * 1000 / schemas.objects(size.tables)


def machine() -> str:
    """Return the class of this machine; nothing that identifies it."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _cost(size: Size, name: str) -> str:
    return _shown(size.costs[name]) if name in size.costs else ""


def _shown(cost: object) -> str:
    wall, cpu, peak = (getattr(cost, name) for name in ("wall", "cpu", "peak"))
    return f"{wall * 1000:,.0f} / {cpu * 1000:,.0f} / {peak:,.0f}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    listed = [list(headings), *map(list, rows)]
    widths = [max(len(row[column]) for row in listed) for column in range(len(headings))]
    for at, row in enumerate(listed):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"| {' | '.join(cells)} |"
        if at == 0:
            rules = [
                "-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)
            ]
            yield f"| {' | '.join(rules)} |"


def write_json(measured: Measured, file: Path) -> None:
    """Write costs in seconds and MiB, and the ratios."""
    document = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        **asdict(measured),
        "ratios": {
            "wall": [asdict(ratio) for ratio in ratios(measured, "wall")],
            "cpu": [asdict(ratio) for ratio in ratios(measured, "cpu")],
        },
        "cost_per_table": [asdict(ratio) for ratio in flatness(measured)],
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def rewrite(readme: Path, report: str) -> None:
    """Put the report between the two marks of a Markdown file."""
    text = readme.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    readme.write_text(f"{head}{BEGIN}\n{report}\n{END}{tail}", encoding="utf-8")
