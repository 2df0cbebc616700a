"""Repairs of a state document: edits at JSON paths, all of which mean the document as it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kolumn.contract.messages import StateEdit
from kolumn.host.attributes import steps


def rooted(path: str, root: str) -> str:
    """Return a path of a part of a document as one of the whole: `$.version` in `$.providers["a"]`."""
    return root + path.removeprefix("$")


def key(name: str) -> str:
    """Return the step of a path that leads to `name`, whatever characters it has."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


def edited(document: Any, edits: Iterable[StateEdit]) -> Any:
    """Return a copy of `document` with `edits` made: values set first, then entries removed, the last one first.

    An edit of something that another one removed, or that is not there, does nothing.
    """
    import copy

    changed = copy.deepcopy(document)
    removals: dict[tuple[str, ...], StateEdit] = {}
    for each in edits:
        way = steps(each.path)[1:]
        if each.remove:
            removals[way] = each
        elif not way:
            changed = copy.deepcopy(each.value)
        else:
            _set(changed, way, copy.deepcopy(each.value))
    for way in sorted(removals, key=_backwards, reverse=True):
        _remove(changed, way)
    return changed


def _backwards(way: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    return tuple((int(step), "") if step.isdigit() else (0, step) for step in way)


def _holder(document: Any, way: tuple[str, ...]) -> Any:
    holder = document
    for step in way[:-1]:
        if isinstance(holder, dict):
            holder = holder.get(step)
        elif isinstance(holder, list) and step.isdigit() and int(step) < len(holder):
            holder = holder[int(step)]
        else:
            return None
    return holder


def _set(document: Any, way: tuple[str, ...], value: Any) -> None:
    holder, last = _holder(document, way), way[-1]
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and last.isdigit() and int(last) < len(holder):
        holder[int(last)] = value


def _remove(document: Any, way: tuple[str, ...]) -> None:
    holder, last = (_holder(document, way), way[-1]) if way else (None, "")
    if isinstance(holder, dict):
        holder.pop(last, None)
    elif isinstance(holder, list) and last.isdigit() and int(last) < len(holder):
        del holder[int(last)]
