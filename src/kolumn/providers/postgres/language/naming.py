"""The names PostgreSQL gives to what is created without one.

Source: makeObjectName and its callers in src/backend/commands/indexcmds.c, FigureColname in
src/backend/parser/parse_target.c. A name that is taken gets a number at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kolumn.providers.postgres.language.keywords import RESERVED
from kolumn.providers.postgres.language.tokens import NAME_BYTES, clip, identifier, tokenize
from kolumn.providers.postgres.language.types import read_type
from kolumn.sql.tokens import QUOTED, WORD, Token, closing


def object_name(first: str, second: str, label: str) -> str:
    """Return `<first>_<second>_<label>` in 63 bytes at most: the longer of the two names is cut.

    `second` may be empty.
    """
    whole = f"{first}_{second}_{label}" if second else f"{first}_{label}"
    if len(whole.encode()) <= NAME_BYTES and first:
        return whole
    size = NAME_BYTES - len(label.encode()) - 1 - bool(second)
    one, two = len(first.encode()), len(second.encode())
    while one + two > size:
        if one > two:
            one -= 1
        else:
            two -= 1
    return "_".join(part for part in (clip(first, one), clip(second, two), label) if part)


def sequence_name(table: str, column: str) -> str:
    """Return the name of the sequence behind a serial or identity column."""
    return object_name(table, column, "seq")


def not_null_name(table: str, column: str) -> str:
    """Return the name of a NOT NULL constraint; they have names since version 18."""
    return object_name(table, column, "not_null")


def primary_key_name(table: str) -> str:
    """Return the name of a primary key."""
    return object_name(table, "", "pkey")


def foreign_key_name(table: str, columns: Sequence[str], number: str = "") -> str:
    """Return the name of a foreign key; `number` tells it from another one of that name."""
    return object_name(table, _joined(columns), f"fkey{number}")


def check_name(table: str, column: str, number: str = "") -> str:
    """Return the name of a check; `column` is the one it looks at, empty if that is none or many."""
    return object_name(table, column, f"check{number}")


def key_name(table: str, parts: Iterable[str], label: str = "key", number: str = "") -> str:
    """Return the name of a unique (`key`) or exclusion constraint (`excl`) or an index (`idx`).

    `parts` are its columns, those it includes last, and for expressions what `expression_name` says.
    """
    return object_name(table, _joined(_told_apart(parts)), f"{label}{number}")


def expression_name(expression: str) -> str:
    """Return what PostgreSQL calls an expression in the name of an index.

    That is the column or function it is, however cast or collated; else the type it is cast to; else `expr`.
    """
    tokens = tokenize(expression)
    ends, depths = closing(tokens), _depths(tokens)
    start, end = _inside(ends, 0, len(tokens))
    cast = pending = ""
    while end > start:
        if end - start > 2 and tokens[end - 2].word == "collate":
            start, end = _inside(ends, start, end - 2)
            continue
        place = _last_cast(tokens, depths, start, end)
        read = read_type(tokens, place + 1) if place > start else ""
        if isinstance(read, str) or read[1] != end:
            break
        pending = pending or read[0].name
        start, end = _inside(ends, start, place)
        if end < place:
            cast, pending = cast or pending, ""
    if end - start == 1:
        cast = cast or pending
    return _called(tokens[start:end]) or cast or "expr"


def number_of(name: str) -> str:
    """Return the digits at the end of a name, by which one that was taken differs."""
    return name[len(name.rstrip("0123456789")) :]


def _joined(names: Iterable[str]) -> str:
    """Return the names joined, no further one once they are as long as a name can be."""
    text = ""
    for name in names:
        text += f"_{name}" if text else name
        if len(text.encode()) > NAME_BYTES:
            break
    return text


def _told_apart(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        current, number = name, 0
        while current in found:
            number += 1
            current = clip(name, NAME_BYTES - len(str(number))) + str(number)
        found.append(current)
    return found


def _called(tokens: list[Token]) -> str:
    """Return the name of the column or function that all of `tokens` are, empty if they are more."""
    if not tokens or tokens[0].kind not in (WORD, QUOTED):
        return ""
    end = 1
    while end + 1 < len(tokens) and tokens[end].word == "." and tokens[end + 1].kind in (WORD, QUOTED):
        end += 2
    name = identifier(tokens[end - 1])
    first = tokens[0].word
    if end == len(tokens):
        return "" if first in ("null", "true", "false", "default") else name
    if tokens[end].word != "(" or closing(tokens).get(end) != len(tokens) - 1 or first in RESERVED:
        return ""
    return "btrim" if first == "trim" else name


def _depths(tokens: Sequence[Token]) -> list[int]:
    """Return how many parentheses and brackets each token is in."""
    found, depth = [], 0
    for token in tokens:
        depth -= token.word in (")", "]")
        found.append(depth)
        depth += token.word in ("(", "[")
    return found


def _last_cast(tokens: Sequence[Token], depths: Sequence[int], start: int, end: int) -> int:
    """Return where the last `::` outside parentheses is, -1 if there is none."""
    for place in range(end - 1, start, -1):
        if tokens[place].word == "::" and depths[place] == depths[start]:
            return place
    return -1


def _inside(ends: Mapping[int, int], start: int, end: int) -> tuple[int, int]:
    """Return where what is left begins and ends without the parentheses around all of it."""
    while end - start > 2 and ends.get(start) == end - 1:
        start, end = start + 1, end - 1
    return start, end
