"""What a backup says of itself: `manifest.json` (docs/backup.md)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from kolumn.contract.errors import StateError
from kolumn.contract.times import Timestamp

FORMAT = 1
"""The version of the format that this code writes, and the newest it reads."""
NAME = "manifest.json"


class Encryption(msgspec.Struct, frozen=True, kw_only=True):
    """How the files are encrypted; the key is nowhere."""

    algorithm: str = "AES-256-GCM"
    chunk: int
    """Bytes of compressed data in one encrypted piece."""
    derivation: str = "scrypt n=16384 r=8 p=1"
    salt: str
    """Hexadecimal."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one object, in one file."""

    file: str
    resource_type: str
    identity: str
    ref: tuple[str, str, str, str]
    """Type, name, schema and parent."""
    schema: str = ""
    name: str = ""
    config: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """The object as it was; values of sensitive attributes are left out."""
    columns: tuple[str, ...]
    lost: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    format: str
    compression: str = "gzip"
    rows: int
    bytes: int
    """Size of the file."""
    sha256: str
    """Of the file as it is."""
    counters: Mapping[str, int] = msgspec.field(default_factory=dict)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A whole backup. `seal` is a digest of everything else; with a key, nobody without it can make one."""

    format: int = FORMAT
    name: str
    provider: str
    database: str
    created_at: str
    kolumn: str
    reason: str
    """What is about to happen, in words."""
    migration: str = ""
    fingerprint: str = ""
    """Of the plan that destroys what is in here."""
    encryption: Encryption | None = None
    parts: tuple[Part, ...] = ()
    seal: str = ""

    @property
    def rows(self) -> int:
        """Rows of all parts together."""
        return sum(part.rows for part in self.parts)

    def sealed(self, key: bytes | None) -> Manifest:
        """Return the manifest with its seal."""
        return msgspec.structs.replace(self, seal=_seal(self, key))

    def is_sealed(self, key: bytes | None) -> bool:
        """Whether the seal fits the rest."""
        return hmac.compare_digest(self.seal, _seal(self, key))


def new(*, name: str, provider: str, database: str, kolumn: str, reason: str, **more: Any) -> Manifest:
    """Return the manifest of a backup that is about to be written."""
    return Manifest(
        name=name,
        provider=provider,
        database=database,
        created_at=str(Timestamp.utc_now()),
        kolumn=kolumn,
        reason=reason,
        **more,
    )


def encode(manifest: Manifest) -> bytes:
    """Return the file's content."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(content: bytes, where: str) -> Manifest:
    """Read a manifest. Raises StateError `damaged_backup` or `unknown_backup_format`."""
    try:
        (version,) = msgspec.json.decode(content, type=_Version)
        if version > FORMAT:
            raise StateError(
                f"{where} has format {version}; this Kolumn reads up to {FORMAT}. Upgrade Kolumn.",
                code="unknown_backup_format",
            )
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise StateError(f"{where} cannot be read: {error}.", code="damaged_backup") from error


class _Version(msgspec.Struct, frozen=True):
    format: int

    def __iter__(self) -> Any:
        yield self.format


def _seal(manifest: Manifest, key: bytes | None) -> str:
    content = msgspec.json.encode(msgspec.structs.replace(manifest, seal=""), order="sorted")
    if key is None:
        return hashlib.sha256(content).hexdigest()
    return hmac.new(key, b"kolumn manifest\0" + content, hashlib.sha256).hexdigest()
