"""A directory of migrations: which file is what, by its name alone.

000001_users.up.sql, 000001_users.down.sql    golang-migrate's names, which Kolumn writes
V1__users.sql, V1.2__more.sql, U1__users.sql  Flyway's
001_users.sql                                 plain: a way up without a way back
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from kolumn.contract.errors import Problem, ValidationError

Direction = Literal["up", "down"]
Style = Literal["numbered", "flyway"]

_NUMBERED = re.compile(r"(\d{1,20})_([^/\0]+)\.(up|down)\.sql")
_PLAIN = re.compile(r"(\d{1,20})_([^/\0]+)\.sql")
_FLYWAY = re.compile(r"([VU])(\d{1,20}(?:[._]\d{1,20}){0,5})__([^/\0]+)\.sql")
_REPEATABLE = re.compile(r"R__[^/\0]+\.sql")
_DIRECTIVE = re.compile(r"--\s*kolumn:\s*(.+?)\s*")


class Name(NamedTuple):
    """What a file's name says."""

    number: tuple[int, ...]
    """What files are ordered by."""
    name: str
    direction: Direction
    style: Style = "numbered"

    @property
    def version(self) -> str:
        """The number as the database remembers it: `1`, `1.2`."""
        return ".".join(map(str, self.number))


def parse_name(text: str) -> Name | None:
    """Return what the name of a file says, None for one that is no migration's."""
    if found := _NUMBERED.fullmatch(text):
        return Name((int(found[1]),), found[2], "up" if found[3] == "up" else "down")
    if found := _FLYWAY.fullmatch(text):
        number = tuple(int(part) for part in re.split(r"[._]", found[2]))
        while len(number) > 1 and number[-1] == 0:
            number = number[:-1]  # 1.0 is 1 to Flyway
        return Name(number, found[3], "up" if found[1] == "V" else "down", "flyway")
    if found := _PLAIN.fullmatch(text):
        return Name((int(found[1]),), found[2], "up")
    return None


@dataclass(frozen=True, slots=True)
class Script:
    """One file."""

    path: Path
    what: Name
    content: bytes = field(repr=False)

    @property
    def checksum(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def text(self) -> str:
        """The SQL. Raises ValidationError where it is not UTF-8."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationError(
                f"{self.path} is not UTF-8 (byte {error.start}). Save it as UTF-8.", code="invalid_script"
            ) from error

    @property
    def transactional(self) -> bool:
        """Whether the file does not forbid a transaction, in a comment at its beginning."""
        return "no transaction" not in self.directives

    @property
    def needs(self) -> tuple[str, ...]:
        """What the provider arranges around the transaction."""
        found = []
        for each in self.directives:
            if each.startswith("needs "):
                found += [part.strip() for part in each.removeprefix("needs ").split(",")]
        return tuple(found)

    @property
    def directives(self) -> tuple[str, ...]:
        """What the comments `-- kolumn: ...` before everything else say."""
        found = []
        for line in self.text.splitlines():
            match = _DIRECTIVE.fullmatch(line.strip())
            if match is None:
                break
            found.append(match[1])
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Migration:
    """One version: the way up and, where there is one, the way back."""

    up: Script
    down: Script | None

    @property
    def version(self) -> str:
        """The version."""
        return self.up.what.version


@dataclass(frozen=True, slots=True)
class Directory:
    """What a directory holds."""

    path: Path
    migrations: tuple[Migration, ...]
    """In the order of their numbers."""
    style: Style = "numbered"
    width: int = 6
    """How many digits a number has in a file's name."""

    def migration(self, version: str) -> Migration | None:
        """Return the migration of a version, None where there is no file."""
        return next((each for each in self.migrations if each.version == version), None)

    @property
    def files(self) -> Iterator[Script]:
        """Every file that is part of a migration."""
        for each in self.migrations:
            yield each.up
            if each.down is not None:
                yield each.down


def read(path: Path) -> Directory:
    """Read a directory; one that is not there is empty.

    Raises ValidationError for two files of one version, a way back without a way there, and a file whose name
    says neither.
    """
    ups: dict[tuple[int, ...], Script] = {}
    downs: dict[tuple[int, ...], Script] = {}
    problems = []
    for file in sorted(path.iterdir()) if path.is_dir() else ():
        if not file.is_file() or file.suffix != ".sql":
            continue
        what = parse_name(file.name)
        if what is None:
            problems.append(_misnamed(file))
            continue
        side = ups if what.direction == "up" else downs
        if what.number in side:
            problems.append(
                Problem(
                    f"{side[what.number].path.name} and {file.name} have the same version {what.version}",
                    code="duplicate_version",
                    path=str(file),
                    hint="Give one of them another number.",
                )
            )
            continue
        side[what.number] = Script(file, what, file.read_bytes())
    problems += [
        Problem(
            f"{script.path.name} goes back from version {number_words(number)}, which has no file",
            code="missing_up",
            path=str(script.path),
            hint="Restore the file that goes there, or remove this one.",
        )
        for number, script in downs.items()
        if number not in ups
    ]
    if problems:
        raise ValidationError.of(problems)
    migrations = tuple(Migration(ups[number], downs.get(number)) for number in sorted(ups))
    styles = {each.up.what.style for each in migrations}
    digits = [len(each.up.path.name.split("_")[0]) for each in migrations]
    return Directory(
        path,
        migrations,
        "flyway" if styles == {"flyway"} else "numbered",
        max(digits) if digits and "flyway" not in styles else 6,
    )


def number_words(number: tuple[int, ...]) -> str:
    """Return a number as people write it."""
    return ".".join(map(str, number))


def _misnamed(file: Path) -> Problem:
    if _REPEATABLE.fullmatch(file.name):
        return Problem(
            f"{file.name} is a repeatable migration, which Kolumn does not run",
            code="repeatable_migration",
            path=str(file),
            hint="Describe what it makes as a resource, or run it as a numbered migration.",
        )
    return Problem(
        f"{file.name} is not named as a migration",
        code="invalid_name",
        path=str(file),
        hint="Call it 000001_name.up.sql and 000001_name.down.sql, V1__name.sql, or 001_name.sql.",
    )
