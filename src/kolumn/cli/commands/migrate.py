"""`kolumn migrate`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context

if TYPE_CHECKING:
    from kolumn.host.migrations.directory import Direction, Migration
    from kolumn.host.migrations.running import Place
    from kolumn.host.workspace import Workspace

PENDING = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `migrate` and its subcommands."""
    parser.description = (
        "Write plans as numbered SQL files to review, keep and run anywhere, and run such files, also those of "
        "golang-migrate and Flyway (docs/migrations.md)."
    )
    parser.epilog = (
        "exit codes: 0 done, 1 error; status --exit-code: 2 when something waits\n\n"
        "examples:\n"
        "  kolumn migrate new add_users         the plan as migrations/000001_add_users.up.sql and .down.sql\n"
        "  kolumn migrate status\n"
        "  kolumn migrate plan                  the statements that apply would run\n"
        "  kolumn migrate apply\n"
        "  kolumn migrate rollback --steps 2\n"
        "  kolumn migrate rollback --to 3       everything after version 3; 0 for everything\n"
        "  kolumn migrate hash                  write kolumn.sum anew, after a change that was reviewed\n"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="write what `kolumn plan` shows to files")
    new.add_argument("name", metavar="NAME", help="what it is about, for the name of the file")
    options.add_planning_options(new)
    options.add_policy_options(new)
    status = actions.add_parser("status", help="compare the files with what the database remembers")
    status.add_argument("--exit-code", action="store_true", help="exit 2 when something waits")
    plan = actions.add_parser("plan", help="show what apply would run")
    apply = actions.add_parser("apply", help="run what waits, in order")
    rollback = actions.add_parser("rollback", help="run the files that go back, newest first")
    hashing = actions.add_parser("hash", help="write kolumn.sum anew")
    which = rollback.add_mutually_exclusive_group()
    which.add_argument("--steps", type=_count, default=1, metavar="N", help="how many (default: 1)")
    which.add_argument("--to", default=None, metavar="VERSION", help="all after this one; 0 for all")
    for one in (plan, apply):
        one.add_argument(
            "--out-of-order", action="store_true", help="also what is older than something that was applied"
        )
        one.add_argument("--steps", type=_count, default=None, metavar="N", help="the first N only")
    for one in (new, status, plan, apply, rollback, hashing):
        one.add_argument(
            "--dir",
            "--out",
            dest="directory",
            type=Path,
            default=None,
            metavar="DIR",
            help="where the files are (default: migrations, in the project)",
        )
        if one is not new:
            one.add_argument("--provider", default="", metavar="ADDRESS", help="only this provider's")
            options.add_variable_options(one)
            options.add_timeout(one)
            options.add_lock_timeout(one)
        options.add_global_options(one, inherited=True)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do what the subcommand says."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _run(arguments, console, context))


