"""Attribute differences between two configurations, for people and for `ignore_changes`.

Paths join attribute names with dots; elements of a list are addressed by their `name` where all have
one (`columns.email.type`), else by their position (`checks[0].expression`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kolumn.contract.schema import singular


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
    if before is None or after is None:
        found[path] = {"before": before, "after": after}
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

    A path that neither has changes nothing. Elements of lists are addressed by name or position, `*` is
    each of them; a list may be named as its blocks are: `column.email.default`.
    """
    if "all" in paths:
        return dict(live)
    kept = dict(wanted)
    for path in paths:
        kept = _keep(kept, live, path.replace("[", ".").replace("]", "").replace('"', "").split("."))
    return kept


def _keep(wanted: Any, live: Any, parts: Sequence[str]) -> Any:
    if isinstance(wanted, list):
        return _keep_elements(wanted, live if isinstance(live, list) else [], parts[0], parts[1:])
    if not isinstance(wanted, Mapping) or not isinstance(live, Mapping):
        return wanted
    kept = dict(wanted)
    head = next((key for key in (*kept, *live) if singular(str(key)) == singular(parts[0])), parts[0])
    if len(parts) > 1:
        if head in live:
            kept[head] = _keep(kept.get(head, type(live[head])()), live[head], parts[1:])
    elif head in live:
        kept[head] = live[head]
    else:
        kept.pop(head, None)
    return kept


def _keep_elements(wanted: list[Any], live: list[Any], head: str, rest: Sequence[str]) -> list[Any]:
    kept = []
    for at, element in enumerate(wanted):
        if not _is(element, at, head):
            kept.append(element)
            continue
        held = _counterpart(live, element, at)
        if rest:
            kept.append(_keep(element, held, rest))
        elif held is not None:
            kept.append(held)
    if not rest:
        named = {each.get("name") for each in wanted if isinstance(each, Mapping)}
        kept += [
            each
            for at, each in enumerate(live)
            if isinstance(each, Mapping) and each.get("name") not in named and _is(each, at, head)
        ]
    return kept


def _is(element: Any, at: int, head: str) -> bool:
    return head in ("*", str(at)) or (isinstance(element, Mapping) and element.get("name") == head)


def _counterpart(live: list[Any], element: Any, at: int) -> Any:
    if isinstance(element, Mapping) and "name" in element:
        same = (each for each in live if isinstance(each, Mapping) and each.get("name") == element["name"])
        return next(same, None)
    return live[at] if at < len(live) else None
