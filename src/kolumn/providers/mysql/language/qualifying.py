"""Names of databases in texts: the servers write them everywhere in a view, people where they must."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from kolumn.providers.mysql.language.tokens import fold, tokenize, unquote
from kolumn.sql.tokens import QUOTED, WORD, Edit, Token, edited


@lru_cache(maxsize=4096)
def unqualified(text: str, database: str, *, columns: bool = True) -> str:
    """Return a text without the name of `database` before others; `columns` says that it can have some of tables."""
    tokens = tokenize(text)
    edits: list[Edit] = []
    for at, token in enumerate(tokens[:-2]):
        is_name = token.kind == QUOTED or (token.kind == WORD and token.text == database)
        if not is_name or unquote(token.text) != database or (at and tokens[at - 1].word == "."):
            continue
        if tokens[at + 1].word != "." or tokens[at + 2].kind not in (QUOTED, WORD):
            continue
        # `a`.`b` inside a query is a column of a table, unless there is a third name or a table stands here.
        third = at + 3 < len(tokens) and tokens[at + 3].word == "."
        if third or not columns or _is_relation(tokens, at):
            edits.append((token.start, tokens[at + 1].end, ""))
    return edited(text, edits)


_BEFORE_RELATIONS = frozenset({"FROM", "JOIN", "STRAIGHT_JOIN", "INTO", "UPDATE", "TABLE"})


def _is_relation(tokens: Sequence[Token], at: int) -> bool:
    """Whether a table or a routine is named at this place, as far as the server's own spelling goes."""
    if at + 3 < len(tokens) and tokens[at + 3].word == "(":
        return True
    before = tokens[at - 1].word if at else ""
    if before in _BEFORE_RELATIONS:
        return True
    if before not in ("(", ","):
        return False
    # In the list after FROM a name ends with an alias, a join, a comma or a parenthesis; elsewhere `a`.`b` is a column.
    place = at - 1
    while place >= 0 and tokens[place].word == "(":
        place -= 1
    return place >= 0 and tokens[place].word in ("FROM", "JOIN", "STRAIGHT_JOIN")


def same_database(one: str, other: str) -> bool:
    """Whether two names mean one database."""
    return fold(one) == fold(other)
