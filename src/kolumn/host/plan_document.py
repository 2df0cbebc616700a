"""A plan as JSON data: what `--json` prints and what the rules of policies are asked about.

Described in docs/json-output.md.
"""

from __future__ import annotations

from typing import Any, Literal

from kolumn.contract import messages as m
from kolumn.host.addresses import bare_type
from kolumn.host.results import Change, Review, Violation

Blocks = Literal["", "writes", "everything"]
"""What others cannot do while a step runs."""


def blocks(step: m.PlanStep) -> Blocks:
    """Return what the lock of a step keeps others from, by the words the contract has for it."""
    if step.lock.endswith("(nobody else reads or writes)"):
        return "everything"
    return "writes" if step.lock.endswith("(others read)") else ""


def review_document(review: Review) -> dict[str, Any]:
    """Return a plan."""
    return {
        "changes": review.has_changes,
        "refresh_only": review.refresh_only,
        "destroy": review.destroy,
        "resources": [change_document(change) for change in review.changes],
        "policies": [violation_document(each) for each in review.violations],
        "outputs": [
            {
                "name": each.name,
                "action": each.action,
                "before": each.before,
                "after": each.after,
                "sensitive": each.sensitive,
            }
            for each in review.outputs
        ],
        "warnings": list(review.warnings),
        "unmanaged": None if review.unmanaged is None else list(review.unmanaged),
        "summary": {
            **{
                word: review.count(action)  # type: ignore[arg-type]
                for word, action in (
                    ("create", "create"),
                    ("update", "update"),
                    ("replace", "replace"),
                    ("delete", "delete"),
                    ("adopt", "adopt"),
                    ("move", "move"),
                    ("forget", "forget"),
                    ("refresh", "refresh"),
                    ("recreate", "recreate"),
                )
            },
            "unchanged": review.unchanged,
        },
    }


def change_document(change: Change) -> dict[str, Any]:
    """Return one resource of a plan."""
    return {
        "address": change.address,
        "type": change.type,
        "kind": bare_type(change.provider, change.type),
        "provider": change.provider,
        "action": change.action,
        "adopted": change.adopted,
        "moved_from": change.moved_from or None,
        "reason": change.reason or None,
        "attributes": {
            each.path: {"before": each.before, "after": each.after} for each in change.differences
        },
        "steps": [step_document(step) for step in change.steps],
    }


def step_document(step: m.PlanStep) -> dict[str, Any]:
    """Return one step."""
    return {
        "order": step.order,
        "description": step.description,
        "along": list(step.along),
        "sql": list(step.sql),
        "undo": list(step.undo),
        "reversible": step.reversible,
        "transactional": step.transactional,
        "alone": step.alone,
        "lock": step.lock or None,
        "blocks": blocks(step) or None,
        "rewrites": step.rewrites,
        "rows": step.rows,
        "risks": [_risk(risk) for risk in step.risks],
        "cleared": list(step.cleared),
        "quarantine": step.quarantine_location or None,
    }


def violation_document(violation: Violation) -> dict[str, Any]:
    """Return one violated policy."""
    return {
        "policy": violation.policy,
        "builtin": violation.builtin,
        "severity": violation.severity,
        "outcome": violation.outcome,
        "address": violation.address or None,
        "message": violation.message,
        "hint": violation.hint or None,
        "url": violation.url or None,
        "file": violation.file or None,
        "line": violation.line or None,
        "overridable": violation.overridable,
        "overridden": violation.overridden or None,
    }


def _risk(risk: m.PlanRisk) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": risk.kind, "message": risk.message}
    if (rows := risk.rows) is not None:
        document["rows"] = {
            "table": rows.table,
            "count": rows.count,
            "key": list(rows.key),
            "keys": [list(each) for each in rows.keys],
        }
    return document
