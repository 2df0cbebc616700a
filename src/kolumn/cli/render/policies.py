"""What policies say of a plan, as text: the gravest first, each policy once with all it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kolumn.cli.render.style import Style
from kolumn.host.results import Violation

_COLOURS = {"error": "delete", "warning": "update", "info": "dim"}
_LISTED = 10
"""How many things one policy names; --json has all."""


def violations_text(violations: Sequence[Violation], style: Style) -> str:
    """Return all violations under a heading that counts them."""
    groups: dict[tuple[str, str, str], list[Violation]] = {}
    for each in violations:
        groups.setdefault((each.severity, each.outcome, each.policy), []).append(each)
    lines = [f"{style.bold('Policies:')} {_counts(violations)}"]
    for group in groups.values():
        lines += _group(group, style)
    return "\n".join(lines)


def _counts(violations: Sequence[Violation]) -> str:
    said = []
    for severity, one, several in (
        ("error", "error", "errors"),
        ("warning", "warning", "warnings"),
        ("info", "remark", "remarks"),
    ):
        if count := sum(1 for each in violations if each.severity == severity):
            said.append(f"{count} {one if count == 1 else several}")
    return ", ".join(said)


def _group(group: Sequence[Violation], style: Style) -> Iterator[str]:
    first = group[0]
    word = style.paint(_COLOURS[first.severity], first.severity)
    doubt = "  cannot be told" if first.outcome == "unknown" else ""
    overruled = f"  overruled: {first.overridden}" if first.overridden else ""
    yield f"  {word} {style.bold(first.policy)}{style.dim(doubt + overruled)}"
    for each in group[:_LISTED]:
        yield f"    {_about(each, style)}{each.message}"
    if (rest := len(group) - _LISTED) > 0:
        yield f"    ... and {rest} more (--json lists them)"
    for hint in dict.fromkeys(each.hint for each in group[:_LISTED] if each.hint):
        yield f"      {style.dim(hint)}"
    if first.url and not first.builtin:
        yield f"      {style.dim(first.url)}"


def _about(violation: Violation, style: Style) -> str:
    if not violation.address:
        return ""
    place = style.dim(f" ({violation.file}:{violation.line})") if violation.file else ""
    return f"{violation.address}{place}: "
