"""What a change of a column's type does to the table and to the values in it.

https://www.postgresql.org/docs/current/sql-altertable.html. Which casts there are is in `casts`; here is what
each of them refuses or drops. Spaces at the end of a text count as nothing, as they do to `character(n)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from kolumn.providers.postgres.language.casts import (
    FINEST,
    REGISTERED,
    STRINGS,
    TEXTS,
    Cast,
    cast,
    keeps_size,
    precision,
    rewrites,
)
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.language.types import TypeName, parse_type, serial_of


@dataclass(frozen=True, slots=True)
class Conversion:
    """What ALTER COLUMN ... TYPE is and does. The texts are for people, empty where all is well."""

    through: tuple[str, ...] = ()
    """The types to cast the column to, one after the other; none if PostgreSQL knows by itself."""
    rewrites: bool = False
    """Whether every row is copied, under a lock that stops readers and writers."""
    fails: str = ""
    """When it fails, after the word `fails`."""
    loses: str = ""
    """What of the values is lost."""
    changes: str = ""
    """How values are understood, where that is a matter of opinion."""

    def using(self, column: str) -> str:
        """Return the expression for USING, empty where none is needed."""
        return "::".join([quote(column), *self.through]) if self.through else ""


@lru_cache(maxsize=8192)
def conversion(before: str, after: str, *, utc: bool = True) -> Conversion:
    """Return what it is to change a column from one type to another.

    `utc` says whether the session's time zone is UTC, as Kolumn's is. A user's type is taken for one that can
    be read from its text and nothing else, as enums can; for a domain that is more than there is need of.
    """
    old, new = parse_type(serial_of(before) or before), parse_type(serial_of(after) or after)
    if isinstance(old, str) or isinstance(new, str):
        return Conversion((after,), rewrites=True, fails="where a value cannot be cast")
    if old == new:
        return Conversion()
    way = cast(old, new)
    through: tuple[str, ...] = ()
    if way is Cast.EXPLICIT:
        through = (str(new),)
    elif way is Cast.NONE:
        through = ("text[]" if old.array and new.array else "text", str(new))
    effect = _effect(old, new, way, utc=utc)
    return Conversion(through, rewrites(old, new, utc=utc), effect.fails, effect.loses, _meaning(old, new))


@dataclass(frozen=True, slots=True)
class _Effect:
    fails: str = ""
    loses: str = ""


_NOTHING = _Effect()


def _effect(before: TypeName, after: TypeName, way: Cast, *, utc: bool) -> _Effect:
    if before.array and after.array:
        before, after = before.element, after.element
        return _NOTHING if before == after else _effect(before, after, cast(before, after), utc=utc)
    if after.built_in and not after.array and after.name in STRINGS:
        return _into_string(before, after)
    if way is Cast.NONE or (way is Cast.EXPLICIT and before.name in STRINGS):
        loses = _lost_of_text(after, cut=after.array) if after.built_in else ""
        return _Effect(f"where the text of a value is not one of type {after}", loses)
    if not (before.built_in and after.built_in):
        return _Effect(f"where a value is not one of type {after}")
    if before.name == after.name:
        return _resized(before, after)
    for rule in (_number, _time, _bits):
        found = rule(before, after)
        if found is not None:
            return found
    if {before.name, after.name} == {"timestamp", "timestamptz"}:
        loses = _rounding(before, after) or (
            "" if utc else "times that a change of the clocks repeats or skips"
        )
        return _Effect(loses=loses)
    found = _OTHERS.get((before.name, after.name), _NOTHING)
    if before.name == "jsonb" and after.name == "numeric" and after.modifiers:
        return _Effect(found.fails, _decimals(after))
    return found


def _meaning(before: TypeName, after: TypeName) -> str:
    if not before.built_in or not after.built_in:
        return ""
    pair = before.name, after.name
    if pair in (("timestamp", "timestamptz"), ("timestamptz", "timestamp")):
        return "times without a zone are taken to be in the session's time zone, UTC"
    if pair in (
        ("date", "timestamptz"),
        ("time", "timetz"),
        ("timestamptz", "date"),
        ("timestamptz", "time"),
    ):
        return "the session's time zone, UTC, decides which moment or day is meant"
    return ""


# Strings

_WIDEST = {
    "bool": 5,
    "char": 4,
    "int2": 6,
    "int4": 11,
    "int8": 20,
    "oid": 10,
    "uuid": 36,
    "macaddr": 17,
    "macaddr8": 23,
    "float4": 15,
    "float8": 24,
}
"""How many characters the longest text of a type has."""

_NAME_BYTES = 63


def _into_string(before: TypeName, after: TypeName) -> _Effect:
    width = _width(before)
    if after.name == "name":
        bytes_ = width * 4 if before.built_in and before.name in TEXTS else width
        fits = width and bytes_ <= _NAME_BYTES and not before.array
        return (
            _NOTHING
            if fits or before.name == "name"
            else _Effect(loses=f"what is beyond {_NAME_BYTES} bytes")
        )
    if not after.modifiers:
        return _NOTHING
    size = int(after.modifiers[0]) if after.modifiers[0].isdecimal() else 0
    fits = width and width <= size and not before.array
    return _NOTHING if fits else _Effect(f"where a text is longer than {size} characters")


def _width(before: TypeName) -> int:
    """Return how long texts of a type can be, 0 where they can be of any length."""
    if not before.built_in:
        return 0
    if before.name in ("varchar", "bpchar", "bit", "varbit") and before.modifiers:
        return int(before.modifiers[0]) if before.modifiers[0].isdecimal() else 0
    return _NAME_BYTES if before.name == "name" else _WIDEST.get(before.name, 0)


def _lost_of_text(after: TypeName, *, cut: bool) -> str:
    """Return what is dropped silently when a text is read as a value of a type, or an array of such.

    `cut` says that texts too long are cut off, as they are in arrays.
    """
    match after.name:
        case "varchar" | "bpchar" | "name" if cut:
            limit = after.modifiers[0] if after.modifiers else ""
            return f"what is beyond {limit} characters" if limit else ""
        case "char":
            return "all but the first character"
        case "date":
            return "times of the day"
        case "time" | "timetz":
            return "dates"
        case "timestamp":
            return "offsets from UTC" + (f", {_fractions(after)}" if precision(after) < FINEST else "")
        case "timestamptz":
            return _fractions(after) if precision(after) < FINEST else ""
        case "interval":
            return _below(after) if after.fields else _fractions(after) if after.modifiers else ""
        case "numeric":
            return _decimals(after) if after.modifiers else ""
        case "float4" | "float8":
            return f"digits beyond about {6 if after.name == 'float4' else 15}"
        case "money":
            return "fractions of the smallest unit"
        case "bit" | "varbit":
            return "bits beyond the length" if after.modifiers else ""
        case "jsonb":
            return "white space, order of keys, and all but the last of equal keys"
        case "tsvector":
            return "order and repetition of words"
    return ""


# Numbers

_RANGES = {"int2": 1, "int4": 2, "int8": 3}
_DIGITS = {"int2": 5, "int4": 10, "int8": 19}
_FLOATS = {"float4": 6, "float8": 15}
_NUMBERS = frozenset({*_RANGES, *_FLOATS, "numeric", "money"})


def _number(before: TypeName, after: TypeName) -> _Effect | None:
    """Return the effect between numbers, None for other types."""
    old, new = before.name, after.name
    if old not in _NUMBERS or new not in _NUMBERS:
        return None
    out_of_range = f"where a value is out of the range of {after}"
    if new in _RANGES:
        if old in _RANGES:
            return _NOTHING if _RANGES[old] < _RANGES[new] else _Effect(out_of_range)
        whole = old == "numeric" and bool(before.modifiers) and _scale(before) <= 0
        return _Effect(out_of_range, "" if whole else "fractions")
    if new in _FLOATS:
        return _into_float(before, after, out_of_range)
    if new == "money":
        fine = old in _RANGES or (old == "numeric" and bool(before.modifiers) and _scale(before) <= 2)
        return _Effect("" if old in ("int2", "int4") else out_of_range, "" if fine else "fractions of a cent")
    lossy = f"digits beyond {_FLOATS[old]}" if old in _FLOATS else ""
    if not after.modifiers:
        return _Effect(loses=lossy)
    digits = _DIGITS.get(old, 17 if old == "money" else 0)
    room = _precision(after) - _scale(after)
    fails = "" if digits and digits <= room and _scale(after) >= 0 else out_of_range
    exact = (old in _RANGES and _scale(after) >= 0) or (old == "money" and _scale(after) >= 2)
    return _Effect(fails, lossy or ("" if exact else _decimals(after)))


def _into_float(before: TypeName, after: TypeName, out_of_range: str) -> _Effect:
    old, new = before.name, after.name
    digits = _FLOATS[new]
    lossy = f"digits beyond about {digits}"
    if old in _FLOATS:
        return _NOTHING if new == "float8" else _Effect(out_of_range, lossy)
    if old in _RANGES:
        exact = old == "int2" or (old == "int4" and new == "float8")
        return _NOTHING if exact else _Effect(loses=lossy)
    if old == "numeric" and before.modifiers and 0 <= _scale(before) <= _precision(before):
        size = _precision(before)
        limit = 37 if new == "float4" else 300
        return _NOTHING if size <= digits else _Effect("" if size <= limit else out_of_range, lossy)
    return _Effect(out_of_range, lossy)


def _precision(numeric: TypeName) -> int:
    return int(numeric.modifiers[0]) if numeric.modifiers[0].isdecimal() else 0


def _scale(numeric: TypeName) -> int:
    text = numeric.modifiers[1]
    return int(text) if text.lstrip("-").isdecimal() else 0


def _decimals(after: TypeName) -> str:
    return f"digits beyond a scale of {after.modifiers[1]}"


# Times

_DROPPED = {
    ("timestamp", "date"): "times of the day",
    ("timestamptz", "date"): "times of the day",
    ("timestamp", "time"): "dates",
    ("timestamptz", "time"): "dates",
    ("timestamptz", "timetz"): "dates",
    ("timetz", "time"): "offsets from UTC",
    ("interval", "time"): "days and longer",
}
_FARTHER = {("date", "timestamp"), ("date", "timestamptz")}
_AS_THEY_ARE = {("time", "timetz"), ("time", "interval")}


def _time(before: TypeName, after: TypeName) -> _Effect | None:
    """Return the effect between dates and times, None for other types."""
    pair = before.name, after.name
    if pair in _DROPPED:
        return _Effect(loses=_DROPPED[pair])
    if pair in _FARTHER:
        return _Effect("where a date is after the year 294275")
    if pair in _AS_THEY_ARE:
        return _Effect(loses=_below(after) if after.fields else _rounding(before, after))
    return None


def _rounding(before: TypeName, after: TypeName) -> str:
    return _fractions(after) if precision(after) < precision(before) else ""


def _fractions(after: TypeName) -> str:
    digits = precision(after)
    return f"digits of a second beyond {digits}" if digits else "fractions of a second"


def _below(interval: TypeName) -> str:
    """Return what an interval with fields does not hold."""
    least = interval.fields.rpartition(" ")[2]
    if least != "second":
        return f"what is smaller than a {least}"
    return _fractions(interval) if precision(interval) < FINEST else ""


# Bits


def _bits(before: TypeName, after: TypeName) -> _Effect | None:
    """Return the effect between strings of bits, or from and to integers; None for other types."""
    bits = {"bit", "varbit"}
    size = int(after.modifiers[0]) if after.modifiers and after.modifiers[0].isdecimal() else 0
    if before.name in bits and after.name in bits:
        mine = before.modifiers
        fits = after.name == "varbit" and (not size or (bool(mine) and int(mine[0]) <= size))
        same = after.name == "bit" and before.name == "bit" and mine == after.modifiers
        words = "longer than" if after.name == "varbit" else "not of"
        return _NOTHING if fits or same or not size else _Effect(f"where a value is {words} {size} bits")
    widths = {"int4": 32, "int8": 64}
    if before.name in widths and after.name in bits:
        return _NOTHING if size >= widths[before.name] else _Effect(loses=f"bits beyond {size or 1}")
    if before.name in bits and after.name in widths:
        mine_bits = int(before.modifiers[0]) if before.modifiers else 0
        fits = bool(mine_bits) and mine_bits <= widths[after.name]
        return _NOTHING if fits else _Effect(f"where a value has more than {widths[after.name]} bits")
    return None


# The rest


def _resized(before: TypeName, after: TypeName) -> _Effect:
    """Return the effect of another size of the same type."""
    match before.name:
        case "numeric" if after.modifiers:
            return _renumbered(before, after)
        case "bit" | "varbit":
            return _bits(before, after) or _NOTHING
        case "time" | "timetz" | "timestamp" | "timestamptz":
            return _Effect(loses=_rounding(before, after))
        case "interval" if not keeps_size(before, after):
            return _Effect(loses=_below(after) if after.fields else _rounding(before, after))
    return _NOTHING


def _renumbered(before: TypeName, after: TypeName) -> _Effect:
    out_of_range = f"where a value is out of the range of {after}"
    if not before.modifiers:
        return _Effect(out_of_range, _decimals(after))
    loses = _scale(after) < _scale(before)
    room, needed = _precision(after) - _scale(after), _precision(before) - _scale(before)
    fits = room >= needed + loses
    return _Effect("" if fits else out_of_range, _decimals(after) if loses else "")


_OUT_OF_RANGE = _Effect("where a value is out of range")
_OTHERS = {
    ("int8", "oid"): _OUT_OF_RANGE,
    **{("int8", name): _OUT_OF_RANGE for name in REGISTERED},
    ("int4", "char"): _OUT_OF_RANGE,
    **{
        ("bytea", name): _Effect("where a value has too many bytes", "zeros at the beginning")
        for name in ("int2", "int4", "int8")
    },
    ("int4", "bool"): _Effect(loses="every value but 0 and 1"),
    **{(name, "char"): _Effect(loses="all but the first character") for name in TEXTS},
    **{(name, "regclass"): _Effect("where a text names no relation") for name in ("text", "varchar")},
    ("inet", "cidr"): _Effect(loses="the bits of the host"),
    ("macaddr8", "macaddr"): _Effect("where an address has no form of six bytes"),
    ("json", "jsonb"): _Effect(
        "where a text has \\u0000 or a number is out of range",
        "white space, order of keys, and all but the last of equal keys",
    ),
    **{
        ("jsonb", name): _Effect("where a value is of another kind or out of range")
        for name in ("bool", "numeric")
    },
    **{
        ("jsonb", name): _Effect("where a value is no number or out of range", lost)
        for name, lost in (
            ("int2", "fractions"),
            ("int4", "fractions"),
            ("int8", "fractions"),
            ("float4", "digits beyond about 6"),
            ("float8", "digits beyond about 15"),
        )
    },
    ("path", "polygon"): _Effect("where a path is open"),
    ("circle", "polygon"): _Effect("where a radius is 0", "the circle: it becomes twelve points"),
    ("polygon", "box"): _Effect(loses="all but the bounding box"),
    ("polygon", "circle"): _Effect(loses="all but the centre and the mean distance from it"),
    ("polygon", "point"): _Effect(loses="all but the centre"),
    ("box", "circle"): _Effect(loses="the corners"),
    ("box", "point"): _Effect(loses="all but the centre"),
    ("circle", "point"): _Effect(loses="radiuses"),
    ("circle", "box"): _Effect(loses="the circle: it becomes a square inside"),
    ("lseg", "point"): _Effect(loses="all but the centre"),
    ("xid8", "xid"): _Effect(loses="epochs"),
}
"""Casts between types of different kinds; what is not here keeps every value."""
