"""What a text names: relations, functions, types, sequences. A quick scan that may find too much.

Schemas are as `PostgresDialect.normal_schema` has them: empty for public and where the text says none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from kolumn.providers.postgres.language.keywords import COLUMN_NAME, RESERVED
from kolumn.providers.postgres.language.tokens import identifier, tokenize, value
from kolumn.providers.postgres.language.types import TypeName, read_type
from kolumn.sql.dialect import Relation
from kolumn.sql.tokens import QUOTED, STRING, WORD, Token

_BEFORE_A_RELATION = frozenset(
    {"from", "join", "into", "update", "table", "using", "truncate", "only", "copy"}
)
_FROM_ENDS = frozenset(
    {
        *(
            "where",
            "group",
            "having",
            "order",
            "limit",
            "offset",
            "fetch",
            "for",
            "window",
            "union",
            "except",
        ),
        *("intersect", "select", "set", "values", "returning", "on", "when"),
    }
)
_FROM_IS_SYNTAX = frozenset({"extract", "substring", "trim", "overlay", "position"})
"""What has a FROM between its parentheses that names no relation."""

_SEQUENCE_FUNCTIONS = frozenset({"nextval", "currval", "setval"})
_NOT_CALLED = (RESERVED - {"left", "right"}) | COLUMN_NAME | {"into", "over", "filter", "using", "as"}


class Name(NamedTuple):
    """A function, type or sequence as a text names it."""

    name: str
    schema: str = ""


@lru_cache(maxsize=16384)
def relations(text: str) -> frozenset[Relation]:
    """Return what stands where a statement has tables and views, and what is cast to regclass."""
    tokens = tokenize(text)
    found = {Relation(*_name(tokens, at)) for at in relation_places(tokens)}
    return frozenset(found | {Relation(*each) for each in _quoted_relations(tokens)})


@lru_cache(maxsize=16384)
def functions(text: str) -> frozenset[Name]:
    """Return the names that stand before an opening parenthesis."""
    tokens = tokenize(text)
    found = set()
    for place, token in enumerate(tokens[1:], start=1):
        before = tokens[place - 1]
        if token.word != "(" or before.kind not in (WORD, QUOTED):
            continue
        start = _chain_start(tokens, place - 1)
        if start == place - 1 and before.kind == WORD and before.word in _NOT_CALLED:
            continue
        found.add(_name(tokens, start))
    return frozenset(found)


@lru_cache(maxsize=16384)
def type_names(text: str) -> frozenset[Name]:
    """Return the types that are not built in of casts and of constants such as `mood 'happy'`."""
    tokens = tokenize(text)
    found = set()
    for place, token in enumerate(tokens):
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.word in ("::", "as"):
            read = read_type(tokens, place + 1)
        elif after is not None and after.kind == STRING and token.kind in (WORD, QUOTED):
            read = read_type(tokens, _chain_start(tokens, place))
        else:
            continue
        if not isinstance(read, str) and not read[0].built_in:
            found.add(user_type(read[0]))
    return frozenset(found)


@lru_cache(maxsize=16384)
def sequences(text: str) -> frozenset[Name]:
    """Return what `nextval` and its kin are called with, and what is cast to regclass."""
    tokens = tokenize(text)
    found = set(_quoted_relations(tokens))
    for place, token in enumerate(tokens[:-2]):
        if token.word in _SEQUENCE_FUNCTIONS and tokens[place + 1].word == "(":
            found.update(_in_text(tokens[place + 2]))
    return frozenset(found)


def user_type(parsed: TypeName) -> Name:
    """Return the name of a type that is not built in."""
    return Name(parsed.name, "" if parsed.schema == "public" else parsed.schema)


def relation_places(tokens: Sequence[Token]) -> Iterator[int]:
    """Yield where in `tokens` the name of a relation begins."""
    in_from = [False]
    syntax = [False]
    expected = False
    skip = -1
    for place, token in enumerate(tokens):
        word = token.word
        last = tokens[place - 1].word if place else ""
        if place < skip or last == ".":
            continue
        if word == "(":
            syntax.append(not expected and last in _FROM_IS_SYNTAX)
            in_from.append(expected)
        elif word == ")":
            if len(in_from) > 1:
                in_from.pop()
                syntax.pop()
            expected = False
        elif word in _BEFORE_A_RELATION:
            if not (word == "from" and (syntax[-1] or last == "distinct")):
                in_from[-1] = in_from[-1] or word == "from"
                expected = True
        elif word in _FROM_ENDS or word == ";":
            in_from[-1] = in_from[-1] and word == "on"
            expected = False
        elif word == ",":
            expected = in_from[-1]
        elif expected and word in ("lateral", "rows", "if", "not", "exists"):
            expected = word != "rows"
        elif expected and (token.kind == QUOTED or (token.kind == WORD and word not in RESERVED)):
            skip = _chain_end(tokens, place)
            called = skip < len(tokens) and tokens[skip].word == "(" and last != "into"
            expected = False
            if not called:
                yield place
        else:
            expected = False


def _chain_end(tokens: Sequence[Token], place: int) -> int:
    """Return where the name that begins at `place`, with its schema, ends."""
    end = place + 1
    while end + 1 < len(tokens) and tokens[end].word == "." and tokens[end + 1].kind in (WORD, QUOTED):
        end += 2
    return end


def _chain_start(tokens: Sequence[Token], place: int) -> int:
    while place >= 2 and tokens[place - 1].word == "." and tokens[place - 2].kind in (WORD, QUOTED):
        place -= 2
    return place


def _name(tokens: Sequence[Token], start: int) -> Name:
    """Return the name that begins at `start`: `a`, `schema.a`, or `database.schema.a`."""
    parts = [identifier(each) for each in tokens[start : _chain_end(tokens, start) : 2]]
    schema = parts[-2] if len(parts) > 1 else ""
    return Name(parts[-1], "" if schema == "public" else schema)


def _quoted_relations(tokens: Sequence[Token]) -> Iterator[Name]:
    for place, token in enumerate(tokens[:-2]):
        if token.kind == STRING and tokens[place + 1].word == "::" and tokens[place + 2].word == "regclass":
            yield from _in_text(token)


def _in_text(token: Token) -> Iterator[Name]:
    """Yield the relation a string constant names as SQL would."""
    inside = tokenize(value(token) or "")
    if inside and inside[0].kind in (WORD, QUOTED) and _chain_end(inside, 0) == len(inside):
        yield _name(inside, 0)


@lru_cache(maxsize=16384)
def names(text: str) -> frozenset[str]:
    """Return every name in the text that could be a column's."""
    return frozenset(
        identifier(token)
        for token in tokenize(text)
        if token.kind == QUOTED or (token.kind == WORD and token.word not in RESERVED)
    )
