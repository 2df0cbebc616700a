"""Secrets in memory (spec 10.1, 10.2): kept in a buffer that can be zeroed, shown by no accident."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, NoReturn, SupportsIndex

from kolumn.contract.masking import REDACTED, register_secret

_MIN_PART_LENGTH = 4
SEAL = "kolumn_sensitive"
"""The one key of an object that stands, in a state that is kept, for a sensitive value: a salted digest."""


def is_sealed(value: object) -> bool:
    """Whether `value` is such a stand-in."""
    return isinstance(value, Mapping) and len(value) == 1 and SEAL in value


class SecureString:
    """A secret text. `reveal()` is the only way to it; everything else shows `[REDACTED]` or refuses.

    `clear()` zeroes it, so do the end of a `with` block and collection. Python may hold copies of the text
    it was made from and of what `reveal()` returned; keep neither. While it lives, `mask` knows it.
    """

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str | bytes) -> None:
        self._value = bytearray(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
        register_secret(self)

    def reveal(self) -> str:
        """Return the text; empty once cleared."""
        return self._value.decode("utf-8", "surrogatepass")

    def clear(self) -> None:
        """Overwrite the text with zeros and forget it."""
        self._value[:] = bytes(len(self._value))
        self._value.clear()

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecureString):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    # A hash would be a way to guess the text, and the text may be cleared.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return REDACTED

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __copy__(self) -> SecureString:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SecureString:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a SecureString is not pickled: its text must not leave the process")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a SecureString gives no state away")

    def __enter__(self) -> SecureString:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def __del__(self) -> None:
        if hasattr(self, "_value"):
            self.clear()


def redact(value: Any, secrets: Iterable[str | SecureString]) -> Any:
    """Return JSON-like `value` with each of `secrets` replaced by `[REDACTED]` wherever it appears.

    Texts under four characters are replaced only where they are the whole value. Numbers that read like a
    secret are replaced too. Maps come back as dict, sequences as list.
    """
    texts = {secret if isinstance(secret, str) else secret.reveal() for secret in secrets} - {""}
    return _redact(value, frozenset(texts), sorted(texts, key=len, reverse=True))


def _redact(value: Any, texts: frozenset[str], longest_first: list[str]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, SecureString):
        return REDACTED
    if isinstance(value, Mapping):
        return {
            _redact(key, texts, longest_first): _redact(item, texts, longest_first)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redact(item, texts, longest_first) for item in value]
    if isinstance(value, str):
        if value in texts:
            return REDACTED
        for text in longest_first:
            if len(text) >= _MIN_PART_LENGTH and text in value:
                value = value.replace(text, REDACTED)
        return value
    return REDACTED if str(value) in texts else value
