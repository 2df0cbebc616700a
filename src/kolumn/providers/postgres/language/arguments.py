"""Lists of arguments: `IN a integer, VARIADIC b text[]`, as CREATE FUNCTION and its kin take them.

https://www.postgresql.org/docs/current/sql-createfunction.html; the grammar is that of `func_arg` in gram.y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from kolumn.providers.postgres.language.fragments import expression_fault, fault
from kolumn.providers.postgres.language.keywords import COLUMN_NAME, RESERVED
from kolumn.providers.postgres.language.tokens import identifier, tokenize
from kolumn.providers.postgres.language.types import read_type
from kolumn.sql.tokens import QUOTED, WORD, Token


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a routine."""

    type: str
    """In normal form."""
    name: str = ""
    mode: str = "in"
    """`in`, `out`, `inout` or `variadic`."""
    default: str = ""
    """The expression, as written."""


@lru_cache(maxsize=4096)
def parse_arguments(text: str) -> tuple[Argument, ...] | str:
    """Return the arguments in `text`, or why it is not a list of them; an empty text has none."""
    if not tokenize(text):
        return ()
    why, tokens = fault(text, commas=True)
    if why:
        return why
    found = []
    for part in _parts(tokens):
        argument = _argument(text, part) if part else "it has a comma with no argument beside it"
        if isinstance(argument, str):
            return argument
        found.append(argument)
    return tuple(found)


def identity(arguments: Sequence[Argument]) -> tuple[str, ...]:
    """Return the types that tell a routine from others of its name: those of what goes in."""
    return tuple(each.type for each in arguments if each.mode != "out")


def _parts(tokens: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word in ("(", "[")) - (token.word in (")", "]"))
        if token.word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _argument(text: str, tokens: list[Token]) -> Argument | str:
    default = ""
    for place, token in enumerate(tokens):
        if token.word in ("default", "="):
            if place + 1 == len(tokens):
                return f"it has {token.text} with nothing after it"
            default = text[tokens[place + 1].start : tokens[-1].end]
            if why := expression_fault(default):
                return f"its default {default!r} is not one expression: {why}"
            tokens = tokens[:place]
            break
    mode, tokens = _mode(tokens)
    found = read_type(tokens)
    if not isinstance(found, str) and found[1] == len(tokens):
        return Argument(str(found[0]), mode=mode, default=default)
    if not tokens or not _is_name(tokens[0]):
        return (
            f"it has no type in {text!r}" if not tokens else f"it has {tokens[0].text} where a name belongs"
        )
    name = identifier(tokens[0])
    if mode == "in":
        mode, tokens = _mode(tokens[1:])
    else:
        tokens = tokens[1:]
    found = read_type(tokens)
    if isinstance(found, str):
        return f"the type of {name}: {found}"
    if found[1] != len(tokens):
        return f"the type of {name}: it goes on with {tokens[found[1]].text}"
    return Argument(str(found[0]), name, mode, default)


def _mode(tokens: list[Token]) -> tuple[str, list[Token]]:
    words = [token.word for token in tokens[:2]]
    if words == ["in", "out"]:
        return "inout", tokens[2:]
    if words[:1] and words[0] in ("in", "out", "inout", "variadic"):
        return words[0], tokens[1:]
    return "in", tokens


def _is_name(token: Token) -> bool:
    return token.kind == QUOTED or (
        token.kind == WORD and token.word not in RESERVED and token.word not in COLUMN_NAME
    )
