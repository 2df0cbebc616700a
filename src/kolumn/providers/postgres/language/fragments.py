"""Pieces of SQL from configuration: each must be exactly one type, expression, query, or list of arguments.

Nothing else gets into a statement, so no attribute can end the statement it is in or begin another one. A
text that passes still has to be put into its place by `embedded`, as it may end with a comment, and an
expression in parentheses: those, no text that passes can close.
"""

from __future__ import annotations

from functools import lru_cache

from kolumn.providers.postgres.language.keywords import RESERVED, TYPE_OR_FUNCTION
from kolumn.providers.postgres.language.tokens import tokenize
from kolumn.providers.postgres.language.types import parse_type
from kolumn.sql import fragments
from kolumn.sql.tokens import NUMBER, QUOTED, STRING, WORD, Token

_OPENED = {")": "(", "]": "["}
_OPENING = frozenset(_OPENED.values())

_IN_EXPRESSIONS = frozenset(
    {
        *("all", "and", "any", "array", "asymmetric", "case", "cast", "collate", "distinct", "else", "end"),
        *("false", "from", "in", "not", "null", "or", "some", "symmetric", "then", "true", "when"),
        *("current_catalog", "current_date", "current_role", "current_time", "current_timestamp"),
        *("current_user", "localtime", "localtimestamp", "session_user", "system_user", "user"),
        *("is", "isnull", "notnull", "like", "ilike", "similar", "overlaps", "collation", "current_schema"),
    }
)
"""Reserved words that an expression can have outside parentheses."""

_VALUES = frozenset({"end", "null", "true", "false", "isnull", "notnull"})
"""Those of them that end a value."""

_OPERATORS = RESERVED | TYPE_OR_FUNCTION | {"between", "zone", "escape"}
"""Words that a value comes after, those in `_VALUES` aside."""

_NEVER_FIRST = frozenset(
    {
        *(
            "all",
            "and",
            "any",
            "asymmetric",
            "collate",
            "distinct",
            "else",
            "end",
            "from",
            "in",
            "or",
            "some",
        ),
        *("symmetric", "then", "when", "is", "isnull", "notnull", "like", "ilike", "similar", "overlaps"),
    }
)
"""Those of them that an expression cannot begin with."""

_QUERIES = frozenset({"select", "with", "values", "table", "("})
_COMMANDS = frozenset({"select", "with", "values", "table", "insert", "update", "delete", "merge", "notify"})
_AFTER_A_QUERY = frozenset({"cascaded", "local", "check", "no", "data"})


def fault(
    text: str, *, commas: bool = False, semicolons: bool = False, parameters: bool = False
) -> tuple[str, list[Token]]:
    """Return why `text` cannot stand inside a statement, empty if it can, and its tokens.

    `commas` and `semicolons` allow these outside parentheses, `parameters` allows `$1`.
    """
    if "\0" in text:
        return "it has a NUL character", []
    tokens = tokenize(text)
    why = fragments.fault(
        tokens, commas=commas, semicolons=semicolons, parameters=parameters, refused=_empty_name
    )
    return why, [] if why else tokens


def _empty_name(token: Token) -> str:
    return f"it has {token.text!r}, which is no SQL" if token.text == '""' else ""


@lru_cache(maxsize=65536)
def embedded(text: str) -> str:
    """Return a text that passed its check without comments, white space and semicolons at its ends."""
    return fragments.embedded(text, tokenize(text))


@lru_cache(maxsize=65536)
def expression_fault(text: str) -> str:
    """Return why `text` is not one expression, empty if it is.

    What passes and is no expression after all is a syntax error in parentheses, and nothing else.
    """
    why, tokens = fault(text)
    if why:
        return why
    if tokens[0].word in _NEVER_FIRST:
        return f"it begins with {tokens[0].text}"
    depth = 0
    for place, token in enumerate(tokens):
        if token.word in _OPENING:
            depth += 1
        elif token.word in _OPENED:
            depth -= 1
        elif token.kind == WORD and depth == 0 and not _fits(tokens, place):
            return f"it has {token.text.upper()}, which no expression has outside parentheses"
    return ""


