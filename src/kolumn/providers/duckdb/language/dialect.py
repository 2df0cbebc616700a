"""What means the same to DuckDB, and what is exactly one piece of its language."""

from __future__ import annotations

import contextlib
import dataclasses
from functools import lru_cache

from kolumn.engine.operations import Risk
from kolumn.providers.duckdb.language import parser
from kolumn.providers.duckdb.language.parser import Unparsable
from kolumn.providers.duckdb.language.tokens import (
    ILLEGAL,
    NUMBER,
    PARAMETER,
    QUOTED,
    STRING,
    WORD,
    fold,
    normal,
    quote,
    tokenize,
    unquote,
    without_outer_parentheses,
)
from kolumn.providers.duckdb.language.types import conversion_risks, normal_type, parse_type
from kolumn.sql.dialect import Dialect, Relation
from kolumn.sql.model import Column, Constraint, PrimaryKey, Table

_CONSTANTS = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"})
_QUERIES = frozenset({"SELECT", "MULTI"})
"""Kinds of statements that return rows; PIVOT is several in one to the parser."""


def fault(text: str, *, commas: bool = False) -> str:
    """Return why `text` cannot stand inside a statement, empty if it can; `commas`: outside parentheses too."""
    tokens = tokenize(f"{text}\n\0)")
    if len(tokens) < 2 or tokens[-1].word != ")" or tokens[-2].text != "\0":
        return "has an unfinished quote or comment"
    del tokens[-2:]
    closing: list[str] = []
    for token in tokens:
        if token.kind == ILLEGAL:
            return f"has {token.text!r}, which is no SQL"
        if token.kind == PARAMETER:
            return f"has the parameter {token.text}, and nothing to put there"
        match token.word:
            case "(" | "[" | "{":
                closing.append({"(": ")", "[": "]", "{": "}"}[token.word])
            case ")" | "]" | "}":
                if not closing or closing.pop() != token.word:
                    return f"has a {token.word} that closes nothing"
            case ";":
                return "has a semicolon outside quotes"
            case "," if not closing and not commas:
                return "has a comma outside parentheses and quotes"
    if closing:
        return f"lacks a {closing[-1]}"
    return "" if tokens else "is empty"


@lru_cache(maxsize=65536)
def normal_expression(text: str) -> str:
    """Return the form in which expressions are compared."""
    tokens = tokenize(text)
    if len(tokens) > 1 or (tokens and tokens[0].kind not in (NUMBER, STRING)):
        with contextlib.suppress(Unparsable):
            tokens = tokenize(parser.expression_wording(text))
    return normal(without_outer_parentheses(tokens))


@lru_cache(maxsize=65536)
def normal_statement(text: str) -> str:
    """Return the form in which queries, and bodies that are none, are compared."""
    try:
        return normal(tokenize(parser.query_wording(text)))
    except Unparsable:
        return normal(tokenize(text))


@lru_cache(maxsize=65536)
def expression_fault(text: str) -> str:
    """Return why `text` is not one expression, empty if it is."""
    if why := fault(text):
        return why
    try:
        if parser.is_star(text):
            return "stands for several columns"
        parser.expression_wording(text)
    except Unparsable as error:
        return f"DuckDB says: {error}"
    return ""


@lru_cache(maxsize=65536)
def query_fault(text: str) -> str:
    """Return why `text` is not one query."""
    if why := fault(text, commas=True):
        return why
    try:
        kind = parser.kind_of_statement(text)
    except Unparsable as error:
        return f"DuckDB says: {error}"
    return "" if kind in _QUERIES else "is no query: it does not return rows"


@lru_cache(maxsize=65536)
def type_fault(text: str) -> str:
    """Return why `text` is not one type."""
    if why := fault(text):
        return why
    try:
        parse_type(text)
    except Unparsable as error:
        return f"DuckDB says: {error}"
    except KeyError:
        return "it has an argument that no type has"
    return ""


