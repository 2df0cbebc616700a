"""Evaluates expressions: operators, for, splat, templates, calls.

Names are looked up through the frame's `resolve`, so nothing here knows of modules and resources.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, Any, Protocol

from kolumn.config.diagnostics import Fault, did_you_mean
from kolumn.config.functions import CallContext, call
from kolumn.config.project import UNKNOWN, Unknown
from kolumn.config.syntax import (
    Access,
    Binary,
    Call,
    Conditional,
    Embedded,
    Expression,
    For,
    Index,
    ObjectOf,
    Splat,
    Step,
    Template,
    TemplateFor,
    TemplateIf,
    Traversal,
    TupleOf,
    Unary,
    Value,
)
from kolumn.config.values import (
    MAX_ITEMS,
    MAX_TEXT,
    TEXT_PER_WORK,
    Sensitive,
    SetValue,
    bare,
    equal,
    is_marked,
    to_bool,
    to_number,
    to_text,
    type_name,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Resolver(Protocol):
    """Knows what names stand for."""

    def resolve(self, traversal: Traversal, frame: Frame) -> Any:
        """Return the value of a traversal whose root is not a variable of a for expression."""
        ...


@dataclass(slots=True)
class Frame:
    """Where an expression is evaluated."""

    resolver: Resolver
    calls: CallContext
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Variables of for expressions, dynamic blocks, and `each` and `count`."""
    dependencies: set[str] = field(default_factory=set)
    """Addresses of resources referred to so far."""
    in_references: bool = False
    """True inside an attribute called `references`."""

    def with_variables(self, **variables: Any) -> Frame:
        """Return a frame with more variables that shares the rest."""
        return replace(self, variables={**self.variables, **variables})


def evaluate(node: Value, frame: Frame) -> Any:
    """Return the value of a plain value or an expression. Raises Fault with its place filled in."""
    handler = _HANDLERS.get(type(node))
    if handler is None:
        return node
    try:
        return handler(node, frame)
    except Fault as fault:
        fault.spanning(node.start, node.end)
        raise


def open_mark(value: Any) -> tuple[Any, bool]:
    """Take a sensitive mark off the top; returns the value and whether it was marked."""
    return (value.value, True) if isinstance(value, Sensitive) else (value, False)


def step_into(value: Any, steps: tuple[Step, ...], frame: Frame) -> Any:
    """Follow `.name` and `[key]` into a value."""
    for step in steps:
        key = step if isinstance(step, str) else evaluate(step.key, frame)
        member = getattr(value, "member", None)
        value = member(key, frame) if member else _step(value, key, is_name=isinstance(step, str))
    return value


def _step(value: Any, key: Any, *, is_name: bool) -> Any:
    value, hidden = open_mark(value)
    key, hidden_key = open_mark(key)
    if isinstance(value, Unknown) or isinstance(key, Unknown):
        result = UNKNOWN
    elif isinstance(value, dict):
        result = _member(value, key, hidden or hidden_key)
    elif isinstance(value, SetValue):
        raise Fault("A set has no order to index by.", hint="Convert it with tolist().", code="wrong_type")
    elif isinstance(value, list) and not is_name:
        result = _element(value, key)
    elif value is None:
        raise Fault("This value is null, so there is nothing in it.", code="null_value")
    else:
        what = f"no attribute {key}" if is_name else "nothing to index"
        raise Fault(f"{type_name(value)[:1].upper()}{type_name(value)[1:]} has {what}.", code="wrong_type")
    return Sensitive(result) if hidden or hidden_key else result


def _member(value: dict[str, Any], key: Any, hidden: bool) -> Any:
    if isinstance(key, (list, dict)) or key is None:
        raise Fault(f"A key is a string, found {type_name(key)}.", code="wrong_type")
    text = to_text(key)
    if text in value:
        return value[text]
    if hidden:
        raise Fault("There is no such key.", code="unknown_key")
    named = text[:100] if text.isidentifier() else f'key "{text[:100]}"'
    raise Fault(f"There is no {named} here.", hint=did_you_mean(text, value), code="unknown_key")


def _element(value: list[Any], key: Any) -> Any:
    try:
        number = to_number(key)
    except Fault:
        raise Fault("A list is indexed by a whole number.", code="wrong_type") from None
    if not isinstance(number, int):
        raise Fault("A list is indexed by a whole number.", code="wrong_type")
    if 0 <= number < len(value):
        return value[number]
    raise Fault(f"The list has {len(value)} elements; the index is outside of it.", code="unknown_key")


