"""What the host tells the command: typed, complete, free of secrets, free of layout.

There are several records per resource; a msgspec Struct is made in a fifth of a dataclass's time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import msgspec

from kolumn.contract import messages as m
from kolumn.contract.errors import KolumnError

Action = Literal[
    "create", "update", "replace", "delete", "adopt", "move", "forget", "refresh", "recreate", "unchanged"
]
"""What happens to a resource. Beyond the contract's own: `replace` deletes and creates; `adopt` takes a
live object into state as it is; `move` gives a new address; `forget` and `refresh` change the state only;
`recreate` drops and re-creates an object that stands in the way of another one's change."""


class Difference(msgspec.Struct, frozen=True):
    """One attribute that changes; None where it is absent."""

    path: str
    before: Any
    after: Any


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan does to one resource."""

    address: str
    type: str
    """With its provider's prefix."""
    provider: str
    action: Action
    differences: tuple[Difference, ...] = ()
    steps: tuple[m.PlanStep, ...] = ()
    adopted: bool = False
    """It exists already and comes under management with this plan."""
    moved_from: str = ""
    """The address it had before."""
    reason: str = ""
    """Why it is deleted, forgotten or refreshed."""


class OutputChange(msgspec.Struct, frozen=True):
    """An output whose value is not the one of the last apply; values of sensitive ones are never here."""

    name: str
    before: Any
    after: Any
    sensitive: bool
    action: Literal["create", "update", "delete"]


Severity = Literal["error", "warning", "info"]
"""How much a violated policy matters. An `error` keeps `apply` from doing anything."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that a plan violates, or of which that cannot be told."""

    policy: str
    severity: Severity
    message: str
    outcome: Literal["violated", "unknown"] = "violated"
    """`unknown`: it depends on what nobody knows, such as the rows of a table; that stops nothing."""
    address: str = ""
    """What it is about; empty for the plan as a whole."""
    hint: str = ""
    url: str = ""
    file: str = ""
    line: int = 0
    """Where the resource is written; 0 for what is no longer written anywhere."""
    builtin: bool = False
    overridable: bool = False
    overridden: str = ""
    """The reason for which a person went ahead all the same."""

    @property
    def denies(self) -> bool:
        """Whether the plan must not be carried out."""
        return self.severity == "error" and self.outcome == "violated" and not self.overridden


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as people and programs read it: in execution order, the unchanged resources only counted."""

    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    warnings: tuple[str, ...] = ()
    outputs: tuple[OutputChange, ...] = ()
    unmanaged: tuple[str, ...] | None = None
    """Addresses of live objects neither configuration nor state names; None when nobody looked."""
    refresh_only: bool = False
    destroy: bool = False
    violations: tuple[Violation, ...] = ()
    """What policies say, the gravest first."""

    @property
    def denied(self) -> bool:
        """Whether a policy forbids the plan."""
        return any(each.denies for each in self.violations)

    @property
    def has_changes(self) -> bool:
        """Whether applying it does anything at all."""
        return bool(self.changes or self.outputs)

    def count(self, *actions: Action) -> int:
        """Return how many resources meet one of `actions`."""
        return sum(1 for change in self.changes if change.action in actions)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that could not be brought to what was planned."""

    address: str
    message: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one resource in an apply."""

    address: str
    provider: str
    action: Action
    success: bool
    error: str = ""
    quarantine: str = ""
    """Where what was deleted waits, empty where nothing does."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply did. `error` is set when it ended early; `results` then say what stands."""

    results: tuple[Result, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    serial: int = 0
    """Serial of the state afterwards."""
    outputs: tuple[OutputValue, ...] = ()
    backups: tuple[str, ...] = ()
    """Where what was destroyed is saved, by provider the last one."""
    error: KolumnError | None = None

    @property
    def counts(self) -> Counter[str]:
        """Return how many resources met which end, by action; failed ones under `failed`."""
        return Counter(each.action if each.success else "failed" for each in self.results)


class OutputValue(msgspec.Struct, frozen=True):
    """An output to show; the value of a sensitive one is `(sensitive)` unless asked for by name."""

    name: str
    value: Any
    sensitive: bool
    description: str = ""
