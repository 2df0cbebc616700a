"""The four methods of a provider (spec 2) and the functions behind them (spec 3, Appendix A)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, ValidationError
from kolumn.contract.functions import FUNCTIONS, Category, Requirement
from tests.client import Client
from tests.targets import Settings, Target

EMPTY = {
    *("Ping", "Version", "GetState", "GetAuditLog", "VerifyAuditLog"),
    *("ListBackups", "ListMigrations", "ListQuarantine", "PurgeQuarantine"),
}
"""Functions whose request has no fields, or none that is required."""


def test_schema_can_be_read_before_configure(target: Target) -> None:
    provider = target.open()
    schema = provider.schema()
    assert schema.name == target.provider
    assert schema.category in set(Category)
    assert schema.version
    assert schema.description
    provider.close()


def test_configure_reports_every_fault_at_once(target: Target) -> None:
    provider = target.open()
    with pytest.raises(ValidationError) as caught:
        provider.configure(Context.background(), {"query_timeout": "soon", "no_such_setting": 1})
    message = str(caught.value)
    assert "query_timeout" in message
    assert "no_such_setting" in message
    provider.close()


def test_configure_keeps_to_its_deadline(target: Target, settings: Settings) -> None:
    late = Context.background().with_timeout(-1)
    with Client(target.open()) as client:
        with pytest.raises(KolumnError) as caught:
            client.configure(settings, late)
        assert caught.value.code == "deadline_exceeded"
        client.configure(settings)
        client.done("Ping")


def test_every_function_is_offered_refused_or_known_to_be_missing(target: Target, client: Client) -> None:
    category = Category(client.provider.schema().category)
    offered, required = set(), set()
    for name, function in FUNCTIONS.items():
        if function.required[category] is Requirement.REQUIRED:
            required.add(name)
        try:
            client.send(name, b"{}")
        except KolumnError as error:
            if error.code == "unsupported_function":
                assert isinstance(error, ValidationError)
                assert error.message == f"unsupported function: {name}"
                continue
        offered.add(name)
    appeared = target.missing & offered
    assert not appeared, f"now offered, so take out of `missing` of the target: {sorted(appeared)}"
    assert required - offered == target.missing & required


@pytest.mark.parametrize("name", ["", "plan", "Plan ", "CreateResource\0", "Drop" * 1000, "__class__", "π"])
def test_other_functions_are_unsupported(client: Client, name: str) -> None:
    error = client.refused(name, {})
    assert isinstance(error, ValidationError)
    assert error.code == "unsupported_function"
    assert error.message.startswith("unsupported function: ")
    assert len(error.message) < 500


def test_answers_have_the_shapes_of_the_specification(client: Client) -> None:
    ping = client.done("Ping")
    assert isinstance(ping.pop("latency_ms"), int)
    assert isinstance(ping.pop("message", ""), str)
    assert ping == {"success": True}
    version = client.done("Version")
    assert version["provider_name"] == client.provider.schema().name
    assert version["version"] == client.provider.schema().version
    assert set(version) <= {"success", "version", "build_date", "git_commit", "go_version", "provider_name"}
    assert client.plan() == {"success": True, "execution_order": [], "resources": []}
    assert client.apply() == {
        "success": True,
        "results": [],
        "summary": {"created": 0, "updated": 0, "deleted": 0, "unchanged": 0, "failed": 0},
    }
    assert client.done("DiscoverResources", {"resource_type": ""}) == {"success": True, "resources": []}


@pytest.mark.parametrize("name", sorted(EMPTY))
@pytest.mark.parametrize("data", [b"", b"{}", b"null", b' {"later": [1, {"a": null}]} '])
def test_requests_without_fields_may_be_empty_or_newer(client: Client, name: str, data: bytes) -> None:
    assert json.loads(client.send(name, data))["success"] is True


WITHOUT_NEED = {"DetectDrift", "ValidateState"}
"""Functions that do without any of their fields."""


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - EMPTY))
@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"7",
        b"{",
        b'{"resource_type": 7, "resource_types": 7, "transaction_id": 7}',
        b"\xff\xfe",
        b'"' + b"x" * 100_000,
    ],
)
def test_malformed_requests_are_validation_errors(
    client: Client, target: Target, name: str, data: bytes
) -> None:
    if name in WITHOUT_NEED and data.startswith(b'{"'):
        data = b'{"names": 7}'
    with pytest.raises(ValidationError) as caught:
        client.send(name, data)
    assert caught.value.problems
    assert (caught.value.code == "unsupported_function") is (name in target.missing)


def test_close_may_be_called_twice_and_ends_everything(target: Target, client: Client) -> None:
    sample = target.samples[0]
    client.provider.close()
    client.provider.close()
    calls: dict[str, Any] = {
        "Ping": {},
        "Plan": {"resources": []},
        "Apply": {"resources": []},
        "ReadResource": {"resource_type": sample.type, "name": sample.name},
        "CreateResource": {"resource_type": sample.type, "name": sample.name, "config": dict(sample.config)},
        "DiscoverResources": {"resource_type": ""},
    }
    for function, request in calls.items():
        assert isinstance(client.refused(function, request), ConnectionError), function
    assert client.provider.schema().name == target.provider


def test_a_closed_provider_can_be_configured_again(client: Client, settings: Settings) -> None:
    client.provider.close()
    client.configure(settings)
    client.done("Ping")


def test_two_providers_do_not_know_each_other(
    client: Client, connect: Callable[[Settings], Client], settings: Settings
) -> None:
    other = connect(settings)
    other.provider.close()
    client.done("Ping")
