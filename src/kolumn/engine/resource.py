"""Resources as the engine sees them: references, models, and a snapshot of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol


class Ref(NamedTuple):
    """What identifies one object in one database. Compares and sorts by its parts."""

    type: str
    """Resource type without provider prefix, e.g. `table`."""
    name: str
    schema: str = ""
    """Empty where the database has no schemas, or for the default one."""
    parent: str = ""
    """For objects named within another one, e.g. a PostgreSQL trigger: that other's name."""

    def __str__(self) -> str:
        return f"{self.type} {self.identity}"

    @property
    def identity(self) -> str:
        """The name with its schema and parent, dots in names doubled as quotes: `main.users`."""
        parts = (part for part in (self.schema, self.parent, self.name) if part)
        return ".".join(f'"{part}"' if "." in part or '"' in part else part for part in parts)


class Model(Protocol):
    """A typed, immutable description of a resource: a frozen dataclass."""

    @property
    def name(self) -> str:
        """Name of the object in the database."""


class Snapshot:
    """What a database holds, read at one moment; immutable, and cheap until a model is asked for.

    `digests` has one entry per object: a digest of what the catalogue says of it, so that two
    readings can be compared without building models. `load` builds the model of one object.
    """

    __slots__ = ("_cache", "_digests", "_layers", "_load")

    def __init__(
        self,
        digests: Mapping[Ref, str],
        load: Callable[[Ref], Any],
        *,
        _layers: tuple[Mapping[Ref, Any], ...] = (),
        _cache: dict[Ref, Any] | None = None,
    ) -> None:
        self._digests = digests
        self._load = load
        self._layers = _layers
        self._cache: dict[Ref, Any] = {} if _cache is None else _cache

    def __contains__(self, ref: Ref) -> bool:
        for layer in self._layers:
            if ref in layer:
                return layer[ref] is not None
        return ref in self._digests

    def get(self, ref: Ref) -> Any:
        """Return the model of `ref`, or None where the database has no such object."""
        for layer in self._layers:
            if ref in layer:
                return layer[ref]
        if ref not in self._digests:
            return None
        if ref not in self._cache:
            self._cache[ref] = self._load(ref)
        return self._cache[ref]

    def digest(self, ref: Ref) -> str:
        """Return the digest of what the catalogue says of `ref`, empty if it is not there."""
        return self._digests.get(ref, "")

    def refs(self, *types: str) -> Iterator[Ref]:
        """Yield the objects of the given types (all without any), in a stable order."""
        names = set(self._digests).union(*self._layers)
        for ref in sorted(names):
            if (not types or ref.type in types) and ref in self:
                yield ref

    def with_changes(self, changes: Mapping[Ref, Any]) -> Snapshot:
        """Return a snapshot in which each ref has the given model, or is gone where that is None."""
        # A layer is merged with the one below when it has grown as large: n changes make log n layers.
        layers = self._layers
        while layers and len(layers[0]) <= len(changes):
            changes = {**layers[0], **changes}
            layers = layers[1:]
        return Snapshot(self._digests, self._load, _layers=(changes, *layers), _cache=self._cache)


def fingerprint(snapshot: Snapshot, refs: Iterable[Ref]) -> str:
    """Return a digest of what the catalogue says of `refs`, absent ones included."""
    import hashlib

    digest = hashlib.sha256()
    for ref in sorted(refs):
        digest.update(f"{ref}\0{snapshot.digest(ref)}\n".encode())
    return digest.hexdigest()
