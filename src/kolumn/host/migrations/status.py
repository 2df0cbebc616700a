"""What is to be done: a directory against what the database remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kolumn.contract.errors import StateError, ValidationError
from kolumn.contract.extensions import ScriptRecord
from kolumn.host.migrations.directory import Directory, Migration

Standing = Literal["applied", "pending", "interrupted", "altered", "missing", "out of order"]
"""`interrupted`: outside of a transaction, half of it ran. `altered`: the file is another than the one that was
applied. `missing`: it was applied and has no file. `out of order`: pending, with a later one applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One version."""

    version: str
    name: str
    standing: Standing
    applied_at: str = ""
    has_down: bool = False
    error: str = ""


def compare(directory: Directory, records: Sequence[ScriptRecord]) -> list[Line]:
    """Return every version that there is a file or a record of, in order."""
    known = {record.version: record for record in records}
    applied = [_number(record.version) for record in records if record.status == "applied"]
    latest = max(applied, default=())
    lines: dict[tuple[int, ...], Line] = {}
    for migration in directory.migrations:
        record = known.pop(migration.version, None)
        standing: Standing = "pending"
        if record is not None:
            standing = "interrupted" if record.status == "running" else "applied"
            if record.checksum != migration.up.checksum:
                standing = "altered"
        elif migration.up.what.number < latest:
            standing = "out of order"
        lines[migration.up.what.number] = Line(
            version=migration.version,
            name=migration.up.what.name,
            standing=standing,
            applied_at=record.applied_at if record is not None else "",
            has_down=migration.down is not None,
            error=record.error if record is not None else "",
        )
    for record in known.values():
        lines[_number(record.version)] = Line(
            version=record.version,
            name=record.name,
            standing="missing",
            applied_at=record.applied_at,
            error=record.error,
        )
    return [lines[number] for number in sorted(lines)]


def pending(directory: Directory, lines: Sequence[Line], *, out_of_order: bool) -> list[Migration]:
    """Return what is to be run, in order.

    Raises StateError `migration_history` where the directory contradicts what was applied.
    """
    faults = [
        f"{line.version} ({line.name}) is {line.standing}"
        for line in lines
        if line.standing in ("altered", "missing") or (line.standing == "out of order" and not out_of_order)
    ]
    if faults:
        late = any(line.standing == "out of order" for line in lines) and not out_of_order
        hint = " To run what is out of order all the same: --out-of-order." if late else ""
        raise StateError(
            f"{directory.path} does not fit what this database remembers: {'; '.join(faults)}. Nothing was run. "
            f"`kolumn migrate status` shows all of it.{hint}",
            code="migration_history",
            details={"faults": faults},
        )
    wanted = {line.version for line in lines if line.standing in ("pending", "interrupted", "out of order")}
    return [each for each in directory.migrations if each.version in wanted]


def to_roll_back(
    directory: Directory, lines: Sequence[Line], *, steps: int, down_to: str | None
) -> list[Migration]:
    """Return what is to be rolled back, newest first: the last `steps`, or everything after `down_to`.

    Raises ValidationError for a version that is not there, StateError `no_way_back` where a file is missing.
    """
    applied = [line for line in lines if line.standing in ("applied", "interrupted", "altered", "missing")]
    if down_to is None:
        chosen = applied[max(0, len(applied) - steps) :]
    else:
        number = _number(down_to)
        if number and not any(_number(line.version) == number for line in applied):
            raise ValidationError(
                f"version {down_to} is not applied; applied are: "
                f"{', '.join(line.version for line in applied) or 'none'}.",
                code="unknown_version",
            )
        chosen = [line for line in applied if _number(line.version) > number]
    faults = []
    found = []
    for line in reversed(chosen):
        migration = directory.migration(line.version)
        if line.standing in ("altered", "missing"):
            faults.append(f"{line.version} ({line.name}) is {line.standing}")
        elif migration is None or migration.down is None:
            faults.append(f"{line.version} ({line.name}) has no file that goes back")
        else:
            found.append(migration)
    if faults:
        raise StateError(
            f"there is no way back: {'; '.join(faults)}. Nothing was run. Write the missing .down.sql (and run "
            "`kolumn migrate hash`), or go forward with a new migration.",
            code="no_way_back",
            details={"faults": faults},
        )
    return found


def _number(version: str) -> tuple[int, ...]:
    """Return what a version is ordered by; `0` is before all of them."""
    try:
        number = tuple(int(part) for part in version.split("."))
    except ValueError:
        raise ValidationError(
            f"{version!r} is no version: write a number such as 3 or 1.2.", code="invalid_version"
        ) from None
    return () if number == (0,) else number
