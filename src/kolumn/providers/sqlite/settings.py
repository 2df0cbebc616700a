"""Connection settings of the SQLite provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import attribute, one_of
from kolumn.engine.parsing import parse
from kolumn.sql.file_settings import FileSettings

JOURNAL_MODES = ("delete", "truncate", "persist", "memory", "wal", "off")


@dataclass(frozen=True)
class SQLiteSettings(FileSettings):
    """Where the database is and how it is opened."""

    PRODUCT: ClassVar[str] = "a SQLite"
    SCHEME: ClassVar[str] = "sqlite"
    ENDING: ClassVar[str] = ".db"
    RESERVED: ClassVar[frozenset[str]] = frozenset({"main", "temp", ""})
    NO_FILES: ClassVar[tuple[str, ...]] = (":memory:", "file:")
    MAKES_FILES: ClassVar[str] = "sqlite_schema"

    url: str = attribute("`sqlite:////absolute/path.db` or `sqlite:///relative/path.db`", default="")
    journal_mode: str = attribute(
        "Journal mode to set when the database is changed; left as it is when empty",
        default="",
        validators=[one_of("", *JOURNAL_MODES)],
    )
    foreign_keys: bool = attribute("Whether foreign keys are enforced on this connection", default=True)
    apply_mode: str = attribute(
        "`transaction`: an apply is one transaction; `step`: every step commits on its own",
        default="transaction",
        validators=[one_of("transaction", "step")],
    )
    metadata_schema: str = attribute("Not for SQLite: metadata is in tables named kolumn_*", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield the faults that show across settings."""
        yield from super().verify()
        if self.metadata_schema:
            yield Problem(
                "SQLite has no schemas to put metadata in: it is kept in tables named kolumn_*",
                code="unsupported_setting",
                path="metadata_schema",
                hint="Remove metadata_schema.",
            )


def parse_settings(config: Mapping[str, Any]) -> SQLiteSettings:
    """Return the settings. Raises ValidationError with every fault."""
    return parse(SQLiteSettings, config)
