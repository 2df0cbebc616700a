"""SQLite's tokens, as its own tokenizer cuts them (https://sqlite.org/src/file/src/tokenize.c)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

WORD = "word"
"""An unquoted identifier or a keyword."""
QUOTED = "quoted"
"""An identifier in double quotes, backticks or brackets."""
STRING = "string"
NUMBER = "number"
BLOB = "blob"
PARAMETER = "parameter"
OPERATOR = "operator"
COMMENT = "comment"
SPACE = "space"
ILLEGAL = "illegal"

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\n\f\r]+)
    | (?P<comment>--[^\n]*|/\*(?s:.*?)(?:\*/|\Z))
    | (?P<blob>[xX]'(?:[0-9a-fA-F]{2})*')
    | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    | (?P<number>(?:0[xX][0-9a-fA-F]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
        (?![A-Za-z0-9_$\u0080-\U0010ffff]))
    | (?P<parameter>\?[0-9]*|[:@\#$][A-Za-z0-9_$\u0080-\U0010ffff]+)
    | (?P<operator>->>|->|\|\||<<|>>|<=|>=|<>|==|!=|[-+*/%(),.;=<>&|~])
    | (?P<illegal>(?s:.))
    """,
    re.VERBOSE,
)

RESERVED = frozenset(
    "ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT DEFERRABLE "
    "DELETE DISTINCT DROP ELSE ESCAPE EXISTS FOREIGN FROM GROUP HAVING IN INDEX INSERT INTERSECT INTO "
    "IS ISNULL JOIN LIMIT NOT NOTHING NOTNULL NULL ON OR ORDER PRIMARY REFERENCES RETURNING SELECT SET TABLE THEN "
    "TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE EXCEPT".split()
)
"""Keywords that are never identifiers unless quoted."""

NOT_A_TYPE = RESERVED | frozenset("CROSS FULL INDEXED INNER LEFT NATURAL OUTER RIGHT".split())
"""Keywords that cannot be part of a type name."""

KEYWORDS = NOT_A_TYPE | frozenset(
    "ABORT ACTION AFTER ALWAYS ANALYZE ASC ATTACH BEFORE BEGIN BY CASCADE CAST COLUMN CONFLICT CURRENT CURRENT_DATE "
    "CURRENT_TIME CURRENT_TIMESTAMP DATABASE DEFERRED DESC DETACH DO EACH END EXCLUDE EXCLUSIVE EXPLAIN FAIL FILTER "
    "FIRST FOLLOWING FOR GENERATED GLOB GROUPS IF IGNORE IMMEDIATE INITIALLY INSTEAD KEY LAST LIKE MATCH "
    "MATERIALIZED NO NULLS OF OFFSET OTHERS OVER PARTITION PLAN PRAGMA PRECEDING QUERY RAISE RANGE RECURSIVE REGEXP "
    "REINDEX RELEASE RENAME REPLACE RESTRICT ROLLBACK ROW ROWS SAVEPOINT TEMP TEMPORARY TIES TRIGGER UNBOUNDED "
    "VACUUM VIEW VIRTUAL WINDOW WITH WITHIN WITHOUT".split()
)
"""Every keyword (https://sqlite.org/lang_keywords.html)."""

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


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text` without white space and comments; malformed pieces come as ILLEGAL."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == SPACE or kind == COMMENT:
            continue
        piece = match.group()
        start, end = match.span()
        word = piece.upper() if kind == WORD else piece if kind == OPERATOR else ""
        found.append(Token(kind or ILLEGAL, piece, start, end, word))
    return found


def comments(text: str) -> Iterator[Token]:
    """Yield the comments of `text`."""
    for match in _TOKEN.finditer(text):
        if match.lastgroup == COMMENT:
            yield Token(COMMENT, match.group(), match.start(), match.end(), "")


def fold(identifier: str) -> str:
    """Return the form in which SQLite compares identifiers: ASCII letters in lower case, others as they are."""
    return identifier.lower() if identifier.isascii() else identifier.translate(_ASCII_LOWER)


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
        elif kind == BLOB or kind == NUMBER:
            form.append(token.text.lower())
        elif token.text == "==":
            form.append("=")
        else:
            form.append("<>" if token.text == "!=" else token.text)
    return tuple(form)


def without_outer_parentheses(tokens: list[Token]) -> list[Token]:
    """Return `tokens` without the pairs of parentheses that enclose them all."""
    while len(tokens) > 2 and tokens[0].word == "(" and tokens[-1].word == ")":
        depth = 0
        for position, token in enumerate(tokens):
            depth += (token.word == "(") - (token.word == ")")
            if depth == 0:
                break
        if position != len(tokens) - 1:
            return tokens
        tokens = tokens[1:-1]
    return tokens
