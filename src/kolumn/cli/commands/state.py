"""`kolumn state`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kolumn.cli import options
from kolumn.cli.console import Console
from kolumn.contract.context import Context

FAULTS = 2

if TYPE_CHECKING:
    from kolumn.host.backends import Entry
    from kolumn.host.state_operations import Listed
    from kolumn.host.workspace import Workspace


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `state` and its subcommands."""
    parser.description = "Look into and mend the state. None of this touches a database."
    parser.epilog = (
        "examples:\n"
        "  kolumn state list\n"
        "  kolumn state show sqlite_table.users\n"
        "  kolumn state mv sqlite_table.users sqlite_table.people\n"
        "  kolumn state rm sqlite_table.users      forget it; the table stays\n"
        "  kolumn state pull >state.json           and push, perhaps edited: kolumn state push state.json\n"
        "  kolumn state history\n"
        "  kolumn state restore 12\n"
        "  kolumn state validate                   is it sound, and true of the databases?\n"
        "  kolumn state repair --dry-run           what would mend it\n\n"
        "exit codes: 0 done, 1 error; `validate`: 2 when it found faults, `repair`: 2 when some are left\n"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("list", help="managed resources")
    one.add_argument("pattern", nargs="?", default="", metavar="ADDRESS|TYPE", help="only these")
    one = actions.add_parser("show", help="one managed resource, or the state of an earlier serial")
    one.add_argument("address", nargs="?", default="", metavar="ADDRESS")
    one.add_argument("--serial", type=int, default=0, metavar="N", help="as of this serial (see history)")
    one = actions.add_parser("mv", help="give a resource another address")
    one.add_argument("source", metavar="FROM")
    one.add_argument("target", metavar="TO")
    one = actions.add_parser("rm", help="forget resources")
    one.add_argument("addresses", nargs="+", metavar="ADDRESS")
    actions.add_parser("pull", help="write the state as JSON to standard output")
    one = actions.add_parser("push", help="store a state that pull wrote")
    one.add_argument("file", type=Path, metavar="FILE", help="- for standard input")
    one.add_argument("--force", action="store_true", help="even if it is older, or of another lineage")
    actions.add_parser("history", help="the writes that are kept")
    one = actions.add_parser("restore", help="make an earlier state the latest one again")
    one.add_argument("serial", type=int, metavar="SERIAL")
    one = actions.add_parser("validate", help="check the state in itself and against the databases")
    options.add_variable_options(one)
    one = actions.add_parser("repair", help="mend what validate finds, as a new serial")
    options.add_variable_options(one)
    one.add_argument("--auto-approve", action="store_true", help="do not ask")
    one.add_argument("--dry-run", action="store_true", help="only show what would be done")
    for each in actions.choices.values():
        options.add_global_options(each, inherited=True)
        options.add_lock_timeout(each, inherited=True)
    options.add_lock_timeout(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do what the subcommand says."""
    with options.open_workspace(arguments, Context.background(), f"state {arguments.action}") as workspace:
        if arguments.action in ("mv", "rm", "push", "restore"):
            with workspace.locked(arguments.lock_timeout):
                return _change(workspace, arguments, console)
        if arguments.action == "validate":
            return _validate(workspace, console)
        if arguments.action == "repair":
            with workspace.locked(arguments.lock_timeout):
                return _repair(workspace, arguments, console)
        return _look(workspace, arguments, console)


def _look(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host import state_operations as operations

    if arguments.action == "list":
        return list_resources(workspace, arguments.pattern, console)
    if arguments.action == "show":
        if arguments.serial:
            workspace.look_back(arguments.serial)
        if arguments.address:
            return show_resource(workspace, arguments.address, console)
        return list_resources(workspace, "", console)
    if arguments.action == "pull":
        console.document(operations.pull(workspace.backend))
        return 0
    entries = workspace.backend.history()
    if console.json:
        console.document({"history": [_entry(each) for each in entries]})
        return 0
    if not entries:
        console.print("There is no state yet.")
    for each in entries:
        console.print(f"{each.serial:>6}  {each.written_at}  {each.writer}  {each.reason}  {each.size} bytes")
    return 0


def _change(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host import state_operations as operations

    if arguments.action == "mv":
        operations.move(workspace.ledger, arguments.source, arguments.target)
        said = f"{arguments.source} is now {arguments.target}."
        document = {
            "moved": {"from": arguments.source, "to": arguments.target},
            "serial": workspace.ledger.serial,
        }
    elif arguments.action == "rm":
        gone = operations.remove(workspace.ledger, arguments.addresses)
        said = (
            "\n".join(f"Forgot {address}." for address in gone) + "\nWhat it was in the database stays there."
        )
        document = {"removed": list(gone), "serial": workspace.ledger.serial}
    elif arguments.action == "push":
        body = sys.stdin.buffer.read() if str(arguments.file) == "-" else read_file(arguments.file)
        entry = operations.push(workspace.backend, body, force=arguments.force)
        said, document = f"Stored as serial {entry.serial}.", {"serial": entry.serial}
    else:
        entry = operations.restore(workspace.backend, arguments.serial)
        said = f"The state of serial {arguments.serial} is the latest again, as serial {entry.serial}."
        document = {"restored": arguments.serial, "serial": entry.serial}
    if console.json:
        console.document(document)
    else:
        console.print(said)
    return 0


def _validate(workspace: Workspace, console: Console) -> int:
    from kolumn.cli.render.validation import validated_document, validated_text
    from kolumn.host.state_validation import validate

    found = validate(workspace)
    if console.json:
        console.document(validated_document(found))
    else:
        console.print(validated_text(found, console.style))
    return 0 if found.valid else FAULTS


def _repair(workspace: Workspace, arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.cli.execution import confirmed
    from kolumn.cli.render.validation import finding_document, findings_lines
    from kolumn.host.state_validation import carry_out, plan_repair

    repair = plan_repair(workspace)
    faults = [each for each in repair.left if each.is_fault]
    if not console.json:
        for line in findings_lines((*repair.repaired, *faults), console.style):
            console.print(line)
        if faults:
            console.print(
                f"\n{len(faults)} of these cannot be mended by themselves; `kolumn state history` lists"
            )
            console.print("earlier states, `kolumn state restore` brings one of them back.")
    serial = repair.before.serial
    if repair.changes and not arguments.dry_run:
        if not arguments.auto_approve and not confirmed(
            console, "Mend this?", "Review with --dry-run, then run it again with --auto-approve."
        ):
            console.print("Nothing was changed.")
            return 1
        serial = carry_out(workspace, repair).serial
    if console.json:
        console.document(
            {
                "serial": serial,
                "dry_run": arguments.dry_run,
                "repaired": [finding_document(each) for each in repair.repaired],
                "left": [finding_document(each) for each in repair.left],
            }
        )
    elif not repair.changes:
        console.print("There is nothing to mend." if not faults else "")
    elif arguments.dry_run:
        console.print(f"\n{len(repair.repaired)} would be mended; nothing was written.")
    else:
        console.print(
            f"\n{len(repair.repaired)} mended as serial {serial}; serial {repair.before.serial} is kept."
        )
    return FAULTS if faults else 0


def read_file(path: Path) -> bytes:
    """Return the bytes of a file. Raises ValidationError when it cannot be read."""
    from kolumn.contract.errors import ValidationError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ValidationError(f"{path} cannot be read: {error.strerror}.", code="unreadable_file") from error


def list_resources(workspace: Workspace, pattern: str, console: Console) -> int:
    """Show the managed resources that `pattern` covers."""
    from kolumn.host.state_operations import listed

    found = listed(workspace.state, pattern)
    if console.json:
        console.document({"serial": workspace.ledger.serial, "resources": [_listed(each) for each in found]})
        return 0
    for each in found:
        remark = "" if each.status == "active" else f"  ({each.status})"
        console.print(f"{each.address}{remark}")
    if not found:
        console.note(
            "Nothing is managed here." if not pattern else f"Nothing managed is covered by {pattern}."
        )
    return 0


def show_resource(workspace: Workspace, address: str, console: Console) -> int:
    """Show one managed resource."""
    from kolumn.host.state_operations import show

    found = show(workspace.state, address)
    if console.json:
        console.document(
            {
                "serial": workspace.ledger.serial,
                "resource": {**_listed(found.listed), "config": found.config, "state": found.state},
            }
        )
        return 0
    from kolumn.cli.render.values import nested_text

    console.print(console.style.bold(address))
    console.print(f"  provider    {found.listed.provider}")
    console.print(f"  status      {found.listed.status}")
    if found.listed.depends_on:
        console.print(f"  depends on  {', '.join(found.listed.depends_on)}")
    if found.listed.prevent_destroy:
        console.print("  protected   prevent_destroy")
    console.print("  configuration")
    console.print(nested_text(found.config, 2))
    console.print("  in the database")
    console.print(nested_text(found.state, 2))
    return 0


def _listed(each: Listed) -> dict[str, object]:
    return {
        "address": each.address,
        "type": each.type,
        "provider": each.provider,
        "status": each.status,
        "prevent_destroy": each.prevent_destroy,
        "depends_on": list(each.depends_on),
    }


def _entry(each: Entry) -> dict[str, object]:
    return {
        "serial": each.serial,
        "lineage": each.lineage,
        "written_at": str(each.written_at),
        "writer": each.writer,
        "reason": each.reason,
        "size": each.size,
    }
