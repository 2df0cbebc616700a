"""Settings that every provider has, and how a url stands for others of them (section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kolumn.contract.errors import Problem
from kolumn.contract.schema import ValidatorSpec
from kolumn.engine.declaration import attribute

SECONDS = ValidatorSpec(
    type="range", value={"min": 0, "max": 1_000_000}, message="must be 0 to 1000000 seconds"
)
"""What a time in seconds may be."""
_DAYS = ValidatorSpec(type="range", value={"min": 0, "max": 36_500}, message="must be 0 to 36500 days")


@dataclass(frozen=True)
class CommonSettings:
    """How careful a provider is, and how patient."""

    query_timeout: float | None = attribute(
        "Seconds a call may take when its caller sets no deadline", default=None, validators=[SECONDS]
    )
    audit: bool = attribute("Whether every change is noted in an audit trail in the database", default=True)
    safe_destroy: bool = attribute("Whether a delete must leave a way back", default=True)
    quarantine_retention_days: int = attribute(
        "Days for which what is deleted while safe_destroy is on is kept at least",
        default=30,
        validators=[_DAYS],
    )


def given_besides(
    config: Mapping[str, Any], spelled: Iterable[str], path: str, problems: list[Problem]
) -> dict[str, Any]:
    """Return the settings that are given besides a url, and note those among them that the url spells as well."""
    given = {key: value for key, value in config.items() if key != "url" and value not in (None, "")}
    problems += [given_twice(key, path) for key in spelled if key in given]
    return given


def given_twice(key: str, path: str) -> Problem:
    """Return the fault of a setting that stands in the url and beside it."""
    return Problem(
        f"{key} is given twice: in the url and as {key}",
        code="conflicting_attributes",
        path=f"{path}{key}",
        hint="Remove one of them.",
    )
