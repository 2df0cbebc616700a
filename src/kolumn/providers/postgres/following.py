"""What renaming a schema, a type, a value of an enum, a relation or a routine does to the texts of others.

PostgreSQL keeps what texts mean by number, so its own wording of them has the new name from then on. A
relation that a query does not call anything else keeps its former name there, as an alias: `FROM films film`.
Bodies of routines are texts to it, and stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from kolumn.engine.operations import Operation, Rename
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.language.keywords import RESERVED
from kolumn.providers.postgres.language.mentions import Name, relation_places
from kolumn.providers.postgres.language.tokens import identifier, literal, quote, tokenize, value
from kolumn.providers.postgres.language.types import TypeName, parse_type, read_type
from kolumn.sql import reference
from kolumn.sql.operations import AlterObject
from kolumn.sql.tokens import QUOTED, STRING, WORD, Edit, Token, edited

_SQL = frozenset({"expression", "default", "query", "argument", "bounds", "command"})
"""Grammars of texts in which names are found among other things."""
_NAMES = frozenset(
    {
        "name",
        "object_name",
        "operator",
        "operator_name",
        "qualified",
        "qualified_sign",
        "relation",
        "reference",
    }
)
"""Grammars of texts that are a name, with its schema before it."""

RELATIONS = frozenset({"table", "view", "materialized_view", "sequence"})
ROUTINES = frozenset({"function", "procedure", "aggregate"})
TYPES = frozenset({"enum", "domain", "composite_type", "range_type"})
_BEFORE_ALIASED = frozenset({"from", "join", ",", "only", "("})
"""What a relation that can have an alias stands after."""


@dataclass(frozen=True, kw_only=True)
class RenameValue(AlterObject):
    """Give a value another name; rows, defaults and views that have it follow."""

    RENAMES: ClassVar[bool] = True

    old: str
    new: str

    def describe(self) -> str:
        """Return `rename value <old> of <enum> to <new>`."""
        return f"rename value {self.old} of {self.subject} to {self.new}"

    def inverse(self) -> Operation:
        """Return the rename back."""
        return RenameValue(
            subject=self.subject,
            before=self.after,
            after=self.before,
            fields=self.fields,
            old=self.new,
            new=self.old,
        )


def text_change(operation: Operation) -> Callable[[str, str], str] | None:
    """Return what a rename does to a text of a grammar; None for what leaves all texts as they are."""
    if isinstance(operation, RenameValue):
        enum, labels = _named(operation.subject), (operation.old, operation.new)
        return lambda grammar, text: with_label_renamed(grammar, text, enum, *labels)
    if not isinstance(operation, Rename):
        return None
    kind = operation.subject.type
    if kind == "schema":
        names = operation.subject.name, operation.target.name
        return lambda grammar, text: with_schema_renamed(grammar, text, *names)
    old = Name(operation.before.name, operation.subject.schema)
    new = Name(operation.after.name, operation.target.schema)
    if kind in ROUTINES:
        return lambda grammar, text: with_routine_renamed(grammar, text, old, new)
    if kind in TYPES:
        return lambda grammar, text: with_type_renamed(grammar, text, old, new)
    if kind in RELATIONS:
        return lambda grammar, text: with_relation_renamed(
            grammar, with_type_renamed(grammar, text, old, new), old, new
        )
    return None


def _named(ref: Ref) -> Name:
    return Name(ref.name, ref.schema)


def with_schema_renamed(grammar: str, text: str, old: str, new: str) -> str:
    """Return a text with schema `old` called `new`."""
    if grammar == "schema":
        return new if text == old else text
    if grammar in _NAMES:
        prefix = f"{reference.quote(old)}."
        return f"{reference.quote(new)}.{text.removeprefix(prefix)}" if text.startswith(prefix) else text
    if grammar == "type":
        parsed = parse_type(text)
        if isinstance(parsed, str) or parsed.schema != old:
            return text
        return str(replace(parsed, schema=new))
    return _edited(text, _schema_edits, old, new) if grammar in _SQL else text


def with_type_renamed(grammar: str, text: str, old: Name, new: Name) -> str:
    """Return a text with type `old` called `new`; schemas are empty for public."""
    if grammar == "type":
        parsed = parse_type(text)
        if isinstance(parsed, str) or not _is(parsed, old):
            return text
        return str(replace(parsed, name=new.name, schema=new.schema))
    return _edited(text, _type_edits, old, new) if grammar in _SQL else text


def with_label_renamed(grammar: str, text: str, enum: Name, old: str, new: str) -> str:
    """Return a text with the constants of an enum that are value `old` turned into value `new`."""

    def edits(tokens: Sequence[Token]) -> Iterator[Edit]:
        for place, token in enumerate(tokens[:-2]):
            if token.kind == STRING and tokens[place + 1].word == "::" and value(token) == old:
                read = read_type(tokens, place + 2)
                if not isinstance(read, str) and _is(read[0], enum) and not read[0].array:
                    yield token.start, token.end, literal(new)

    return edited(text, edits(tokenize(text))) if grammar in _SQL else text


def with_relation_renamed(grammar: str, text: str, old: Name, new: Name) -> str:
    """Return a text with a table, view or sequence `old` called `new`."""
    return _edited(text, _relation_edits, old, new) if grammar in _SQL else text


def with_routine_renamed(grammar: str, text: str, old: Name, new: Name) -> str:
    """Return a text that calls `new` wherever it called `old`."""
    return _edited(text, _routine_edits, old, new) if grammar in _SQL else text


def _edited(
    text: str,
    edits: Callable[[Sequence[Token], Name, Name], Iterator[Edit]],
    old: str | Name,
    new: str | Name,
) -> str:
    before, after = (each if isinstance(each, Name) else Name("", each) for each in (old, new))
    return edited(text, edits(tokenize(text), before, after))


def _schema_edits(tokens: Sequence[Token], old: Name, new: Name) -> Iterator[Edit]:
    """Yield the new name wherever the old one stands before a period and another name."""
    for place, token in enumerate(tokens):
        after = tokens[place + 1].word if place + 1 < len(tokens) else ""
        if _is_name(token) and after == "." and identifier(token) == old.schema:
            if place == 0 or tokens[place - 1].word != ".":
                yield token.start, token.end, quote(new.schema)
        elif token.kind == STRING and after == "::" and tokens[place + 2].word == "regclass":
            inside = value(token) or ""
            made = edited(inside, _schema_edits(tokenize(inside), old, new))
            if made != inside:
                yield token.start, token.end, literal(made)


def _type_edits(tokens: Sequence[Token], old: Name, new: Name) -> Iterator[Edit]:
    """Yield the new name wherever the old one is a type: after `::` or `AS`, and before a constant."""
    place = 0
    while place < len(tokens):
        token = tokens[place]
        before = tokens[place - 1].word if place else ""
        read = read_type(tokens, place) if _is_name(token) and before != "." else "no name"
        if isinstance(read, str) or not _is(read[0], old):
            place += 1
            continue
        parsed, end = read
        constant = end < len(tokens) and tokens[end].kind == STRING
        if before in ("::", "as") or constant or end == len(tokens):
            spelled = str(replace(parsed, name=new.name, schema=new.schema or "public"))
            yield token.start, tokens[end - 1].end, spelled
        place = end


def _is(parsed: TypeName, name: Name) -> bool:
    place = "" if parsed.schema == "public" else parsed.schema
    return not parsed.built_in and (parsed.name, place) == (name.name, name.schema)


def _is_name(token: Token) -> bool:
    return token.kind in (WORD, QUOTED)


def _relation_edits(tokens: Sequence[Token], old: Name, new: Name) -> Iterator[Edit]:
    """Yield the new name, with what is before it, wherever a relation is named; and its alias then."""
    for place, token in enumerate(tokens):
        after = [each.word for each in tokens[place + 1 : place + 3]]
        if token.kind == STRING and after == ["::", "regclass"]:
            inside = tokenize(value(token) or "")
            end = _chain_end(inside, 0) if inside else 0
            if inside and end == len(inside) and _name(inside, 0, end) == old:
                yield token.start, token.end, literal(_spelled(inside, 0, end, new))
    for place in relation_places(tokens):
        end = _chain_end(tokens, place)
        if _name(tokens, place, end) == old:
            before = tokens[place - 1].word if place else ""
            alias = f" {quote(old.name)}" if before in _BEFORE_ALIASED and not _has_alias(tokens, end) else ""
            yield tokens[place].start, tokens[end - 1].end, _spelled(tokens, place, end, new) + alias


def _routine_edits(tokens: Sequence[Token], old: Name, new: Name) -> Iterator[Edit]:
    """Yield the new name, with what is before it, wherever the routine is called."""
    for place, token in enumerate(tokens):
        if token.word == "(" and place and _is_name(tokens[place - 1]):
            start = _chain_start(tokens, place - 1)
            if _name(tokens, start, place) == old:
                yield tokens[start].start, tokens[place - 1].end, _spelled(tokens, start, place, new)


def _name(tokens: Sequence[Token], start: int, end: int) -> Name:
    parts = [identifier(each) for each in tokens[start:end:2]]
    schema = parts[-2] if len(parts) > 1 else ""
    return Name(parts[-1], "" if schema == "public" else schema)


def _spelled(tokens: Sequence[Token], start: int, end: int, new: Name) -> str:
    """Return the new name with as much before it as the old one has."""
    return "".join([*(each.text for each in tokens[start : end - 1]), quote(new.name)])


def _has_alias(tokens: Sequence[Token], place: int) -> bool:
    if place >= len(tokens):
        return False
    token = tokens[place]
    return token.word == "as" or token.kind == QUOTED or (token.kind == WORD and token.word not in RESERVED)


def _chain_end(tokens: Sequence[Token], place: int) -> int:
    end = place + 1
    while end + 1 < len(tokens) and tokens[end].word == "." and _is_name(tokens[end + 1]):
        end += 2
    return end


def _chain_start(tokens: Sequence[Token], place: int) -> int:
    while place >= 2 and tokens[place - 1].word == "." and _is_name(tokens[place - 2]):
        place -= 2
    return place
