"""Queries as far as their tokens tell: which columns come out of them.

https://www.postgresql.org/docs/current/sql-select.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kolumn.providers.postgres.language.tokens import identifier, tokenize
from kolumn.sql.tokens import QUOTED, WORD, Token

_SET_OPERATIONS = frozenset({"union", "intersect", "except"})
_CLAUSES = frozenset({"where", "group", "having", "window", "order", "limit", "offset", "fetch", "for"})
_OPENING = frozenset({"(", "["})
_CLOSING = frozenset({")", "]"})

Words = tuple[str, ...]


class _Select(NamedTuple):
    """One SELECT of a query: what decides names and types of its columns."""

    items: tuple[Words, ...]
    source: Words
    """The FROM clause; of anything but a SELECT, all of it."""


class _Query(NamedTuple):
    """A query: one SELECT, or several with UNION and its kin between them."""

    ahead: Words
    """The WITH clause."""
    operations: Words
    selects: tuple[_Select, ...]


def extends(before: str, after: str) -> bool:
    """Whether `after` surely has the columns of `before`, alike in name and type, and perhaps further ones.

    That is what CREATE OR REPLACE VIEW asks for. Both are queries over the same database; where they are too
    different to tell without it, the answer is no.
    """
    old, new = _parse(before), _parse(after)
    if (old.ahead, old.operations, len(old.selects)) != (new.ahead, new.operations, len(new.selects)):
        return False
    return all(
        mine.source == other.source and other.items[: len(mine.items)] == mine.items
        for mine, other in zip(old.selects, new.selects, strict=True)
    )


def common_table_names(text: str) -> frozenset[str]:
    """Return what a query's WITH clauses call their parts: no relation of that name is meant by them."""
    tokens = tokenize(text)
    found = set()
    for at, token in enumerate(tokens):
        if token.word == "as" and _word(tokens, at + 1) in ("(", "materialized", "not"):
            start = at - 1
            if _word(tokens, start) == ")":
                start = max((place for place in range(start) if tokens[place].word == "("), default=0) - 1
            if start > 0 and tokens[start].kind in (WORD, QUOTED):
                found.add(identifier(tokens[start]))
    return frozenset(found)


def _parse(text: str) -> _Query:
    tokens = tokenize(text)
    while tokens and tokens[-1].word == ";":
        tokens.pop()
    start = 0
    if tokens and tokens[0].word == "with":
        start = next((at for at, depth in _outer(tokens) if depth == 0 and tokens[at].word == "select"), 0)
    parts: list[list[Token]] = [[]]
    operations: list[str] = []
    last = start
    for at, depth in _outer(tokens, start):
        if depth == 0 and tokens[at].word in _SET_OPERATIONS and not _is_label(tokens, at):
            parts[-1] = tokens[last:at]
            operations.append(tokens[at].word)
            last = at + 1
            if last < len(tokens) and tokens[last].word in ("all", "distinct"):
                operations[-1] += tokens[last].word
                last += 1
            parts.append([])
    parts[-1] = tokens[last:]
    return _Query(_words(tokens[:start]), tuple(operations), tuple(map(_select, parts)))


def _select(tokens: list[Token]) -> _Select:
    if not tokens or tokens[0].word != "select":
        return _Select((), _words(tokens))
    start = 1
    if _word(tokens, 1) in ("all", "distinct"):
        start = 2
        if _word(tokens, 2) == "on":
            start = next((at + 1 for at, depth in _outer(tokens, 3)[1:] if depth == 0), len(tokens))
    items: list[Words] = []
    begun, source = start, len(tokens)
    for at, depth in _outer(tokens, start):
        if depth or _is_label(tokens, at):
            continue
        word = tokens[at].word
        if word == ",":
            items.append(_words(tokens[begun:at]))
            begun = at + 1
        elif (word == "from" and not _is_comparison(tokens, at)) or _begins_clause(tokens, at):
            source = at
            break
    items.append(_words(tokens[begun:source]))
    if _word(tokens, source) != "from":
        return _Select(tuple(items), ())
    end = next(
        (at for at, depth in _outer(tokens, source) if depth == 0 and _begins_clause(tokens, at)), len(tokens)
    )
    return _Select(tuple(items), _words(tokens[source:end]))


def _outer(tokens: Sequence[Token], start: int = 0) -> list[tuple[int, int]]:
    """Return place and depth in parentheses of each token; these are as deep as what is around them."""
    found: list[tuple[int, int]] = []
    depth = 0
    for at in range(start, len(tokens)):
        depth -= tokens[at].word in _CLOSING
        found.append((at, depth))
        depth += tokens[at].word in _OPENING
    return found


def _begins_clause(tokens: Sequence[Token], at: int) -> bool:
    within = tokens[at].word == "group" and _word(tokens, at - 1) == "within"
    return tokens[at].word in _CLAUSES and not within and not _is_label(tokens, at)


def _is_comparison(tokens: Sequence[Token], at: int) -> bool:
    """Whether FROM belongs to IS DISTINCT FROM."""
    return _word(tokens, at - 1) == "distinct" and _word(tokens, at - 2) in ("is", "not")


def _is_label(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word is a name because of what stands before it."""
    return at > 0 and tokens[at - 1].word in ("as", ".")


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].word if 0 <= at < len(tokens) else ""


def _words(tokens: Sequence[Token]) -> Words:
    return tuple(token.word or token.text for token in tokens)
