"""`kolumn version`."""

from __future__ import annotations

import argparse
import sys

from kolumn.version import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    """Take no arguments of its own."""
    parser.epilog = "examples:\n  kolumn version\n  kolumn version --json"


def run(arguments: argparse.Namespace, console: object) -> int:
    """Print the version of Kolumn and of Python."""
    python = ".".join(map(str, sys.version_info[:3]))
    if not arguments.json:
        print(f"kolumn {__version__} (Python {python})")
        return 0
    from kolumn.cli.console import Console

    assert isinstance(console, Console)
    console.document({"version": __version__, "python": python})
    return 0