class DuckDBDialect(Dialect):
    """DuckDB's language."""

    name = "duckdb"
    inline_foreign_keys = True
    renames = frozenset({"table", "view", "stage"})
    relation_types = ("table", "view", "stage")

    def fold(self, identifier: str) -> str:
        """Return `identifier` with ASCII letters in lower case."""
        return fold(identifier)

    def normal_schema(self, name: str) -> str:
        """Return the folded name, empty for main."""
        folded = fold(name)
        return "" if folded == "main" else folded

    def normal_type(self, type_name: str) -> str:
        """Return the type's tree with folded names."""
        return normal_type(type_name)

    def normal_expression(self, text: str) -> str:
        """Return what DuckDB's parser makes of the expression."""
        return normal_expression(text)

    def normal_statement(self, text: str) -> str:
        """Return what DuckDB's parser makes of the query."""
        return normal_statement(text)

    def normal_table(self, table: Table) -> Table:
        """Return `table` with the columns of its primary key as not null."""
        if table.primary_key is None:
            return table
        key = {part.column for part in table.primary_key.columns}
        columns = tuple(
            dataclasses.replace(each, not_null=True) if each.name in key else each for each in table.columns
        )
        return dataclasses.replace(table, columns=columns)

    def generated_name(self, table: str, constraint: Constraint) -> bool:
        """Return yes: DuckDB keeps no names of constraints."""
        return True

    def type_change_risks(self, table: str, before: Column, after: Column) -> tuple[Risk, ...]:
        """Return what becomes of values."""
        return tuple(conversion_risks(f"{table}.{after.name}", before.type, after.type))

    def relations(self, text: str) -> frozenset[Relation]:
        """Return the tables and views that a query or expression reads."""
        query = text if self.check_query(text) is None else f"SELECT (\n{text}\n)"
        return frozenset(
            Relation(fold(path[-1]), fold(path[-2]) if len(path) > 1 else "")
            for path in parser.mentioned(query).relations
        )

    def with_column_renamed(self, text: str, old: str, new: str) -> str:
        """Return the expression with the column's name changed, as RENAME COLUMN does."""
        found, end = [], 0
        for token in tokenize(text):
            if token.kind in (WORD, QUOTED) and fold(unquote(token.text)) == fold(old):
                found += [text[end : token.start], quote(new)]
                end = token.end
        return "".join([*found, text[end:]])

    def check_identifier(self, name: str) -> str | None:
        """Return why DuckDB cannot have this name."""
        if "\0" in name:
            return "has a NUL character in it"
        try:
            name.encode()
        except UnicodeEncodeError:
            return "is no valid Unicode text"
        return None

    def check_type(self, text: str) -> str | None:
        """Return why `text` is not exactly one type."""
        return type_fault(text) or None

    def check_expression(self, text: str) -> str | None:
        """Return why `text` is not exactly one expression."""
        return expression_fault(text) or None

    def check_query(self, text: str) -> str | None:
        """Return why `text` is not exactly one query."""
        return query_fault(text) or None

    def check_body(self, text: str) -> str | None:
        """Return why `text` is not exactly one INSERT, UPDATE or DELETE."""
        if why := fault(text, commas=True):
            return why
        try:
            kind = parser.kind_of_statement(text)
        except Unparsable as error:
            return f"DuckDB says: {error}"
        return None if kind in ("INSERT", "UPDATE", "DELETE", "MERGE_INTO") else "it changes no rows"

    def is_constant(self, word: str) -> bool:
        """Whether `word` is NULL, TRUE, FALSE or one of CURRENT_*."""
        return word.upper() in _CONSTANTS


def key_columns(table: Table) -> tuple[str, ...]:
    """Return the columns of a table's primary key."""
    keys = (each for each in table.constraints() if isinstance(each, PrimaryKey))
    return tuple(part.column for each in keys for part in each.columns)
