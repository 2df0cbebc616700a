"""`kolumn policy`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from kolumn.cli import options
from kolumn.cli.boundary import FAILED
from kolumn.cli.console import Console
from kolumn.host.policies.inventory import PolicyEntry


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `policy`."""
    parser.description = (
        "Policies are rules over a plan: `kolumn plan` shows what they say, `kolumn apply` obeys those of\n"
        "severity error. Built-in ones are set, and others written, in `policy` blocks (docs/policies.md)."
    )
    parser.epilog = (
        "examples:\n"
        "  kolumn policy list                   those of the project, and the built-in ones\n"
        "  kolumn policy list --all             also those that are off\n"
        "  kolumn policy explain drop_column    why, and what to do instead\n"
        "  kolumn policy test review.plan       what they say of a plan saved with `kolumn plan --out`\n"
    )
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = commands.add_parser("list", help="list the policies that are on")
    listing.add_argument("--all", action="store_true", help="also those that are off")
    explain = commands.add_parser("explain", help="explain one policy")
    explain.add_argument("name", metavar="NAME")
    test = commands.add_parser("test", help="ask the policies of the project about a saved plan")
    test.add_argument("planfile", type=Path, metavar="PLANFILE")
    for each in (listing, explain, test):
        options.add_global_options(each, inherited=True)
        options.add_variable_options(each)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List or explain policies; outside of a project the built-in ones alone."""
    from kolumn.host.policies import inventory

    if arguments.action == "test":
        return _test(arguments, console)
    with options.supplied(arguments) as supply:
        found = inventory.policies(arguments.chdir, tuple(arguments.variables), supply=supply)
    if arguments.action == "explain":
        entry = inventory.one(found, arguments.name)
        if console.json:
            console.document({"policy": inventory.document(entry)})
        else:
            console.print("\n".join(_explained(entry, console)))
        return 0
    shown = [each for each in found if each.enabled or arguments.all]
    if console.json:
        console.document({"policies": [inventory.document(each) for each in shown]})
        return 0
    console.print("\n".join(_listed(shown, console)))
    off = len(found) - len(shown)
    if off:
        console.print(f"\n{off} more {'is' if off == 1 else 'are'} off; --all lists them.")
    return 0


def _test(arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.policies.inventory import rejudged

    with options.supplied(arguments) as supply:
        review = rejudged(arguments.planfile, arguments.chdir, tuple(arguments.variables), supply=supply)
    if console.json:
        from kolumn.host.plan_document import violation_document

        console.document(
            {"denied": review.denied, "policies": [violation_document(each) for each in review.violations]}
        )
    elif review.violations:
        from kolumn.cli.render.policies import violations_text

        console.print(violations_text(review.violations, console.style))
    else:
        console.print("No policy is violated.")
    return FAILED if review.denied else 0


def _listed(entries: list[PolicyEntry], console: Console) -> Iterator[str]:
    width = max((len(each.name) for each in entries), default=0)
    group = None
    for each in entries:
        if each.group != group:
            if group is not None:
                yield ""
            group = each.group
            yield console.style.bold(group)
        severity = each.severity if each.enabled else "off"
        yield f"  {each.name:{width}}  {severity:7}  {each.title}"


def _explained(entry: PolicyEntry, console: Console) -> Iterator[str]:
    state = entry.severity if entry.enabled else f"off; {entry.severity} once it is on"
    yield f"{console.style.bold(entry.name)}  {entry.title}"
    yield ""
    yield f"Severity:  {state}{'; may be overruled' if entry.overridable else ''}"
    if entry.providers:
        yield f"About:     {', '.join(entry.providers)}"
    if entry.kinds:
        yield f"Asked of:  {', '.join(entry.kinds)}"
    if entry.place:
        yield f"Set at:    {entry.place}"
    if entry.why:
        yield f"Why:       {entry.why}"
    if entry.instead:
        yield f"Instead:   {entry.instead}"
    if entry.parameters:
        yield "Parameters:"
        for name, (value, description) in entry.parameters.items():
            yield f"  {name} = {value}  {description}"
    if entry.url:
        yield f"More:      {entry.url}"
