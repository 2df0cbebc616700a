"""State in `.kolumn/state.db`, a SQLite file in the project folder, readable by its owner only.

Every write is one transaction that adds a row with the whole state; earlier rows are the history. The
latest row is kept plain so that reading it costs nothing; the ones before are compressed. Each row has a checksum
of all it says, so that a state that was edited by hand or cut off is found before anything runs. Files from
before there were checksums (format 1) are read as they are, and get them with the next write.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from kolumn.contract.errors import PermissionError, StateError
from kolumn.contract.identity import user_at_host
from kolumn.contract.times import Timestamp
from kolumn.host.backends import Entry, Holder, Stored

FOLDER = ".kolumn"
KEPT = 100
"""How many states the history holds."""
_FORMAT = 2
_BUSY_SECONDS = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS state (
  serial INTEGER PRIMARY KEY,
  lineage TEXT NOT NULL,
  written_at TEXT NOT NULL,
  writer TEXT NOT NULL,
  reason TEXT NOT NULL,
  size INTEGER NOT NULL,
  encoding TEXT NOT NULL,
  body BLOB NOT NULL,
  checksum TEXT
)
"""
_COLUMNS = "serial, lineage, written_at, writer, reason, size"
_CHECKED = 2
"""The format from which on every row that is written has a checksum."""


class LocalBackend:
    """The state of one project folder; nothing is created before the first write or lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._file = self._folder / "state.db"

    @property
    def location(self) -> str:
        """The path of the state file."""
        return str(self._file)

    def read(self, *, trusting: bool = False) -> Stored | None:
        """Return the latest state, None when nothing was ever written. Raises StateError."""
        return self._read("ORDER BY serial DESC LIMIT 1", (), trusting=trusting)

    def read_serial(self, serial: int, *, trusting: bool = False) -> Stored:
        """Return an earlier state. Raises StateError `unknown_serial` when it is not kept."""
        stored = self._read("WHERE serial = ?", (serial,), trusting=trusting)
        if stored is None:
            raise StateError(
                f"There is no state with serial {serial}. `kolumn state history` lists those that are kept.",
                code="unknown_serial",
            )
        return stored

    def _read(self, which: str, parameters: tuple[int, ...], *, trusting: bool) -> Stored | None:
        if not self._file.exists():
            return None
        with self._open() as database:
            checked = _format(database) >= _CHECKED
            row = database.execute(
                f"SELECT {_COLUMNS}, encoding, body, {'checksum' if checked else 'NULL'}, "
                f"(SELECT max(serial) FROM state) FROM state {which}",
                parameters,
            ).fetchone()
        if row is None:
            return None
        *head, encoding, body, checksum, latest = row
        required = checked and row[0] == latest
        try:
            stored = _stored(head, encoding, body)
            fault = "" if checksum is None and not required else _fault(stored, checksum)
        except (ValueError, TypeError, zlib.error) as error:
            stored, fault = None, f"it cannot be read ({error})"
        if stored is not None and (trusting or not fault):
            return stored
        raise StateError(
            f"The state of serial {head[0]} in {self._file} is not what Kolumn wrote: {fault}. Somebody edited the "
            "file, or it was cut off. `kolumn state repair` shows what is wrong with it; `kolumn state history` and "
            "`kolumn state restore` bring an earlier one back.",
            code="state_tampered",
            details={"serial": head[0], "fault": fault},
        )

    def write(self, body: bytes, *, lineage: str, parent: int, reason: str, force: bool = False) -> Entry:
        """Store the state that follows `parent`; see `Backend.write`."""
        self._prepare()
        entry = Entry(parent + 1, lineage, Timestamp.utc_now(), user_at_host(), reason, len(body))
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(_TABLE)
            if 0 < _format(database) < _CHECKED:
                database.execute("ALTER TABLE state ADD COLUMN checksum TEXT")
            database.execute(f"PRAGMA user_version = {_FORMAT}")
            latest = database.execute(
                "SELECT serial, lineage, encoding, body FROM state ORDER BY serial DESC LIMIT 1"
            ).fetchone()
            if latest is not None:
                self._check(latest[0], latest[1], parent, lineage, force)
                if latest[2] == "plain":
                    database.execute(
                        "UPDATE state SET encoding = 'zlib', body = ? WHERE serial = ?",
                        (zlib.compress(_bytes(latest[3]), 1), latest[0]),
                    )
            database.execute(
                "INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, 'plain', ?, ?)",
                (
                    entry.serial,
                    lineage,
                    str(entry.written_at),
                    entry.writer,
                    reason,
                    entry.size,
                    body,
                    _checksum(entry, body),
                ),
            )
            database.execute("DELETE FROM state WHERE serial <= ?", (entry.serial - KEPT,))
            database.execute("COMMIT")
        return entry

    def history(self) -> tuple[Entry, ...]:
        """Return the writes that are kept, newest first."""
        if not self._file.exists():
            return ()
        with self._open() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM state ORDER BY serial DESC").fetchall()
        try:
            return tuple(_entry(row) for row in rows)
        except (ValueError, TypeError) as error:
            raise StateError(
                f"The history in {self._file} is not what Kolumn wrote: {error}. Move the file away and restore a "
                "copy of it.",
                code="state_tampered",
            ) from error

    def lock(
        self, holder: Holder, wait: float, checkpoint: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[None]:
        """Hold the project's lock; see `Backend.lock`."""
        from kolumn.host.backends.lock import file_lock

        self._prepare()
        return file_lock(self._folder / "lock", holder, wait, checkpoint)

    def _check(self, serial: int, kept: str, parent: int, lineage: str, force: bool) -> None:
        if kept != lineage and not force:
            raise StateError(
                f"The state in {self._file} has another lineage ({kept}, not {lineage}): it belongs "
                "to another "
                "project's history. Use --force only if it may be replaced.",
                code="lineage_mismatch",
            )
        if serial != parent:
            raise StateError(
                f"The state is at serial {serial} while this write follows serial {parent}: someone "
                "else wrote it "
                "in between. Run the command again.",
                code="stale_state",
            )

    def _prepare(self) -> None:
        if self._file.exists():
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            ignore = self._folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("# State and caches of this working copy; not for version control.\n*\n")
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise PermissionError(
                f"State cannot be kept in {self._folder}: {error.strerror}. Make the project folder "
                "writable.",
                code="state_not_writable",
            ) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(
                sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None)
            ) as database:
                version = _format(database)
                if version > _FORMAT:
                    raise StateError(
                        f"{self._file} was written by a newer version of Kolumn (format {version}). "
                        "Upgrade Kolumn.",
                        code="unknown_state_format",
                    )
                database.execute("PRAGMA synchronous = FULL")
                if version == 0:
                    database.execute(_TABLE)  # an earlier first write was cut off before its commit
                yield database
        except sqlite3.OperationalError as error:
            raise StateError(
                f"The state in {self._file} cannot be used: {error}. Check the folder's permissions "
                "and free space.",
                code="state_unavailable",
            ) from error
        except sqlite3.DatabaseError as error:
            raise StateError(
                f"{self._file} is damaged ({error}). Move it away and restore a copy, or start again "
                "without it: "
                "the next apply adopts what it finds.",
                code="state_damaged",
            ) from error


