"""Faults in configuration files: where they stand, what the reader sees, what they probably meant."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from kolumn.contract.errors import Location, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECRET_NAME = re.compile(
    r"(?i)(pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential"
    r"|dsn|connection_string|_url\b|://)"
)
_HEADER = re.compile(r"^[^\W\d]\w*", re.MULTILINE)
_PLAIN_HEADER = re.compile(
    r'(?:create|discover|output|module|variable|provider|policy)(?: "[\w.-]*"){1,2} \{'
)
"""Headers of blocks: by far the most lines asked for, and nothing in them to hide."""
_OPEN_BLOCKS = frozenset(
    {"create", "discover", "output", "locals", "module", "moved", "kolumn", "state", "policy", "policies"}
)
"""Blocks whose lines are shown; those of providers and variables may hold secrets."""
_HARMLESS = re.compile(
    r"\s*((type|description|sensitive|nullable|condition|error_message)\s*=|validation\b|\}"
    r"|(provider|variable)\s*\"[^\"]*\"\s*(\"[^\"]*\"\s*)?\{\s*$)"
)
_LONGEST_LINE = 200


class Source:
    """One file's text; turns offsets into locations."""

    __slots__ = ("__dict__", "name", "private", "text")

    def __init__(self, name: str, text: str, *, private: bool = False) -> None:
        self.name = name
        self.text = text
        self.private = private
        """True for files that hold values (`.klvars`): their lines are never shown."""

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *accumulate([len(line) + 1 for line in self.text.split("\n")[:-1]])]

    @cached_property
    def _headers(self) -> list[tuple[int, str]]:
        """Where lines begin with a word, as top-level blocks do, and that word."""
        return [(match.start(), match.group()) for match in _HEADER.finditer(self.text)]

    @cached_property
    def _holds_secrets(self) -> bool:
        """Whether there are secrets in the file; a broken file may have them in any line."""
        return "sensitive" in self.text or _SECRET_NAME.search(self.text) is not None

    def location(self, start: int, end: int | None = None) -> Location:
        """Return the place of `start`..`end` (offsets in characters)."""
        start = max(0, min(start, len(self.text)))
        row = bisect_right(self._line_starts, start) - 1
        begin = self._line_starts[row]
        stop = self._line_starts[row + 1] - 1 if row + 1 < len(self._line_starts) else len(self.text)
        line = self.text[begin:stop].rstrip("\r")
        length = max(1, min(end if end is not None else start + 1, stop) - start)
        column = start - begin + 1
        if len(line) > _LONGEST_LINE:
            return Location(self.name, row + 1, column)
        if _PLAIN_HEADER.fullmatch(line):
            return Location(self.name, row + 1, column, line, length)
        if self._hides(line, begin):
            line = _covered(line, re.search(r"[=:]", line))
        elif self._holds_secrets:
            line = _covered(line, re.search(r"[=:][^\"]*\"", line) or re.search(r"$", line))
        return Location(self.name, row + 1, column, line, length)

    def _hides(self, line: str, begin: int) -> bool:
        """Tell whether a line may hold a secret, also when the file does not parse."""
        if self.private or _SECRET_NAME.search(line):
            return True
        if self.name.endswith(".json"):
            return '"sensitive"' in self.text or '"provider"' in self.text
        row = bisect_right(self._headers, (begin, "\uffff"))
        header = self._headers[row - 1][1] if row else ""
        return header not in _OPEN_BLOCKS and not ("default" not in line and _HARMLESS.match(line))


def _covered(line: str, begin: re.Match[str] | None) -> str:
    """Return a line with everything after a match covered, so that a caret still fits."""
    cut = begin.end() if begin else 0
    return line[:cut] + re.sub(r"\S", "*", line[cut:])


class Fault(Exception):
    """One fault found while parsing or evaluating; offsets belong to the source at hand.

    `start` below 0 means: the place of whatever is being evaluated.
    """

    def __init__(
        self,
        message: str,
        start: int = -1,
        end: int = -1,
        *,
        hint: str = "",
        code: str = "invalid_expression",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.hint = hint
        self.code = code

    def spanning(self, start: int, end: int) -> Fault:
        """Fill in the place where it is unknown; returns itself."""
        if self.start < 0:
            self.start, self.end = start, end
        return self

    def problem(self, source: Source | None, location: Location | None = None, resource: str = "") -> Problem:
        """Return it as a Problem; `location` is used when the fault has no place of its own."""
        if source is not None and self.start >= 0:
            location = source.location(self.start, self.end)
        return Problem(self.message, code=self.code, hint=self.hint, location=location, resource=resource)


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a hint with the nearest known name, or `otherwise`."""
    import difflib  # only a fault needs it

    close = difflib.get_close_matches(name[:100], sorted({item for item in known if item}), n=1, cutoff=0.6)
    return f'Did you mean "{close[0]}"?' if close else otherwise
