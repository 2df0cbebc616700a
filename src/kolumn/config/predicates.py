"""Rules of policies at work: expressions over documents, in a sandbox of their own.

Nothing in reach of them reads files, the environment or the configuration: they see the variables they are given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from kolumn.config.diagnostics import Fault, did_you_mean
from kolumn.config.evaluator import Frame, evaluate, open_mark
from kolumn.config.functions import CallContext
from kolumn.config.project import UNKNOWN, Unknown
from kolumn.config.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    Index,
    TemplateFor,
    Traversal,
    Unary,
    Value,
)
from kolumn.config.syntax_data import from_data
from kolumn.config.values import Budget, to_bool, type_name
from kolumn.contract.errors import Location, Problem

_WORK: Final = 1_000_000
"""Elements that one evaluation may visit."""


class Predicate:
    """One expression of a policy, made ready once and evaluated for each thing it is asked about."""

    def __init__(self, data: Any) -> None:
        self._node = from_data(data)
        self.names: frozenset[str] = frozenset(_names(self._node, frozenset()))
        """The variables it needs."""
        self._run = _compiled(self._node)

    @property
    def constant(self) -> bool:
        """Whether it comes to the same whatever it is asked about."""
        return not self.names

    def decide(self, frame: Frame) -> bool | Unknown:
        """Return whether it is true, UNKNOWN where that depends on what is not known. Raises Fault."""
        value, _ = open_mark(self.value(frame))
        if isinstance(value, Unknown):
            return UNKNOWN
        try:
            return to_bool(value)
        except Fault as fault:
            fault.message = f"This has to be true or false, and is {type_name(value)}."
            raise self._placed(fault) from None

    def text(self, frame: Frame) -> str:
        """Return it as a text for people. Raises Fault."""
        value, hidden = open_mark(self.value(frame))
        if hidden:
            return "(sensitive)"
        if isinstance(value, Unknown):
            return ""
        if not isinstance(value, str):
            raise self._placed(Fault(f"This has to be a text, and is {type_name(value)}.", code="wrong_type"))
        return value

    def value(self, frame: Frame) -> Any:
        """Return its value. Raises Fault with its place in the file."""
        try:
            return self._run(frame)
        except RecursionError:
            raise self._placed(Fault("Nested too deeply.", code="too_deep")) from None

    def _placed(self, fault: Fault) -> Fault:
        if isinstance(self._node, Expression):
            fault.spanning(self._node.start, self._node.end)
        return fault


def problem_of(fault: Fault, policy: str, location: Location | None) -> Problem:
    """Return a fault of a policy with file and line; `location` is its block's."""
    from kolumn.config.loader import read_source
    from kolumn.contract.errors import ValidationError

    source = None
    if location is not None and fault.start >= 0:
        try:
            source = read_source(Path(location.file))
        except ValidationError:
            source = None
    return dataclasses.replace(fault.problem(source, location), resource=f"policy {policy}")


class _Sandbox:
    """Resolver of names that a policy does not know: there are none left when it was read without faults."""

    def resolve(self, traversal: Traversal, frame: Frame) -> Any:
        raise Fault(
            f"There is nothing called {traversal.root[:60]} here.",
            traversal.start,
            traversal.end,
            hint=did_you_mean(traversal.root, frame.variables),
            code="unknown_reference",
        )


_SANDBOX: Final = _Sandbox()
_NOWHERE: Final = Path()


def _no_templates(name: str, _text: str, _variables: Mapping[str, Any], _context: CallContext) -> Any:
    raise Fault(f"A policy cannot read {name[:100]}.", code="policy_function")


def sandbox(variables: Mapping[str, Any]) -> Frame:
    """Return where expressions are evaluated that see `variables` and nothing else; several may share it."""
    return Frame(_SANDBOX, CallContext(_NOWHERE, Budget(_WORK), {}, _no_templates), variables)


