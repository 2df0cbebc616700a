"""`kolumn output`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.console import Console
from kolumn.contract.context import Context


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `output`."""
    parser.description = (
        "Show the outputs of the last apply. Sensitive ones are hidden unless asked for by name; "
        "their values are\n"
        "never stored but evaluated from the configuration again."
    )
    parser.epilog = "examples:\n  kolumn output\n  kolumn output tables --json\n  kolumn output name --raw\n"
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="one output (default: all)")
    parser.add_argument("--raw", action="store_true", help="with NAME: the bare text, for scripts")
    options.add_variable_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Show outputs."""
    from kolumn.cli.render.applied import outputs_text
    from kolumn.cli.render.documents import outputs_document
    from kolumn.contract.errors import ValidationError
    from kolumn.host.outputs import all_outputs, one_output

    if arguments.raw and not arguments.name:
        raise ValidationError("--raw needs the name of an output.", code="missing_argument")
    with options.open_workspace(arguments, Context.background(), "output") as workspace:
        found = (one_output(workspace, arguments.name),) if arguments.name else all_outputs(workspace)
    if arguments.raw:
        value = found[0].value
        if isinstance(value, dict | list) or value is None:
            raise ValidationError(
                f"Output {arguments.name} is no text, number or truth value; use --json.", code="not_a_text"
            )
        console.out.write(str(value).lower() if isinstance(value, bool) else str(value))
    elif console.json:
        console.document({"outputs": outputs_document(found)})
    elif found:
        console.print(outputs_text(found))
    else:
        console.print("There are no outputs. `output` blocks define them, apply stores them.")
    return 0
