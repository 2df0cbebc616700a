"""`kolumn validate`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.console import Console


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `validate`."""
    parser.description = (
        "Check the configuration: syntax, references, variables, and every resource against its "
        "provider's schema.\n"
        "Connects to no database; what `discover` blocks would find is taken as unknown."
    )
    parser.epilog = (
        "exit codes: 0 valid, 1 not\n\nexamples:\n  kolumn validate\n  kolumn validate -C shop --json\n"
    )
    options.add_variable_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check and say so."""
    from kolumn.host.validation import validate

    with options.supplied(arguments) as supply:
        checked = validate(arguments.chdir, tuple(arguments.variables), supply=supply)
    if console.json:
        console.document(
            {
                "valid": True,
                "resources": checked.resources,
                "providers": list(checked.providers),
                "policies": checked.policies,
                "warnings": [problem.to_json() for problem in checked.warnings],
            }
        )
        return 0
    for problem in checked.warnings:
        console.note(f"Warning: {problem}")
    count = checked.resources
    console.print(f"The configuration is valid: {count} resource{'' if count == 1 else 's'}.")
    return 0