def _fits(tokens: list[Token], place: int) -> bool:
    """Whether a word outside parentheses can be part of an expression."""
    word = tokens[place].word
    before = tokens[place - 1] if place else None
    after = tokens[place + 1].word if place + 1 < len(tokens) else ""
    last = before.word if before is not None else ""
    if last == ".":
        return True
    if word in ("not", "null") and before is not None and _ends_operand(before):
        return word == "not" and after in ("in", "like", "ilike", "similar", "between")
    if word in TYPE_OR_FUNCTION and after == "(":
        return True
    match word:
        case "with":
            return after in ("time", "unique")
        case "unique":
            return last in ("with", "without")
        case "to":
            return last in ("similar", "year", "day", "hour", "minute")
        case "group":
            return last == "within"
        case "for":
            return last == "collation"
    return word in _IN_EXPRESSIONS or (word not in RESERVED and word not in TYPE_OR_FUNCTION)


def _ends_operand(token: Token) -> bool:
    """Whether a value can end with `token`."""
    if token.kind == WORD:
        return token.word in _VALUES or token.word not in _OPERATORS
    return token.kind in (QUOTED, STRING, NUMBER) or token.word in (")", "]")


def type_fault(text: str) -> str:
    """Return why `text` is not one type, empty if it is."""
    parsed = parse_type(text)
    if isinstance(parsed, str):
        return parsed
    return "no column holds a set" if parsed.set_of else ""


def query_fault(text: str) -> str:
    """Return why `text` is not one query, empty if it is; semicolons at its end are no fault."""
    why, tokens = fault(text, commas=True, semicolons=True)
    if why:
        return why
    while tokens and tokens[-1].word == ";":
        tokens.pop()
    if not tokens:
        return "it is empty"
    if tokens[0].word not in _QUERIES:
        return f"it begins with {tokens[0].text}, not with SELECT, WITH, VALUES or TABLE"
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.word in _OPENING) - (token.word in _OPENED)
        last = tokens[place - 1].word if place else ""
        after = tokens[place + 1].word if place + 1 < len(tokens) else ""
        if token.word == ";":
            return "it has more than one statement"
        if depth or last == ".":
            continue
        if token.word == "into" and last != "as":
            return "it has INTO, which makes a table of a query"
        if token.word == "with" and place and after in _AFTER_A_QUERY:
            return f"it has WITH {after.upper()}, which belongs to an attribute of its own"
    return ""


def commands_fault(text: str) -> str:
    """Return why `text` is not one or more commands divided by semicolons, as a rule can have."""
    why, tokens = fault(text, commas=True, semicolons=True)
    if why:
        return why
    for before, token in zip([None, *tokens], tokens, strict=False):
        if (before is None or before.word == ";") and token.word not in _COMMANDS and token.word != ";":
            return f"it has a command that begins with {token.text}"
    return "" if any(token.word != ";" for token in tokens) else "it is empty"


def body_fault(text: str) -> str:
    """Return why `text` cannot be a routine's body between quotes, empty if it can.

    What is in it is the routine's language; no text gets out of `tokens.dollar`.
    """
    if "\0" in text:
        return "it has a NUL character"
    return "" if text.strip() else "it is empty"


def sql_body_fault(text: str) -> str:
    """Return why `text` is not a body without quotes: `RETURN <expression>` or `BEGIN ATOMIC ... END`."""
    why, tokens = fault(text, commas=True, semicolons=True, parameters=True)
    if why:
        return why
    while tokens and tokens[-1].word == ";":
        tokens.pop()
    words = [token.word for token in tokens]
    if words[:1] == ["return"]:
        return "it has more than one statement" if ";" in words else ""
    if words[:2] != ["begin", "atomic"]:
        return "it begins with neither RETURN nor BEGIN ATOMIC"
    open_ends = 1
    for place in range(2, len(tokens)):
        if open_ends == 0:
            return "it goes on after its END"
        if words[place] == "end":
            open_ends -= 1
        elif words[place] == "case":
            if _ends_operand(tokens[place - 1]) or words[place - 1] in ("as", "."):
                return 'it has CASE as a name; put it in double quotes: "case"'
            open_ends += 1
    return "it has no END of its own" if open_ends else ""
