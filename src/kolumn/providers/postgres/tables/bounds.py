"""The bounds of partitions: `FROM (...) TO (...)`, `IN (...)`, `WITH (MODULUS n, REMAINDER m)` or `DEFAULT`.

https://www.postgresql.org/docs/current/sql-createtable.html (partition_bound_spec)
"""

from __future__ import annotations

from functools import lru_cache

from kolumn.providers.postgres.language import fragments
from kolumn.providers.postgres.language.normal import normal_expression
from kolumn.providers.postgres.language.tokens import tokenize
from kolumn.sql.normal import Grammar
from kolumn.sql.tokens import NUMBER, Token, closing, pieces

_FORMS = "write FROM (...) TO (...), IN (...), WITH (MODULUS n, REMAINDER m) or DEFAULT"
_UNBOUNDED = frozenset({"minvalue", "maxvalue"})


@lru_cache(maxsize=4096)
def bounds_fault(text: str) -> str | None:
    """Return why `text` is no bounds of a partition, None if it is."""
    why, tokens = fragments.fault(text)
    if why:
        return why
    lists = _lists(text, tokens)
    if lists is None:
        return _FORMS
    for word, values in lists:
        for value in values if word != "with" else ():
            if value.lower() not in _UNBOUNDED and (fault := fragments.expression_fault(value)):
                return f"{value}: {fault}"
    return None


@lru_cache(maxsize=4096)
def normal_bounds(text: str) -> str:
    """Return the one spelling of the same bounds."""
    lists = _lists(text, tokenize(text))
    if lists is None:
        return text
    if not lists:
        return "DEFAULT"
    parts = []
    for word, values in lists:
        if word == "with":
            normal = [value.upper() for value in sorted(values, key=str.lower)]
        else:
            normal = [
                value.upper() if value.lower() in _UNBOUNDED else normal_expression(value) for value in values
            ]
            if word == "in":
                normal.sort()
        parts.append(f"{word.upper()} ({', '.join(normal)})")
    return " ".join(parts)


def bounds_sql(text: str) -> str:
    """Return what stands at the end of PARTITION OF and ATTACH PARTITION."""
    tokens = tokenize(text)
    if [token.word for token in tokens[:2]] == ["for", "values"]:
        tokens = tokens[2:]
    clause = text[tokens[0].start : tokens[-1].end]
    return "DEFAULT" if clause.lower() == "default" else f"FOR VALUES {clause}"


def _lists(text: str, tokens: list[Token]) -> list[tuple[str, list[str]]] | None:
    """Return the lists with the word before each, none for DEFAULT; None if it is something else."""
    words = [token.word for token in tokens]
    if words == ["default"]:
        return []
    if words[:2] == ["for", "values"]:
        tokens = tokens[2:]
    ends = closing(tokens)
    found: list[tuple[str, list[str]]] = []
    at = 0
    while at < len(tokens):
        end = ends.get(at + 1)
        if end is None:
            return None
        values = [text[each[0].start : each[-1].end] for each in pieces(tokens[at + 2 : end])]
        found.append((tokens[at].word, values))
        if tokens[at].word == "with" and not _is_hash(pieces(tokens[at + 2 : end])):
            return None
        at = end + 1
    if not all(values for _, values in found):
        return None
    return found if [word for word, _ in found] in (["from", "to"], ["in"], ["with"]) else None


def _is_hash(parts: list[list[Token]]) -> bool:
    return sorted(each[0].word for each in parts) == ["modulus", "remainder"] and all(
        len(each) == 2 and each[1].kind == NUMBER for each in parts
    )


BOUNDS = Grammar(bounds_fault, normal_bounds)
"""The grammar of a partition's bounds."""
