"""What means the same to SQLite, and what is exactly one piece of its language."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from kolumn.engine.operations import Risk
from kolumn.providers.sqlite import fragments
from kolumn.providers.sqlite.keywords import RESERVED
from kolumn.providers.sqlite.model import SQLiteTable
from kolumn.providers.sqlite.tokens import fold, normal, quote, tokenize, unquote
from kolumn.providers.sqlite.types import conversion_risk
from kolumn.sql.dialect import Dialect, Relation
from kolumn.sql.model import Column, Table
from kolumn.sql.tokens import QUOTED, STRING, WORD, Token, edited, without_outer_parentheses

_CONSTANTS = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"})


@lru_cache(maxsize=65536)
def _normal(text: str) -> str:
    return " ".join(normal(tokenize(text)))


@lru_cache(maxsize=65536)
def _normal_expression(text: str) -> str:
    return " ".join(normal(without_outer_parentheses(tokenize(text))))


_TABLE_FOLLOWS = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "IN", "TABLE"})
_FROM_ENDS = frozenset(
    {
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "LIMIT",
        "WINDOW",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "SELECT",
        "SET",
        "VALUES",
    }
)


@lru_cache(maxsize=65536)
def _relations(text: str) -> frozenset[Relation]:
    """Find names where the grammar has tables: after FROM, JOIN, INTO, UPDATE, IN, and commas of FROM."""
    found = set()
    in_from = [False]
    expected = False
    tokens = iter(tokenize(text))
    previous: list[Token] = []
    for token in tokens:
        word = token.word
        if word in _TABLE_FOLLOWS:
            in_from[-1] = in_from[-1] or word == "FROM"
            expected = True
        elif word in _FROM_ENDS or word == ";":
            in_from[-1] = expected = False
        elif word == "(":
            in_from.append(expected)
        elif word == ")":
            if len(in_from) > 1:
                in_from.pop()
            expected = False
        elif word == ",":
            expected = in_from[-1]
        elif word == "OR" and expected:
            next(tokens, None)  # UPDATE OR IGNORE
        elif expected and word not in RESERVED and token.kind in (WORD, QUOTED, STRING):
            previous = [token]
            expected = False
        elif word == "." and previous:
            name = next(tokens, None)
            if name is not None:
                found.add(Relation(fold(unquote(name.text)), normal_schema(unquote(previous[0].text))))
            previous = []
            continue
        if previous and previous[0] is not token:
            found.add(Relation(fold(unquote(previous[0].text)), ""))
            previous = []
    found |= {Relation(fold(unquote(token.text)), "") for token in previous}
    return frozenset(found)


def normal_schema(name: str) -> str:
    """Return a schema's folded name, empty for main."""
    folded = fold(name)
    return "" if folded == "main" else folded


class SQLiteDialect(Dialect):
    """SQLite's language."""

    name = "sqlite"
    fragments = fragments
    inline_foreign_keys = True
    renames = frozenset({"table"})

    def fold(self, identifier: str) -> str:
        """Return `identifier` with ASCII letters in lower case."""
        return fold(identifier)

    def normal_schema(self, name: str) -> str:
        """Return the folded name, empty for main."""
        return normal_schema(name)

    def normal_type(self, type_name: str) -> str:
        """Return the type's tokens, without case and quotes."""
        return _normal(type_name)

    def normal_expression(self, text: str) -> str:
        """Return the expression's tokens without enclosing parentheses (see `tokens.normal`)."""
        return _normal_expression(text)

    def normal_statement(self, text: str) -> str:
        """Return the statement's tokens."""
        return _normal(text)

    def normal_table(self, table: Table) -> Table:
        """Return `table` with the columns of a primary key that SQLite makes NOT NULL itself as not null.

        It does so in tables without rowid, and in strict ones unless the key is the rowid.
        """
        if not isinstance(table, SQLiteTable):
            return table
        implied = table.without_rowid or (table.strict and table.rowid_column is None)
        if not implied or table.primary_key is None:
            return table
        key = {part.column for part in table.primary_key.columns}
        columns = tuple(
            dataclasses.replace(each, not_null=True) if each.name in key else each for each in table.columns
        )
        return dataclasses.replace(table, columns=columns)

    def type_change_risks(self, table: str, before: Column, after: Column) -> tuple[Risk, ...]:
        """Return how stored values change with their column's affinity."""
        words = conversion_risk(before.type, after.type)
        return (Risk("conversion", f"{table}.{after.name}: {words}"),) if words else ()

    def relations(self, text: str) -> frozenset[Relation]:
        """Return the names that stand where tables do, those of common table expressions among them."""
        return _relations(text)

    def with_column_renamed(self, text: str, old: str, new: str) -> str:
        """Return the expression with the column's name changed, as RENAME COLUMN does."""
        names = (each for each in tokenize(text) if each.kind in (WORD, QUOTED))
        named = (each for each in names if fold(unquote(each.text)) == fold(old))
        return edited(text, ((each.start, each.end, quote(new)) for each in named))

    def is_constant(self, word: str) -> bool:
        """Whether `word` is NULL, TRUE, FALSE or one of CURRENT_*."""
        return word.upper() in _CONSTANTS
