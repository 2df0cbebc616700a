"""Asks rules of the configuration about the things of a plan, or only whether they could be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from kolumn.config.project import UNKNOWN, PolicyConfig, ResourceConfig, Unknown
from kolumn.contract import messages as m
from kolumn.contract.errors import Problem
from kolumn.contract.schema import ObjectType
from kolumn.host.plan_document import change_document, review_document, step_document
from kolumn.host.policies.facts import Facts, Resource
from kolumn.host.results import Change, Review, Violation

if TYPE_CHECKING:
    from kolumn.host.policies.in_force import BuiltIn, OwnRule


class Thing(NamedTuple):
    """Something a rule is asked about, with the values of the names it may use."""

    address: str
    variables: Mapping[str, Any]


class Documents:
    """A plan as expressions see it; each part is made when a rule first needs it."""

    def __init__(self, review: Review, facts: Facts) -> None:
        self._review = review
        self._facts = facts

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The whole plan, as `--json` prints it, without what policies say."""
        document = review_document(self._review)
        del document["policies"]
        document["resources"] = self.changes
        return document

    @cached_property
    def changes(self) -> list[dict[str, Any]]:
        """The changes, in their order."""
        return [change_with_unknowns(change) for change in self._review.changes]

    @cached_property
    def resources(self) -> Mapping[str, dict[str, Any]]:
        """The resources of the configuration by address."""
        return {address: each.document() for address, each in self._facts.resources.items()}

    def things(self, subject: str, names: frozenset[str]) -> Iterator[Thing]:
        """Yield what a rule about `subject` is asked about; only `names` are filled in."""
        shared = {"plan": self.plan} if "plan" in names else {}
        if subject == "plan":
            yield Thing("", shared)
        elif subject in ("resource", "column"):
            for address, document in self.resources.items():
                known = {**shared, "resource": document}
                if subject == "resource":
                    yield Thing(address, known)
                else:
                    for column in document["columns"]:
                        yield Thing(address, {**known, "column": column})
        else:
            yield from self._changed(subject, names, shared)

    def _changed(self, subject: str, names: frozenset[str], shared: Mapping[str, Any]) -> Iterator[Thing]:
        for change, document in zip(self._review.changes, self.changes, strict=True):
            known = {**shared, "change": document}
            if "resource" in names:
                known["resource"] = self.resources.get(change.address) or _gone(change)
            if subject == "change":
                yield Thing(change.address, known)
            else:
                for step in document["steps"]:
                    yield Thing(change.address, {**known, "step": step})


def change_with_unknowns(change: Change) -> dict[str, Any]:
    """Return a change as expressions see it: what nobody knows is unknown rather than null."""
    document = change_document(change)
    for step in document["steps"]:
        if step["rows"] is None:
            step["rows"] = UNKNOWN
    return document


def _gone(change: Change) -> dict[str, Any]:
    """Return what stands for the configuration of a resource that has none any more."""
    written = ResourceConfig(
        address=change.address,
        type=change.type,
        name=change.address.rpartition(".")[2],
        provider=change.provider,
        config={},
    )
    return Resource(written, None).document()


def ask(rules: Sequence[OwnRule], documents: Documents) -> tuple[list[Violation], list[Problem]]:
    """Return what rules have against a plan, and the faults of rules that cannot be asked.

    A rule with a fault says it once.
    """
    from kolumn.config.diagnostics import Fault
    from kolumn.config.predicates import problem_of, sandbox

    violations: list[Violation] = []
    problems: list[Problem] = []
    by_subject: dict[str, list[OwnRule]] = {}
    for rule in rules:
        if rule.when.constant and rule.when.decide(sandbox({})) is False:
            continue
        by_subject.setdefault(rule.config.subject, []).append(rule)
    for subject, asked in by_subject.items():
        remaining = list(asked)
        names = frozenset[str]().union(*(each.names for rule in asked for each in rule.expressions))
        for address, variables in documents.things(subject, names):
            frame = sandbox(variables)
            for rule in list(remaining):
                if address in rule.exceptions:
                    continue
                try:
                    violation = _asked(rule, address, frame, documents)
                except Fault as fault:
                    problems.append(problem_of(fault, rule.config.name, rule.config.location))
                    remaining.remove(rule)
                    continue
                if violation is not None:
                    violations.append(violation)
    return violations, problems


def _asked(rule: OwnRule, address: str, frame: Any, documents: Documents) -> Violation | None:
    applies = rule.when.decide(frame)
    if applies is False:
        return None
    decided = rule.condition.decide(frame)
    if decided is rule.config.requires:
        return None
    unknown = isinstance(applies, Unknown) or isinstance(decided, Unknown)
    message = rule.message.text(frame) or rule.config.description or f"{rule.config.name} is violated"
    place = documents.resources.get(address, {})
    return Violation(
        policy=rule.config.name,
        severity=rule.severity,
        outcome="unknown" if unknown else "violated",
        address=address,
        message=message,
        hint=rule.hint.text(frame),
        url=rule.config.url,
        file=place.get("file") or "",
        line=place.get("line") or 0,
        overridable=bool(rule.config.overridable),
    )


def rehearse(rules: Sequence[OwnRule], settings: Sequence[BuiltIn]) -> list[Problem]:
    """Return the faults that expressions have whatever a plan holds, such as an attribute that nothing has.

    They are asked about things of which nothing is known but what attributes they have.
    """
    from kolumn.config.diagnostics import Fault
    from kolumn.config.policies import SETTINGS_NAMES, SUBJECTS
    from kolumn.config.predicates import problem_of, sandbox

    shapes = _shapes()
    asked: list[tuple[PolicyConfig, tuple[str, ...], tuple[Callable[[Any], Any], ...]]] = [
        (
            rule.config,
            SUBJECTS[rule.config.subject],
            (rule.when.decide, rule.condition.decide, rule.message.text, rule.hint.text),
        )
        for rule in rules
    ]
    asked += [
        (each.config, SETTINGS_NAMES, (each.when.decide,))
        for each in settings
        if each.config is not None and each.when is not None
    ]
    problems = []
    for config, names, expressions in asked:
        frame = sandbox({name: shapes[name] for name in names})
        for run in expressions:
            try:
                run(frame)
            except Fault as fault:
                problems.append(problem_of(fault, config.name, config.location))
    return problems


def _shapes() -> Mapping[str, Any]:
    """Return things of each sort with every attribute unknown."""
    step = m.PlanStep(order=1, resource_type="table", name="t")
    change = Change(address="x.y", type="x", provider="x", action="create")
    resource = Resource(
        ResourceConfig(address="x.y", type="x", name="y", provider="x", config={}), ObjectType()
    )
    plan = review_document(Review())
    del plan["policies"]
    return {
        "step": _unknown(step_document(step)),
        "change": _unknown(change_document(change)),
        "resource": _unknown(resource.document()),
        "column": UNKNOWN,
        "plan": {**_unknown(plan), "summary": _unknown(plan["summary"])},
    }


def _unknown(document: Mapping[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(document, UNKNOWN)
