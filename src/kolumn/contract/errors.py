"""The five error categories of the specification (9.2) and what they carry.

Every error says what is wrong, where, and what to do. `message` is one sentence fit for a person;
`problems` lists each single fault when several were found in one go; `details` is JSON for programs.
Text from outside (driver messages, values) is masked when an error is built, so an error can be
logged, printed and sent as it is (9.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kolumn.contract.masking import mask, mask_data


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a configuration file; line and column count from 1, in characters."""

    file: str
    line: int
    column: int = 1
    source: str = ""
    """The text of that line, for showing it with a caret."""
    length: int = 1
    """How many characters the caret spans."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: what is wrong, where, and what to do about it."""

    message: str
    code: str = "invalid"
    """Stable machine name, snake_case, e.g. `missing_attribute`."""
    path: str = ""
    """JSON path inside the resource's configuration or the message, e.g. `columns[2].type`."""
    resource: str = ""
    """Address of the resource, e.g. `sqlite_table.users`."""
    hint: str = ""
    """What to do."""
    location: Location | None = None

    def at(self, *, resource: str = "", location: Location | None = None) -> Problem:
        """Return this problem with its resource or location filled in where they were unknown."""
        return replace(self, resource=self.resource or resource, location=self.location or location)

    def __str__(self) -> str:
        where = " ".join(part for part in (str(self.location or ""), self.resource, self.path) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} {self.hint}" if self.hint else text

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form used in `details.problems`."""
        data: dict[str, Any] = {"message": self.message, "code": self.code}
        for key in ("path", "resource", "hint"):
            if value := getattr(self, key):
                data[key] = value
        if self.location:
            data["file"], data["line"] = self.location.file, self.location.line
            data["column"] = self.location.column
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Problem:
        """Rebuild a problem from `to_json`; what is missing or mistyped is left empty."""

        def text(key: str) -> str:
            value = data.get(key, "")
            return value if isinstance(value, str) else ""

        def number(key: str) -> int:
            value = data.get(key)
            return value if isinstance(value, int) and value > 0 else 1

        location = Location(text("file"), number("line"), number("column")) if text("file") else None
        return cls(
            message=text("message"),
            code=text("code") or "invalid",
            path=text("path"),
            resource=text("resource"),
            hint=text("hint"),
            location=location,
        )


class KolumnError(Exception):
    """Base of the five categories. Never raised itself.

    `code` is a stable machine name; `details` is extra context as JSON data. Both go into the
    contract's ErrorResponse (9.3).
    """

    category: ClassVar[str] = "OperationError"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        details: Mapping[str, Any] | None = None,
        problems: Iterable[Problem] = (),
    ) -> None:
        self.message = mask(message)
        self.code = code or self.default_code()
        self.problems = tuple(
            replace(
                problem,
                message=mask(problem.message),
                hint=mask(problem.hint),
                path=mask(problem.path),
                resource=mask(problem.resource),
            )
            for problem in problems
        )
        self._details: dict[str, Any] = mask_data(dict(details or {}))
        super().__init__(self.message)

    @classmethod
    def default_code(cls) -> str:
        """Return the code used when none is given: the category in snake_case."""
        return "".join("_" + c.lower() if c.isupper() else c for c in cls.category).lstrip("_")

    @property
    def details(self) -> dict[str, Any]:
        """Return the details with the category and the problems in them."""
        data = {"category": self.category, **self._details}
        if self.problems:
            data["problems"] = [problem.to_json() for problem in self.problems]
        return data

    def __str__(self) -> str:
        if len(self.problems) < 2 and (not self.problems or self.problems[0].message in self.message):
            return self.message
        return "\n".join([self.message, *(f"  - {problem}" for problem in self.problems)])


class ValidationError(KolumnError):
    """Invalid input or configuration; nothing was changed."""

    category = "ValidationError"

    @classmethod
    def of(cls, problems: Iterable[Problem], *, code: str = "") -> ValidationError:
        """Build one error out of all the faults found; `problems` must not be empty."""
        found = tuple(problems)
        message = str(found[0]) if len(found) == 1 else f"{len(found)} problems found"
        return cls(message, code=code or (found[0].code if len(found) == 1 else ""), problems=found)


class ConnectionError(KolumnError):  # noqa: A001 - the specification's name (9.2)
    """The database cannot be reached, or the connection was lost."""

    category = "ConnectionError"


class OperationError(KolumnError):
    """The database refused or failed an operation, or it was cancelled or timed out."""

    category = "OperationError"


class StateError(KolumnError):
    """State is missing, stale, locked, of another lineage or otherwise not to be trusted."""

    category = "StateError"


class PermissionError(KolumnError):  # noqa: A001 - the specification's name (9.2)
    """The database or the file system denies what is asked."""

    category = "PermissionError"


CATEGORIES: Mapping[str, type[KolumnError]] = {
    kind.category: kind
    for kind in (ValidationError, ConnectionError, OperationError, StateError, PermissionError)
}
