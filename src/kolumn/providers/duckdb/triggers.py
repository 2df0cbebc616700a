"""Triggers that were made by hand: no resource type of their own, but kept when their table is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kolumn.providers.duckdb.language.tokens import literal, quote, tokenize


@dataclass(frozen=True, slots=True)
class TriggerText:
    """A trigger as the catalogue spells it."""

    name: str
    sql: str
    comment: str = ""


def again(table: str, triggers: tuple[TriggerText, ...]) -> Iterator[str]:
    """Yield what makes triggers again, on `table`, a quoted name: theirs, or what that is called now."""
    for each in triggers:
        yield _on(table, each.sql)
        if each.comment:
            yield f"COMMENT ON TRIGGER {quote(each.name)} ON {table} IS {literal(each.comment)}"


def _on(table: str, text: str) -> str:
    """Return a CREATE TRIGGER on `table`: its name stands behind the first ON."""
    tokens = tokenize(text)
    first = next(at for at, token in enumerate(tokens) if token.word == "ON") + 1
    last = first
    while tokens[last + 1].word == ".":
        last += 2
    return text[: tokens[first].start] + table + text[tokens[last].end :]
