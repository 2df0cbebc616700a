"""PostgreSQL's tokens, as its own scanner (scan.l) cuts them, and how it writes names and texts.

`standard_conforming_strings` is taken to be on and the encoding to be UTF-8; sessions see to both.
"""

from __future__ import annotations

import itertools
import re
from functools import cache, lru_cache

from kolumn.providers.postgres.language.keywords import QUOTED as QUOTED_KEYWORDS
from kolumn.sql.tokens import OPERATOR, QUOTED, STRING, UNFINISHED, WORD, Token, fold_ascii

NAME_BYTES = 63
"""The longest identifier in bytes; PostgreSQL cuts off what is beyond."""

_SHORT = NAME_BYTES // 4
"""As many characters are never too long."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_ALPHA = r"A-Za-z_\u0080-\U0010ffff"
_IGNORED = r"[ \t\n\r\f\v]++|--[^\n\r]*+|/\*(?:[^*/]++|\*(?!/)|/(?!\*))*+\*/"
_CONTINUED = r"(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*+'"
_PLAIN_INSIDE = "(?:[^']++|'')*+"
_ESCAPED_INSIDE = r"(?:[^'\\]++|''|\\(?s:.))*+"
_OWN_SIGN = re.compile("[~!@#^&|`?%]")
_NEST = re.compile(r"/\*|\*/")


def _string(prefix: str, inside: str) -> str:
    return rf"{prefix}'{inside}'(?:{_CONTINUED}{inside}')*+"


@cache
def _token() -> re.Pattern[str]:
    """Return the pattern of one token, compiled at first use: a plan with nothing to do has none."""
    digits = "[0-9](?:_?[0-9])*+"
    tag = f"(?:[{_ALPHA}][{_ALPHA}0-9]*+)?"
    uescape = rf"(?:(?:{_IGNORED})*+[uU][eE][sS][cC][aA][pP][eE](?:{_IGNORED})*+'[^']')?+"
    return re.compile(
        rf"""(?:{_IGNORED})*+(?:
          (?P<word>(?![eEbBxXnN]'|[uU]&['"])[{_ALPHA}][{_ALPHA}0-9$]*+)
        | (?P<operator>::|:=|\.\.|\.(?![0-9])|[,()\[\];:]
            | (?:[~!@\#^&|`?%+*<>=]|-(?!-)|/(?!\*))++)
        | (?P<string>{_string("[nN]?", _PLAIN_INSIDE)}
            | {_string("[eE]", _ESCAPED_INSIDE)}
            | {_string("[uU]&", _PLAIN_INSIDE)}{uescape}
            | \$(?P<tag>{tag})\$[^$]*+(?:(?!\$(?P=tag)\$)\$[^$]*+)*+\$(?P=tag)\$)
        | (?P<number>(?>0[xX](?:_?[0-9a-fA-F])++|0[oO](?:_?[0-7])++|0[bB](?:_?[01])++
            | (?:{digits}(?:\.(?!\.)(?:{digits})?+)?+|\.{digits})(?:[eE][+-]?{digits})?+)(?![{_ALPHA}]))
        | (?P<quoted>"(?:[^"]++|"")*+"|[uU]&"(?:[^"]++|"")*+"{uescape})
        | (?P<bits>{_string("[bBxX]", "[^']*+")})
        | (?P<parameter>\$[0-9]++(?![{_ALPHA}]))
        | (?P<unfinished>(?:(?:[eEbBxXnN]|[uU]&)?'|(?:[uU]&)?"|\${tag}\$)(?s:.*))
        | (?P<nested>/\*)
        | (?P<end>\Z)
        | (?P<illegal>[.$]?[0-9][0-9.]*+[{_ALPHA}0-9$]*+|(?s:.))
        )""",
        re.VERBOSE,
    )


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text` without white space and comments.

    What no token begins with comes as ILLEGAL, what does not end as UNFINISHED. Words are folded. QUOTED has
    `U&"..."` with its UESCAPE; STRING is a constant of any kind but bits: plain, `E''`, `N''`, `U&''` with its
    UESCAPE, in dollar quotes, and pieces on several lines are one.
    """
    found: list[Token] = []
    new, kind_of = tuple.__new__, Token
    begin: int | None = 0
    while begin is not None:
        matches, begin = _token().finditer(text, begin), None
        for match in matches:
            kind = match.lastgroup or "end"
            if kind == "end":
                break
            start, end = match.span(kind)
            if kind == "nested":
                begin = _comment_end(text, start)
                if begin is None:
                    found.append(Token(UNFINISHED, text[start:], start, len(text), ""))
                break
            piece = text[start:end]
            word = fold(piece) if kind == "word" else piece if kind == "operator" else ""
            if kind == "operator" and end - start > 1 and piece[-1] in "+-":
                found += _operators(piece, start)
            else:
                found.append(new(kind_of, (kind, piece, start, end, word)))
    return found


def _operators(signs: str, start: int) -> list[Token]:
    """Return what PostgreSQL makes of signs in a row that end with + or -.

    They are one operator only if one of them is in no operator of the SQL standard; else those at the
    end stand alone.
    """
    kept = signs if _OWN_SIGN.search(signs) else signs.rstrip("+-") or signs[0]
    ends = [0, *range(len(kept), len(signs) + 1)]
    return [
        Token(OPERATOR, signs[begin:end], start + begin, start + end, signs[begin:end])
        for begin, end in itertools.pairwise(ends)
    ]


def _comment_end(text: str, start: int) -> int | None:
    """Return where the comment that begins at `start` ends, others inside it counted; None if nowhere."""
    depth = 0
    for match in _NEST.finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return None


def clip(name: str, size: int = NAME_BYTES) -> str:
    """Return as much of `name` as fits into `size` bytes, no character cut in two."""
    return name.encode("utf-8", "surrogatepass")[:size].decode("utf-8", "ignore")


def fold(identifier: str) -> str:
    """Return an unquoted identifier as PostgreSQL reads it: ASCII letters in lower case, cut to 63 bytes."""
    folded = fold_ascii(identifier)
    return folded if len(folded) <= _SHORT else clip(folded)


def identifier(token: Token) -> str:
    """Return the name a WORD or QUOTED token stands for; what is no name as it is written."""
    if token.kind == WORD:
        return token.word
    if token.kind != QUOTED:
        return token.text
    name = _unicode(token.text) if token.text[0] != '"' else token.text[1:-1].replace('""', '"')
    return token.text if name is None else clip(name)


_STRING_PIECE = re.compile(rf"({_PLAIN_INSIDE})'(?:{_CONTINUED})?+")
_ESCAPED_PIECE = re.compile(rf"({_ESCAPED_INSIDE})'(?:{_CONTINUED})?+")


def value(token: Token) -> str | None:
    """Return the text a STRING token stands for; None where that takes a server (bytes, malformed escapes).

    The text of `N'...'`, which is of another type than others, is None too.
    """
    text = token.text
    first = text[:1]
    if token.kind != STRING or first in ("n", "N"):
        return None
    if first == "$":
        tag = text.index("$", 1) + 1
        return text[tag:-tag]
    if first == "'":
        return "".join(_STRING_PIECE.findall(text, 1)).replace("''", "'")
    if first in ("e", "E"):
        return _unescaped("".join(_ESCAPED_PIECE.findall(text, 2)))
    return _unicode(text)


_ESCAPE = re.compile(
    r"''|\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescaped(text: str) -> str | None:
    """Return what stands between the quotes of an escape string, None where it is no plain text."""
    whole = True

    def character(match: re.Match[str]) -> str:
        nonlocal whole
        octal, byte, short, long, other = match.groups()
        if other is not None:
            whole = whole and other not in "uU"
            return _CONTROL.get(other, other)
        if octal is None and byte is None and short is None and long is None:
            return "'"
        code = int(octal, 8) if octal else int(byte or short or long, 16)
        limit = 0x80 if octal or byte else 0x110000
        whole = whole and 0 < code < limit and not 0xD800 <= code < 0xE000
        return chr(code) if whole else ""

    found = _ESCAPE.sub(character, text)
    return found if whole else None


@cache
def _unicode_parts() -> re.Pattern[str]:
    return re.compile(
        rf"""[uU]&(?:"(?P<name>(?:[^"]++|"")*+)"|'(?P<text>{_PLAIN_INSIDE}'(?:{_CONTINUED}{_PLAIN_INSIDE}')*+))"""
        rf"""(?:(?:{_IGNORED})*+[uU][eE][sS][cC][aA][pP][eE](?:{_IGNORED})*+'(?P<escape>[^'])')?"""
    )


def _unicode(text: str) -> str | None:
    """Return what `U&"..."` or `U&'...'` stands for, None where it is malformed."""
    parts = _unicode_parts().fullmatch(text)
    if parts is None:
        return None
    if parts["name"] is not None:
        inside = parts["name"].replace('""', '"')
    else:
        inside = "".join(_STRING_PIECE.findall(parts["text"])).replace("''", "'")
    escape = parts["escape"] or "\\"
    if escape in "+'\"0123456789abcdefABCDEF" or escape.isspace():
        return None
    sign = re.escape(escape)
    whole = True

    def character(match: re.Match[str]) -> str:
        nonlocal whole
        short, long, doubled = match.groups()
        if doubled:
            return escape
        code = int(short or long or "0", 16)
        whole = whole and 0 < code < 0x110000 and not 0xD800 <= code < 0xE000
        return chr(code) if whole else ""

    found = re.sub(rf"{sign}(?:([0-9a-fA-F]{{4}})|\+([0-9a-fA-F]{{6}})|({sign})|)", character, inside)
    return found if whole else None


@lru_cache(maxsize=65536)
def quote(identifier: str) -> str:
    """Return `identifier` as SQL, in double quotes where `quote_ident` puts them."""
    plain = _PLAIN.fullmatch(identifier) is not None and identifier not in QUOTED_KEYWORDS
    return identifier if plain else '"' + identifier.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """Return `name` as SQL with its schema before it, which is public where `schema` is empty."""
    return f"{quote(schema or 'public')}.{quote(name)}"


def literal(text: str) -> str:
    """Return `text` as a string constant that means the same whatever `standard_conforming_strings` is."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'" if "\\" not in text else "E'" + doubled.replace("\\", "\\\\") + "'"


def dollar(text: str, tag: str = "") -> str:
    """Return `text` in dollar quotes, with `tag` made longer until it does not occur in the text."""
    number = 0
    mark = f"${tag}$"
    while (text + mark).index(mark) != len(text):
        mark = f"${tag or 'body'}{number or ''}$"
        number += 1
    return f"{mark}{text}{mark}"
