"""Opening one DuckDB file: waiting for other processes, loading extensions, attaching other files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, PermissionError
from kolumn.providers.duckdb.connection.faults import is_locked, is_open_here, locked, translate
from kolumn.providers.duckdb.connection.metadata import ATTACHED, table_exists
from kolumn.providers.duckdb.connection.work import Work
from kolumn.providers.duckdb.language.tokens import fold, full_name, literal, quote
from kolumn.providers.duckdb.settings import DuckDBSettings

if TYPE_CHECKING:
    import duckdb

LOCK = "exclusive: no other process can open the file until this is done"
"""What a change keeps others from, in the words of a plan."""

_POLL_SECONDS = 0.05


class DatabaseFile:
    """One database file, and what goes with it when it is opened."""

    def __init__(self, settings: DuckDBSettings) -> None:
        self._settings = settings
        self.path = settings.file.absolute()

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def open(self, context: Context, *, write: bool) -> Work:
        """Open the file, which is made if it is not there; wait for other processes at most busy_timeout seconds.

        To read, it is opened so that other processes can read it as well. Raises ConnectionError, OperationError
        (`database_locked`) naming who has it open, PermissionError.
        """
        import duckdb

        if not self.path.parent.is_dir():
            raise self.no_folder()
        until = time.monotonic() + self._settings.busy_timeout
        read_only = self._settings.read_only or not write
        while True:
            try:
                return self._connected(str(self.path), read_only=read_only)
            except duckdb.Error as error:
                here = is_open_here(error)
                if here and read_only and not self._settings.read_only:
                    # Somebody in this process writes: who would read beside them opens it alike.
                    read_only = False
                    continue
                late = time.monotonic() >= until
                if late and is_locked(error):
                    raise locked(error, self.path, self._settings.busy_timeout) from None
                if late or not (here or is_locked(error)):
                    raise translate(error, context) from None
            context.wait(_POLL_SECONDS)

    def stand_in(self, context: Context) -> Work:
        """Return an empty database in memory, to be read in place of a file that is not there."""
        import duckdb

        try:
            return self._connected(":memory:", read_only=False)
        except duckdb.Error as error:
            raise translate(error, context) from None

    def no_folder(self) -> ConnectionError:
        """Return that there is no place for the file."""
        return ConnectionError(
            f"the folder {self.path.parent} of the database is not there. Create it, or correct the path.",
            code="cannot_open",
        )

    def verify_writable(self) -> None:
        """Raise PermissionError if settings forbid changes."""
        if self._settings.read_only:
            raise PermissionError(
                f"the database {self.path} was opened with read_only = true. Remove it to make changes.",
                code="read_only",
            )

    def _connected(self, place: str, *, read_only: bool) -> Work:
        import duckdb

        connection = duckdb.connect(place, read_only=read_only, config=dict(self._settings.options()))
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return Work(connection, read_only=read_only)

    def _noted(self, connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Path, bool]]:
        """Return the files that resources attach: by folded name, the path and whether it can only be read."""
        schema = self._settings.metadata_schema
        known = table_exists(schema, ATTACHED)
        if not connection.execute(known.text, list(known.parameters)).fetchone():
            return {}
        rows = connection.execute(f"SELECT name, path, read_only FROM {full_name(schema, ATTACHED)}")
        return {
            fold(name): (self.path.parent / path, bool(read_only or self._settings.read_only))
            for name, path, read_only in rows.fetchall()
        }

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Load extensions, and attach the files of settings and of resources that are there."""
        for extension in self._settings.extensions:
            if self._settings.install_extensions:
                connection.install_extension(extension)
            connection.load_extension(extension)
        lent = {name: (path, self._settings.read_only) for name, path in self._settings.attachments().items()}
        files = lent | self._noted(connection)
        if not files:
            return
        found = connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        there = {fold(name) for (name,) in found}
        for name, (path, read_only) in files.items():
            if name not in there and path.exists():
                option = " (READ_ONLY)" if read_only else ""
                connection.execute(f"ATTACH {literal(str(path.absolute()))} AS {quote(name)}{option}")
