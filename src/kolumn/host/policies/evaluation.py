"""Evaluates all policies of a project over a plan, and keeps a plan that one forbids from being carried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from kolumn.config.project import Project, Unknown
from kolumn.contract.errors import Location, Problem, ValidationError
from kolumn.contract.masking import mask
from kolumn.host.addresses import bare_type
from kolumn.host.policies import in_force
from kolumn.host.policies.asking import Documents, ask, change_with_unknowns
from kolumn.host.policies.facts import Facts, Schemas
from kolumn.host.policies.in_force import BuiltIn
from kolumn.host.results import Change, Review, Violation
from kolumn.host.sealing import Veil

_ORDER = {"error": 0, "warning": 1, "info": 2}
_LISTED = 50
"""How many violations a refusal names."""
_IDLE = frozenset({"move", "forget", "refresh", "unchanged"})
"""What happens in the state alone."""


def judge(review: Review, project: Project, schemas: Schemas) -> Review:
    """Return a plan with what the policies of the project say of it.

    Raises ValidationError with every fault of a policy: one that cannot be asked is no permission.
    """
    policies = in_force.of(project)
    facts = Facts(review.changes, project.resources, schemas)
    violations = list(_built_in(policies.builtin, facts, project))
    own = [each for each in policies.own if each.enabled]
    if own:
        found, problems = ask(own, Documents(review, facts))
        if problems:
            raise ValidationError.of(problems)
        violations += found
    if not violations:
        return review
    veil = Veil(project.secrets)
    if veil:
        violations = [
            msgspec.structs.replace(each, message=veil.text(each.message), hint=veil.text(each.hint))
            for each in violations
        ]
    violations.sort(key=lambda each: (_ORDER[each.severity], each.outcome == "unknown"))
    return msgspec.structs.replace(review, violations=tuple(violations))


def check(project: Project) -> int:
    """Return how many policies a project has switched on. Raises ValidationError with every fault of them."""
    policies = in_force.of(project)
    return sum(each.enabled for each in policies.builtin) + sum(each.enabled for each in policies.own)


def _built_in(policies: Sequence[BuiltIn], facts: Facts, project: Project) -> Iterator[Violation]:
    enabled = [each for each in policies if each.enabled]
    places = {each.address: each.location for each in project.resources} if enabled else {}
    chosen: dict[tuple[str, str], list[BuiltIn]] = {}
    for change in facts.changes:
        if change.action in _IDLE or (change.action == "adopt" and not change.steps):
            continue
        kind = (change.provider.partition(".")[0], bare_type(change.provider, change.type))
        if kind not in chosen:
            chosen[kind] = [each for each in enabled if _concerns(each, *kind)]
        for policy in chosen[kind]:
            if change.address not in policy.exceptions:
                yield from _asked(policy, facts, change, places)


def _concerns(policy: BuiltIn, provider: str, kind: str) -> bool:
    rule = policy.rule
    return (not rule.kinds or kind in rule.kinds) and (not rule.providers or provider in rule.providers)


def _asked(
    policy: BuiltIn, facts: Facts, change: Change, places: Mapping[str, Location | None]
) -> Iterator[Violation]:
    findings = list(policy.rule.check(facts, change, policy.options))
    applies = _applies(policy, change) if findings else False
    if applies is False:
        return
    place = places.get(change.address)
    for finding in findings:
        yield Violation(
            policy=policy.rule.name,
            severity=policy.severity,
            outcome="unknown" if finding.unknown or isinstance(applies, Unknown) else "violated",
            address=change.address,
            message=finding.message,
            hint=policy.rule.instead,
            url=policy.rule.url,
            file=place.file if place else "",
            line=place.line if place else 0,
            builtin=True,
            overridable=policy.overridable,
        )


def _applies(policy: BuiltIn, change: Change) -> bool | Unknown:
    if policy.when is None:
        return True
    from kolumn.config.diagnostics import Fault
    from kolumn.config.predicates import problem_of, sandbox

    try:
        return policy.when.decide(sandbox({"change": change_with_unknowns(change)}))
    except Fault as fault:
        location = policy.config.location if policy.config else None
        raise ValidationError.of([problem_of(fault, policy.rule.name, location)]) from None


def overrule(review: Review, project: Project, names: Sequence[str], reason: str) -> Review:
    """Return a plan with the policies `names` noted as overruled for `reason`.

    Raises ValidationError for a policy that is not there or must not be overruled, and without a reason.
    """
    if not names:
        if reason:
            raise ValidationError(
                "--reason says why a policy is overruled; name it with --override-policy NAME.",
                code="conflicting_options",
            )
        return review
    known = in_force.of(project).overridable()
    problems = []
    for name in names:
        if name not in known:
            problems.append(
                Problem(
                    f"there is no policy {name}",
                    code="unknown_policy",
                    hint="`kolumn policy list` names them.",
                )
            )
        elif not known[name]:
            problems.append(
                Problem(
                    f"policy {name} must not be overruled",
                    code="not_overridable",
                    hint="Its block would have to say overridable = true.",
                )
            )
    if not reason.strip():
        problems.append(
            Problem("overruling a policy needs a reason", code="missing_reason", hint="Add --reason TEXT.")
        )
    if problems:
        raise ValidationError.of(problems)
    reason = Veil(project.secrets).text(mask(reason.strip()))
    return msgspec.structs.replace(
        review,
        violations=tuple(
            msgspec.structs.replace(each, overridden=reason) if each.policy in names else each
            for each in review.violations
        ),
    )


def refuse_denied(review: Review) -> None:
    """Raise ValidationError `policy_violation` when a policy forbids the plan."""
    denying = [each for each in review.violations if each.denies]
    if not denying:
        return
    names = sorted({each.policy for each in denying})
    problems = [_problem(each) for each in denying[:_LISTED]]
    if len(denying) > _LISTED:
        problems.append(
            Problem(
                f"and {len(denying) - _LISTED} more",
                code="policy_violation",
                hint="`kolumn plan --json` lists them all.",
            )
        )
    raise ValidationError(
        f"{'Policies' if len(names) > 1 else 'A policy'} of the project "
        f"{'forbid' if len(names) > 1 else 'forbids'} this plan: {', '.join(names)}. Nothing was changed.",
        code="policy_violation",
        problems=problems,
        details={"policies": names},
    )


def _problem(violation: Violation) -> Problem:
    name = violation.policy
    hint = violation.hint
    if violation.overridable:
        hint = f"{hint} To go ahead all the same: --override-policy {name} --reason TEXT.".strip()
    return Problem(
        f"{violation.message} ({name})",
        code="policy_violation",
        resource=violation.address,
        hint=hint,
        location=Location(violation.file, violation.line) if violation.file else None,
    )
