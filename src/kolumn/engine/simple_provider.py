"""A base for providers of things that are read, written and removed one by one: files, topics, buckets.

It needs three methods and has the universal functions of the contract (spec 3.2) from them. What databases have
beyond that, such as transactions, rehearsal or quarantine, is `engine.provider`'s.
"""

from __future__ import annotations

import hashlib
import platform
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, ClassVar
from uuid import uuid4

import msgspec

from kolumn.contract import messages as m
from kolumn.contract.codec import decode, encode
from kolumn.contract.context import Context
from kolumn.contract.encoding import Message
from kolumn.contract.environment import resolve_environment
from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    Problem,
    StateError,
    ValidationError,
)
from kolumn.contract.functions import FUNCTIONS
from kolumn.contract.logs import HandlerLogger
from kolumn.contract.schema import AttributeSchema, ObjectType, ProviderSchema, ResourceTypeDefinition
from kolumn.contract.times import Timestamp
from kolumn.engine.state.store import STATE_VERSION

Key = tuple[str, str]
"""Resource type and name."""
Objects = Mapping[Key, Mapping[str, Any]]
"""Configurations of live objects."""

_NAME = AttributeSchema(type="string", description="Its name, if another than the resource's")
_PAST = {"create": "created", "update": "updated", "delete": "deleted", "unchanged": "unchanged"}


