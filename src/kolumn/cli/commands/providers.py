"""`kolumn providers`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.console import Console


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `providers`."""
    parser.description = (
        "List the providers that are found, from where, and in a project folder those it configures."
    )
    parser.epilog = (
        "examples:\n  kolumn providers\n  kolumn providers --json\n"
        "  kolumn providers --lock     note the checksums of those the project uses in kolumn.lock.json\n"
    )
    options.add_variable_options(parser)
    parser.add_argument(
        "--lock",
        action="store_true",
        help="write kolumn.lock.json: what is not in it is refused from then on",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List providers."""
    from kolumn.host.inventory import inventory

    if arguments.lock:
        return _lock(arguments, console)
    with options.supplied(arguments) as supply:
        found = inventory(arguments.chdir, tuple(arguments.variables), supply=supply)
    if console.json:
        console.document(
            {
                "installed": [
                    {
                        "name": each.name,
                        "source": each.source,
                        "place": each.place,
                        "version": each.version,
                        "category": each.category,
                        "description": each.description,
                        "resource_types": list(each.resource_types),
                        "error": each.error or None,
                    }
                    for each in found.installed
                ],
                "configured": [
                    {"address": each.address, "resources": each.resources, "file": each.file or None}
                    for each in found.configured
                ],
                "hidden": [
                    {"name": each.name, "source": each.source, "place": each.place} for each in found.hidden
                ],
            }
        )
        return 0
    console.print("Installed:")
    for each in found.installed:
        types = f"  {', '.join(each.resource_types)}" if each.resource_types else ""
        console.print(f"  {each.name} {each.version}  {each.error or each.description}{types}")
        console.print(f"    from {_origin(each.source, each.place)}")
    if found.hidden:
        console.print("\nNot used, because another of the same name comes first:")
        for other in found.hidden:
            console.print(f"  {other.name}  from {_origin(other.source, other.place)}")
    if found.configured:
        console.print("\nConfigured here:")
        for block in found.configured:
            console.print(f"  {block.address}  {block.resources} resources  {block.file}".rstrip())
    return 0


def _origin(source: str, place: str) -> str:
    return f"the package {place}" if source == "package" else f"{place} ({source})"


def _lock(arguments: argparse.Namespace, console: Console) -> int:
    from kolumn.host.inventory import lock

    path, locked = lock(arguments.chdir, tuple(arguments.variables))
    if console.json:
        console.document(
            {
                "written": str(path),
                "locked": {
                    name: {"version": each.version, "source": each.source, "sha256": list(each.sha256)}
                    for name, each in locked.items()
                },
            }
        )
        return 0
    for name, each in locked.items():
        console.print(f"  {name} {each.version}  {each.sha256[0][:16]}...  {each.source}")
    console.print(f"Wrote {path}. Commands in this folder use these providers and no others.")
    return 0
