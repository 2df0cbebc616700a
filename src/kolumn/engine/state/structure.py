"""What a state document must be before anybody looks into the database: every fault of it, each with its repair.

A document is taken as it comes, read from a file that somebody may have edited; nothing about it is believed. What
is sound of it comes out as resource instances with their places, for the comparison with the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from kolumn.contract.errors import ValidationError
from kolumn.contract.messages import ResourceInstance, Severity, StateEdit, StateRepair, ValidationFinding
from kolumn.contract.secrets import is_sealed
from kolumn.contract.times import Timestamp
from kolumn.engine.handler import Handler, Registry
from kolumn.engine.plan import ResourceKey
from kolumn.engine.resource import Ref
from kolumn.engine.state.remembered import LIVE
from kolumn.engine.state.store import STATE_VERSION, Managed, config_digest, managed

_STATUSES = ("active", "quarantined", "deleted")
_AHEAD = timedelta(days=1)
"""How far clocks may be apart before a time lies in the future."""


class Placed(NamedTuple):
    """A resource of the document that can be worked with."""

    at: int
    key: ResourceKey
    managed: Managed
    handler: Handler[Any]
    model: Any
    """What its configuration means; None where that cannot be told."""
    readable: bool
    """Whether the configuration is one; a sealed one counts as such."""

    @property
    def path(self) -> str:
        """Its place in the document."""
        return f"$.resources[{self.at}]"


class Structure:
    """The check of one document; `findings` and `placed` are its results."""

    def __init__(self, provider: str, registry: Registry, engine_version: str, now: Timestamp) -> None:
        self._provider = provider
        self._registry = registry
        self._engine_version = engine_version
        self._now = now
        self._lineage = ""
        self.findings: list[ValidationFinding] = []
        self.placed: list[Placed] = []

    @property
    def lineage(self) -> str:
        """What keys the digests of the document; empty where it does not say."""
        return self._lineage

    def check(self, document: Mapping[str, Any]) -> None:
        """Check everything. Call once."""
        self._version(document.get("version"))
        self._owner(document.get("provider", ""), "$.provider", "", "")
        self._metadata(document.get("metadata"))
        self._time(document, "updated_at", "$", "", "")
        resources = document.get("resources")
        if resources is None and "resources" in document:
            resources = []
        if not isinstance(resources, list):
            self._find(
                "invalid_structure",
                "the state has no list of resources",
                "$.resources",
                repair=_set("the state then manages nothing", ("$.resources", [])),
            )
            return
        keys: dict[ResourceKey, int] = {}
        for at, entry in enumerate(resources):
            self._resource(at, entry, keys)
        self._objects()

    def _version(self, version: object) -> None:
        known = _numbers(STATE_VERSION)
        given = _numbers(version)
        upgrade = StateRepair(
            action="upgrade",
            description=f"it becomes version {STATE_VERSION}",
            edits=(StateEdit(path="$.version", value=STATE_VERSION),),
        )
        if given is None:
            self._find(
                "invalid_version", f"{version!r:.50} is no version of a state", "$.version", repair=upgrade
            )
        elif given[:1] > known[:1]:  # type: ignore[index]
            self._find(
                "unknown_version",
                f"version {version} is newer than {STATE_VERSION}, which this Kolumn knows; upgrade Kolumn",
                "$.version",
            )
        elif given < known:  # type: ignore[operator]
            words = f"version {version} is older than {STATE_VERSION}"
            self._find("old_version", words, "$.version", severity="warning", repair=upgrade)

    def _owner(self, provider: object, path: str, type_: str, name: str) -> None:
        if isinstance(provider, str) and provider.split(".")[0] in ("", self._provider):
            return
        words = f"this is of provider {provider!r:.50}, not of {self._provider}"
        repair = _set(f"it becomes {self._provider}", (path, self._provider))
        self._find("wrong_provider", words, path, type_, name, repair=repair)

    def _metadata(self, metadata: object) -> None:
        if not isinstance(metadata, Mapping):
            self._find(
                "invalid_structure",
                "the metadata of the state is not there, or no object",
                "$.metadata",
                repair=_set("it begins anew", ("$.metadata", {})),
            )
            return
        lineage, serial = metadata.get("lineage"), metadata.get("serial", 0)
        if isinstance(lineage, str) and lineage:
            self._lineage = lineage
        else:
            self._find(
                "invalid_lineage",
                "the state does not say which history it belongs to",
                "$.metadata.lineage",
                repair=_set("a history begins", ("$.metadata.lineage", secrets.token_hex(16))),
            )
        if not isinstance(serial, int) or isinstance(serial, bool) or serial < 0:
            self._find(
                "invalid_serial",
                "the serial is no whole number",
                "$.metadata.serial",
                repair=_set("it becomes 1", ("$.metadata.serial", 1)),
            )

    def _time(
        self, holder: Mapping[str, Any], field: str, path: str, type_: str, name: str
    ) -> Timestamp | None:
        value, where = holder.get(field), f"{path}.{field}"
        if value is None:
            return None
        now = _set("it becomes now", (where, str(self._now)))
        try:
            moment = Timestamp.parse(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None:
            self._find("invalid_time", f"{value!r:.50} is no time", where, type_, name, repair=now)
        elif moment > self._now + _AHEAD:
            words = f"{value} lies in the future"
            self._find("time_in_future", words, where, type_, name, severity="warning", repair=now)
            return None
        return moment

    def _resource(self, at: int, entry: object, keys: dict[ResourceKey, int]) -> None:
        path = f"$.resources[{at}]"
        if not isinstance(entry, Mapping):
            self._find("invalid_structure", "this is no resource", path, repair=forget(path))
            return
        type_, name = entry.get("type"), entry.get("name")
        if not isinstance(type_, str) or not type_ or not isinstance(name, str) or not name:
            words = "a resource must have a type and a name"
            self._find("invalid_structure", words, path, repair=forget(path))
            return
        try:
            handler = self._registry.get(type_)
        except ValidationError as error:
            self._find("unknown_type", error.message, f"{path}.type", type_, name, repair=forget(path))
            return
        key = ResourceKey(handler.type, name)
        if key in keys:
            self._find(
                "duplicate_resource",
                f"{key} is in the state twice, first as $.resources[{keys[key]}]",
                path,
                type_,
                name,
                repair=forget(path, "drop_duplicate", "the later one is dropped"),
            )
            return
        keys[key] = at
        self._fields(at, entry, key, handler)

    def _fields(self, at: int, entry: Mapping[str, Any], key: ResourceKey, handler: Handler[Any]) -> None:
        path, type_, name = f"$.resources[{at}]", str(entry["type"]), key.name
        self._owner(entry.get("provider", ""), f"{path}.provider", type_, name)
        status: Any = entry.get("status", "active")
        if status not in _STATUSES or not isinstance(status, str):
            self._find(
                "invalid_status",
                f"{status!r:.50} is no status; there are {', '.join(_STATUSES)}",
                f"{path}.status",
                type_,
                name,
                repair=_set("it becomes active", (f"{path}.status", "active")),
            )
            status = "active"
        created, updated = (
            self._time(entry, field, path, type_, name) for field in ("created_at", "updated_at")
        )
        if created is not None and updated is not None and created > updated:
            self._find(
                "times_out_of_order",
                f"it was created ({created}) after it was last changed ({updated})",
                f"{path}.created_at",
                type_,
                name,
                severity="warning",
                repair=_set("it becomes the time of the last change", (f"{path}.created_at", str(updated))),
            )
        parts: dict[str, Mapping[str, Any]] = {}
        for field in ("config", "state", "metadata"):
            value = entry.get(field)
            if value is not None and not isinstance(value, Mapping) and field != "config":
                self._find(
                    "invalid_structure",
                    f"{field} is no object",
                    f"{path}.{field}",
                    type_,
                    name,
                    repair=_set("what it held is read anew", (f"{path}.{field}", {})),
                )
            parts[field] = value if isinstance(value, Mapping) else {}
        instance = ResourceInstance(
            type=f"{self._provider}_{key.type}",
            name=name,
            status=status,
            **parts,  # type: ignore[arg-type]
        )
        placed = self._place(at, key, handler, instance)
        if not isinstance(entry.get("config"), Mapping):
            placed = placed._replace(model=None, readable=False)  # it comes from the database, if at all
        self.placed.append(placed)
        self._notes(placed, type_)
        if status == "quarantined":
            self._retention(placed, type_)

    def _place(self, at: int, key: ResourceKey, handler: Handler[Any], instance: ResourceInstance) -> Placed:
        model, readable = None, True
        try:
            model = handler.parse(instance.config, key.name)
        except ValidationError:
            readable = holds_seal(instance.config)
        noted = managed(self._provider, instance)[1]
        if model is not None and _reference(instance) is None:
            noted = noted._replace(ref=handler.ref(model))
        return Placed(at, key, noted, handler, model, readable)

    def _notes(self, placed: Placed, type_: str) -> None:
        """Check what an apply noted about the resource: its object, its identity, its digests."""
        instance, path = placed.managed.instance, placed.path
        say = _Saying(self._find, type_, placed.key.name)
        if "ref" in instance.metadata and _reference(instance) is None:
            place = f"{path}.metadata.ref"
            repair = _remove("it follows from the configuration", place)
            say("invalid_reference", "what it is in the database is not said rightly", place, repair=repair)
        identity = instance.state.get("identity")
        if instance.state and identity != placed.managed.ref.identity and placed.readable:
            place = f"{path}.state.identity"
            repair = _set("it becomes what the reference says", (place, placed.managed.ref.identity))
            say(
                "wrong_identity",
                f"{identity!r:.80} is not {placed.managed.ref.identity}",
                place,
                repair=repair,
            )
        for holder, field in (("state", "digest"), ("metadata", "config_digest")):
            value = getattr(instance, holder).get(field, "")
            if not isinstance(value, str):
                place = f"{path}.{holder}.{field}"
                say(
                    "invalid_structure", "a digest is a text", place, repair=_remove("it is made anew", place)
                )
        beside = instance.state.get(LIVE)
        if LIVE in instance.state and not isinstance(beside, Mapping):
            place = f"{path}.state.{LIVE}"
            say(
                "invalid_structure",
                "what was live is no object",
                place,
                repair=_remove("it is forgotten", place),
            )
        self._config_digest(placed, say)

    def _config_digest(self, placed: Placed, say: _Saying) -> None:
        """Check that the configuration in state is the one that was applied, where that can be told."""
        instance = placed.managed.instance
        noted, ignored = placed.managed.config_digest, instance.metadata.get("ignore_changes", ())
        if (
            not noted
            or not self._lineage
            or instance.metadata.get("digested_by") != self._engine_version
            or holds_seal(instance.config)
            or not isinstance(ignored, list | tuple)
        ):
            return
        now = config_digest(instance.config, tuple(ignored), self._engine_version, lineage=self._lineage)
        if now != noted:
            place = f"{placed.path}.metadata.config_digest"
            repair = _remove("the next plan compares it in full", place, action="digest")
            say(
                "config_digest_mismatch",
                "the configuration in the state is not the one that was applied",
                place,
                repair=repair,
            )

    def _retention(self, placed: Placed, type_: str) -> None:
        about = placed.managed.instance.metadata.get("quarantine")
        until = about.get("retention_until") if isinstance(about, Mapping) else None
        if until is None:
            return
        say = _Saying(self._find, type_, placed.key.name)
        place = f"{placed.path}.metadata.quarantine.retention_until"
        try:
            over = Timestamp.parse(str(until)) < self._now
        except ValueError:
            say("invalid_time", f"{until!r:.50} is no time", place, severity="warning")
            return
        if over:
            words = f"its quarantine ended {until}; `kolumn quarantine` restores it or ends it for good"
            say("retention_over", words, place, severity="warning")

    def _objects(self) -> None:
        """Check that no two resources are one object."""
        taken: dict[Ref, Placed] = {}
        for placed in self.placed:
            if placed.managed.instance.status != "active" or not placed.readable:
                continue
            other = taken.setdefault(placed.managed.ref, placed)
            if other is not placed:
                self._find(
                    "duplicate_object",
                    f"{placed.key} and {other.key} are the same object: {placed.managed.ref}",
                    placed.path,
                    placed.managed.instance.type,
                    placed.key.name,
                    repair=forget(placed.path, "drop_duplicate", "the later one is dropped"),
                )

    def _find(
        self,
        code: str,
        message: str,
        path: str,
        type_: str = "",
        name: str = "",
        *,
        severity: Severity = "error",
        repair: StateRepair | None = None,
    ) -> None:
        self.findings.append(
            ValidationFinding(
                resource_type=type_,
                name=name,
                path=path,
                code=code,
                message=message,
                severity=severity,
                repair=repair,
            )
        )


class _Saying:
    """Says what is wrong with one resource."""

    def __init__(self, find: Callable[..., None], type_: str, name: str) -> None:
        self._find = find
        self._about = (type_, name)

    def __call__(
        self,
        code: str,
        message: str,
        path: str,
        *,
        severity: Severity = "error",
        repair: StateRepair | None = None,
    ) -> None:
        self._find(code, message, path, *self._about, severity=severity, repair=repair)


def _set(description: str, *values: tuple[str, Any]) -> StateRepair:
    edits = tuple(StateEdit(path=path, value=value) for path, value in values)
    return StateRepair(action="set", description=description, edits=edits)


def _remove(description: str, path: str, action: Any = "set") -> StateRepair:
    return StateRepair(action=action, description=description, edits=(StateEdit(path=path, remove=True),))


def forget(
    path: str, action: Any = "forget", description: str = "it leaves the state; the database stays as it is"
) -> StateRepair:
    """Return the repair that removes an entry."""
    return StateRepair(action=action, description=description, edits=(StateEdit(path=path, remove=True),))


def _numbers(version: object) -> tuple[int, ...] | None:
    if not isinstance(version, str):
        return None
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        return None


def _reference(instance: ResourceInstance) -> object:
    """Return the reference in the metadata where it is one."""
    parts = instance.metadata.get("ref")
    if (
        isinstance(parts, list | tuple)
        and len(parts) == len(Ref._fields)
        and all(type(each) is str for each in parts)
    ):
        return parts
    return None


def holds_seal(value: Any) -> bool:
    """Whether anything in a configuration is the stand-in of a sensitive value."""
    return any(is_sealed(each) for each in _values(value))


def _values(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _values(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _values(each)
