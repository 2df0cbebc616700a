"""Drift as text: what is otherwise in the databases, resource by resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from kolumn.cli.render.style import Style
from kolumn.cli.render.values import entry_text, path_words, value_text
from kolumn.contract.messages import DriftFinding
from kolumn.host.drift import Drift, by_address

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLOURS = {"added": "create", "removed": "delete", "changed": "update"}


def drift_text(drift: Drift, style: Style) -> str:
    """Return the findings, what nobody manages last, and how many there are."""
    if not drift.findings:
        return f"No drift: {_counted(drift.checked, 'resource')} as the last apply left them."
    blocks = []
    unmanaged = []
    for address, findings in by_address(drift).items():
        if findings[0].kind == "unmanaged":
            unmanaged.append(address)
        else:
            blocks.append("\n".join(_resource(address, findings, style)))
    if unmanaged:
        blocks.append("\n".join(["Not managed:", *(f"  ? {address}" for address in unmanaged)]))
    blocks.append(style.bold(_summary(drift)))
    return "\n\n".join(blocks)


def _resource(address: str, findings: Sequence[DriftFinding], style: Style) -> Iterator[str]:
    yield style.bold(address)
    for each in findings:
        sign = style.paint(_COLOURS[each.kind], _SIGNS[each.kind])
        yield f"  {_weight(each, style)} {sign} {_words(each)}"


def _weight(finding: DriftFinding, style: Style) -> str:
    text = f"{finding.severity:<7}"
    if finding.severity == "error":
        return style.error(text)
    return style.warning(text) if finding.severity == "warning" else style.dim(text)


def _words(finding: DriftFinding) -> str:
    if not finding.attribute:
        if finding.kind == "removed":
            return "is gone from the database"
        return "was changed; the state does not tell what it was"
    words = path_words(finding.attribute)
    before, after = finding.state_value, finding.live_value
    if isinstance(before, dict) and after is None:
        return f"{words}: {entry_text(before)}"
    if isinstance(after, dict) and before is None:
        return f"{words}: {entry_text(after)}"
    return f"{words}: {value_text(before)} -> {value_text(after)}"


def _summary(drift: Drift) -> str:
    resources, unmanaged = len(drift.addresses), sum(each.kind == "unmanaged" for _, each in drift.findings)
    weights = Counter(each.severity for _, each in drift.findings if each.kind != "unmanaged")
    said = [f"{weights[word]} {word}" for word in ("error", "warning", "info") if weights[word]]
    parts = (
        [f"{resources} of {_counted(drift.checked, 'resource')} drifted ({', '.join(said)})"]
        if resources
        else []
    )
    if unmanaged:
        parts.append(f"{_counted(unmanaged, 'object')} not managed")
    return f"Drift: {'; '.join(parts)}."


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
