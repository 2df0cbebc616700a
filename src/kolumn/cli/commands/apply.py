"""`kolumn apply`."""

from __future__ import annotations

import argparse
from pathlib import Path

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.cli.execution import carry_out
from kolumn.contract.context import Context
from kolumn.contract.errors import ValidationError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `apply`."""
    parser.description = (
        "Make the databases match the configuration: plan, show the plan, ask, carry it out.\n"
        "With a saved plan exactly that plan is carried out, or nothing if it no longer fits."
    )
    parser.epilog = (
        "exit codes: 0 done, 1 error, 130 interrupted\n\n"
        "examples:\n"
        "  kolumn apply                         review and confirm\n"
        "  kolumn apply --auto-approve          do not ask\n"
        "  kolumn apply review.plan             a plan saved with `kolumn plan --out review.plan`\n"
        "  kolumn apply --prune --auto-approve  also delete what nobody names\n"
        "  kolumn apply --refresh-only          bring the state in line with the databases\n"
    )
    parser.add_argument("planfile", nargs="?", type=Path, metavar="PLANFILE", help="a saved plan")
    options.add_planning_options(parser)
    options.add_execution_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Plan, ask and apply."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _apply(arguments, console, context))


def _apply(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    if arguments.planfile is None:
        with (
            options.open_workspace(arguments, context, "apply") as workspace,
            workspace.locked(arguments.lock_timeout),
        ):
            plan = workspace.plan(options.planning_options(arguments))
            return carry_out(workspace, plan, arguments, console)
    if arguments.target or arguments.prune or arguments.refresh_only:
        raise ValidationError(
            "A saved plan says itself what it is about; leave out --target, --prune and --refresh-only.",
            code="conflicting_options",
        )
    from kolumn.host.planfile import read

    saved = read(arguments.planfile)
    arguments.variables = [*saved.variables, *arguments.variables]
    with (
        options.open_workspace(arguments, context, "apply") as workspace,
        workspace.locked(arguments.lock_timeout),
    ):
        plan = workspace.replan(saved, lock_timeout=arguments.lock_timeout)
        return carry_out(workspace, plan, arguments, console, approved=True)
