"""BETWEEN, IN and comparisons of rows, where PostgreSQL's spelling of them is read as something else.

The server turns them into ANDs and ORs of comparisons, and its parser makes one list of `(a AND b) AND c`. So
`x BETWEEN 1 AND 2 AND y` comes back as `(((x >= 1) AND (x <= 2)) AND y)`, and what is made of that is
`((x >= 1) AND (x <= 2) AND y)`. An AND or OR that stands first in one of its own kind was therefore never
written so: here it gets the words back that it comes from (`transformAExprBetween`, `transformAExprIn` and
`make_row_comparison_op` in src/backend/parser).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from kolumn.providers.postgres.language.tokens import tokenize
from kolumn.sql.tokens import Token, closing

_CONNECTIVES = ("and", "or")
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_BETWEEN: Mapping[tuple[str, ...], str] = {("and", ">=", "<="): "BETWEEN", ("or", "<", ">"): "NOT BETWEEN"}


class _Comparison(NamedTuple):
    """`left operator right`, as texts."""

    left: str
    operator: str
    right: str


@lru_cache(maxsize=16384)
def unnested(text: str) -> str:
    """Return an expression or query of the catalogue with the words back that its nested ANDs and ORs had."""
    if "((" not in text or not any(f") {word} " in text.lower() for word in _CONNECTIVES):
        return text
    tokens = tokenize(text)
    ends = closing(tokens)
    parts, done = [], 0
    for start in sorted(ends):
        if tokens[start].start < done or not _stands_first(tokens, ends, start):
            continue
        words = _original(text, tokens, ends, start)
        if words is not None:
            parts += [text[done : tokens[start].start], words]
            done = tokens[ends[start]].end
    return "".join([*parts, text[done:]]) if parts else text


def _stands_first(tokens: Sequence[Token], ends: dict[int, int], start: int) -> bool:
    """Whether a pair of parentheses around an AND is the first operand of another AND, or so with OR."""
    kind = _connective(tokens, ends, start)
    after = tokens[ends[start] + 1].word if ends[start] + 1 < len(tokens) else ""
    return (
        kind != ""
        and after == kind
        and start > 0
        and tokens[start - 1].word in ("(", "where", "on", "having")
    )


def _connective(tokens: Sequence[Token], ends: dict[int, int], start: int) -> str:
    """Return `and` or `or` if that joins operands in parentheses, and nothing else is there; else nothing."""
    operands = _operands(tokens, ends, start)
    return operands[0] if operands is not None else ""


def _operands(
    tokens: Sequence[Token], ends: dict[int, int], start: int
) -> tuple[str, list[tuple[int, int]]] | None:
    """Return the connective of `(...) AND (...)` and where each operand begins and ends."""
    place, end = start + 1, ends[start]
    found: list[tuple[int, int]] = []
    word = ""
    while place < end:
        if tokens[place].word != "(":
            return None
        found.append((place, ends[place]))
        place = ends[place] + 1
        if place == end:
            break
        if tokens[place].word not in _CONNECTIVES or (word and tokens[place].word != word):
            return None
        word = tokens[place].word
        place += 1
    return (word, found) if word else None


def _original(text: str, tokens: Sequence[Token], ends: dict[int, int], start: int) -> str | None:
    """Return what the AND or OR in a pair of parentheses was written as, None where that is not known."""
    operands = _operands(tokens, ends, start)
    assert operands is not None
    word, places = operands
    chain = _chain(text, tokens, ends, start, word)
    if chain is not None and len({each.left for each in chain}) == 1:
        values = ", ".join(each.right for each in chain)
        if word == "or" and all(each.operator == "=" for each in chain):
            return f"({chain[0].left} IN ({values}))"
        if word == "and" and all(each.operator == "<>" for each in chain):
            return f"({chain[0].left} NOT IN ({values}))"
    symmetric = _symmetric(text, tokens, ends, word, places)
    if symmetric is not None:
        return symmetric
    compared = [_comparison(text, tokens, *place) for place in places]
    if any(each is None for each in compared):
        return None
    given = [each for each in compared if each is not None]
    signs = [each.operator for each in given]
    if len(given) == 2 and given[0].left == given[1].left:
        between = _BETWEEN.get((word, *signs))
        if between is not None:
            return f"({given[0].left} {between} {given[0].right} AND {given[1].right})"
    row = {("and", "="): "=", ("or", "<>"): "<>"}.get((word, signs[0]))
    if row is not None and len(set(signs)) == 1:
        left, right = (", ".join(each[side] for each in given) for side in (0, 2))
        return f"(ROW({left}) {row} ROW({right}))"
    return None


def _symmetric(
    text: str, tokens: Sequence[Token], ends: dict[int, int], word: str, places: list[tuple[int, int]]
) -> str | None:
    """Return BETWEEN SYMMETRIC, which is two of the other kind with the limits swapped."""
    if len(places) != 2:
        return None
    halves: list[list[_Comparison]] = []
    for start, _ in places:
        operands = _operands(tokens, ends, start)
        if operands is None or operands[0] == word or len(operands[1]) != 2:
            return None
        compared = (_comparison(text, tokens, *place) for place in operands[1])
        halves.append([each for each in compared if each is not None])
    (low, high), (swapped_low, swapped_high) = (half if len(half) == 2 else [None, None] for half in halves)
    if low is None or high is None or swapped_low is None or swapped_high is None:
        return None
    inner = "and" if word == "or" else "or"
    between = _BETWEEN.get((inner, low.operator, high.operator), "")
    same = {low.left, high.left, swapped_low.left, swapped_high.left} == {low.left}
    swapped = swapped_low == (low.left, low.operator, high.right) and swapped_high == (
        low.left,
        high.operator,
        low.right,
    )
    return (
        f"({low.left} {between} SYMMETRIC {low.right} AND {high.right})"
        if between and same and swapped
        else None
    )


def _chain(
    text: str, tokens: Sequence[Token], ends: dict[int, int], start: int, word: str
) -> list[_Comparison] | None:
    """Return the comparisons of `((a OR b) OR c)`, of which each but the first stands second."""
    operands = _operands(tokens, ends, start)
    if operands is None or operands[0] != word or len(operands[1]) != 2:
        return None
    (first, first_end), (second, second_end) = operands[1]
    last = _comparison(text, tokens, second, second_end)
    alone = _comparison(text, tokens, first, first_end)
    before = [alone] if alone is not None else _chain(text, tokens, ends, first, word)
    return [*before, last] if before is not None and last is not None else None


def _comparison(text: str, tokens: Sequence[Token], start: int, end: int) -> _Comparison | None:
    """Return what a pair of parentheses compares, None if it is anything else."""
    depth = 0
    sign = -1
    for place in range(start + 1, end):
        word = tokens[place].word
        depth -= word in (")", "]")
        if depth == 0:
            if word in ("and", "or", "not", "is", "in", "between", "like", "any", "all", ","):
                return None
            if word in _COMPARISONS:
                if sign >= 0:
                    return None
                sign = place
        depth += word in ("(", "[")
    if sign in (-1, start + 1, end - 1):
        return None
    left = text[tokens[start + 1].start : tokens[sign - 1].end]
    right = text[tokens[sign + 1].start : tokens[end - 1].end]
    return _Comparison(left, tokens[sign].word, right)
