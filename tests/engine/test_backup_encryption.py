"""Encrypted streams: they come out as they went in, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.contract.errors import StateError
from kolumn.engine.backup.encryption import CHUNK, Encryptor, decrypted, derive

KEY = derive(b"a key for tests", b"salt")
SIZES = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])


def encrypted(data: bytes, piece: int, place: str = "backup/0001") -> bytes:
    found = bytearray()
    encryptor = Encryptor(KEY, place, found.extend)
    for at in range(0, len(data), piece):
        encryptor.write(data[at : at + piece])
    encryptor.close()
    return bytes(found)


def opened(data: bytes, piece: int = 1 << 20, key: bytes = KEY, place: str = "backup/0001") -> bytes:
    return b"".join(decrypted(key, place, (data[at : at + piece] for at in range(0, len(data), piece))))


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(1000, 200_000), st.integers(1000, 200_000))
def test_there_and_back(size: int, written: int, read: int) -> None:
    data = bytes(at % 251 for at in range(size))
    sealed = encrypted(data, written)
    assert opened(sealed, read) == data
    assert sealed == encrypted(data, 777 + written), "how it is written in pieces does not matter"


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_whatever_is_altered_is_found(size: int, data: st.DataObject) -> None:
    sealed = bytearray(encrypted(b"x" * size, 5000))
    match data.draw(st.sampled_from(["flip", "cut", "more", "place", "key", "swap", "drop"])):
        case "flip":
            sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
        case "cut":
            del sealed[data.draw(st.integers(0, len(sealed) - 1)) :]
        case "more":
            sealed += b"\0"
        case "place":
            sealed = bytearray(encrypted(b"x" * size, 5000, "backup/0002"))
        case "key":
            with pytest.raises(StateError):
                opened(bytes(sealed), key=derive(b"another key", b"salt"))
            return
        case kind:
            framed = CHUNK + 20
            if len(sealed) < 2 * framed:
                return
            first, second, rest = sealed[:framed], sealed[framed : 2 * framed], sealed[2 * framed :]
            sealed = (second + first + rest) if kind == "swap" else first + rest
    with pytest.raises(StateError) as caught:
        opened(bytes(sealed))
    assert caught.value.code == "damaged_backup"
