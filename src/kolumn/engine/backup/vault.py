"""The folder of backups: written under a temporary name, read back, and only then there.

    <folder>/20250102T030405123456Z-drop-table-users-1a2b3c4d/manifest.json
                                                             /0001.rows.gz

Folders are for their owner alone (0700), so are files (0600).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from kolumn.contract.errors import OperationError, StateError, ValidationError
from kolumn.contract.times import Timestamp
from kolumn.engine.backup import encryption, manifest
from kolumn.engine.backup.manifest import Encryption, Manifest, Part
from kolumn.engine.backup.settings import BackupSettings
from kolumn.engine.rows import Copied, RowSet
from kolumn.version import __version__

PARTIAL = ".partial"
"""How the name of a backup ends that is being written, or was when its writer was killed."""
_PIECE = 1 << 18
_GZIP = 31
_SLUG = re.compile(r"[^a-z0-9]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Kept:
    """One backup in the folder; `manifest` is None and `fault` says why where it cannot be used."""

    name: str
    path: Path
    manifest: Manifest | None
    fault: str = ""


class Vault:
    """Backups of one provider in one folder, which is made with the first of them."""

    def __init__(self, settings: BackupSettings, *, provider: str, database: str) -> None:
        self._settings = settings
        self.provider = provider
        self._database = database

    @property
    def folder(self) -> Path:
        """Where the backups are."""
        return self._settings.folder

    def write(self, reason: str, *, migration: str = "", fingerprint: str = "") -> Writer:
        """Return a writer of a new backup; nothing is in the folder before its first part."""
        name = f"{_moment()}-{_slug(reason)}-{secrets.token_hex(4)}"
        header = manifest.new(
            name=name,
            provider=self.provider,
            database=self._database,
            kolumn=__version__,
            reason=reason,
            migration=migration,
            fingerprint=fingerprint,
        )
        key = None
        if self._settings.key:
            salt = secrets.token_bytes(16)
            key = encryption.derive(self._settings.key.reveal().encode(), salt)
            header = msgspec.structs.replace(
                header, encryption=Encryption(chunk=encryption.CHUNK, salt=salt.hex())
            )
        return Writer(self.folder, header, key)

    def list(self) -> list[Kept]:
        """Return what is in the folder, oldest first, faulty ones with what is wrong as far as that shows."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in sorted(self.folder.iterdir()):
            if path.name.endswith(PARTIAL):
                found.append(Kept(path.name, path, None, "it was not finished: its writer was interrupted"))
            elif path.is_dir():
                try:
                    found.append(Kept(path.name, path, self._read(path)))
                except StateError as error:
                    found.append(Kept(path.name, path, None, error.message))
        return found

    def find(self, name: str) -> Path:
        """Return the folder of a backup, given its name or path. Raises StateError `unknown_backup`."""
        path = self.folder / name if _NAME.fullmatch(name) else Path(name)
        if not path.is_dir() or path.resolve().parent != self.folder.resolve():
            raise StateError(
                f"there is no backup {name} in {self.folder}. `kolumn backup list` names them.",
                code="unknown_backup",
            )
        return path

    def verified(self, name: str, seal: str = "") -> tuple[Manifest, Path]:
        """Return a backup after reading all of it: seal, checksums, row counts.

        `seal` is what the database noted of it. Raises StateError: `unknown_backup`, or `damaged_backup` with
        one problem for each fault.
        """
        path = self.find(name)
        if path.name.endswith(PARTIAL):
            raise StateError(
                f"backup {path.name} was not finished: its writer was interrupted.", code="damaged_backup"
            )
        found = self._read(path)
        if seal and found.seal != seal:
            raise StateError(
                f"backup {path.name} is not the one that the database noted: its manifest was altered.",
                code="damaged_backup",
            )
        faults = list(self._faults(found, path))
        if faults:
            raise StateError(
                f"backup {path.name} is damaged: {'; '.join(faults)}. Nothing was restored from it.",
                code="damaged_backup",
                details={"backup": path.name, "faults": faults},
            )
        return found, path

    def lines(self, found: Manifest, path: Path, part: Part) -> Iterator[bytes]:
        """Yield the rows of a part in pieces. Raises StateError `damaged_backup`."""
        yield from _unpacked(path / part.file, _place(found, part.file), self._key(found))

    def _read(self, path: Path) -> Manifest:
        try:
            content = (path / manifest.NAME).read_bytes()
        except OSError as error:
            raise StateError(
                f"backup {path.name} has no manifest that can be read: {error.strerror}.",
                code="damaged_backup",
            ) from error
        found = manifest.decode(content, f"the manifest of backup {path.name}")
        if found.encryption is not None and not self._settings.key:
            return found
        if not found.is_sealed(self._key(found)):
            words = ", or the key is another one" if found.encryption is not None else ""
            raise StateError(f"the manifest of backup {path.name} was altered{words}.", code="damaged_backup")
        if found.name != path.name:
            raise StateError(
                f"backup {path.name} is called {found.name} in its manifest: it was put elsewhere.",
                code="damaged_backup",
            )
        return found

    def _key(self, found: Manifest) -> bytes | None:
        if found.encryption is None:
            return None
        if not self._settings.key:
            raise ValidationError(
                f"backup {found.name} is encrypted: set backup_key, or KOLUMN_BACKUP_KEY.",
                code="missing_backup_key",
            )
        return encryption.derive(self._settings.key.reveal().encode(), bytes.fromhex(found.encryption.salt))

    def _faults(self, found: Manifest, path: Path) -> Iterator[str]:
        key = self._key(found)
        listed = {part.file for part in found.parts} | {manifest.NAME}
        for each in sorted(path.iterdir()):
            if each.name not in listed:
                yield f"{each.name} is not in the manifest"
        for part in found.parts:
            yield from _part_faults(path / part.file, part, _place(found, part.file), key)