def _entry(row: tuple[int, str, str, str, str, int]) -> Entry:
    serial, lineage, written_at, writer, reason, size = row
    return Entry(serial, lineage, Timestamp.parse(written_at), writer, reason, size)


def _stored(head: Sequence[Any], encoding: str, body: bytes | str) -> Stored:
    held = _bytes(body)
    return Stored(_entry((*head,)), zlib.decompress(held) if encoding == "zlib" else held)


def _bytes(body: bytes | str) -> bytes:
    """Return the content of a row; who edits one by hand leaves a text."""
    return body.encode() if isinstance(body, str) else body


def _format(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _checksum(entry: Entry, body: bytes) -> str:
    """Return the checksum of a row: of its content and of what is said about it."""
    said = (entry.serial, entry.lineage, str(entry.written_at), entry.writer, entry.reason, entry.size)
    checksum = hashlib.sha256("\0".join(map(str, said)).encode())
    checksum.update(b"\0" + body)
    return checksum.hexdigest()


def _fault(stored: Stored, checksum: str | None) -> str:
    """Return why a row is not what was written; empty if it is."""
    if len(stored.body) != stored.entry.size:
        return f"it has {len(stored.body)} bytes instead of {stored.entry.size}"
    if checksum is None:
        return "its checksum is missing"
    return "" if checksum == _checksum(stored.entry, stored.body) else "its checksum does not match"
