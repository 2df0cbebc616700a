"""A plan as text, to be read like a review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kolumn.cli.render.style import Style
from kolumn.cli.render.values import entry_text, entry_words, path_words, value_text
from kolumn.contract import messages as m
from kolumn.contract import risks
from kolumn.host.results import Action, Change, Difference, OutputChange, Review

SIGNS: Mapping[Action, str] = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "replace": "-/+",
    "adopt": "<-",
    "move": "->",
    "forget": "x",
    "refresh": "<~",
    "recreate": "-/+",
    "unchanged": " ",
}
_COLOURS: Mapping[Action, str] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "adopt": "adopt",
    "move": "adopt",
    "forget": "delete",
    "refresh": "adopt",
    "recreate": "replace",
}
_LISTED = 30
"""How many adopted resources are listed one by one."""


def review_text(review: Review, style: Style, *, sql: bool = False) -> str:
    """Return the whole plan: each change, the warnings, the outputs, the summary."""
    locks = {step.lock for change in review.changes for step in change.steps if step.lock}
    several = len(locks) > 1 or len({change.provider for change in review.changes if change.steps}) > 1
    plain, detailed = _split(review.changes)
    blocks = ["\n".join(_change(change, style, sql, locks=several)) for change in detailed]
    if plain:
        blocks.insert(0, "\n".join(_adopted(plain, style)))
    if locks and not several:
        blocks.append(f"Lock: {locks.pop()}.")
    if warnings := [*_unsaid(review)]:
        blocks.append("\n".join([style.warning("Warnings:"), *(f"  ! {warning}" for warning in warnings)]))
    if review.outputs:
        blocks.append("\n".join(["Outputs:", *(_output(output, style) for output in review.outputs)]))
    if review.violations:
        from kolumn.cli.render.policies import violations_text

        blocks.append(violations_text(review.violations, style))
    if not review.has_changes:
        blocks.append(nothing_to_do(review))
    else:
        blocks.append(style.bold(summary(review)))
    if review.denied:
        blocks.append(style.error("A policy forbids this plan: apply will refuse it."))
    if review.unmanaged:
        count = len(review.unmanaged)
        what = "object is not managed" if count == 1 else "objects are not managed"
        blocks.append(f"{count} {what}; --prune would delete {'it' if count == 1 else 'them'}.")
    return "\n\n".join(blocks)


def nothing_to_do(review: Review) -> str:
    """Return the sentence for a plan without changes."""
    if review.destroy:
        return "No changes. The project manages nothing."
    if review.refresh_only:
        return "No changes. The state matches the database."
    return "No changes. The database matches the configuration."


def summary(review: Review) -> str:
    """Return the summary line."""
    if review.refresh_only:
        return f"State: {review.count('refresh')} to refresh, {review.count('forget')} to forget."
    parts = [
        f"{review.count('create')} to create",
        f"{review.count('update')} to change",
        f"{review.count('delete')} to delete",
    ]
    for action, words in (
        ("replace", "to replace"),
        ("adopt", "to adopt"),
        ("move", "to move"),
        ("forget", "to forget"),
    ):
        if count := review.count(action):  # type: ignore[arg-type]
            parts.append(f"{count} {words}")
    return f"Plan: {', '.join(parts)}; {review.unchanged} unchanged."


def _split(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return what is only adopted, which one line each says, and the rest."""
    plain = [
        change for change in changes if change.action == "adopt" and not change.steps and not change.reason
    ]
    if len(plain) == len(changes):
        return plain, []
    said = {change.address for change in plain}
    return plain, [change for change in changes if change.address not in said]


def _adopted(changes: Sequence[Change], style: Style) -> Iterator[str]:
    for change in changes[:_LISTED]:
        yield from _change(change, style, False, locks=False)
    if (rest := len(changes) - _LISTED) > 0:
        yield f"    ... and {rest} more that exist already and are as configured (--json lists them)"


