"""`make bench`, or `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measurements import measure
from benchmarks.processes import Failed
from benchmarks.report import markdown, rewrite, write_json


def main() -> int:
    """Measure and print; 1 when a measured process fails."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure Kolumn's speed and memory."
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[100, 1_000, 10_000],
        metavar="TABLES",
        help="default: 100 1000 10000",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="runs of each command, the median counts (default: 5)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    parser.add_argument("--readme", action="store_true", help="put the result into benchmarks/README.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kolumn-bench-") as folder:
        try:
            measured = measure(
                Path(folder),
                arguments.sizes,
                arguments.rounds,
                lambda words: print(f"... {words}", file=sys.stderr),
            )
        except Failed as failure:
            print(failure, file=sys.stderr)
            return 1
    report = markdown(measured)
    print(report)
    if arguments.json:
        write_json(measured, arguments.json)
    if arguments.readme:
        rewrite(Path(__file__).with_name("README.md"), report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
