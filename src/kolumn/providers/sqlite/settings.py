"""Connection settings of the SQLite provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kolumn.contract.errors import Problem
from kolumn.contract.schema import ValidatorSpec
from kolumn.engine.declaration import attribute, one_of
from kolumn.engine.parsing import parse
from kolumn.providers.sqlite.tokens import fold

JOURNAL_MODES = ("delete", "truncate", "persist", "memory", "wal", "off")

_DAYS = ValidatorSpec(type="range", value={"min": 0, "max": 36_500}, message="must be 0 to 36500 days")
_SECONDS = ValidatorSpec(
    type="range", value={"min": 0, "max": 1_000_000}, message="must be 0 to 1000000 seconds"
)


@dataclass(frozen=True)
class SQLiteSettings:
    """Where the database is and how it is opened."""

    url: str = attribute("`sqlite:////absolute/path.db` or `sqlite:///relative/path.db`", default="")
    path: str = attribute("The database file, instead of url", default="")
    database: str = attribute("Another word for path", default="")
    busy_timeout: float = attribute(
        "Seconds to wait for a lock that another process holds", default=5.0, validators=[_SECONDS]
    )
    journal_mode: str = attribute(
        "Journal mode to set when the database is changed; left as it is when empty",
        default="",
        validators=[one_of("", *JOURNAL_MODES)],
    )
    foreign_keys: bool = attribute("Whether foreign keys are enforced on this connection", default=True)
    query_timeout: float | None = attribute(
        "Seconds a call may take when its caller sets no deadline", default=None, validators=[_SECONDS]
    )
    audit: bool = attribute(
        "Whether every change is noted in an audit trail, in tables named kolumn_*", default=True
    )
    safe_destroy: bool = attribute("Whether a delete must leave a way back", default=True)
    quarantine_retention_days: int = attribute(
        "Days for which what is deleted while safe_destroy is on is kept at least",
        default=30,
        validators=[_DAYS],
    )
    read_only: bool = attribute("Whether the file is opened for reading only", default=False)
    attach: Mapping[str, Any] = attribute("Other database files by the schema name they get", default=None)
    apply_mode: str = attribute(
        "`transaction`: an apply is one transaction; `step`: every step commits on its own",
        default="transaction",
        validators=[one_of("transaction", "step")],
    )
    metadata_schema: str = attribute("Not for SQLite: metadata is in tables named kolumn_*", default="")

    @property
    def file(self) -> Path:
        """The database file."""
        return Path(_path_of(self.url) if self.url else self.path or self.database).expanduser()

    def attachments(self) -> dict[str, Path]:
        """Return the attached files, relative ones against the folder of the database."""
        return {
            name: self.file.parent / Path(str(path)).expanduser()
            for name, path in (self.attach or {}).items()
        }

    def verify(self) -> Iterator[Problem]:
        """Yield the faults that show across settings."""
        given = [name for name in ("url", "path", "database") if getattr(self, name)]
        if len(given) != 1:
            what = "no database file is named" if not given else f"{' and '.join(given)} are given together"
            yield Problem(
                what,
                code="conflicting_attributes" if given else "missing_attribute",
                path=given[-1] if given else "path",
                hint='Give one of path = "app.db" and url = "sqlite:///app.db".',
            )
            return
        if self.url and (fault := _url_fault(self.url)):
            yield Problem(fault, code="invalid_url", path="url", hint="Write sqlite:////absolute/path.db.")
            return
        if self.metadata_schema:
            yield Problem(
                "SQLite has no schemas to put metadata in: it is kept in tables named kolumn_*",
                code="unsupported_setting",
                path="metadata_schema",
                hint="Remove metadata_schema.",
            )
        name = str(self.file)
        if name == ":memory:" or not name or name.startswith("file:") or "\0" in name:
            yield Problem(
                f"{name!r} is no file: what is built in memory is gone when the provider ends",
                code="invalid_path",
                path=given[0],
            )
        elif self.file.is_dir():
            yield Problem(f"{name} is a directory, not a database file", code="invalid_path", path=given[0])
        for schema, path in (self.attach or {}).items():
            if fold(schema) in ("main", "temp", ""):
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
                    hint="Correct the path, or declare a sqlite_schema, which makes the file.",
                )


def _path_of(url: str) -> str:
    return unquote(url.split("?")[0].removeprefix("sqlite://").removeprefix("/"))


def _url_fault(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "sqlite":
        return f"a SQLite url begins with sqlite://, not {parts.scheme or 'nothing'}"
    if parts.netloc or not url.startswith("sqlite:///"):
        return "a SQLite url has three slashes before a relative path and four before an absolute one"
    if parse_qsl(parts.query, keep_blank_values=True) or parts.fragment:
        return "a SQLite url has no parameters here; use the settings"
    return ""


def parse_settings(config: Mapping[str, Any]) -> SQLiteSettings:
    """Return the settings. Raises ValidationError with every fault."""
    return parse(SQLiteSettings, config)
