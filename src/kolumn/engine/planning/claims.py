"""Parts of an object that are declared apart from it, e.g. a foreign key of a table as a resource of its own.

The database knows such a part as one of its owner, and so does the owner's live model. Whoever declares it apart
claims it: the owner is compared without it, and what stands in the way of a change is then the claimant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kolumn.contract.errors import Problem
from kolumn.engine.handler import Handler
from kolumn.engine.resource import Ref


class Claim(NamedTuple):
    """A part that is an object of its own."""

    owner: Ref
    part: Ref
    """What the owner calls it."""
    ref: Ref
    """The object it is."""


class Claims:
    """The parts that are declared apart from their owners."""

    def __init__(self, claims: Iterable[Claim] = ()) -> None:
        self._by_owner: dict[Ref, list[Claim]] = {}
        self.by_part: dict[Ref, Ref] = {}
        """What each part is as an object of its own."""
        for each in claims:
            self._by_owner.setdefault(each.owner, []).append(each)
            self.by_part[each.part] = each.ref

    @classmethod
    def of(cls, models: Iterable[tuple[Handler[Any], Ref, Any]]) -> Claims:
        """Return the claims of objects: their handlers, refs and models."""
        found = []
        for handler, ref, model in models:
            place = handler.part_of(model)
            if place is not None:
                found.append(Claim(*place, ref))
        return cls(found)

    def without(self, handler: Handler[Any], ref: Ref, model: Any) -> Any:
        """Return a live model without the parts that others claim."""
        for each in self._by_owner.get(ref, ()):
            model = handler.without(model, each.part)
        return model

    def problems(self, handler: Handler[Any], ref: Ref, model: Any) -> Iterable[Problem]:
        """Yield the parts that a wanted model declares as well."""
        for each in self._by_owner.get(ref, ()):
            if handler.part(model, each.part) is not None:
                yield Problem(
                    f"{ref} declares {each.part.name} itself, and so does {each.ref}",
                    code="duplicate_object",
                    resource=str(ref),
                    hint="Declare it in one place only.",
                )
