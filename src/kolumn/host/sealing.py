"""Sensitive values become salted digests before they are kept: enough to see a change, nothing to read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kolumn.contract.schema import singular
from kolumn.contract.secrets import SEAL, is_sealed
from kolumn.host.attributes import steps

__all__ = ["HIDDEN", "SEAL", "Veil", "is_sealed", "seal", "seal_paths", "seal_texts", "shown"]

HIDDEN = "(sensitive)"
"""What people see instead of a sensitive value."""
_SHORTEST = 4


def seal(value: Any, salt: str) -> dict[str, str]:
    """Return the stand-in of a sensitive value: equal for equal values under one salt (hex)."""
    digest = hashlib.blake2b(msgspec.json.encode(value), key=bytes.fromhex(salt)[:64], digest_size=16)
    return {SEAL: digest.hexdigest()}


def seal_paths(config: Mapping[str, Any], paths: Iterable[str], salt: str) -> dict[str, Any]:
    """Return `config` with the value at each of `paths` sealed; paths that lead nowhere are passed over."""
    sealed: Any = config
    for path in paths:
        sealed = _seal_at(sealed, list(steps(path)), salt)
    return dict(sealed)


def _seal_at(value: Any, path: list[str], salt: str) -> Any:
    if not path:
        return value if is_sealed(value) else seal(value, salt)
    head, rest = path[0], path[1:]
    if isinstance(value, Mapping) and head in value:
        return {**value, head: _seal_at(value[head], rest, salt)}
    if isinstance(value, list):
        return [
            _seal_at(each, rest, salt) if _means(each, at, head) else each for at, each in enumerate(value)
        ]
    return value


def _means(element: Any, at: int, head: str) -> bool:
    return head == str(at) or (isinstance(element, Mapping) and element.get("name") == head)


def seal_texts(value: Any, secrets: Iterable[str], salt: str) -> Any:
    """Return JSON data in which every text that holds one of `secrets` is sealed as a whole."""
    found = [text for text in secrets if text]
    return _seal_texts(value, found, salt) if found else value


def _seal_texts(value: Any, secrets: list[str], salt: str) -> Any:
    if isinstance(value, str):
        hit = any(value == text or (len(text) >= _SHORTEST and text in value) for text in secrets)
        return seal(value, salt) if hit else value
    if isinstance(value, Mapping):
        return {key: _seal_texts(each, secrets, salt) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_seal_texts(each, secrets, salt) for each in value]
    return value


def shown(value: Any) -> Any:
    """Return `value` with every stand-in replaced by `(sensitive)`, for people."""
    if is_sealed(value):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: shown(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    return value


def sealed_paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every stand-in inside `value`."""
    if is_sealed(value):
        yield path
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from sealed_paths(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for at, each in enumerate(value):
            name = each.get("name", at) if isinstance(each, Mapping) else at
            yield from sealed_paths(each, f"{path}.{name}")


def hidden(value: Any, path: Sequence[str]) -> Any:
    """Return `value` with what lies at `path` (steps in one spelling) replaced by `(sensitive)`."""
    if value is None:
        return None
    if not path:
        return HIDDEN
    head, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {
            key: hidden(each, rest) if singular(str(key)) == head else each for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            hidden(each, rest)
            if head == str(at) or (isinstance(each, Mapping) and singular(str(each.get("name"))) == head)
            else each
            for at, each in enumerate(value)
        ]
    return value


def texts_at(value: Any, path: Sequence[str]) -> Iterator[str]:
    """Yield every text that `hidden` would hide."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not path or singular(str(key)) == path[0]:
                yield from texts_at(each, path[1:])
    elif isinstance(value, list | tuple):
        for at, each in enumerate(value):
            named = (
                isinstance(each, Mapping) and singular(str(each.get("name"))) == path[0] if path else False
            )
            if not path or path[0] == str(at) or named:
                yield from texts_at(each, path[1:])
    elif isinstance(value, str) and not path:
        yield value


class Veil:
    """Hides the sensitive texts of a project in what people and programs are shown."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({text for text in secrets if text}, key=len, reverse=True)

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._secrets)

    def also(self, texts: Iterable[str]) -> Veil:
        """Return a veil that hides `texts` too."""
        return Veil([*self._secrets, *texts])

    def text(self, text: str) -> str:
        """Return `text` with every sensitive part replaced."""
        for secret in self._secrets:
            if text == secret or (len(secret) >= _SHORTEST and secret in text):
                text = text.replace(secret, HIDDEN)
        return text

    def value(self, value: Any) -> Any:
        """Return JSON data with every sensitive part of its texts replaced."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and str(value) in self._secrets:
            return HIDDEN
        return value
