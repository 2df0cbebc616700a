"""How PostgreSQL gets from one built-in type to another: `pg_cast`, and what ALTER TABLE makes of it.

Source: `pg_cast` of version 18 (before, it lacks those between integers and bytea; in 14, "char" is a string
type too), find_coercion_pathway in src/backend/parser/parse_coerce.c, ATColumnChangeRequiresRewrite in
src/backend/commands/tablecmds.c, and the support functions of the types that leave out a change of length
where it changes nothing.
"""

from __future__ import annotations

from enum import Enum, auto

from kolumn.providers.postgres.language.types import CATALOG, TypeName

TEXTS = frozenset({"text", "varchar", "bpchar"})
STRINGS = TEXTS | {"name"}
"""Types that every other is converted to on assignment, by way of its text."""

REGISTERED = frozenset(
    {
        *("regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper", "regoperator"),
        *("regproc", "regprocedure", "regrole", "regtype"),
    }
)
"""Object identifiers that are shown as names."""


class Cast(Enum):
    """What there is to get from one type to another."""

    SAME = auto()
    """Nothing to do: both store a value alike."""
    ASSIGNED = auto()
    """Done unasked when a value is assigned."""
    EXPLICIT = auto()
    """Done when asked for with `::`."""
    NONE = auto()
    """No cast; only the text of the value could be read as the other type."""


def _pairs(table: str) -> frozenset[tuple[str, str]]:
    lines = (line.split(": ") for line in table.strip().splitlines())
    return frozenset((source.strip(), target) for source, targets in lines for target in targets.split())


_SAME = _pairs(
    """
    bit: varbit
    cidr: inet
    int4: oid
    oid: int4
    regoper: regoperator
    regoperator: regoper
    regproc: regprocedure
    regprocedure: regproc
    text: bpchar varchar
    varbit: bit
    varchar: bpchar text
    xml: bpchar text varchar
    """
)
_ASSIGNED = _pairs(
    """
    box: polygon
    bpchar: char
    date: timestamp timestamptz
    float4: float8 int2 int4 int8 numeric
    float8: float4 int2 int4 int8 numeric
    inet: cidr
    int2: float4 float8 int4 int8 numeric oid
    int4: float4 float8 int2 int8 money numeric
    int8: float4 float8 int2 int4 money numeric oid
    interval: time
    json: jsonb
    jsonb: json
    macaddr: macaddr8
    macaddr8: macaddr
    money: numeric
    numeric: float4 float8 int2 int4 int8 money
    oid: int8
    path: polygon
    point: box
    polygon: path
    text: char regclass
    time: interval timetz
    timestamp: date time timestamptz
    timestamptz: date time timestamp timetz
    timetz: time
    varchar: char regclass
    """
)
_EXPLICIT = _pairs(
    """
    bit: int4 int8
    bool: int4
    box: circle lseg point
    bytea: int2 int4 int8
    char: int4
    circle: box point polygon
    daterange: datemultirange
    int2: bytea
    int4: bit bool bytea char
    int4range: int4multirange
    int8: bit bytea
    int8range: int8multirange
    jsonb: bool float4 float8 int2 int4 int8 numeric
    lseg: point
    numrange: nummultirange
    polygon: box circle point
    tsrange: tsmultirange
    tstzrange: tstzmultirange
    xid8: xid
    """
)

_SIZED = frozenset(
    {
        "bpchar",
        "varchar",
        "bit",
        "varbit",
        "numeric",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "interval",
    }
)
"""Types with a size that a conversion has to respect."""

_VECTORS = {"int2vector": "int2", "oidvector": "oid"}
"""Types that are arrays under another name."""

_FIELDS = ("second", "minute", "hour", "day", "month", "year")
FINEST = 6
"""Digits of a second that times and intervals have without a precision."""


def cast(before: TypeName, after: TypeName) -> Cast:
    """Return what there is to get from one type to another of another name; sizes aside."""
    if after.array and before.name in _VECTORS and before.built_in:
        before = TypeName(_VECTORS[before.name], CATALOG, array=True)
    if before.array and after.array:
        inner = cast(before.element, after.element)
        return Cast.ASSIGNED if inner is Cast.SAME else inner
    if before.array or after.array:
        return Cast.ASSIGNED if _is_string(after) else Cast.EXPLICIT if _is_string(before) else Cast.NONE
    if before.built_in and after.built_in:
        return _built_in(before.name, after.name)
    if (before.name, before.schema) == (after.name, after.schema):
        return Cast.SAME
    return Cast.ASSIGNED if _is_string(after) else Cast.EXPLICIT if _is_string(before) else Cast.NONE


def _built_in(before: str, after: str) -> Cast:
    pair = before, after
    if before == after or pair in _SAME or _same_number(before, after):
        return Cast.SAME
    if pair in _ASSIGNED or (before in ("int2", "int8") and after in REGISTERED):
        return Cast.ASSIGNED
    if before in REGISTERED and after == "int8":
        return Cast.ASSIGNED
    if pair in _EXPLICIT:
        return Cast.EXPLICIT
    if after in STRINGS:
        return Cast.ASSIGNED
    return Cast.EXPLICIT if before in STRINGS else Cast.NONE


def _same_number(before: str, after: str) -> bool:
    """Whether one is a registered object's identifier and the other a number of that size."""
    numbers = ("int4", "oid")
    return (before in REGISTERED and after in numbers) or (after in REGISTERED and before in numbers)


def _is_string(type_name: TypeName) -> bool:
    return type_name.built_in and type_name.name in STRINGS and not type_name.array


def rewrites(before: TypeName, after: TypeName, *, utc: bool) -> bool:
    """Whether ALTER COLUMN ... TYPE copies every row; `utc` says that the session's time zone is UTC."""
    if before == after:
        return False
    if before.array and after.array:
        return before.element != after.element and not _array_stays(before, after)
    known = before.built_in and after.built_in and not (before.array or after.array)
    if not known:
        return True
    zoned = {before.name, after.name} == {"timestamp", "timestamptz"}
    if zoned:
        return not (utc and precision(after) >= FINEST)
    if cast(before, after) is not Cast.SAME:
        return True
    if after.name not in _SIZED or not (after.modifiers or after.fields):
        return False
    return before.name != after.name or not keeps_size(before, after)


def _array_stays(before: TypeName, after: TypeName) -> bool:
    """Elements that only lose their size stay as they are."""
    return (
        before.name == after.name
        and before.schema == after.schema
        and not after.modifiers
        and not after.fields
    )


def keeps_size(before: TypeName, after: TypeName) -> bool:
    """Whether every value of a type fits into the same type of another size as it is."""
    mine, theirs = before.modifiers, after.modifiers
    match before.name:
        case "varchar" | "varbit":
            return not theirs or (bool(mine) and _number(theirs[0]) >= _number(mine[0]))
        case "numeric":
            return not theirs or (
                bool(mine) and mine[1] == theirs[1] and _number(theirs[0]) >= _number(mine[0])
            )
        case "time" | "timetz" | "timestamp" | "timestamptz":
            return precision(after) >= precision(before)
        case "interval":
            return _least(after) <= _least(before) and (
                _least(before) > 0 or precision(after) >= precision(before)
            )
    return not theirs or mine == theirs


def precision(type_name: TypeName) -> int:
    """Return how many digits of a second a time, timestamp or interval has."""
    return _number(type_name.modifiers[0]) if type_name.modifiers else FINEST


def _least(interval: TypeName) -> int:
    """Return the place of an interval's smallest field, 0 for the second."""
    return _FIELDS.index(interval.fields.rpartition(" ")[2]) if interval.fields else 0


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() else 0
