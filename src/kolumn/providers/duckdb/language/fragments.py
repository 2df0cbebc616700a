"""Pieces of SQL from configuration: each must be exactly one type, expression, query or change of rows."""

from __future__ import annotations

from functools import lru_cache

from kolumn.providers.duckdb.language import parser
from kolumn.providers.duckdb.language.parser import Unparsable
from kolumn.providers.duckdb.language.tokens import tokenize
from kolumn.providers.duckdb.language.types import parse_type
from kolumn.sql import fragments

_QUERIES = frozenset({"SELECT", "MULTI"})
"""Kinds of statements that return rows; PIVOT is several in one to the parser."""


def fault(text: str, *, commas: bool = False) -> str:
    """Return why `text` cannot stand inside a statement, empty if it can; `commas`: outside parentheses too."""
    tokens = tokenize(f"{text}\n\0)")
    if len(tokens) < 2 or tokens[-1].word != ")" or tokens[-2].text != "\0":
        return "it has an unfinished quote or comment"
    return fragments.fault(tokens[:-2], commas=commas)


@lru_cache(maxsize=65536)
def expression_fault(text: str) -> str:
    """Return why `text` is not one expression, empty if it is."""
    if why := fault(text):
        return why
    try:
        if parser.is_star(text):
            return "it stands for several columns"
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
    return "" if kind in _QUERIES else "it is no query: it does not return rows"


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


def body_fault(text: str) -> str:
    """Return why `text` is not exactly one INSERT, UPDATE or DELETE."""
    if why := fault(text, commas=True):
        return why
    try:
        kind = parser.kind_of_statement(text)
    except Unparsable as error:
        return f"DuckDB says: {error}"
    return "" if kind in ("INSERT", "UPDATE", "DELETE", "MERGE_INTO") else "it changes no rows"
