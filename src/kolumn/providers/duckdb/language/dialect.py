"""What means the same to DuckDB, and what is exactly one piece of its language."""

from __future__ import annotations

import contextlib
import dataclasses
from functools import lru_cache

from kolumn.engine.operations import Risk
from kolumn.providers.duckdb.language import fragments, parser
from kolumn.providers.duckdb.language.parser import Unparsable
from kolumn.providers.duckdb.language.tokens import fold, normal, quote, tokenize, unquote
from kolumn.providers.duckdb.language.types import conversion_risks, normal_type
from kolumn.sql.dialect import Dialect, Relation
from kolumn.sql.model import Column, Constraint, PrimaryKey, Table
from kolumn.sql.tokens import (
    NUMBER,
    QUOTED,
    STRING,
    WORD,
    edited,
    without_outer_parentheses,
)

_CONSTANTS = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"})


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


class DuckDBDialect(Dialect):
    """DuckDB's language."""

    name = "duckdb"
    fragments = fragments
    inline_foreign_keys = True
    renames = frozenset({"table", "view", "stage", "sequence"})
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
        names = (each for each in tokenize(text) if each.kind in (WORD, QUOTED))
        named = (each for each in names if fold(unquote(each.text)) == fold(old))
        return edited(text, ((each.start, each.end, quote(new)) for each in named))

    def is_constant(self, word: str) -> bool:
        """Whether `word` is NULL, TRUE, FALSE or one of CURRENT_*."""
        return word.upper() in _CONSTANTS


def key_columns(table: Table) -> tuple[str, ...]:
    """Return the columns of a table's primary key."""
    keys = (each for each in table.constraints() if isinstance(each, PrimaryKey))
    return tuple(part.column for each in keys for part in each.columns)
