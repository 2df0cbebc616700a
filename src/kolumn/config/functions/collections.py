"""Functions on lists, sets and maps."""

from __future__ import annotations

import math
from typing import Any

from kolumn.config.diagnostics import Fault, did_you_mean
from kolumn.config.functions.registry import (
    ANY,
    COLLECTION,
    LIST,
    MAP,
    NUMBER,
    TEXT,
    WHOLE,
    CallContext,
    function,
)
from kolumn.config.values import (
    MAX_ITEMS,
    Budget,
    SetValue,
    distinct,
    equal,
    sort_set,
    to_bool,
    to_text,
    type_name,
    whole,
)


def _refuse(count: int | float) -> None:
    if count > MAX_ITEMS:
        raise Fault(f"This makes more than {MAX_ITEMS:,} elements.", code="too_big")


@function(LIST)
def alltrue(values: list[Any]) -> bool:
    """Tell whether all elements are true; null counts as false."""
    return all(value is not None and to_bool(value) for value in values)


@function(LIST)
def anytrue(values: list[Any]) -> bool:
    """Tell whether an element is true."""
    return any(value is not None and to_bool(value) for value in values)


@function(LIST, WHOLE, keeps_marks=True)
def chunklist(values: list[Any], size: int) -> list[list[Any]]:
    """Cut a list into lists of `size`."""
    if size < 0:
        raise Fault("chunklist() needs a size that is not negative.", code="out_of_range")
    size = size or max(len(values), 1)
    return [list(values[begin : begin + size]) for begin in range(0, len(values), size)]


@function(ANY, rest=ANY, keeps_marks=True)
def coalesce(*values: Any) -> Any:
    """Return the first argument that is neither null nor an empty text."""
    for value in values:
        if value is not None and value != "":
            return value
    raise Fault("coalesce(): all arguments are null or empty.", code="null_value")


@function(ANY, rest=ANY, keeps_marks=True)
def coalescelist(*values: Any) -> Any:
    """Return the first list that is not empty."""
    for value in values:
        if isinstance(value, (list, dict)) and value:
            return value
    raise Fault("coalescelist(): all lists are empty.", code="null_value")


@function(LIST)
def compact(values: list[Any]) -> list[Any]:
    """Return the elements that are neither null nor an empty text."""
    return [value for value in values if value is not None and value != ""]


@function(LIST, rest=LIST, keeps_marks=True)
def concat(*lists: list[Any]) -> list[Any]:
    """Return all lists one after the other."""
    _refuse(sum(map(len, lists)))
    return [item for items in lists for item in items]


@function(LIST, ANY, with_context=True)
def contains(context: CallContext, values: list[Any], value: Any) -> bool:
    """Tell whether `value` is an element."""
    context.budget.spend(len(values))
    return any(equal(item, value, context.budget) for item in values)


@function(LIST, name="distinct", with_context=True)
def distinct_(context: CallContext, values: list[Any]) -> list[Any]:
    """Return the elements without repetitions."""
    return distinct(values, context.budget)


@function(LIST, WHOLE, keeps_marks=True)
def element(values: list[Any], index: int) -> Any:
    """Return the element at `index`, going round when it is past the end."""
    if not values:
        raise Fault("element(): the list is empty.", code="unknown_key")
    if index < 0:
        raise Fault("element() needs an index that is not negative.", code="out_of_range")
    return values[index % len(values)]


@function(LIST, with_context=True)
def flatten(context: CallContext, values: list[Any]) -> list[Any]:
    """Return the elements of nested lists as one list."""
    result: list[Any] = []
    pending = [iter(values)]
    while pending:
        for item in pending[-1]:
            context.budget.spend(1)
            if isinstance(item, list):
                pending.append(iter(item))
                break
            result.append(item)
        else:
            pending.pop()
        if len(pending) > 1000:
            raise Fault("flatten(): the list is nested too deeply.", code="too_deep")
    return result


@function(LIST, ANY, with_context=True)
def index(context: CallContext, values: list[Any], value: Any) -> int:
    """Return the position of `value`."""
    context.budget.spend(len(values))
    for position, item in enumerate(values):
        if equal(item, value, context.budget):
            return position
    raise Fault("index(): the value is not in the list.", code="unknown_key")


@function(MAP, keeps_marks=True)
def keys(values: dict[str, Any]) -> list[str]:
    """Return the keys, sorted."""
    return sorted(values)


@function(ANY, keeps_marks=True)
def length(value: Any) -> int:
    """Return the number of elements, or of characters of a text."""
    if isinstance(value, (list, dict, str)):
        return len(value)
    raise Fault(f"length() takes a list, a map or a string, found {type_name(value)}.", code="wrong_type")


@function(rest=ANY, name="list", keeps_marks=True)
def list_(*values: Any) -> list[Any]:
    """Return the arguments as a list."""
    return list(values)


@function(MAP, TEXT, ANY, optional=1, keeps_marks=True)
def lookup(values: dict[str, Any], key: str, *default: Any) -> Any:
    """Return the element at `key`, or the default."""
    if key in values:
        return values[key]
    if default:
        return default[0]
    raise Fault(
        "lookup(): there is no such key and no default.", hint=did_you_mean(key, values), code="unknown_key"
    )


