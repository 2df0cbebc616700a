"""Normal forms of expressions and statements: two texts with equal ones mean the same to PostgreSQL.

They see through what needs no knowledge of the database: white space, comments, case, needless quotes and
parentheses, `!=`, CAST, the many ways to write a string, aliases of types, `public.` before a table. The
server's own wording decides about everything else (see `settling`), so whatever could be read in two ways
stays as it is written. A form is for comparison only; it is no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from kolumn.providers.postgres.language.keywords import KEYWORDS, UNRESERVED
from kolumn.providers.postgres.language.keywords import QUOTED as QUOTED_KEYWORDS
from kolumn.providers.postgres.language.mentions import relation_places
from kolumn.providers.postgres.language.tokens import identifier, literal, quote, tokenize, value
from kolumn.providers.postgres.language.types import TypeName, read_type
from kolumn.sql.tokens import OPERATOR, QUOTED, STRING, WORD, Token, closing, without_outer_parentheses

_CONTEXTUAL = """
    absent at breadth by columns conditional content cube current cycle day depth document double empty
    encoding error escape exclude filter first following format groups hour ignore indent insert keep key
    keys last local locked matched materialized merge minute month name names nested next nfc nfd nfkc
    nfkd no normalized nothing nowait nulls object of omit only operator ordinality others over
    overriding partition passing path plan preceding quotes range recursive ref respect rollup row rows
    scalar search second set sets share skip source standalone string strip system target temp ties type
    uescape unbounded unconditional unknown update value values varying version whitespace within without
    wrapper year yes zone
