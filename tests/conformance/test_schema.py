"""What a provider says it offers is what it does (spec 2.3, 6.2, 7)."""

from __future__ import annotations

import json
import re

import pytest

from kolumn.contract.codec import encode
from kolumn.contract.errors import ValidationError
from kolumn.contract.functions import Category
from tests.client import Client, wanted
from tests.targets import Target

MINIMUM = {
    Category.SQL: {
        *("schema", "table", "view", "index", "function", "trigger", "sequence", "user", "role", "grant"),
        *("stream_sink", "stream_route", "stream_outbox"),
    },
    Category.ANALYTICAL: {
        "schema",
        "table",
        "view",
        "function",
        "stream_sink",
        "stream_route",
        "stream_outbox",
    },
}
"""Resource types each category must have or refuse (spec 14.1, 14.2)."""
TYPES = {"string", "int", "float", "bool", "list", "map", "any"}


def types_of(target: Target) -> dict[str, dict[str, object]]:
    provider = target.open()
    schema = json.loads(encode(provider.schema()))
    provider.close()
    assert set(schema) == {"name", "version", "category", "description", "resource_types"}
    return {each["name"]: each for each in schema["resource_types"]}


def test_every_type_has_a_sample_and_every_sample_a_type(target: Target) -> None:
    assert {sample.type for sample in target.samples} == set(types_of(target)) - target.lacking


def test_types_of_the_category_are_there_refused_or_known_to_be_missing(target: Target) -> None:
    provider = target.open()
    types = set(types_of(target))
    minimum = MINIMUM.get(Category(provider.schema().category), set())
    appeared = target.missing_types & types
    assert not appeared, f"now there, so take out of `missing_types` of the target: {sorted(appeared)}"
    assert not target.refused & types
    assert minimum - types - target.refused == target.missing_types


def test_every_type_can_be_created_and_discovered(target: Target, client: Client) -> None:
    assert client.done("DiscoverResources", {"resource_type": ""}) == {"success": True, "resources": []}
    for name in types_of(target):
        found = client.done("DiscoverResources", {"resource_type": name})["resources"]
        assert {(each["type"], each["name"]) for each in found} <= target.given
        error = client.refused(
            "CreateResource", {"resource_type": name, "name": "x", "config": {"no_such": 1}}
        )
        assert error.code not in ("unsupported_resource_type", "unknown_resource_type"), error
        assert isinstance(error, ValidationError)
        assert "no_such" in json.dumps(error.details)


def test_types_may_carry_the_provider_as_prefix(target: Target, client: Client) -> None:
    for name in types_of(target):
        client.done("DiscoverResources", {"resource_type": f"{target.provider}_{name}"})


def test_attributes_are_declared_as_the_specification_says(target: Target) -> None:
    def check(place: str, attributes: dict[str, dict[str, object]]) -> None:
        for name, attribute in attributes.items():
            where = f"{place}.{name}"
            assert attribute["type"] in TYPES, where
            assert attribute["description"], where
            assert {"required", "computed", "sensitive"} <= set(attribute), where
            for rule in attribute.get("validators", ()):  # type: ignore[attr-defined]
                assert set(rule) == {"type", "value", "message"}, where
                if rule["type"] == "regex":
                    re.compile(rule["value"])
            if elements := attribute.get("elements"):
                check(where, elements["attributes"])  # type: ignore[index]

    for name, definition in types_of(target).items():
        assert set(definition) == {"name", "description", "config_schema", "state_schema"}
        for part in ("config_schema", "state_schema"):
            check(f"{name}.{part}", definition[part]["attributes"])  # type: ignore[index]
        assert definition["description"]
        assert definition["state_schema"]["attributes"], name  # type: ignore[index]


def test_samples_use_declared_attributes_and_required_ones_are_required(
    target: Target, client: Client
) -> None:
    types = types_of(target)
    for sample in target.samples:
        attributes = types[sample.type]["config_schema"]["attributes"]  # type: ignore[index]
        assert {*sample.config, *sample.changed} <= set(attributes)
        for name, attribute in attributes.items():
            if not attribute["required"] or name == "name":
                continue
            config = {key: value for key, value in sample.config.items() if key != name}
            error = client.refused(
                "CreateResource", {"resource_type": sample.type, "name": sample.name, "config": config}
            )
            assert isinstance(error, ValidationError)
            assert name in json.dumps(error.details), f"{sample.type}.{name}"


def test_every_fault_of_every_resource_is_reported_at_once(target: Target, client: Client) -> None:
    resources = [
        wanted(sample.type, f"bad_{at}", {**sample.config, "no_such_one": 1, "name": {"not": "a text"}})
        for at, sample in enumerate(target.samples)
    ]
    for function in ("Plan", "Apply"):
        error = client.refused(function, {"resources": resources})
        assert isinstance(error, ValidationError)
        places = [(each["resource"], each["path"]) for each in error.details["problems"]]
        for at, sample in enumerate(target.samples):
            mine = [path for resource, path in places if resource.endswith(f"bad_{at}")]
            assert "no_such_one" in mine, f"{sample.type}: {places}"
            assert "name" in mine, f"{sample.type}: {places}"
        assert all(each["message"] for each in error.details["problems"])


@pytest.mark.parametrize(
    "function",
    ["CreateResource", "UpdateResource", "ReadResource", "DeleteResource", "DiscoverResources", "Plan"],
)
def test_what_the_database_lacks_is_refused_with_a_reason(
    target: Target, client: Client, function: str
) -> None:
    for name in target.refused:
        request = {"resource_type": name, "name": "x", "config": {}}
        if function == "Plan":
            request = {"resources": [wanted(name, "x", {})]}
        error = client.refused(function, request)
        assert isinstance(error, ValidationError)
        assert name in error.message
        assert len(error.message) > 40, "it must say what to do instead"


def test_unknown_types_are_refused_and_the_known_ones_named(target: Target, client: Client) -> None:
    for name in ("tabel", "table'; DROP TABLE x; --", "x" * 5000, "\0", "sqlite_", "TABLE"):
        error = client.refused("CreateResource", {"resource_type": name, "name": "x", "config": {}})
        assert isinstance(error, ValidationError)
        assert len(error.message) < len(name) + 500
    assert "table" in str(client.refused("ReadResource", {"resource_type": "tabel", "name": "x"}))
