"""Pieces of SQL from configuration: each must be exactly one type, expression, query or body.

Nothing else gets into a statement, so no attribute can end the statement it is in or begin another one. What a
database's grammar says besides is its provider's to check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kolumn.sql.tokens import ILLEGAL, PARAMETER, UNFINISHED, Token

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}


class Fragments(Protocol):
    """What a provider's module of fragments can tell; each returns why not, empty if all is well."""

    def type_fault(self, text: str, /) -> str:
        """Return why `text` is not one type."""

    def expression_fault(self, text: str, /) -> str:
        """Return why `text` is not one expression."""

    def query_fault(self, text: str, /) -> str:
        """Return why `text` is not one query."""

    def body_fault(self, text: str, /) -> str:
        """Return why `text` is not the whole of a trigger's body."""


def fault(
    tokens: Sequence[Token],
    *,
    commas: bool = False,
    semicolons: bool = False,
    parameters: bool = False,
    refused: Callable[[Token], str] = lambda _: "",
) -> str:
    """Return why tokens cannot stand inside a statement, empty if they can.

    `commas` and `semicolons` allow these outside parentheses; `refused` says what else no fragment has.
    """
    if not tokens:
        return "it is empty"
    opened: list[str] = []
    for token in tokens:
        if token.kind == UNFINISHED:
            return "it has an unfinished quote or comment"
        if token.kind == ILLEGAL:
            return f"it has {token.text!r}, which is no SQL"
        if token.kind == PARAMETER and not parameters:
            return f"it has the parameter {token.text}, and nothing to put there"
        if why := refused(token):
            return why
        word = token.word
        if word in _CLOSING:
            opened.append(word)
        elif word in _OPENING:
            if not opened or opened.pop() != _OPENING[word]:
                return f"it has {word} without {_OPENING[word]}"
        elif word == ";" and (not semicolons or opened):
            return "it has a semicolon outside quotes"
        elif word == "," and not opened and not commas:
            return "it has a comma outside parentheses and quotes"
    return f"it has {opened[-1]} without {_CLOSING[opened[-1]]}" if opened else ""


def embedded(text: str, tokens: Sequence[Token]) -> str:
    """Return a text that passed its check as it can stand inside a statement.

    That is without comments, white space and semicolons at its ends, so that nothing of what comes after it
    ends up in a comment.
    """
    end = len(tokens)
    while end and tokens[end - 1].word == ";":
        end -= 1
    return text[tokens[0].start : tokens[end - 1].end] if end else ""
