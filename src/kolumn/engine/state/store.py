"""What a provider manages (spec 8): versions, lineage, serials, and the resources last seen."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from kolumn.contract.errors import Problem, StateError, ValidationError
from kolumn.contract.messages import PlanResource, ProviderState, ResourceInstance
from kolumn.contract.times import Timestamp
from kolumn.engine.plan import ResourceChange, ResourceKey
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import keeps
from kolumn.engine.state.remembered import CONCEALED, LIVE, conceal, remember

STATE_VERSION = "1.0.0"
"""Version of the state format this code writes; it reads this and older ones."""


class Managed(NamedTuple):
    """One resource in state, as the engine uses it."""

    ref: Ref
    digest: str
    """What the catalogue said of it after the last apply, as a digest; empty when unknown."""
    config_digest: str
    """Keyed digest of the configuration last applied."""
    instance: ResourceInstance


class Checkpoint(NamedTuple):
    """A state store's content at one moment."""

    lineage: str
    serial: int
    fresh: bool
    version: str
    metadata: Mapping[str, Any]
    instances: Mapping[ResourceKey, ResourceInstance]
    updated: Timestamp


class StateStore:
    """The state of one provider instance, held in memory; its host keeps it (spec 8.2). Thread-safe."""

    def __init__(self, provider: str, engine_version: str) -> None:
        self._provider = provider
        self._engine_version = engine_version
        self._lock = threading.RLock()
        self._lineage = secrets.token_hex(16)
        self._serial = 0
        self._fresh = True
        self._version = STATE_VERSION
        self._metadata: dict[str, Any] = {}
        self._instances: dict[ResourceKey, ResourceInstance] = {}
        self._updated = Timestamp.utc_now()
        self.revision = 0
        """Counts the changes of this store in memory."""

    def export(self) -> ProviderState:
        """Return the whole state as GetState sends it."""
        with self._lock:
            return ProviderState(
                version=self._version,
                provider=self._provider,
                resources=tuple(self._instances.values()),
                metadata={**self._metadata, "lineage": self._lineage, "serial": self._serial},
                updated_at=self._updated,
            )

    def replace(self, state: ProviderState) -> None:
        """Take `state` over, as SetState asks.

        Raises StateError for a format this code does not know, for another provider or lineage, and for
        an older serial; ValidationError for a version that is none and for a resource listed twice.
        """
        given = _version(state.version)
        lineage = state.metadata.get("lineage")
        serial = state.metadata.get("serial", 0)
        problems = []
        if not isinstance(serial, int) or isinstance(serial, bool) or serial < 0:
            problems.append(
                Problem("serial must be a whole number", code="wrong_type", path="$.state.metadata.serial")
            )
        if lineage is not None and (not isinstance(lineage, str) or not lineage):
            problems.append(
                Problem("lineage must be a text", code="wrong_type", path="$.state.metadata.lineage")
            )
        instances: dict[ResourceKey, ResourceInstance] = {}
        for at, instance in enumerate(state.resources):
            key = self._key(instance)
            if key in instances:
                problems.append(
                    Problem(
                        f"{key} is listed twice", code="duplicate_resource", path=f"$.state.resources[{at}]"
                    )
                )
            instances[key] = instance
        if problems:
            raise ValidationError.of(problems)
        with self._lock:
            self._refuse_conflict(state, given, lineage, serial)
            self._version = STATE_VERSION
            self._lineage = lineage or self._lineage
            self._serial = serial
            self._fresh = False
            self._metadata = {k: v for k, v in state.metadata.items() if k not in ("lineage", "serial")}
            self._instances = instances
            self._updated = Timestamp.utc_now()
            self.revision += 1

    def checkpoint(self) -> Checkpoint:
        """Return what the store holds now, for `restore`."""
        with self._lock:
            return Checkpoint(
                self._lineage,
                self._serial,
                self._fresh,
                self._version,
                dict(self._metadata),
                dict(self._instances),
                self._updated,
            )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take back everything that was recorded or set since `checkpoint` was made."""
        with self._lock:
            self._lineage, self._serial, self._fresh, self._version, *_ = checkpoint
            self._metadata = dict(checkpoint.metadata)
            self._instances = dict(checkpoint.instances)
            self._updated = checkpoint.updated
            self.revision += 1

    def _refuse_conflict(
        self, state: ProviderState, given: tuple[int, ...], lineage: object, serial: int
    ) -> None:
        if given[:1] > _version(STATE_VERSION)[:1]:
            raise StateError(
                f"state version {state.version} is newer than {STATE_VERSION}, which this Kolumn knows. "
                "Upgrade Kolumn.",
                code="state_version_unknown",
            )
        if state.provider and state.provider.split(".")[0] != self._provider:
            raise StateError(
                f"this state belongs to provider {state.provider}, not to {self._provider}.",
                code="state_provider_mismatch",
            )
        if self._fresh:
            return
        if given < _version(self._version):
            raise StateError(
                f"state version conflict: {state.version} is older than {self._version}.",
                code="state_version_conflict",
            )
        if lineage is not None and lineage != self._lineage:
            raise StateError(
                "this state has another lineage: it describes another project. Pull the state again.",
                code="state_lineage_mismatch",
                details={"lineage": lineage, "expected": self._lineage},
            )
        if serial < self._serial:
            raise StateError(
                f"state version conflict: serial {serial} is older than {self._serial}. "
                "Pull the state again.",
                code="state_version_conflict",
                details={"serial": serial, "expected": self._serial},
            )

    @property
    def provider(self) -> str:
        """The provider whose state it is."""
        return self._provider

    @property
    def engine_version(self) -> str:
        """The version of Kolumn that makes the digests."""
        return self._engine_version

    @property
    def lineage(self) -> str:
        """What keys the digests of this history."""
        return self._lineage

    def get(self, key: ResourceKey) -> Managed | None:
        """Return what is managed under `key`, or None."""
        with self._lock:
            instance = self._instances.get(key)
        if instance is None or instance.status != "active":
            return None
        return _managed(key, instance)

    def managed(self) -> Iterable[tuple[ResourceKey, Managed]]:
        """Yield every managed resource with its key."""
        with self._lock:
            entries = list(self._instances.items())
        for key, instance in entries:
            if instance.status == "active":
                yield key, _managed(key, instance)

    def config_digest(self, resource: PlanResource) -> str:
        """Return a digest of what a request asks for, keyed so that it says nothing to others."""
        return config_digest(
            resource.config, resource.ignore_changes, self._engine_version, lineage=self._lineage
        )

    def record(
        self,
        changes: Iterable[ResourceChange],
        requests: Mapping[ResourceKey, PlanResource],
        live: Snapshot,
        locations: Mapping[Ref, str] = MappingProxyType({}),
    ) -> None:
        """Write what was applied: one entry per resource that `live` has or implies, none for others.

        What was deleted stays, `quarantined`, where `locations` says where it waits.
        """
        now = Timestamp.utc_now()
        with self._lock:
            for change in changes:
                request = requests.get(change.key)  # None for what was pruned
                if request is None or request.action == "delete" or not _is_there(change, live):
                    gone = self._instances.pop(change.key, None)
                    if gone is not None and (place := locations.get(change.ref)):
                        self._instances[change.key] = _quarantined(gone, place, now)
                    continue
                before = self._instances.get(change.key)
                self._instances[change.key] = self._instance(change, request, live, before, now)
            self._metadata["last_apply"] = str(now)
            self._touch(now)

    def annotation(self, key: str) -> Any:
        """Return what `annotate` noted, or the host brought along; None where there is nothing."""
        with self._lock:
            return self._metadata.get(key)

    def annotate(self, key: str, value: Any) -> None:
        """Keep a fact about the database that is no resource, among the state's metadata."""
        with self._lock:
            self._metadata[key] = value

    def _instance(
        self,
        change: ResourceChange,
        request: PlanResource,
        live: Snapshot,
        before: ResourceInstance | None,
        now: Timestamp,
    ) -> ResourceInstance:
        state: dict[str, Any] = {"identity": change.ref.identity, "digest": live.digest(change.ref)}
        digest = self.config_digest(request)
        if (
            before is not None
            and before.metadata.get("config_digest") == digest
            and (LIVE in before.state or not _needs_memory(change, request))
            and all(before.state.get(name) == each for name, each in state.items())
        ):
            return before
        if _needs_memory(change, request):
            state |= self._memory(change, request.config, live)
        return ResourceInstance(
            type=f"{self._provider}_{change.key.type}",
            name=change.key.name,
            provider=self._provider,
            status="active",
            config=request.config,
            state=state,
            metadata={
                "created_by": "kolumn",
                "managed": True,
                "config_digest": digest,
                "digested_by": self._engine_version,
                "ref": list(change.ref),
                **({"ignore_changes": list(request.ignore_changes)} if request.ignore_changes else {}),
            },
            created_at=before.created_at if before is not None else now,
            updated_at=now,
        )

    def _memory(self, change: ResourceChange, config: Mapping[str, Any], live: Snapshot) -> dict[str, Any]:
        model = live.get(change.ref)
        if model is None and change.after is not None:
            model = change.handler.implied(change.after, live)
        if model is None:
            return {}
        concealed = conceal(change.handler.concealed(model), self._lineage)
        return {
            LIVE: remember(config, change.handler.config(model)),
            **({CONCEALED: concealed} if concealed else {}),
        }

    def bring_back(
        self, live: Snapshot, names: Mapping[Ref, str], keep: Callable[[ResourceKey], bool]
    ) -> list[Ref]:
        """Manage again what came back from quarantine; `names` says what state called it.

        It is compared in full by the next plan: what nobody may read, such as a password, has not come back.
        Entries that nobody keeps are forgotten. Returns what is managed again.
        """
        now = Timestamp.utc_now()
        found: list[Ref] = []
        with self._lock:
            for ref, name in names.items():
                key = ResourceKey(ref.type, name)
                instance = self._instances.get(key)
                if instance is None or instance.status != "quarantined" or ref not in live:
                    continue
                if not keep(key):
                    del self._instances[key]
                    continue
                outdated = ("quarantine_location", "config_digest")
                metadata = {k: v for k, v in instance.metadata.items() if k not in outdated}
                self._instances[key] = msgspec.structs.replace(
                    instance,
                    status="active",
                    state={"identity": ref.identity, "digest": live.digest(ref)},
                    metadata={**metadata, "managed": True, "ref": list(ref)},
                    updated_at=now,
                )
                found.append(ref)
            self._touch(now)
        return found

    def forget_quarantined(self, names: Mapping[Ref, str]) -> None:
        """Forget what was in quarantine and is gone for good."""
        with self._lock:
            for ref, name in names.items():
                instance = self._instances.get(ResourceKey(ref.type, name))
                if instance is not None and instance.status == "quarantined":
                    del self._instances[ResourceKey(ref.type, name)]
            self._touch(Timestamp.utc_now())

    def _touch(self, now: Timestamp) -> None:
        self._serial += 1
        self.revision += 1
        self._fresh = False
        self._updated = now

    def _key(self, instance: ResourceInstance) -> ResourceKey:
        return ResourceKey(instance.type.removeprefix(f"{self._provider}_"), instance.name)


