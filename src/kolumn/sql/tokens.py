"""Tokens of SQL, as each database's own scanner cuts them, and what all of them read in the same way.

A provider brings the pattern of its tokens (`scan`); the names of the pattern's groups are the kinds below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

WORD = "word"
"""An unquoted identifier or a keyword."""
QUOTED = "quoted"
"""An identifier in quotes."""
STRING = "string"
NUMBER = "number"
BITS = "bits"
"""A text of bits or bytes, e.g. `X'ff'`."""
PARAMETER = "parameter"
OPERATOR = "operator"
"""An operator, a parenthesis or another sign."""
COMMENT = "comment"
UNFINISHED = "unfinished"
"""A quote or comment that does not end, up to the end of the text."""
ILLEGAL = "illegal"
"""What no token begins with."""

_ASCII_LOWER = {upper: upper + 32 for upper in range(65, 91)}


Edit = tuple[int, int, str]
"""From where to where a text is changed, and to what."""


class Token(NamedTuple):
    """One token; `text[start:end]` of the source is its `text`."""

    kind: str
    text: str
    start: int
    end: int
    word: str
    """A word in one case, an operator as it is, else empty: what the grammar looks at."""


def scan(pattern: re.Pattern[str], text: str) -> list[Token]:
    """Return the tokens of `text`, words in upper case.

    `pattern` matches what is passed over together with the token behind it, in a group named for the token's
    kind, or an empty group `end` at the end of the text. It matches at every place.
    """
    found: list[Token] = []
    new, kind_of = tuple.__new__, Token  # a plan cuts many texts
    for match in pattern.finditer(text):
        kind = match.lastgroup or "end"
        if kind == "end":
            break
        start, end = match.span(kind)
        piece = text[start:end]
        word = piece.upper() if kind == WORD else piece if kind == OPERATOR else ""
        found.append(new(kind_of, (kind, piece, start, end, word)))
    return found


def fold_ascii(identifier: str) -> str:
    """Return an identifier with ASCII letters in lower case and all others kept."""
    return identifier.lower() if identifier.isascii() else identifier.translate(_ASCII_LOWER)


def literal(text: str) -> str:
    """Return `text` as a string literal of standard SQL."""
    return "'" + text.replace("'", "''") + "'"


def closing(tokens: Sequence[Token]) -> dict[int, int]:
    """Return where each parenthesis that is opened in `tokens` is closed again, by where it is opened."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token.word == "(":
            opened.append(place)
        elif token.word == ")" and opened:
            found[opened.pop()] = place
    return found


def without_outer_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return `tokens` without the pairs of parentheses that enclose them all."""
    if len(tokens) < 3 or tokens[0].word != "(" or tokens[-1].word != ")":
        return tokens
    ends = closing(tokens)
    pairs, last = 0, len(tokens) - 1
    while tokens[pairs].word == "(" and ends.get(pairs) == last - pairs and last - 2 * pairs > 1:
        pairs += 1
    return tokens[pairs : len(tokens) - pairs]


def pieces(tokens: Sequence[Token]) -> list[list[Token]]:
    """Return the runs of tokens between commas outside of parentheses, brackets and braces."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word in ("(", "[", "{")) - (token.word in (")", "]", "}"))
        if token.word == "," and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return found if found != [[]] else []


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with other words in some places, which do not overlap."""
    found, end = [], 0
    for start, stop, words in sorted(edits):
        found += [text[end:start], words]
        end = stop
    return "".join([*found, text[end:]])