class SimpleProvider(ABC):
    """Subclasses name themselves and their types, and open, read, write and remove."""

    name: ClassVar[str]
    version: ClassVar[str]
    description: ClassVar[str] = ""
    category: ClassVar[str] = "nosql"
    types: ClassVar[Mapping[str, ObjectType]]
    """What each resource type takes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_open = False
        self._managed: dict[Key, m.ResourceInstance] = {}
        self._metadata: dict[str, Any] = {"lineage": str(uuid4()), "serial": 0}

    @abstractmethod
    def open(self, config: Mapping[str, Any]) -> None:
        """Check the settings and connect. Raises ValidationError, ConnectionError."""

    @abstractmethod
    def read(self) -> Objects:
        """Return everything that is there, as somebody would write it."""

    @abstractmethod
    def write(self, resource_type: str, name: str, config: Mapping[str, Any]) -> None:
        """Make an object be as `config` says, whether it is there or not."""

    @abstractmethod
    def remove(self, resource_type: str, name: str) -> None:
        """Remove an object that is there."""

    def shut(self) -> None:  # noqa: B027 - most have nothing to do
        """Close what `open` opened."""

    def configure(self, context: Context, config: Mapping[str, Any]) -> None:
        """See the contract (2.2)."""
        context.check()
        with self._lock:
            self.open(resolve_environment(config))
            self._is_open = True

    def schema(self) -> ProviderSchema:
        """See the contract (2.3)."""
        types = tuple(
            ResourceTypeDefinition(name=name, config_schema=_named(config), state_schema=_named(config))
            for name, config in sorted(self.types.items())
        )
        return ProviderSchema(
            name=self.name,
            version=self.version,
            category=self.category,
            description=self.description,
            resource_types=types,
        )

    def call_function(self, context: Context, function: str, input: bytes) -> bytes:  # noqa: A002 - spec 2.4
        """See the contract (2.4)."""
        method = _METHODS.get(function)
        if method is None:
            raise ValidationError(f"unsupported function: {function[:100]}", code="unsupported_function")
        request = decode(FUNCTIONS[function].request, input)
        with self._lock:
            context.check()
            if not self._is_open:
                raise ConnectionError(
                    f"the {self.name} provider is not connected. Call Configure first.", code="not_configured"
                )
            return encode(method(self, context, request))

    def close(self) -> None:
        """See the contract (2.5)."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self.shut()

    def _ping(self, _: Context, request: m.PingRequest) -> m.PingResponse:
        self.read()
        return m.PingResponse(success=True)

    def _version(self, _: Context, request: m.VersionRequest) -> m.VersionResponse:
        runs_on = f"python{platform.python_version()}"
        return m.VersionResponse(
            success=True, version=self.version, go_version=runs_on, provider_name=self.name
        )

    def _get_state(self, _: Context, request: m.StateRequest) -> m.StateResponse:
        return m.StateResponse(success=True, state=self._state())

    def _set_state(self, _: Context, request: m.SetStateRequest) -> m.SetStateResponse:
        self._managed = {(each.type, each.name): each for each in request.state.resources}
        self._metadata = {**self._metadata, **request.state.metadata}
        return m.SetStateResponse(success=True)

    def _discover(self, _: Context, request: m.DiscoverResourcesRequest) -> m.DiscoverResourcesResponse:
        wanted_type = self._bare(request.resource_type)
        if wanted_type:
            self._refuse_unknown([(wanted_type, "")])
        wanted = request.filters.get("name")
        found = tuple(
            m.DiscoveredResource(type=type_, name=name, config=dict(config), state=dict(config))
            for (type_, name), config in sorted(self.read().items())
            if wanted_type in ("", type_) and wanted in (None, name)
        )
        return m.DiscoverResourcesResponse(success=True, resources=found)

    def _read_one(self, _: Context, request: m.ReadResourceRequest) -> m.ReadResourceResponse:
        key = (self._bare(request.resource_type), request.name)
        self._refuse_unknown([key])
        config = self.read().get(key)
        return m.ReadResourceResponse(success=True, exists=config is not None, state=dict(config or {}))

    def _create_one(self, context: Context, request: m.CreateResourceRequest) -> m.CreateResourceResponse:
        made = self._one(context, request.resource_type, request.name, "create", request.config)
        return m.CreateResourceResponse(success=True, resource_id=request.name, state=made)

    def _update_one(self, context: Context, request: m.UpdateResourceRequest) -> m.UpdateResourceResponse:
        made = self._one(context, request.resource_type, request.name, "update", request.config)
        return m.UpdateResourceResponse(success=True, state=made)

    def _delete_one(self, context: Context, request: m.DeleteResourceRequest) -> m.DeleteResourceResponse:
        before = self.read().get((self._bare(request.resource_type), request.name), {})
        self._one(context, request.resource_type, request.name, "delete", {})
        return m.DeleteResourceResponse(success=True, before_state=dict(before))

    def _one(
        self, context: Context, type_: str, name: str, action: m.Action, config: Mapping[str, Any]
    ) -> dict[str, Any]:
        resource = m.PlanResource(resource_type=type_, name=name, config=dict(config), action=action)
        applied = self._apply(context, m.PlanRequest(resources=(resource,)))
        if not applied.success:
            raise OperationError(applied.error, code="operation_failed")
        return dict(applied.results[0].state)

    def _plan(self, _: Context, request: m.PlanRequest) -> m.PlanResponse:
        planned = self._planned(self._resources(request))
        changes = [each for each in planned if each.action != "unchanged"]
        detail = request.options is not None and request.options.detail
        steps = tuple(
            m.PlanStep(
                order=at,
                resource_type=each.resource_type,
                name=each.name,
                description=f"{each.action} {each.resource_type} {each.name}",
            )
            for at, each in enumerate(changes, 1)
        )
        return m.PlanResponse(
            success=True,
            execution_order=tuple(f"{each.resource_type} {each.name}" for each in planned),
            resources=tuple(planned),
            steps=steps if detail else (),
            fingerprint=_fingerprint(planned) if detail else "",
        )

    def _apply(self, context: Context, request: m.PlanRequest) -> m.ApplyResponse:
        """Do one after the other and stop at the first that fails; what was done before it stays."""
        resources = self._resources(request)
        planned = self._planned(resources)
        options = request.options or m.PlanOptions()
        if options.fingerprint and options.fingerprint != _fingerprint(planned):
            raise StateError(
                "What is there has changed since the plan was made. Plan again.", code="stale_plan"
            )
        wanted = {(each.resource_type, each.name): each for each in resources}
        results: list[m.ApplyResult] = []
        error = ""
        for each in planned:
            try:
                if error:
                    raise OperationError("not begun, because another failed before it")
                context.check()
                state = self._do(each, wanted[each.resource_type, each.name])
                results.append(_result(each, state))
            except (KolumnError, OSError) as failure:
                results.append(_result(each, {}, str(failure)))
                error = error or f"{each.resource_type} {each.name}: {failure}"
        counts = Counter(_PAST[each.action] if each.success else "failed" for each in results)
        return m.ApplyResponse(
            success=not error,
            results=tuple(results),
            summary=m.ApplySummary(**counts),
            error=error,
            state=self._state() if options.detail else None,
        )

    def _do(self, planned: m.PlannedResource, resource: m.PlanResource) -> dict[str, Any]:
        key, there = (planned.resource_type, planned.name), _object(resource)
        if planned.action == "delete":
            self.remove(*there)
        elif planned.action != "unchanged":
            self.write(*there, _attributes(resource))
        if planned.action != "unchanged":
            HandlerLogger.info("step", description=f"{planned.action} {planned.resource_type} {planned.name}")
        live = self.read().get(there)
        now = Timestamp.utc_now()
        if live is None:
            self._managed.pop(key, None)
        else:
            before = self._managed.get(key)
            self._managed[key] = m.ResourceInstance(
                type=key[0],
                name=key[1],
                provider=self.name,
                config=dict(resource.config),
                state=dict(live),
                created_at=before.created_at if before else now,
                updated_at=now,
            )
        self._metadata["serial"] = int(self._metadata.get("serial", 0)) + 1
        return dict(live or {})

    def _bare(self, resource_type: str) -> str:
        """Return a resource type without the provider's name in front, which is allowed everywhere."""
        return resource_type.removeprefix(f"{self.name}_")

    def _resources(self, request: m.PlanRequest) -> list[m.PlanResource]:
        return [
            msgspec.structs.replace(each, resource_type=self._bare(each.resource_type))
            for each in request.resources
        ]

    def _planned(self, resources: Sequence[m.PlanResource]) -> list[m.PlannedResource]:
        """Return what is to be done, in order. Raises ValidationError with every fault."""
        self._refuse_unknown((each.resource_type, each.name) for each in resources)
        problems = [problem for each in resources for problem in self._faults(each)]
        if problems:
            raise ValidationError.of(problems)
        live = self.read()
        by_name = {f"{each.resource_type} {each.name}": each for each in resources}
        needs = {
            name: sorted({self._bare(other) for other in each.depends_on} & by_name.keys())
            for name, each in sorted(by_name.items())
        }
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError:
            order = sorted(needs)
        doomed = [name for name in order if by_name[name].action == "delete"]
        kept = [name for name in order if by_name[name].action != "delete"]
        return [_planned(by_name[name], live) for name in [*kept, *reversed(doomed)]]

    def _faults(self, resource: m.PlanResource) -> Iterable[Problem]:
        if resource.action == "delete":
            return
        address = f"{resource.resource_type}.{resource.name}"
        known = self.types[resource.resource_type].attributes
        for name in sorted(_attributes(resource).keys() - known.keys()):
            hint = f"Known: {', '.join(sorted(known))}."
            yield Problem(f"unknown attribute {name}", "unknown_attribute", name, address, hint)
        for name, attribute in known.items():
            if attribute.required and resource.config.get(name) is None:
                yield Problem(f"{name} is missing", "missing_attribute", name, address)

    def _refuse_unknown(self, keys: Iterable[Key]) -> None:
        problems = [
            Problem(
                f"{self.name} has no resource type {type_}",
                "unknown_resource_type",
                resource=f"{type_}.{name}",
                hint=f"It has {', '.join(sorted(self.types))}.",
            )
            for type_, name in keys
            if type_ not in self.types
        ]
        if problems:
            raise ValidationError.of(problems)

    def _state(self) -> m.ProviderState:
        return m.ProviderState(
            version=STATE_VERSION,
            provider=self.name,
            resources=tuple(self._managed[key] for key in sorted(self._managed)),
            metadata=dict(self._metadata),
            updated_at=Timestamp.utc_now(),
        )