"""
CONTEXTUAL = frozenset(_CONTEXTUAL.split())
"""Unreserved keywords that mean something else without quotes in places of an expression or query."""

_KEEPS_QUOTES = QUOTED_KEYWORDS | (CONTEXTUAL & UNRESERVED)

_BEFORE_GROUPING = frozenset({"and", "or", "not", "when", "then", "else", "between", "like", "ilike"})
"""Words after which a parenthesis only groups."""
_SUBQUERY = frozenset({"select", "values", "table", "insert", "update", "delete", "merge"})
_SIGNS = frozenset("(,[")


@lru_cache(maxsize=65536)
def normal_expression(text: str) -> str:
    """Return the normal form of one expression."""
    tokens = without_outer_parentheses(tokenize(text))
    plain = _SUBQUERY.isdisjoint(token.word for token in tokens)
    return _Form(tokens, grouping=plain).text()


@lru_cache(maxsize=16384)
def normal_statement(text: str) -> str:
    """Return the normal form of one query or statement; semicolons at its end say nothing."""
    tokens = tokenize(text)
    while tokens and tokens[-1].word == ";":
        tokens.pop()
    return _Form(without_outer_parentheses(tokens), grouping=False).text()


class _Form:
    """Writes tokens in normal form, piece by piece."""

    def __init__(self, tokens: Sequence[Token], *, grouping: bool) -> None:
        self._tokens = tokens
        self._grouping = grouping
        self._pieces: list[str] = []
        self._opened: list[tuple[int, bool]] = []
        """Where among the pieces parentheses are open, and whether they only group."""
        self._value = (-1, -1)
        """Where the last value begins and ends: one piece or pair of parentheses, and the casts after it."""
        self._casts = _casts(tokens)
        self._skipped = _public_places(tokens)

    def text(self) -> str:
        """Return the form."""
        place, end = 0, len(self._tokens)
        casts_end: dict[int, tuple[TypeName, int]] = {}
        while place < end:
            token = self._tokens[place]
            word = token.word
            if place in self._skipped:
                place += 2
            elif place in self._casts:
                as_place, type_name, last = self._casts[place]
                casts_end[as_place] = (type_name, last)
                self._open(True)
                place += 2
            elif place in casts_end:
                type_name, place = casts_end[place]
                self._close("", cast=True)
                self._cast(type_name)
                place += 1
            elif word == "::":
                read = read_type(self._tokens, place + 1)
                if isinstance(read, str):
                    self._add("::")
                    place += 1
                else:
                    self._cast(read[0])
                    place = read[1]
            elif word == "(":
                self._open(self._grouping and self._groups(place))
                place += 1
            elif word == ")":
                self._close(self._tokens[place + 1].word if place + 1 < end else "")
                place += 1
            else:
                self._add(self._piece(place), value=token.kind != OPERATOR)
                place += 1
        return " ".join(self._pieces)

    def _add(self, piece: str, *, value: bool = False) -> None:
        self._pieces.append(piece)
        if value:
            self._value = (len(self._pieces) - 1, len(self._pieces))

    def _cast(self, type_name: TypeName) -> None:
        start, end = self._value
        if end == len(self._pieces):
            self._value = (start, end + 1)
        if type_name.name == "regclass" and type_name.built_in and not type_name.array and self._pieces:
            self._pieces[-1] = _without_public(self._pieces[-1])
        self._add(f":: {type_name}")

    def _open(self, groups: bool) -> None:
        self._opened.append((len(self._pieces), groups))
        self._add("(")

    def _close(self, after: str, *, cast: bool = False) -> None:
        """Close a parenthesis; where it only groups, and around one value, leave out the pair."""
        start, groups = self._opened.pop() if self._opened else (-1, False)
        one = self._value == (start + 1, len(self._pieces))
        if groups and one and (cast or after not in (".", "[", "(")):
            del self._pieces[start]
        else:
            self._add(")")
        self._value = (start, len(self._pieces))

    def _groups(self, place: int) -> bool:
        """Whether the parenthesis at `place` only groups: no call, no list."""
        if place == 0:
            return True
        before = self._tokens[place - 1]
        if before.kind == WORD:
            label = place > 1 and self._tokens[place - 2].word == "."
            return before.word in _BEFORE_GROUPING and not label
        return before.kind == OPERATOR and (before.word in _SIGNS or before.word[0] not in ")].:;")

    def _piece(self, place: int) -> str:
        token = self._tokens[place]
        label = place > 0 and self._tokens[place - 1].word == "."
        match token.kind:
            case "word":
                return _label(token.word) if label else _bare(token.word)
            case "quoted":
                return _quoted(identifier(token), token.text, label)
            case "string":
                text = value(token)
                return token.text if text is None else literal(text)
            case "number" | "bits":
                return token.text.lower()
            case "operator":
                return "<>" if token.word == "!=" else token.word
        return token.text


def _bare(word: str) -> str:
    return word if word in _KEEPS_QUOTES else quote(word)


def _quoted(name: str, text: str, label: bool) -> str:
    if name == text:
        return text
    if label:
        return _label(name)
    return f'"{name}"' if name in _KEEPS_QUOTES else quote(name)


def _label(name: str) -> str:
    """Return the form of a name after a period, where every word can go without quotes."""
    return name if name in KEYWORDS else quote(name)


def _casts(tokens: Sequence[Token]) -> Mapping[int, tuple[int, TypeName, int]]:
    """Return, by where a CAST begins: where its AS is, its type, and where its parenthesis is closed."""
    if not any(token.word == "cast" for token in tokens):
        return {}
    found = {}
    ends = closing(tokens)
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token.word == "(":
            opened.append(place)
        elif token.word == ")" and opened:
            opened.pop()
        elif token.word == "as" and opened and opened[-1] > 0 and tokens[opened[-1] - 1].word == "cast":
            start = opened[-1]
            read = read_type(tokens, place + 1)
            if not isinstance(read, str) and read[1] == ends.get(start) and place > start + 1:
                found[start - 1] = (place, read[0], read[1])
    return found


def _public_places(tokens: Sequence[Token]) -> frozenset[int]:
    """Return where a `public` is that says no more than the table's name alone would.

    With WITH in the text it could: an unqualified name may be that of a common table expression.
    """
    words = {token.word for token in tokens}
    if _SUBQUERY.isdisjoint(words) or "with" in words:
        return frozenset()
    return frozenset(
        place
        for place in relation_places(tokens)
        if place + 2 < len(tokens)
        and identifier(tokens[place]) == "public"
        and tokens[place + 1].word == "."
        and not identifier(tokens[place + 2]).startswith("pg_")
        and (place + 3 == len(tokens) or tokens[place + 3].word not in (".", "("))
    )


def _without_public(piece: str) -> str:
    """Return a literal that is read as the name of a relation in its shortest form."""
    tokens = tokenize(piece)
    text = value(tokens[0]) if len(tokens) == 1 and tokens[0].kind == STRING else None
    if text is None:
        return piece
    parts = tokenize(text)
    kinds = [part.kind for part in parts]
    if not set(kinds[::2]) <= {WORD, QUOTED} or len(parts) not in (1, 3):
        return piece
    names = [identifier(part) for part in parts[::2]]
    if len(parts) == 3 and parts[1].word != ".":
        return piece
    if names[0] == "public" and len(names) == 2 and not names[1].startswith("pg_"):
        del names[0]
    return literal(".".join(map(quote, names)))
