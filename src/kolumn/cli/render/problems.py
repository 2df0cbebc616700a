"""Errors as text: every problem with file, line, the source line and a caret, and what to do."""

from __future__ import annotations

from kolumn.cli.render.style import Style
from kolumn.contract.errors import KolumnError, Problem


def error_text(error: KolumnError, style: Style) -> str:
    """Return an error with all its problems."""
    if not error.problems:
        return f"{style.error('Error:')} {error.message}"
    blocks = [problem_text(problem, style) for problem in error.problems]
    if len(blocks) == 1:
        problem = error.problems[0]
        known = problem.message in error.message or error.message in str(problem)
        lead = "" if known or "problems found" in error.message else f"{error.message}\n"
        return f"{style.error('Error:')} {lead}{blocks[0]}"
    heading = f"{len(blocks)} problems:"
    if error.message and "problems found" not in error.message and "fields are wrong" not in error.message:
        heading = f"{error.message} ({len(blocks)} problems)"
    return "\n\n".join([f"{style.error('Error:')} {heading}", *blocks])


def problem_text(problem: Problem, style: Style) -> str:
    """Return one problem: what, where, the line with a caret, what to do."""
    about = " ".join(
        part for part in (problem.resource, problem.path) if part and part not in problem.message
    )
    lines = [style.bold(f"{about}: {problem.message}" if about else problem.message)]
    place = problem.location
    if place is not None:
        lines.append(f"  {style.dim('at')} {place}")
        if place.source:
            number = f"{place.line} | "
            indent = "".join("\t" if c == "\t" else " " for c in place.source[: place.column - 1])
            lines.append(f"    {style.dim(number)}{place.source}")
            lines.append(f"    {' ' * len(number)}{indent}{style.error('^' * max(1, place.length))}")
    if problem.hint:
        lines.append(f"  {problem.hint}")
    return "\n".join(lines)
