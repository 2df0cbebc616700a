"""Every message against the Go type of the specification: names, order, types and `omitempty`."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import inspect

from kolumn.contract import messages, schema
from kolumn.contract.codec import encode
from kolumn.contract.encoding import Message
from kolumn.contract.times import ZERO_TIME

EXTENSIONS = {
    "PlanRequest": ["options"],
    "PlanResource": ["ignore_changes", "depends_on"],
    "PlanResponse": ["steps", "fingerprint", "unmanaged"],
    "ApplyResponse": ["steps", "state", "backup_path"],
    "ApplyResult": ["quarantine_location"],
    "AttributeSchema": ["elements"],
}


class Field(NamedTuple):
    name: str
    type: str
    omitempty: bool


def go_types() -> dict[str, list[Field]]:
    text = (Path(__file__).parent / "spec_types.go").read_text()
    types = {}
    for name, body in re.findall(r"^type (\w+) struct \{\n(.*?)^\}", text, flags=re.DOTALL | re.MULTILINE):
        fields = re.findall(r"^\s+\w+\s+(\S+)\s+`json:\"(\w+)(,omitempty)?\"`", body, flags=re.MULTILINE)
        types[name] = [Field(tag, type_, bool(omitempty)) for type_, tag, omitempty in fields]
    return types


GO = go_types()


def python_type(name: str) -> type[Message]:
    kind: type[Message] = getattr(messages, name, None) or getattr(schema, name)
    return kind


def zero(shape: inspect.Type) -> Any:
    """Go's zero value for a required field; for one of several words the first."""
    match shape:
        case inspect.StructType():
            return shape.cls(**{field.name: zero(field.type) for field in shape.fields if field.required})
        case inspect.DictType():
            return {}
        case inspect.VarTupleType():
            return ()
        case inspect.LiteralType():
            return shape.values[0]
        case inspect.CustomType():
            return ZERO_TIME
        case inspect.IntType():
            return 0
        case _:
            return ""


def fits(go: str, shape: inspect.Type) -> bool:
    if isinstance(shape, inspect.UnionType):
        shape = next(option for option in shape.types if not isinstance(option, inspect.NoneType))
    go = go.removeprefix("*")
    if go.startswith("[]"):
        return isinstance(shape, inspect.VarTupleType) and fits(go[2:], shape.item_type)
    if go.startswith("map[string]"):
        return isinstance(shape, inspect.DictType) and fits(go[11:], shape.value_type)
    plain: dict[str, Any] = {
        "string": (inspect.StrType, inspect.LiteralType),
        "bool": inspect.BoolType,
        "int": inspect.IntType,
        "int64": inspect.IntType,
        "time.Duration": inspect.IntType,
        "time.Time": inspect.CustomType,
        "interface{}": inspect.AnyType,
    }
    if go in plain:
        return isinstance(shape, plain[go])
    return isinstance(shape, inspect.StructType) and shape.cls.__name__ == go


def test_all_types_of_the_specification_are_there() -> None:
    text = (Path(__file__).parent / "spec_types.go").read_text()
    assert len(GO) == text.count("struct {") == 40
    assert sum(map(len, GO.values())) == text.count("json:")


@pytest.mark.parametrize("name", GO)
def test_fields_are_those_of_the_go_type(name: str) -> None:
    shape = inspect.type_info(python_type(name))
    assert isinstance(shape, inspect.StructType)
    declared = [field.encode_name for field in shape.fields]
    assert declared == [field.name for field in GO[name]] + EXTENSIONS.get(name, [])
    for field, go in zip(shape.fields, GO[name], strict=False):
        assert fits(go.type, field.type), f"{name}.{go.name}"


@pytest.mark.parametrize("name", GO)
def test_a_zero_value_sends_what_go_sends(name: str) -> None:
    """Go leaves out an empty field tagged `omitempty`, unless it is a struct."""
    sent = json.loads(encode(zero(inspect.type_info(python_type(name)))))
    structs = {other for other in GO if other in {field.type for field in GO[name]}}
    assert list(sent) == [field.name for field in GO[name] if not field.omitempty or field.type in structs]
