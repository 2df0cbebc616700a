"""JSON shapes of results; described in docs/json-output.md and changed only with FORMAT_VERSION."""

from __future__ import annotations

from typing import Any

import msgspec

from kolumn.host.results import Applied, Change, OutputValue, Review


def review_document(review: Review) -> dict[str, Any]:
    """Return a plan."""
    return {
        "changes": review.has_changes,
        "refresh_only": review.refresh_only,
        "destroy": review.destroy,
        "resources": [change_document(change) for change in review.changes],
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
        "provider": change.provider,
        "action": change.action,
        "adopted": change.adopted,
        "moved_from": change.moved_from or None,
        "reason": change.reason or None,
        "attributes": {
            each.path: {"before": each.before, "after": each.after} for each in change.differences
        },
        "steps": [
            {
                "order": step.order,
                "description": step.description,
                "sql": list(step.sql),
                "undo": list(step.undo),
                "reversible": step.reversible,
                "transactional": step.transactional,
                "lock": step.lock or None,
                "rewrites": step.rewrites,
                "risks": [{"kind": risk.kind, "message": risk.message} for risk in step.risks],
                "quarantine": step.quarantine_location or None,
            }
            for step in change.steps
        ],
    }


def applied_document(applied: Applied) -> dict[str, Any]:
    """Return what an apply did."""
    document: dict[str, Any] = {
        "success": applied.error is None,
        "results": [
            {
                "address": each.address,
                "provider": each.provider,
                "action": each.action,
                "success": each.success,
                "error": each.error or None,
                "quarantine": each.quarantine or None,
            }
            for each in applied.results
        ],
        "steps": applied.steps,
        "seconds": round(applied.seconds, 3),
        "serial": applied.serial,
        "outputs": outputs_document(applied.outputs),
    }
    if applied.error is not None:
        document["error"] = {
            "category": applied.error.category,
            "code": applied.error.code,
            "message": applied.error.message,
            "problems": [problem.to_json() for problem in applied.error.problems],
        }
    return document


def outputs_document(outputs: tuple[OutputValue, ...]) -> dict[str, Any]:
    """Return outputs by name."""
    return {
        each.name: {"value": each.value, "sensitive": each.sensitive, "description": each.description or None}
        for each in outputs
    }


def plain(message: msgspec.Struct) -> Any:
    """Return a message as JSON data."""
    return msgspec.to_builtins(message)
