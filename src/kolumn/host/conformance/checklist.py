"""The compliance checklist of the specification (15), line by line, and what was found out about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from kolumn.contract.functions import FUNCTIONS, Category, Requirement, Tier

Outcome = Literal["met", "failed", "open"]
"""`open`: does not apply, or cannot be seen from outside; the reason says which."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the checklist. `key` names it for whoever finds something out about it."""

    section: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out; a reason is there unless the line is met."""

    outcome: Outcome
    reason: str = ""


def met(reason: str = "") -> Verdict:
    """Return the verdict that a line is met."""
    return Verdict("met", reason)


def failed(reason: str) -> Verdict:
    """Return the verdict that a line is not met."""
    return Verdict("failed", reason)


def left_open(reason: str) -> Verdict:
    """Return the verdict that nothing can be said of a line."""
    return Verdict("open", reason)


STREAM_TYPES: Final = ("stream_sink", "stream_route", "stream_outbox")
INSIDE: Final = "cannot be seen from outside"

_CORE: Final = {
    "configure": "`Configure()` method implemented",
    "schema": "`Schema()` method implemented",
    "call_function": "`CallFunction()` method implemented",
    "close": "`Close()` method implemented",
}
_TREE: Final = {
    "dependencies": "`Plan` analyses dependencies",
    "execution_order": "`PlanResponse` includes `execution_order`",
    "apply_order": "`Apply` executes resources in dependency order",
    "same_framework": "`Plan` and `Apply` go the same way",
}
_PARITY: Final = {
    "discoverable": "every type that can be created can be discovered",
    "reflected": "`Schema()` reflects all registered handlers",
}
_SECURITY: Final = {
    "secrets": "credentials come out nowhere: answers, errors",
    "parameters": "names and values are no SQL",
    "logs": "no sensitive data in logs",
    "cleared": "memory cleared on `Close()`; what shows of that: calls after it are refused",
    "no_simulation": "no simulation or mock code in production",
}
_TESTING: Final = {
    "coverage": "unit test coverage of at least 80 %",
    "integration": "integration tests with a real database",
    "life_cycle": "end-to-end test of the life cycle",
    "no_mocks": "no mocks or simulation in tests",
}
_DOCUMENTATION: Final = {
    "status_document": "`PROVIDER_STATUS.md` exists",
    "readme": "`README.md` with usage examples",
    "options": "configuration options documented",
}


def lines() -> Iterator[Line]:
    """Yield every line, in the specification's order."""
    yield from _of("Core interface", _CORE)
    yield from _functions("Tier 1, required of all", Tier.UNIVERSAL)
    yield from _of("Dependency tree", _TREE)
    yield from _functions("Tier 2, conditional", Tier.CONDITIONAL)
    yield from _functions("Tier 3, migrations", Tier.MIGRATION)
    yield from _of("Streaming", {name: f"`{name}` handler registered" for name in STREAM_TYPES})
    yield from _functions("Streaming", Tier.STREAMING)
    yield from _of("Registry parity", _PARITY)
    yield from _of("Security", _SECURITY)
    yield from _of("Testing", _TESTING)
    yield from _of("Documentation", _DOCUMENTATION)


def required(function: str, category: Category) -> Requirement:
    """Return whether a category must offer a function."""
    return FUNCTIONS[function].required[category]


def _of(section: str, texts: Mapping[str, str]) -> Iterator[Line]:
    return (Line(section, key, text) for key, text in texts.items())


def _functions(section: str, tier: Tier) -> Iterator[Line]:
    for name, function in FUNCTIONS.items():
        if function.tier is tier:
            yield Line(section, name, f"`{name}` routed and implemented")
