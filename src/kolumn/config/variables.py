"""Values for the variables of the root module: where they come from and which one wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolumn.config.configuration import VARIABLE_PREFIX, variable_files
from kolumn.config.diagnostics import Fault, Source, did_you_mean
from kolumn.config.evaluator import Frame, evaluate
from kolumn.config.functions import CallContext
from kolumn.config.json_syntax import parse_json
from kolumn.config.parser import parse_attributes, parse_expression
from kolumn.config.values import Budget
from kolumn.contract.errors import Location, Problem, ValidationError

if TYPE_CHECKING:
    from kolumn.config.declarations import Variable
    from kolumn.config.syntax import Spans, Traversal
    from kolumn.config.types import VariableType


@dataclass(frozen=True, slots=True)
class Input:
    """A value given for a variable from outside."""

    value: Any = field(repr=False)
    is_text: bool
    """True when it is a text that has to be read according to the variable's type."""
    origin: str
    """Where it comes from, for messages."""
    location: Location | None = None


ReadSource = Callable[..., Source]


def collect_inputs(
    folder: Path,
    declared: Mapping[str, Variable],
    arguments: Sequence[tuple[str, str]],
    environ: Mapping[str, str],
    read_source: ReadSource,
) -> tuple[dict[str, Input], list[Problem], list[Problem]]:
    """Return inputs by variable name, warnings, and faults.

    From low to high: `KOLUMN_VAR_x`, `kolumn.klvars`, `*.auto.klvars` in alphabetical order, then
    `-var-file` and `-var` as given.
    """
    inputs: dict[str, Input] = {}
    warnings: list[Problem] = []
    problems: list[Problem] = []
    for name in declared:
        if VARIABLE_PREFIX + name in environ:
            inputs[name] = Input(
                environ[VARIABLE_PREFIX + name], True, f"environment variable {VARIABLE_PREFIX}{name}"
            )
    for path in variable_files(folder):
        _from_file(path, declared, read_source, inputs, warnings, problems)
    for kind, text in arguments:
        if kind == "var-file":
            _from_file(Path(text), declared, read_source, inputs, warnings, problems)
            continue
        name, separator, value = text.partition("=")
        name = name.strip()
        if not separator:
            problems.append(Problem("-var wants NAME=VALUE.", code="bad_argument"))
        elif name not in declared:
            hint = did_you_mean(name, declared, f'Declare it: variable "{name[:60]}" {{}}.')
            problems.append(
                Problem(f"-var {name[:60]}: there is no such variable.", code="unknown_variable", hint=hint)
            )
        else:
            inputs[name] = Input(value, True, f"-var {name}")
    return inputs, warnings, problems


def _from_file(
    path: Path,
    declared: Mapping[str, Variable],
    read_source: ReadSource,
    inputs: dict[str, Input],
    warnings: list[Problem],
    problems: list[Problem],
) -> None:
    try:
        source = read_source(path, private=True)
    except ValidationError as error:
        problems += error.problems
        return
    spans: Spans = {}
    if path.name.endswith(".json"):
        # A variable file has no blocks: reading it as one block of locals gives the attributes.
        wrapped = Source(source.name, '{"locals":' + source.text + "}", private=True)
        blocks, faults = parse_json(wrapped, spans)
        entries = blocks[0].entries if blocks else {}
        spans = {path[1:]: (max(start - 10, 0), max(end - 10, 0)) for path, (start, end) in spans.items()}
    else:
        entries, faults = parse_attributes(source, spans)
    problems += faults
    frame = _closed_frame(path.parent)
    for name, node in entries.items():
        span = spans.get((name,))
        location = source.location(*span) if span else None
        if name not in declared:
            hint = did_you_mean(name, declared, "It is ignored.")
            warnings.append(
                Problem(
                    f"There is no variable {name[:60]}.", "unknown_variable", hint=hint, location=location
                )
            )
            continue
        try:
            value = evaluate(node, frame)
        except Fault as fault:
            problems.append(fault.problem(source, location))
            continue
        inputs[name] = Input(value, False, source.name, location)


class _NoNames:
    """Resolver of a variable file: it refers to nothing."""

    def resolve(self, traversal: Traversal, frame: Frame) -> Any:
        raise Fault(
            "A variable file holds values only, no references.",
            traversal.start,
            traversal.end,
            hint="Texts stand in double quotes.",
            code="no_references",
        )


def _no_templates(name: str, text: str, variables: Mapping[str, Any], context: CallContext) -> Any:  # noqa: ARG001
    raise Fault("A variable file renders no templates.", code="no_references")


def _closed_frame(folder: Path) -> Frame:
    return Frame(_NoNames(), CallContext(folder, Budget(), {}, _no_templates))


def read_text(text: str, wanted: VariableType) -> Any:
    """Return the value of a text from the command line or environment: as it is for strings, else a literal.

    Raises Fault, without the text.
    """
    if wanted.kind in ("string", "any"):
        return text
    if wanted.kind in ("number", "bool"):
        return text.strip()
    try:
        return evaluate(parse_expression(Source("", text)), _closed_frame(Path()))
    except Fault as fault:
        raise Fault(
            f"This is no {wanted.kind}: {fault.message}", hint=fault.hint, code="wrong_type"
        ) from None
