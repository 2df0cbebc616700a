"""The soundness of a state as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kolumn.cli.render.style import Style
from kolumn.host.state_validation import Finding, Validated


def validated_text(validated: Validated, style: Style) -> str:
    """Return what was found, and how many faults there are."""
    lines = list(findings_lines(validated.findings, style))
    faults = sum(each.is_fault for each in validated.findings)
    mended = sum(each.is_fault and each.about.repair is not None for each in validated.findings)
    if not faults:
        return "\n".join([*lines, f"The state of serial {validated.serial} is valid."])
    verdict = f"{faults} {'fault' if faults == 1 else 'faults'} in the state of serial {validated.serial}"
    hint = f"; `kolumn state repair` can mend {mended}" if mended else ""
    return "\n".join([*lines, "", style.bold(f"{verdict}{hint}.")])


def findings_lines(findings: Iterable[Finding], style: Style) -> Iterator[str]:
    """Yield each finding with its place and its repair."""
    for each in findings:
        about = each.about
        word = f"{about.severity:<7}"
        weight = style.error(word) if about.severity == "error" else style.warning(word)
        name = f"{style.bold(each.address)}: " if each.address else ""
        yield f"{weight if about.severity != 'info' else style.dim(word)} {name}{about.message}"
        yield style.dim(f"        {about.code} at {about.path}")
        if about.repair is not None:
            yield f"        repair: {about.repair.action}; {about.repair.description}"


def validated_document(validated: Validated) -> dict[str, Any]:
    """Return what was found as JSON."""
    return {
        "valid": validated.valid,
        "serial": validated.serial,
        "findings": [finding_document(each) for each in validated.findings],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """Return one finding; of its repair what it does, not the values."""
    about = finding.about
    repair = about.repair
    return {
        "address": finding.address or None,
        "severity": about.severity,
        "code": about.code,
        "path": about.path,
        "message": about.message,
        "repair": None
        if repair is None
        else {
            "action": repair.action,
            "description": repair.description,
            "paths": [edit.path for edit in repair.edits],
        },
    }
