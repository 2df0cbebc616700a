"""SQLite's tokens, as its own tokenizer cuts them (https://sqlite.org/src/file/src/tokenize.c)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from kolumn.providers.sqlite.keywords import KEYWORDS
from kolumn.sql.tokens import COMMENT, NUMBER, QUOTED, WORD, Token, fold_ascii, scan

BLOB = "blob"

_IGNORED = r"[ \t\n\f\r]++|--[^\n]*+|/\*(?s:.*?)(?:\*/|\Z)"
_COMMENT = re.compile(
    r"""(?P<comment>--[^\n]*|/\*(?s:.*?)(?:\*/|\Z))|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]"""
)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@cache
def _token() -> re.Pattern[str]:
    """Return the pattern of one token, compiled at first use: a plan with nothing to do has none."""
    return re.compile(
        rf"""(?:{_IGNORED})*+(?:
          (?P<word>(?![xX]')[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*+)
        | (?P<operator>->>|->|\|\||<<|>>|<=|>=|<>|==|!=|[-+*/%(),;=<>&|~]|\.(?![0-9]))
        | (?P<string>'(?:[^']|'')*+')
        | (?P<quoted>"(?:[^"]|"")*+"|`(?:[^`]|``)*+`|\[[^\]]*+\])
        | (?P<number>(?:0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)
            (?![A-Za-z0-9_$\u0080-\U0010ffff]))
        | (?P<blob>[xX]'(?:[0-9a-fA-F]{{2}})*')
        | (?P<parameter>\?[0-9]*|[:@\#$][A-Za-z0-9_$\u0080-\U0010ffff]+)
        | (?P<end>\Z)
        | (?P<illegal>(?s:.))
        )""",
        re.VERBOSE,
    )


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text` without white space and comments; malformed pieces come as ILLEGAL."""
    return scan(_token(), text)


def comments(text: str) -> Iterator[Token]:
    """Yield the comments of `text`."""
    for match in _COMMENT.finditer(text):
        if match.lastgroup:
            yield Token(COMMENT, match.group(), match.start(), match.end(), "")


def fold(identifier: str) -> str:
    """Return the form in which SQLite compares identifiers: ASCII letters in lower case, others kept."""
    return fold_ascii(identifier)


def unquote(text: str) -> str:
    """Return the identifier a WORD, QUOTED or STRING token stands for."""
    first = text[:1]
    if first == "[":
        return text[1:-1]
    if first and first in "\"`'":
        return text[1:-1].replace(first * 2, first)
    return text


def is_plain(identifier: str) -> bool:
    """Whether `identifier` can be written without quotes anywhere."""
    return _PLAIN.fullmatch(identifier) is not None and identifier.upper() not in KEYWORDS


def quote(identifier: str) -> str:
    """Return `identifier` as SQL, in double quotes where it needs them."""
    return identifier if is_plain(identifier) else '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return `text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def normal(tokens: Iterable[Token]) -> tuple[str, ...]:
    """Return tokens in the form in which they are compared.

    Keywords and identifiers lose case and quotes; literals stay exact. A double-quoted text with anything
    but lower-case identifier characters stays as it is, because SQLite takes it for a string literal where
    no column has that name (https://sqlite.org/quirks.html), and strings differ by case.
    """
    form = []
    for token in tokens:
        kind = token.kind
        if kind == WORD:
            form.append(fold(token.text))
        elif kind == QUOTED:
            name = unquote(token.text)
            exact = token.text[0] == '"' and (fold(name) != name or not name.isidentifier())
            form.append(token.text if exact else fold(name))
        elif kind in (BLOB, NUMBER):
            form.append(token.text.lower())
        elif token.text == "==":
            form.append("=")
        else:
            form.append("<>" if token.text == "!=" else token.text)
    return tuple(form)