class Writer:
    """A backup that is being written; `finish` makes it one, leaving the block without that removes it."""

    def __init__(self, folder: Path, header: Manifest, key: bytes | None) -> None:
        self._folder = folder
        self._header = header
        self._key = key
        self._path = folder / f"{header.name}{PARTIAL}"
        self._parts: list[Part] = []
        self._done = False

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            shutil.rmtree(self._path, ignore_errors=True)

    @contextlib.contextmanager
    def part(self) -> Iterator[PartFile]:
        """Open the file of the next part; the caller writes rows, then says what they are with `note`."""
        with _disk(self._path):
            self._make_folder()
            name = f"{len(self._parts) + 1:04}.rows.gz"
            file = PartFile(self._path / name, name, _place(self._header, name), self._key)
            try:
                yield file
            finally:
                file.close()
        assert file.part is not None
        self._parts.append(file.part)

    def finish(self) -> tuple[Manifest, Path]:
        """Write the manifest, read everything back, and give the backup its name.

        Raises OperationError `backup_failed`, also where what is on disk is not what was written.
        """
        made = msgspec.structs.replace(self._header, parts=tuple(self._parts)).sealed(self._key)
        with _disk(self._path):
            self._make_folder()
            with _new_file(self._path / manifest.NAME) as file:
                file.write(manifest.encode(made))
                _to_disk(file)
            _folder_to_disk(self._path)
            faults = [
                fault
                for part in made.parts
                for fault in _part_faults(self._path / part.file, part, _place(made, part.file), self._key)
            ]
            if faults or manifest.decode((self._path / manifest.NAME).read_bytes(), "it") != made:
                raise OperationError(
                    f"the backup in {self._path} is not what was written: {'; '.join(faults) or 'manifest'}. "
                    "Nothing was changed. Check the disk.",
                    code="backup_failed",
                )
            path = self._folder / made.name
            self._path.rename(path)
            _folder_to_disk(self._folder)
        self._done = True
        return made, path

    def _make_folder(self) -> None:
        if self._path.is_dir():
            return
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, mode=0o700)
        self._path.mkdir(mode=0o700)


