"""`kolumn graph`."""

from __future__ import annotations

import argparse

from kolumn.cli import options
from kolumn.cli.boundary import interruptible
from kolumn.cli.console import Console
from kolumn.contract.context import Context


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `graph`."""
    parser.description = "Draw which resource depends on which, as the configuration says."
    parser.epilog = (
        "examples:\n  kolumn graph | dot -Tsvg -o graph.svg\n  kolumn graph --format mermaid >graph.mmd\n"
    )
    parser.add_argument("--format", choices=("dot", "mermaid"), default="dot", help="default: dot")
    options.add_variable_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Draw."""
    context = options.context(arguments)
    return interruptible(context, console, lambda: _graph(arguments, console, context))


def _graph(arguments: argparse.Namespace, console: Console, context: Context) -> int:
    from kolumn.host.dependencies import graph

    with options.open_workspace(arguments, context, "graph") as workspace:
        found = graph(workspace.configuration.project)
    if console.json:
        console.document({"resources": {address: list(needs) for address, needs in found.nodes.items()}})
    else:
        console.print(found.to_mermaid() if arguments.format == "mermaid" else found.to_dot())
    return 0
