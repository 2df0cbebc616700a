"""The lock file: which providers a project runs with, by checksum. `kolumn providers --lock` writes it.

Without one nothing is checked. With one a provider that is not in it, or has changed since, is refused before it
is started: it will be given credentials.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from kolumn.contract.errors import ValidationError
from kolumn.host.discovery import PACKAGE, Found
from kolumn.host.supply import LOCK_FILE as FILE

_FORMAT: Final = 1
_ACCEPT: Final = "If that is as it should be: kolumn providers --lock."


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of one provider."""

    version: str
    source: str
    sha256: tuple[str, ...]
    """One per platform: a lock of the same version adds to them."""


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    format_version: int
    providers: Mapping[str, Locked]


def read(folder: Path) -> Mapping[str, Locked] | None:
    """Return what is locked, None without a file. Raises ValidationError `invalid_lock_file`."""
    path = folder / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Document)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValidationError(
            f"{path} cannot be read: {error}. Restore it, or write it anew: kolumn providers --lock.",
            code="invalid_lock_file",
        ) from None
    if found.format_version != _FORMAT:
        raise ValidationError(
            f"{path} has format {found.format_version}; this version of Kolumn knows {_FORMAT}.",
            code="invalid_lock_file",
        )
    return found.providers


def verify(found: Found, folder: Path) -> None:
    """Refuse a provider that is not the one that was locked.

    Raises ValidationError `provider_not_locked`, `checksum_mismatch`.
    """
    locked = read(folder)
    if locked is None:
        return
    if found.name not in locked:
        raise ValidationError(
            f"The provider {found.name} ({found.place}) is not in {FILE}. {_ACCEPT}",
            code="provider_not_locked",
        )
    if checksum(found) not in locked[found.name].sha256:
        raise ValidationError(
            f"The provider {found.name} ({found.place}) is not the one that was locked: its checksum differs "
            f"from those in {FILE}. {_ACCEPT}",
            code="checksum_mismatch",
        )


def write(folder: Path, versions: Mapping[Found, str]) -> Path:
    """Lock these providers, each with the version it says it has; return the file written."""
    before = read(folder) or {}
    providers = {}
    for found, version in sorted(versions.items(), key=lambda item: item[0].name):
        known = before.get(found.name)
        sums = {checksum(found)}
        if known is not None and (known.version, known.source) == (version, found.source):
            sums.update(known.sha256)
        providers[found.name] = Locked(version=version, source=found.source, sha256=tuple(sorted(sums)))
    document = msgspec.json.encode(_Document(format_version=_FORMAT, providers=providers))
    path = folder / FILE
    path.write_bytes(msgspec.json.format(document, indent=2) + b"\n")
    return path


def checksum(found: Found) -> str:
    """Return the SHA-256 of the executable, or of all Python code of the package. Raises ValidationError."""
    digest = hashlib.sha256()
    try:
        if found.source != PACKAGE:
            digest.update(Path(found.place).read_bytes())
            return digest.hexdigest()
        for folder in _folders(found.place.partition(".")[0]):
            for path in sorted(folder.rglob("*.py")):
                digest.update(f"{path.relative_to(folder)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    except OSError as error:
        raise ValidationError(
            f"{error.filename} cannot be read: {error.strerror}.", code="unreadable"
        ) from None
    return digest.hexdigest()


def _folders(package: str) -> list[Path]:
    spec = find_spec(package)
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return sorted(map(Path, spec.submodule_search_locations))
    return [Path(spec.origin).parent] if spec.origin else []
