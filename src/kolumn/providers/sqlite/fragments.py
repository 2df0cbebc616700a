"""Pieces of SQL from configuration: each must be exactly one type, expression, query or trigger body.

Nothing else gets into a statement, so no attribute can end the statement it is in or begin another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kolumn.contract.errors import Problem
from kolumn.providers.sqlite.tokens import (
    ILLEGAL,
    NOT_A_TYPE,
    NUMBER,
    PARAMETER,
    QUOTED,
    RESERVED,
    STRING,
    WORD,
    Token,
    tokenize,
)

STRICT_TYPES = frozenset({"INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"})
"""The types a STRICT table allows (https://sqlite.org/stricttables.html)."""

_BODY_STATEMENTS = frozenset({"INSERT", "UPDATE", "DELETE", "SELECT", "REPLACE", "WITH", "VALUES"})
_QUERIES = frozenset({"SELECT", "WITH", "VALUES"})


def fault(text: str, *, commas: bool = False, semicolons: bool = False) -> tuple[str, list[Token]]:
    """Return why `text` cannot stand inside a statement, empty if it can, and its tokens.

    `commas` and `semicolons` allow these outside parentheses.
    """
    tokens = tokenize(text + "\0)")
    closed = len(tokens) > 1 and tokens[-1].word == ")" and tokens[-2].text == "\0"
    if not closed:
        return "has an unfinished quote or comment", []
    del tokens[-2:]
    depth = 0
    for token in tokens:
        if token.kind == ILLEGAL:
            return f"has {token.text!r}, which is no SQL", []
        if token.kind == PARAMETER:
            return f"has the parameter {token.text}, and nothing to put there", []
        match token.word:
            case "(":
                depth += 1
            case ")":
                depth -= 1
            case ";" if not semicolons or depth:
                return "has a semicolon outside quotes", []
            case "," if not depth and not commas:
                return "has a comma outside parentheses and quotes", []
        if depth < 0:
            return "closes a parenthesis that it does not open", []
    if depth:
        return "opens a parenthesis that it does not close", []
    return ("", tokens) if tokens else ("is empty", [])


def _problem(path: str, what: str, why: str, hint: str = "") -> Problem:
    return Problem(
        f"{path} is not one {what}: it {why}", code=f"invalid_{what.split()[-1]}", path=path, hint=hint
    )


def expression_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless `text` is one expression."""
    why, tokens = fault(text)
    if not why and (tokens[0].word in RESERVED - {"CASE", "NOT", "NULL", "EXISTS"}):
        why = f"begins with {tokens[0].word}"
    if why:
        yield _problem(path, "expression", why)


def type_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless `text` is one type name as SQLite's grammar has it, e.g. `VARCHAR(10, 2)`."""
    why, tokens = fault(text)
    if not why:
        length = 0
        while length < len(tokens) and is_type_word(tokens[length]):
            length += 1
        words, rest = tokens[:length], tokens[length:]
        if not words:
            why = "has no name"
        elif rest and not is_type_size(rest):
            why = f"has {rest[0].text!r} where only a size such as (10, 2) can be"
        elif not rest and [word.word for word in words[-2:]] == ["GENERATED", "ALWAYS"]:
            why = "ends with GENERATED ALWAYS"
    if why:
        yield _problem(path, "type", why)


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


def query_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless `text` is one SELECT, VALUES or WITH query."""
    why, tokens = fault(text, commas=True)
    if not why and tokens[0].word not in _QUERIES:
        why = f"begins with {tokens[0].text}"
    if why:
        yield _problem(path, "query", why, "Write one SELECT without a semicolon at its end.")


def body_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield faults unless `text` is what stands between BEGIN and END: statements, each with a semicolon."""
    why, tokens = fault(text, commas=True, semicolons=True)
    if not why:
        if tokens[-1].word != ";":
            why = "does not end with a semicolon"
        for before, token in zip([None, *tokens], tokens, strict=False):
            if (before is None or before.word == ";") and token.word not in _BODY_STATEMENTS:
                why = f"has a statement that begins with {token.text}"
    if why:
        yield _problem(
            path, "trigger body", why, "Write INSERT, UPDATE, DELETE or SELECT statements, each ended by `;`."
        )


def event_problems(events: Iterable[str], path: str) -> Iterator[Problem]:
    """Yield a fault unless there is one event: insert, delete, update or `update of <columns>`."""
    given = tuple(events)
    if len(given) != 1:
        yield Problem("SQLite's triggers have exactly one event", code="invalid_event", path=path,
                      hint="Declare one trigger for each event.")  # fmt: skip
    for event in given:
        why, tokens = fault(event, commas=True)
        words = [token.word for token in tokens]
        plain = len(words) == 1 and words[0] in ("INSERT", "DELETE", "UPDATE")
        columns = words[:2] == ["UPDATE", "OF"] and len(words) % 2 == 1 and len(words) > 2
        if columns:
            rest = tokens[2:]
            columns = all(is_identifier(token) for token in rest[::2]) and all(
                token.word == "," for token in rest[1::2]
            )
        if why or not (plain or columns):
            yield Problem(
                f"{event!r} is no event", code="invalid_event", path=path,
                hint="Write insert, delete, update or `update of column, ...`.",
            )  # fmt: skip


def is_identifier(token: Token) -> bool:
    """Whether `token` names something, quoted or not."""
    return (token.kind == WORD and token.word not in RESERVED) or token.kind in (QUOTED, STRING)


def is_name(text: str) -> bool:
    """Whether `text` is one identifier as SQL writes it."""
    why, tokens = fault(text)
    return not why and len(tokens) == 1 and is_identifier(tokens[0])


def argument_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless `text` is one argument of a virtual table's module."""
    why, _ = fault(text)
    if why:
        yield _problem(path, "argument", why)


def statement_problems(text: str, kind: str, path: str) -> Iterator[Problem]:
    """Yield a fault unless `text` is one CREATE statement of the kind."""
    why, tokens = fault(text, commas=True, semicolons=kind == "TRIGGER")
    words = [token.word for token in tokens[:4]]
    if not why and (words[:1] != ["CREATE"] or kind not in words):
        why = f"does not begin with CREATE {kind}"
    if why:
        yield _problem(path, "statement", why)


def comment_problems(text: str, path: str) -> Iterator[Problem]:
    """Yield a fault if `text` cannot be a SQL comment."""
    if "*/" in text and "\n" in text:
        yield Problem(f"{path} of several lines cannot have */ in it", code="invalid_comment", path=path)
    if "\0" in text or text != text.strip():
        yield Problem(f"{path} must not begin or end with white space", code="invalid_comment", path=path)
