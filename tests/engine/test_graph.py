"""The order of operations: everything needed comes first, nothing else is promised, and always the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.errors import ValidationError
from kolumn.engine.operations import Alter, Create, Drop, Operation, Rename
from kolumn.engine.planning import graph
from kolumn.engine.resource import Ref


def ref(name: str, kind: str = "table") -> Ref:
    return Ref(kind, name)


def create(name: str, *uses: str) -> Create:
    return Create(subject=ref(name), model=name, uses=frozenset(map(ref, uses)))


def drop(name: str, *uses: str) -> Drop:
    return Drop(subject=ref(name), model=name, uses=frozenset(map(ref, uses)))


def alter(name: str, *requires: str) -> Alter:
    return Alter(subject=ref(name), before=1, after=2, requires=frozenset(map(ref, requires)))


def names(operations: list[Operation], order: list[int]) -> list[str]:
    return [operations[at].describe() for at in order]


def test_what_is_used_is_created_first_and_dropped_last() -> None:
    operations = [create("view", "table"), create("table"), drop("old"), drop("old_view", "old")]
    assert names(operations, graph.order(operations)) == [
        "drop table old_view",
        "drop table old",
        "create table table",
        "create table view",
    ]


def test_dependents_leave_before_an_alteration_and_return_after_it() -> None:
    operations = [create("view", "t"), alter("t"), drop("view", "t")]
    assert names(operations, graph.order(operations)) == [
        "drop table view",
        "alter table t",
        "create table view",
    ]


def test_changes_of_one_object_keep_their_order_also_where_others_wait_for_them() -> None:
    first, second = (
        Alter(subject=ref("a"), before=at, after=at + 1, provides=frozenset({ref("a")})) for at in (1, 2)
    )
    assert graph.order([alter("b", "a"), first, second]) == [1, 2, 0]


def test_a_name_is_freed_before_it_is_taken() -> None:
    swap = Rename(subject=ref("a"), before=1, after=2, target=ref("b"))
    operations = [create("a"), swap, drop("b")]
    assert names(operations, graph.order(operations)) == [
        "drop table b",
        "rename table a to b",
        "create table a",
    ]


def test_two_tables_may_require_each_other_once_both_exist() -> None:
    operations = [alter("a", "b"), alter("b", "a"), create("a"), create("b")]
    order = graph.order(operations)
    assert set(order[:2]) == {2, 3}


def test_alterations_of_one_object_keep_their_order() -> None:
    operations = [alter("t"), alter("a"), alter("t"), alter("t")]
    order = graph.order(operations)
    assert [at for at in order if at != 1] == [0, 2, 3]


def test_a_cycle_is_named() -> None:
    operations = [create("a", "b"), create("b", "c"), create("c", "a"), create("d")]
    with pytest.raises(ValidationError) as caught:
        graph.order(operations)
    assert caught.value.code == "dependency_cycle"
    path = caught.value.message.split(": ")[1].split(" Break")[0].split(" -> ")
    assert path[0] == path[-1]
    assert set(path) == {"table a", "table b", "table c"}
    assert "table d" not in caught.value.message


def test_preferences_are_followed_but_never_make_a_cycle() -> None:
    operations = [create("a"), create("b"), create("c")]
    assert graph.order(operations, {0: [2]}) == [1, 2, 0]
    assert sorted(graph.order(operations, {0: [1], 1: [2], 2: [0]})) == [0, 1, 2]


@st.composite
def acyclic(draw: st.DrawFn) -> list[Operation]:
    size = draw(st.integers(1, 12))
    operations: list[Operation] = []
    for number in range(size):
        uses = draw(st.lists(st.integers(0, number), max_size=4)) if number else []
        wanted = [f"t{each}" for each in uses if each < number]
        operations.append(create(f"t{number}", *wanted))
    return draw(st.permutations(operations))


@given(acyclic())
def test_any_acyclic_creation_is_ordered(operations: list[Operation]) -> None:
    order = graph.order(operations)
    assert sorted(order) == list(range(len(operations)))
    place = {operations[at].subject: index for index, at in enumerate(order)}
    for operation in operations:
        assert all(place[each] < place[operation.subject] for each in operation.requires)


@given(acyclic(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_given(operations: list[Operation], random: object) -> None:
    shuffled = list(operations)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = names(operations, graph.order(operations))
    assert names(shuffled, graph.order(shuffled)) == first


@given(acyclic())
def test_drops_run_in_the_opposite_direction(operations: list[Operation]) -> None:
    drops = [each.inverse() for each in operations]
    order = graph.order([each for each in drops if each is not None])
    place = {drops[at].subject: index for index, at in enumerate(order)}  # type: ignore[union-attr]
    for operation in operations:
        assert all(place[each] > place[operation.subject] for each in operation.requires)
