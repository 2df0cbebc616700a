"""Names of databases in texts: the servers write them everywhere in a view, people where they must."""

from __future__ import annotations

from functools import lru_cache

from kolumn.providers.mysql.language.tokens import QUOTED, WORD, fold, tokenize, unquote


@lru_cache(maxsize=4096)
def unqualified(text: str, database: str, *, columns: bool = True) -> str:
    """Return a text without the name of `database` before others; `columns` says that it can have some of tables."""
    tokens = tokenize(text)
    pieces: list[str] = []
    done = 0
    for at, token in enumerate(tokens[:-2]):
        before = tokens[at - 1].word if at else ""
        named = token.kind == QUOTED or (token.kind == WORD and token.text == database)
        follows = tokens[at + 2].kind in (QUOTED, WORD)
        if (
            named
            and before != "."
            and tokens[at + 1].word == "."
            and follows
            and unquote(token.text) == database
        ):
            # `a`.`b` inside a query is a column of a table, unless there is a third name or a table stands here.
            third = at + 3 < len(tokens) and tokens[at + 3].word == "."
            if third or not columns or _is_relation(tokens, at):
                pieces.append(text[done : token.start])
                done = tokens[at + 1].end
    return "".join((*pieces, text[done:]))


_BEFORE_RELATIONS = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "STRAIGHT_JOIN", "("})


def _is_relation(tokens: tuple[object, ...], at: int) -> bool:
    """Whether a table or a routine is named at this place, as far as the server's own spelling goes."""
    from kolumn.providers.mysql.language.tokens import Token

    before, after = tokens[at - 1] if at else None, tokens[at + 3] if at + 3 < len(tokens) else None
    assert before is None or isinstance(before, Token)
    assert after is None or isinstance(after, Token)
    if after is not None and after.word == "(":
        return True
    if before is None:
        return False
    if before.word in ("FROM", "JOIN", "STRAIGHT_JOIN", "INTO", "UPDATE", "TABLE"):
        return True
    if before.word not in ("(", ","):
        return False
    # In the list after FROM a name ends with an alias, a join, a comma or a parenthesis; elsewhere `a`.`b` is a column.
    place = at - 1
    while place >= 0 and isinstance(tokens[place], Token) and tokens[place].word == "(":  # type: ignore[attr-defined]
        place -= 1
    first = tokens[place] if place >= 0 else None
    return isinstance(first, Token) and first.word in ("FROM", "JOIN", "STRAIGHT_JOIN")


def same_database(one: str, other: str) -> bool:
    """Whether two names mean one database."""
    return fold(one) == fold(other)
