"""`make bench`, or `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import databases
from benchmarks.measurements import measure
from benchmarks.processes import Failed
from benchmarks.report import markdown, rewrite, write_json


def main() -> int:
    """Measure and print; 1 when a measured process fails."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure Kolumn's speed and memory."
    )
    parser.add_argument(
        "--database",
        default=databases.NAMES[0],
        metavar="NAME[:VERSION]",
        help=f"{' or '.join(databases.NAMES)} (default: %(default)s)",
    )
    parser.add_argument(
        "--sizes",
        type=_numbers,
        default=[100, 1_000, 10_000],
        metavar="TABLES,...",
        help="default: 100,1000,10000",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="runs of each command, the median counts (default: 5)"
    )
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="measure only what has such a name in the tables"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    parser.add_argument("--readme", action="store_true", help="put the result into benchmarks/README.md")
    arguments = parser.parse_args()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="kolumn-bench-") as folder,
            databases.opened(arguments.database, Path(folder)) as database,
        ):
            measured = measure(
                database,
                Path(folder),
                arguments.sizes,
                arguments.rounds,
                lambda words: print(f"... {words}", file=sys.stderr),
                arguments.only,
            )
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    report = markdown(measured, database.comparisons)
    print(report)
    if arguments.json:
        write_json(measured, database.comparisons, arguments.json)
    if arguments.readme:
        rewrite(Path(__file__).with_name("README.md"), arguments.database.partition(":")[0], report)
    return 0


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
