"""PostgreSQL's own wording without the parentheses that nobody would write.

The server spells a query out with one pair for every operator and join: `WHERE ((a > 1) AND (b = 2))`. Its
pretty form has fewer, but what is made from that is not always the same: it drops those that tell
`a AND (b AND c)` from `a AND b AND c`. Here only pairs go that leave no trace in what PostgreSQL reads: those
around a whole condition, column or choice, around what binds tighter than the AND or OR beside it, and around
the left side of joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from kolumn.providers.postgres.language.respelling import respelled
from kolumn.providers.postgres.language.tokens import tokenize
from kolumn.sql.tokens import QUOTED, WORD, Token, closing, edited

_CLAUSES = frozenset(
    {
        *(
            "where",
            "group",
            "having",
            "window",
            "order",
            "limit",
            "offset",
            "fetch",
            "for",
            "union",
            "except",
        ),
        *("intersect", "returning", "with", "on", "when"),
    }
)
_JOINS = frozenset({"join", "left", "right", "full", "inner", "cross", "natural"})
_ENDS = _CLAUSES | _JOINS | {"", ")", ",", ";"}
_BEFORE_CONDITIONS = frozenset({"where", "having", "on", "when", "and", "or"})
_CONNECTIVES = frozenset({"and", "or", "not", "between", "case"})
_QUERIES = frozenset({"select", "values", "with", "table", "insert", "update", "delete", "merge"})


@lru_cache(maxsize=8192)
def readable(text: str) -> str:
    """Return a query, a command or an expression of the catalogue without needless parentheses."""
    text = respelled(text)
    tokens = tokenize(text)
    ends = closing(tokens)
    needless: set[int] = set()
    for start in sorted(ends):
        if tokens[start].word == "(" and _is_needless(tokens, start, ends, needless):
            needless |= {start, ends[start]}
    return edited(text, ((tokens[place].start, tokens[place].end, "") for place in needless))


def _is_needless(tokens: Sequence[Token], start: int, ends: dict[int, int], needless: set[int]) -> bool:
    """Whether a pair of parentheses leaves no trace; pairs around it were looked at before."""
    end = ends[start]
    inside = _outer_words(tokens, start, end)
    if not inside or "," in inside or tokens[start + 1].word in _QUERIES:
        return False
    before, after = _beside(tokens, start - 1, -1, needless), _beside(tokens, end + 1, 1, needless)
    if "join" in inside:
        return before in ("from", ",", "(") and after in _ENDS and not _has_alias(tokens, end + 1)
    if before in ("", "where", "having", "on"):
        whole = after in _ENDS and (before != "" or start == 0)
        return whole or (after in ("and", "or") and _CONNECTIVES.isdisjoint(inside))
    match before:
        case "when":
            return after == "then" or (after in ("and", "or") and _CONNECTIVES.isdisjoint(inside))
        case "then":
            return after in ("when", "else", "end")
        case "else":
            return after == "end"
        case "and" | "or":
            ends_here = after in ("and", "or", "then") or after in _ENDS
            return ends_here and _CONNECTIVES.isdisjoint(inside) and not _is_between(tokens, start - 1)
        case "(":
            return after in ("and", "or") and _CONNECTIVES.isdisjoint(inside)
        case "select" | "distinct" | ",":
            return after == "as"
    return False


def _outer_words(tokens: Sequence[Token], start: int, end: int) -> list[str]:
    """Return what stands in a pair of parentheses and in none within."""
    found: list[str] = []
    depth = 0
    for place in range(start + 1, end):
        depth -= tokens[place].word in (")", "]")
        if depth == 0:
            found.append(tokens[place].word or tokens[place].text)
        depth += tokens[place].word in ("(", "[")
    return found


def _beside(tokens: Sequence[Token], place: int, step: int, needless: set[int]) -> str:
    """Return the nearest word that stays; empty at either end of the text."""
    while 0 <= place < len(tokens) and place in needless:
        place += step
    if not 0 <= place < len(tokens):
        return ""
    return tokens[place].word or "name"


def _has_alias(tokens: Sequence[Token], place: int) -> bool:
    if place >= len(tokens):
        return False
    token = tokens[place]
    return token.kind == QUOTED or (token.kind == WORD and token.word not in _ENDS)


def _is_between(tokens: Sequence[Token], place: int) -> bool:
    """Whether an AND belongs to BETWEEN: the last such word before it that no other AND belongs to."""
    depth, ands = 0, 0
    for at in range(place - 1, -1, -1):
        word = tokens[at].word
        if word in (")", "]"):
            depth += 1
        elif word in ("(", "["):
            if depth == 0:
                return False
            depth -= 1
        elif depth == 0 and word == "between":
            return ands == 0
        elif depth == 0 and word == "and":
            ands += 1
    return False
