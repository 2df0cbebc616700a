"""Names of types: read from tokens, and spelled as `format_type` does with an empty search path.

https://www.postgresql.org/docs/current/datatype.html; the grammar is that of `Typename` in gram.y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from kolumn.providers.postgres.language.keywords import COLUMN_NAME, RESERVED
from kolumn.providers.postgres.language.tokens import identifier, literal, quote, tokenize, value
from kolumn.sql.tokens import ILLEGAL, NUMBER, QUOTED, STRING, UNFINISHED, WORD, Token

CATALOG = "pg_catalog"

_BUILT_IN = """
    aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray
    anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange bit bool box bpchar bytea char
    cid cidr circle cstring date datemultirange daterange event_trigger fdw_handler float4 float8 gtsvector
    index_am_handler inet int2 int2vector int4 int4multirange int4range int8 int8multirange int8range internal
    interval json jsonb jsonpath language_handler line lseg macaddr macaddr8 money name numeric nummultirange
    numrange oid oidvector path point polygon record refcursor regclass regcollation regconfig
    regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype table_am_handler text
    tid time timestamp timestamptz timetz trigger tsm_handler tsmultirange tsquery tsrange tstzmultirange
    tstzrange tsvector txid_snapshot unknown uuid varbit varchar void xid xid8 xml
"""
BUILT_IN = frozenset(_BUILT_IN.split())
"""Types of the system's catalogue; those whose names begin with pg_ come on top."""

_SPELLING = {
    "bit": '"bit"',
    "bool": "boolean",
    "char": '"char"',
    "float4": "real",
    "float8": "double precision",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "interval": "interval",
    "json": "json",
    "numeric": "numeric",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "timetz": "time with time zone",
    "varbit": "bit varying",
    "varchar": "character varying",
}
"""How the catalogue's names are written in SQL, where that differs."""

_WORDS = {
    "bigint": "int8",
    "boolean": "bool",
    "dec": "numeric",
    "decimal": "numeric",
    "int": "int4",
    "integer": "int4",
    "json": "json",
    "numeric": "numeric",
    "real": "float4",
    "smallint": "int2",
}
"""What SQL's names of one word stand for in the catalogue, those apart that have something after them."""

SERIALS = {
    "smallserial": "smallint",
    "serial2": "smallint",
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
}
"""What is no type but an integer column with a sequence of its own."""

_SERIAL_SPELLING = {"serial2": "smallserial", "serial4": "serial", "serial8": "bigserial"}

_FIELDS = ("year", "month", "day", "hour", "minute", "second")
_FIELD_RANGES = {
    ("year", "month"),
    ("day", "hour"),
    ("day", "minute"),
    ("day", "second"),
    ("hour", "minute"),
    ("hour", "second"),
    ("minute", "second"),
}
_PRECISION = 6
"""The finest precision of times; PostgreSQL takes a finer one for it."""


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as it is named; `str()` spells it as `format_type` does, but for public, which it leaves out."""

    name: str
    """In the catalogue: `int4` for integer, `bpchar` for character."""
    schema: str = ""
    """`pg_catalog` for what is built in; empty for public, which is kept only where the name alone would be
    something built in."""
    modifiers: tuple[str, ...] = ()
    """What stands in parentheses, e.g. length, or precision and scale."""
    fields: str = ""
    """The fields of an interval: `day to second`."""
    array: bool = False
    """Whether it is an array of that; PostgreSQL does not tell dimensions and bounds apart."""
    set_of: bool = False

    @property
    def built_in(self) -> bool:
        """Whether the type is part of PostgreSQL."""
        return self.schema == CATALOG

    @property
    def element(self) -> TypeName:
        """The type of an array's elements, the type itself if it is no array."""
        return TypeName(self.name, self.schema, self.modifiers, self.fields)

    def __str__(self) -> str:
        text = self._spelled()
        if self.array:
            text += "[]"
        return f"setof {text}" if self.set_of else text

    def _spelled(self) -> str:
        size = f"({','.join(self.modifiers)})" if self.modifiers else ""
        if not self.built_in:
            prefix = f"{quote(self.schema)}." if self.schema else ""
            return f"{prefix}{quote(self.name)}{size}"
        name = self.name
        if name == "bpchar":
            return f"character{size}" if size else "bpchar"
        if name == "bit" and size:
            return f"bit{size}"
        if name == "interval" and self.fields:
            return f"interval {self.fields}{size}"
        if name in ("time", "timestamp", "timetz", "timestamptz") and size:
            zone = "with" if name.endswith("tz") else "without"
            return f"{name.removesuffix('tz')}{size} {zone} time zone"
        return _SPELLING.get(name, quote(name)) + size