@function(rest=ANY, name="map", keeps_marks=True)
def map_(*values: Any) -> dict[str, Any]:
    """Return a map of alternating keys and values."""
    if len(values) % 2:
        raise Fault("map() takes keys and values in turn.", code="arguments")
    return {to_text(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


@function(LIST, LIST, LIST)
def matchkeys(values: list[Any], keys: list[Any], wanted: list[Any]) -> list[Any]:
    """Return the elements of `values` whose counterpart in `keys` is in `wanted`."""
    if len(values) != len(keys):
        raise Fault("matchkeys() needs lists of the same length.", code="arguments")
    budget = Budget()
    budget.spend(len(keys) * len(wanted))
    return [
        value
        for value, key in zip(values, keys, strict=True)
        if any(equal(key, other, budget) for other in wanted)
    ]


@function(rest=ANY, keeps_marks=True)
def merge(*maps: Any) -> dict[str, Any]:
    """Return the maps in one; later ones win, null is passed over."""
    result: dict[str, Any] = {}
    for position, values in enumerate(maps):
        if values is None:
            continue
        if not isinstance(values, dict):
            raise Fault(f"Argument {position + 1} of merge(): Expected a map, found {type_name(values)}.")
        result.update(values)
    return result


@function(COLLECTION, keeps_marks=True)
def one(values: list[Any] | dict[str, Any]) -> Any:
    """Return the only element, or null when there is none."""
    if isinstance(values, dict) or len(values) > 1:
        raise Fault("one() takes a list of no or one element.", code="out_of_range")
    return values[0] if values else None


@function(NUMBER, NUMBER, NUMBER, optional=2, name="range")
def range_(*limits: int | float) -> list[int | float]:
    """Return numbers from a start (0) up to a limit, by a step (1 or -1)."""
    start, limit = (0, limits[0]) if len(limits) == 1 else (limits[0], limits[1])
    step = limits[2] if len(limits) == 3 else (1 if limit >= start else -1)
    if step == 0 or (limit - start) * step < 0:
        raise Fault("range(): the step leads away from the limit.", code="out_of_range")
    count = math.ceil((limit - start) / step)
    _refuse(count)
    return [whole(start + position * step) for position in range(count)]


@function(ANY, keeps_marks=True)
def reverse(value: Any) -> Any:
    """Return a list backwards."""
    if isinstance(value, list):
        return list(reversed(value))
    raise Fault(
        f"reverse() takes a list, found {type_name(value)}; for text there is strrev().", code="wrong_type"
    )


@function(LIST, rest=LIST, with_context=True)
def setintersection(context: CallContext, first: list[Any], *others: list[Any]) -> SetValue:
    """Return the elements that are in all sets."""
    result = distinct(first, context.budget)
    for values in others:
        context.budget.spend(len(result) * len(values))
        result = [item for item in result if any(equal(item, other) for other in values)]
    return SetValue(sort_set(result))


@function(LIST, LIST, rest=LIST)
def setproduct(*lists: list[Any]) -> list[list[Any]]:
    """Return all combinations of one element of each list."""
    import itertools

    _refuse(math.prod(map(len, lists)))
    return [list(items) for items in itertools.product(*lists)]


@function(LIST, LIST, with_context=True)
def setsubtract(context: CallContext, first: list[Any], second: list[Any]) -> SetValue:
    """Return the elements of the first set that are not in the second."""
    context.budget.spend(len(first) * len(second))
    return SetValue.of([item for item in first if not any(equal(item, other) for other in second)])


@function(LIST, rest=LIST)
def setunion(*sets: list[Any]) -> SetValue:
    """Return the elements that are in any set."""
    return SetValue.of([item for values in sets for item in values])


@function(LIST, WHOLE, WHOLE, keeps_marks=True, name="slice")
def slice_(values: list[Any], start: int, end: int) -> list[Any]:
    """Return the elements from `start` up to, not including, `end`."""
    if not 0 <= start <= end <= len(values):
        raise Fault(
            f"slice(): the list has {len(values)} elements; the ends are outside of it.", code="out_of_range"
        )
    return list(values[start:end])


@function(LIST)
def sort(values: list[Any]) -> list[str]:
    """Return texts in the order of their characters."""
    return sorted(to_text(value) for value in values)


@function(MAP)
def transpose(values: dict[str, Any]) -> dict[str, list[str]]:
    """Swap keys and elements of a map of lists of texts."""
    result: dict[str, list[str]] = {}
    for key in sorted(values):
        if not isinstance(values[key], list):
            raise Fault("transpose() takes a map of lists.", code="wrong_type")
        for item in values[key]:
            result.setdefault(to_text(item), []).append(key)
    return dict(sorted(result.items()))


@function(ANY, keeps_marks=True)
def values(value: Any) -> list[Any]:
    """Return the elements of a map in the order of its sorted keys."""
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    raise Fault(f"values() takes a map, found {type_name(value)}.", code="wrong_type")


@function(LIST, LIST, keeps_marks=True)
def zipmap(names: list[Any], items: list[Any]) -> dict[str, Any]:
    """Return a map from a list of keys and a list of values."""
    if len(names) != len(items):
        raise Fault("zipmap() needs lists of the same length.", code="arguments")
    return {to_text(name): item for name, item in zip(names, items, strict=True)}


@function(LIST)
def toset(items: list[Any]) -> SetValue:
    """Return the elements as a set."""
    return SetValue.of(items)
