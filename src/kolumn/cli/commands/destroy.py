"""`kolumn destroy`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.cli.execution import carry_out
from kolumn.contract.context import Context


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `destroy`."""
    parser.description = (
        "Remove everything the project manages from the databases, what depends on others first."
    )
    parser.epilog = (
        "Objects the project does not manage stay. What is removed waits in quarantine (kolumn quarantine), "
        "unless\nsafe_destroy = false in the provider block, or KOLUMN_SAFE_DESTROY=false.\n\n"
        "examples:\n"
        "  kolumn destroy\n"
        "  kolumn destroy --target sqlite_table.users --auto-approve\n"
    )
    options.add_planning_options(parser, destroy=True)
    options.add_execution_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Plan the removal, ask and apply."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _destroy(arguments, console, context))


def _destroy(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    with (
        options.open_workspace(arguments, context, "destroy") as workspace,
        workspace.locked(arguments.lock_timeout),
    ):
        plan = workspace.plan(options.planning_options(arguments, destroy=True))
        return carry_out(workspace, plan, arguments, console)
