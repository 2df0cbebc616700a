"""JSON shapes of results; described in docs/json-output.md and changed only with FORMAT_VERSION."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kolumn.host.results import Applied, OutputValue

if TYPE_CHECKING:
    from kolumn.host.drift import Drift


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
        "backups": list(applied.backups),
    }
    if applied.error is not None:
        document["error"] = {
            "category": applied.error.category,
            "code": applied.error.code,
            "message": applied.error.message,
            "problems": [problem.to_json() for problem in applied.error.problems],
        }
    return document


def drift_document(drift: Drift) -> dict[str, Any]:
    """Return what was found of drift."""
    return {
        "drifted": bool(drift.findings),
        "checked": drift.checked,
        "findings": [{"address": address, **plain(finding)} for address, finding in drift.findings],
    }


def outputs_document(outputs: tuple[OutputValue, ...]) -> dict[str, Any]:
    """Return outputs by name."""
    return {
        each.name: {"value": each.value, "sensitive": each.sensitive, "description": each.description or None}
        for each in outputs
    }


def plain(message: msgspec.Struct) -> Any:
    """Return a message as JSON data."""
    return msgspec.to_builtins(message)
