"""Where a command's words go: results to standard output, everything else to standard error."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from kolumn.cli.render.style import Style
from kolumn.contract.errors import KolumnError

FORMAT_VERSION = "1"
"""Version of every JSON document the command writes."""


@dataclass(frozen=True, slots=True)
class Console:
    """The streams of one command and how to write to them."""

    command: str
    out: TextIO
    err: TextIO
    json: bool
    style: Style
    """For standard output."""
    err_style: Style

    @classmethod
    def of(cls, command: str, *, json: bool, no_color: bool) -> Console:
        """Return the console of this process."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # whatever the locale, nothing is unprintable
        plain = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return cls(
            command=command,
            out=sys.stdout,
            err=sys.stderr,
            json=json,
            style=Style(not plain and not json and sys.stdout.isatty()),
            err_style=Style(not plain and sys.stderr.isatty()),
        )

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return not self.json and sys.stdin.isatty() and self.err.isatty()

    def print(self, text: str) -> None:
        """Write text for people, and nothing under --json."""
        if not self.json:
            self.out.write(printable(text) + "\n")

    def document(self, fields: Mapping[str, Any]) -> None:
        """Write the command's JSON document."""
        import msgspec

        document = {"format_version": FORMAT_VERSION, "command": self.command, **fields}
        text = msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2)
        self.out.write(text.decode() + "\n")

    def note(self, text: str) -> None:
        """Write a remark beside the result."""
        if not self.json:
            self.err.write(printable(text) + "\n")
            self.err.flush()

    def error(self, error: KolumnError) -> None:
        """Say what went wrong, every problem of it."""
        if self.json:
            self.document(
                {
                    "error": {
                        "category": error.category,
                        "code": error.code,
                        "message": error.message,
                        "problems": [problem.to_json() for problem in error.problems],
                    }
                }
            )
            return
        from kolumn.cli.render.problems import error_text

        self.err.write(printable(error_text(error, self.err_style)) + "\n")

    def failure(self, message: str) -> None:
        """Say that something failed which is no categorised error."""
        if self.json:
            self.document(
                {
                    "error": {
                        "category": "OperationError",
                        "code": "internal_error",
                        "message": message,
                        "problems": [],
                    }
                }
            )
        else:
            self.err.write(f"{self.err_style.error('Error:')} {printable(message)}\n")


def printable(text: str) -> str:
    """Return `text` with everything escaped that could steer the terminal, colours excepted."""
    if not _STEERING.search(text):
        return text
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape", "backslashreplace").decode(), text)


_STEERING = re.compile("[\\x00-\\x08\\x0b-\\x1a\\x1c-\\x1f\\x7f-\\x9f\\ud800-\\udfff]|\\x1b(?!\\[[0-9;]*m)")
