"""Reads the clauses that the server spells out: CREATE INDEX, EXCLUDE and PARTITION BY, as ruleutils.c writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.language.parameters import NONE, Parameters
from kolumn.providers.postgres.language.tokens import identifier, tokenize, value
from kolumn.providers.postgres.tables.model import ExclusionPart, PartitionBy, PostgresKeyPart
from kolumn.sql.tokens import QUOTED, WORD, Token, closing, pieces, without_outer_parentheses

_AFTER_COLUMNS = frozenset({"collate", "with", "desc", "asc", "nulls"})


@dataclass(frozen=True, slots=True)
class IndexClause:
    """What CREATE INDEX says after its name."""

    unique: bool
    only: bool
    method: str
    parts: tuple[PostgresKeyPart, ...]
    include: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True)
class ExclusionClause:
    """What EXCLUDE says."""

    method: str
    parts: tuple[ExclusionPart, ...]
    where: str


def parse_index(text: str) -> IndexClause:
    """Read what `pg_get_indexdef` returns."""
    reader = _Reader(text)
    reader.take("create")
    unique = reader.take("unique")
    reader.take("index")
    reader.name()
    reader.take("on")
    only = reader.take("only")
    reader.name()
    reader.take("using")
    method = reader.word()
    parts = tuple(_key_part(text, each) for each in reader.list())
    include: tuple[str, ...] = ()
    if reader.take("include"):
        include = tuple(identifier(each[0]) for each in reader.list())
    return IndexClause(unique, only, method, parts, include, reader.predicate())


def parse_exclusion(text: str) -> ExclusionClause:
    """Read what `pg_get_constraintdef` returns for an exclusion constraint."""
    reader = _Reader(text)
    reader.take("exclude")
    reader.take("using")
    method = reader.word()
    parts = tuple(_exclusion_part(text, each) for each in reader.list())
    return ExclusionClause(method, parts, reader.predicate())


def parse_partition_key(text: str) -> PartitionBy:
    """Read what `pg_get_partkeydef` returns."""
    reader = _Reader(text)
    strategy = reader.word()
    return PartitionBy(strategy=strategy, columns=tuple(_key_part(text, each) for each in reader.list()))


class _Reader:
    """A text of the server's, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._ends = closing(self._tokens)
        self._at = 0

    def take(self, word: str) -> bool:
        """Take the next token if it is `word`, and say whether it was."""
        taken = self._at < len(self._tokens) and self._tokens[self._at].word == word
        self._at += taken
        return taken

    def word(self) -> str:
        """Take a name."""
        self._at += 1
        return identifier(self._tokens[self._at - 1])

    def name(self) -> None:
        """Take a name with its schema."""
        self._at += 1
        while self.take("."):
            self._at += 1

    def list(self) -> Iterator[list[Token]]:
        """Take what stands in parentheses, and yield the tokens between the commas."""
        end = self._ends[self._at]
        yield from pieces(self._tokens[self._at + 1 : end])
        self._at = end + 1

    def predicate(self) -> str:
        """Return what stands after WHERE, empty without it, not looking at what comes before."""
        while self._at < len(self._tokens):
            if self.take("where"):
                end = self._ends[self._at]
                return _written(self._text, without_outer_parentheses(self._tokens[self._at : end + 1]))
            self._at = self._ends.get(self._at, self._at) + 1
        return ""


def _written(text: str, tokens: Sequence[Token]) -> str:
    return text[tokens[0].start : tokens[-1].end]


def _key_part(text: str, tokens: list[Token]) -> PostgresKeyPart:
    found, rest = _element(text, tokens)
    assert not rest, text
    return found


def _exclusion_part(text: str, tokens: list[Token]) -> ExclusionPart:
    found, rest = _element(text, tokens)
    operator = rest[1].text
    if rest[1].word == "operator":
        *schema, sign = (token for token in rest[3:-1] if token.word != ".")
        operator = names.normal_operator(
            f"{names.spelled('', identifier(schema[0]))}.{sign.text}" if schema else sign.text
        )
    return ExclusionPart(
        column=found.column,
        expression=found.expression,
        order=found.order,
        nulls=found.nulls,
        collation=found.collation,
        opclass=found.opclass,
        opclass_parameters=found.opclass_parameters,
        operator=operator,
    )


def _element(text: str, tokens: list[Token]) -> tuple[PostgresKeyPart, list[Token]]:
    """Return the column or expression with what is said of it, and what comes after that."""
    ends = closing(tokens)
    column, expression, at = "", "", 0
    follows = tokens[1].word if len(tokens) > 1 else ""
    if tokens[0].kind in (WORD, QUOTED) and follows not in ("(", "."):
        column, at = identifier(tokens[0]), 1
    else:
        while tokens[at].word != "(":
            at += 1
        at = ends[at] + 1
        inner = tokens[:at] if tokens[0].word != "(" else without_outer_parentheses(tokens[:at])
        expression = _written(text, inner)
    collation = opclass = nulls = ""
    parameters, order = NONE, "asc"
    if at < len(tokens) and tokens[at].word == "collate":
        collation, at = _qualified(tokens, at + 1)
    if at < len(tokens) and (tokens[at].kind == QUOTED or tokens[at].word not in _AFTER_COLUMNS):
        opclass, at = _qualified(tokens, at)
        if at < len(tokens) and tokens[at].word == "(":
            end = ends[at]
            parameters = Parameters(dict(map(_assignment, pieces(tokens[at + 1 : end]))))
            at = end + 1
    if at < len(tokens) and tokens[at].word in ("asc", "desc"):
        order, at = tokens[at].word, at + 1
    if at < len(tokens) and tokens[at].word == "nulls":
        nulls, at = tokens[at + 1].word, at + 2
    part = PostgresKeyPart(
        column=column,
        expression=expression,
        order=order,
        nulls=nulls,
        collation=collation,
        opclass=opclass,
        opclass_parameters=parameters,
    )
    return part, tokens[at:]


def _qualified(tokens: list[Token], at: int) -> tuple[str, int]:
    first = identifier(tokens[at])
    if at + 1 < len(tokens) and tokens[at + 1].word == ".":
        return names.spelled(first, identifier(tokens[at + 2])), at + 3
    return names.spelled("", first), at + 1


def _assignment(tokens: list[Token]) -> tuple[str, str]:
    text = value(tokens[2])
    return identifier(tokens[0]), tokens[2].text if text is None else text
