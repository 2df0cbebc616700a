"""Writes configuration: data to .kl text that is formatted already and evaluates to the same data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kolumn.contract.errors import Problem, ValidationError

_IDENTIFIER: Final = re.compile(r"[^\W\d][\w-]*\Z")
_RESERVED: Final = frozenset({"true", "false", "null", "for", "if", "in"})
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f\x85\u2028\u2029\ufeff]|[\ud800-\udfff]|\$(?=\{)|%(?=\{)')
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "$": "$$", "%": "%%"}
_MAX_LINE: Final = 100


class Labelled(dict[str, Any]):
    """A dict of dicts to be written as labelled blocks: `column "id" { ... }`."""

    __slots__ = ()


class Unlabelled(list[Any]):
    """A list of dicts to be written as blocks without labels: `foreign_key { ... }`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class WrittenResource:
    """A resource to write. `config` holds plain data; blocks are Labelled or Unlabelled."""

    type: str
    name: str
    """Wanted label; made a valid, unique identifier."""
    config: Mapping[str, Any]
    provider: str = ""
    """Address of its provider when it is not the default one of its type."""


@dataclass(frozen=True, slots=True)
class WrittenProvider:
    """A provider block to write."""

    type: str
    config: Mapping[str, Any] = field(default_factory=dict)
    alias: str = ""


def write_project(
    resources: Iterable[WrittenResource],
    providers: Sequence[WrittenProvider] = (),
    *,
    labelled: frozenset[str] = frozenset(),
    unlabelled: frozenset[str] = frozenset(),
    filename: str = "main.kl",
    provider_filename: str = "providers.kl",
) -> dict[str, str]:
    """Return file names with their texts.

    Keys of a config in `labelled` whose value is a dict of dicts, and in `unlabelled` whose value is a list
    of dicts, become blocks, like values wrapped in Labelled and Unlabelled. A label that is no identifier or
    taken is replaced; the true name stays in the attribute `name`. Raises ValidationError for data that is
    not JSON.
    """
    style = _Style(labelled, unlabelled)
    files: dict[str, str] = {}
    if providers:
        files[provider_filename] = "\n".join(_provider(provider, style) for provider in providers)
    taken: dict[str, set[str]] = {}
    blocks = []
    for resource in resources:
        label = unique_label(resource.name, taken.setdefault(resource.type, set()))
        blocks.append(_resource(resource, label, style))
    files[filename] = "\n".join(blocks)
    return files


@dataclass(frozen=True, slots=True)
class _Style:
    labelled: frozenset[str]
    unlabelled: frozenset[str]

    def blocks(self, key: str, value: Any) -> bool:
        """Tell whether an entry is written as blocks."""
        if not _IDENTIFIER.match(key) or not value or key == "dynamic":
            return False
        if isinstance(value, Labelled) or (key in self.labelled and isinstance(value, dict)):
            return all(isinstance(item, dict) for item in value.values())
        if isinstance(value, Unlabelled) or (key in self.unlabelled and isinstance(value, list)):
            return all(isinstance(item, dict) for item in value)
        return False


def unique_label(name: str, taken: set[str]) -> str:
    """Return an identifier made of `name` that is not in `taken`, and add it there."""
    base = re.sub(r"[^\w-]", "_", name) or "unnamed"
    if not _IDENTIFIER.match(base):
        base = f"_{base}"
    label, number = base, 2
    while label in taken:
        label, number = f"{base}_{number}", number + 1
    taken.add(label)
    return label


def _provider(provider: WrittenProvider, style: _Style) -> str:
    config = {"alias": provider.alias, **provider.config} if provider.alias else provider.config
    return f"provider {quoted(provider.type)} {_braced(config, style, 1)}\n"


def _resource(resource: WrittenResource, label: str, style: _Style) -> str:
    config = dict(resource.config)
    if next(iter(config), None) == "name" and config["name"] == label:
        del config["name"]
    lines: list[str] = []
    if resource.provider:
        lines.append(f"provider = {resource.provider}")
    inner = _body(config, style, 1, lines)
    return f"create {quoted(resource.type)} {quoted(label)} {inner}\n"


def _braced(config: Mapping[str, Any], style: _Style, depth: int) -> str:
    return _body(config, style, depth, [])