def read_type(tokens: Sequence[Token], at: int = 0) -> tuple[TypeName, int] | str:
    """Return the type that begins at `tokens[at]` and where it ends, or why there is none."""
    reader = _Reader(tokens, at)
    try:
        found = reader.whole()
    except _NoTypeError as fault:
        return str(fault)
    return found, reader.at


@lru_cache(maxsize=8192)
def parse_type(text: str) -> TypeName | str:
    """Return the type that `text` names, or why it is not exactly one."""
    tokens = tokenize(text)
    for token in tokens:
        if token.kind == UNFINISHED:
            return "it has an unfinished quote or comment"
        if token.kind == ILLEGAL:
            return f"it has {token.text!r}, which is no SQL"
    found = read_type(tokens)
    if isinstance(found, str):
        return found
    parsed, end = found
    return parsed if end == len(tokens) else f"it goes on with {tokens[end].text} after the type {parsed}"


@lru_cache(maxsize=8192)
def normal_type(text: str) -> str:
    """Return the spelling of a type's name that all its other spellings have in common."""
    parsed = parse_type(text)
    if not isinstance(parsed, str):
        return _SERIAL_SPELLING.get(parsed.name, parsed.name) if _is_serial(parsed) else str(parsed)
    return " ".join(token.word or token.text for token in tokenize(text))


def serial_of(text: str) -> str | None:
    """Return the integer type behind `serial` and its kin, None for any other type."""
    parsed = parse_type(text)
    return SERIALS[parsed.name] if not isinstance(parsed, str) and _is_serial(parsed) else None


def is_built_in(name: str) -> bool:
    """Whether an unqualified type name means one of PostgreSQL's own, whatever else there is."""
    return name in BUILT_IN or name.startswith("pg_")


def _is_serial(parsed: TypeName) -> bool:
    return parsed.name in SERIALS and parsed == TypeName(parsed.name)


class _NoTypeError(Exception):
    """Why there is no type."""


