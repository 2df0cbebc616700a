from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from kolumn.config.project import ProviderConfig
from kolumn.contract import entry_points as ours
from kolumn.contract.context import Context
from kolumn.contract.errors import ValidationError
from kolumn.host.inventory import schema_of
from kolumn.host.providers import GROUP, Fleet, load, settings, url_variables


@pytest.mark.parametrize("group", [GROUP, "console_scripts", "pytest11", "no.such.group"])
def test_entry_points_are_those_the_standard_library_finds(group: str) -> None:
    assert ours.find(group) == {point.name: point.value for point in entry_points(group=group)}


def test_the_environment_fills_in_what_the_block_leaves_out() -> None:
    block = ProviderConfig("sqlite", "eu-west")
    assert url_variables(block) == ("KOLUMN_SQLITE_EU_WEST_URL", "KOLUMN_SQLITE_URL")
    both = {"KOLUMN_SQLITE_URL": "general", "KOLUMN_SQLITE_EU_WEST_URL": "special"}
    assert settings(block, both) == {"url": "special"}
    assert settings(ProviderConfig("sqlite"), both) == {"url": "general"}
    for key in ("url", "host", "path", "database"):
        written = ProviderConfig("sqlite", "", {key: "mine"})
        assert settings(written, both) == {key: "mine"}


def test_safe_destroy_has_a_default_in_the_environment() -> None:
    off = {"KOLUMN_SAFE_DESTROY": "false"}
    assert settings(ProviderConfig("sqlite"), off) == {"safe_destroy": False}
    assert settings(ProviderConfig("sqlite", "", {"safe_destroy": True}), off) == {"safe_destroy": True}
    with pytest.raises(ValidationError, match="true or false"):
        settings(ProviderConfig("sqlite"), {"KOLUMN_SAFE_DESTROY": "perhaps"})


def test_a_provider_is_needed_only_when_asked_for(tmp_path: Path) -> None:
    environment = {"KOLUMN_SQLITE_URL": f"sqlite:///{tmp_path}/x.db"}
    with Fleet(Context.background(), environment) as fleet:
        assert fleet.get("sqlite").discover() == ()
        assert fleet.get("sqlite") is fleet.get("sqlite")
        with pytest.raises(ValidationError, match='no provider "oracle"'):
            fleet.get("oracle")
    with (
        Fleet(Context.background(), {}) as fleet,
        pytest.raises(ValidationError, match=r'provider "sqlite" \{ alias = "eu" \}.*KOLUMN_SQLITE_EU_URL'),
    ):
        fleet.get("sqlite.eu")


def test_wrong_settings_say_where_the_block_is() -> None:
    fleet = Fleet(Context.background(), {})
    fleet.declare(ProviderConfig("sqlite", "", {"path": "x.db", "nonsense": 1}))
    with pytest.raises(ValidationError) as caught:
        fleet.get("sqlite")
    assert any("nonsense" in problem.message for problem in caught.value.problems)
    assert all("provider" in problem.resource for problem in caught.value.problems)


def test_a_schema_can_be_narrowed_to_a_type() -> None:
    assert [each.name for each in schema_of("sqlite", "sqlite_index").resource_types] == ["index"]
    assert len(schema_of("sqlite").resource_types) == len(load("sqlite").schema().resource_types)
    with pytest.raises(ValidationError, match="no resource type function"):
        schema_of("sqlite", "function")
