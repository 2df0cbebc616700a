"""Data types as MySQL and MariaDB know them (https://dev.mysql.com/doc/refman/9.4/en/data-types.html)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from kolumn.providers.mysql.language.tokens import literal, text_of, tokenize
from kolumn.sql.tokens import NUMBER, OPERATOR, QUOTED, STRING, WORD


class DataType(NamedTuple):
    """One data type, in normal form."""

    name: str
    """In lower case and under its own name, e.g. `int` for INTEGER."""
    arguments: tuple[str, ...] = ()
    """Sizes, or the members of an ENUM or SET as SQL."""
    unsigned: bool = False
    zerofill: bool = False

    def __str__(self) -> str:
        text = self.name + (f"({','.join(self.arguments)})" if self.arguments else "")
        return text + (" unsigned" if self.unsigned else "") + (" zerofill" if self.zerofill else "")

    @property
    def members(self) -> tuple[str, ...]:
        """The members of an ENUM or SET."""
        return tuple(text_of(each) for each in self.arguments) if self.name in ("enum", "set") else ()


_SYNONYMS: Mapping[str, str] = {
    "integer": "int",
    "int1": "tinyint",
    "int2": "smallint",
    "int3": "mediumint",
    "middleint": "mediumint",
    "int4": "int",
    "int8": "bigint",
    "dec": "decimal",
    "numeric": "decimal",
    "fixed": "decimal",
    "number": "decimal",
    "double precision": "double",
    "real": "double",
    "float4": "float",
    "float8": "double",
    "character": "char",
    "character varying": "varchar",
    "char varying": "varchar",
    "varcharacter": "varchar",
    "varchar2": "varchar",
    "char byte": "binary",
    "long": "mediumtext",
    "long varchar": "mediumtext",
    "long varbinary": "mediumblob",
    "geometrycollection": "geomcollection",
    "clob": "longtext",
    "raw": "varbinary",
    "sql_tsi_year": "year",
}

_WIDTHS: Mapping[str, tuple[int, int]] = {
    "tinyint": (4, 3),
    "smallint": (6, 5),
    "mediumint": (9, 8),
    "int": (11, 10),
    "bigint": (20, 20),
}
"""Display widths where none is given, signed and unsigned."""

INTEGERS = frozenset(_WIDTHS)
NUMBERS = INTEGERS | {"decimal", "float", "double"}
TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})
"""Types with a character set."""
GEOMETRIES = frozenset(
    [
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geomcollection",
    ]
)
_LENGTHS: Mapping[str, str] = {"char": "1", "binary": "1", "bit": "1"}
_BOOLEANS = frozenset({"bool", "boolean"})
_KNOWN = (
    NUMBERS
    | TEXTS
    | GEOMETRIES
    | {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "json", "vector"}
    | {"date", "time", "datetime", "timestamp", "year", "uuid", "inet4", "inet6", "xmltype"}
)


@lru_cache(maxsize=16384)
def parse_type(text: str) -> DataType | str:
    """Return the type that `text` spells, else why it is none."""
    if "\0" in text:
        return "it has a NUL character"
    tokens = list(tokenize(text))
    words: list[str] = []
    while (
        tokens
        and tokens[0].kind in (WORD, QUOTED)
        and tokens[0].word not in ("UNSIGNED", "SIGNED", "ZEROFILL")
    ):
        words.append(tokens.pop(0).text.lower())
        if " ".join([*words, *(each.text.lower() for each in tokens[:1])]) not in _SYNONYMS:
            break
    name = " ".join(words)
    if not name:
        return "it names no type"
    arguments: list[str] = []
    if tokens and tokens[0].word == "(":
        tokens.pop(0)
        while tokens and tokens[0].kind in (NUMBER, STRING):
            token = tokens.pop(0)
            arguments.append(literal(text_of(token.text)) if token.kind == STRING else token.text)
            if tokens and tokens[0].word == ",":
                tokens.pop(0)
            else:
                break
        if not arguments or not tokens or tokens.pop(0).word != ")":
            return "its size is not one or two numbers, or its list is not one of texts"
    unsigned = zerofill = False
    while tokens and tokens[0].word in ("UNSIGNED", "SIGNED", "ZEROFILL"):
        word = tokens.pop(0).word
        unsigned, zerofill = unsigned or word != "SIGNED", zerofill or word == "ZEROFILL"
    if tokens:
        rest = tokens[0].text
        if tokens[0].word in ("CHARACTER", "CHARSET", "COLLATE", "BINARY", "ASCII", "UNICODE"):
            return f"{rest} belongs to the attributes character_set and collation"
        if tokens[0].kind == OPERATOR or tokens[0].word not in ("NOT", "NULL", "DEFAULT", "SRID", "COMMENT"):
            return f"it goes on with {rest}"
        return f"{rest} belongs to an attribute of its own"
    name = _SYNONYMS.get(name, name)
    if name in _BOOLEANS:
        return DataType("tinyint", ("1",)) if not arguments else "a boolean has no size"
    if name not in _KNOWN:
        return f"there is no type {name}"
    if (unsigned or zerofill) and name not in NUMBERS:
        return f"a {name} is neither unsigned nor zerofill"
    texts = any(each.startswith("'") for each in arguments)
    if (name in ("enum", "set")) != texts:
        return f"{name} needs a list of texts" if not texts else f"{name} has no list of texts"
    return _complete(DataType(name, tuple(arguments), unsigned, zerofill))


def _complete(found: DataType) -> DataType:
    """Return the type with the size it has where none is given."""
    name, arguments = found.name, found.arguments
    if name in _WIDTHS:
        signed, unsigned = _WIDTHS[name]
        return (
            found if arguments else found._replace(arguments=(str(unsigned if found.unsigned else signed),))
        )
    if name in _LENGTHS and not arguments:
        return found._replace(arguments=(_LENGTHS[name],))
    if name == "decimal":
        return found._replace(arguments=(*(arguments or ("10",)), "0")[:2])
    if name == "float" and len(arguments) == 1:  # a precision in bits chooses between the two
        return found._replace(name="float" if int(arguments[0]) <= 24 else "double", arguments=())
    if name == "year" or (name in ("time", "datetime", "timestamp") and arguments == ("0",)):
        return found._replace(arguments=())
    return found


def type_of(text: str) -> DataType | None:
    """Return the type that `text` spells, None if it is none."""
    found = parse_type(text)
    return None if isinstance(found, str) else found


_RANGES: Mapping[str, int] = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_SIZES: Mapping[str, int] = {
    "tinytext": 255,
    "text": 65535,
    "mediumtext": 16777215,
    "longtext": 4294967295,
    "tinyblob": 255,
    "blob": 65535,
    "mediumblob": 16777215,
    "longblob": 4294967295,
}


def bounds(found: DataType) -> tuple[int, int] | None:
    """Return the least and the greatest value of a type of whole numbers."""
    bits = _RANGES.get(found.name)
    if bits is None:
        return None
    return (0, 2**bits - 1) if found.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def capacity(found: DataType) -> int | None:
    """Return how long a value can be, in characters or for blobs and long texts in bytes."""
    if found.name in ("char", "varchar", "binary", "varbinary"):
        return int(found.arguments[0]) if found.arguments else None
    return _SIZES.get(found.name)


def is_wider(before: DataType, after: DataType) -> bool:
    """Whether every value of one type is a value of the other, unchanged."""
    if before == after:
        return True
    if before.name in _RANGES and after.name in _RANGES:
        (low, high), (least, most) = bounds(before) or (0, 0), bounds(after) or (0, 0)
        return least <= low and high <= most
    if before.name == after.name == "decimal":
        whole = [int(each.arguments[0]) - int(each.arguments[1]) for each in (before, after)]
        return (
            whole[1] >= whole[0]
            and int(after.arguments[1]) >= int(before.arguments[1])
            and (before.unsigned or not after.unsigned)
        )
    if before.name == after.name and before.name in ("enum", "set"):
        return set(before.members) <= set(after.members)
    if before.name in ("char", "varchar") and after.name in ("varchar", "text", "mediumtext", "longtext"):
        return (capacity(after) or 0) >= (capacity(before) or 0) * (1 if after.name == "varchar" else 4)
    texts = ("tinytext", "text", "mediumtext", "longtext")
    blobs = ("tinyblob", "blob", "mediumblob", "longblob")
    for kinds in (texts, blobs):
        if before.name in kinds and after.name in kinds:
            return kinds.index(after.name) >= kinds.index(before.name)
    if before.name == after.name and before.name in (
        "binary",
        "varbinary",
        "bit",
        "time",
        "datetime",
        "timestamp",
    ):
        return int((after.arguments or ("0",))[0]) >= int((before.arguments or ("0",))[0])
    return (before.name, after.name) in (("float", "double"), ("date", "datetime"))
