"""A migration as it is asked for: one resource, what it is, what it is to become, and what was renamed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.messages import MigrationRequest, PlanResource
from kolumn.engine.declaration import sensitive_fields
from kolumn.engine.handler import Handler, Registry

_COMPUTED = ("identity", "digest")
"""What ReadResource tells of a resource besides its configuration."""
_ID = 200


class Renamed(NamedTuple):
    """One element of a list of a configuration, e.g. a column."""

    attribute: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What MigrationRequest says, checked."""

    id: str
    handler: Handler[Any]
    name: str
    before: Mapping[str, Any]
    """Empty where the resource does not exist."""
    after: Mapping[str, Any]
    former: Any
    """The model of `before`, None for none."""
    wanted: Any

    @classmethod
    def of(cls, request: MigrationRequest, registry: Registry) -> Migration:
        """Return what a request asks for. Raises ValidationError with every fault."""
        handler = registry.get(request.resource_type)
        problems: list[Problem] = []
        if len(request.migration_id) > _ID:
            problems.append(
                Problem(f"a migration id has at most {_ID} characters", code="too_long", path="migration_id")
            )
        states = {
            path: {name: value for name, value in state.items() if name not in _COMPUTED}
            for path, state in (("from_state", request.from_state), ("to_state", request.to_state))
        }
        models: dict[str, Any] = {}
        for path, state in states.items():
            models[path] = None
            if state:
                try:
                    models[path] = handler.parse(state, request.resource_name)
                except ValidationError as error:
                    problems += [_at(path, problem) for problem in error.problems]
        if not any(states.values()):
            problems.append(
                Problem(
                    "from_state and to_state are both empty: there is nothing to migrate",
                    code="missing_attribute",
                    path="to_state",
                )
            )
        if problems:
            raise ValidationError.of(problems)
        found = cls(
            id=request.migration_id,
            handler=handler,
            name=request.resource_name,
            before=states["from_state"],
            after=states["to_state"],
            former=models["from_state"],
            wanted=models["to_state"],
        )
        found._refuse_other_object()
        return found

    @property
    def checksum(self) -> str:
        """Tells whether two requests ask for the same; sensitive values do not count."""
        content = (self.handler.type, self.name, self.told(self.before), self.told(self.after))
        return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()

    def told(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a state without the values of sensitive attributes."""
        model = self.former if self.former is not None else self.wanted
        secret = sensitive_fields(type(model))
        return {name: value for name, value in state.items() if name not in secret}

    @property
    def forward(self) -> PlanResource:
        """What to plan for the way there."""
        return self._resource(self.after, self.before)

    @property
    def back(self) -> PlanResource:
        """What to plan for the way back."""
        return self._resource(_renamed_back(self.before, self.after), self.after)

    def receiving(self, lost: tuple[str, ...]) -> PlanResource:
        """Return what to plan for the way back as far as lost values can be filled in."""
        target = self.handler.config(self.handler.receiving(self.former, None, lost))
        return self._resource(_renamed_back(target, self.after), self.after)

    @property
    def wished(self) -> PlanResource:
        """What the resource is to be, as it was asked for."""
        return self._plain(self.after)

    @property
    def was(self) -> PlanResource:
        """What the resource was, as it was told."""
        return self._plain(self.before)

    def renamed(self) -> tuple[Renamed, ...]:
        """Return what the way there renames inside the resource."""
        return tuple(_renamed(self.after))

    def _plain(self, state: Mapping[str, Any]) -> PlanResource:
        if not state:
            other = self.after or self.before
            return PlanResource(
                resource_type=self.handler.type, name=self.name, config=other, action="delete"
            )
        return PlanResource(resource_type=self.handler.type, name=self.name, config=state, action="update")

    def _resource(self, state: Mapping[str, Any], other: Mapping[str, Any]) -> PlanResource:
        """Return the request for `state`, which says that the resource was called what `other` calls it."""
        plain = self._plain(state)
        if not state or not other or "renamed_from" in state:
            return plain
        name, former = state.get("name", self.name), other.get("name", self.name)
        if name == former:
            return plain
        return msgspec.structs.replace(plain, config={**state, "renamed_from": former})

    def _refuse_other_object(self) -> None:
        if self.former is None or self.wanted is None:
            return
        before, after = self.handler.ref(self.former), self.handler.ref(self.wanted)
        if before != after and before._replace(name=after.name) != after:
            raise ValidationError.of(
                [
                    Problem(
                        f"{before} cannot become {after}: a migration is about one object",
                        code="other_object",
                        path="to_state",
                        hint="Make two migrations: one that creates, one that drops.",
                    )
                ]
            )


def _at(path: str, problem: Problem) -> Problem:
    import dataclasses

    return dataclasses.replace(problem, path=f"{path}.{problem.path}" if problem.path else path)


def _renamed(state: Mapping[str, Any]) -> list[Renamed]:
    found = []
    for attribute, value in state.items():
        for each in value if isinstance(value, list | tuple) else ():
            if isinstance(each, Mapping) and each.get("renamed_from") and each.get("name"):
                found.append(Renamed(attribute, str(each["renamed_from"]), str(each["name"])))
    return found


def _renamed_back(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return `before` saying what its elements are called in `after`, where that renamed them."""
    state = dict(before)
    for attribute, old, new in _renamed(after):
        state[attribute] = [
            {**each, "renamed_from": new} if isinstance(each, Mapping) and each.get("name") == old else each
            for each in state.get(attribute, ())
        ]
    # What it was called before it was what it was is no matter on the way back.
    state.pop("renamed_from", None)
    return state
