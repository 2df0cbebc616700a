"""Connection settings of the DuckDB provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import attribute
from kolumn.engine.parsing import parse
from kolumn.providers.duckdb.language.tokens import fold
from kolumn.sql.file_settings import FileSettings


@dataclass(frozen=True)
class DuckDBSettings(FileSettings):
    """Where the database is and how it is opened."""

    PRODUCT: ClassVar[str] = "a DuckDB"
    SCHEME: ClassVar[str] = "duckdb"
    ENDING: ClassVar[str] = ".duckdb"
    RESERVED: ClassVar[frozenset[str]] = frozenset({"main", "temp", "system", "memory", ""})
    NO_FILES: ClassVar[tuple[str, ...]] = (":memory:", "md:", "motherduck:")
    MAKES_FILES: ClassVar[str] = "duckdb_attached_database"

    url: str = attribute("`duckdb:////absolute/path.duckdb` or `duckdb:///relative/path.duckdb`", default="")
    extensions: tuple[str, ...] = attribute("Extensions to load, which must be installed", default=())
    install_extensions: bool = attribute(
        "Whether extensions may be fetched from the network and loaded when they are needed", default=False
    )
    secret_directory: str = attribute("Folder of persistent secrets; DuckDB's own when empty", default="")
    memory_limit: str = attribute("Most memory DuckDB may use, e.g. `4GB`", default="")
    threads: int | None = attribute("Threads DuckDB may use", default=None)
    metadata_schema: str = attribute("Schema for Kolumn's own tables", default="kolumn")

    def options(self) -> dict[str, str]:
        """Return the options with which the library opens the file."""
        allowed = "true" if self.install_extensions else "false"
        found = {"autoinstall_known_extensions": allowed, "autoload_known_extensions": allowed}
        if self.secret_directory:
            found["secret_directory"] = str(Path(self.secret_directory).expanduser())
        if self.memory_limit:
            found["memory_limit"] = self.memory_limit
        if self.threads is not None:
            found["threads"] = str(self.threads)
        return found

    def verify(self) -> Iterator[Problem]:
        """Yield the faults that show across settings."""
        yield from super().verify()
        if fold(self.metadata_schema) in self.RESERVED or "\0" in self.metadata_schema:
            yield Problem("is no name of a schema for it", code="reserved_name", path="metadata_schema")
        if self.threads is not None and self.threads < 1:
            yield Problem("must be at least 1", code="out_of_range", path="threads")


def parse_settings(config: Mapping[str, Any]) -> DuckDBSettings:
    """Return the settings. Raises ValidationError with every fault."""
    return parse(DuckDBSettings, config)
