"""Pieces of SQL from configuration: each must be exactly one type, expression, query or body.

Nothing else gets into a statement, so no attribute can end the statement it is in or begin another one. The
server runs one statement at a time besides: the driver is never told to take several.
"""

from __future__ import annotations

from functools import lru_cache

from kolumn.providers.mysql.language.tokens import EXECUTABLE, VARIABLE, tokenize
from kolumn.providers.mysql.language.types import parse_type
from kolumn.sql import fragments
from kolumn.sql.tokens import STRING, WORD, Token

_OPENED = {")": "("}
_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
_NEVER_FIRST = frozenset(
    [
        "ADD",
        "ALTER",
        "AND",
        "AS",
        "ASC",
        "BETWEEN",
        "BY",
        "CHECK",
        "COLLATE",
        "CREATE",
        "DELETE",
        "DESC",
        "DROP",
        "ELSE",
        "FOR",
        "FROM",
        "GRANT",
        "GROUP",
        "HAVING",
        "IN",
        "INSERT",
        "INTO",
        "IS",
        "JOIN",
        "LIKE",
        "LIMIT",
        "ON",
        "OR",
        "ORDER",
        "REVOKE",
        "SELECT",
        "SET",
        "THEN",
        "UNION",
        "UPDATE",
        "USING",
        "WHEN",
        "WHERE",
        "WITH",
    ]
)
_NOT_IN_EXPRESSIONS = frozenset(
    [
        "ADD",
        "ALTER",
        "CHECK",
        "CONSTRAINT",
        "CREATE",
        "DELETE",
        "DROP",
        "FROM",
        "GRANT",
        "GROUP",
        "HAVING",
        "INSERT",
        "INTO",
        "JOIN",
        "KEY",
        "LIMIT",
        "ORDER",
        "PARTITION",
        "REFERENCES",
        "REVOKE",
        "SELECT",
        "SET",
        "UNION",
        "UNIQUE",
        "UPDATE",
        "WHERE",
        "WITH",
    ]
)
"""Reserved words that no expression has outside parentheses."""


def fault(
    text: str, *, commas: bool = False, semicolons: bool = False, variables: bool = False
) -> tuple[str, tuple[Token, ...]]:
    """Return why `text` cannot stand inside a statement, empty if it can, and its tokens."""
    if "\0" in text:
        return "it has a NUL character", ()

    def refused(token: Token) -> str:
        if token.kind == EXECUTABLE:
            return "it has a comment that the server would run"
        if token.kind == VARIABLE and not variables:
            return f"it has the variable {token.text}, whose value nobody keeps"
        return ""

    tokens = tokenize(text)
    why = fragments.fault(tokens, commas=commas, semicolons=semicolons, refused=refused)
    return why, () if why else tokens


@lru_cache(maxsize=65536)
def embedded(text: str) -> str:
    """Return a text that passed its check without comments, white space and semicolons at its ends."""
    return fragments.embedded(text, tokenize(text))


@lru_cache(maxsize=65536)
def expression_fault(text: str) -> str:
    """Return why `text` is not one expression, empty if it is."""
    why, tokens = fault(text)
    if why:
        return why
    if tokens[0].word in _NEVER_FIRST:
        return f"it begins with {tokens[0].text}"
    depth = 0
    before = ""
    for token in tokens:
        depth += (token.word == "(") - (token.word == ")")
        if token.kind == WORD and not depth and before != "." and token.word in _NOT_IN_EXPRESSIONS:
            return f"it has {token.word}, which no expression has outside parentheses"
        before = token.word
    return ""


@lru_cache(maxsize=16384)
def type_fault(text: str) -> str:
    """Return why `text` is not one type, empty if it is."""
    found = parse_type(text)
    return found if isinstance(found, str) else ""


@lru_cache(maxsize=4096)
def query_fault(text: str) -> str:
    """Return why `text` is not one query, empty if it is; a semicolon at its end is no fault."""
    why, tokens = fault(embedded(text), commas=True)
    if why:
        return why
    if tokens[0].word not in _QUERIES:
        return f"it begins with {tokens[0].text}, not with SELECT, WITH, VALUES or TABLE"
    depth = 0
    for token, after in zip(tokens, (*tokens[1:], None), strict=True):
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word == "INTO":
            return "it has INTO, which puts rows elsewhere"
        if (
            depth == 0
            and token.word == "WITH"
            and after is not None
            and after.word in ("CHECK", "CASCADED", "LOCAL")
        ):
            return f"it has WITH {after.word}, which belongs to the attribute check_option"
    return ""


@lru_cache(maxsize=4096)
def body_fault(text: str) -> str:
    """Return why `text` cannot be the body of a routine, trigger or event: one statement, perhaps BEGIN ... END."""
    why, tokens = fault(text, commas=True, semicolons=True, variables=True)
    if why:
        return why
    first = 2 if len(tokens) > 2 and tokens[1].word == ":" else 0  # `label: BEGIN`
    compound = tokens[first].word in ("BEGIN", "IF", "CASE", "LOOP", "REPEAT", "WHILE", "FOR")
    if not compound and any(token.word == ";" for token in tokens[:-1]):
        return "it has more than one statement; put them between BEGIN and END"
    if compound and not _ends_once(tokens[first:]):
        return "it goes on after its END, or has none"
    return ""


_OPENING = frozenset({"BEGIN", "CASE", "IF", "LOOP", "REPEAT", "WHILE"})


def _ends_once(tokens: tuple[Token, ...]) -> bool:
    """Whether blocks are balanced and close only at the end of the text.

    What passes and is no body after all is a syntax error to the server, which runs one statement at a time.
    """
    depth = 0
    for at, token in enumerate(tokens):
        before = tokens[at - 1].word if at else ""
        after = tokens[at + 1].word if at + 1 < len(tokens) else ""
        if before == ".":
            continue
        if token.word == "END":
            depth -= 1
            if depth < 0:
                return False
        elif token.word in _OPENING and before != "END":
            call = token.word in ("IF", "REPEAT") and after == "(" and not _begins_statement(tokens, at)
            if not call and not (token.word == "IF" and after in ("EXISTS", "NOT")):
                depth += 1
        if depth == 0 and token.word == ";" and at + 1 < len(tokens):
            return False
    return depth == 0


def _begins_statement(tokens: tuple[Token, ...], at: int) -> bool:
    """Whether the token can begin a statement, so that IF and REPEAT are no functions there."""
    before = tokens[at - 1] if at else None
    return before is None or before.word in (";", "BEGIN", "THEN", "ELSE", "DO", "LOOP", ":", "REPEAT")


def is_literal(text: str) -> bool:
    """Whether a default can stand without parentheses: a constant, or the current time."""
    tokens = tokenize(text)
    if tokens and tokens[0].word in ("+", "-"):
        tokens = tokens[1:]
    if len(tokens) == 1:
        return tokens[0].kind in (STRING, "number", "bits") or tokens[0].word in (
            "NULL",
            "TRUE",
            "FALSE",
            "CURRENT_TIMESTAMP",
            "LOCALTIME",
            "LOCALTIMESTAMP",
        )
    words = [token.word for token in tokens]
    if len(tokens) == 2 and words[0] in ("DATE", "TIME", "TIMESTAMP") and tokens[1].kind == STRING:
        return True
    timely = words[:1] and words[0] in ("CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP")
    return bool(timely) and words[1:2] == ["("] and words[-1] == ")" and len(tokens) <= 4
