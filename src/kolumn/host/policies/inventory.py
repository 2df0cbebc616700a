"""The policies of a project, and the built-in ones, for people who ask what there is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from kolumn.config.configuration import files_of
from kolumn.config.project import Project
from kolumn.contract.errors import Problem, ValidationError
from kolumn.host.configuration import check
from kolumn.host.policies import in_force
from kolumn.host.policies.in_force import BuiltIn, OwnRule
from kolumn.host.results import Review, Severity
from kolumn.host.supply import Supply

OWN = "This project"
"""The group of the project's own rules."""


class PolicyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One policy as it is set here."""

    name: str
    title: str
    group: str
    severity: Severity
    enabled: bool
    builtin: bool
    overridable: bool = False
    subject: str = "change"
    """What it is asked about."""
    providers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    why: str = ""
    instead: str = ""
    parameters: Mapping[str, tuple[Any, str]] = {}
    """Value and meaning."""
    url: str = ""
    place: str = ""
    """Where its block is written: `main.kl:3`."""


def policies(
    folder: Path,
    variables: tuple[tuple[str, str], ...],
    environment: Mapping[str, str] = os.environ,
    supply: Supply | None = None,
) -> list[PolicyEntry]:
    """Return the policies of the project in `folder`, its own first; in another folder the built-in ones.

    Asks no database. Raises ValidationError with every fault of the configuration.
    """
    project = Project(str(folder))
    if files_of(folder):
        project = check(folder, variables, environment, supply).project
    found = in_force.of(project)
    own = [_own(each) for each in found.own]
    return own + [_built_in(each) for each in found.builtin]


def one(entries: Sequence[PolicyEntry], name: str) -> PolicyEntry:
    """Return the policy called `name`. Raises ValidationError `unknown_policy`."""
    for entry in entries:
        if entry.name == name:
            return entry
    close = get_close_matches(name, [entry.name for entry in entries], 1)
    hint = f'Did you mean "{close[0]}"?' if close else "`kolumn policy list --all` names them."
    raise ValidationError.of([Problem(f"there is no policy {name}", code="unknown_policy", hint=hint)])


def rejudged(
    planfile: Path,
    folder: Path,
    variables: tuple[tuple[str, str], ...],
    environment: Mapping[str, str] = os.environ,
    supply: Supply | None = None,
) -> Review:
    """Return the plan of a plan file with what the policies of the project in `folder` say of it now.

    Asks no database and writes nothing. Raises ValidationError with every fault, also of a policy.
    """
    from kolumn.host import planfile as plans
    from kolumn.host.policies.evaluation import judge

    saved = plans.read(planfile)
    configuration = check(folder, (*saved.variables, *variables), environment, supply)
    review = msgspec.structs.replace(saved.review, violations=())
    return judge(review, configuration.project, configuration.schemas)


def document(entry: PolicyEntry) -> dict[str, Any]:
    """Return a policy as JSON data."""
    data: dict[str, Any] = msgspec.to_builtins(entry)
    data["parameters"] = {
        name: {"value": value, "description": words} for name, (value, words) in entry.parameters.items()
    }
    return data


def _own(rule: OwnRule) -> PolicyEntry:
    config = rule.config
    return PolicyEntry(
        name=config.name,
        title=config.description or f"asked of every {config.subject}",
        group=OWN,
        severity=rule.severity,
        enabled=rule.enabled,
        builtin=False,
        overridable=bool(config.overridable),
        subject=config.subject,
        url=config.url,
        place=f"{config.location.file}:{config.location.line}" if config.location else "",
    )


def _built_in(policy: BuiltIn) -> PolicyEntry:
    rule, config = policy.rule, policy.config
    place = config.location if config else None
    return PolicyEntry(
        name=rule.name,
        title=rule.title,
        group=rule.group,
        severity=policy.severity,
        enabled=policy.enabled,
        builtin=True,
        overridable=policy.overridable,
        providers=tuple(sorted(rule.providers)),
        kinds=tuple(sorted(rule.kinds)),
        why=rule.why,
        instead=rule.instead,
        parameters={
            name: (policy.options[name], parameter.description) for name, parameter in rule.parameters.items()
        },
        url=rule.url,
        place=f"{place.file}:{place.line}" if place else "",
    )
