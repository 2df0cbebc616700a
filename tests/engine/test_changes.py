"""Attribute paths: what differs is named once, and what is to be kept is kept."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kolumn.engine.changes import attribute_changes, keep

BEFORE = {
    "name": "users",
    "columns": [{"name": "id", "type": "int"}, {"name": "email", "type": "text", "default": "''"}],
    "checks": ["a > 0"],
}


def test_nested_attributes_are_addressed_by_name() -> None:
    after = {
        "name": "users",
        "columns": [{"name": "id", "type": "int"}, {"name": "email", "type": "citext"}, {"name": "age"}],
        "checks": ["a > 1"],
    }
    assert attribute_changes(BEFORE, after) == {
        "columns.email.type": {"before": "text", "after": "citext"},
        "columns.email.default": {"before": "''", "after": None},
        "columns.age": {"before": None, "after": {"name": "age"}},
        "checks": {"before": ["a > 0"], "after": ["a > 1"]},
    }


def test_a_renamed_element_is_compared_with_what_it_was() -> None:
    after = {**BEFORE, "columns": [{"name": "id", "type": "int"}, {"name": "mail", "type": "text"}]}
    assert attribute_changes(BEFORE, after, {"columns.mail": "email"}) == {
        "columns.mail.name": {"before": "email", "after": "mail"},
        "columns.mail.default": {"before": "''", "after": None},
    }


def test_a_new_order_is_a_change() -> None:
    after = {**BEFORE, "columns": list(reversed(BEFORE["columns"]))}
    assert attribute_changes(BEFORE, after) == {
        "columns": {"before": ["id", "email"], "after": ["email", "id"]}
    }


def test_ignored_paths_keep_what_is_live() -> None:
    wanted = {"name": "users", "columns": [{"name": "id", "type": "bigint"}], "comment": "new"}
    kept = keep(wanted, BEFORE, ["columns.id.type", "comment", "checks"])
    assert kept == {"name": "users", "columns": [{"name": "id", "type": "int"}], "checks": ["a > 0"]}
    assert keep(wanted, BEFORE, ["all"]) == BEFORE
    assert keep(wanted, BEFORE, ["no.such", "columns.none.type"]) == wanted


def test_ignored_paths_may_be_spelled_as_blocks_and_name_whole_elements() -> None:
    wanted = {"name": "users", "columns": [{"name": "id", "type": "bigint"}, {"name": "new"}]}
    live = {"name": "users", "columns": [{"name": "id", "type": "int"}]}
    for path in ("column.id.type", 'column["id"].type', "columns.id", "columns[0].type"):
        kept = keep(wanted, live, [path])
        assert kept["columns"] == [{"name": "id", "type": "int"}, {"name": "new"}]
    assert keep(wanted, live, ["columns.new"])["columns"] == [{"name": "id", "type": "bigint"}]
    assert keep(wanted, live, ["column"])["columns"] == live["columns"]


def test_an_ignored_element_stays_although_configuration_lacks_it() -> None:
    wanted = {"name": "users", "columns": [{"name": "id", "type": "int"}]}
    kept = keep(wanted, BEFORE, ["columns.email"])
    assert [each["name"] for each in kept["columns"]] == ["id", "email"]


values = st.none() | st.integers() | st.text(max_size=3)
elements = st.lists(
    st.fixed_dictionaries({"name": st.text(max_size=3)}, optional={"type": values}), max_size=3
)
configs = st.dictionaries(st.text("abc", min_size=1, max_size=2), values | elements, max_size=4)


@given(configs)
def test_nothing_differs_from_itself(config: dict[str, Any]) -> None:
    assert attribute_changes(config, config) == {}


@given(configs, configs)
def test_a_difference_is_always_seen(one: dict[str, Any], other: dict[str, Any]) -> None:
    def plain(config: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in config.items() if value is not None}

    if plain(one) != plain(other):
        assert attribute_changes(plain(one), plain(other))


@given(configs, configs)
def test_keeping_everything_that_differs_leaves_no_difference(
    wanted: dict[str, Any], live: dict[str, Any]
) -> None:
    tops = sorted({*wanted, *live})
    kept = keep(wanted, live, tops)
    assert attribute_changes(live, kept) == {} or kept == live
