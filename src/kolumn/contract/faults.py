"""Finding every fault of a message in one go, where the decoder stops at the first."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import inspect

from kolumn.contract.encoding import Message
from kolumn.contract.errors import Problem
from kolumn.contract.times import Timestamp


@cache
def _shape(type_: type[Message]) -> inspect.Type:
    return inspect.type_info(type_)


def examine(value: Any, type_: type[Message]) -> tuple[list[Problem], Any]:
    """Check JSON data against a message type.

    Returns the faults, by place, and the data with `null` replaced by what Go takes it for.
    """
    problems: list[Problem] = []
    return problems, _check(value, _shape(type_), "$", problems)


def _check(value: Any, shape: inspect.Type, path: str, problems: list[Problem]) -> Any:
    match shape:
        case inspect.StructType():
            if isinstance(value, dict):
                return _check_fields(value, shape, path, problems)
            _mistyped("an object", value, path, problems)
        case inspect.DictType():
            if isinstance(value, dict):
                if isinstance(shape.value_type, inspect.AnyType):
                    return value
                return {
                    key: _check(item, shape.value_type, f"{path}.{key}", problems)
                    for key, item in value.items()
                }
            _mistyped("an object", value, path, problems)
        case inspect.VarTupleType():
            if isinstance(value, list):
                return [
                    _check(item, shape.item_type, f"{path}[{index}]", problems)
                    for index, item in enumerate(value)
                ]
            _mistyped("an array", value, path, problems)
        case inspect.UnionType():
            inner = [option for option in shape.types if not isinstance(option, inspect.NoneType)]
            return None if value is None else _check(value, inner[0], path, problems)
        case inspect.LiteralType():
            if value not in shape.values or isinstance(value, bool):
                allowed = ", ".join(f'"{option}"' for option in shape.values)
                problems.append(Problem(f"expected one of {allowed}", code="invalid_value", path=path))
        case inspect.StrType():
            if not isinstance(value, str):
                _mistyped("a string", value, path, problems)
            elif len(value) < (shape.min_length or 0):
                problems.append(Problem("must not be empty", code="missing_field", path=path))
        case inspect.IntType():
            if isinstance(value, bool) or not isinstance(value, int):
                _mistyped("an integer", value, path, problems)
        case inspect.BoolType():
            if not isinstance(value, bool):
                _mistyped("true or false", value, path, problems)
        case inspect.CustomType() if shape.cls is Timestamp:
            _check_time(value, path, problems)
    return value


def _check_fields(
    data: dict[str, Any], shape: inspect.StructType, path: str, problems: list[Problem]
) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for field in shape.fields:
        value, where = data.get(field.encode_name), f"{path}.{field.encode_name}"
        if value is None:
            if not field.required:
                continue
            if field.encode_name in data and isinstance(field.type, inspect.DictType):
                value = {}
            elif field.encode_name in data and isinstance(field.type, inspect.VarTupleType):
                value = []
            else:
                problems.append(
                    Problem(
                        f"required field is missing: {_expected(field.type)}",
                        code="missing_field",
                        path=where,
                    )
                )
                continue
        checked[field.encode_name] = _check(value, field.type, where, problems)
    return checked


def _check_time(value: Any, path: str, problems: list[Problem]) -> None:
    try:
        if isinstance(value, str):
            Timestamp.parse(value)
        else:
            _mistyped("a time like 2025-12-15T10:30:00Z", value, path, problems)
    except ValueError:
        problems.append(Problem("expected a time like 2025-12-15T10:30:00Z", code="invalid_value", path=path))


def _expected(shape: inspect.Type) -> str:
    match shape:
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{option}"' for option in shape.values)
        case inspect.StructType() | inspect.DictType():
            return "an object"
        case inspect.VarTupleType():
            return "an array"
        case inspect.IntType():
            return "an integer"
        case inspect.CustomType():
            return "a time"
        case _:
            return "a string"


def _mistyped(expected: str, value: Any, path: str, problems: list[Problem]) -> None:
    problems.append(Problem(f"expected {expected}, got {_kind(value)}", code="invalid_type", path=path))


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
