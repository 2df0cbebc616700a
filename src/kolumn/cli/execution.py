"""From a plan to an applied plan: show it, ask, run it with progress, say what happened."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kolumn.cli.boundary import asking
from kolumn.cli.console import Console
from kolumn.cli.render.applied import applied_text
from kolumn.contract.errors import ValidationError
from kolumn.host.planning import ProjectPlan
from kolumn.host.results import Applied
from kolumn.host.workspace import Workspace


def carry_out(
    workspace: Workspace,
    plan: ProjectPlan,
    arguments: argparse.Namespace,
    console: Console,
    *,
    approved: bool = False,
) -> int:
    """Show `plan`, ask unless that was answered beforehand, apply it; return the exit code."""
    from kolumn.cli.options import show_warnings

    plan = workspace.overrule(
        plan, getattr(arguments, "override_policy", ()), getattr(arguments, "reason", "")
    )
    if not console.json:
        from kolumn.cli.render.review import review_text

        show_warnings(workspace, console)
        console.print(review_text(plan.review, console.style, sql=arguments.sql))
    workspace.refuse_denied(plan)
    if plan.review.has_changes and not (approved or arguments.auto_approve) and not _confirmed(plan, console):
        console.print("Nothing was changed.")
        return 1
    with _progress(plan, console):
        applied = workspace.apply(
            plan,
            keep_partial=getattr(arguments, "keep_partial", False),
            backup=getattr(arguments, "backup", False),
        )
    return _report(plan, applied, console)


def _confirmed(plan: ProjectPlan, console: Console) -> bool:
    return confirmed(
        console,
        "Delete all of this?" if plan.review.destroy else "Carry out this plan?",
        "Review with `kolumn plan`, then run it again with --auto-approve, or apply a plan saved with "
        "`kolumn plan --out FILE`.",
    )


def confirmed(console: Console, what: str, otherwise: str) -> bool:
    """Ask a person; only `yes` is a yes. Raises ValidationError with what to do where there is nobody to ask."""
    if not console.interactive:
        raise ValidationError(
            f"There is nobody to ask: this is no terminal. {otherwise}", code="not_confirmed"
        )
    asking.set()
    try:
        console.out.flush()
        console.err.write(f"\n{what} Only yes is taken as a yes: ")
        console.err.flush()
        return input().strip() == "yes"
    except EOFError:
        return False
    finally:
        asking.clear()


def _report(plan: ProjectPlan, applied: Applied, console: Console) -> int:
    if console.json:
        from kolumn.cli.render.documents import applied_document
        from kolumn.host.plan_document import review_document

        console.document({"plan": review_document(plan.review), **applied_document(applied)})
    else:
        console.print(applied_text(plan.review, applied, console.style))
        if applied.error is not None:
            console.out.flush()
            console.error(applied.error)
    return 0 if applied.error is None else 1


@contextmanager
def _progress(plan: ProjectPlan, console: Console) -> Iterator[None]:
    """Show the steps as they are done, on a terminal; rich is imported only then."""
    total = sum(each.steps for each in plan.providers)
    if console.json or not console.err_style.enabled or not total:
        yield
        return
    from rich.console import Console as Terminal
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from kolumn.contract.logs import subscribe

    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Terminal(file=console.err), transient=True) as progress:
        task = progress.add_task("applying", total=total)

        def listen(logger: str, _level: str, event: str, fields: Mapping[str, Any]) -> None:
            if logger == "HandlerLogger" and event == "step":
                words = str(fields.get("description", "")).replace("[", "\\[")
                progress.update(task, advance=1, description=words)

        end = subscribe(listen)
        try:
            yield
        finally:
            end()
