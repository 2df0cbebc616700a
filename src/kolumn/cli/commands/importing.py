"""`kolumn import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `import`."""
    parser.description = (
        "Describe a live database as formatted configuration. Changes nothing and manages nothing "
        "yet: the first\n"
        "`kolumn apply` of what it writes brings the objects under management as they are."
    )
    parser.epilog = (
        "The provider block it writes names no database: KOLUMN_<PROVIDER>_URL does, so that the same\n"
        "configuration serves another database of the same shape.\n\n"
        "examples:\n"
        "  kolumn import sqlite --url sqlite:///shop.db --out shop\n"
        "  KOLUMN_SQLITE_URL=sqlite:///shop.db kolumn import sqlite --out shop --type table --type view\n"
    )
    parser.add_argument("provider", metavar="PROVIDER", help="e.g. sqlite; `kolumn providers` lists them")
    parser.add_argument("--url", default="", help="the database (default: KOLUMN_<PROVIDER>_URL)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder to write (default: the project folder)"
    )
    parser.add_argument(
        "--type", action="append", default=[], metavar="TYPE", help="only resources of this type; repeatable"
    )
    parser.add_argument("--force", action="store_true", help="replace files of an earlier import")
    options.add_timeout(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Read the database and write the files."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _import(arguments, console, context))


def _import(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    from kolumn.host.importing import import_database
    from kolumn.host.providers import Fleet

    out = arguments.out or arguments.chdir
    with options.supplied(arguments) as supply, Fleet(context, supply=supply) as fleet:
        imported = import_database(
            arguments.provider,
            out,
            fleet,
            url=arguments.url,
            types=arguments.type,
            force=arguments.force,
        )
    if console.json:
        console.document(
            {
                "provider": imported.provider,
                "files": list(imported.files),
                "resources": dict(imported.counts),
                "url_variable": imported.variable,
            }
        )
        return 0
    counts = (
        ", ".join(f"{count} {type_}" for type_, count in imported.counts.items())
        or "nothing: the database is empty"
    )
    console.print(f"Imported {counts}.")
    for file in imported.files:
        console.print(f"  {file}")
    console.print(
        f"\nNothing is managed yet. Set {imported.variable} and run `kolumn plan -C {out}`; "
        "apply brings "
        "the objects under management as they are."
    )
    return 0
