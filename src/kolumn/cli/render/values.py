"""Values and attribute paths the way a reviewer reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from kolumn.host.sealing import HIDDEN

_WIDEST = 96
_NAMED_LISTS = {
    "columns": "column",
    "indexes": "index",
    "checks": "check",
    "uniques": "unique",
    "foreign_keys": "foreign key",
}


def path_words(path: str) -> str:
    """Return an attribute path in words: `columns.email.type` -> `column email type`."""
    if "." not in path:
        return path
    head, dot, rest = path.partition(".")
    if dot and head in _NAMED_LISTS:
        name, dot, rest = rest.partition(".")
        return " ".join(part for part in (_NAMED_LISTS[head], name, rest.replace(".", " ")) if part)
    return path.replace(".", " ")


def entry_words(path: str, name: str) -> str:
    """Return the path of a named entry of a list in words: `columns`, `email` -> `column email`."""
    words = _NAMED_LISTS.get(path)
    return f"{words} {name}" if words and name and "." not in name else path_words(f"{path}.{name}")


def value_text(value: Any) -> str:
    """Return a value on one line: texts as they are where that is unambiguous, objects as their words."""
    if isinstance(value, str):
        return value if value == HIDDEN or _is_plain(value) else _quoted(value)
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return _object_text(value)
    if isinstance(value, (list, tuple)):
        return _shortened("[" + ", ".join(value_text(each) for each in value) + "]")
    return msgspec.json.encode(value).decode()


def entry_text(value: Mapping[str, Any]) -> str:
    """Return a named entry of a list, such as a column, without its name: `text not_null default 'x'`."""
    words = []
    if isinstance(value.get("type"), str) and value["type"]:
        words.append(value["type"])
    for key, each in value.items():
        if key == "name" or key == "type":
            continue
        if each is True:
            words.append(key)
        elif each is False:
            words.append(f"{key}=false")
        else:
            words.append(f"{key} {value_text(each)}")
    return _shortened(" ".join(words))


def _object_text(value: Mapping[str, Any]) -> str:
    if isinstance(value.get("name"), str) and len(value) > 1:
        return f"{value['name']} {entry_text(value)}"
    return _shortened("{" + ", ".join(f"{key} = {value_text(each)}" for key, each in value.items()) + "}")


def _is_plain(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip() and len(text) <= _WIDEST


def _quoted(text: str) -> str:
    return _shortened(msgspec.json.encode(text).decode())


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def nested_text(value: Mapping[str, Any], depth: int) -> str:
    """Return an object over several lines, indented by `depth` steps of two."""
    return "\n".join(_nested(value, "  " * depth))


def _nested(value: Mapping[str, Any], margin: str) -> Iterator[str]:
    for key, each in value.items():
        if isinstance(each, Mapping) and each:
            yield f"{margin}{key}"
            yield from _nested(each, margin + "  ")
        elif isinstance(each, list) and each and all(isinstance(item, Mapping) for item in each):
            for at, item in enumerate(each):
                yield f"{margin}{key} {item.get('name', at)}: {entry_text(item)}"
        elif isinstance(each, str) and "\n" in each:
            yield f"{margin}{key}"
            yield from (f"{margin}  {line}" for line in each.rstrip("\n").split("\n"))
        else:
            yield f"{margin}{key}  {value_text(each)}"
