"""What moves into the quarantine and out of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kolumn.engine.operations import NOTHING, Drop, Operation
from kolumn.engine.quarantine.place import Place
from kolumn.engine.resource import Ref


@dataclass(frozen=True, kw_only=True)
class MoveAside(Drop):
    """Move an object, `model` without what ties it to others, to where it waits."""

    at: Place
    was: Any
    """The object's model with its owner and all that `model` is without."""
    along: Mapping[Ref, Any] = dataclasses.field(default_factory=dict)
    """What moves with it, e.g. indexes."""

    def describe(self) -> str:
        """Return `move <object> to quarantine`."""
        return f"move {self.subject} to quarantine ({self.at})"

    def inverse(self) -> Operation:
        """Return the way back."""
        return MoveBack(subject=self.subject, model=self.model, at=self.at, was=self.was, along=self.along)

    def effect(self) -> Mapping[Ref, Any]:
        """Return that the object, and what moves with it, is gone."""
        return {self.subject: None, **dict.fromkeys(self.along)}


@dataclass(frozen=True, kw_only=True)
class MoveBack(Operation):
    """Move an object back to where it was."""

    model: Any
    at: Place
    was: Any
    along: Mapping[Ref, Any] = dataclasses.field(default_factory=dict)
    uses: frozenset[Ref] = NOTHING

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", self.requires | self.uses)
        object.__setattr__(self, "provides", self.provides | {self.subject, *self.along})

    def describe(self) -> str:
        """Return `bring <object> back from quarantine`."""
        return f"bring {self.subject} back from quarantine ({self.at})"

    def inverse(self) -> Operation:
        """Return the move."""
        return MoveAside(subject=self.subject, model=self.model, at=self.at, was=self.was, along=self.along)

    def effect(self) -> Mapping[Ref, Any]:
        """Return the object as it waited."""
        return {self.subject: self.model, **self.along}


@dataclass(frozen=True, kw_only=True)
class _Values(Operation):
    """What is done with the values of one column; the table itself stays as it is."""

    at: Place
    column: str
    key: tuple[str, ...]
    """Columns that tell rows apart, of the table then; empty: all others, and a number among equal rows."""
    others: tuple[str, ...] = ()
    """All others that have values of their own, where there is no key."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "alters", self.alters | {self.subject})

    def effect(self) -> Mapping[Ref, Any]:
        """Return nothing: models do not tell values."""
        return {}


@dataclass(frozen=True, kw_only=True)
class KeepValues(_Values):
    """Copy the values of a column, with what tells their rows apart, to where they wait."""

    def describe(self) -> str:
        """Return `keep the values of <column>`."""
        return f"keep the values of column {self.column} of {self.subject} in quarantine ({self.at})"

    def inverse(self) -> Operation:
        """Return that the copy is removed."""
        return DiscardValues(subject=self.subject, at=self.at, column=self.column, key=self.key)


@dataclass(frozen=True, kw_only=True)
class NoteValues(_Values):
    """Note beside kept values what became of them, so that values changed later are not overwritten."""

    def describe(self) -> str:
        """Return `note what became of the values of <column>`."""
        return f"note what became of the values of column {self.column} of {self.subject}"

    def inverse(self) -> Operation:
        """Return the same: the note goes with the copy."""
        return self


@dataclass(frozen=True, kw_only=True)
class LeaveChanged(_Values):
    """Give up the kept values of rows whose values were changed since: what is newer stays."""

    def describe(self) -> str:
        """Return `leave values of <column> that were changed since`."""
        return f"leave values of column {self.column} of {self.subject} that were changed since"

    def inverse(self) -> Operation:
        """Return the same: asked again, it finds nothing more."""
        return self


@dataclass(frozen=True, kw_only=True)
class PutBackValues(_Values):
    """Put kept values back into their rows, and remove the copy."""

    changed: bool = False
    """Whether the column was there meanwhile, with other values."""

    def describe(self) -> str:
        """Return `put the values of <column> back`."""
        return f"put the values of column {self.column} of {self.subject} back"

    def inverse(self) -> None:
        """Return nothing."""
        return


@dataclass(frozen=True, kw_only=True)
class DiscardValues(_Values):
    """Remove kept values for good."""

    def describe(self) -> str:
        """Return `remove the kept values of <column>`."""
        return f"remove the kept values of column {self.column} of {self.subject}"

    def inverse(self) -> None:
        """Return nothing: they are gone."""
        return


@dataclass(frozen=True, kw_only=True)
class Purge(Operation):
    """Remove for good what waits, and its entry."""

    name: str

    def describe(self) -> str:
        """Return `purge <name>`."""
        return f"purge {self.name} from quarantine"

    def inverse(self) -> None:
        """Return nothing: it is gone."""
        return

    def effect(self) -> Mapping[Ref, Any]:
        """Return nothing: what waits is in no snapshot."""
        return {}


@dataclass(frozen=True, kw_only=True)
class TakeOffList(Purge):
    """Remove the entry of what came back."""

    def describe(self) -> str:
        """Return `take <name> off the list`."""
        return f"take {self.name} off the list of the quarantine"


QUARANTINE = (MoveAside, MoveBack, _Values)
"""The operations that `Quarantine.compile` knows."""
