"""Entry point: finds the command, runs it, and turns every ending into an exit code.

Only the module of the command that is run is imported, and argparse only learns that one.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import argparse

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "write a small working project"),
    "import": ("importing", "describe a live database as configuration"),
    "validate": ("validate", "check the configuration, without a database"),
    "fmt": ("fmt", "format configuration files"),
    "plan": ("plan", "show what would change"),
    "apply": ("apply", "make the databases match the configuration"),
    "destroy": ("destroy", "remove everything the project manages"),
    "migrate": ("migrate", "write plans as numbered files, and run such files"),
    "backup": ("backup", "list, verify and restore what was saved before it was destroyed"),
    "drift": ("drift", "compare the databases with the state"),
    "audit": ("audit", "show who changed what, and verify that record"),
    "quarantine": ("quarantine", "list, restore or purge what was deleted"),
    "show": ("show", "show a saved plan, a resource or the whole state"),
    "output": ("output", "show the outputs of the last apply"),
    "graph": ("graph", "draw the dependencies of the resources"),
    "state": ("state", "look into, move and restore the state"),
    "policy": ("policy", "list and explain policies"),
    "providers": ("providers", "list installed and configured providers"),
    "conformance": ("conformance", "check a provider against the specification"),
    "schema": ("schema", "document the resource types of a provider"),
    "version": ("version", "show the version"),
}
"""Command: module in `kolumn.cli.commands`, and what it does in a few words."""

OK, FAILED, INTERRUPTED = 0, 1, 130


class UsageError(Exception):
    """A command line that cannot be understood."""


def _spare_the_last_collection() -> None:
    """Let the interpreter's last collection pass over everything, for speed.

    Not where a provider was loaded into this process: drivers complain of what is never collected.
    """
    if "kolumn.engine" not in sys.modules:
        gc.freeze()


def main(argv: Sequence[str] | None = None) -> int:
    """Run `kolumn` with `argv` (default: the process's arguments) and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        # The process is this command, and what it makes lives about as long: collecting would only cost time.
        gc.disable()
        atexit.register(_spare_the_last_collection)
    try:
        code = _run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader has gone; standard output must not be flushed into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED


def _run(given: list[str]) -> int:
    at = command_at(given)
    if at is None:
        return _without_command(given)
    from importlib import import_module

    name = given[at]
    module = import_module(f"kolumn.cli.commands.{COMMANDS[name][0]}")
    try:
        arguments = command_parser(name, module.configure).parse_args([*given[:at], *given[at + 1 :]])
    except UsageError as error:
        return _misused(name, str(error), json="--json" in given)
    if name == "version" and not arguments.json:
        return int(module.run(arguments, None))

    from kolumn.cli.boundary import guarded

    return guarded(name, module.run, arguments)


def command_at(given: Sequence[str]) -> int | None:
    """Return where the command of a command line is: the first word that is no global option or its value."""
    skip = False
    for at, word in enumerate(given):
        if skip:
            skip = False
        elif word in ("-C", "--chdir", "--log-level", "--log-format"):
            skip = True
        elif word in COMMANDS:
            return at
        elif not word.startswith("-"):
            return None
    return None


def command_parser(
    name: str, configure: Callable[[argparse.ArgumentParser], None]
) -> argparse.ArgumentParser:
    """Return the parser of one command, global options included."""
    import argparse

    from kolumn.cli.options import add_global_options

    class Parser(argparse.ArgumentParser):
        """Raises instead of exiting with 2, which means that there are changes."""

        def error(self, message: str) -> NoReturn:
            raise UsageError(message)

    parser = Parser(
        prog=f"kolumn {name}",
        description=COMMANDS[name][1].capitalize() + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_global_options(parser)
    configure(parser)
    return parser


def _misused(name: str, message: str, *, json: bool) -> int:
    from kolumn.cli.console import Console
    from kolumn.contract.errors import ValidationError

    text = f"{message[:1].upper()}{message[1:]}. `kolumn {name} --help` explains the command."
    Console.of(name, json=json, no_color=False).error(ValidationError(text, code="bad_argument"))
    return FAILED


def _without_command(given: list[str]) -> int:
    if "--version" in given:
        from kolumn.version import __version__

        print(f"kolumn {__version__}")
        return OK
    words = [word for word in given if not word.startswith("-")]
    if words and not {"-h", "--help", "help"} & set(given):
        from difflib import get_close_matches

        close = get_close_matches(words[0], COMMANDS, 1)
        hint = f"Did you mean `kolumn {close[0]}`?" if close else "`kolumn --help` lists the commands."
        print(f"Error: there is no command {words[0]!r}. {hint}", file=sys.stderr)
        return FAILED
    if len(words) > 1 and words[0] == "help" and words[1] in COMMANDS:
        return _run([words[1], "--help"])
    print(overview())
    return OK if given else FAILED


def overview() -> str:
    """Return the help of `kolumn` itself."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {words}" for name, (_, words) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: kolumn [-C DIR] [--json] [--no-color] COMMAND ...",
            "",
            "Schema as configuration: write what a database should hold, see what would change, make it so.",
            "",
            "commands:",
            *lines,
            "",
            "global options, before or after the command:",
            "  -C, --chdir DIR      the project folder (default: the current one)",
            "  --json               one JSON document on standard output (docs/json-output.md)",
            "  --no-color           no colour; so does NO_COLOR",
            "  --in-process         load providers into this process; so does KOLUMN_IN_PROCESS",
            "  --log-level LEVEL    debug, info, warn, error or off (default: KOLUMN_LOG, else off)",
            "  --log-format FORMAT  text or json",
            "",
            "`kolumn COMMAND --help` explains a command with examples.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
