"""Pieces of SQL from configuration: each must be exactly one type, expression, query or trigger body.

Nothing else gets into a statement, so no attribute can end the statement it is in or begin another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from kolumn.contract.errors import Problem
from kolumn.providers.sqlite.keywords import NOT_A_TYPE, RESERVED
from kolumn.providers.sqlite.tokens import tokenize
from kolumn.sql import fragments
from kolumn.sql.tokens import NUMBER, QUOTED, STRING, WORD, Token

STRICT_TYPES = frozenset({"INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"})
"""The types a STRICT table allows (https://sqlite.org/stricttables.html)."""

BODY_STATEMENTS = frozenset({"INSERT", "UPDATE", "DELETE", "SELECT", "REPLACE", "WITH", "VALUES"})
_QUERIES = frozenset({"SELECT", "WITH", "VALUES"})


def fault(text: str, *, commas: bool = False, semicolons: bool = False) -> tuple[str, list[Token]]:
    """Return why `text` cannot stand inside a statement, empty if it can, and its tokens.

    `commas` and `semicolons` allow these outside parentheses.
    """
    tokens = tokenize(text + "\0)")
    closed = len(tokens) > 1 and tokens[-1].word == ")" and tokens[-2].text == "\0"
    if not closed:
        return "it has an unfinished quote or comment", []
    why = fragments.fault(tokens[:-2], commas=commas, semicolons=semicolons)
    return why, [] if why else tokens[:-2]


def expression_fault(text: str) -> str:
    """Return why `text` is not one expression, empty if it is."""
    why, tokens = fault(text)
    if not why and (tokens[0].word in RESERVED - {"CASE", "NOT", "NULL", "EXISTS"}):
        why = f"it begins with {tokens[0].text}"
    return why


def type_fault(text: str) -> str:
    """Return why `text` is not one type name as SQLite's grammar has it, e.g. `VARCHAR(10, 2)`."""
    why, tokens = fault(text)
    if why:
        return why
    length = 0
    while length < len(tokens) and is_type_word(tokens[length]):
        length += 1
    words, rest = tokens[:length], tokens[length:]
    if not words:
        return f"it begins with {tokens[0].text}"
    if rest and not is_type_size(rest):
        return f"it has {rest[0].text} where only a size such as (10, 2) can be"
    if not rest and [word.word for word in words[-2:]] == ["GENERATED", "ALWAYS"]:
        return "it ends with GENERATED ALWAYS, which belongs to the attribute generated"
    return ""


def is_type_word(token: Token) -> bool:
    """Whether `token` can be part of a type's name."""
    return (token.kind == WORD and token.word not in NOT_A_TYPE) or token.kind in (QUOTED, STRING)


def is_type_size(tokens: list[Token]) -> bool:
    """Whether `tokens` are `(n)` or `(n, m)` with optional signs."""
    shape = "".join(
        "n" if token.kind == NUMBER else token.text for token in tokens if token.word not in ("+", "-")
    )
    signs = all(
        tokens[place + 1].kind == NUMBER
        for place, token in enumerate(tokens[:-1])
        if token.word in ("+", "-")
    )
    return shape in ("(n)", "(n,n)") and signs


def query_fault(text: str) -> str:
    """Return why `text` is not one SELECT, VALUES or WITH query."""
    why, tokens = fault(text, commas=True)
    return why or ("" if tokens[0].word in _QUERIES else f"begins with {tokens[0].text}, not with SELECT")


def body_fault(text: str) -> str:
    """Return why `text` is not what stands between BEGIN and END: statements, each with a semicolon."""
    why, tokens = fault(text, commas=True, semicolons=True)
    if why:
        return why
    for before, token in zip([None, *tokens], tokens, strict=False):
        if (before is None or before.word == ";") and token.word not in BODY_STATEMENTS:
            return (
                f"it has a statement that begins with {token.text}, not with INSERT, UPDATE, DELETE or SELECT"
            )
    return "" if tokens[-1].word == ";" else "does not end with a semicolon"


def is_identifier(token: Token) -> bool:
    """Whether `token` names something, quoted or not."""
    return (token.kind == WORD and token.word not in RESERVED) or token.kind in (QUOTED, STRING)


def argument_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless `text` is one argument of a virtual table's module."""
    why, _ = fault(text)
    if why:
        yield Problem(f"{text!r} is not one argument: {why}", code="invalid_argument", path=path)


def statement_problems(text: str, kind: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless `text` is one CREATE statement of the kind."""
    why, tokens = fault(text, commas=True, semicolons=kind == "TRIGGER")
    words = [token.word for token in tokens[:4]]
    if not why and (words[:1] != ["CREATE"] or kind not in words):
        why = f"it does not begin with CREATE {kind}"
    if why:
        yield Problem(
            f"{path} is not one CREATE {kind} statement: {why}", code="invalid_statement", path=path
        )


def comment_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield a fault if `text` cannot be a SQL comment."""
    if "*/" in text and "\n" in text:
        yield Problem(f"{path} of several lines cannot have */ in it", code="invalid_comment", path=path)
    if "\0" in text or text != text.strip():
        yield Problem(f"{path} must not begin or end with white space", code="invalid_comment", path=path)
