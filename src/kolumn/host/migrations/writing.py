"""`kolumn migrate new`: a reviewed plan as numbered files, the way there and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kolumn.contract import messages as m
from kolumn.contract.errors import OperationError, StateError, ValidationError
from kolumn.contract.masking import REDACTED
from kolumn.host.migrations import directory as directories
from kolumn.host.migrations import sums
from kolumn.host.migrations.directory import Directory
from kolumn.host.migrations.running import Place, folder_of, places
from kolumn.host.planning import ProjectPlan
from kolumn.host.sealing import HIDDEN
from kolumn.host.workspace import Workspace

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_RISKS = {"data_loss": "loses data"}


@dataclass(frozen=True, slots=True)
class Written:
    """One migration that was written."""

    provider: str
    up: Path
    down: Path | None
    steps: int


def write(workspace: Workspace, plan: ProjectPlan, name: str, given: Path | None) -> list[Written]:
    """Write what a plan does to the directories of its providers; nothing where it does nothing.

    Raises StateError `pending_migrations` where files wait to be applied: their work would be in the new ones
    again. ValidationError for a step that no file can hold.
    """
    slug = _NOT_IN_NAMES.sub("_", name).strip("_").lower()
    if not slug:
        raise ValidationError(
            f"{name!r} makes no name of a file: use letters and digits.", code="invalid_name"
        )
    found = places(workspace, given)
    sums.refuse_faults([place.directory for place in found])
    _refuse_pending(found)
    written: list[Written] = []
    for each in plan.providers:
        steps = _steps(plan, each.address)
        if steps:
            _refuse_unwritable(steps)
            written += _write(workspace, each.address, given, slug, steps, each.fingerprint)
    return written


def _write(
    workspace: Workspace,
    provider: str,
    given: Path | None,
    slug: str,
    steps: Sequence[m.PlanStep],
    fingerprint: str,
) -> Iterator[Written]:
    folder = folder_of(workspace, given, provider)
    folder.mkdir(parents=True, exist_ok=True)
    directory = directories.read(folder)
    number = max((each.up.what.number[0] for each in directory.migrations), default=0)
    groups = list(_groups(steps))
    for at, group in enumerate(groups, 1):
        number += 1
        name = slug if len(groups) == 1 else f"{slug}_{at}"
        up, down = (folder / each for each in _names(directory, number, name))
        has_down = all(step.reversible for step in group)
        _put(up, _text(group, _head(name, group, fingerprint, has_down), _forward(group)))
        if has_down:
            back = list(reversed(group))
            head = [f"Takes back {up.name}; rows that were lost stay lost."]
            _put(down, _text(back, head, _backward(back)))
        yield Written(provider, up, down if has_down else None, len(group))
    sums.write(directories.read(folder))


def _refuse_pending(found: Iterable[Place]) -> None:
    waiting = [
        f"{line.version} ({line.name})"
        for place in found
        for line in place.lines
        if line.standing in ("pending", "interrupted", "out of order")
    ]
    if waiting:
        raise StateError(
            f"{', '.join(waiting)} {'waits' if len(waiting) == 1 else 'wait'} to be applied; a new migration would do "
            "their work once more. Run `kolumn migrate apply` first.",
            code="pending_migrations",
            details={"pending": waiting},
        )


def _steps(plan: ProjectPlan, provider: str) -> list[m.PlanStep]:
    steps = [step for change in plan.review.changes if change.provider == provider for step in change.steps]
    return sorted(steps, key=lambda step: step.order)


def _refuse_unwritable(steps: Iterable[m.PlanStep]) -> None:
    """Raise OperationError for what must not, or cannot, stand in a file."""
    for step in steps:
        texts = (*step.sql, *step.undo)
        if step.values or any(mark in text for text in texts for mark in (HIDDEN, REDACTED)):
            raise OperationError(
                f"{step.description}: what it sends is secret in part, and a file would show it. Carry this out with "
                f"`kolumn apply --target`, then write the rest as a migration.",
                code="secret_in_migration",
            )
        if step.needs and not step.transactional:
            raise OperationError(
                f"{step.description}: this takes more than statements. Carry it out with `kolumn apply --target`, then "
                "write the rest as a migration.",
                code="unwritable_step",
            )


def _groups(steps: Iterable[m.PlanStep]) -> Iterator[list[m.PlanStep]]:
    """Yield what can be in one file.

    Outside of transactions a step without a way back is in another file than those that have one, so that these
    can be taken back.
    """
    group: list[m.PlanStep] = []
    for step in steps:
        parts = group and not step.transactional and step.reversible != group[-1].reversible
        if group and (step.alone or group[-1].alone or parts):
            yield group
            group = []
        group.append(step)
    if group:
        yield group


def _names(directory: Directory, number: int, name: str) -> tuple[str, str]:
    if directory.style == "flyway":
        return f"V{number}__{name}.sql", f"U{number}__{name}.sql"
    text = f"{number:0{directory.width}}_{name}"
    return f"{text}.up.sql", f"{text}.down.sql"


def _head(name: str, steps: Sequence[m.PlanStep], fingerprint: str, has_down: bool) -> list[str]:
    lines = [f"{name}: {len(steps)} step{'s' if len(steps) > 1 else ''} of plan {fingerprint[:12]}."]
    for step in steps:
        lines += [
            f"Risk, {_RISKS.get(risk.kind, risk.kind.replace('_', ' '))}: {risk.message}"
            for risk in step.risks
        ]
    if not has_down:
        undoable = " and ".join(step.description for step in steps if not step.reversible)
        lines.append(f"There is no way back: nothing takes back {undoable}.")
    return lines


def _forward(steps: Iterable[m.PlanStep]) -> Iterator[tuple[str, Sequence[str]]]:
    for step in steps:
        yield step.description, step.sql


def _backward(steps: Iterable[m.PlanStep]) -> Iterator[tuple[str, Sequence[str]]]:
    for step in steps:
        yield f"take back: {step.description}", step.undo


def _text(
    steps: Sequence[m.PlanStep], head: Iterable[str], parts: Iterable[tuple[str, Sequence[str]]]
) -> str:
    lines = []
    if not all(step.transactional for step in steps):
        lines.append("-- kolumn: no transaction")
    if needs := sorted({need for step in steps for need in step.needs}):
        lines.append(f"-- kolumn: needs {', '.join(needs)}")
    lines += [f"-- {each}" for words in head for each in words.splitlines()]
    for words, statements in parts:
        lines += ["", *(f"-- {each}" for each in words.splitlines())]
        lines += [f"{statement.strip().rstrip(';').rstrip()};" for statement in statements]
    return "\n".join(lines) + "\n"


def _put(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
