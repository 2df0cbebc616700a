"""What an apply did, as text."""

from __future__ import annotations

from kolumn.cli.render.style import Style
from kolumn.cli.render.values import value_text
from kolumn.host.results import Applied, OutputValue, Review

_WORDS = (
    ("create", "created"),
    ("update", "changed"),
    ("replace", "replaced"),
    ("delete", "deleted"),
    ("adopt", "adopted"),
    ("move", "moved"),
    ("forget", "forgotten"),
    ("refresh", "refreshed"),
)


def applied_text(review: Review, applied: Applied, style: Style) -> str:
    """Return the closing lines of an apply: counts, failures, outputs."""
    counts = applied.counts
    lines = []
    for each in applied.results:
        if not each.success:
            lines.append(f"  {style.error('x')} {each.address}: {each.error}")
    said = [f"{counts[action]} {word}" for action, word in _WORDS if counts[action] or action in _ALWAYS]
    if counts["failed"]:
        said.append(f"{counts['failed']} failed")
    if not review.has_changes:
        return outputs_text(applied.outputs) if applied.outputs else ""
    if any(each.quarantine for each in applied.results):
        lines.append("What was deleted waits in quarantine: `kolumn quarantine list`.")
    verdict = "Apply complete" if applied.error is None else "Apply stopped"
    summary = f"{verdict}: {', '.join(said)} in {applied.seconds:.2f} s."
    lines.append(style.bold(summary))
    lines += [f"What was destroyed is saved in {path}." for path in applied.backups]
    if applied.error is not None:
        if applied.steps or any(each.success for each in applied.results):
            lines.append(
                "What is counted as done stands, and the state says so; the rest was not done or was undone."
            )
        else:
            lines.append("Nothing of it stands: what had begun was undone.")
    elif applied.outputs:
        lines += ["", outputs_text(applied.outputs)]
    return "\n" + "\n".join(lines)


def outputs_text(outputs: tuple[OutputValue, ...]) -> str:
    """Return outputs, one per line."""
    return "\n".join(["Outputs:", *(f"  {each.name} = {value_text(each.value)}" for each in outputs)])


_ALWAYS = ("create", "update", "delete")
