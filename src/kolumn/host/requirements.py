"""What a project demands: a version of Kolumn, providers, a place for its state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kolumn.config.project import Project
from kolumn.contract.errors import Problem, ValidationError
from kolumn.version import __version__

_TERM = re.compile(r"\s*(=|!=|>=|<=|>|<|~>)?\s*v?(\d+(?:\.\d+)*)\s*")


def check(project: Project, versions: Callable[[str], str | None]) -> None:
    """Raise ValidationError with everything a project demands that is not so here.

    `versions` returns the version of an installed provider, None for one that is not installed.
    """
    problems = [*_version(project.required_version), *_providers(project.required_providers, versions)]
    problems += [_backend(name) for name in _backends(project.state) if name != "local"]
    if problems:
        raise ValidationError.of(problems)


def satisfies(version: str, constraint: str) -> bool:
    """Whether `version` meets every term of `constraint`, such as `>= 1.2, < 2` or `~> 1.2`.

    `~> 1.2` is any 1.x from 1.2 on, `~> 1.2.3` any 1.2.x from 1.2.3 on, as in HCL. Raises ValueError for a
    constraint that is none.
    """
    return all(_meets(_numbers(version), term) for term in constraint.split(","))


def _meets(version: tuple[int, ...], term: str) -> bool:
    match = _TERM.fullmatch(term)
    if match is None:
        raise ValueError(term)
    wanted = _numbers(match[2])
    length = max(len(version), len(wanted))
    have, want = _padded(version, length), _padded(wanted, length)
    match match[1]:
        case "!=":
            return have != want
        case ">":
            return have > want
        case ">=":
            return have >= want
        case "<":
            return have < want
        case "<=":
            return have <= want
        case "~>":
            return have >= want and version[: len(wanted) - 1] == wanted[:-1]
    return have == want


def constraints(project: Project) -> dict[str, str]:
    """Return the version constraint of each required provider, empty where there is none."""
    return {
        name: str(demand.get("version", "") if isinstance(demand, Mapping) else demand or "")
        for name, demand in project.required_providers.items()
    }


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparing; what follows - or + does not count."""
    return _numbers(version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0].partition("-")[0]))


def _padded(version: tuple[int, ...], length: int) -> tuple[int, ...]:
    return version + (0,) * (length - len(version))


def _backends(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield the backends named: `state "local" {}`, `state { backend = "local" }`, `backend "local" {}`."""
    for key, value in state.items():
        if key == "backend":
            yield from [value] if isinstance(value, str) else value
        elif isinstance(value, Mapping):
            yield key


def _version(constraint: str) -> Iterator[Problem]:
    if constraint:
        yield from _unmet("Kolumn", __version__, constraint, "required_version")


def _providers(required: Mapping[str, Any], versions: Callable[[str], str | None]) -> Iterable[Problem]:
    for name, demand in required.items():
        path = f"required_providers.{name}"
        constraint = demand.get("version", "") if isinstance(demand, Mapping) else demand
        installed = versions(name)
        if installed is None:
            yield Problem(
                f"the provider {name} is not installed",
                code="unknown_provider",
                path=path,
                hint=f"Install it, for example: pip install 'kolumn[{name}]'.",
            )
        elif constraint:
            yield from _unmet(f"the provider {name}", installed, str(constraint), path)


def _unmet(what: str, version: str, constraint: str, path: str) -> Iterator[Problem]:
    try:
        met = satisfies(version, constraint)
    except ValueError as error:
        yield Problem(
            f"{str(error)!r} is not a version constraint",
            code="invalid_version",
            path=path,
            hint="Write for example `>= 1.2, < 2` or `~> 1.2`.",
        )
        return
    if not met:
        yield Problem(
            f"this project needs {what} {constraint}; this is {version}",
            code="version_mismatch",
            path=path,
            hint="Install a version that fits, or change the constraint.",
        )


def _backend(name: str) -> Problem:
    return Problem(
        f"there is no state backend {name}",
        code="unknown_backend",
        path="state",
        hint="This version keeps state in a local file: leave the block out, or name the backend local.",
    )
