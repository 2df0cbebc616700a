"""Authenticated encryption of a stream in chunks: each is sealed with its place, and the last one says that it is.

So no chunk can be altered, left out, put elsewhere or taken from another file without being found. AES-256-GCM of
the `cryptography` package; the key is derived from the secret by scrypt with a salt of each backup's own.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from kolumn.contract.errors import StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 1 << 16
_TAG = 16
_LENGTH = struct.Struct(">I")


def derive(secret: bytes, salt: bytes) -> bytes:
    """Return a key of 32 bytes."""
    return hashlib.scrypt(secret, salt=salt, n=16384, r=8, p=1, maxmem=64 << 20, dklen=32)


class Encryptor:
    """Writes what it is given encrypted; `place` is bound to the content, e.g. backup and file name."""

    def __init__(self, key: bytes, place: str, write: Callable[[bytes], object]) -> None:
        self._cipher = _cipher(key, place)
        self._place = place.encode()
        self._write = write
        self._pending = bytearray()
        self._number = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._pending += data
        while len(self._pending) > CHUNK:
            self._seal(bytes(self._pending[:CHUNK]), last=False)
            del self._pending[:CHUNK]

    def close(self) -> None:
        """Write the last chunk."""
        self._seal(bytes(self._pending), last=True)
        self._pending.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number), chunk, _bound(self._place, last))
        self._write(_LENGTH.pack(len(sealed)))
        self._write(sealed)
        self._number += 1


def decrypted(key: bytes, place: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what was encrypted. Raises StateError `damaged_backup` for what is not exactly that."""
    from cryptography.exceptions import InvalidTag

    cipher, bound_to = _cipher(key, place), place.encode()
    for number, (sealed, last) in enumerate(_chunks(pieces, place)):
        try:
            yield cipher.decrypt(_nonce(number), sealed, _bound(bound_to, last))
        except InvalidTag:
            raise StateError(
                f"{place}: piece {number + 1} was altered, or the key is another one.", code="damaged_backup"
            ) from None


def _chunks(pieces: Iterable[bytes], place: str) -> Iterator[tuple[bytes, bool]]:
    """Yield the sealed chunks, each with whether it is the last."""
    pending = bytearray()
    before: bytes | None = None
    for piece in pieces:
        pending += piece
        while len(pending) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(pending)
            if not _TAG <= size <= CHUNK + _TAG:
                raise StateError(f"{place} is not what was encrypted.", code="damaged_backup")
            if len(pending) < _LENGTH.size + size:
                break
            if before is not None:
                yield before, False
            before = bytes(pending[_LENGTH.size : _LENGTH.size + size])
            del pending[: _LENGTH.size + size]
    if before is None or pending:
        raise StateError(f"{place} ends too early.", code="damaged_backup")
    yield before, True


def _nonce(number: int) -> bytes:
    """Return a nonce that no other chunk under a file's key has."""
    return number.to_bytes(12, "big")


def _bound(place: bytes, last: bool) -> bytes:
    return place + (b"\1" if last else b"\0")


def _cipher(key: bytes, place: str) -> AESGCM:
    """Return the cipher of one file: each has a key of its own, so that no nonce is used twice."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(hmac.new(key, b"kolumn file\0" + place.encode(), hashlib.sha256).digest())
