"""Which policies a project has: the built-in ones with their settings, and its own rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from kolumn.config.project import PolicyConfig, Project, Unknown
from kolumn.contract.errors import Problem, ValidationError
from kolumn.host.policies import rules as _rules
from kolumn.host.policies.rule import GROUPS, REGISTRY, Rule
from kolumn.host.results import Severity

if TYPE_CHECKING:
    from kolumn.config.predicates import Predicate

__all__ = ["BuiltIn", "Exceptions", "OwnRule", "Policies", "of", "rules_by_name"]
_LONG_NAME = "x" * 200
"""Stands for the names that patterns meet: one that takes for ever on it is refused."""
assert _rules  # importing it has filled the registry


class Exceptions:
    """Addresses that a policy is not asked about: `*` stands for anything."""

    def __init__(self, patterns: Iterable[str]) -> None:
        parts = ["".join(".*" if c == "*" else re.escape(c) for c in each) for each in patterns]
        self._pattern = re.compile("|".join(parts), re.DOTALL) if parts else None

    def __contains__(self, address: str) -> bool:
        return self._pattern is not None and self._pattern.fullmatch(address) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """A built-in policy as the project has set it."""

    rule: Rule
    severity: Severity
    enabled: bool
    overridable: bool
    exceptions: Exceptions
    options: Mapping[str, Any]
    when: Predicate | None = None
    config: PolicyConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRule:
    """A rule of the configuration, its expressions made ready."""

    config: PolicyConfig
    severity: Severity
    enabled: bool
    exceptions: Exceptions
    when: Predicate
    condition: Predicate
    message: Predicate
    hint: Predicate

    @property
    def expressions(self) -> tuple[Predicate, ...]:
        """Every expression of it."""
        return self.when, self.condition, self.message, self.hint


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies of a project."""

    builtin: tuple[BuiltIn, ...]
    own: tuple[OwnRule, ...]

    def overridable(self) -> Mapping[str, bool]:
        """Return by name whether a person may go ahead against a policy."""
        return {
            **{each.rule.name: each.overridable for each in self.builtin},
            **{each.config.name: bool(each.config.overridable) for each in self.own},
        }


def rules_by_name() -> Mapping[str, Rule]:
    """Return the built-in policies, in the order of their documentation."""
    return {name: rule for group in GROUPS for name, rule in REGISTRY.items() if rule.group == group}


def of(project: Project) -> Policies:
    """Return the policies of a project. Raises ValidationError with every fault of their blocks.

    A rule that no plan could ever be asked, as it names what is not there, is such a fault.
    """
    problems: list[Problem] = []
    settings = {each.name: each for each in project.policies if not each.subject}
    builtin = tuple(
        _built_in(rule, settings.get(name), project.builtin_policies, problems)
        for name, rule in rules_by_name().items()
    )
    problems += [_unknown(each) for name, each in settings.items() if name not in REGISTRY]
    own: list[OwnRule] = []
    for config in project.policies:
        if not config.subject:
            continue
        if config.name in REGISTRY:
            problems.append(_taken(config))
        own.append(_own(config))
    if own or any(each.when is not None for each in builtin):
        from kolumn.host.policies.asking import rehearse

        problems += rehearse(own, builtin)
    if problems:
        raise ValidationError.of(problems)
    return Policies(builtin, tuple(own))


def _built_in(rule: Rule, config: PolicyConfig | None, choice: str, problems: list[Problem]) -> BuiltIn:
    options = {name: parameter.default for name, parameter in rule.parameters.items()}
    if config is None:
        return _without_settings(rule, choice, options)
    for key, value in config.parameters.items():
        if key not in rule.parameters:
            problems.append(_no_parameter(rule, key, config))
        elif isinstance(value, Unknown) or value is None:
            continue
        elif (fault := _misfit(value, rule.parameters[key].default)) is not None:
            problems.append(
                Problem(
                    f"{key} of policy {rule.name} is {fault}",
                    code="wrong_type",
                    path=key,
                    location=config.location,
                )
            )
        else:
            options[key] = value
    problems += _bad_patterns(rule, options, config)
    when = None
    if config.when is not True:
        from kolumn.config.predicates import Predicate

        when = Predicate(config.when)
    return BuiltIn(
        rule=rule,
        severity=config.severity or rule.severity,  # type: ignore[arg-type]
        enabled=config.enabled if config.enabled is not None else True,
        overridable=bool(config.overridable),
        exceptions=Exceptions(config.exceptions),
        options=options,
        when=when,
        config=config,
    )


def _without_settings(rule: Rule, choice: str, options: Mapping[str, Any]) -> BuiltIn:
    return BuiltIn(
        rule=rule,
        severity=rule.severity,
        enabled={"all": True, "none": False}.get(choice, rule.enabled),
        overridable=False,
        exceptions=Exceptions(()),
        options=options,
    )


def _misfit(value: Any, default: Any) -> str | None:
    """Return what a parameter has to be, None when it is."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return None if fits else "a whole number, not below 0"
    if isinstance(default, list):
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return None if fits else "a list of texts"
    return None if isinstance(value, str) else "a text"


def _bad_patterns(rule: Rule, options: Mapping[str, Any], config: PolicyConfig) -> Iterator[Problem]:
    if rule.name != "naming":
        return
    from kolumn.config.diagnostics import Fault
    from kolumn.config.functions.strings import compiled

    for key, pattern in options.items():
        try:
            compiled(pattern, _LONG_NAME)
        except Fault as fault:
            yield Problem(
                f"{key} of policy naming: {fault.message}",
                code=fault.code,
                path=key,
                hint=fault.hint,
                location=config.location,
            )


def _no_parameter(rule: Rule, key: str, config: PolicyConfig) -> Problem:
    known = (*rule.parameters, "severity", "enabled", "when", "except", "overridable")
    close = get_close_matches(key, known, 1)
    hint = f'Did you mean "{close[0]}"?' if close else f"Known: {', '.join(known)}."
    return Problem(
        f"policy {rule.name} has no {key}",
        code="unknown_attribute",
        hint=f"{hint} A rule of your own has deny or require, and another name.",
        location=config.location,
    )


def _unknown(config: PolicyConfig) -> Problem:
    close = get_close_matches(config.name, REGISTRY, 1)
    hint = f'Did you mean "{close[0]}"? ' if close else ""
    return Problem(
        f"there is no built-in policy {config.name}",
        code="unknown_policy",
        hint=f"{hint}`kolumn policy list` names them. A rule of your own needs deny or require.",
        location=config.location,
    )


def _taken(config: PolicyConfig) -> Problem:
    return Problem(
        f"{config.name} is a built-in policy, and this block has a rule of its own",
        code="duplicate",
        hint="Give it another name, or leave deny and require out to set the built-in one.",
        location=config.location,
    )


def _own(config: PolicyConfig) -> OwnRule:
    from kolumn.config.predicates import Predicate

    return OwnRule(
        config=config,
        severity=config.severity or "error",  # type: ignore[arg-type]
        enabled=config.enabled if config.enabled is not None else True,
        exceptions=Exceptions(config.exceptions),
        when=Predicate(config.when),
        condition=Predicate(config.condition),
        message=Predicate(config.message),
        hint=Predicate(config.hint),
    )
