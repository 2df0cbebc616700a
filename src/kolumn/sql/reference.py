"""Foreign key targets as configuration spells them: `table(column)`, `schema.table(a, b)`, `table.column`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_NAME = r'(?:"(?:[^"]|"")+"|[^\s".(),]+(?: +[^\s".(),]+)*)'
_CALL = re.compile(rf"\s*(?:({_NAME})\.)?({_NAME})\s*(?:\(\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*\))?\s*")
_DOTTED = re.compile(rf"\s*(?:({_NAME})\.)?({_NAME})\.({_NAME})\s*")
_PLAIN = re.compile(r"[^\s\".(),]+(?: +[^\s\".(),]+)*")


@dataclass(frozen=True, slots=True)
class Reference:
    """A table, and the columns of it that are referred to; none means its primary key."""

    table: str
    columns: tuple[str, ...] = ()
    schema: str = ""

    def __str__(self) -> str:
        text = quote(self.table) if not self.schema else f"{quote(self.schema)}.{quote(self.table)}"
        return f"{text}({', '.join(map(quote, self.columns))})" if self.columns else text


def quote(name: str) -> str:
    """Return `name` as a reference spells it: in double quotes where it would be misread."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=16384)  # a plan asks several times what each foreign key refers to
def parse_reference(text: str) -> Reference | None:
    """Read a reference, None if it is not one.

    `a.b` is column b of table a, as users of `references = other_table.column` mean it;
    `a.b(c)` is table b of schema a; `a.b.c` is column c of table b of schema a.
    """
    if match := _DOTTED.fullmatch(text):
        schema, table, column = match.groups()
        return Reference(_unquote(table), (_unquote(column),), _unquote(schema or ""))
    if match := _CALL.fullmatch(text):
        schema, table, columns = match.groups()
        names = re.findall(_NAME, columns) if columns else []
        return Reference(_unquote(table), tuple(map(_unquote, names)), _unquote(schema or ""))
    return None


def parse_names(text: str) -> tuple[str, ...]:
    """Read names divided by commas, in double quotes where they must be; empty if it is something else."""
    if re.fullmatch(rf"\s*{_NAME}(?:\s*,\s*{_NAME})*\s*", text) is None:
        return ()
    return tuple(map(_unquote, re.findall(_NAME, text)))


def parse_dotted(text: str) -> tuple[str, ...]:
    """Read names joined by dots, `schema.name`, each in double quotes where it must be; empty if it is none."""
    if re.fullmatch(rf"\s*{_NAME}(?:\.{_NAME})*\s*", text) is None:
        return ()
    return tuple(map(_unquote, re.findall(_NAME, text)))


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
