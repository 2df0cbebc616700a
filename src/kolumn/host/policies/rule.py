"""What a built-in policy is: a function over one change, and the words that explain it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from kolumn.host.policies.facts import Facts
from kolumn.host.results import Change, Severity


class Finding(NamedTuple):
    """What a rule has against a change."""

    message: str
    unknown: bool = False
    """Whether it depends on something that nobody knows."""


Check = Callable[[Facts, Change, Mapping[str, Any]], Iterator[Finding]]
"""Yields what is wrong with a change, given the rule's parameters."""


class Parameter(NamedTuple):
    """Something about a rule that can be set."""

    default: Any
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One built-in policy."""

    name: str
    title: str
    """What it finds, as part of a sentence."""
    group: str
    severity: Severity
    """How much it matters unless the configuration says otherwise."""
    enabled: bool
    """Whether it is on without being asked for."""
    kinds: frozenset[str]
    """Resource types, without provider, it is asked about; empty for every one."""
    providers: frozenset[str]
    """Providers it is about; empty for every one."""
    why: str
    instead: str
    """The safe alternative."""
    parameters: Mapping[str, Parameter]
    check: Check

    @property
    def url(self) -> str:
        """Where it is explained."""
        return f"docs/policies.md#{self.name}"


GROUPS: Final = ("Data loss", "Availability", "Compatibility", "Access", "Design", "Conventions")
"""What rules are about, in the order of the documentation."""
REGISTRY: Final[dict[str, Rule]] = {}
"""Rules by name; filled when `kolumn.host.policies.rules` is imported."""


def rule(
    group: str,
    *,
    severity: Severity = "warning",
    enabled: bool = True,
    kinds: tuple[str, ...] = (),
    providers: tuple[str, ...] = (),
    why: str,
    instead: str,
    **parameters: Parameter,
) -> Callable[[Check], Check]:
    """Declare a rule, called like the decorated function; the title is the function's docstring."""

    def declare(check: Check) -> Check:
        name = check.__name__
        assert name not in REGISTRY, name
        REGISTRY[name] = Rule(
            name=name,
            title=(check.__doc__ or "").strip().rstrip("."),
            group=group,
            severity=severity,
            enabled=enabled,
            kinds=frozenset(kinds),
            providers=frozenset(providers),
            why=why,
            instead=instead,
            parameters=parameters,
            check=check,
        )
        return check

    return declare
