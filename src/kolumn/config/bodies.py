"""Evaluates bodies of blocks: attributes, nested blocks and `dynamic` blocks to plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kolumn.config.declarations import key_text
from kolumn.config.diagnostics import Fault
from kolumn.config.evaluator import Frame, evaluate, iterate
from kolumn.config.project import Unknown
from kolumn.config.syntax import Blocks, Body, Dynamic, Value
from kolumn.config.values import Sensitive, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator


def entry(name: str, value: Value, frame: Frame) -> Any:
    """Evaluate an attribute or the blocks of one kind."""
    if name == "references" and not frame.in_references:
        frame = replace(frame, in_references=True)
    if isinstance(value, Blocks):
        return _blocks(value, frame)
    return body(value, frame) if isinstance(value, (Body, dict)) else evaluate(value, frame)


def body(value: Value, frame: Frame) -> Any:
    """Evaluate the body of a block to a dict."""
    if isinstance(value, Body):
        return {name: entry(name, inner, frame) for name, inner in value.entries.items()}
    return value


def _blocks(group: Blocks, frame: Frame) -> Any:
    made: list[tuple[tuple[str, ...], Any, int]] = []
    depth = max(group.depth, 0)
    for item in group.items:
        if isinstance(item, Dynamic):
            made.extend(_dynamic(item, depth, frame))
        else:
            made.append((item.labels, body(item.body, frame), item.start))
    if group.depth < 0 and made and made[0][0]:
        depth = len(made[0][0])
    if depth == 0:
        return [content for _, content, _ in made]
    result: dict[str, Any] = {}
    for labels, content, start in made:
        if len(labels) != depth:
            raise Fault(f"This {group.kind} block needs {depth} labels.", start, start + 1, code="labels")
        target = result
        for label in labels[:-1]:
            target = target.setdefault(label, {})
        if labels[-1] in target:
            raise Fault(
                f"There are two {group.kind} blocks {key_text(labels[-1][:60])}.",
                start,
                start + len(group.kind),
                hint="Rename or remove one of them.",
                code="duplicate",
            )
        target[labels[-1]] = content
    return result


def _dynamic(item: Dynamic, depth: int, frame: Frame) -> Iterator[tuple[tuple[str, ...], Any, int]]:
    for labels, inner in _elements(item, depth, frame):
        yield labels, body(item.content, inner), item.start


def _elements(item: Dynamic, depth: int, frame: Frame) -> Iterator[tuple[tuple[str, ...], Frame]]:
    """Return the labels of each block a dynamic block makes, and the frame for its content.

    Labels not given are, beside labelled blocks, the content's name or else the key of the element.
    """
    collection = evaluate(item.for_each, frame)
    if isinstance(collection, Sensitive):
        raise Fault("for_each cannot be sensitive.", item.start, item.end, code="sensitive_key")
    if isinstance(collection, Unknown) or collection is None:
        return
    for key, value in iterate(collection):
        frame.calls.budget.spend(1)
        inner = frame.with_variables(**{item.iterator: {"key": key, "value": value}})
        labels: tuple[str, ...] = ()
        if item.labels is not None:
            given = evaluate(item.labels, inner)
            if not isinstance(given, list) or any(isinstance(label, (Sensitive, Unknown)) for label in given):
                raise Fault("labels is a list of texts.", item.start, item.end, code="wrong_type")
            labels = tuple(to_text(label) for label in given)
        elif depth == 1:
            name = _content_name(item, inner)
            labels = (name if isinstance(name, str) else to_text(key),)
        yield labels, inner


def _content_name(item: Dynamic, inner: Frame) -> Any:
    entries = item.content.entries if isinstance(item.content, Body) else item.content
    return evaluate(entries.get("name"), inner)


def names_made(item: Dynamic, depth: int, frame: Frame) -> list[str]:
    """Return the names of the columns a dynamic block makes."""
    names = [
        labels[0] if labels else _content_name(item, inner)
        for labels, inner in _elements(item, max(depth, 0), frame)
    ]
    return [name for name in names if isinstance(name, str)]
