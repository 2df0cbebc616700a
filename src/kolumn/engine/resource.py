"""Resources as the engine sees them: references, models, and a snapshot of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar


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
        if not self.schema and not self.parent and "." not in self.name and '"' not in self.name:
            return self.name
        parts = (part for part in (self.schema, self.parent, self.name) if part)
        return ".".join(f'"{part}"' if "." in part or '"' in part else part for part in parts)

    def moment(self, what: str) -> Ref:
        """Return a ref for a moment in the object's life, e.g. `gone`: operations wait for it like for an object."""
        return self._replace(type=f"{what} {self.type}")


class Model(Protocol):
    """A typed, immutable description of a resource: a frozen dataclass."""

    @property
    def name(self) -> str:
        """Name of the object in the database."""


Owner = Callable[[Ref, Any], Ref | None]
"""Says which object another one belongs to and goes with, e.g. an index to its table; None for neither."""


class Dependents:
    """What the catalogue says cannot stand without an object, or without a part of it such as a column.

    Read when first asked for: a plan with nothing to do never asks.
    """

    __slots__ = ("_found", "_read")

    def __init__(self, read: Callable[[], Mapping[Ref, tuple[Ref, ...]]] = dict) -> None:
        self._read = read
        self._found: Mapping[Ref, tuple[Ref, ...]] | None = None

    def of(self, ref: Ref) -> tuple[Ref, ...]:
        """Return what depends on an object, or on a part of one."""
        return self._all().get(ref, ())

    def same(self, other: Dependents) -> bool:
        """Whether two readings say the same, as far as anybody wanted to know."""
        if self._found is None and other._found is None:
            return True
        return self._all() == other._all()

    def _all(self) -> Mapping[Ref, tuple[Ref, ...]]:
        if self._found is None:
            self._found = self._read()
        return self._found


def stands_alone(_ref: Ref, _model: Any) -> Ref | None:
    """Return None: the object belongs to no other one."""
    return None


class Snapshot:
    """What a database holds, read at one moment; immutable, and cheap until a model is asked for.

    `digests` has one entry per object: a digest of what the catalogue says of it, so that two
    readings can be compared without building models. `load` builds the model of one object.
    `attached` lists what belongs to an object, `owner` says the same of one model.
    `aside` are objects that count only where they are named: those that this database shares
    with others, that every database has, or that are part of another object.
    """

    __slots__ = (
        "_attached",
        "_attached_layers",
        "_cache",
        "_dependents",
        "_digests",
        "_layers",
        "_load",
        "_owner",
        "_owners",
        "aside",
    )

    def __init__(
        self,
        digests: Mapping[Ref, str],
        load: Callable[[Ref], Any],
        *,
        attached: Mapping[Ref, tuple[Ref, ...]] | None = None,
        owner: Owner = stands_alone,
        dependents: Dependents | None = None,
        aside: frozenset[Ref] = frozenset(),
    ) -> None:
        self.aside = aside
        self._dependents = Dependents() if dependents is None else dependents
        self._digests = digests
        self._load = load
        self._attached: Mapping[Ref, tuple[Ref, ...]] = {} if attached is None else attached
        self._owner = owner
        self._owners: Mapping[Ref, Ref] | None = None
        self._layers: tuple[Mapping[Ref, Any], ...] = ()
        self._attached_layers: tuple[Mapping[Ref, tuple[Ref, ...]], ...] = ()
        self._cache: dict[Ref, Any] = {}

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
        for ref in sorted(ref for ref in names if not types or ref.type in types):
            if ref in self:
                yield ref

    def attached(self, owner: Ref) -> tuple[Ref, ...]:
        """Return what belongs to `owner`, spelled as the catalogue's owners are."""
        for layer in self._attached_layers:
            if owner in layer:
                return layer[owner]
        return self._attached.get(owner, ())

    def owner(self, ref: Ref) -> Ref | None:
        """Return what `ref` belonged to when the catalogue was read, None for nothing."""
        if self._owners is None:
            self._owners = {each: owner for owner, refs in self._attached.items() for each in refs}
        return self._owners.get(ref)

    def dependents(self, ref: Ref) -> tuple[Ref, ...]:
        """Return what the catalogue says depends on `ref`, an object or a part of one, as it was read."""
        return self._dependents.of(ref)

    def same(self, other: Snapshot) -> bool:
        """Whether two readings of a database say the same, changes put on them included."""
        return (
            self._layers == other._layers
            and self._digests == other._digests
            and self._attached == other._attached
            and self.aside == other.aside
            and self._dependents.same(other._dependents)
        )

    def with_changes(self, changes: Mapping[Ref, Any]) -> Snapshot:
        """Return a snapshot in which each ref has the given model, or is gone where that is None."""
        changed = Snapshot(
            self._digests,
            self._load,
            attached=self._attached,
            owner=self._owner,
            dependents=self._dependents,
            aside=self.aside,
        )
        changed._layers = _stacked(changes, self._layers)
        changed._attached_layers = _stacked(self._moved(changes), self._attached_layers)
        changed._cache = self._cache
        return changed

    def _moved(self, changes: Mapping[Ref, Any]) -> Mapping[Ref, tuple[Ref, ...]]:
        """Return what then belongs to each owner that gains or loses something."""
        moved: dict[Ref, tuple[Ref, ...]] = {}
        for ref, model in changes.items():
            live = self.get(ref)
            before = self._owner(ref, live) if live is not None else None
            after = self._owner(ref, model) if model is not None else None
            if before != after:
                for owner, kept in ((before, ()), (after, (ref,))):
                    if owner is not None:
                        others = moved.get(owner, self.attached(owner))
                        moved[owner] = (*(other for other in others if other != ref), *kept)
        return moved


V = TypeVar("V")


def _stacked(changes: Mapping[Ref, V], layers: tuple[Mapping[Ref, V], ...]) -> tuple[Mapping[Ref, V], ...]:
    """Put `changes` on `layers`; one as large as the next is merged with it: n changes make log n layers."""
    while layers and len(layers[0]) <= len(changes):
        changes = {**layers[0], **changes}
        layers = layers[1:]
    return (changes, *layers)