def _change(change: Change, style: Style, sql: bool, *, locks: bool) -> Iterator[str]:
    colour = _COLOURS.get(change.action, "")
    remark = []
    if change.moved_from:
        remark.append(f"was {change.moved_from}")
    if change.action == "adopt":
        remark.append("exists already and is as configured: comes under management")
    elif change.adopted:
        remark.append("exists already: comes under management")
    if change.reason:
        remark.append(change.reason)
    if change.action == "replace":
        remark.append("is deleted and created anew")
    elif change.action == "recreate":
        remark.insert(0, "is dropped and created again")
    line = f"{style.paint(colour, f'{SIGNS[change.action]:>3}')} {style.bold(change.address)}"
    yield f"{line}  {style.dim('; '.join(remark))}" if remark else line
    for difference in change.differences:
        yield from _difference(difference, change.action, style)
    yield from _notes(change.steps, style, locks=locks)
    if sql:
        yield from _statements(change.steps, style)


def _difference(difference: Difference, action: Action, style: Style) -> Iterator[str]:
    path, before, after = difference.path, difference.before, difference.after
    if action == "create" and path == "name":
        return
    entries = _entries(before, after)
    if entries is not None:
        sign, values = entries
        margin = f"      {style.paint(_SIGN_COLOURS[sign], sign)}"
        for value in values:
            yield f"{margin} {entry_words(path, value['name'])}: {entry_text(value)}"
        return
    words = path_words(path)
    if before is None:
        text = entry_text(after) if isinstance(after, Mapping) and "name" in after else value_text(after)
        yield f"      {style.paint('create', '+')} {words}: {text}"
    elif after is None:
        text = entry_text(before) if isinstance(before, Mapping) and "name" in before else value_text(before)
        yield f"      {style.paint('delete', '-')} {words}: {text}"
    else:
        yield f"      {style.paint('update', '~')} {words}: {value_text(before)} -> {value_text(after)}"


_SIGN_COLOURS = {"+": "create", "-": "delete"}


def _entries(before: Any, after: Any) -> tuple[str, list[Mapping[str, Any]]] | None:
    """Return sign and entries when a whole list of named entries comes or goes."""
    for sign, value, other in (("+", after, before), ("-", before, after)):
        if (
            isinstance(value, list)
            and value
            and other in (None, [])
            and all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in value)
        ):
            return sign, value
    return None


def _notes(steps: Iterable[m.PlanStep], style: Style, *, locks: bool) -> Iterator[str]:
    said: set[str] = set()
    for step in steps:
        notes = [f"! {risk.message} ({risks.in_words(risk.kind)})" for risk in step.risks]
        if step.rewrites and not any(risk.kind == "table_rewrite" for risk in step.risks):
            notes.append("! rewrites the whole table")
        if step.quarantine_location:
            notes.append(f"  kept in quarantine: {step.quarantine_location}")
        if step.lock and locks:
            notes.append(f"  lock: {step.lock}")
        if not step.reversible and not any(risk.kind == "irreversible" for risk in step.risks):
            notes.append(f"  no way back: {step.description}")
        for note in notes:
            if note not in said:
                said.add(note)
                yield f"      {style.warning(note) if note.startswith('!') else style.dim(note)}"


def _statements(steps: Iterable[m.PlanStep], style: Style) -> Iterator[str]:
    for step in steps:
        yield f"      {style.dim(f'{step.order}. {step.description}')}"
        for statement in step.sql:
            text = statement.rstrip().rstrip(";") + ";"
            for line in text.split("\n"):
                yield f"         {line}"


def _output(output: OutputChange, style: Style) -> str:
    if output.action == "create":
        return f"  {style.paint('create', '+')} {output.name} = {value_text(output.after)}"
    if output.action == "delete":
        return f"  {style.paint('delete', '-')} {output.name}"
    values = f"{value_text(output.before)} -> {value_text(output.after)}"
    return f"  {style.paint('update', '~')} {output.name}: {values}"


def _unsaid(review: Review) -> Iterator[str]:
    """Yield the warnings that no change says itself."""
    told = {risk.message for change in review.changes for step in change.steps for risk in step.risks}
    adopted = any(change.adopted or change.action == "adopt" for change in review.changes)
    for warning in review.warnings:
        if any(message and f"{message} (" in warning for message in told):
            continue
        if adopted and warning.endswith("exists already and is adopted"):
            continue
        yield warning
