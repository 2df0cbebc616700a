from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.config.project import Lifecycle, Moved, Project, ResourceConfig
from kolumn.contract.errors import ValidationError
from kolumn.host.requests import Requests, Scope, build
from kolumn.host.state import Intent, Managed, ResourceRecord, fresh

from .states import instance, state


def resource(
    name: str, *needs: str, provider: str = "sqlite", config: dict[str, Any] | None = None, **lifecycle: Any
) -> ResourceConfig:
    return ResourceConfig(
        address=f"sqlite_table.{name}",
        type="sqlite_table",
        name=name,
        provider=provider,
        config=config or {"name": name},
        depends_on=tuple(f"sqlite_table.{need}" for need in needs),
        lifecycle=Lifecycle(**lifecycle),
    )


def project(*resources: ResourceConfig, moved: tuple[tuple[str, str], ...] = ()) -> Project:
    return Project(
        "p",
        resources=resources,
        moved=tuple(Moved(f"sqlite_table.{a}", f"sqlite_table.{b}") for a, b in moved),
    )


def asked(requests: Requests, provider: str = "sqlite") -> dict[str, str]:
    return {each.name: each.action for each in requests.resources.get(provider, ())}


def test_configured_is_created_or_updated_and_the_rest_deleted() -> None:
    found = build(
        project(resource("a", "b"), resource("b")),
        state(instance("sqlite_table", "b"), instance("sqlite_table", "c")),
        Scope(),
    )

    assert asked(found) == {"a": "create", "b": "update", "c": "delete"}
    assert found.resources["sqlite"][0].depends_on == ("table b",)
    assert found.removed == {"sqlite_table.c"}
    assert found.address("sqlite", "table", "c") == "sqlite_table.c"


names = st.sampled_from("abcdefgh")


@given(st.sets(names), st.sets(names), st.sets(names))
def test_everything_managed_or_configured_is_asked_for_exactly_once(
    configured: set[str], managed: set[str], intended: set[str]
) -> None:
    intents = {
        f"sqlite_table.{name}": Intent(
            provider="sqlite", type="sqlite_table", name=name, config={"name": name}
        )
        for name in sorted(intended)
    }
    before = state(*(instance("sqlite_table", name) for name in sorted(managed)), intents=intents)
    found = build(project(*(resource(name) for name in sorted(configured))), before, Scope())

    assert asked(found) == {
        name: ("update" if name in managed else "create") if name in configured else "delete"
        for name in configured | managed | intended
    }
    assert len(found.resources.get("sqlite", ())) == len(configured | managed | intended)

    destroyed = build(project(*(resource(name) for name in sorted(configured))), before, Scope(destroy=True))
    assert asked(destroyed) == dict.fromkeys(managed | intended, "delete")


def test_what_an_interrupted_apply_meant_to_create_is_deleted_by_its_configuration() -> None:
    intent = Intent(provider="sqlite", type="sqlite_table", name="x", config={"name": "real_name"})
    found = build(project(), state(intents={"sqlite_table.x": intent}), Scope())

    (only,) = found.resources["sqlite"]
    assert (only.action, only.config) == ("delete", {"name": "real_name"})


def test_a_protected_resource_is_not_deleted_and_every_one_is_named() -> None:
    records = {
        f"sqlite_table.{name}": ResourceRecord(provider="sqlite", prevent_destroy=True) for name in ("a", "b")
    }
    before = state(instance("sqlite_table", "a"), instance("sqlite_table", "b"), records=records)

    with pytest.raises(ValidationError) as caught:
        build(project(), before, Scope())
    assert [(problem.resource, problem.code) for problem in caught.value.problems] == [
        ("sqlite_table.a", "prevent_destroy"),
        ("sqlite_table.b", "prevent_destroy"),
    ]
    with pytest.raises(ValidationError):
        build(project(resource("a", prevent_destroy=True)), before, Scope(destroy=True))


