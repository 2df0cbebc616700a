"""Connection settings of the DuckDB provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kolumn.contract.errors import Problem
from kolumn.contract.schema import ValidatorSpec
from kolumn.engine.declaration import attribute
from kolumn.engine.parsing import parse
from kolumn.providers.duckdb.language.tokens import fold

_DAYS = ValidatorSpec(type="range", value={"min": 0, "max": 36_500}, message="must be 0 to 36500 days")
_SECONDS = ValidatorSpec(
    type="range", value={"min": 0, "max": 1_000_000}, message="must be 0 to 1000000 seconds"
)
_RESERVED = frozenset({"main", "temp", "system", "memory", ""})


@dataclass(frozen=True)
class DuckDBSettings:
    """Where the database is and how it is opened."""

    url: str = attribute("`duckdb:////absolute/path.duckdb` or `duckdb:///relative/path.duckdb`", default="")
    path: str = attribute("The database file, instead of url", default="")
    database: str = attribute("Another word for path", default="")
    busy_timeout: float = attribute(
        "Seconds to wait for another process that has the file open", default=5.0, validators=[_SECONDS]
    )
    read_only: bool = attribute("Whether the file is opened for reading only", default=False)
    attach: Mapping[str, Any] = attribute(
        "Other database files by the name they are attached under", default=None
    )
    extensions: tuple[str, ...] = attribute("Extensions to load, which must be installed", default=())
    install_extensions: bool = attribute(
        "Whether extensions may be fetched from the network and loaded when they are needed", default=False
    )
    secret_directory: str = attribute("Folder of persistent secrets; DuckDB's own when empty", default="")
    memory_limit: str = attribute("Most memory DuckDB may use, e.g. `4GB`", default="")
    threads: int | None = attribute("Threads DuckDB may use", default=None)
    query_timeout: float | None = attribute(
        "Seconds a call may take when its caller sets no deadline", default=None, validators=[_SECONDS]
    )
    audit: bool = attribute("Whether every change is noted in an audit trail", default=True)
    safe_destroy: bool = attribute("Whether a delete must leave a way back", default=True)
    quarantine_retention_days: int = attribute(
        "Days for which what is deleted while safe_destroy is on is kept at least",
        default=30,
        validators=[_DAYS],
    )
    metadata_schema: str = attribute("Schema for Kolumn's own tables", default="kolumn")

    @property
    def file(self) -> Path:
        """The database file."""
        return Path(_path_of(self.url) if self.url else self.path or self.database).expanduser()

    def attachments(self) -> dict[str, Path]:
        """Return the attached files by folded name, relative ones against the folder of the database."""
        return {
            fold(name): self.file.parent / Path(str(path)).expanduser()
            for name, path in (self.attach or {}).items()
        }

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
        given = [name for name in ("url", "path", "database") if getattr(self, name)]
        if len(given) != 1:
            what = "no database file is named" if not given else f"{' and '.join(given)} are given together"
            yield Problem(
                what,
                code="conflicting_attributes" if given else "missing_attribute",
                path=given[-1] if given else "path",
                hint='Give one of path = "app.duckdb" and url = "duckdb:///app.duckdb".',
            )
            return
        if self.url and (fault := _url_fault(self.url)):
            yield Problem(
                fault, code="invalid_url", path="url", hint="Write duckdb:////absolute/path.duckdb."
            )
            return
        if fold(self.metadata_schema) in _RESERVED or "\0" in self.metadata_schema:
            yield Problem("is no name of a schema for it", code="reserved_name", path="metadata_schema")
        if self.threads is not None and self.threads < 1:
            yield Problem("must be at least 1", code="out_of_range", path="threads")
        name = str(self.file)
        if name.startswith((":memory:", "md:", "motherduck:")) or not name or "\0" in name:
            yield Problem(
                f"{name!r} is no file: what is built in memory is gone when the provider ends",
                code="invalid_path",
                path=given[0],
            )
        elif self.file.is_dir():
            yield Problem(f"{name} is a directory, not a database file", code="invalid_path", path=given[0])
        for schema, path in (self.attach or {}).items():
            if fold(schema) in _RESERVED:
                yield Problem(
                    f"{schema!r} cannot be the name of an attached file",
                    code="reserved_name",
                    path=f"attach.{schema}",
                )
            if not isinstance(path, str) or not path or "\0" in path:
                yield Problem("must be the path of a file", code="wrong_type", path=f"attach.{schema}")
            elif not self.attachments()[fold(schema)].is_file():
                yield Problem(
                    f"there is no file {path}",
                    code="invalid_path",
                    path=f"attach.{schema}",
                    hint="Correct the path, or declare a duckdb_attached_database, which makes the file.",
                )


def _path_of(url: str) -> str:
    return unquote(url.split("?")[0].removeprefix("duckdb://").removeprefix("/"))


def _url_fault(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "duckdb":
        return f"a DuckDB url begins with duckdb://, not {parts.scheme or 'nothing'}"
    if parts.netloc or not url.startswith("duckdb:///"):
        return "a DuckDB url has three slashes before a relative path and four before an absolute one"
    if parse_qsl(parts.query, keep_blank_values=True) or parts.fragment:
        return "a DuckDB url has no parameters here; use the settings"
    return ""


def parse_settings(config: Mapping[str, Any]) -> DuckDBSettings:
    """Return the settings. Raises ValidationError with every fault."""
    return parse(DuckDBSettings, config)