def _body(config: Mapping[str, Any], style: _Style, depth: int, first: list[str]) -> str:
    """Return `{ ... }` with attributes aligned and blocks set off by a blank line."""
    margin = "  " * depth
    lines = [f"{margin}{line}" for line in first]
    if first and config:
        lines.append("")
    run: list[tuple[str, str]] = []
    after_block = False
    for key, value in config.items():
        if style.blocks(key, value):
            _flush(run, lines, margin)
            if lines and lines[-1]:
                lines.append("")
            _blocks(key, value, style, depth, lines)
            after_block = True
            continue
        if after_block:
            lines.append("")
            after_block = False
        if not _IDENTIFIER.match(key):
            raise ValidationError.of(
                [Problem(f"{key[:60]} cannot be the name of an attribute.", code="bad_name", path=key[:60])]
            )
        text = literal(value, depth)
        if "\n" in text:
            heredoc = text.startswith("<<")
            if heredoc:
                run.append((key, text))
            _flush(run, lines, margin)
            if not heredoc:
                lines.append(f"{margin}{key} = {text}")
        else:
            run.append((key, text))
    _flush(run, lines, margin)
    if not lines:
        return "{}"
    inner = "\n".join(lines)
    return f"{{\n{inner}\n{'  ' * (depth - 1)}}}"


def _flush(run: list[tuple[str, str]], lines: list[str], margin: str) -> None:
    """Write attributes of one line each with their signs aligned."""
    if run:
        width = max(len(key) for key, _ in run)
        lines.extend(f"{margin}{key.ljust(width)} = {text}" for key, text in run)
        run.clear()


def _blocks(key: str, value: Any, style: _Style, depth: int, lines: list[str]) -> None:
    margin = "  " * depth
    if isinstance(value, dict):
        for label, inner in value.items():
            lines.append(f"{margin}{key} {quoted(label)} {_body(inner, style, depth + 1, [])}")
    else:
        lines.extend(f"{margin}{key} {_body(inner, style, depth + 1, [])}" for inner in value)


def quoted(text: str) -> str:
    """Return a text as a literal of the language."""
    if _ESCAPED.search(text) is None:
        return f'"{text}"'
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    found = match.group()
    if found in _SHORT:
        return _SHORT[found]
    if "\ud800" <= found <= "\udfff":
        raise ValidationError.of(
            [Problem("A text has half a character (a lone surrogate).", code="bad_text")]
        )
    return f"\\u{ord(found):04x}"


def literal(value: Any, depth: int = 0) -> str:
    """Return data as an expression; `depth` is the indentation level of its line. Raises ValidationError."""
    if isinstance(value, str):
        return _heredoc(value) or quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (list, tuple)):
        return _list(value, depth)
    if isinstance(value, Mapping):
        return _map(value, depth)
    raise ValidationError.of([Problem(f"A {type(value).__name__} cannot be written.", code="bad_value")])


def _number(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise ValidationError.of([Problem("NaN and infinity cannot be written.", code="bad_value")])
    return repr(value)


def _inline(value: Any) -> str:
    """Return data on one line."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_map_key(key)} = {_inline(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return literal(value)


def _list(value: Sequence[Any], depth: int) -> str:
    text = _inline(value)
    if len(text) <= _MAX_LINE:
        return text
    margin = "  " * (depth + 1)
    items = ",\n".join(f"{margin}{_element(item, depth + 1)}" for item in value)
    return f"[\n{items},\n{'  ' * depth}]"


def _element(value: Any, depth: int) -> str:
    return _inline(value) if isinstance(value, str) else literal(value, depth)


def _map(value: Mapping[str, Any], depth: int) -> str:
    if not value:
        return "{}"
    margin = "  " * (depth + 1)
    lines: list[str] = []
    run: list[tuple[str, str]] = []
    for key, item in value.items():
        text = _element(item, depth + 1)
        if "\n" in text:
            _flush(run, lines, margin)
            lines.append(f"{margin}{_map_key(key)} = {text}")
        else:
            run.append((_map_key(key), text))
    _flush(run, lines, margin)
    inner = "\n".join(lines)
    return f"{{\n{inner}\n{'  ' * depth}}}"


def _map_key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValidationError.of([Problem("Keys of maps are texts.", code="bad_value")])
    return key if _IDENTIFIER.match(key) and key not in _RESERVED else quoted(key)


def _heredoc(text: str) -> str:
    """Return a text of several lines as a heredoc when that keeps it exactly, else nothing."""
    if (
        not text.endswith("\n")
        or text.count("\n") < 2
        or re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", text)
    ):
        return ""
    body = text.replace("${", "$${").replace("%{", "%%{")
    if "$$${" in body or "%%%{" in body:
        return ""
    word = "EOT"
    while re.search(rf"^[ \t]*{word}[ \t\r]*$", text, re.MULTILINE):
        word += "_"
    return f"<<{word}\n{body}{word}"
