"""`kolumn fmt`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kolumn.cli.console import Console


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `fmt`."""
    parser.description = (
        "Bring configuration files into the one canonical layout. Changes layout, never meaning."
    )
    parser.epilog = (
        "exit codes: 0 done or nothing to do, 1 error, or with --check: a file is not formatted\n\n"
        "examples:\n"
        "  kolumn fmt                  every file of the project folder\n"
        "  kolumn fmt --check --diff   for CI\n"
        "  kolumn fmt main.kl modules/shop\n"
        "  kolumn fmt -  <in.kl >out.kl\n"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when a file is not formatted"
    )
    parser.add_argument("--diff", action="store_true", help="show what changes")
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files or folders, - for standard input (default: the project)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Format and report."""
    from kolumn.host.formatting import format_paths, format_text

    if arguments.paths == ["-"]:
        text = sys.stdin.read()
        formatted = format_text(text, "<stdin>")
        if arguments.check:
            return 0 if formatted == text else 1
        console.out.write(formatted)
        return 0
    paths = [Path(path) for path in arguments.paths] or [arguments.chdir]
    results = format_paths(paths, write=not arguments.check)
    changed = [each for each in results if each.changed]
    if console.json:
        console.document(
            {
                "files": [
                    {
                        "path": each.path,
                        "changed": each.changed,
                        "diff": each.diff if arguments.diff else None,
                    }
                    for each in results
                ],
                "changed": len(changed),
            }
        )
    else:
        for each in changed:
            if arguments.diff:
                console.print(each.diff.rstrip("\n"))
            else:
                console.print(each.path)
    return 1 if arguments.check and changed else 0
