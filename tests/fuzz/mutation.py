"""Turning valid JSON requests into odd ones: wrong types, strange values, depth, size, broken bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]

INJECTIONS = (
    "x'; DROP TABLE author; --",
    'x"; DROP TABLE author; --',
    "x); DELETE FROM author; --",
    "1; DELETE FROM author",
    "0); DROP TABLE author; --",
    "'a' || (SELECT group_concat(name) FROM author)",
    "x` ; drop table author; --",
    "] ; DROP TABLE author; --",
    "TEXT, evil TEXT",
    "TEXT) ; DROP TABLE author; CREATE TABLE y (z",
    "1 /* unclosed",
    "1 -- comment",
    "'unclosed",
    '"unclosed',
    "(1",
    "1)",
    "SELECT 1; DROP TABLE author",
    "END; DROP TABLE author; BEGIN",
    "UPDATE author SET name = 'x'; END; DROP TABLE author; --",
    "load_extension('/tmp/evil')",
    "writefile('/tmp/evil', 'x')",
    "ATTACH DATABASE '/tmp/evil.db' AS evil",
    "PRAGMA writable_schema = 1",
    "main.author",
    "sqlite_schema",
    "sqlite_sequence",
    "kolumn_journal",
    "%s %d {0} ${HOME} $(id)",
    "../../etc/passwd",
    "/etc/passwd",
)
ODD_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\u202e\u200b\ufeff",
    "é" * 300,
    "𝒳" * 50,
    "\n\r\t",
    "x" * 70_000,
    "(" * 3000 + ")" * 3000,
    "((((1))))",
    "-" * 5000,
    "null",
    "true",
    "İıſK",
    "select",
    "..",
    "a.b.c.d",
    "[0]",
)
ODD_VALUES: Sequence[Any] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**40,
    0.5,
    1e308,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"name": "x"},
    [{"name": "a", "type": "TEXT"}] * 3,
    {"a": {"type": "TEXT"}},
    ["a", 1, None, {}],
)
FIELDS = (
    *(
        "name",
        "type",
        "config",
        "action",
        "resource_type",
        "columns",
        "schema",
        "primary_key",
        "uniques",
        "checks",
    ),
    *(
        "foreign_keys",
        "references",
        "default",
        "generated",
        "check",
        "collation",
        "statement",
        "where",
        "definition",
    ),
    *("body", "using", "arguments", "path", "renamed_from", "strict", "without_rowid", "options", "metadata"),
    *(
        "depends_on",
        "ignore_changes",
        "fingerprint",
        "filters",
        "state",
        "__class__",
        "constructor",
        "unknown_field",
    ),
)


def _deep(levels: int, leaf: Any) -> Any:
    for level in range(levels):
        leaf = [leaf] if level % 2 else {"a": leaf}
    return leaf


odd_values = st.one_of(
    st.sampled_from(INJECTIONS),
    st.sampled_from(ODD_TEXTS),
    st.sampled_from(ODD_VALUES),
    st.text(max_size=20),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.builds(_deep, st.sampled_from([3, 70, 150]), st.sampled_from([1, "x", None])),
).map(copy.deepcopy)  # later mutations change what earlier ones put there


def places(value: Any) -> Iterator[Path]:
    """Yield the path of every value inside JSON data, containers included; however deep it is."""
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        yield path
        inner = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        waiting += [((*path, key), each) for key, each in inner]


def _holder(value: Any, path: Path) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


@st.composite
def mutated(draw: st.DrawFn, requests: Sequence[tuple[str, Any]]) -> tuple[str, bytes]:
    """Draw a function and the bytes of a request to it, one to four changes away from a valid one."""
    function, request = draw(st.sampled_from(requests))
    request = json.loads(json.dumps(request))  # nothing stands twice in it, so nothing is swapped into itself
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(request))))
        kind = draw(
            st.sampled_from(("replace", "replace", "replace", "remove", "add", "rename", "repeat", "swap"))
        )
        if not path:
            if kind == "replace" and draw(st.integers(0, 9)) == 0:
                request = draw(odd_values)
                break
            continue
        holder, key = _holder(request, path), path[-1]
        if kind == "replace":
            holder[key] = draw(odd_values)
        elif kind == "remove":
            del holder[key]
        elif kind == "add" and isinstance(holder[key], dict):
            holder[key][draw(st.sampled_from(FIELDS) | st.text(max_size=8))] = draw(odd_values)
        elif kind == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(FIELDS))] = holder.pop(key)
        elif kind == "repeat" and isinstance(holder[key], list):
            # Copies: an element that stands twice could be swapped into itself.
            holder[key] = [*map(copy.deepcopy, holder[key] * draw(st.sampled_from([0, 2, 3, 50])))]
        elif kind == "swap":
            other = draw(st.sampled_from([each for each in places(request) if each]))
            inside = other[: len(path)] == path or path[: len(other)] == other
            if not inside:
                others = _holder(request, other)
                holder[key], others[other[-1]] = others[other[-1]], holder[key]
    if draw(st.integers(0, 39)) == 0:
        function = draw(
            st.sampled_from(["", "plan", "Explode", "CreateResource ", "\0"]) | st.text(max_size=30)
        )
    data = json.dumps(request, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return function, draw(broken(data))


@st.composite
def broken(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw `data`, most of the time as it is, else cut, flipped, repeated or no UTF-8."""
    kind = draw(st.sampled_from(["whole"] * 12 + ["cut", "flip", "latin", "twice", "nan", "nested", "bom"]))
    at = draw(st.integers(0, max(0, len(data) - 1)))
    match kind:
        case "cut":
            return data[:at]
        case "flip":
            return (
                data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :] if data else data
            )
        case "latin":
            return data[:at] + b"\xff\xfe\x80" + data[at:]
        case "twice":
            return data + data
        case "nan":
            return data.replace(b"1", draw(st.sampled_from([b"NaN", b"Infinity", b"1e999", b"01", b"-"])), 1)
        case "nested":
            depth = draw(st.sampled_from([50, 5_000, 200_000]))
            return data[:-1] + b',"config":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
        case "bom":
            return b"\xef\xbb\xbf" + data
        case _:
            return data