def iterate(value: Any) -> Iterator[tuple[Any, Any]]:
    """Return key and value of each element of a list, set or map. Raises Fault."""
    if isinstance(value, dict):
        return iter(list(value.items()))
    if isinstance(value, SetValue):
        return ((item, item) for item in value)
    if isinstance(value, list):
        return iter(list(enumerate(value)))
    raise Fault(f"Expected a list, set or map to go through, found {type_name(value)}.", code="wrong_type")


def _traversal(node: Traversal, frame: Frame) -> Any:
    if node.root in frame.variables:
        return step_into(frame.variables[node.root], node.steps, frame)
    return frame.resolver.resolve(node, frame)


def _access(node: Access, frame: Frame) -> Any:
    return step_into(evaluate(node.target, frame), node.steps, frame)


def _splat(node: Splat, frame: Frame) -> Any:
    value, hidden = open_mark(evaluate(node.target, frame))
    if isinstance(value, Unknown):
        return Sensitive(UNKNOWN) if hidden else UNKNOWN
    items: list[Any]
    if value is None:
        items = []
    elif isinstance(value, list):
        items = list(value)
    else:
        items = [value]
    frame.calls.budget.spend(len(items))
    result = [step_into(item, node.steps, frame) for item in items]
    return Sensitive(result) if hidden else result


def _call(node: Call, frame: Frame) -> Any:
    name = node.name
    if name == "try":
        return _try(node, frame)
    if name == "can":
        _arity(node, 1)
        try:
            evaluate(node.arguments[0], frame)
        except Fault as fault:
            if fault.code in _FATAL:
                raise
            return False
        return True
    arguments = [evaluate(argument, frame) for argument in node.arguments]
    if node.expand:
        last, hidden = open_mark(arguments.pop())
        if isinstance(last, Unknown):
            return UNKNOWN
        if not isinstance(last, list):
            raise Fault(f"Only a list can be spread with ..., found {type_name(last)}.", code="wrong_type")
        arguments.extend(Sensitive(item) if hidden else item for item in last)
    return call(name, arguments, frame.calls)


_FATAL = frozenset({"too_big", "too_deep", "cycle", "unknown_function"})


def _try(node: Call, frame: Frame) -> Any:
    _arity(node, None)
    last: Fault | None = None
    for argument in node.arguments:
        try:
            return evaluate(argument, frame)
        except Fault as fault:
            if fault.code in _FATAL:
                raise
            last = fault
    raise last or Fault("try() needs an argument.")


def _arity(node: Call, wanted: int | None) -> None:
    if node.expand or (len(node.arguments) != wanted if wanted else not node.arguments):
        raise Fault(
            f"{node.name}() takes {'one argument' if wanted else 'at least one argument'}.", code="arguments"
        )


def _unary(node: Unary, frame: Frame) -> Any:
    value, hidden = open_mark(evaluate(node.operand, frame))
    result: Any
    if isinstance(value, Unknown):
        result = UNKNOWN
    elif value is None:
        raise Fault(f"{node.operator} cannot be used with null.", code="null_value")
    elif node.operator == "!":
        result = not to_bool(value)
    else:
        result = -to_number(value)
    return Sensitive(result) if hidden else result


def _binary(node: Binary, frame: Frame) -> Any:
    operator = node.operator
    left, hidden = open_mark(evaluate(node.left, frame))
    if operator in ("&&", "||"):
        return _logic(node, operator, left, hidden, frame)
    right, also = open_mark(evaluate(node.right, frame))
    hidden = hidden or also
    result: Any
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        result = UNKNOWN
    elif operator in ("==", "!="):
        result = _equality(operator, left, right, frame)
        if isinstance(result, Sensitive):
            return result
    elif left is None or right is None:
        raise Fault(f"{operator} cannot be used with null.", code="null_value")
    else:
        result = _ARITHMETIC[operator](to_number(left), to_number(right))
    return Sensitive(result) if hidden else result


def _equality(operator: str, left: Any, right: Any, frame: Frame) -> Any:
    budget = frame.calls.budget
    hidden = unknown = False
    for value in (left, right):
        if isinstance(value, (list, dict)):
            one, other = is_marked(value, budget)
            hidden, unknown = hidden or one, unknown or other
    result = UNKNOWN if unknown else equal(left, right, budget) is (operator == "==")
    return Sensitive(result) if hidden else result


