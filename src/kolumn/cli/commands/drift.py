"""`kolumn drift`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.cli.render.values import path_words, value_text
from kolumn.contract.context import Context

CHANGES = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `drift`."""
    parser.description = (
        "Compare the databases with what the state says of them: what did somebody else change?"
    )
    parser.epilog = (
        "exit codes: 0 done, 1 error; with --detailed-exitcode 2 when something drifted\n\n"
        "examples:\n  kolumn drift\n  kolumn drift --unmanaged --json\n"
    )
    options.add_variable_options(parser)
    parser.add_argument(
        "--unmanaged", action="store_true", help="also report live objects that are not managed"
    )
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit 2 when something drifted")
    options.add_timeout(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the providers and report."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _drift(arguments, console, context))


def _drift(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    from kolumn.host.drift import detect

    with options.open_workspace(arguments, context, "drift") as workspace:
        found = detect(workspace, include_unmanaged=arguments.unmanaged)
    if console.json:
        from kolumn.cli.render.documents import plain

        console.document(
            {
                "drifted": bool(found.findings),
                "checked": found.checked,
                "findings": [{"address": address, **plain(finding)} for address, finding in found.findings],
            }
        )
    elif not found.findings:
        console.print(f"No drift: {found.checked} resources are as the state says.")
    else:
        for address, finding in found.findings:
            what = f"{address} {path_words(finding.attribute)}".rstrip()
            values = ""
            if finding.attribute:
                values = f": {value_text(finding.state_value)} -> {value_text(finding.live_value)}"
            console.print(f"  {finding.kind:9} {what}{values}")
        console.print(f"\n{len(found.findings)} findings in {found.checked} resources.")
    return CHANGES if arguments.detailed_exitcode and found.findings else 0
