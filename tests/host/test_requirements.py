"""What a project demands of the place it runs in."""

from __future__ import annotations

import pytest

from kolumn.config.project import Project
from kolumn.contract.errors import ValidationError
from kolumn.host.requirements import check, satisfies
from kolumn.version import __version__


@pytest.mark.parametrize(
    ("version", "constraint", "met"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.2.3", "= 1.2", False),
        ("1.2.0", "1.2", True),
        ("1.2.3", ">= 1.2, < 2", True),
        ("2.0", ">= 1.2, < 2", False),
        ("1.9", "~> 1.2", True),
        ("2.0", "~> 1.2", False),
        ("1.2.9", "~> 1.2.3", True),
        ("1.3.0", "~> 1.2.3", False),
        ("1.2.2", "~> 1.2.3", False),
        ("1.10", "> 1.9", True),
        ("1.2.3", "!= 1.2.3", False),
    ],
)
def test_constraints(version: str, constraint: str, met: bool) -> None:
    assert satisfies(version, constraint) is met


def installed(name: str) -> str | None:
    return {"sqlite": "1.4.0"}.get(name)


def test_everything_demanded_and_missing_is_said_at_once() -> None:
    project = Project(
        folder=".",
        required_version=">= 99",
        required_providers={"sqlite": {"version": "~> 2.0"}, "kafka": "1.0", "other": {}},
        state={"s3": {"bucket": "x"}},
    )
    with pytest.raises(ValidationError) as caught:
        check(project, installed)
    assert {problem.path: problem.code for problem in caught.value.problems} == {
        "required_version": "version_mismatch",
        "required_providers.sqlite": "version_mismatch",
        "required_providers.kafka": "unknown_provider",
        "required_providers.other": "unknown_provider",
        "state": "unknown_backend",
    }


def test_what_is_so_passes() -> None:
    check(
        Project(
            folder=".",
            required_version=f">= {__version__}",
            required_providers={"sqlite": ">= 1.4"},
            state={"local": {}},
        ),
        installed,
    )


def test_a_constraint_that_is_none_is_a_fault() -> None:
    with pytest.raises(ValidationError, match="not a version constraint"):
        check(Project(folder=".", required_version="newest"), installed)
