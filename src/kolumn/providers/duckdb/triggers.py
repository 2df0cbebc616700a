"""Triggers that were made by hand: no resource type of their own, but kept when their table is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kolumn.providers.duckdb.language.tokens import literal, quote


@dataclass(frozen=True, slots=True)
class TriggerText:
    """A trigger as the catalogue spells it."""

    name: str
    sql: str
    comment: str = ""


def again(table: str, triggers: tuple[TriggerText, ...]) -> Iterator[str]:
    """Yield what makes triggers of `table`, a quoted name, again."""
    for each in triggers:
        yield each.sql
        if each.comment:
            yield f"COMMENT ON TRIGGER {quote(each.name)} ON {table} IS {literal(each.comment)}"
