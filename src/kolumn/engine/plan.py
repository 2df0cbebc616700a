"""A plan: what will happen to each resource, and the steps in an order that works.

There is one record per resource, changed or not; a msgspec Struct is made in a fifth of a dataclass's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from kolumn.contract import risks
from kolumn.contract.masking import REDACTED
from kolumn.engine.changes import attribute_changes
from kolumn.engine.declaration import sensitive_fields
from kolumn.engine.handler import Handler
from kolumn.engine.operations import Step
from kolumn.engine.quarantine.catalogue import Entry
from kolumn.engine.resource import Ref
from kolumn.engine.rewriting import with_kept

if TYPE_CHECKING:
    from kolumn.engine.validation import Question


class ResourceKey(NamedTuple):
    """What the host calls a resource: bare type and name, unique in a request."""

    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


class ResourceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan does to one resource."""

    key: ResourceKey
    action: str
    """`create`, `update`, `delete` or `unchanged`."""
    handler: Handler[Any]
    ref: Ref
    """The object afterwards or, for a delete, before."""
    config: Mapping[str, Any]
    """The configuration asked for; empty for a delete."""
    before: Any = None
    """The live model, None where there is none or where it was not looked at."""
    after: Any = None
    """The wanted model, None for a delete or where it was not looked at."""
    dependencies: tuple[str, ...] = ()
    """Keys of the resources of the same request it depends on."""
    managed: bool = False
    """Whether it was in state before."""
    exists: bool = False
    """Whether the database had it before."""

    def attributes(self) -> dict[str, dict[str, Any]]:
        """Return what changes, by attribute path: `{"before": ..., "after": ...}`; no secrets are told."""
        if self.action == "unchanged":
            return {}
        before = self.handler.config(self.before) if self.before is not None else {}
        if self.after is None:
            return _redacted(attribute_changes(before, {}), self.before)
        after = self.after if self.before is None else with_kept(self.after, self.before)
        former = self.handler.former_names(after) if before else {}
        return _redacted(attribute_changes(before, self.handler.config(after), former), after)


def _redacted(changes: dict[str, dict[str, Any]], model: Any) -> dict[str, dict[str, Any]]:
    """Return the changes without the values of attributes the model declares as sensitive."""
    for name in sensitive_fields(type(model)).intersection(changes):
        changes[name] = {key: None if value is None else REDACTED for key, value in changes[name].items()}
    return changes


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Steps and their meaning. `owners[i]` is the resource that `steps[i]` belongs to."""

    changes: tuple[ResourceChange, ...]
    """Changed ones in execution order, then the unchanged ones in the order of the request."""
    steps: tuple[Step, ...] = ()
    owners: tuple[ResourceKey, ...] = ()
    along: Mapping[int, tuple[ResourceKey, ...]] = msgspec.field(default_factory=dict)
    """By the place of a step: other resources that come, go or change in it."""
    notes: tuple[str, ...] = ()
    """What a reviewer should know besides the risks of the steps."""
    fingerprint: str = ""
    """Digest of the steps and of what the catalogue says of everything they touch."""
    unmanaged: tuple[Ref, ...] = ()
    """What is live and meant neither by request nor state; only looked for where there are steps."""
    questions: tuple[Question, ...] = ()
    """Which rows the steps would fail on; asked by `engine.validation`."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notes, and the risks of the steps in words."""
        of_steps = (
            f"{step.subject}: {risk.message} ({risks.in_words(risk.kind)})"
            for step in self.steps
            for risk in step.risks
        )
        return (*self.notes, *of_steps)

    quarantined: tuple[tuple[int, Entry], ...] = ()
    """What is set aside, each with the position of the step that does it."""

    def locations(self) -> dict[Ref, str]:
        """Return where what is deleted will wait, by object; what is not among them is deleted for good."""
        found: dict[Ref, str] = {}
        for _, entry in self.quarantined:
            for kept in entry.kept:
                if kept.how in ("moved", "along", "dropped"):
                    found[kept.object] = str(kept.place) if kept.place is not None else entry.location
        return found
