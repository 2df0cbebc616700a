"""`kolumn show`."""

from __future__ import annotations

import argparse
from pathlib import Path

from kolumn.cli import options
from kolumn.cli.console import Console
from kolumn.contract.context import Context


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `show`."""
    parser.description = "Show a saved plan, one managed resource, or everything that is managed."
    parser.epilog = (
        "examples:\n"
        "  kolumn show                      every managed resource\n"
        "  kolumn show review.plan --sql    a saved plan\n"
        "  kolumn show sqlite_table.users   one resource\n"
    )
    parser.add_argument(
        "subject", nargs="?", default="", metavar="PLANFILE|ADDRESS", help="default: the whole state"
    )
    parser.add_argument("--sql", action="store_true", help="with a plan: show the statements")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Show it."""
    if arguments.subject and Path(arguments.subject).is_file():
        return _plan(Path(arguments.subject), arguments, console)
    from kolumn.cli.commands.state import list_resources, show_resource

    with options.open_workspace(arguments, Context.background(), "show") as workspace:
        if arguments.subject:
            return show_resource(workspace, arguments.subject, console)
        return list_resources(workspace, "", console)


def _plan(path: Path, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.planfile import read

    saved = read(path)
    if console.json:
        from kolumn.host.plan_document import review_document

        console.document(
            {
                "plan": review_document(saved.review),
                "created_at": saved.created_at,
                "kolumn": saved.kolumn,
                "serial": saved.serial,
            }
        )
        return 0
    from kolumn.cli.render.review import review_text

    console.print(f"Plan of {saved.created_at}, made with kolumn {saved.kolumn}\n")
    console.print(review_text(saved.review, console.style, sql=arguments.sql))
    return 0
