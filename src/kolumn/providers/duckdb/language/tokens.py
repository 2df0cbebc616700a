"""DuckDB's tokens, names and literals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from kolumn.providers.duckdb.language.keywords import RESERVED

WORD = "word"
"""An unquoted identifier or a keyword."""
QUOTED = "quoted"
STRING = "string"
NUMBER = "number"
PARAMETER = "parameter"
OPERATOR = "operator"
ILLEGAL = "illegal"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASCII_LOWER = {upper: upper + 32 for upper in range(65, 91)}


class Token(NamedTuple):
    """One token; `text[start:end]` of the source is its `text`."""

    kind: str
    text: str
    start: int
    end: int
    word: str
    """A word in upper case, an operator as it is, else empty: what the grammar looks at."""


@cache
def _token() -> re.Pattern[str]:
    return re.compile(
        r"""(?:[ \t\n\f\r\v]++|--[^\n\r]*+|/\*(?s:.*?)\*/)*+(?:
          (?P<string>(?:[eE]'(?:[^'\\]|\\(?s:.)|'')*+')|(?:[xXbB]?'(?:[^']|'')*+')
            |\$(?P<tag>(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?)\$(?s:.*?)\$(?P=tag)\$)
        | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*+)
        | (?P<quoted>"(?:[^"]|"")*+")
        | (?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)
        | (?P<parameter>\?[0-9]*|\$[A-Za-z0-9_]+)
        | (?P<operator>::|:=|=>|->>|->|\|\||<<|>>|<=|>=|<>|==|!=|//|\*\*|!~~?\*?|~~\*?|[-+*/%()\[\]{},;:=<>&|~^@.!\#])
        | (?P<end>\Z)
        | (?P<illegal>(?s:.))
        )""",
        re.VERBOSE,
    )


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text` without white space and comments; malformed pieces come as ILLEGAL."""
    found = []
    for match in _token().finditer(text):
        kind = match.lastgroup or "end"
        if kind == "tag":
            kind = STRING
        if kind == "end":
            break
        start, end = match.span(kind)
        piece = text[start:end]
        word = piece.upper() if kind == WORD else piece if kind == OPERATOR else ""
        found.append(Token(kind, piece, start, end, word))
    return found


def fold(identifier: str) -> str:
    """Return the form in which DuckDB compares identifiers: ASCII letters in lower case, others kept."""
    return identifier.lower() if identifier.isascii() else identifier.translate(_ASCII_LOWER)


def folded(text: str) -> str:
    """Return the SQL that folds a text in SQL as `fold` does; DuckDB's lower() changes other letters as well."""
    return f"translate({text}, '{ascii_uppercase}', '{ascii_lowercase}')"


def unquote(text: str) -> str:
    """Return the identifier a WORD or QUOTED token stands for."""
    return text[1:-1].replace('""', '"') if text[:1] == '"' else text


def quote(identifier: str) -> str:
    """Return `identifier` as SQL, in double quotes where it needs them."""
    if _PLAIN.fullmatch(identifier) is not None and identifier.lower() not in RESERVED:
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def full_name(schema: str, name: str) -> str:
    """Return a name with its schema as SQL; an empty schema is the default one."""
    return f"{quote(schema or 'main')}.{quote(name)}"


def literal(text: str) -> str:
    """Return `text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def string_value(text: str) -> str:
    """Return what a plain string literal says."""
    return text[1:-1].replace("''", "'")


def normal(tokens: Iterable[Token]) -> str:
    """Return tokens in the form in which they are compared: names lose case and quotes, literals stay exact."""
    form = []
    for token in tokens:
        if token.kind == WORD:
            form.append(fold(token.text))
        elif token.kind == QUOTED:
            form.append(fold(unquote(token.text)))
        elif token.kind == NUMBER:
            form.append(token.text.lower())
        else:
            form.append(token.text)
    return " ".join(form)


def without_outer_parentheses(tokens: list[Token]) -> list[Token]:
    """Return `tokens` without the pairs of parentheses that enclose them all."""
    while len(tokens) > 2 and tokens[0].word == "(" and tokens[-1].word == ")":
        depth = 1
        for token in tokens[1:-1]:
            depth += (token.word == "(") - (token.word == ")")
            if depth == 0:
                return tokens
        tokens = tokens[1:-1]
    return tokens


def parts(tokens: list[Token]) -> list[list[Token]]:
    """Return the runs of tokens between commas outside of parentheses, brackets and braces."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word in ("(", "[", "{")) - (token.word in (")", "]", "}"))
        if token.word == "," and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return found if found != [[]] else []
