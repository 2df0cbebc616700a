"""Types as trees: nested ones are compared field by field, and what a change of type endangers follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from kolumn.engine.operations import Risk
from kolumn.providers.duckdb.language.parser import Unparsable, built_in_type, path_of, type_tree
from kolumn.providers.duckdb.language.tokens import fold, literal, quote

_INTEGERS = {
    "TINYINT": (-7, 7), "SMALLINT": (-15, 15), "INTEGER": (-31, 31), "BIGINT": (-63, 63), "HUGEINT": (-127, 127),
    "UTINYINT": (0, 8), "USMALLINT": (0, 16), "UINTEGER": (0, 32), "UBIGINT": (0, 64), "UHUGEINT": (0, 128),
    "BIGNUM": (-10_000_000, 10_000_000),
}  # fmt: skip
"""Bits below and above zero (https://duckdb.org/docs/current/sql/data_types/numeric)."""
_FLOATS = {"FLOAT": 24, "DOUBLE": 53}
_TIMES = {
    "TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP": 6, "TIMESTAMP WITH TIME ZONE": 6, "TIMESTAMP_NS": 9,
}  # fmt: skip
_ZONED = "TIMESTAMP WITH TIME ZONE"
_NESTED = frozenset({"LIST", "ARRAY", "STRUCT", "MAP", "UNION"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct or a member of a union; nameless elsewhere."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Type:
    """A type: `name` as DuckDB spells it, in upper case unless somebody else defined it."""

    name: str
    fields: tuple[Field, ...] = ()
    """Of a struct or union; the element of a list or array; key and value of a map."""
    arguments: tuple[str, ...] = ()
    """Labels of an enum, width and scale of a decimal, the length of an array."""
    path: tuple[str, ...] = ()
    """Schema and name of a type that is not built in."""

    def __str__(self) -> str:
        match self.name:
            case "LIST":
                return f"{self.fields[0].type}[]"
            case "ARRAY":
                return f"{self.fields[0].type}[{self.arguments[0]}]"
            case "MAP":
                return f"MAP({self.fields[0].type}, {self.fields[1].type})"
            case "STRUCT" | "UNION":
                inner = (
                    f"{quote(each.name)} {each.type}" if each.name else f"{each.type}" for each in self.fields
                )
                return f"{self.name}({', '.join(inner)})"
            case "ENUM":
                return f"ENUM({', '.join(map(literal, self.arguments))})"
        name = ".".join(map(quote, self.path)) if self.path else self.name
        return f"{name}({','.join(self.arguments)})" if self.arguments else name


@lru_cache(maxsize=16384)
def parse_type(text: str) -> Type:
    """Return the tree of a type. Raises Unparsable."""
    known = built_in_type(text)
    return _read(type_tree(text if known is None else known))


def _read(node: dict[str, Any]) -> Type:
    name = str(node["type_name"])
    upper = name.upper()
    children = node.get("children", ())
    arguments = tuple(str(each["literal"]["text"]) for each in children if "literal" in each)
    if upper in _NESTED or upper == "ENUM":
        fields = tuple(
            Field(str(each.get("alias", "")), _read(each)) for each in children if "literal" not in each
        )
        return Type(upper, fields, arguments)
    spelled = name if not arguments else f"{name}({','.join(arguments)})"
    path = path_of(node)
    known = built_in_type(spelled) if len(path) < 2 else None
    if known is None:
        return Type(name, (), arguments, path or (name,))
    if known.upper() == upper:
        return Type(upper, (), arguments)
    return Type(known, (), ()) if "(" not in known else _with_arguments(known)


def _with_arguments(known: str) -> Type:
    name, _, rest = known.partition("(")
    return Type(name, (), tuple(each.strip() for each in rest.removesuffix(")").split(",")))


def normal_type(text: str) -> str:
    """Return a type in the form in which it is compared: names of fields without regard to case."""
    try:
        return str(_folded(parse_type(text)))
    except (Unparsable, KeyError):
        return " ".join(text.lower().split())


def _folded(type_: Type) -> Type:
    if type_.name == "DECIMAL" and len(type_.arguments) == 1:
        return replace(type_, arguments=(*type_.arguments, "0"))
    fields = tuple(Field(fold(each.name), _folded(each.type)) for each in type_.fields)
    return replace(type_, fields=fields, path=tuple(map(fold, type_.path)))


def names_in(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the types in a type that are not built in."""
    try:
        found = parse_type(text)
    except (Unparsable, KeyError):
        return
    waiting = [found]
    while waiting:
        type_ = waiting.pop()
        if type_.path:
            yield type_.path
        waiting += [each.type for each in type_.fields]


def expanded(text: str, lookup: Callable[[tuple[str, ...]], str | None]) -> str:
    """Return a type with the definitions of the types it names, as DuckDB's tables have them.

    `lookup` gives the definition behind a path; None leaves the name.
    """
    if not any(True for _ in names_in(text)):
        return text

    def change(type_: Type, depth: int) -> Type:
        if type_.path and depth < 50:
            definition = lookup(type_.path)
            if definition is not None:
                return change(parse_type(definition), depth + 1)
        fields = tuple(Field(each.name, change(each.type, depth)) for each in type_.fields)
        return replace(type_, fields=fields)

    return str(change(parse_type(text), 0))


def conversion_risks(column: str, before: str, after: str) -> Iterator[Risk]:
    """Yield what happens to values of `column` when its type changes."""
    try:
        old, new = parse_type(before), parse_type(after)
    except (Unparsable, KeyError):
        yield Risk("may_fail", f"fails if a value of {column} is no {after}")
        return
    yield from _risks(column, old, new)


def _risks(place: str, old: Type, new: Type) -> Iterator[Risk]:
    if _folded(old) == _folded(new):
        return
    if {old.name, new.name} <= {"LIST", "ARRAY"}:
        if old.arguments != new.arguments and new.name == "ARRAY":
            yield Risk("may_fail", f"fails if a value of {place} has not {new.arguments[0]} elements")
        yield from _risks(f"{place}[]", old.fields[0].type, new.fields[0].type)
    elif old.name == new.name == "MAP":
        for at, name in enumerate(("keys", "values")):
            yield from _risks(f"{place} ({name})", old.fields[at].type, new.fields[at].type)
    elif old.name == new.name and old.name in ("STRUCT", "UNION"):
        kept = {fold(each.name): each for each in new.fields}
        for each in old.fields:
            if fold(each.name) not in kept:
                yield Risk("data_loss", f"drops {each.name} of {place} with all its values")
            else:
                yield from _risks(f"{place}.{each.name}", each.type, kept[fold(each.name)].type)
    elif old.name == new.name == "ENUM":
        gone = [label for label in old.arguments if label not in new.arguments]
        if gone:
            yield Risk("may_fail", f"fails if a value of {place} is {', '.join(map(literal, gone))}")
    else:
        yield from _scalar_risks(place, old, new)


def _scalar_risks(place: str, old: Type, new: Type) -> Iterator[Risk]:
    if new.name == "VARCHAR":
        return
    if _rounds(old, new):
        yield Risk("conversion", f"{place}: values are rounded to {new}")
    elif not _comes_back(old, new):
        yield Risk("conversion", f"{place}: values are converted to {new}, which may not tell all of them")
    if not _fits(old, new):
        yield Risk("may_fail", f"fails if a value of {place} is no {new}")


def _comes_back(old: Type, new: Type) -> bool:
    """Whether what can be converted is the same again when it is converted back; only where that is known.

    DuckDB converts nearly everything: the text `007` is the number 7, a text of date and time is a date.
    """
    if _is_number(new):
        return _is_number(old) or old.name == "BOOLEAN"
    if new.name in _TIMES or new.name == "DATE":
        zones = (each.name == _ZONED for each in (old, new))
        return (old.name in _TIMES or old.name == "DATE") and len(set(zones)) == 1
    return {old.name, new.name} in ({"VARCHAR", "ENUM"}, {"VARCHAR", "JSON"})


def _is_number(type_: Type) -> bool:
    return type_.name in _INTEGERS or type_.name in _FLOATS or type_.name == "DECIMAL"


def _decimal(type_: Type) -> tuple[int, int] | None:
    """Return digits before and after the point."""
    if type_.name != "DECIMAL":
        return None
    width, scale = (*map(int, type_.arguments), 3)[:2] if type_.arguments else (18, 3)
    return width - scale, scale


def _rounds(old: Type, new: Type) -> bool:
    before, after = _decimal(old), _decimal(new)
    whole = new.name in _INTEGERS
    if before:
        return bool((whole and before[1]) or (after and after[1] < before[1]) or new.name in _FLOATS)
    if old.name in _FLOATS:
        return whole or after is not None or _FLOATS[old.name] > _FLOATS.get(new.name, 53)
    if old.name in _INTEGERS and new.name in _FLOATS:
        return _INTEGERS[old.name][1] > _FLOATS[new.name]
    if old.name in _TIMES:
        return _TIMES[old.name] > _TIMES.get(new.name, 9) or new.name in ("DATE", "TIME")
    return False


def _fits(old: Type, new: Type) -> bool:
    """Whether every value of the old type can be converted."""
    if old.name in _INTEGERS and new.name in _INTEGERS:
        (low, high), (lowest, highest) = _INTEGERS[old.name], _INTEGERS[new.name]
        return lowest <= low and high <= highest
    before, after = _decimal(old), _decimal(new)
    if before and after:
        return before[0] <= after[0]
    if before and new.name in _INTEGERS:
        return new.name != "BIGNUM" and int(10 ** before[0]) <= int(2 ** _INTEGERS[new.name][1])
    if after and old.name in _INTEGERS:
        low, high = _INTEGERS[old.name]
        most: int = 2 ** max(-low, high)
        return most < int(10 ** after[0])
    if new.name in _FLOATS:
        narrower = old.name in _FLOATS and _FLOATS[old.name] > _FLOATS[new.name]
        return (old.name in (*_INTEGERS, *_FLOATS) or before is not None) and not (
            narrower or old.name == "BIGNUM"
        )
    if old.name == "TIMESTAMP_NS":
        return new.name == "TIMESTAMP"
    if old.name == "DATE" or old.name in _TIMES:
        return new.name in _TIMES and new.name != "TIMESTAMP_NS"  # which has room for 584 years
    return False
