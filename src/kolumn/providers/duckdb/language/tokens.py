"""DuckDB's tokens, names and literals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from string import ascii_lowercase, ascii_uppercase

from kolumn.providers.duckdb.language.keywords import RESERVED
from kolumn.sql.tokens import NUMBER, QUOTED, WORD, Token, fold_ascii, scan

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@cache
def _token() -> re.Pattern[str]:
    return re.compile(
        r"""(?:[ \t\n\f\r\v]++|--[^\n\r]*+|/\*(?s:.*?)\*/)*+(?:
          (?P<string>(?:[eE]'(?:[^'\\]|\\(?s:.)|'')*+')|(?:[xXbB]?'(?:[^']|'')*+')
            |\$(?P<tag>(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?)\$(?s:.*?)\$(?P=tag)\$)
        | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*+)
        | (?P<quoted>"(?:[^"]|"")*+")
        | (?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)
        | (?P<parameter>\?[0-9]*|\$[A-Za-z0-9_]+)
        | (?P<operator>::|:=|=>|->>|->|\|\||<<|>>|<=|>=|<>|==|!=|//|\*\*|!~~?\*?|~~\*?|[-+*/%()\[\]{},;:=<>&|~^@.!\#])
        | (?P<end>\Z)
        | (?P<illegal>(?s:.))
        )""",
        re.VERBOSE,
    )


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text` without white space and comments; malformed pieces come as ILLEGAL."""
    return scan(_token(), text)


def fold(identifier: str) -> str:
    """Return the form in which DuckDB compares identifiers: ASCII letters in lower case, others kept."""
    return fold_ascii(identifier)


def folded(text: str) -> str:
    """Return the SQL that folds a text in SQL as `fold` does; DuckDB's lower() changes other letters as well."""
    return f"translate({text}, '{ascii_uppercase}', '{ascii_lowercase}')"


def unquote(text: str) -> str:
    """Return the identifier a WORD or QUOTED token stands for."""
    return text[1:-1].replace('""', '"') if text[:1] == '"' else text


def quote(identifier: str) -> str:
    """Return `identifier` as SQL, in double quotes where it needs them."""
    if _PLAIN.fullmatch(identifier) is not None and identifier.lower() not in RESERVED:
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def full_name(schema: str, name: str) -> str:
    """Return a name with its schema as SQL; an empty schema is the default one."""
    return f"{quote(schema or 'main')}.{quote(name)}"


def literal(text: str) -> str:
    """Return `text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def string_value(text: str) -> str:
    """Return what a plain string literal says."""
    return text[1:-1].replace("''", "'")


def normal(tokens: Iterable[Token]) -> str:
    """Return tokens in the form in which they are compared: names lose case and quotes, literals stay exact."""
    form = []
    for token in tokens:
        if token.kind == WORD:
            form.append(fold(token.text))
        elif token.kind == QUOTED:
            form.append(fold(unquote(token.text)))
        elif token.kind == NUMBER:
            form.append(token.text.lower())
        else:
            form.append(token.text)
    return " ".join(form)
