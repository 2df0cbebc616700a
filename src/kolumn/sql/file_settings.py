"""Settings of databases that are files: where the file is, what is attached to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import attribute
from kolumn.engine.settings import SECONDS, CommonSettings
from kolumn.sql.tokens import fold_ascii


@dataclass(frozen=True)
class FileSettings(CommonSettings):
    """Where the database is, and how it is opened."""

    PRODUCT: ClassVar[str]
    """With its article: `a SQLite`."""
    SCHEME: ClassVar[str]
    """What its urls begin with, without `://`."""
    ENDING: ClassVar[str]
    """What its files usually end with."""
    RESERVED: ClassVar[frozenset[str]]
    """Names, in lower case, that no attached file can have."""
    NO_FILES: ClassVar[tuple[str, ...]]
    """What a path begins with that is none."""
    MAKES_FILES: ClassVar[str]
    """The resource type that makes a file and attaches it, as configuration names it."""

    url: str = attribute("Where the file is, as a url", default="")
    path: str = attribute("The database file, instead of url", default="")
    database: str = attribute("Another word for path", default="")
    busy_timeout: float = attribute(
        "Seconds to wait for another process that has the file", default=5.0, validators=[SECONDS]
    )
    read_only: bool = attribute("Whether the file is opened for reading only", default=False)
    attach: Mapping[str, Any] = attribute(
        "Other database files by the name they are attached under", default=None
    )

    @property
    def file(self) -> Path:
        """The database file."""
        return Path(self._path_of_url() if self.url else self.path or self.database).expanduser()

    def attachments(self) -> dict[str, Path]:
        """Return the attached files by folded name, relative ones against the folder of the database."""
        return {
            fold_ascii(name): self.file.parent / Path(str(path)).expanduser()
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
                hint=f'Give one of path = "app{self.ENDING}" and url = "{self.SCHEME}:///app{self.ENDING}".',
            )
            return
        if self.url and (fault := self._fault_of_url()):
            hint = f"Write {self.SCHEME}:////absolute/path{self.ENDING}."
            yield Problem(fault, code="invalid_url", path="url", hint=hint)
            return
        name = str(self.file)
        if name.startswith(self.NO_FILES) or not name or "\0" in name:
            yield Problem(
                f"{name!r} is no file: what is built in memory is gone when the provider ends",
                code="invalid_path",
                path=given[0],
            )
        elif self.file.is_dir():
            yield Problem(f"{name} is a directory, not a database file", code="invalid_path", path=given[0])
        yield from self._faults_of_attached()

    def _faults_of_attached(self) -> Iterator[Problem]:
        for name, path in (self.attach or {}).items():
            where = f"attach.{name}"
            if fold_ascii(name) in self.RESERVED:
                yield Problem(
                    f"{name!r} cannot be the name of an attached file", code="reserved_name", path=where
                )
            if not isinstance(path, str) or not path or "\0" in path:
                yield Problem("must be the path of a file", code="wrong_type", path=where)
            elif not self.attachments()[fold_ascii(name)].is_file():
                yield Problem(
                    f"there is no file {path}",
                    code="invalid_path",
                    path=where,
                    hint=f"Correct the path, or declare a {self.MAKES_FILES}, which makes the file.",
                )

    def _path_of_url(self) -> str:
        return unquote(self.url.split("?")[0].removeprefix(f"{self.SCHEME}://").removeprefix("/"))

    def _fault_of_url(self) -> str:
        parts = urlsplit(self.url)
        if parts.scheme != self.SCHEME:
            return f"{self.PRODUCT} url begins with {self.SCHEME}://, not {parts.scheme or 'nothing'}"
        if parts.netloc or not self.url.startswith(f"{self.SCHEME}:///"):
            return (
                f"{self.PRODUCT} url has three slashes before a relative path and four before an absolute one"
            )
        if parse_qsl(parts.query, keep_blank_values=True) or parts.fragment:
            return f"{self.PRODUCT} url has no parameters here; use the settings"
        return ""
