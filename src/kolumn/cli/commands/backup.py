"""`kolumn backup`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, ValidationError

if TYPE_CHECKING:
    from kolumn.host.workspace import Workspace


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `backup` and its subcommands."""
    parser.description = (
        "What a migration saved before it destroyed it: rows, and values of columns (docs/backup.md)."
    )
    parser.epilog = (
        "examples:\n"
        "  kolumn backup list\n"
        "  kolumn backup verify                 all of them\n"
        "  kolumn backup verify NAME\n"
        "  kolumn backup restore NAME           what is not there any more is made first\n"
        '  kolumn backup restore NAME --resource "table users"\n'
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the backups there are")
    one = actions.add_parser("verify", help="read them and compare every checksum")
    one.add_argument("names", nargs="*", metavar="NAME", help="only these")
    one = actions.add_parser("restore", help="put their rows back, what went last first")
    one.add_argument("names", nargs="+", metavar="NAME")
    one.add_argument(
        "--resource",
        action="append",
        default=[],
        metavar='"TYPE NAME"',
        help="only the rows of this; repeatable",
    )
    one.add_argument("--dry-run", action="store_true", help="say what would be put back")
    for each in actions.choices.values():
        each.add_argument("--provider", default="", metavar="ADDRESS", help="whose backups")
        options.add_variable_options(each)
        options.add_timeout(each)
        options.add_lock_timeout(each)
        options.add_global_options(each, inherited=True)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do what the subcommand says."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _run(arguments, console, context))


def _run(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    with options.open_workspace(arguments, context, f"backup {arguments.action}") as workspace:
        from kolumn.host.migrations.running import providers

        found = [arguments.provider] if arguments.provider else list(providers(workspace))
        if arguments.action == "list":
            return _list(found, workspace, console)
        if arguments.action == "verify":
            return _verify(found, workspace, arguments, console)
        if len(found) != 1:
            raise ValidationError(
                "The project has several providers: say with --provider whose backup it is.",
                code="missing_argument",
            )
        with workspace.locked(arguments.lock_timeout):
            return _restore(found[0], workspace, arguments, console)


def _list(found: list[str], workspace: Workspace, console: Console) -> int:
    from kolumn.cli.render.documents import plain

    replies = {provider: workspace.fleet.get(provider).list_backups() for provider in found}
    if console.json:
        console.document(
            {
                "backups": [
                    {**plain(each), "provider": provider}
                    for provider, reply in replies.items()
                    for each in reply.backups
                ]
            }
        )
        return 0
    folders = list(dict.fromkeys(reply.folder for reply in replies.values()))
    shown: set[str] = set()
    for reply in replies.values():
        for each in reply.backups:
            if each.path in shown:
                continue
            shown.add(each.path)
            what = each.fault or (
                f"{each.rows} rows, {each.bytes} bytes{', encrypted' if each.encrypted else ''}: {each.reason}"
            )
            console.print(f"{each.name}  {what}")
    if not shown:
        console.print(f"There is no backup in {' and '.join(folders)}.")
    return 0


def _verify(found: list[str], workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    results: list[dict[str, object]] = []
    for provider in found:
        client = workspace.fleet.get(provider)
        names = arguments.names or [each.name for each in client.list_backups().backups]
        for name in names:
            fault = ""
            try:
                client.verify_backup(name)
            except KolumnError as error:
                fault = error.message
            results.append({"provider": provider, "name": name, "whole": not fault, "fault": fault})
    damaged = [each for each in results if not each["whole"]]
    if console.json:
        console.document({"backups": results})
    else:
        for each in results:
            console.print(f"{each['name']}  {each['fault'] or 'whole'}")
        console.print(f"{len(results) - len(damaged)} of {len(results)} backups are whole.")
    return 1 if damaged else 0


def _restore(provider: str, workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.cli.render.documents import plain
    from kolumn.contract.extensions import RestoreBackupRequest

    client = workspace.fleet.get(provider)
    if (raw := workspace.state.providers.get(provider)) is not None:
        client.set_state(raw)
    reply = client.restore_backup(
        RestoreBackupRequest(
            names=tuple(arguments.names), resources=tuple(arguments.resource), dry_run=arguments.dry_run
        )
    )
    if console.json:
        console.document({"restored": [plain(each) for each in reply.parts], "dry_run": arguments.dry_run})
        return 0
    for each in reply.parts:
        made = " (made again)" if each.recreated else ""
        if arguments.dry_run:
            console.print(f"{each.resource_type} {each.name}{made}: {each.rows} rows would be put back")
        else:
            console.print(
                f"{each.resource_type} {each.name}{made}: {each.restored} of {each.rows} rows are back"
            )
    if any(each.recreated for each in reply.parts) and not arguments.dry_run:
        console.print(
            "\nIf the configuration has it as well, `kolumn apply` takes it under management again."
        )
    return 0