def _logic(node: Binary, operator: str, left: Any, hidden: bool, frame: Frame) -> Any:
    decisive = operator == "||"
    result: Any = UNKNOWN
    if left is None:
        raise Fault(f"{operator} cannot be used with null.", code="null_value")
    if not isinstance(left, Unknown) and to_bool(left) is decisive:
        result = decisive
    else:
        right, also = open_mark(evaluate(node.right, frame))
        hidden = hidden or also
        if right is None:
            raise Fault(f"{operator} cannot be used with null.", code="null_value")
        if not isinstance(right, Unknown) and (not isinstance(left, Unknown) or to_bool(right) is decisive):
            result = to_bool(right)
    return Sensitive(result) if hidden else result


def _exact(operation: Callable[[Decimal, Decimal], Decimal], left: Any, right: Any) -> int | float:
    """Calculate with decimals, so that 0.1 + 0.2 is 0.3 as in HCL."""
    try:
        return whole(float(operation(Decimal(repr(left)), Decimal(repr(right)))))
    except (DecimalException, OverflowError):
        raise Fault("This number is too big.", code="too_big") from None


def _add(left: Any, right: Any) -> int | float:
    if isinstance(left, int) and isinstance(right, int):
        return whole(left + right)
    return _exact(Decimal.__add__, left, right)


def _subtract(left: Any, right: Any) -> int | float:
    if isinstance(left, int) and isinstance(right, int):
        return whole(left - right)
    return _exact(Decimal.__sub__, left, right)


def _multiply(left: Any, right: Any) -> int | float:
    if isinstance(left, int) and isinstance(right, int):
        return whole(left * right)
    return _exact(Decimal.__mul__, left, right)


def _divide(left: Any, right: Any) -> int | float:
    if right == 0:
        raise Fault("Division by zero.", code="division_by_zero")
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return _exact(Decimal.__truediv__, left, right)


def _modulo(left: Any, right: Any) -> int | float:
    if right == 0:
        raise Fault("Division by zero.", code="division_by_zero")
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return rest if left >= 0 else -rest
    return _exact(Decimal.__mod__, left, right)


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _conditional(node: Conditional, frame: Frame) -> Any:
    condition, hidden = open_mark(evaluate(node.condition, frame))
    if isinstance(condition, Unknown):
        result: Any = UNKNOWN
    elif condition is None:
        raise Fault("The condition is null.", code="null_value")
    else:
        result = evaluate(node.then if to_bool(condition) else node.otherwise, frame)
    return Sensitive(result) if hidden else result


def _tuple(node: TupleOf, frame: Frame) -> Any:
    return [evaluate(item, frame) if isinstance(item, Expression) else item for item in node.items]


def _object(node: ObjectOf, frame: Frame) -> Any:
    result: dict[str, Any] = {}
    for key_node, value_node in node.items:
        key, hidden = open_mark(evaluate(key_node, frame))
        if isinstance(key, Unknown):
            return UNKNOWN
        if key is None or hidden:
            what = "null" if key is None else "sensitive"
            raise Fault(f"A key of a map cannot be {what}.", code="bad_key")
        if key == "references" and not frame.in_references:
            result[key] = evaluate(value_node, replace(frame, in_references=True))
        else:
            result[to_text(key)] = evaluate(value_node, frame)
    return result


def _for(node: For, frame: Frame) -> Any:
    collection, hidden = open_mark(evaluate(node.collection, frame))
    if isinstance(collection, Unknown):
        return UNKNOWN
    if collection is None:
        raise Fault("A for expression cannot go through null.", code="null_value")
    budget = frame.calls.budget
    items: list[Any] = []
    pairs: dict[str, Any] = {}
    for key, value in iterate(collection):
        budget.spend(1)
        names = {node.value_name: value}
        if node.key_name:
            names[node.key_name] = key
        inner = frame.with_variables(**names)
        if node.condition is not True:
            condition, also = open_mark(evaluate(node.condition, inner))
            hidden = hidden or also
            if isinstance(condition, Unknown):
                return UNKNOWN
            if condition is None:
                raise Fault("The condition is null.", code="null_value")
            if not to_bool(condition):
                continue
        if not node.is_object:
            items.append(evaluate(node.value_of, inner))
            continue
        name, also = open_mark(evaluate(node.key_of, inner))
        if isinstance(name, Unknown):
            return UNKNOWN
        if name is None or also:
            raise Fault(
                f"A key of a map cannot be {'null' if name is None else 'sensitive'}.", code="bad_key"
            )
        name = to_text(name)
        made = evaluate(node.value_of, inner)
        if node.group:
            pairs.setdefault(name, []).append(made)
        elif name in pairs:
            shown = "" if hidden else f" {name[:60]}"
            raise Fault(
                f"Two elements have the same key{shown}.",
                hint="Group them: put ... after the value.",
                code="duplicate_key",
            )
        else:
            pairs[name] = made
    result: Any = pairs if node.is_object else items
    return Sensitive(result) if hidden else result


