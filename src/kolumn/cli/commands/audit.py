"""`kolumn audit`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context

BROKEN = 1
_LIMIT = 50
_FILTERS = ("since", "until", "resource", "actor", "action")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `audit`."""
    parser.description = (
        "Show what was changed in the databases, by whom and when, newest first; or, with `verify`, find\n"
        "out whether somebody altered, removed or inserted entries of that record (docs/audit.md)."
    )
    parser.epilog = (
        "exit codes: 0 done, or intact; 1 error, or tampered with\n\n"
        "examples:\n"
        "  kolumn audit\n"
        "  kolumn audit --since 7d --resource sqlite_table.users --sql\n"
        "  kolumn audit --actor ann --action delete --json\n"
        "  kolumn audit verify\n"
    )
    options.add_variable_options(parser)
    parser.add_argument(
        "task", nargs="?", choices=("verify",), default=None, metavar="verify", help="check the whole record"
    )
    parser.add_argument(
        "--since", default="", metavar="TIME", help="2025-12-15, 2025-12-15T10:30:00Z, 12h, 7d"
    )
    parser.add_argument("--until", default="", metavar="TIME", help="before this time")
    parser.add_argument("--resource", default="", metavar="ADDRESS", help="only this resource")
    parser.add_argument(
        "--actor", default="", metavar="NAME", help="only this user of the database or the operating system"
    )
    parser.add_argument(
        "--action", default="", metavar="ACTION", help="create, update, delete, rebuild, apply, restart"
    )
    parser.add_argument(
        "--limit", type=_number, default=_LIMIT, metavar="N", help=f"at most this many, 0 for all ({_LIMIT})"
    )
    parser.add_argument("--sql", action="store_true", help="show the statements")
    options.add_timeout(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the providers and report."""
    context = options.context(arguments)
    work = _verify if arguments.task else _show
    return interruptible(context, console, lambda: work(arguments, console, context))


def _show(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    from kolumn.cli.render.audit import entries_text, entry_document
    from kolumn.contract.times import Timestamp
    from kolumn.host.auditing import Filters, parse_moment, read

    now = Timestamp.utc_now()
    filters = Filters(
        since=parse_moment(arguments.since, now) if arguments.since else None,
        until=parse_moment(arguments.until, now) if arguments.until else None,
        address=arguments.resource,
        actor=arguments.actor,
        action=arguments.action,
    )
    with options.open_workspace(arguments, context, "audit") as workspace:
        entries = read(workspace, filters, limit=arguments.limit)
    if console.json:
        console.document({"entries": [entry_document(each) for each in entries]})
    elif entries:
        console.print(entries_text(entries, console.style, sql=arguments.sql))
        if len(entries) == arguments.limit:
            console.note(f"Only the newest {arguments.limit}: --limit 0 shows all.")
    else:
        console.note("There are no such entries.")
    return 0


def _verify(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    from kolumn.cli.render.audit import verification_document, verification_text
    from kolumn.contract.errors import ValidationError
    from kolumn.host.auditing import verify

    if given := [f"--{name}" for name in _FILTERS if getattr(arguments, name)]:
        raise ValidationError(
            f"`kolumn audit verify` reads the whole record: leave out {', '.join(given)}.",
            code="bad_argument",
        )
    with options.open_workspace(arguments, context, "audit verify") as workspace:
        found = verify(workspace)
    if console.json:
        console.document(verification_document(found))
    else:
        console.print(verification_text(found, console.style))
    return 0 if found.intact else BROKEN


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of entries")
    return int(text)
