"""Hypothesis strategies for any message, derived from its declaration."""

from datetime import UTC
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from kolumn.contract.encoding import Message
from kolumn.contract.times import Timestamp

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(timezones=st.just(UTC)).map(Timestamp.of)


def messages(kind: type[Message], depth: int = 3) -> st.SearchStrategy[Any]:
    """Any valid message of this type."""
    return _values(inspect.type_info(kind), depth)


def _values(shape: inspect.Type, depth: int) -> st.SearchStrategy[Any]:
    match shape:
        case inspect.StructType():
            fields = {
                field.encode_name: _values(field.type, depth - 1)
                for field in shape.fields
                if depth > 0 or field.required
            }
            return st.builds(shape.cls, **fields)
        case inspect.DictType():
            return st.dictionaries(TEXT, _values(shape.value_type, depth - 1), max_size=3 if depth > 0 else 0)
        case inspect.VarTupleType():
            least = shape.min_length or 0
            limit = max(3 if depth > 0 else 0, least)
            return st.lists(_values(shape.item_type, depth - 1), min_size=least, max_size=limit).map(tuple)
        case inspect.UnionType():
            options = [option for option in shape.types if depth > 0 or isinstance(option, inspect.NoneType)]
            return st.one_of([_values(option, depth) for option in options])
        case inspect.LiteralType():
            return st.sampled_from(shape.values)
        case inspect.StrType():
            return TEXT.filter(bool) if shape.min_length else TEXT
        case inspect.IntType():
            return st.integers(-(2**63), 2**63 - 1)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.CustomType():
            return TIMES
        case _:
            return JSON