def _names(node: Any, own: frozenset[str]) -> set[str]:
    """Return the names that an expression needs from outside."""
    if isinstance(node, For | TemplateFor):
        inner = own | {node.key_name, node.value_name}
        found = _names(node.collection, own)
        for field in dataclasses.fields(node):
            if field.name != "collection":
                found |= _names(getattr(node, field.name), inner)
        return found
    found = set()
    if isinstance(node, Traversal) and node.root not in own:
        found.add(node.root)
    if isinstance(node, Expression | Index):
        for field in dataclasses.fields(node):
            found |= _names(getattr(node, field.name), own)
    elif isinstance(node, list | tuple):
        for each in node:
            found |= _names(each, own)
    elif isinstance(node, dict):
        for each in node.values():
            found |= _names(each, own)
    return found


Run = Callable[[Frame], Any]


def _compiled(node: Value) -> Run:
    """Return a function that evaluates `node`, the commonest expressions without a walk over the tree.

    What is not as usual (marks, unknown or missing values, faults) is left to `evaluate`, so that both agree.
    """
    match node:
        case Traversal(root=root, steps=steps) if all(type(step) is str for step in steps):
            return _reading(node, root, steps)
        case Binary(operator="==" | "!=" as operator):
            return _comparing(node, _compiled(node.left), _compiled(node.right), operator == "==")
        case Binary(operator="&&" | "||" as operator):
            return _joining(node, _compiled(node.left), _compiled(node.right), operator == "||")
        case Unary(operator="!"):
            return _negating(node, _compiled(node.operand))
        case Conditional():
            return _choosing(node, _compiled(node.condition), _compiled(node.then), _compiled(node.otherwise))
        case Call(name="contains", arguments=(list() as listed, sought), expand=False):
            if all(type(each) is str for each in listed):
                return _searching(node, frozenset(listed), _compiled(sought))
        case Call(name=name, arguments=(one, other), expand=False) if name in _TEXT_TESTS:
            return _testing(node, _TEXT_TESTS[name], _compiled(one), _compiled(other))
        case Call(name="length", arguments=(measured,), expand=False):
            return _measuring(node, _compiled(measured))
    if isinstance(node, Expression):
        return lambda frame: evaluate(node, frame)
    return lambda _: node


def _reading(node: Traversal, root: str, steps: tuple[Any, ...]) -> Run:
    def run(frame: Frame) -> Any:
        try:
            value = frame.variables[root]
            for step in steps:
                if type(value) is not dict:
                    return evaluate(node, frame)
                value = value[step]
        except KeyError:
            return evaluate(node, frame)
        return value

    return run


_SIMPLE: Final = (str, int, float)


def _comparing(node: Binary, left: Run, right: Run, wanted: bool) -> Run:
    def run(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        kind = type(one)
        if kind is type(other) and kind in _SIMPLE:
            return (one == other) is wanted
        return evaluate(node, frame)

    return run


def _joining(node: Binary, left: Run, right: Run, decisive: bool) -> Run:
    def run(frame: Frame) -> Any:
        one = left(frame)
        if one is decisive:
            return decisive
        if one is (not decisive):
            other = right(frame)
            if other is True or other is False:
                return other
        return evaluate(node, frame)

    return run


def _negating(node: Unary, operand: Run) -> Run:
    def run(frame: Frame) -> Any:
        value = operand(frame)
        return (not value) if value is True or value is False else evaluate(node, frame)

    return run


def _choosing(node: Conditional, condition: Run, then: Run, otherwise: Run) -> Run:
    def run(frame: Frame) -> Any:
        value = condition(frame)
        if value is True:
            return then(frame)
        return otherwise(frame) if value is False else evaluate(node, frame)

    return run


def _searching(node: Call, listed: frozenset[str], sought: Run) -> Run:
    def run(frame: Frame) -> Any:
        value = sought(frame)
        return value in listed if type(value) is str else evaluate(node, frame)

    return run


_TEXT_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "strcontains": str.__contains__,
}


def _testing(node: Call, test: Callable[[str, str], bool], left: Run, right: Run) -> Run:
    def run(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        return test(one, other) if type(one) is str and type(other) is str else evaluate(node, frame)

    return run


def _measuring(node: Call, measured: Run) -> Run:
    def run(frame: Frame) -> Any:
        value = measured(frame)
        return len(value) if type(value) in (str, list, dict) else evaluate(node, frame)

    return run
