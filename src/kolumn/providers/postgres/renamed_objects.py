"""What a renamed relation, routine or type does to the texts that name it.

PostgreSQL keeps the objects themselves by number, so its own wording has the new name from then on. A
relation that a query does not call anything else keeps its former name there, as an alias: `FROM films film`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from kolumn.engine.operations import Rename
from kolumn.providers.postgres.keywords import RESERVED
from kolumn.providers.postgres.mentions import Name, relation_places, user_type
from kolumn.providers.postgres.tokens import (
    QUOTED,
    STRING,
    WORD,
    Token,
    identifier,
    literal,
    quote,
    tokenize,
    value,
)
from kolumn.providers.postgres.types import TypeName, read_type

_RELATIONS = frozenset({"table", "view", "materialized_view", "sequence"})
_ROUTINES = frozenset({"function", "procedure", "aggregate"})
_TYPES = frozenset({"enum", "domain", "composite_type", "range_type"})
_BEFORE_ALIASED = frozenset({"from", "join", ",", "only", "("})

Piece = tuple[int, int, str]
"""Where a text has something else from then on, and what."""


def text_change(rename: Rename) -> Callable[[str], str]:
    """Return what a rename does to the texts of SQL that may name the object: the text it becomes."""
    kind, before, after = rename.subject.type, rename.before, rename.after
    find = next((find for kinds, find in _FINDERS if kind in kinds), None)
    if find is None:
        return _unchanged
    schema = rename.subject.schema
    old, new = Name(before.name, schema), Name(after.name, schema)
    return lambda text: _changed(find, text, old, new)


def type_change(rename: Rename) -> Callable[[str], str]:
    """Return what a rename does to the name of a type: the name it becomes."""
    if rename.subject.type not in _TYPES | _RELATIONS:
        return _unchanged
    old = Name(rename.before.name, rename.subject.schema)
    return lambda text: _type(text, old, rename.after.name)


def _unchanged(text: str) -> str:
    return text


@lru_cache(maxsize=4096)
def _changed(find: Callable[[str, Name, Name], Iterator[Piece]], text: str, old: Name, new: Name) -> str:
    if old.name not in text and old.name not in text.lower():
        return text
    parts, end = [], 0
    for start, stop, instead in sorted(find(text, old, new)):
        parts += [text[end:start], instead]
        end = stop
    return "".join([*parts, text[end:]])


def _relations(text: str, old: Name, new: Name) -> Iterator[Piece]:
    tokens = tokenize(text)
    for place in relation_places(tokens):
        end = _chain_end(tokens, place)
        if _name(tokens, place, end) == old:
            aliased = place > 0 and tokens[place - 1].word in _BEFORE_ALIASED and not _has_alias(tokens, end)
            alias = f" {quote(old.name)}" if aliased else ""
            yield tokens[place].start, tokens[end - 1].end, _spelled(tokens, place, end, new) + alias
    for place, token in enumerate(tokens[:-2]):
        if token.kind == STRING and [each.word for each in tokens[place + 1 : place + 3]] == [
            "::",
            "regclass",
        ]:
            inside = tokenize(value(token) or "")
            end = _chain_end(inside, 0) if inside else 0
            if inside and end == len(inside) and _name(inside, 0, end) == old:
                yield token.start, token.end, literal(_spelled(inside, 0, end, new))


def _routines(text: str, old: Name, new: Name) -> Iterator[Piece]:
    tokens = tokenize(text)
    for place, token in enumerate(tokens):
        if token.word == "(" and place and tokens[place - 1].kind in (WORD, QUOTED):
            start = _chain_start(tokens, place - 1)
            if _name(tokens, start, place) == old:
                yield tokens[start].start, tokens[place - 1].end, _spelled(tokens, start, place, new)


def _types(text: str, old: Name, new: Name) -> Iterator[Piece]:
    tokens = tokenize(text)
    for place, token in enumerate(tokens):
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.word in ("::", "as"):
            start = place + 1
        elif after is not None and after.kind == STRING and token.kind in (WORD, QUOTED):
            start = _chain_start(tokens, place)
        else:
            continue
        end = _chain_end(tokens, start) if start < len(tokens) else start
        read = read_type(tokens, start)
        if not isinstance(read, str) and not read[0].built_in and user_type(read[0]) == old:
            yield tokens[start].start, tokens[end - 1].end, _spelled(tokens, start, end, new)


def _type(text: str, old: Name, name: str) -> str:
    tokens = tokenize(text)
    read = read_type(tokens)
    if isinstance(read, str) or read[1] != len(tokens) or read[0].built_in or user_type(read[0]) != old:
        return text
    found = read[0]
    return str(TypeName(name, found.schema, found.modifiers, found.fields, found.array, found.set_of))


def _name(tokens: Sequence[Token], start: int, end: int) -> Name:
    parts = [identifier(each) for each in tokens[start:end:2]]
    schema = parts[-2] if len(parts) > 1 else ""
    return Name(parts[-1], "" if schema == "public" else schema)


def _spelled(tokens: Sequence[Token], start: int, end: int, new: Name) -> str:
    """Return the new name with as much before it as the old one has."""
    before = [each.text for each in tokens[start : end - 1]]
    return "".join([*before, quote(new.name)])


def _has_alias(tokens: Sequence[Token], place: int) -> bool:
    if place >= len(tokens):
        return False
    token = tokens[place]
    return token.word == "as" or token.kind == QUOTED or (token.kind == WORD and token.word not in RESERVED)


def _chain_end(tokens: Sequence[Token], place: int) -> int:
    end = place + 1
    while end + 1 < len(tokens) and tokens[end].word == "." and tokens[end + 1].kind in (WORD, QUOTED):
        end += 2
    return end


def _chain_start(tokens: Sequence[Token], place: int) -> int:
    while place >= 2 and tokens[place - 1].word == "." and tokens[place - 2].kind in (WORD, QUOTED):
        place -= 2
    return place


_FINDERS = ((_RELATIONS, _relations), (_ROUTINES, _routines), (_TYPES, _types))
