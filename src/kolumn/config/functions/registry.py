"""How functions are declared and called: number and kinds of arguments, sensitive and unknown ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kolumn.config.diagnostics import Fault, did_you_mean
from kolumn.config.project import UNKNOWN
from kolumn.config.values import (
    MAX_ITEMS,
    MAX_TEXT,
    TEXT_PER_WORK,
    Budget,
    Sensitive,
    SetValue,
    Unknown,
    bare,
    is_marked,
    to_bool,
    to_number,
    to_text,
    to_whole,
    type_name,
)

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class CallContext:
    """What functions may look at, and what they leave behind."""

    folder: Path
    """Relative file names start here: the folder of the module."""
    budget: Budget
    environ: Mapping[str, str]
    render: Callable[[str, str, Mapping[str, Any], CallContext], Any]
    """Renders a template file: file name, its text, variables, this context."""
    impure: set[str] = field(default_factory=set)
    """Names of called functions whose result depends on more than the configuration."""
    secrets: list[str] = field(default_factory=list)
    """Texts marked by sensitive()."""
    depth: int = 0
    """How deep template files call template files."""


Kind = Callable[[Any], Any]


def any_value(value: Any) -> Any:
    """Kind: anything, null too."""
    return value


def list_value(value: Any) -> list[Any]:
    """Kind: a list or a set."""
    if isinstance(value, list):
        return value
    raise Fault(f"Expected a list, found {type_name(value)}.", code="wrong_type")


def map_value(value: Any) -> dict[str, Any]:
    """Kind: a map."""
    if isinstance(value, dict):
        return value
    raise Fault(f"Expected a map, found {type_name(value)}.", code="wrong_type")


def collection(value: Any) -> list[Any] | dict[str, Any]:
    """Kind: a list, a set or a map."""
    if isinstance(value, (list, dict)):
        return value
    raise Fault(f"Expected a list, a set or a map, found {type_name(value)}.", code="wrong_type")


ANY: Final[Kind] = any_value
TEXT: Final[Kind] = to_text
NUMBER: Final[Kind] = to_number
WHOLE: Final[Kind] = to_whole
BOOL: Final[Kind] = to_bool
LIST: Final[Kind] = list_value
MAP: Final[Kind] = map_value
COLLECTION: Final[Kind] = collection


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language."""

    name: str
    apply: Callable[..., Any]
    kinds: tuple[Kind, ...]
    rest: Kind | None
    optional: int
    with_context: bool
    keeps_marks: bool
    """Elements of arguments are only moved, so their marks can stay on them."""


FUNCTIONS: Final[dict[str, Function]] = {}


def function(
    *kinds: Kind,
    rest: Kind | None = None,
    optional: int = 0,
    with_context: bool = False,
    keeps_marks: bool = False,
    name: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function of the language, called like the decorated one."""

    def declare(apply: Callable[..., Any]) -> Callable[..., Any]:
        known = name or apply.__name__.rstrip("_")
        FUNCTIONS[known] = Function(known, apply, kinds, rest, optional, with_context, keeps_marks)
        return apply

    return declare


def call(name: str, arguments: list[Any], context: CallContext) -> Any:
    """Call a function. Raises Fault.

    A sensitive argument makes the result sensitive, an unknown one makes it unknown.
    """
    declared = FUNCTIONS.get(name)
    if declared is None:
        raise Fault(
            f"There is no function {name[:60]}.",
            hint=did_you_mean(name, [*FUNCTIONS, "try", "can"]),
            code="unknown_function",
        )
    _check_count(declared, len(arguments))
    hidden = unknown = False
    values: list[Any] = []
    budget = context.budget
    for argument in arguments:
        value = argument
        if isinstance(argument, (Sensitive, Unknown)):
            if name in ("sensitive", "nonsensitive"):
                values.append(argument)
                continue
            if isinstance(argument, Sensitive):
                hidden, value = True, argument.value
            if isinstance(value, Unknown):
                unknown = True
        if isinstance(value, (list, dict)) and not declared.keeps_marks:
            one, other = is_marked(value, budget)
            unknown = unknown or other
            if one:
                hidden, value = True, bare(value, budget)
        values.append(value)
    if unknown:
        return Sensitive(UNKNOWN) if hidden else UNKNOWN
    try:
        result = _apply(declared, values, context)
    except Fault as fault:
        if hidden:  # the message may quote an argument
            fault.message, fault.hint = f"{name}() cannot work with this sensitive value.", ""
        raise
    return Sensitive(result) if hidden and name != "nonsensitive" else result


def _check_count(declared: Function, count: int) -> None:
    most = len(declared.kinds)
    least = most - declared.optional
    if count < least or (count > most and declared.rest is None):
        wanted = f"{least}" if least == most else f"{least} to {most}"
        if declared.rest is not None:
            wanted = f"at least {least}"
        noun = "argument" if wanted.endswith("1") and not wanted.endswith("11") else "arguments"
        raise Fault(f"{declared.name}() takes {wanted} {noun}, not {count}.", code="arguments")


def _apply(declared: Function, values: list[Any], context: CallContext) -> Any:
    converted: list[Any] = []
    for position, value in enumerate(values):
        kind = declared.kinds[position] if position < len(declared.kinds) else declared.rest
        if kind is None or kind is any_value:
            converted.append(value)
            continue
        try:
            if value is None:
                raise Fault("It is null.", code="null_value")
            converted.append(kind(value))
        except Fault as fault:
            fault.message = f"Argument {position + 1} of {declared.name}(): {fault.message}"
            raise
    try:
        result = declared.apply(context, *converted) if declared.with_context else declared.apply(*converted)
    except RecursionError:
        raise Fault(f"{declared.name}(): the value is nested too deeply.", code="too_deep") from None
    except MemoryError:
        raise Fault(f"{declared.name}(): the result is too big.", code="too_big") from None
    check_size(result, context.budget)
    return result


def check_size(result: Any, budget: Budget | None = None) -> None:
    """Raise Fault when a result is too big."""
    if isinstance(result, str):
        if len(result) > MAX_TEXT:
            raise Fault(f"This text is longer than {MAX_TEXT:,} characters.", code="too_big")
        if budget is not None:
            budget.spend(len(result) // TEXT_PER_WORK)
    if isinstance(result, (list, dict)):
        if len(result) > MAX_ITEMS:
            raise Fault(f"This makes more than {MAX_ITEMS:,} elements.", code="too_big")
        if budget is not None:
            budget.spend(len(result))


__all__ = ["FUNCTIONS", "CallContext", "Function", "SetValue", "call", "check_size", "function"]
