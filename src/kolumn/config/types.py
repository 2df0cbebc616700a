"""Types of variables: `string`, `list(number)`, `object({ a = string, b = optional(bool, true) })`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kolumn.config.diagnostics import Fault, Source, did_you_mean
from kolumn.config.parser import parse_expression
from kolumn.config.project import Unknown
from kolumn.config.syntax import Call, Expression, ObjectOf, Traversal, TupleOf, Value
from kolumn.config.values import Sensitive, SetValue, to_bool, to_number, to_text, type_name

_PRIMITIVES = ("string", "number", "bool", "any")
_CONSTRUCTORS = ("list", "set", "map", "object", "tuple")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an object type."""

    type: VariableType
    optional: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class VariableType:
    """A type; `element` is for list, set and map, `items` for tuple, `attributes` for object."""

    kind: str
    element: VariableType | None = None
    items: tuple[VariableType, ...] = ()
    attributes: dict[str, Attribute] = field(default_factory=dict)


ANY = VariableType("any")


def parse_type(node: Value) -> VariableType:
    """Return the type an expression or a quoted text stands for. Raises Fault."""
    if isinstance(node, str):
        source = Source("", node)
        try:
            return parse_type(_named(parse_expression(source)))
        except Fault as fault:
            raise Fault(fault.message, hint=fault.hint, code=fault.code) from None
    node = _named(node)
    if isinstance(node, Traversal) and not node.steps:
        if node.root in _PRIMITIVES:
            return VariableType(node.root)
        if node.root in ("list", "set", "map"):
            return VariableType(node.root, ANY)
        raise Fault(
            f"There is no type {node.root[:60]}.",
            node.start,
            node.end,
            hint=did_you_mean(node.root, (*_PRIMITIVES, *_CONSTRUCTORS)),
            code="unknown_type",
        )
    if isinstance(node, Call):
        return _constructed(node)
    start, end = (node.start, node.end) if isinstance(node, Expression) else (-1, -1)
    raise Fault(
        "This is not a type.",
        start,
        end,
        hint="Types: string, number, bool, any, list(T), map(T), object({...}).",
    )


def _named(node: Value) -> Value:
    return node.inner if hasattr(node, "inner") else node


def _constructed(node: Call) -> VariableType:
    if node.name not in _CONSTRUCTORS:
        raise Fault(
            f"There is no type {node.name[:60]}(...).",
            node.start,
            node.end,
            hint=did_you_mean(node.name, _CONSTRUCTORS),
            code="unknown_type",
        )
    if len(node.arguments) != 1:
        raise Fault(f"{node.name}(...) takes one argument.", node.start, node.end, code="unknown_type")
    inner = node.arguments[0]
    if node.name == "object":
        return VariableType("object", attributes=_attributes(inner, node))
    if node.name == "tuple":
        items = inner.items if isinstance(inner, TupleOf) else inner if isinstance(inner, list) else None
        if items is None:
            raise Fault("tuple(...) takes a list of types: tuple([string, number]).", node.start, node.end)
        return VariableType("tuple", items=tuple(parse_type(item) for item in items))
    return VariableType(node.name, parse_type(inner))


def _attributes(inner: Value, node: Call) -> dict[str, Attribute]:
    if isinstance(inner, dict):
        pairs: list[tuple[Value, Value]] = list(inner.items())
    elif isinstance(inner, ObjectOf):
        pairs = list(inner.items)
    else:
        raise Fault("object(...) takes attributes: object({ a = string }).", node.start, node.end)
    result: dict[str, Attribute] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise Fault("The names of an object's attributes are plain texts.", node.start, node.end)
        if isinstance(value, Call) and value.name == "optional" and 1 <= len(value.arguments) <= 2:
            default = value.arguments[1] if len(value.arguments) == 2 else None
            if isinstance(default, Expression):
                raise Fault("The default of optional() is a literal.", default.start, default.end)
            result[key] = Attribute(parse_type(value.arguments[0]), True, default)
        else:
            result[key] = Attribute(parse_type(value))
    return result


def convert(value: Any, wanted: VariableType, path: str = "") -> Any:
    """Convert a value to a type. Raises Fault, which names the path but never the value."""
    if isinstance(value, Sensitive):
        return Sensitive(convert(value.value, wanted, path))
    if value is None or isinstance(value, Unknown) or wanted.kind == "any":
        return value
    kind = wanted.kind
    try:
        if kind == "string":
            return to_text(value)
        if kind == "number":
            return to_number(value)
        if kind == "bool":
            return to_bool(value)
    except Fault as fault:
        raise Fault(f"{path}: {fault.message}" if path else fault.message, code=fault.code) from None
    if kind in ("map", "object") and isinstance(value, dict):
        if kind == "object":
            return _to_object(value, wanted, path)
        return {key: convert(item, wanted.element or ANY, f"{path}[{key}]") for key, item in value.items()}
    if kind in ("list", "set", "tuple") and isinstance(value, list):
        if kind == "tuple":
            if len(value) != len(wanted.items):
                raise _mismatch(f"{len(wanted.items)} elements", f"{len(value)}", path)
            return [
                convert(item, type_, f"{path}[{row}]")
                for row, (item, type_) in enumerate(zip(value, wanted.items, strict=True))
            ]
        items = [convert(item, wanted.element or ANY, f"{path}[{row}]") for row, item in enumerate(value)]
        return SetValue.of(items) if kind == "set" else items
    names = {"map": "a map", "object": "an object", "list": "a list", "set": "a list", "tuple": "a list"}
    raise _mismatch(names[kind], type_name(value), path)


def _mismatch(wanted: str, found: str, path: str) -> Fault:
    message = f"Expected {wanted}, found {found}."
    return Fault(f"{path}: {message}" if path else message, code="wrong_type")


def _to_object(value: dict[str, Any], wanted: VariableType, path: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, attribute in wanted.attributes.items():
        where = f"{path}.{name}" if path else name
        given = value.get(name)
        if given is None and attribute.optional:
            result[name] = convert(attribute.default, attribute.type, where)
        elif name not in value:
            raise Fault(
                f"{where} is missing.",
                hint=did_you_mean(name, set(value) - set(wanted.attributes)),
                code="missing",
            )
        else:
            result[name] = convert(given, attribute.type, where)
    return result
