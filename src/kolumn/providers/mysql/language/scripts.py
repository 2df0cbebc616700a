"""Cutting a script into statements: at semicolons outside of texts, comments and bodies.

The client's DELIMITER is understood; without it, `BEGIN ... END` of routines, triggers and events holds its
semicolons together.
"""

from __future__ import annotations

import re

from kolumn.contract.errors import ValidationError
from kolumn.providers.mysql.language.tokens import tokenize
from kolumn.sql.tokens import UNFINISHED, Token

_DELIMITER = re.compile(r"(?im)^[ \t]*DELIMITER[ \t]+(\S+)[ \t]*$")
_BODIED = frozenset({"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"})


def statements_of(script: str) -> list[str]:
    """Return the statements. Raises ValidationError for what does not end."""
    found: list[str] = []
    delimiter, start = ";", 0
    for match in [*_DELIMITER.finditer(script), None]:
        piece = script[start : match.start() if match else len(script)]
        found += _cut(piece, delimiter)
        if match:
            delimiter, start = match[1], match.end()
    return found


def _cut(piece: str, delimiter: str) -> list[str]:
    if delimiter != ";":
        return [text for each in piece.split(delimiter) if (text := each.strip()) and tokenize(text)]
    statements, start = [], 0
    tokens = tokenize(piece)
    statement: list[Token] = []
    depth = 0
    for at, token in enumerate(tokens):
        if token.kind == UNFINISHED:
            line = piece.count("\n", 0, token.start) + 1
            raise ValidationError(
                f"line {line}: a quote or comment that begins here does not end.", code="invalid_script"
            )
        if token.word == ";" and depth <= 0:
            if statement:
                statements.append(piece[start : token.start].strip())
            start, statement, depth = token.end, [], 0
            continue
        statement.append(token)
        if _is_bodied(statement):
            depth += _nesting(tokens, at)
    if statement:
        statements.append(piece[start:].strip())
    return statements


def _is_bodied(statement: list[Token]) -> bool:
    return statement[0].word in ("CREATE", "ALTER") and any(token.word in _BODIED for token in statement[:8])


def _nesting(tokens: tuple[Token, ...], at: int) -> int:
    word = tokens[at].word
    before = tokens[at - 1].word if at else ""
    after = tokens[at + 1].word if at + 1 < len(tokens) else ""
    if before == ".":
        return 0
    if word == "END":
        return -1
    if word in ("BEGIN", "LOOP", "WHILE", "CASE") and before != "END":
        return 1
    if word in ("IF", "REPEAT") and before != "END" and after != "(" and after not in ("EXISTS", "NOT"):
        return 1
    if word in ("IF", "REPEAT") and before in (";", "BEGIN", "THEN", "ELSE", "DO", "LOOP"):
        return 1
    return 0
