"""What a renamed column does to an expression over the columns of its table.

PostgreSQL keeps columns by number, so its own text of the expression has the new name from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from kolumn.providers.postgres.language.keywords import RESERVED, TYPE_OR_FUNCTION
from kolumn.providers.postgres.language.tokens import identifier, quote, tokenize
from kolumn.providers.postgres.language.types import read_type
from kolumn.sql.tokens import OPERATOR, QUOTED, STRING, WORD, Token, edited

_QUERIES = frozenset({"select", "values", "table", "with"})
_VALUES = frozenset(
    {
        *(
            "null",
            "true",
            "false",
            "end",
            "user",
            "session_user",
            "system_user",
            "localtime",
            "localtimestamp",
        ),
        *("current_catalog", "current_date", "current_role", "current_schema", "current_time"),
        *("current_timestamp", "current_user", "isnull", "notnull"),
    }
)
"""Reserved words that stand for a value, or end one: an operator is next."""

_PREDICATES = frozenset(
    {
        *(
            "not",
            "unknown",
            "null",
            "true",
            "false",
            "document",
            "json",
            "object",
            "array",
            "scalar",
            "value",
        ),
        *("normalized", "nfc", "nfd", "nfkc", "nfkd", "with", "without", "unique", "keys"),
    }
)
"""Words that make up what can be asked with IS."""

_FIELDS = frozenset({"year", "month", "day", "hour", "minute", "second", "to"})


@lru_cache(maxsize=8192)
def with_column_renamed(text: str, old: str, new: str) -> str:
    """Return `text` with column `old` called `new`.

    Names of functions, types, collations, fields and arguments stay, and so do words of SQL's own. With a
    query in it the text stays as it is: there the name may be another table's.
    """
    tokens = tokenize(text)
    for place, token in enumerate(tokens):
        if token.word in _QUERIES and (place == 0 or tokens[place - 1].word == "("):
            return text
    named = (tokens[place] for place in _column_places(tokens))
    return edited(text, ((each.start, each.end, quote(new)) for each in named if identifier(each) == old))


def _column_places(tokens: Sequence[Token]) -> Iterator[int]:
    """Yield the places of columns' names: of all names, those where a value is expected."""
    place, end = 0, len(tokens)
    expected = True
    while place < end:
        token = tokens[place]
        word = token.word
        before = tokens[place - 1].word if place else ""
        if token.kind == OPERATOR:
            if word == "::":
                place, expected = _after_type(tokens, place + 1), False
                continue
            if word == ".":
                place += 1
            expected = word not in (")", "]", ".")
            place += 1
        elif token.kind not in (WORD, QUOTED):
            place, expected = place + 1, False
            while place < end and tokens[place].word in _FIELDS and before != "(":
                place += 1
        elif word == "is":
            place += 1
            while place < end and tokens[place].word in _PREDICATES:
                place += 1
            expected = place < end and tokens[place].word == "distinct"
            place += 2 * expected
        elif word == "collate":
            place, expected = _chain_end(tokens, place + 1), False
        elif word == "as":
            place, expected = _after_type(tokens, place + 1), False
        elif word == "operator" and place + 1 < end and tokens[place + 1].word == "(":
            place, expected = _closing(tokens, place + 1) + 1, True
        elif token.kind == WORD and word in RESERVED | TYPE_OR_FUNCTION:
            expected = word not in _VALUES
            place += 1
        elif not expected:
            zone = word == "at" and [each.word for each in tokens[place + 1 : place + 3]] == ["time", "zone"]
            place, expected = place + (3 if zone else 1), token.kind == WORD
        else:
            stop = _chain_end(tokens, place)
            after = tokens[stop].word if stop < end else ""
            constant = _after_type(tokens, place)
            if constant > place and constant < end and tokens[constant].kind == STRING:
                place = constant
                continue
            field = before == "(" and after == "from" and place > 1 and tokens[place - 2].word == "extract"
            if after not in ("(", "=>", ":=", ".") and not field:
                yield stop - 1
            place, expected = stop, False


def _after_type(tokens: Sequence[Token], start: int) -> int:
    """Return where the type that begins at `start` ends; `start` itself if there is none."""
    read = read_type(tokens, start)
    return start if isinstance(read, str) else read[1]


def _chain_end(tokens: Sequence[Token], start: int) -> int:
    """Return where the name that begins at `start`, with what it belongs to before it, ends."""
    end = start + 1
    while end + 1 < len(tokens) and tokens[end].word == "." and tokens[end + 1].kind in (WORD, QUOTED):
        end += 2
    return end


def _closing(tokens: Sequence[Token], opening: int) -> int:
    """Return where the parenthesis at `opening` is closed."""
    place = opening
    while place < len(tokens) and tokens[place].word != ")":
        place += 1
    return place