class _Reader:
    """Reads one type; `at` is the next token."""

    def __init__(self, tokens: Sequence[Token], at: int) -> None:
        self._tokens = tokens
        self.at = at

    def whole(self) -> TypeName:
        set_of = self._take("setof")
        found = self._simple()
        array = found.array
        if self._take("array"):
            array = True
            if self._peek() == "[":
                self._bounds()
        else:
            while self._peek() == "[":
                array = True
                self._bounds()
        return TypeName(found.name, found.schema, found.modifiers, found.fields, array, set_of)

    def _simple(self) -> TypeName:
        token = self._next("a type")
        if token.kind == WORD and self._peek() != ".":
            found = self._word(token.word)
            if found is not None:
                return found
        if token.kind not in (WORD, QUOTED):
            raise _NoTypeError(f"it has {token.text} where a type's name belongs")
        if token.kind == WORD and (token.word in RESERVED or token.word in COLUMN_NAME):
            raise _NoTypeError(
                f"{token.text} is a word of SQL's own; put it in double quotes if it is a type"
            )
        return self._named(token)

    def _named(self, token: Token) -> TypeName:
        names = [identifier(token)]
        while self._take("."):
            part = self._next("a name")
            if part.kind not in (WORD, QUOTED):
                raise _NoTypeError(f"it has {part.text} where a name belongs")
            names.append(identifier(part))
        if len(names) > 2:
            raise _NoTypeError("its name has more than a schema and a name")
        if "" in names:
            raise _NoTypeError("it has a name without characters")
        schema, name = ("", names[0]) if len(names) == 1 else names
        if (schema or CATALOG) == CATALOG and name[:1] == "_" and is_built_in(name[1:]):
            return TypeName(name[1:], CATALOG, array=True)
        if schema == CATALOG or (not schema and is_built_in(name)):
            return self._built_in(name)
        modifiers = self._modifiers()
        if schema == "public" and not is_built_in(name) and name not in SERIALS:
            schema = ""
        return TypeName(name, schema, modifiers)

    def _word(self, word: str) -> TypeName | None:
        """Return what a name that belongs to SQL stands for, with what may come after it."""
        if word in _WORDS:
            return self._built_in(_WORDS[word])
        match word:
            case "float":
                return self._float()
            case "double":
                return TypeName("float8", CATALOG) if self._take("precision") else None
            case "character" | "char" | "nchar":
                return self._character()
            case "national":
                if not (self._take("character") or self._take("char")):
                    raise _NoTypeError("national belongs before character")
                return self._character()
            case "varchar":
                return self._built_in("varchar")
            case "bit":
                varying = self._take("varying")
                modifiers = self._modifiers()
                return TypeName(
                    "varbit" if varying else "bit", CATALOG, modifiers or (() if varying else ("1",))
                )
            case "time" | "timestamp":
                modifiers = self._time_modifiers()
                zone = self._zone()
                return TypeName(f"{word}tz" if zone else word, CATALOG, modifiers)
            case "interval":
                return self._interval()
        return None

    def _built_in(self, name: str) -> TypeName:
        if name in ("time", "timetz", "timestamp", "timestamptz", "interval"):
            return TypeName(name, CATALOG, self._time_modifiers())
        modifiers = self._modifiers()
        if name == "numeric" and len(modifiers) == 1:
            modifiers = (*modifiers, "0")
        return TypeName(name, CATALOG, modifiers)

    def _float(self) -> TypeName:
        modifiers = self._modifiers()
        if not modifiers:
            return TypeName("float8", CATALOG)
        digits = int(modifiers[0]) if len(modifiers) == 1 and modifiers[0].isdecimal() else 0
        if not 1 <= digits <= 53:
            raise _NoTypeError("the precision of float is a number from 1 to 53")
        return TypeName("float4" if digits <= 24 else "float8", CATALOG)

    def _character(self) -> TypeName:
        if self._take("varying"):
            return TypeName("varchar", CATALOG, self._modifiers())
        return TypeName("bpchar", CATALOG, self._modifiers() or ("1",))

    def _interval(self) -> TypeName:
        first = self._peek()
        if first not in _FIELDS:
            return TypeName("interval", CATALOG, self._time_modifiers())
        self.at += 1
        fields, last = first, first
        if self._peek() == "to":
            self.at += 1
            last = self._next("a field").word
            if (first, last) not in _FIELD_RANGES:
                raise _NoTypeError(f"an interval is not from {first} to {last}")
            fields = f"{first} to {last}"
        modifiers = self._time_modifiers() if last == "second" else ()
        return TypeName("interval", CATALOG, modifiers, fields)

    def _zone(self) -> bool:
        """Take `with time zone` or `without time zone`, and say whether it was the first."""
        word = self._peek()
        if word not in ("with", "without") or self._peek(1) != "time" or self._peek(2) != "zone":
            return False
        self.at += 3
        return word == "with"

    def _time_modifiers(self) -> tuple[str, ...]:
        return tuple(
            str(min(int(each), _PRECISION)) if each.isdecimal() else each for each in self._modifiers()
        )

    def _modifiers(self) -> tuple[str, ...]:
        """Take `(10, 2)`; each is a number, a word or a text."""
        if not self._take("("):
            return ()
        found = []
        while True:
            token = self._next("a size")
            sign = ""
            if token.word in ("-", "+"):
                sign = token.word.removeprefix("+")
                token = self._next("a number")
                if token.kind != NUMBER:
                    raise _NoTypeError(f"it has {token.text} where a number belongs")
            found.append(sign + self._modifier(token))
            if self._take(")"):
                return tuple(found)
            if not self._take(","):
                raise _NoTypeError(f"it has {self._next('a comma').text} where a comma or ) belongs")

    def _modifier(self, token: Token) -> str:
        if token.kind == NUMBER:
            return str(int(token.text)) if token.text.isdecimal() else token.text.lower()
        if token.kind == STRING:
            text = value(token)
            return token.text if text is None else literal(text)
        if token.kind == QUOTED or (token.kind == WORD and token.word not in RESERVED):
            return quote(identifier(token))
        raise _NoTypeError(f"it has {token.text} where a size such as (10, 2) belongs")

    def _bounds(self) -> None:
        self.at += 1
        token = self._next("]")
        if token.kind == NUMBER:
            token = self._next("]")
        if token.word != "]":
            raise _NoTypeError(f"it has {token.text} where ] belongs")

    def _peek(self, further: int = 0) -> str:
        place = self.at + further
        return self._tokens[place].word if place < len(self._tokens) else ""

    def _take(self, word: str) -> bool:
        taken = self._peek() == word
        self.at += taken
        return taken

    def _next(self, what: str) -> Token:
        if self.at >= len(self._tokens):
            raise _NoTypeError(f"it ends where {what} belongs" if self._tokens else "it is empty")
        self.at += 1
        return self._tokens[self.at - 1]