def _template(node: Template, frame: Frame) -> Any:
    if frame.in_references:
        frame = replace(frame, in_references=len(node.parts) == 1)
    return _joined(node.parts, frame)


def _joined(parts: tuple[Value, ...], frame: Frame) -> Any:
    texts: list[str] = []
    hidden = unknown = False
    size = 0
    for part in parts:
        if type(part) is str:
            texts.append(part)
            size += len(part)
            continue
        value, also = open_mark(evaluate(part, frame))
        hidden = hidden or also
        if isinstance(value, Unknown):
            unknown = True
            continue
        if value is None or isinstance(value, (list, dict)):
            fault = Fault(
                f"{type_name(value)[:1].upper()}{type_name(value)[1:]} cannot stand in a text.",
                hint="Use jsonencode() or join()."
                if value is not None
                else "Use coalesce() for another value.",
                code="wrong_type",
            )
            raise fault.spanning(part.start, part.end) if isinstance(part, Expression) else fault
        text = to_text(value)
        size += len(text)
        if size > MAX_TEXT:
            raise Fault(f"This text is longer than {MAX_TEXT:,} characters.", code="too_big")
        texts.append(text)
    frame.calls.budget.spend(size // TEXT_PER_WORK)
    result: Any = UNKNOWN if unknown else "".join(texts)
    return Sensitive(result) if hidden else result


def _template_if(node: TemplateIf, frame: Frame) -> Any:
    condition, hidden = open_mark(evaluate(node.condition, frame))
    if isinstance(condition, Unknown):
        result: Any = UNKNOWN
    elif condition is None:
        raise Fault("The condition is null.", code="null_value")
    else:
        result = _joined(node.then if to_bool(condition) else node.otherwise, frame)
    return Sensitive(result) if hidden else result


def _template_for(node: TemplateFor, frame: Frame) -> Any:
    collection, hidden = open_mark(evaluate(node.collection, frame))
    if isinstance(collection, Unknown):
        return UNKNOWN
    if collection is None:
        raise Fault("A for directive cannot go through null.", code="null_value")
    texts: list[str] = []
    size = 0
    for key, value in iterate(collection):
        frame.calls.budget.spend(1)
        names = {node.value_name: value}
        if node.key_name:
            names[node.key_name] = key
        text, also = open_mark(_joined(node.parts, frame.with_variables(**names)))
        hidden = hidden or also
        if isinstance(text, Unknown):
            return UNKNOWN
        size += len(text)
        if size > MAX_TEXT:
            raise Fault(f"This text is longer than {MAX_TEXT:,} characters.", code="too_big")
        texts.append(text)
    result = "".join(texts)
    return Sensitive(result) if hidden else result


def _embedded(node: Embedded, frame: Frame) -> Any:
    try:
        return evaluate(node.inner, frame)
    except Fault as fault:
        fault.start, fault.end = node.start, node.end
        raise


_HANDLERS: Mapping[type, Callable[[Any, Frame], Any]] = {
    Traversal: _traversal,
    Access: _access,
    Splat: _splat,
    Call: _call,
    Unary: _unary,
    Binary: _binary,
    Conditional: _conditional,
    TupleOf: _tuple,
    ObjectOf: _object,
    For: _for,
    Template: _template,
    TemplateIf: _template_if,
    TemplateFor: _template_for,
    Embedded: _embedded,
}

__all__ = ["MAX_ITEMS", "Frame", "Index", "Resolver", "bare", "evaluate", "iterate", "open_mark", "step_into"]
