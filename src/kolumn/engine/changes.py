"""Attribute differences between two configurations, for people and for `ignore_changes`.

Paths join attribute names with dots; elements of a list are addressed by their `name` where all have
one (`columns.email.type`), else by their position (`checks[0].expression`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def attribute_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], renamed: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return `{path: {"before": ..., "after": ...}}` for what differs; absent values are None.

    `renamed` maps the path of an element to its former name: it is then compared with what it was.
    """
    found: dict[str, dict[str, Any]] = {}
    _compare(before, after, "", renamed or {}, found)
    return found


def _compare(
    before: Any, after: Any, path: str, renamed: Mapping[str, str], found: dict[str, dict[str, Any]]
) -> None:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        prefix = f"{path}." if path else ""
        for key in [*before, *(key for key in after if key not in before)]:
            _compare(before.get(key), after.get(key), f"{prefix}{key}", renamed, found)
        return
    mine, theirs = _by_name(before), _by_name(after)
    if mine is not None and theirs is not None:
        mine = _under_new_names(mine, theirs, path, renamed)
        for name in [*mine, *(name for name in theirs if name not in mine)]:
            _compare(mine.get(name), theirs.get(name), f"{path}.{name}", renamed, found)
        if not any(key.startswith(f"{path}.") for key in found):
            found[path] = {"before": list(mine), "after": list(theirs)}
        return
    found[path] = {"before": before, "after": after}


def _under_new_names(
    mine: dict[str, Any], theirs: dict[str, Any], path: str, renamed: Mapping[str, str]
) -> dict[str, Any]:
    new = {
        former: name
        for name in theirs
        if name not in mine and (former := renamed.get(f"{path}.{name}")) in mine and former not in theirs
    }
    return {new.get(name, name): element for name, element in mine.items()}


def _by_name(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    named: dict[str, Any] = {}
    for each in value:
        name = each.get("name") if isinstance(each, Mapping) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = each
    return named


def keep(wanted: Mapping[str, Any], live: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """Return `wanted` with what `live` has at each of `paths`; `all` keeps everything live.

    A path that neither has changes nothing. Elements of lists are addressed by name or position.
    """
    if "all" in paths:
        return dict(live)
    kept = dict(wanted)
    for path in paths:
        kept = _keep(kept, live, path.replace("[", ".").replace("]", "").split("."))
    return kept


def _keep(wanted: Any, live: Any, parts: Sequence[str]) -> Any:
    head, rest = parts[0], parts[1:]
    if isinstance(wanted, list):
        return [
            _keep(element, _element(live, element, at), rest) if rest and _is(element, at, head) else element
            for at, element in enumerate(wanted)
        ] + ([] if rest or _element_named(wanted, head) else _live_only(live, head))
    if not isinstance(wanted, Mapping) or not isinstance(live, Mapping):
        return wanted
    kept = dict(wanted)
    if rest:
        if head in kept and head in live:
            kept[head] = _keep(kept[head], live[head], rest)
    elif head in live:
        kept[head] = live[head]
    else:
        kept.pop(head, None)
    return kept


def _is(element: Any, at: int, head: str) -> bool:
    return head in ("*", str(at)) or (isinstance(element, Mapping) and element.get("name") == head)


def _element(live: Any, element: Any, at: int) -> Any:
    if not isinstance(live, list):
        return None
    if isinstance(element, Mapping) and "name" in element:
        return next(
            (each for each in live if isinstance(each, Mapping) and each.get("name") == element["name"]), None
        )
    return live[at] if at < len(live) else None


def _element_named(elements: list[Any], name: str) -> bool:
    return any(isinstance(each, Mapping) and each.get("name") == name for each in elements)


def _live_only(live: Any, name: str) -> list[Any]:
    found = isinstance(live, list) and [
        each for each in live if isinstance(each, Mapping) and each.get("name") == name
    ]
    return found or []
