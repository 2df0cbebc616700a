"""`kolumn quarantine`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context

if TYPE_CHECKING:
    from kolumn.host.quarantine import Quarantined, Restored
    from kolumn.host.workspace import Workspace


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `quarantine` and its subcommands."""
    parser.description = "What was deleted while safe_destroy is on waits in quarantine, and can come back."
    parser.epilog = (
        "examples:\n"
        "  kolumn quarantine list\n"
        "  kolumn quarantine restore sqlite_table.users\n"
        "  kolumn quarantine restore 1faf5506ac 750e0572f7\n"
        "  kolumn quarantine purge                  what has waited its time\n"
        "  kolumn quarantine purge 1faf5506ac --force\n"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("list", help="what is in quarantine")
    one.add_argument("entries", nargs="*", metavar="ID|ADDRESS", help="only these, with all that went along")
    one = actions.add_parser("restore", help="bring back, with its rows and all that went along")
    one.add_argument("entries", nargs="+", metavar="ID|ADDRESS")
    one = actions.add_parser("purge", help="remove for good")
    one.add_argument("entries", nargs="*", metavar="ID|ADDRESS", help="only these (default: what is due)")
    one.add_argument("--force", action="store_true", help="also before the retention ends")
    for each in actions.choices.values():
        options.add_global_options(each, inherited=True)
        options.add_variable_options(each)
        options.add_lock_timeout(each, inherited=True)
        options.add_timeout(each)
    options.add_lock_timeout(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do what the subcommand says."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _run(arguments, console, context))


def _run(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    with options.open_workspace(arguments, context, f"quarantine {arguments.action}") as workspace:
        if arguments.action == "list":
            return _list(workspace, arguments, console)
        with workspace.locked(arguments.lock_timeout):
            return (_restore if arguments.action == "restore" else _purge)(workspace, arguments, console)


def _list(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.quarantine import listed

    found = listed(workspace, arguments.entries)
    if console.json:
        console.document({"entries": [_document(each) for each in found]})
        return 0
    for each in found:
        console.print(_line(each, console))
        if arguments.entries:
            for one in each.entry.objects:
                console.print(f"      {_HOW[one.how]} {one.resource_type} {one.identity}")
    if not found:
        console.note("Nothing is in quarantine.")
    return 0


def _restore(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.quarantine import restore

    done = restore(workspace, arguments.entries)
    if console.json:
        console.document({"restored": [_restored(each) for each in done], "serial": workspace.ledger.serial})
        return 0
    for each in done:
        for entry in each.response.restored:
            console.print(f"Restored {entry.resource_type} {entry.name}.")
        for note in each.response.notes:
            console.print(f"  note: {note}.")
        for name in each.response.managed:
            console.print(f"  managed again: {name}")
        for name in each.response.unmanaged:
            console.print(f"  there again, and not managed, as no configuration names it: {name}")
    return 0


def _purge(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.quarantine import purge

    done = purge(workspace, arguments.entries, force=arguments.force)
    if console.json:
        console.document({"purged": [_document(each) for each in done], "serial": workspace.ledger.serial})
        return 0
    for each in done:
        console.print(f"Removed {each.entry.resource_type} {each.entry.name} for good.")
    if not done:
        console.note("Nothing in quarantine has waited its time. --force removes it all the same.")
    return 0


_HOW = {
    "moved": "moved",
    "along": "moved along",
    "dropped": "dropped with it",
    "part": "lost what referred to it:",
    "column": "lost the column:",
    "values": "had other values:",
}


def _line(each: Quarantined, console: Console) -> str:
    entry = each.entry
    rows = "" if entry.rows is None else f", {entry.rows} row{'' if entry.rows == 1 else 's'}"
    until = "may be purged" if entry.expired else f"kept until {entry.retained_until[:10]}"
    name = console.style.bold(f"{each.provider} {entry.resource_type} {entry.name}")
    return f"  {entry.id}  {name}{rows}, deleted {entry.quarantined_at[:16]}, {until}"


def _document(each: Quarantined) -> dict[str, object]:
    entry = each.entry
    return {
        "id": entry.id,
        "provider": each.provider,
        "type": entry.resource_type,
        "name": entry.name,
        "addresses": list(each.addresses),
        "location": entry.location,
        "quarantined_at": entry.quarantined_at,
        "quarantined_by": entry.quarantined_by,
        "retained_until": entry.retained_until,
        "expired": entry.expired,
        "rows": entry.rows,
        "objects": [
            {"type": one.resource_type, "identity": one.identity, "how": one.how, "config": dict(one.config)}
            for one in entry.objects
        ],
    }


def _restored(each: Restored) -> dict[str, object]:
    return {
        "provider": each.provider,
        "ids": [entry.id for entry in each.response.restored],
        "managed": list(each.response.managed),
        "unmanaged": list(each.response.unmanaged),
        "notes": list(each.response.notes),
        "steps": list(each.response.steps),
    }