def _needs_memory(change: ResourceChange, request: PlanResource) -> bool:
    """Whether the live object can be otherwise than asked for and still be as it should."""
    return bool(request.ignore_changes) or keeps(change.handler.model)


def config_digest(
    config: Mapping[str, Any], ignore_changes: Sequence[str], engine_version: str, *, lineage: str
) -> str:
    """Return the digest that a state of `lineage` keeps of what one version of the engine was asked for."""
    asked = (config, ignore_changes, engine_version)
    key = lineage.encode()[:64]
    return hashlib.blake2b(msgspec.json.encode(asked), digest_size=16, key=key).hexdigest()


def managed(provider: str, instance: ResourceInstance) -> tuple[ResourceKey, Managed]:
    """Return a resource in state as the engine uses it, with its key."""
    key = ResourceKey(instance.type.removeprefix(f"{provider}_"), instance.name)
    return key, _managed(key, instance)


def _quarantined(instance: ResourceInstance, place: str, now: Timestamp) -> ResourceInstance:
    metadata = {**instance.metadata, "managed": False, "quarantine_location": place}
    return msgspec.structs.replace(instance, status="quarantined", metadata=metadata, updated_at=now)


def _is_there(change: ResourceChange, live: Snapshot) -> bool:
    if change.ref in live:
        return True
    return change.after is not None and change.handler.implied(change.after, live) is not None


def _managed(key: ResourceKey, instance: ResourceInstance) -> Managed:
    ref = _ref(instance.metadata.get("ref"))
    if ref is None:
        config = instance.config
        ref = Ref(key.type, str(config.get("name") or key.name), str(config.get("schema") or ""))
    digest, config_digest = instance.state.get("digest"), instance.metadata.get("config_digest")
    return Managed(
        ref,
        digest if isinstance(digest, str) else "",
        config_digest if isinstance(config_digest, str) else "",
        instance,
    )


def _ref(parts: object) -> Ref | None:
    """Return the Ref a state holds as a list; None for anything else."""
    if not isinstance(parts, list | tuple) or len(parts) != len(Ref._fields):
        return None
    type_, name, schema, parent = parts
    # Asked for every resource of every plan: a structural pattern takes six times as long.
    if not (type(type_) is type(name) is type(schema) is type(parent) is str):
        return None
    return Ref(type_, name, schema, parent)


def _version(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("."))
    except ValueError:
        raise ValidationError.of(
            [
                Problem(
                    f"state version {text[:40]!r} is not a version such as {STATE_VERSION}",
                    code="invalid_version",
                    path="$.state.version",
                )
            ]
        ) from None
