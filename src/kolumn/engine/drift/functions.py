"""DetectDrift (spec 3.3.1): the live database against what the last apply left.

| what | severity |
|---|---|
| a resource, or a part such as a column, is gone | error |
| a constraint is gone, or on other terms | error |
| anything about privileges, ownership, row level security | error |
| a further constraint; any other attribute | warning |
| a comment; an object that nobody manages | info |

One catalogue reading, and one question about wordings where something seems to differ, as a plan.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from kolumn.contract import messages as m
from kolumn.contract.context import Context
from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.logs import DiscoveryLogger
from kolumn.contract.times import Timestamp
from kolumn.engine.drift.comparison import Compared, Comparison
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.handler import Registry
from kolumn.engine.plan import ResourceKey
from kolumn.engine.resource import Ref, Snapshot

_WEIGHTS: dict[str, int] = {"": 0, "info": 0, "warning": 1, "error": 2}


class Scope(NamedTuple):
    """What a request is about; empty filters mean everything."""

    types: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, registry: Registry, types: Sequence[str], names: Sequence[str], schemas: Sequence[str] = ()
    ) -> Scope:
        """Return the scope of a request's filters. Raises ValidationError for an unknown type."""
        return cls(frozenset(registry.get(each).type for each in types), tuple(names), tuple(schemas))

    def has(self, ref: Ref, key: ResourceKey | None = None) -> bool:
        """Whether an object, managed under `key` or not at all, is within the scope."""
        if self.types and (ref.type if key is None else key.type) not in self.types:
            return False
        if self.schemas and not _matches((ref.schema,), self.schemas):
            return False
        texts = (ref.name, ref.identity) if key is None else (key.name, ref.name, ref.identity)
        return not self.names or _matches(texts, self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFunctions(FunctionGroup):
    """Finds drift on one connection."""

    METHODS: ClassVar[Mapping[str, str]] = {"DetectDrift": "detect"}

    def detect(self, context: Context, request: m.DriftRequest) -> m.DriftResponse:
        """Return what differs. Raises ValidationError for an unknown type or severity."""
        if request.least_severity not in _WEIGHTS:
            raise ValidationError.of(
                [
                    Problem(
                        "least_severity must be info, warning or error",
                        code="invalid_value",
                        path="least_severity",
                    )
                ]
            )
        scope = Scope.of(self.registry, request.resource_types, request.names, request.schemas)
        everything = [each for each in self.state.managed() if each[1].instance.status == "active"]
        chosen = [(key, managed) for key, managed in everything if scope.has(managed.ref, key)]
        live = self.catalog.scan(context)
        comparison = Comparison(self.registry, self.catalog, live, everything, lineage=self.state.lineage)
        found = [each for compared in comparison.of(context, chosen) for each in _findings(compared)]
        if request.include_unmanaged:
            found += self._unmanaged(scope, live)
        least = _WEIGHTS[request.least_severity]
        findings = sorted(
            (each for each in found if _WEIGHTS[each.severity] >= least),
            key=lambda each: (each.kind == "unmanaged", each.resource_type, each.name),
        )
        DiscoveryLogger.debug("drift", checked=len(chosen), findings=len(findings))
        return m.DriftResponse(
            success=True,
            drifted=bool(findings),
            findings=tuple(findings),
            checked=len(chosen),
            checked_at=Timestamp.utc_now(),
        )

    def _unmanaged(self, scope: Scope, live: Snapshot) -> Iterator[m.DriftFinding]:
        """Yield what is live and in no state; what counts only where it is named, where its type is asked for."""
        meant = {managed.ref for _, managed in self.state.managed()}
        for ref in live.refs(*scope.types):
            if (
                ref in meant
                or not scope.has(ref)
                or (ref in live.aside and not self._counts(scope, ref, live))
            ):
                continue
            yield m.DriftFinding(resource_type=ref.type, name=ref.identity, kind="unmanaged", severity="info")

    def _counts(self, scope: Scope, ref: Ref, live: Snapshot) -> bool:
        if ref.type not in scope.types:
            return False
        handler = self.registry.get(ref.type)
        return not handler.parts or handler.part_of(live.get(ref)) is None


def _findings(compared: Compared) -> Iterator[m.DriftFinding]:
    type_, name = compared.key
    if compared.found is None:
        yield m.DriftFinding(resource_type=type_, name=name, kind="removed", severity="error")
    if compared.unknown:
        yield m.DriftFinding(resource_type=type_, name=name, kind="changed", severity="warning")
    for each in compared.differences:
        yield m.DriftFinding(
            resource_type=type_,
            name=name,
            kind=each.kind,
            attribute=each.path,
            state_value=each.before,
            live_value=each.after,
            severity=each.severity,
            sensitive=each.sensitive,
        )


def _matches(texts: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for text in texts for pattern in patterns)