_METHODS: Mapping[str, Callable[[SimpleProvider, Context, Any], Message]] = {
    "CreateResource": SimpleProvider._create_one,  # noqa: SLF001 - the functions of this class
    "ReadResource": SimpleProvider._read_one,  # noqa: SLF001
    "UpdateResource": SimpleProvider._update_one,  # noqa: SLF001
    "DeleteResource": SimpleProvider._delete_one,  # noqa: SLF001
    "DiscoverResources": SimpleProvider._discover,  # noqa: SLF001
    "Plan": SimpleProvider._plan,  # noqa: SLF001
    "Apply": SimpleProvider._apply,  # noqa: SLF001
    "GetState": SimpleProvider._get_state,  # noqa: SLF001
    "SetState": SimpleProvider._set_state,  # noqa: SLF001
    "Ping": SimpleProvider._ping,  # noqa: SLF001
    "Version": SimpleProvider._version,  # noqa: SLF001
}


def _planned(resource: m.PlanResource, live: Objects) -> m.PlannedResource:
    """Compare one resource with what is there; what its configuration leaves out is left alone."""
    there = live.get(_object(resource))
    action: m.PlannedAction = "unchanged"
    changes: dict[str, Any] = {}
    if resource.action == "delete":
        action = "unchanged" if there is None else "delete"
    else:
        before = there or {}
        changes = {
            name: {"before": before.get(name), "after": value}
            for name, value in _attributes(resource).items()
            if before.get(name) != value and not {name, "all"} & set(resource.ignore_changes)
        }
        action = "create" if there is None else "update" if changes else "unchanged"
    return m.PlannedResource(
        resource_type=resource.resource_type,
        name=resource.name,
        action=action,
        changes=changes,
        dependencies=resource.depends_on,
    )


def _named(config: ObjectType) -> ObjectType:
    """Return what a person writes of a type: its attributes, and the object's name."""
    return ObjectType(attributes={"name": _NAME, **config.attributes})


def _object(resource: m.PlanResource) -> Key:
    """Return which object a resource means: the one it names, or one called as it is."""
    return resource.resource_type, str(resource.config.get("name") or resource.name)


def _attributes(resource: m.PlanResource) -> dict[str, Any]:
    return {name: value for name, value in resource.config.items() if name != "name"}


def _result(planned: m.PlannedResource, state: dict[str, Any], error: str = "") -> m.ApplyResult:
    return m.ApplyResult(
        resource_type=planned.resource_type,
        name=planned.name,
        action=planned.action,
        success=not error,
        state=state,
        error=error,
    )


def _fingerprint(planned: Sequence[m.PlannedResource]) -> str:
    return hashlib.sha256(msgspec.json.encode(list(planned), order="sorted")).hexdigest()
