"""State in `.kolumn/state.db`, a SQLite file in the project folder, readable by its owner only.

Every write is one transaction that adds a row with the whole state; earlier rows are the history. The
latest row is kept plain so that reading it costs nothing; the ones before are compressed.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from kolumn.contract.errors import PermissionError, StateError
from kolumn.contract.identity import user_at_host
from kolumn.contract.times import Timestamp
from kolumn.host.backends import Entry, Holder, Stored

FOLDER = ".kolumn"
KEPT = 100
"""How many states the history holds."""
_FORMAT = 1
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
  body BLOB NOT NULL
)
"""
_COLUMNS = "serial, lineage, written_at, writer, reason, size"


class LocalBackend:
    """The state of one project folder; nothing is created before the first write or lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._file = self._folder / "state.db"

    @property
    def location(self) -> str:
        """The path of the state file."""
        return str(self._file)

    def read(self) -> Stored | None:
        """Return the latest state, None when nothing was ever written. Raises StateError."""
        if not self._file.exists():
            return None
        with self._open() as database:
            row = database.execute(
                f"SELECT {_COLUMNS}, encoding, body FROM state ORDER BY serial DESC LIMIT 1"
            ).fetchone()
        return _stored(row) if row else None

    def read_serial(self, serial: int) -> Stored:
        """Return an earlier state. Raises StateError `unknown_serial` when it is not kept."""
        row = None
        if self._file.exists():
            with self._open() as database:
                row = database.execute(
                    f"SELECT {_COLUMNS}, encoding, body FROM state WHERE serial = ?",
                    (serial,),
                ).fetchone()
        if row is None:
            raise StateError(
                f"There is no state with serial {serial}. `kolumn state history` lists those that are kept.",
                code="unknown_serial",
            )
        return _stored(row)

    def write(self, body: bytes, *, lineage: str, parent: int, reason: str, force: bool = False) -> Entry:
        """Store the state that follows `parent`; see `Backend.write`."""
        self._prepare()
        entry = Entry(parent + 1, lineage, Timestamp.utc_now(), user_at_host(), reason, len(body))
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(_TABLE)
            database.execute(f"PRAGMA user_version = {_FORMAT}")
            latest = database.execute(
                "SELECT serial, lineage, encoding, body FROM state ORDER BY serial DESC LIMIT 1"
            ).fetchone()
            if latest is not None:
                self._check(latest[0], latest[1], parent, lineage, force)
                if latest[2] == "plain":
                    database.execute(
                        "UPDATE state SET encoding = 'zlib', body = ? WHERE serial = ?",
                        (zlib.compress(latest[3], 1), latest[0]),
                    )
            database.execute(
                "INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, 'plain', ?)",
                (
                    entry.serial,
                    lineage,
                    str(entry.written_at),
                    entry.writer,
                    reason,
                    entry.size,
                    body,
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
        return tuple(_entry(row) for row in rows)

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
                version = database.execute("PRAGMA user_version").fetchone()[0]
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


def _stored(row: tuple[int, str, str, str, str, int, str, bytes]) -> Stored:
    *entry, encoding, body = row
    return Stored(_entry((*entry,)), zlib.decompress(body) if encoding == "zlib" else body)  # type: ignore[arg-type]
