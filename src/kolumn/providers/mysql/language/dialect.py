"""What means the same to MySQL and MariaDB, and what is exactly one piece of their language."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Risk
from kolumn.providers.mysql.language import fragments
from kolumn.providers.mysql.language.tokens import (
    NAME_CHARACTERS,
    fold,
    literal,
    normal,
    text_of,
    tokenize,
    unquote,
)
from kolumn.providers.mysql.language.types import NUMBERS, TEXTS, is_wider, parse_type, type_of
from kolumn.sql.dialect import Dialect, Relation
from kolumn.sql.model import Check, Column, Constraint, ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.tokens import NUMBER, QUOTED, STRING, WORD, Token, without_outer_parentheses

_CONSTANTS = frozenset(
    [
        "NULL",
        "TRUE",
        "FALSE",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "UTC_DATE",
        "UTC_TIME",
        "UTC_TIMESTAMP",
    ]
)
_NOW = frozenset({"current_timestamp", "now", "localtime", "localtimestamp"})
_TABLE_FOLLOWS = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "STRAIGHT_JOIN"})
_FROM_ENDS = frozenset(
    [
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
        "ON",
        "USING",
    ]
)


@lru_cache(maxsize=65536)
def _normal(text: str) -> str:
    return " ".join(normal(tokenize(text)))


@lru_cache(maxsize=65536)
def _normal_expression(text: str) -> str:
    form = " ".join(normal(without_outer_parentheses(tokenize(text))))
    found = re.fullmatch(r"(\w+)(?: \( (\d*) ?\))?", form)
    if found and found[1] in _NOW:
        return f"current_timestamp({found[2]})" if found[2] and found[2] != "0" else "current_timestamp"
    return {"true": "1", "false": "0"}.get(form, form)


@lru_cache(maxsize=65536)
def _relations(text: str) -> frozenset[Relation]:
    """Find names where the grammar has tables: after FROM, JOIN, INTO, UPDATE, and commas of FROM."""
    found: set[Relation] = set()
    in_from = [False]
    expected = False
    tokens = tokenize(text)
    at = 0
    while at < len(tokens):
        token = tokens[at]
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
        elif expected and token.kind in (WORD, QUOTED):
            name, schema = unquote(token.text), ""
            if at + 2 < len(tokens) and tokens[at + 1].word == ".":
                schema, name = name, unquote(tokens[at + 2].text)
                at += 2
            found.add(Relation(fold(name), fold(schema)))
            expected = False
        at += 1
    return frozenset(found)


@lru_cache(maxsize=16384)
def calls(text: str) -> frozenset[Relation]:
    """Return the names that stand where functions and procedures do."""
    found: set[Relation] = set()
    tokens = tokenize(text)
    for at, token in enumerate(tokens):
        if token.kind not in (WORD, QUOTED):
            continue
        after = tokens[at + 1].word if at + 1 < len(tokens) else ""
        before = tokens[at - 1].word if at else ""
        if after == "(" or before == "CALL":
            schema = unquote(tokens[at - 2].text) if before == "." and at > 1 else ""
            found.add(Relation(fold(unquote(token.text)), fold(schema)))
        elif before == "." and at > 2 and tokens[at - 3].word == "CALL":
            found.add(Relation(fold(unquote(token.text)), fold(unquote(tokens[at - 2].text))))
    return frozenset(found)


_DRAWING = frozenset(
    [
        "uuid",
        "uuid_short",
        "rand",
        "random_bytes",
        "sysdate",
        "user",
        "current_user",
        "session_user",
        "system_user",
    ]
)


@lru_cache(maxsize=16384)
def drawn_from(text: str) -> frozenset[tuple[str, str]]:
    """Return database, empty where none is said, and folded name of the sequences that a default draws from."""
    tokens = tokenize(text)
    words = [each.word for each in tokens]
    found = set()
    for at, token in enumerate(tokens):
        after_call = token.word in ("NEXTVAL", "LASTVAL") and words[at + 1 : at + 2] == ["("]
        phrase = words[at : at + 3] in (["NEXT", "VALUE", "FOR"], ["PREVIOUS", "VALUE", "FOR"])
        if after_call or phrase:
            names = [unquote(each.text) for each in tokens[at + (2 if after_call else 3) :][:3]]
            if len(names) == 3 and names[1] == ".":
                found.add((names[0], fold(names[2])))
            elif names:
                found.add(("", fold(names[0])))
    return frozenset(found)


@lru_cache(maxsize=16384)
def draws(text: str) -> bool:
    """Whether an expression may have another value for each row, or each server: MySQL adds no column of it.

    https://dev.mysql.com/doc/refman/9.4/en/data-type-defaults.html
    """
    return any(each.kind == WORD and fold(each.text) in _DRAWING for each in tokenize(text))


def mentions(text: str, name: str) -> bool:
    """Whether a text may use a column."""
    folded = fold(name)
    return any(each.kind in (WORD, QUOTED) and fold(unquote(each.text)) == folded for each in tokenize(text))


class MySQLDialect(Dialect):
    """The language of both, as far as it is one."""

    name = "mysql"
    fragments = fragments
    places_columns = True
    renames = frozenset({"table", "view", "index", "event", "user"})
    named_in_table = frozenset({"index"})

    def __init__(self) -> None:
        self.default_schema = ""
        self.account = ""
        """Who is connected: the definer of what names none."""
        self.sql_mode = ""
        """The server's own: what routines, triggers and events have where none is said."""
        """The database that names without a schema mean, folded; known once there is a connection."""

    def normal_schema(self, name: str) -> str:
        """Return the folded name of a database, empty for the default one."""
        folded = fold(name)
        return "" if folded == self.default_schema else folded

    def fold(self, identifier: str) -> str:
        """Return `identifier` in lower case."""
        return fold(identifier)

    def normal_type(self, type_name: str) -> str:
        """Return the type under its own name, with the size it has anyway."""
        found = parse_type(type_name)
        return " ".join(type_name.lower().split()) if isinstance(found, str) else str(found)

    def normal_expression(self, text: str) -> str:
        """Return the expression's tokens without enclosing parentheses (see `tokens.normal`)."""
        return _normal_expression(text)

    def normal_statement(self, text: str) -> str:
        """Return the statement's tokens."""
        return _normal(fragments.embedded(text) or text)

    def normal_table(self, table: Table) -> Table:
        """Return the table with what only shows across attributes: types that imply others, key columns."""
        key = table.primary_key
        keyed = {part.column for part in key.columns} if isinstance(key, PrimaryKey) else frozenset()
        columns = tuple(_normal_column(each, each.name in keyed) for each in table.columns)
        return replaced(table, {"columns": columns})

    def generated_name(self, table: str, constraint: Constraint) -> bool:
        """Whether a name is what the server itself gives: `t_ibfk_1`, `t_chk_1`, `CONSTRAINT_1`, the first column."""
        name = fold(constraint.name)
        match constraint:
            case PrimaryKey():
                return True
            case ForeignKey():
                return re.fullmatch(re.escape(table) + r"_ibfk_\d+", name) is not None
            case Check():
                return re.fullmatch(rf"(?:{re.escape(table)}_chk|constraint)_\d+", name) is not None
            case Unique():
                first = fold(constraint.columns[0].column)
                return bool(first) and re.fullmatch(re.escape(first) + r"(?:_\d+)?", name) is not None
        return False

    def type_change_risks(self, table: str, before: Column, after: Column) -> tuple[Risk, ...]:
        """Return whether values may not fit, or may lose something."""
        old, new = type_of(before.type), type_of(after.type)
        if old is None or new is None or is_wider(old, new):
            return ()
        words = f"{table}.{after.name}: values of type {before.type} may not fit {after.type}"
        return (Risk("may_fail", f"fails if a row of table {table} has a {after.name} that is no {after.type}"),
                Risk("conversion", words))  # fmt: skip

    def relations(self, text: str) -> frozenset[Relation]:
        """Return the names that stand where tables do, those of common table expressions among them."""
        return _relations(text)

    def with_column_renamed(self, text: str, old: str, new: str) -> str:
        """Return the text itself: RENAME COLUMN refuses columns that expressions use."""
        return text

    def check_identifier(self, name: str) -> str | None:
        """Return why no object can have this name.

        https://dev.mysql.com/doc/refman/9.4/en/identifiers.html
        """
        if not name:
            return "it is empty"
        if len(name) > NAME_CHARACTERS:
            return f"it has {len(name)} characters; names have {NAME_CHARACTERS} at most"
        if name.endswith(" "):
            return "it ends with a space"
        if "\0" in name:
            return "it has a NUL character"
        if any(ord(each) > 0xFFFF for each in name):
            return "it has a character beyond the basic multilingual plane"
        return None

    def is_constant(self, word: str) -> bool:
        """Whether a lone word can be a default."""
        return word.upper() in _CONSTANTS