class PartFile:
    """The file of one part: compressed, encrypted where there is a key, with its checksum."""

    def __init__(self, path: Path, name: str, place: str, key: bytes | None) -> None:
        self._name = name
        self._file = _new_file(path)
        self._digest = hashlib.sha256()
        self._size = 0
        self._lines = 0
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._encryptor = encryption.Encryptor(key, place, self._store) if key is not None else None
        self.part: Part | None = None

    def write(self, data: bytes) -> None:
        """Take rows."""
        self._lines += data.count(b"\n")
        self._pass_on(self._compressor.compress(data))

    def note(self, rows: RowSet, copied: Copied, *, config: dict[str, object], format_: str) -> None:
        """End the file and say what is in it. Raises OperationError where rows were missed."""
        if self._lines != copied.rows:
            raise OperationError(
                f"{rows} has {copied.rows} rows, but {self._lines} were read. Nothing was changed. Try again.",
                code="backup_failed",
            )
        self._pass_on(self._compressor.flush())
        if self._encryptor is not None:
            self._encryptor.close()
        _to_disk(self._file)
        self.part = Part(
            file=self._name,
            resource_type=rows.ref.type,
            identity=rows.ref.identity,
            ref=(rows.ref.type, rows.ref.name, rows.ref.schema, rows.ref.parent),
            schema=rows.schema,
            name=rows.name,
            config=config,
            columns=copied.columns,
            lost=rows.lost,
            key=copied.key,
            format=format_,
            rows=copied.rows,
            bytes=self._size,
            sha256=self._digest.hexdigest(),
            counters=dict(copied.counters),
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _pass_on(self, data: bytes) -> None:
        if data:
            (self._encryptor.write if self._encryptor is not None else self._store)(data)

    def _store(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        self._file.write(data)


def _part_faults(path: Path, part: Part, place: str, key: bytes | None) -> Iterator[str]:
    """Yield what is wrong with the file of a part."""
    try:
        digest, size = hashlib.sha256(), 0
        for piece in _pieces(path):
            digest.update(piece)
            size += len(piece)
        if (size, digest.hexdigest()) != (part.bytes, part.sha256):
            yield f"{part.file} ({part.resource_type} {part.identity}) was altered or is incomplete"
            return
        rows = sum(piece.count(b"\n") for piece in _unpacked(path, place, key))
        if rows != part.rows:
            yield f"{part.file} has {rows} rows instead of {part.rows}"
    except FileNotFoundError:
        yield f"{part.file} ({part.resource_type} {part.identity}) is missing"
    except OSError as error:
        yield f"{part.file} cannot be read: {error.strerror}"
    except StateError as error:
        yield error.message


def _unpacked(path: Path, place: str, key: bytes | None) -> Iterator[bytes]:
    pieces = _pieces(path)
    if key is not None:
        pieces = encryption.decrypted(key, place, pieces)
    decompressor = zlib.decompressobj(_GZIP)
    try:
        for piece in pieces:
            data = decompressor.decompress(piece, _PIECE)
            while data or decompressor.unconsumed_tail:
                if data:
                    yield data
                data = decompressor.decompress(decompressor.unconsumed_tail, _PIECE)
        if rest := decompressor.flush():
            yield rest
    except zlib.error as error:
        raise StateError(f"{path.name} cannot be unpacked: {error}.", code="damaged_backup") from error
    if not decompressor.eof:
        raise StateError(f"{path.name} ends too early.", code="damaged_backup")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _place(found: Manifest, file: str) -> str:
    return f"{found.name}/{file}"


def _new_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Say what to do where the disk refuses."""
    try:
        yield
    except OSError as error:
        raise OperationError(
            f"the backup cannot be written to {path.parent}: {error.strerror or error}. Nothing was changed. "
            "Make room or correct backup_dir (KOLUMN_BACKUP_DIR).",
            code="backup_failed",
        ) from error


def _moment() -> str:
    """Return the time as names of backups begin, so that they sort by it."""
    return Timestamp.utc_now().strftime("%Y%m%dT%H%M%S%fZ")


def _slug(text: str) -> str:
    return _SLUG.sub("-", text.lower()).strip("-")[:40].strip("-") or "backup"
