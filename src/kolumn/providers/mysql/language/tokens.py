"""Tokens as MySQL and MariaDB cut them, and how they write names and texts.

https://dev.mysql.com/doc/refman/9.4/en/language-structure.html. The SQL mode is taken to have neither
ANSI_QUOTES nor NO_BACKSLASH_ESCAPES; sessions see to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

WORD = "word"
"""An unquoted identifier or a keyword."""
QUOTED = "quoted"
"""An identifier in backticks."""
STRING = "string"
"""A text in single or double quotes, with what may stand directly before it: `N'...'`, `_utf8mb4'...'`."""
BITS = "bits"
"""`b'01'`, `x'ff'`, `0b01`, `0xff`."""
NUMBER = "number"
VARIABLE = "variable"
"""`@name` or `@@name`."""
OPERATOR = "operator"
EXECUTABLE = "executable"
"""A comment that the server runs: `/*! ... */`, `/*M! ... */`."""
UNFINISHED = "unfinished"
ILLEGAL = "illegal"

NAME_CHARACTERS = 64
"""The longest name of most objects, in characters."""

_IDENTIFIER = r"[0-9A-Za-z_$\u0080-\uffff]"
_INSIDE = r"(?:[^'\\]++|''|\\(?s:.))*+"
_INSIDE_DOUBLE = r'(?:[^"\\]++|""|\\(?s:.))*+'


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
    """Return the pattern of one token, compiled at first use: a plan with nothing to do has none."""
    return re.compile(
        rf"""(?:\s++|\#[^\n]*+|--(?=[\s\x00-\x1f]|\Z)[^\n]*+|/\*(?!M?!)(?s:.)*?\*/)*+(?:
          (?P<executable>/\*M?!(?s:.)*?\*/)
        | (?P<string>(?:[nN]|_[A-Za-z0-9]++\s*+)?'{_INSIDE}'|(?:_[A-Za-z0-9]++\s*+)?"{_INSIDE_DOUBLE}")
        | (?P<bits>[bB]'[01]*+'|[xX]'[0-9A-Fa-f]*+'|0[xX][0-9A-Fa-f]++(?!{_IDENTIFIER})|0b[01]++(?!{_IDENTIFIER}))
        | (?P<number>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+(?!{_IDENTIFIER}))
        | (?P<word>{_IDENTIFIER}++)
        | (?P<quoted>`(?:[^`]++|``)*+`)
        | (?P<variable>@@?(?:{_IDENTIFIER}|\.)++|@'{_INSIDE}'|@"{_INSIDE_DOUBLE}"|@`(?:[^`]++|``)*+`)
        | (?P<unfinished>['"`](?s:.)*+|/\*(?s:.)*+)
        | (?P<operator><=>|<<|>>|<=|>=|<>|!=|:=|\|\||&&|->>|->|[-+*/%(),;.=<>&|^~!:@{{}}])
        | (?P<end>\Z)
        | (?P<illegal>(?s:.))
        )""",
        re.VERBOSE,
    )


@lru_cache(maxsize=16384)
def tokenize(text: str) -> tuple[Token, ...]:
    """Return the tokens of `text` without white space and comments."""
    found = []
    for match in _token().finditer(text):
        kind = match.lastgroup or "end"
        if kind == "end":
            break
        start, end = match.span(kind)
        piece = text[start:end]
        word = piece.upper() if kind == WORD else piece if kind == OPERATOR else ""
        found.append(Token(kind, piece, start, end, word))
    return tuple(found)


def fold(name: str) -> str:
    """Return the form in which names are compared: without regard to case.

    Columns, indexes, constraints and routines are that to every server, tables to those with
    lower_case_table_names other than 0.
    """
    return name.lower()


def unquote(text: str) -> str:
    """Return the name that a WORD or QUOTED token stands for."""
    return text[1:-1].replace("``", "`") if text.startswith("`") else text


def quote(name: str) -> str:
    """Return a name in backticks."""
    return "`" + name.replace("`", "``") + "`"


def qualified(schema: str, name: str) -> str:
    """Return a name with its database, where there is one."""
    return f"{quote(schema)}.{quote(name)}" if schema else quote(name)


_ESCAPES = {"'": "''", "\\": "\\\\", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"}


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + "".join(_ESCAPES.get(each, each) for each in text) + "'"


def unescaped(text: str) -> str:
    """Return an expression as it is, of which information_schema of MySQL escapes quotes and backslashes."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


_VALUES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}


@lru_cache(maxsize=16384)
def text_of(string: str) -> str:
    """Return the value of a STRING token, without regard to its introducer."""
    start = min(at for at in (string.find("'"), string.find('"')) if at >= 0)
    sign = string[start]
    inside = string[start + 1 : -1].replace(sign * 2, sign)
    return re.sub(r"\\(.)", lambda match: _VALUES.get(match[1], match[1]), inside, flags=re.DOTALL)


_SAME = {"&&": "and", "||": "or", "!=": "<>", "NOT": "not", "!": "not"}
_SYNONYMS = {"dec": "decimal", "integer": "int", "character": "char"}


def normal(tokens: Iterable[Token]) -> Iterator[str]:
    """Yield tokens in the form in which they are compared.

    Words and names lose case and quotes; introducers of character sets, which the server adds, are left out.
    """
    for token in tokens:
        if token.kind == WORD:
            yield token.text.lower()
        elif token.kind == QUOTED:
            yield unquote(token.text).lower()
        elif token.kind == STRING:
            yield literal(text_of(token.text))
        elif token.kind == BITS or token.kind == NUMBER:
            yield token.text.lower()
        else:
            yield _SAME.get(token.text, token.text)


def without_outer_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return `tokens` without the pairs of parentheses that enclose them all."""
    while len(tokens) > 2 and tokens[0].word == "(" and tokens[-1].word == ")":
        depth = 1
        for token in tokens[1:-1]:
            depth += (token.word == "(") - (token.word == ")")
            if depth == 0:
                return tokens
        tokens = tokens[1:-1]
    return tokens
