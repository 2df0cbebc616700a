"""What texts of an object mention, as refs: only those that exist count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kolumn.engine.resource import Ref
from kolumn.providers.duckdb.language import parser
from kolumn.providers.duckdb.language.parser import Mentions
from kolumn.providers.duckdb.language.tokens import (
    fold,
    full_name,
    literal,
    quote,
    string_value,
    tokenize,
    unquote,
)
from kolumn.providers.duckdb.language.types import names_in
from kolumn.sql.tokens import STRING

_RELATIONS = ("table", "view", "stage")


def of_query(text: str, schema: str) -> frozenset[Ref]:
    """Return what a query of an object in `schema` (folded, empty for main) may use."""
    return frozenset(_refs(parser.mentioned(text), schema))


def of_expression(text: str, schema: str) -> frozenset[Ref]:
    """Return what an expression may use."""
    return frozenset(_refs(parser.mentioned_in_expression(text), schema)) if text else frozenset()


def of_type(text: str, schema: str) -> frozenset[Ref]:
    """Return which types a type may be made of."""
    return frozenset(ref for path in names_in(text) for ref in _named(("type",), path, schema))


def with_sequence_renamed(text: str, old: Ref, new: Ref, schema: str) -> str:
    """Return an expression of an object in `schema` with nextval and currval of `old` as those of `new`."""
    found, end = [], 0
    tokens = tokenize(text)
    for at, token in enumerate(tokens[2:], 2):
        called = tokens[at - 1].word == "(" and tokens[at - 2].word in ("NEXTVAL", "CURRVAL")
        path = _path(string_value(token.text)) if called and token.kind == STRING else ()
        if path and old in _named(("sequence",), path, schema):
            name = quote(new.name) if len(path) == 1 else full_name(new.schema, new.name)
            found += [text[end : token.start], literal(name)]
            end = token.end
    return "".join([*found, text[end:]])


def _path(text: str) -> tuple[str, ...]:
    """Return the parts of a name in a text, such as the argument of nextval."""
    return tuple(unquote(each.text) for each in tokenize(text) if each.word != ".")


def _refs(found: Mentions, schema: str) -> Iterator[Ref]:
    for path in found.relations:
        yield from _named(_RELATIONS, path, schema)
        if len(path) > 1:
            yield Ref("attached_database", fold(path[0]))
    for path in found.functions:
        yield from _named(("function",), path, schema)
    for text in found.sequences:
        path = _path(text)
        if path:
            yield from _named(("sequence",), path, schema)
    for path in found.types:
        yield from _named(("type",), path, schema)


def _named(kinds: Iterable[str], path: tuple[str, ...], schema: str) -> Iterator[Ref]:
    """Yield what a name may be: in its schema, or in main and the object's own."""
    name = fold(path[-1])
    places = {_place(path[-2])} if len(path) > 1 else {"", schema}
    for kind in kinds:
        for place in sorted(places):
            yield Ref(kind, name, place)


def _place(schema: str) -> str:
    folded = fold(schema)
    return "" if folded == "main" else folded
