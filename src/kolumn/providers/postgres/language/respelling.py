"""Texts from the catalogue, spelled so that PostgreSQL makes the same of them when it reads them again.

The server spells an implicit cast of a list out as if it were written: `a IN ('x', 'y')` on a `varchar` column comes
back as `(a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[])`. Written so, the cast
would be one of each element instead (`transformTypeCast` in src/backend/parser/parse_expr.c), and the server's text
of the copy would be another one.
"""

from __future__ import annotations

from functools import lru_cache

from kolumn.providers.postgres.language.nesting import unnested
from kolumn.providers.postgres.language.tokens import tokenize
from kolumn.providers.postgres.language.types import TypeName, read_type
from kolumn.sql.tokens import QUOTED, STRING, WORD, Token, closing

_QUANTIFIERS = frozenset({"any", "all", "some"})
_LISTS = {("=", "any"): "IN", ("<>", "all"): "NOT IN"}


@lru_cache(maxsize=16384)
def respelled(text: str) -> str:
    """Return an expression or query of the catalogue with lists and nested conditions as they were written."""
    text = unnested(text)
    if "ARRAY[" not in text:
        return text
    tokens = tokenize(text)
    ends = closing(tokens)
    pieces: list[str] = []
    done = 0
    for place, token in enumerate(tokens):
        if token.word not in _QUANTIFIERS or place + 1 not in ends:
            continue
        found = _quantified(text, tokens, ends, place)
        if found is not None:
            start, end, words = found
            if start >= done:
                pieces += [text[done:start], words]
                done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _quantified(
    text: str, tokens: list[Token], ends: dict[int, int], place: int
) -> tuple[int, int, str] | None:
    """Return what stands in the place of `... ANY (...)`: where that begins and ends in the text, and the words."""
    close = ends[place + 1]
    at = place + 2
    wrapped = tokens[at].word == "("
    at += wrapped
    if tokens[at].word != "array" or tokens[at + 1].word != "[":
        return None
    first, last = at + 2, _bracket(tokens, at + 1)
    after = last + 1 + wrapped
    cast = None
    if after < close:
        read = read_type(tokens, after + 1) if tokens[after].word == "::" else ""
        if isinstance(read, str) or read[1] != close or read[0].modifiers or last == first:
            return None
        cast = read[0]
    list_form = _as_list(text, tokens, place, close, (first, last), cast)
    if list_form is not None:
        return list_form
    if cast is None:
        return None
    array = text[tokens[at].start : tokens[last].end]
    return tokens[place + 1].start, tokens[close].end, f"({array})"


def _as_list(
    text: str, tokens: list[Token], place: int, close: int, inside: tuple[int, int], cast: TypeName | None
) -> tuple[int, int, str] | None:
    """Return `operand IN (...)`, if it is a list of at least two texts and stands in parentheses or alone."""
    word = _LISTS.get((tokens[place - 1].word, tokens[place].word)) if place else None
    values = _texts(tokens, *inside)
    if word is None or values is None or len(values[0]) < 2:
        return None
    start = _operand(tokens, place - 2)
    if start is None:
        return None
    alone_before = start == 0 or tokens[start - 1].word == "("
    alone_after = close + 1 == len(tokens) or tokens[close + 1].word == ")"
    if not (alone_before and alone_after):
        return None
    operand = text[tokens[start].start : tokens[place - 2].end]
    kind = values[1]
    if kind == "varchar":
        if cast is None or str(cast) != "text[]":
            return None
        column = _cast_column(tokens, start, place - 2)
        if column is None:
            return None
        operand = column
    elif kind != "text" or cast is not None:
        return None
    return tokens[start].start, tokens[close].end, f"{operand} {word} ({', '.join(values[0])})"


def _bracket(tokens: list[Token], place: int) -> int:
    """Return where the bracket at `place` is closed."""
    depth = 0
    for at in range(place, len(tokens)):
        depth += (tokens[at].word == "[") - (tokens[at].word == "]")
        if depth == 0:
            return at
    return len(tokens) - 1


def _texts(tokens: list[Token], first: int, last: int) -> tuple[list[str], str] | None:
    """Return the constants of an array of texts and their type's name; None if it is something else."""
    found: list[str] = []
    kinds: set[str] = set()
    at = first
    while at < last:
        if tokens[at].kind != STRING or tokens[at].text[0] not in "'E":
            return None
        read = read_type(tokens, at + 2) if at + 1 < last and tokens[at + 1].word == "::" else ""
        if isinstance(read, str) or read[0].modifiers or read[0].array or not read[0].built_in:
            return None
        found.append(tokens[at].text)
        kinds.add(read[0].name)
        at = read[1]
        if at < last and tokens[at].word != ",":
            return None
        at += 1
    return (found, kinds.pop()) if len(kinds) == 1 else None


def _operand(tokens: list[Token], end: int) -> int | None:
    """Return where a simple operand that ends at `end` begins: a name, a call, or either with a cast."""
    at = end
    if at >= 2 and tokens[at].kind in (WORD, QUOTED) and tokens[at - 1].word == "::":
        at -= 2
    if tokens[at].word == ")":
        depth = 0
        while at >= 0:
            depth += (tokens[at].word == ")") - (tokens[at].word == "(")
            if depth == 0:
                break
            at -= 1
        if at > 0 and tokens[at - 1].kind in (WORD, QUOTED):
            at -= 1
    elif tokens[at].kind not in (WORD, QUOTED):
        return None
    while at >= 2 and tokens[at - 1].word == ".":
        at -= 2
    return at


def _cast_column(tokens: list[Token], start: int, end: int) -> str | None:
    """Return the column of `(column)::text` or `column::text`, None if it is something else."""
    if tokens[end].word != "text" or tokens[end - 1].word != "::":
        return None
    inner = tokens[start : end - 1]
    if inner and inner[0].word == "(" and inner[-1].word == ")":
        inner = inner[1:-1]
    plain = all(
        token.kind in (WORD, QUOTED) if at % 2 == 0 else token.word == "." for at, token in enumerate(inner)
    )
    return "".join(token.text for token in inner) if inner and plain else None
