"""Options several commands share, and what they mean to the host."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kolumn.cli.console import Console
    from kolumn.contract.context import Context
    from kolumn.host.planning import Options
    from kolumn.host.supply import Supply
    from kolumn.host.workspace import Workspace


def add_global_options(parser: argparse.ArgumentParser, *, inherited: bool = False) -> None:
    """Add what every command takes; `inherited` for a subcommand, whose parent has the defaults."""
    group = parser.add_argument_group("global options")

    def default(value: object) -> object:
        return argparse.SUPPRESS if inherited else value

    group.add_argument(
        "-C",
        "--chdir",
        metavar="DIR",
        type=Path,
        default=default(Path()),
        help="the project folder (default: the current one); other paths stay relative to the current one",
    )
    group.add_argument(
        "--json",
        action="store_true",
        default=default(False),
        help="write one JSON document (docs/json-output.md)",
    )
    group.add_argument(
        "--no-color",
        action="store_true",
        default=default(False),
        help="no colour; so does the variable NO_COLOR",
    )
    group.add_argument(
        "--log-level",
        metavar="LEVEL",
        default=default(""),
        help="debug, info, warn, error or off (default: KOLUMN_LOG, else off)",
    )
    group.add_argument(
        "--in-process",
        action="store_true",
        default=default(False),
        help="load providers into this process; so does the variable KOLUMN_IN_PROCESS",
    )
    group.add_argument(
        "--log-format", choices=("text", "json"), default=default("text"), help="how log records look"
    )


class _Variable(argparse.Action):
    """Keeps `-var` and `-var-file` in the order they were given: later ones win."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        given = list(getattr(namespace, "variables", ()) or ())
        kind = "var-file" if "file" in (option_string or "") else "var"
        text = str(values)
        if kind == "var" and "=" not in text:
            parser.error(f"{option_string} wants NAME=VALUE")
        namespace.variables = [*given, (kind, text)]


def add_variable_options(parser: argparse.ArgumentParser) -> None:
    """Add `-var` and `-var-file`."""
    group = parser.add_argument_group("variables")
    group.set_defaults(variables=[])
    group.add_argument(
        "-var",
        "--var",
        action=_Variable,
        dest="variables",
        metavar="NAME=VALUE",
        help="set a variable; repeatable",
    )
    group.add_argument(
        "-var-file",
        "--var-file",
        action=_Variable,
        dest="variables",
        metavar="FILE",
        help="read variables from a .klvars file; repeatable",
    )


def add_planning_options(parser: argparse.ArgumentParser, *, destroy: bool = False) -> None:
    """Add what `plan`, `apply` and `destroy` share."""
    add_variable_options(parser)
    group = parser.add_argument_group("planning")
    group.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="only this resource, block or module, and what it depends on; repeatable",
    )
    if not destroy:
        group.add_argument(
            "--prune",
            action="store_true",
            help="delete live objects that no configuration and no state names",
        )
        group.add_argument(
            "--refresh-only",
            action="store_true",
            help="bring the state in line with the databases; change nothing there",
        )
        group.add_argument(
            "--online",
            action="store_true",
            help="prefer ways that let others read and write meanwhile, where the database has them",
        )
    add_lock_timeout(group)
    group.add_argument(
        "--parallelism",
        type=_count,
        default=4,
        metavar="N",
        help="how many providers to ask for their plans at once (default: 4)",
    )
    add_timeout(group)
    group.add_argument("--sql", action="store_true", help="show the statements")


def add_timeout(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add `--timeout`."""
    parser.add_argument(
        "--timeout", type=_seconds, default=None, metavar="SECONDS", help="give up after this long"
    )


def add_lock_timeout(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, *, inherited: bool = False
) -> None:
    """Add `--lock-timeout`; `inherited` for a subcommand, whose parent has the default."""
    parser.add_argument(
        "--lock-timeout",
        type=_seconds,
        default=argparse.SUPPRESS if inherited else 0.0,
        metavar="SECONDS",
        help="wait this long for a lock (default: not at all)",
    )


def planning_options(arguments: argparse.Namespace, *, destroy: bool = False) -> Options:
    """Return what the planning options say."""
    from kolumn.host.planning import Options

    return Options(
        targets=tuple(arguments.target),
        destroy=destroy,
        prune=getattr(arguments, "prune", False),
        refresh_only=getattr(arguments, "refresh_only", False),
        online=getattr(arguments, "online", False),
        lock_timeout=arguments.lock_timeout,
        parallelism=arguments.parallelism,
    )


def open_workspace(arguments: argparse.Namespace, context: Context, command: str) -> Workspace:
    """Return the project a command line means."""
    from kolumn.host.workspace import Arguments, Workspace

    said = Arguments(
        arguments.chdir, tuple(getattr(arguments, "variables", ())), in_process=wants_in_process(arguments)
    )
    return Workspace(said, context, command=command)


def wants_in_process(arguments: argparse.Namespace) -> bool:
    """Whether a command line or the environment says that providers are to be in this process."""
    return arguments.in_process or os.environ.get("KOLUMN_IN_PROCESS", "").strip().lower() in (
        "1",
        "true",
        "yes",
        "on",
    )


@contextmanager
def supplied(arguments: argparse.Namespace) -> Iterator[Supply]:
    """Yield where a command gets providers from that opens no project; they end with it."""
    from kolumn.host.supply import InProcess, Processes

    folder = arguments.chdir
    supply: Supply = InProcess(folder) if wants_in_process(arguments) else Processes(folder)
    try:
        yield supply
    finally:
        supply.close()


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)


def add_execution_options(parser: argparse.ArgumentParser) -> None:
    """Add what the commands that change databases share."""
    group = parser.add_argument_group("execution")
    group.add_argument("--auto-approve", action="store_true", help="do not ask")
    group.add_argument(
        "--keep-partial",
        action="store_true",
        help="after a failure leave what was done instead of undoing it",
    )
    group.add_argument(
        "--backup",
        action="store_true",
        help="save what is destroyed before it is, to files that are verified (docs/backup.md)",
    )
    add_policy_options(parser)


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Add what goes ahead against policies."""
    group = parser.add_argument_group("policies")
    group.add_argument(
        "--override-policy",
        action="append",
        default=[],
        metavar="NAME",
        help="go ahead against this policy, if it says overridable = true; repeatable",
    )
    group.add_argument(
        "--reason", default="", metavar="TEXT", help="why a policy is overruled; kept with the result"
    )


def context(arguments: argparse.Namespace) -> Context:
    """Return the context of a command: its deadline, and what a signal cancels."""
    from kolumn.contract.context import Context

    background = Context.background()
    timeout = getattr(arguments, "timeout", None)
    return background if timeout is None else background.with_timeout(timeout)


def show_warnings(workspace: Workspace, console: Console) -> None:
    """Write the warnings of the configuration beside the result."""
    for problem in workspace.configuration.warnings:
        console.note(f"Warning: {problem}")
