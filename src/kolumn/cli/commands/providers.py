"""`kolumn providers`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.console import Console


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `providers`."""
    parser.description = "List the installed providers and, in a project folder, those it configures."
    parser.epilog = "examples:\n  kolumn providers\n  kolumn providers --json\n"
    options.add_variable_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List providers."""
    from kolumn.host.inventory import inventory

    found = inventory(arguments.chdir, tuple(arguments.variables))
    if console.json:
        console.document(
            {
                "installed": [
                    {
                        "name": each.name,
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
            }
        )
        return 0
    console.print("Installed:")
    for each in found.installed:
        types = f"  {', '.join(each.resource_types)}" if each.resource_types else ""
        console.print(f"  {each.name} {each.version}  {each.error or each.description}{types}")
    if found.configured:
        console.print("\nConfigured here:")
        for block in found.configured:
            console.print(f"  {block.address}  {block.resources} resources  {block.file}".rstrip())
    return 0
