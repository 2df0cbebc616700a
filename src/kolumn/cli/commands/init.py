"""`kolumn init`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.console import Console


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `init`."""
    parser.description = "Write a small working project. Never overwrites anything."
    parser.epilog = "examples:\n  kolumn init\n  kolumn init sqlite -C library\n"
    parser.add_argument("provider", nargs="?", default="sqlite", metavar="PROVIDER", help="default: sqlite")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the project."""
    from kolumn.host.scaffold import scaffold

    with options.supplied(arguments) as supply:
        files = scaffold(arguments.chdir, arguments.provider, supply)
    if console.json:
        console.document({"provider": arguments.provider, "files": list(files)})
        return 0
    for file in files:
        console.print(f"Wrote {file}")
    where = "" if str(arguments.chdir) == "." else f" -C {arguments.chdir}"
    console.print(f"\nNext: kolumn plan{where}, then kolumn apply{where}")
    return 0