def _normal_column(column: Column, keyed: bool) -> Column:
    changes: dict[str, Any] = {}
    kind = type_of(column.type)
    if keyed and not column.not_null:
        changes["not_null"] = True
    if getattr(column, "auto_increment", False) and not column.not_null:
        changes["not_null"] = True
    if column.default is not None:
        default = _normal_default(column.default, kind.name if kind is not None else "")
        if default == "null":
            changes["default"] = None
        elif default != column.default:
            changes["default"] = default
    if kind is not None and kind.name not in TEXTS and column.collation:
        changes["collation"] = ""
    return replaced(column, changes)


@lru_cache(maxsize=16384)
def _normal_default(text: str, kind: str) -> str:
    """Return a default in normal form: a number is one, quoted or not, if the column holds numbers."""
    tokens = tokenize(text)
    sign = ""
    if len(tokens) == 2 and tokens[0].word in ("-", "+"):
        sign, tokens = tokens[0].text.replace("+", ""), tokens[1:]
    if len(tokens) == 2 and tokens[0].word in ("DATE", "TIME", "TIMESTAMP"):
        tokens = tokens[1:]
    if len(tokens) != 1:
        return text
    token: Token = tokens[0]
    value = text_of(token.text) if token.kind == STRING else token.text if token.kind == NUMBER else None
    if value is None:
        return text
    if kind in NUMBERS or kind in ("year", "bit"):
        try:
            number = Decimal(sign + value.strip())
        except InvalidOperation:
            return text
        return format(number.normalize(), "f") if number else "0"
    return literal(sign + value)
