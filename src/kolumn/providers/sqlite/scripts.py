"""Cutting a script into statements, as the `sqlite3` shell does (https://sqlite.org/c3ref/complete.html)."""

from __future__ import annotations

import sqlite3

from kolumn.contract.errors import ValidationError
from kolumn.providers.sqlite.tokens import tokenize
from kolumn.sql.tokens import ILLEGAL


def statements_of(script: str) -> list[str]:
    """Return the statements; the body of a trigger is part of its own.

    Raises ValidationError for a statement that does not end, and for a command of the shell.
    """
    found: list[str] = []
    start = 0
    for token in tokenize(script):
        if token.start < start:
            continue
        if token.kind == ILLEGAL and token.text in "'\"`[":
            raise ValidationError(
                f"line {script.count(chr(10), 0, token.start) + 1}: a text that begins with {token.text} does "
                "not end.",
                code="invalid_script",
            )
        if token.text == "." and not script[start : token.start].strip():
            raise ValidationError(
                f"line {script.count(chr(10), 0, token.start) + 1} is a command of the sqlite3 shell, not SQL.",
                code="invalid_script",
            )
        if token.word == ";" and sqlite3.complete_statement(script[start : token.end]):
            text = script[start : token.end - 1].strip()
            if tokenize(text):
                found.append(text)
            start = token.end
    rest = script[start:].strip()
    if tokenize(rest):
        if _is_trigger(rest):
            raise ValidationError(
                "the body of a trigger does not end: END; is missing.", code="invalid_script"
            )
        found.append(rest)
    return found


def _is_trigger(text: str) -> bool:
    words = [token.word for token in tokenize(text)[:3]]
    return words[:1] == ["CREATE"] and "TRIGGER" in words and not text.rstrip(";").upper().endswith("END")