def _run(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    with options.open_workspace(arguments, context, f"migrate {arguments.action}") as workspace:
        if arguments.action == "new":
            return _new(workspace, arguments, console)
        if arguments.action == "hash":
            return _hash(workspace, arguments, console)
        if arguments.action in ("apply", "rollback"):
            with workspace.locked(arguments.lock_timeout):
                return _change(workspace, arguments, console)
        found = _places(workspace, arguments)
        return (
            _status(found, arguments, console)
            if arguments.action == "status"
            else _plan(found, arguments, console)
        )


def _places(workspace: Workspace, arguments: argparse.Namespace) -> list[Place]:
    from kolumn.contract.errors import ValidationError
    from kolumn.host.migrations.running import places

    found = places(workspace, arguments.directory)
    if not arguments.provider:
        return found
    chosen = [place for place in found if place.provider == arguments.provider]
    if not chosen:
        raise ValidationError(
            f"The project has no provider {arguments.provider}; it has "
            f"{', '.join(place.provider for place in found)}.",
            code="unknown_provider",
        )
    return chosen


def _new(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.migrations.writing import write

    plan = workspace.plan(options.planning_options(arguments))
    plan = workspace.overrule(plan, arguments.override_policy, arguments.reason)
    workspace.refuse_denied(plan)
    written = write(workspace, plan, arguments.name, arguments.directory)
    if console.json:
        console.document(
            {
                "written": [
                    {
                        "provider": each.provider,
                        "up": str(each.up),
                        "down": str(each.down) if each.down is not None else None,
                        "steps": each.steps,
                    }
                    for each in written
                ]
            }
        )
        return 0
    from kolumn.cli.render.review import review_text

    options.show_warnings(workspace, console)
    console.print(review_text(plan.review, console.style, sql=arguments.sql))
    if not written:
        console.print("\nThere is nothing to write.")
    for each in written:
        console.print(f"\nWritten: {each.up}")
        console.print(f"         {each.down}" if each.down is not None else "         there is no way back")
    if written:
        console.print("\nReview it, then: kolumn migrate apply")
    return 0


def _hash(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.migrations import directory, sums
    from kolumn.host.migrations.running import folder_of, providers

    wanted = [arguments.provider] if arguments.provider else list(providers(workspace))
    written = []
    for provider in wanted:
        found = directory.read(folder_of(workspace, arguments.directory, provider))
        if found.migrations:
            sums.write(found)
            written.append(str(found.path / sums.NAME))
    if console.json:
        console.document({"written": written})
    else:
        console.print("\n".join(f"Written: {path}" for path in written) or "There are no migrations.")
    return 0


def _status(found: Sequence[Place], arguments: argparse.Namespace, console: Console) -> int:
    waiting = any(
        line.standing in ("pending", "interrupted", "out of order") for place in found for line in place.lines
    )
    if console.json:
        from dataclasses import asdict

        console.document(
            {
                "migrations": [
                    {"provider": place.provider, **asdict(line)} for place in found for line in place.lines
                ],
                "faults": [
                    {"provider": place.provider, "fault": fault} for place in found for fault in place.faults
                ],
            }
        )
    else:
        for place in found:
            if len(found) > 1:
                console.print(f"{place.provider}:")
            for line in place.lines:
                back = "" if line.has_down or line.standing == "missing" else "  (no way back)"
                why = f"  {line.error}" if line.error else ""
                when = line.applied_at if line.standing != "pending" else ""
                console.print(
                    f"  {line.version:>6}  {line.standing:12}  {when:20.20}  {line.name}{back}{why}"
                )
            for fault in place.faults:
                console.print(f"  Warning: {fault}")
            if not place.lines:
                console.print(f"There are no migrations in {place.directory.path}.")
    return PENDING if arguments.exit_code and waiting else 0


def _plan(found: Sequence[Place], arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.migrations.running import preview, to_apply

    wanted = to_apply(found, out_of_order=arguments.out_of_order, count=arguments.steps)
    scripts = preview(wanted, "up")
    if console.json:
        console.document(
            {
                "pending": [
                    {
                        "provider": place.provider,
                        "version": migration.version,
                        "name": migration.up.what.name,
                        "transactional": migration.up.transactional,
                        "statements": list(statements),
                    }
                    for (place, migration), statements in zip(wanted, scripts, strict=True)
                ]
            }
        )
        return 0
    for (_, migration), statements in zip(wanted, scripts, strict=True):
        outside = "" if migration.up.transactional else " (no transaction)"
        console.print(f"{migration.up.path.name}{outside}:")
        for statement in statements:
            console.print("\n".join(f"    {line}" for line in f"{statement};".splitlines()))
        console.print("")
    console.print(f"{len(wanted)} to apply." if wanted else "Nothing waits to be applied.")
    return 0


def _change(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.migrations.running import run as run_scripts
    from kolumn.host.migrations.running import to_apply, to_undo

    found = _places(workspace, arguments)
    direction: Direction = "up" if arguments.action == "apply" else "down"
    wanted: list[tuple[Place, Migration]]
    if direction == "up":
        wanted = to_apply(found, out_of_order=arguments.out_of_order, count=arguments.steps)
    else:
        wanted = to_undo(found, steps=arguments.steps, down_to=arguments.to)
    done = "Applied" if direction == "up" else "Rolled back"
    outcome = run_scripts(
        workspace,
        wanted,
        direction,
        lambda each: (
            None
            if console.json
            else console.print(
                f"{done} {each.version} {each.name} ({each.statements} statements, {each.seconds:.2f} s)"
            )
        ),
    )
    if console.json:
        from dataclasses import asdict

        document: dict[str, object] = {
            "ran": [asdict(each) for each in outcome.ran],
            "settled": outcome.settled,
            "serial": workspace.ledger.serial,
        }
        if outcome.error is not None:
            document["error"] = {"message": outcome.error.message, "code": outcome.error.code}
        console.document(document)
        return 0 if outcome.error is None else 1
    if not wanted:
        console.print("Nothing waits to be applied." if direction == "up" else "Nothing is applied.")
    if outcome.error is not None:
        console.out.flush()
        console.error(outcome.error)
        return 1
    if direction == "up" and outcome.ran and not outcome.settled:
        console.print(
            "\nThe databases are not all that the configuration says: `kolumn plan` shows what is left."
        )
    return 0


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10**6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)
