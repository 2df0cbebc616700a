"""Ratios from costs, and both as Markdown (which reads well on a terminal too) and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import measures, schemas
from benchmarks.measurements import Measured, Size
from benchmarks.measures import Comparison
from benchmarks.processes import Cost

Number = Callable[[Cost], float]
"""What of a cost is compared."""


def _wall(cost: Cost) -> float:
    return cost.wall


def _processors(cost: Cost) -> float:
    return cost.processors


@dataclass(frozen=True, slots=True)
class Ratio:
    """One quotient of two costs, by number of tables."""

    words: str
    values: dict[int, float]
    aim: str = ""


def ratios(measured: Measured, comparisons: Iterable[Comparison], of: Number = _wall) -> list[Ratio]:
    """Return what is judged: the cost of what Kolumn does against that of what others do.

    Ratios of processor time say the same more steadily where other programs share the machine.
    """
    found = []
    for each in comparisons:
        values = {size.tables: value for size in measured.sizes if (value := _ratio(size, each, of))}
        if values:
            found.append(Ratio(each.words, values, each.aim))
    return found


def _ratio(size: Size, comparison: Comparison, of: Number) -> float | None:
    measure, over = comparison.measure, comparison.over
    start = measures.STARTS.get(measure, "")
    needed = {measure, over, *([start] if comparison.beyond else [])}
    if needed - size.costs.keys() or (comparison.part and of is not _wall):
        return None
    least = size.parts[over][comparison.part] if comparison.part else of(size.costs[over])
    return (_beyond(size, measure, of) if comparison.beyond else of(size.costs[measure])) / least


def flatness(measured: Measured) -> list[Ratio]:
    """Return the processor time per table relative to that at 1,000 tables; 1 everywhere is flat."""
    base = next((size for size in measured.sizes if size.tables == schemas.REFERENCE), measured.sizes[0])
    return [
        Ratio(
            name,
            {
                size.tables: (_beyond(size, name, _processors) / size.tables)
                / (_beyond(base, name, _processors) / base.tables)
                for size in measured.sizes
                if name in size.costs
            },
        )
        for name in base.costs
        if name not in measures.STARTS.values()
    ]


def _beyond(size: Size, name: str, of: Number) -> float:
    """Return seconds of `name`, without the start of the program where it is Kolumn."""
    start = size.costs.get(measures.STARTS.get(name, ""))
    # A start-up that is slower than the whole is noise; a millisecond keeps the quotients meaningful.
    return max(of(size.costs[name]) - (of(start) if start else 0.0), 0.001)


def markdown(measured: Measured, comparisons: Sequence[Comparison]) -> str:
    """Return the whole report."""
    return "\n".join(_lines(measured, comparisons))


def _lines(measured: Measured, comparisons: Sequence[Comparison]) -> Iterator[str]:
    yield f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine()}. {measured.database}."
    yield from (f"Left out: {words}." for words in measured.missing)
    numbers = [size.tables for size in measured.sizes]
    headings = [f"{tables:,} tables" for tables in numbers]
    metered = any(cost.server is not None for size in measured.sizes for cost in size.costs.values())
    both = "CPU times, the process's and the server's" if metered else "CPU times"
    kinds: tuple[tuple[str, Number], ...] = (("wall times", _wall), (both, _processors))
    for words, of in kinds:
        if not (found := ratios(measured, comparisons, of)):
            continue
        yield f"\n**Ratios of {words}**\n"
        yield from _table(
            ["", *headings, "aim"],
            (
                [ratio.words, *(_number(ratio.values.get(tables)) for tables in numbers), ratio.aim]
                for ratio in found
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
    units = f"wall ms / CPU ms / {'server CPU ms / ' if metered else ''}peak MiB"
    yield f"\n**Costs** ({units})\n"
    names = dict.fromkeys(name for size in measured.sizes for name in size.costs)
    yield from _table(
        ["", *headings],
        (
            [name, *(_shown(size.costs[name]) if name in size.costs else "" for size in measured.sizes)]
            for name in names
        ),
    )
    if parts := list(_parts(measured)):
        yield "\n**Parts of the peers' work** (wall ms, timed by themselves)\n"
        yield from _table(["", *headings], parts)
    if measured.basis:
        yield f"\n**Once per process** ({units})\n"
        notes = {
            measures.VERSION: "`kolumn version`; aim: below 100 ms of CPU",
            measures.START_UP: "`kolumn plan` on one table",
        }
        yield from _table(
            ["", "", ""], ([name, _shown(cost), notes[name]] for name, cost in measured.basis.items())
        )
    evaluations = (measures.EVALUATION, measures.EVALUATION_CACHED)
    if all(name in size.costs for name in evaluations for size in measured.sizes):
        yield "\n**Parse and evaluate 1,000 resources**, beyond start-up (aim: below 1,000 ms)\n"
        yield from _table(
            ["", *headings],
            [
                [name, *(f"{_evaluation(size, name):,.0f} ms" for size in measured.sizes)]
                for name in evaluations
            ],
        )


def _parts(measured: Measured) -> Iterator[list[str]]:
    listed = dict.fromkeys(
        (peer, part) for size in measured.sizes for peer, parts in size.parts.items() for part in parts
    )
    for peer, part in listed:
        seconds = (size.parts.get(peer, {}).get(part) for size in measured.sizes)
        yield [f"{peer}: {part}", *("" if each is None else f"{each * 1000:,.0f}" for each in seconds)]


def _evaluation(size: Size, name: str) -> float:
    """Return wall milliseconds per 1,000 resources."""
    return _beyond(size, name, _wall) * 1000 * 1000 / schemas.objects(size.tables)


def machine() -> str:
    """Return the class of this machine; nothing that identifies it."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _shown(cost: Cost) -> str:
    times = [cost.wall, cost.cpu, *([] if cost.server is None else [cost.server])]
    return " / ".join([*(f"{seconds * 1000:,.0f}" for seconds in times), f"{cost.peak:,.0f}"])


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


def write_json(measured: Measured, comparisons: Sequence[Comparison], file: Path) -> None:
    """Write costs in seconds and MiB, and the ratios."""
    document = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        **asdict(measured),
        "ratios": {
            "wall": [asdict(ratio) for ratio in ratios(measured, comparisons)],
            "cpu": [asdict(ratio) for ratio in ratios(measured, comparisons, _processors)],
        },
        "cost_per_table": [asdict(ratio) for ratio in flatness(measured)],
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def rewrite(readme: Path, name: str, report: str) -> None:
    """Put the report between the two marks of a Markdown file that name the database."""
    begin, end = (f"<!-- measured: {name}: {word} -->" for word in ("begin", "end"))
    text = readme.read_text(encoding="utf-8")
    head, rest = text.split(begin)
    tail = rest.split(end)[1]
    readme.write_text(f"{head}{begin}\n{report}\n{end}{tail}", encoding="utf-8")
