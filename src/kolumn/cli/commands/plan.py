"""`kolumn plan`."""

from __future__ import annotations

import argparse
from pathlib import Path

from kolumn.cli import options
from kolumn.cli.boundary import FAILED, interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context

CHANGES = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`."""
    parser.description = "Show what apply would do. Changes nothing, neither in a database nor in the state."
    parser.epilog = (
        "exit codes: 0 done, 1 error or a policy forbids it; with --detailed-exitcode 2 when there is something "
        "to do\n\n"
        "examples:\n"
        "  kolumn plan                          what would change\n"
        "  kolumn plan --sql                    with the statements\n"
        "  kolumn plan --out review.plan        keep it, for `kolumn apply review.plan`\n"
        "  kolumn plan --target sqlite_table.users\n"
        "  kolumn plan --detailed-exitcode      for scripts\n"
    )
    options.add_planning_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the plan")
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="exit 2 when there is something to do, 0 when not"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Plan and show it."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _plan(arguments, console, context))


def _plan(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    with options.open_workspace(arguments, context, "plan") as workspace:
        plan = workspace.plan(options.planning_options(arguments))
        if arguments.out is not None:
            workspace.save(plan, arguments.out)
        if console.json:
            from kolumn.host.plan_document import review_document

            console.document(
                {"plan": review_document(plan.review), "saved_to": str(arguments.out or "") or None}
            )
        else:
            from kolumn.cli.render.review import review_text

            options.show_warnings(workspace, console)
            console.print(review_text(plan.review, console.style, sql=arguments.sql))
            if arguments.out is not None:
                console.print(f"\nSaved to {arguments.out}. To carry it out: kolumn apply {arguments.out}")
        if plan.review.denied:
            return FAILED
        return CHANGES if arguments.detailed_exitcode and plan.review.has_changes else 0
