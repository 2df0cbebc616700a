"""The JSON twin: `.kl.json` files as the same blocks.

Block types are keys, labels are nested objects, texts are templates (Terraform's JSON conventions). An
array stands for several blocks of the same labels.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kolumn.config.diagnostics import Fault, Source
from kolumn.config.expressions import MAX_DEPTH
from kolumn.config.parser import parse_expression, parse_template
from kolumn.config.syntax import (
    Block,
    Blocks,
    Body,
    Dynamic,
    Embedded,
    Expression,
    ObjectOf,
    Path,
    Spans,
    TupleOf,
    Value,
)
from kolumn.config.values import whole

if TYPE_CHECKING:
    from kolumn.contract.errors import Problem

LABELS = {"create": 2, "discover": 2, "provider": 1, "variable": 1, "output": 1, "module": 1, "policy": 1}
"""How many labels each kind of top-level block has; others have none."""
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}


class _Node:
    """A JSON value with its place."""

    __slots__ = ("end", "keys", "start", "value")

    def __init__(
        self, value: Any, start: int, end: int, keys: dict[str, tuple[int, int]] | None = None
    ) -> None:
        self.value = value
        self.start = start
        self.end = end
        self.keys = keys or {}


class _Reader:
    """Reads JSON keeping places; the standard library keeps none."""

    def __init__(self, text: str) -> None:
        self.text = text

    def document(self) -> _Node:
        node, position = self.value(self.skip(0), 0)
        position = self.skip(position)
        if position < len(self.text):
            raise Fault(
                "Something follows the end of the JSON document.", position, position + 1, code="syntax"
            )
        return node

    def skip(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def value(self, start: int, depth: int) -> tuple[_Node, int]:
        text = self.text
        if depth > MAX_DEPTH:
            raise Fault(f"Nested more than {MAX_DEPTH} levels deep.", start, start + 1, code="too_deep")
        first = text[start : start + 1]
        if first == '"':
            value, end = self.string(start)
            return _Node(value, start, end), end
        if first == "{":
            return self.object(start, depth)
        if first == "[":
            return self.array(start, depth)
        for word, constant in _WORDS.items():
            if text.startswith(word, start):
                return _Node(constant, start, start + len(word)), start + len(word)
        number = _NUMBER.match(text, start)
        if number:
            return _Node(self.number(number), start, number.end()), number.end()
        raise Fault(
            "Expected a JSON value.",
            start,
            start + 1,
            hint="Texts and keys stand in double quotes.",
            code="syntax",
        )

    def number(self, match: re.Match[str]) -> int | float:
        found = match.group()
        try:
            return whole(float(found)) if any(mark in found for mark in ".eE") else whole(int(found))
        except (ValueError, Fault):
            raise Fault("This number is too big.", match.start(), match.end(), code="too_big") from None

    def string(self, start: int) -> tuple[str, int]:
        try:
            text, end = json.JSONDecoder().raw_decode(self.text, start)
            return str(text), end
        except json.JSONDecodeError as error:
            raise Fault(
                f"{error.msg}.".replace(" starting at", ""), start, error.pos + 1, code="syntax"
            ) from None

    def object(self, start: int, depth: int) -> tuple[_Node, int]:
        result: dict[str, _Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "}":
            if self.text[position : position + 1] != '"':
                self.wanted(start, position, "a key in double quotes or }")
            key, end = self.string(position)
            if key in result:
                raise Fault("This key is there twice.", position, end, code="duplicate")
            keys[key] = (position, end)
            position = self.skip(end)
            if self.text[position : position + 1] != ":":
                self.wanted(start, position, ": after the key")
            result[key], position = self.value(self.skip(position + 1), depth + 1)
            position = self.skip(position)
            if self.text[position : position + 1] == ",":
                position = self.skip(position + 1)
            elif self.text[position : position + 1] != "}":
                self.wanted(start, position, "a comma or }")
        return _Node(result, start, position + 1, keys), position + 1

    def array(self, start: int, depth: int) -> tuple[_Node, int]:
        result: list[_Node] = []
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "]":
            node, position = self.value(position, depth + 1)
            result.append(node)
            position = self.skip(position)
            if self.text[position : position + 1] == ",":
                position = self.skip(position + 1)
            elif self.text[position : position + 1] != "]":
                self.wanted(start, position, "a comma or ]")
        return _Node(result, start, position + 1), position + 1

    def wanted(self, opened: int, position: int, what: str) -> None:
        if position >= len(self.text):
            raise Fault(f"This {self.text[opened]} is not closed.", opened, opened + 1, code="syntax")
        raise Fault(f"Expected {what}.", position, position + 1, code="syntax")


class _Converter:
    """Makes blocks of JSON nodes; faults are collected."""

    def __init__(self, source: Source, spans: Spans | None) -> None:
        self.source = source
        self.spans = spans
        self.blocks: list[Block] = []
        self.problems: list[Problem] = []

    def document(self, node: _Node) -> None:
        if not isinstance(node.value, dict):
            self.report(
                Fault("A .kl.json file is one JSON object.", node.start, node.start + 1, code="syntax")
            )
            return
        for kind, inner in node.value.items():
            if kind != "//":
                self.labelled(kind, (), inner, node.keys[kind], LABELS.get(kind, 0))

    def labelled(
        self, kind: str, labels: tuple[str, ...], node: _Node, span: tuple[int, int], missing: int
    ) -> None:
        if isinstance(node.value, list):
            for item in node.value:
                self.labelled(kind, labels, item, (item.start, item.start + 1), missing)
            return
        if not isinstance(node.value, dict):
            self.report(Fault(f"{kind} takes a JSON object here.", *span, code="syntax"))
            return
        if missing:
            for label, inner in node.value.items():
                if label != "//":
                    self.labelled(kind, (*labels, label), inner, node.keys[label], missing - 1)
            return
        index = len(self.blocks)
        path: Path = (index,)
        if self.spans is not None:
            self.spans[path] = span
        entries: dict[str, Value] = {}
        for name, inner in node.value.items():
            if name == "//":
                continue
            try:
                self.entry(entries, name, inner, node.keys[name], path)
            except Fault as fault:
                self.report(fault.spanning(inner.start, inner.end))
        self.blocks.append(Block(kind, labels, entries, index, *span))

    def entry(
        self, entries: dict[str, Value], name: str, node: _Node, span: tuple[int, int], path: Path
    ) -> None:
        if name == "dynamic" and isinstance(node.value, dict):
            for kind, inner in node.value.items():
                for item in inner.value if isinstance(inner.value, list) else [inner]:
                    self.dynamic(entries, kind, item, (*path, name, kind))
            return
        value = self.value(node, (*path, name), span)
        if isinstance(entries.get(name), Blocks):
            raise Fault(f"{name} is both an attribute and made by a dynamic block.", *span, code="duplicate")
        entries[name] = value

    def dynamic(self, entries: dict[str, Value], kind: str, node: _Node, path: Path) -> None:
        found = node.value
        if not isinstance(found, dict) or "for_each" not in found or "content" not in found:
            raise Fault(
                "A dynamic block needs for_each and content.", node.start, node.start + 1, code="syntax"
            )
        content: dict[str, Value] = {}
        if not isinstance(found["content"].value, dict):
            raise Fault("content is a JSON object.", node.start, node.start + 1, code="syntax")
        for name, inner in found["content"].value.items():
            self.entry(content, name, inner, found["content"].keys[name], (*path, "content"))
        iterator = found["iterator"].value if "iterator" in found else kind
        labels = self.value(found["labels"], path, (node.start, node.end)) if "labels" in found else None
        group = entries.setdefault(kind, Blocks(node.start, node.end, kind, -1, []))
        if not isinstance(group, Blocks) or not isinstance(iterator, str):
            raise Fault(f"{kind} is both an attribute and made by a dynamic block.", node.start, node.end)
        body: Value = Body(node.start, node.end, content)
        for_each = self.value(found["for_each"], path, (node.start, node.end))
        group.items.append(Dynamic(iterator, for_each, labels, body, node.start, node.end))

    def value(self, node: _Node, path: Path, span: tuple[int, int]) -> Value:
        """Return a plain value, or an expression when a text in it is a template."""
        if self.spans is not None:
            self.spans[path] = span
        found = node.value
        if isinstance(found, str):
            return _template(found, node.start, node.end)
        if isinstance(found, list):
            items = [self.value(item, (*path, row), (item.start, item.end)) for row, item in enumerate(found)]
            if any(isinstance(item, Expression) for item in items):
                return TupleOf(node.start, node.end, tuple(items))
            return items
        if isinstance(found, dict):
            pairs = [
                (_template(key, *node.keys[key]), self.value(inner, (*path, key), node.keys[key]))
                for key, inner in found.items()
            ]
            if any(isinstance(part, Expression) for pair in pairs for part in pair):
                return ObjectOf(node.start, node.end, tuple(pairs))
            return dict(pairs)
        return found

    def report(self, fault: Fault) -> None:
        self.problems.append(fault.problem(self.source))


def _template(text: str, start: int, end: int) -> Value:
    if "${" not in text and "%{" not in text:
        return text
    try:
        inner = parse_template(Source("", text))
    except Fault as fault:
        raise Fault(fault.message, start, end, hint=fault.hint, code=fault.code) from None
    return Embedded(start, end, inner) if isinstance(inner, Expression) else inner


def as_expression(value: Value) -> Value:
    """Return the expression a plain JSON text stands for where only a name makes sense.

    Used for `depends_on`, `provider` and the like. Raises Fault.
    """
    if isinstance(value, Embedded):
        return value.inner
    if isinstance(value, str):
        return parse_expression(Source("", value))
    return value


def parse_json(source: Source, spans: Spans | None = None) -> tuple[list[Block], list[Problem]]:
    """Parse a `.kl.json` file; returns its blocks and every fault found."""
    converter = _Converter(source, spans)
    try:
        converter.document(_Reader(source.text).document())
    except Fault as fault:
        converter.report(fault)
    except RecursionError:
        converter.report(Fault("Nested too deeply.", 0, 1, code="too_deep"))
    return converter.blocks, converter.problems
