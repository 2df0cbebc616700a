"""Tokens as MySQL and MariaDB cut them, and how they write names and texts.

https://dev.mysql.com/doc/refman/9.4/en/language-structure.html. The SQL mode is taken to have neither
ANSI_QUOTES nor NO_BACKSLASH_ESCAPES; sessions see to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from kolumn.sql.tokens import BITS, NUMBER, QUOTED, STRING, WORD, Token, scan

VARIABLE = "variable"
"""`@name` or `@@name`."""
EXECUTABLE = "executable"
"""A comment that the server runs: `/*! ... */`, `/*M! ... */`."""

NAME_CHARACTERS = 64
"""The longest name of most objects, in characters."""

_IDENTIFIER = r"[0-9A-Za-z_$\u0080-\uffff]"
_INSIDE = r"(?:[^'\\]++|''|\\(?s:.))*+"
_INSIDE_DOUBLE = r'(?:[^"\\]++|""|\\(?s:.))*+'


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
    """Return the tokens of `text` without white space and comments.

    A STRING has with it what may stand directly before it: `N'...'`, `_utf8mb4'...'`.
    """
    return tuple(scan(_token(), text))


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