def test_a_moved_resource_keeps_its_object_and_says_its_former_name() -> None:
    before = state(
        instance("sqlite_table", "old"), records={"sqlite_table.old": ResourceRecord(provider="sqlite")}
    )
    found = build(project(resource("new"), moved=(("old", "new"),)), before, Scope())

    (only,) = found.resources["sqlite"]
    assert (only.name, only.action) == ("new", "update")
    assert only.config == {"name": "new", "renamed_from": "old"}
    assert list(Managed(found.state)) == ["sqlite_table.new"]
    assert list(Managed(found.before)) == ["sqlite_table.old"]
    assert found.moves == {"sqlite_table.new": "sqlite_table.old"}
    assert set(found.state.resources) == {"sqlite_table.new"}


def test_a_move_that_keeps_the_name_renames_nothing() -> None:
    before = state(instance("sqlite_table", "old", {"name": "people"}))
    moved = resource("new", config={"name": "people"})
    (only,) = build(project(moved, moved=(("old", "new"),)), before, Scope()).resources["sqlite"]
    assert only.config == {"name": "people"}


def test_moves_chain_and_old_ones_do_no_harm() -> None:
    moves = (("a", "b"), ("b", "c"))
    for name in "abc":
        found = build(project(resource("c"), moved=moves), state(instance("sqlite_table", name)), Scope())
        assert asked(found) == {"c": "update"}


def test_a_source_that_is_still_configured_has_not_moved() -> None:
    with pytest.raises(ValidationError) as caught:
        build(project(resource("a"), resource("b"), moved=(("a", "b"),)), fresh(), Scope())
    assert caught.value.problems[0].code == "moved_still_configured"


def test_targets_bring_what_they_need_and_nothing_else() -> None:
    everything = project(resource("a", "b"), resource("b", "c"), resource("c"), resource("d", "a"))
    found = build(everything, state(instance("sqlite_table", "gone")), Scope(("sqlite_table.a",)))
    assert set(asked(found)) == {"a", "b", "c"}

    with pytest.raises(ValidationError) as caught:
        build(everything, fresh(), Scope(("sqlite_table.a", "sqlite_table.x", "module.y")))
    assert [problem.resource for problem in caught.value.problems] == ["sqlite_table.x", "module.y"]


def test_destroying_a_target_destroys_what_depends_on_it() -> None:
    records = {
        "sqlite_table.a": ResourceRecord(provider="sqlite", depends_on=("sqlite_table.b",)),
        "sqlite_table.b": ResourceRecord(provider="sqlite"),
        "sqlite_table.c": ResourceRecord(provider="sqlite"),
    }
    before = state(*(instance("sqlite_table", name) for name in "abc"), records=records)
    assert set(asked(build(project(), before, Scope(("sqlite_table.b",), destroy=True)))) == {"a", "b"}
    assert set(asked(build(project(), before, Scope(("sqlite_table.a",), destroy=True)))) == {"a"}


def test_providers_come_after_what_they_need() -> None:
    found = build(
        project(resource("a", "b", provider="sqlite.late"), resource("b", provider="sqlite.early")),
        fresh(),
        Scope(),
    )
    assert found.order == ("sqlite.early", "sqlite.late")


def test_providers_that_need_each_other_are_refused_by_name() -> None:
    circle = project(
        resource("a", "b", provider="sqlite.one"),
        resource("b", provider="sqlite.two"),
        resource("c", "d", provider="sqlite.two"),
        resource("d", provider="sqlite.one"),
    )
    with pytest.raises(ValidationError, match=r"sqlite\.(one|two) -> sqlite\.(one|two)"):
        build(circle, fresh(), Scope())


def test_a_resource_that_changes_its_provider_is_deleted_there_and_created_here() -> None:
    found = build(
        project(resource("a", provider="sqlite.new")), state(instance("sqlite_table", "a")), Scope()
    )
    assert asked(found, "sqlite") == {"a": "delete"}
    assert asked(found, "sqlite.new") == {"a": "create"}
