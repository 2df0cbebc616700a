"""Cutting a script into statements: at semicolons outside of texts, comments, parentheses and SQL bodies."""

from __future__ import annotations

from kolumn.contract.errors import ValidationError
from kolumn.providers.postgres.language.tokens import tokenize
from kolumn.sql.tokens import ILLEGAL, UNFINISHED, WORD


def statements_of(script: str) -> list[str]:
    """Return the statements, the comments before each with it.

    `BEGIN ATOMIC ... END` of a function and the parentheses of a rule hold semicolons of their own. Raises
    ValidationError for what does not end and for commands of psql.
    """
    found: list[str] = []
    tokens = tokenize(script)
    start = depth = bodies = 0
    held = False
    """Whether there is a token since `start`."""
    before = ""
    for token in tokens:
        if token.kind == UNFINISHED:
            raise _fault(script, token.start, "a text or comment begins that does not end")
        if token.kind == ILLEGAL and token.text == "\\":
            raise _fault(script, token.start, "a command of psql is no SQL")
        if token.word in ("(", "["):
            depth += 1
        elif token.word in (")", "]"):
            depth = max(0, depth - 1)
        elif token.kind == WORD and (before, token.word) == ("begin", "atomic"):
            bodies = 1
        elif token.kind == WORD and token.word == "case":
            bodies += bool(bodies)
        elif token.kind == WORD and token.word == "end" and bodies:
            bodies -= 1
        if token.word == ";" and not depth and not bodies:
            if held:
                found.append(script[start : token.start].strip())
            start, held = token.end, False
        else:
            held = True
        before = token.word
    if held:
        found.append(script[start:].strip())
    for text in found:
        _refuse_data(text)
    return found


def _refuse_data(text: str) -> None:
    words = [token.word for token in tokenize(text)]
    if words[:1] == ["copy"] and "stdin" in words:
        raise ValidationError(
            "COPY ... FROM stdin has its data in the script, which only psql can run. Write INSERT instead.",
            code="invalid_script",
        )


def _fault(script: str, at: int, words: str) -> ValidationError:
    return ValidationError(f"line {script.count(chr(10), 0, at) + 1}: {words}.", code="invalid_script")
