"""Operations: one change between two models; knows its inverse, its risk, its needs and its gifts.

Steps and statements, of which a plan may have tens of thousands, are msgspec Structs: made in a fifth of a
dataclass's time, and changed with `msgspec.structs.replace`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from kolumn.engine.resource import Ref

NOTHING: frozenset[Ref] = frozenset()


@dataclass(frozen=True, slots=True)
class Offenders:
    """Rows that a change would fail on."""

    table: str
    """What they belong to, as people call it."""
    count: int
    key: tuple[str, ...] = ()
    """What the values in `keys` are called."""
    keys: tuple[tuple[Any, ...], ...] = ()
    """Values that tell some of them apart, as JSON has them; none where they must not be shown."""
    more: bool = False
    """Whether `keys` are only the first."""

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON data."""
        return {"table": self.table, "count": self.count, "key": [*self.key], "keys": [*map(list, self.keys)]}


@dataclass(frozen=True, slots=True)
class Risk:
    """A danger a reviewer must see. Kinds are those of the contract's PlanRisk."""

    kind: str
    """`data_loss`, `table_rewrite`, `long_lock`, `may_fail`, `irreversible`."""
    message: str
    offenders: Offenders | None = None
    """`may_fail`: the rows it does fail on, where they were counted (see `engine.validation`)."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One change of one resource. Subclasses say what it is; the engine orders and runs it.

    The four sets order operations among each other (see `engine.planning.graph`):
    what must be there first, what is there afterwards, what is gone afterwards, and what the old
    object depended on and no longer does.
    """

    RENAMES: ClassVar[bool] = False
    """Whether what refers to the subject follows it: see `Handler.follow`."""

    subject: Ref
    """The resource this belongs to."""
    requires: frozenset[Ref] = NOTHING
    provides: frozenset[Ref] = NOTHING
    removes: frozenset[Ref] = NOTHING
    releases: frozenset[Ref] = NOTHING
    alters: frozenset[Ref] = NOTHING
    """Objects that stay but change: dependents dropped before, re-created after."""
    guesses: frozenset[Ref] = NOTHING
    """What of `requires` and `releases` was read out of a text and may mean something else: given up where it
    would make a cycle."""
    place: int = 0
    """-1 for what should come before everything it can, e.g. an extension; 1 for what should come last."""
    risks: tuple[Risk, ...] = ()

    def describe(self) -> str:
        """Return what it does in words, e.g. `create table users`."""
        raise NotImplementedError

    def inverse(self) -> Operation | None:
        """Return the operation that takes this one back, None where nothing does."""
        raise NotImplementedError

    def effect(self) -> Mapping[Ref, Any]:
        """Return what it leaves in the snapshot: the model per ref, None for what is gone."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Create(Operation):
    """Create an object that is not there."""

    model: Any
    uses: frozenset[Ref] = NOTHING
    """What the object depends on."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", self.requires | self.uses)
        object.__setattr__(self, "provides", self.provides | {self.subject})

    def describe(self) -> str:
        """Return `create <object>`."""
        return f"create {self.subject}"

    def inverse(self) -> Operation:
        """Return the drop of the same object."""
        return Drop(
            subject=self.subject,
            model=self.model,
            uses=self.uses,
            guesses=self.guesses,
            removes=self.provides,
            place=-self.place,
        )

    def effect(self) -> Mapping[Ref, Any]:
        """Return the new model."""
        return {self.subject: self.model}


@dataclass(frozen=True, kw_only=True)
class Drop(Operation):
    """Drop an object that is there."""

    model: Any
    uses: frozenset[Ref] = NOTHING

    def __post_init__(self) -> None:
        object.__setattr__(self, "releases", self.releases | self.uses)
        object.__setattr__(self, "removes", self.removes | {self.subject})

    def describe(self) -> str:
        """Return `drop <object>`."""
        return f"drop {self.subject}"

    def inverse(self) -> Operation:
        """Return the creation of the same object; data it held does not come back with it."""
        return Create(
            subject=self.subject,
            model=self.model,
            uses=self.uses,
            guesses=self.guesses,
            provides=self.removes,
            place=-self.place,
        )

    def effect(self) -> Mapping[Ref, Any]:
        """Return that the object is gone."""
        return {self.subject: None}


@dataclass(frozen=True, kw_only=True)
class Rename(Operation):
    """Give an object another name; `before` and `after` are its models, alike but for the name."""

    RENAMES: ClassVar[bool] = True

    before: Any
    after: Any
    target: Ref

    def __post_init__(self) -> None:
        object.__setattr__(self, "removes", self.removes | {self.subject})
        object.__setattr__(self, "provides", self.provides | {self.target})

    def describe(self) -> str:
        """Return `rename <object> to <name>`."""
        return f"rename {self.subject} to {self.target.identity}"

    def inverse(self) -> Operation:
        """Return the renaming back."""
        return Rename(
            subject=self.target,
            before=self.after,
            after=self.before,
            target=self.subject,
            removes=self.provides,
            provides=self.removes,
        )

    def effect(self) -> Mapping[Ref, Any]:
        """Return the model under its new name."""
        return {self.subject: None, self.target: self.after}


@dataclass(frozen=True, kw_only=True)
class Alter(Operation):
    """Change an object in place; compilers know how far their database goes."""

    before: Any
    after: Any
    words: str = ""
    """What changes, for people, e.g. `add column email`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "alters", self.alters | {self.subject})

    def describe(self) -> str:
        """Return what changes."""
        return f"alter {self.subject}: {self.words}" if self.words else f"alter {self.subject}"

    def inverse(self) -> Operation | None:
        """Return the change back."""
        return type(self)(subject=self.subject, before=self.after, after=self.before, words=self.words)

    def effect(self) -> Mapping[Ref, Any]:
        """Return the changed model."""
        return {self.subject: self.after}


class Statement(msgspec.Struct, frozen=True):
    """One thing sent to a database: SQL, or a call spelled as text, with its values apart.

    The text is shown in plans, logs and errors as it is, so a secret is never in it but among the
    parameters, as a SecureString. Sessions reveal it to the database alone, also where that takes no
    parameters.
    """

    text: str
    parameters: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"Statement({self.text!r})"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An operation compiled for one database: what is run, how it is undone, what it risks."""

    operation: Operation
    description: str
    statements: tuple[Statement, ...]
    undo: tuple[Statement, ...] | None = None
    """What takes it back in shape; None where nothing does. Lost rows stay lost (see risks)."""
    risks: tuple[Risk, ...] = ()
    cleared: tuple[str, ...] = ()
    """Messages of risks on rows that are there already: they were counted, and none is in the way."""
    lock: str = ""
    """The lock it takes, in the database's own words."""
    rewrites: bool = False
    """Whether it copies every row of a table."""
    transactional: bool = True
    """Whether it may run inside a transaction."""
    needs: frozenset[str] = frozenset()
    """What the session must arrange around the transaction, in the provider's own terms."""
    checks: tuple[Statement, ...] = ()
    """Queries that return no row when it worked."""
    timeout: float | None = None
    """Seconds after which its statements are stopped; None for the plan's deadline."""
    cleanup: tuple[Statement, ...] = ()
    """What removes the remains of a step that failed half-way outside of a transaction."""
    alone: bool = False
    """Whether it gets a transaction to itself, so that its locks are held for its own time only."""
    attempts: int = 1
    """How often it may be tried, in all, while others hold a lock it needs (error code `lock_timeout`)."""
    pause: float = 1.0
    """Seconds between the first two attempts; each further pause is twice as long."""

    @property
    def subject(self) -> Ref:
        """The resource this step belongs to."""
        return self.operation.subject
