"""`kolumn drift`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context
from kolumn.contract.errors import ValidationError

if TYPE_CHECKING:
    from kolumn.host.drift import Drift
    from kolumn.host.workspace import Workspace

DRIFTED = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `drift`."""
    parser.description = (
        "Compare the databases with what the last apply left: what did somebody else change?\n"
        "It changes nothing unless it is told to take the changes over (--adopt) or back (--revert)."
    )
    parser.epilog = (
        "exit codes: 0 no drift, or it was adopted or reverted, 1 error, 2 drift\n\n"
        "examples:\n"
        "  kolumn drift\n"
        "  kolumn drift --severity error --json\n"
        "  kolumn drift --type postgres_table --unmanaged\n"
        "  kolumn drift --target postgres_table.users --revert\n"
        "  kolumn drift --revert --out back.plan   and later: kolumn apply back.plan\n"
        "  kolumn drift --adopt                    the state follows; the next plan compares with it\n"
    )
    options.add_variable_options(parser)
    group = parser.add_argument_group("what to look at")
    group.add_argument(
        "--target", action="append", default=[], metavar="ADDRESS", help="only this resource, block or module"
    )
    group.add_argument(
        "--type", action="append", default=[], metavar="TYPE", help="only resources of this type"
    )
    group.add_argument(
        "--severity",
        choices=("info", "warning", "error"),
        default="",
        help="only what weighs at least this much",
    )
    group.add_argument(
        "--unmanaged", action="store_true", help="also report live objects that are not managed"
    )
    group = parser.add_argument_group("what to do about it")
    either = group.add_mutually_exclusive_group()
    either.add_argument("--adopt", action="store_true", help="take what changed into the state")
    either.add_argument("--revert", action="store_true", help="plan and apply what brings it back")
    group.add_argument("--out", type=Path, metavar="FILE", help="with --revert: save the plan, apply nothing")
    group.add_argument("--sql", action="store_true", help="with --revert: show the statements")
    options.add_lock_timeout(group)
    options.add_execution_options(parser)
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="taken as `plan` takes it; exit 2 on drift is always so",
    )
    options.add_timeout(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the providers and report, adopt or revert."""
    if arguments.out is not None and not arguments.revert:
        raise ValidationError("--out saves the plan of --revert.", code="conflicting_options")
    context = options.context(arguments)
    return interruptible(context, console, lambda: _drift(arguments, console, context))


def _drift(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    with options.open_workspace(arguments, context, "drift") as workspace:
        if not (arguments.adopt or arguments.revert):
            found = _found(workspace, arguments)
            _show(found, console)
            return DRIFTED if found.findings else 0
        with workspace.locked(arguments.lock_timeout):
            return _settle(workspace, arguments, console)


def _found(workspace: Workspace, arguments: argparse.Namespace) -> Drift:
    from kolumn.host.drift import Scope, detect

    scope = Scope(
        targets=tuple(arguments.target),
        types=tuple(arguments.type),
        least_severity=arguments.severity,
        include_unmanaged=arguments.unmanaged,
    )
    return detect(workspace, scope)


def _settle(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    """Take the drift over or back; what is not managed is neither, `kolumn import` is for that."""
    from kolumn.cli.execution import carry_out
    from kolumn.host.drift import adopt, revert
    from kolumn.host.planning import Options

    found = _found(workspace, arguments)
    if not found.addresses:
        _show(found, console)
        return 0
    if not console.json:
        _show(found, console)
        console.print("")
    wanted = Options(lock_timeout=arguments.lock_timeout, count_unmanaged=False)
    plan = (adopt if arguments.adopt else revert)(workspace, found, wanted)
    if arguments.out is None:
        code = carry_out(workspace, plan, arguments, console)
        if arguments.adopt and code == 0:
            console.note(
                "The state is as the databases are. The next plan compares them with the configuration."
            )
        return code
    workspace.save(plan, arguments.out)
    if console.json:
        from kolumn.host.plan_document import review_document

        console.document({"plan": review_document(plan.review), "saved_to": str(arguments.out)})
    else:
        from kolumn.cli.render.review import review_text

        console.print(review_text(plan.review, console.style, sql=arguments.sql))
        console.print(f"\nSaved to {arguments.out}. To carry it out: kolumn apply {arguments.out}")
    return 0


def _show(found: Drift, console: Console) -> None:
    if console.json:
        from kolumn.cli.render.documents import drift_document

        console.document(drift_document(found))
        return
    from kolumn.cli.render.drift import drift_text

    console.print(drift_text(found, console.style))
