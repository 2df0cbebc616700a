"""One declaration gives schema, parser and writer, and they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.schema import singular
from kolumn.engine.declaration import attribute, length, object_type, one_of
from kolumn.engine.parsing import config, parse


@dataclass(frozen=True)
class Part:
    SHORTHAND: ClassVar[str] = "column"

    column: str = attribute("Column", default="")
    order: str = attribute("Order", default="asc", validators=[one_of("asc", "desc")])


@dataclass(frozen=True)
class Field:
    name: str = attribute("Name", validators=[length(minimum=1, maximum=8)])
    type: str = attribute("Type", default="")
    required: bool = attribute("Whether it must be there", default=False)
    size: int | None = attribute("Size in bytes", default=None)
    renamed_from: str = attribute("Former name", default="", hint=True)


@dataclass(frozen=True)
class Shape:
    name: str = attribute("Name")
    fields: tuple[Field, ...] = attribute("Fields", default=())
    key: tuple[Part, ...] = attribute("Key", default=())
    tags: tuple[str, ...] = attribute("Tags", default=())
    weight: float = attribute("Weight in kilograms", default=0.0)
    extra: Any = attribute("Anything", default=None)

    def verify(self) -> Iterator[Problem]:
        if "forbidden" in self.tags:
            yield Problem("forbidden is forbidden", path="tags")


def test_three_spellings_are_one_thing() -> None:
    wanted = Shape(name="s", fields=(Field(name="a", type="int"), Field(name="b")))
    assert parse(Shape, {"name": "s", "fields": [{"name": "a", "type": "int"}, {"name": "b"}]}) == wanted
    assert parse(Shape, {"name": "s", "fields": {"a": {"type": "int"}, "b": {}}}) == wanted
    assert parse(Shape, {"name": "s", "field": {"a": {"type": "int"}, "b": {}}}) == wanted


def test_shorthands() -> None:
    shape = parse(Shape, {"name": "s", "key": ["a", {"column": "b", "order": "desc"}], "tags": "one"})
    assert shape.key == (Part(column="a"), Part(column="b", order="desc"))
    assert shape.tags == ("one",)
    assert config(shape)["key"] == ["a", {"column": "b", "order": "desc"}]


def test_every_fault_at_once_with_its_path() -> None:
    broken = {
        "fields": {"a": {"required": "maybe"}, "much_too_long": {"size": "big"}, "c": 7},
        "key": [{"column": "a", "order": "sideways"}],
        "tags": [1],
        "colour": "red",
    }
    with pytest.raises(ValidationError) as caught:
        parse(Shape, broken)
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {
        "name",
        "fields.a.required",
        "fields.much_too_long.name",
        "fields.much_too_long.size",
        "fields.c",
        "key[0].order",
        "tags",
        "colour",
    }


def test_unknown_attributes_are_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ValidationError, match="Did you mean fields"):
        parse(Shape, {"name": "s", "feilds": []})


def test_faults_across_attributes_come_from_the_model() -> None:
    with pytest.raises(ValidationError, match="forbidden is forbidden"):
        parse(Shape, {"name": "s", "tags": ["forbidden"]})


def test_hints_neither_count_nor_are_written() -> None:
    plain, renamed = Field(name="a"), Field(name="a", renamed_from="b")
    assert plain == renamed
    assert config(renamed) == {"name": "a"}


def test_the_schema_describes_nested_attributes() -> None:
    described = object_type(Shape).attributes
    assert described["name"].required
    assert described["fields"].type == "list"
    assert described["fields"].elements is not None
    assert described["fields"].elements.attributes["size"].type == "int"
    assert described["fields"].elements.attributes["name"].validators[0].value == {"min": 1, "max": 8}


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("columns", "column"),
        ("indexes", "index"),
        ("policies", "policy"),
        ("checks", "check"),
        ("classes", "class"),
    ],
)
def test_block_names(plural: str, one: str) -> None:
    assert singular(plural) == one


fields = st.builds(
    Field,
    name=st.text(min_size=1, max_size=8),
    type=st.text(max_size=5),
    required=st.booleans(),
    size=st.none() | st.integers(0, 2**40),
)
shapes = st.builds(
    Shape,
    name=st.text(),
    fields=st.lists(fields, max_size=4, unique_by=lambda each: each.name).map(tuple),
    key=st.lists(st.builds(Part, column=st.text(), order=st.sampled_from(["asc", "desc"])), max_size=3).map(
        tuple
    ),
    tags=st.lists(st.text().filter(lambda text: text != "forbidden"), max_size=3).map(tuple),
    weight=st.floats(allow_nan=False, allow_infinity=False),
    extra=st.none() | st.dictionaries(st.text(), st.integers()),
)


@given(shapes)
def test_writing_is_the_inverse_of_parsing(shape: Shape) -> None:
    assert parse(Shape, config(shape)) == shape


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(
    st.dictionaries(st.sampled_from(["name", "fields", "field", "key", "tags", "weight", "extra", "x"]), json)
)
def test_any_json_is_parsed_or_refused_with_paths(given: dict[str, Any]) -> None:
    try:
        parse(Shape, given)
    except ValidationError as error:
        assert all(problem.path for problem in error.problems)
