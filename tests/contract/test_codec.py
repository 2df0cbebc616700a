"""Reading and writing: round trips, faults with their paths, and input nobody meant."""

import json
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.contract import messages as m
from kolumn.contract.codec import decode, encode, error_response, to_error
from kolumn.contract.encoding import Message
from kolumn.contract.errors import (
    CATEGORIES,
    KolumnError,
    Location,
    OperationError,
    Problem,
    StateError,
    ValidationError,
)
from kolumn.contract.functions import FUNCTIONS
from kolumn.contract.schema import ProviderSchema
from kolumn.contract.times import Timestamp
from tests.contract.shapes import JSON, TIMES, messages

KINDS: list[type[Message]] = sorted(
    {kind for function in FUNCTIONS.values() for kind in (function.request, function.response)}
    | {m.ErrorResponse, ProviderSchema},
    key=lambda kind: kind.__name__,
)
REQUESTS = [function.request for function in FUNCTIONS.values()]


def faults(kind: type[Message], data: bytes | str) -> dict[str, str]:
    """The problems of a bad message: path to code."""
    with pytest.raises(ValidationError) as caught:
        decode(kind, data.encode() if isinstance(data, str) else data)
    return {problem.path: problem.code for problem in caught.value.problems}


def read_or_refused(kind: type[Message], data: bytes) -> Message | tuple[Problem, ...]:
    """What was read, or the problems; anything but a ValidationError with problems fails the test."""
    try:
        return decode(kind, data)
    except ValidationError as error:
        return error.problems or pytest.fail("an error without problems")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_round_trip(kind: type[Message]) -> None:
    @settings(max_examples=25, deadline=None)
    @given(messages(kind))
    def holds(message: Message) -> None:
        assert decode(kind, encode(message)) == message
        json.loads(encode(message))

    holds()


@settings(max_examples=100, deadline=None)
@given(messages(m.SetStateRequest))
def test_the_slow_road_reads_what_the_quick_one_does(message: m.SetStateRequest) -> None:
    """A null sends the reader down the slow road; the rest of the message must come out the same."""
    data = json.loads(encode(message))
    data["state"]["metadata"] = None
    expected = msgspec.structs.replace(message, state=msgspec.structs.replace(message.state, metadata={}))
    assert decode(m.SetStateRequest, json.dumps(data).encode()) == expected


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(REQUESTS), st.binary(max_size=60))
def test_random_bytes_are_refused_or_read(kind: type[Message], data: bytes) -> None:
    assert read_or_refused(kind, data) is not None


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(REQUESTS), st.data())
def test_random_json_is_refused_or_read(kind: type[Message], data: st.DataObject) -> None:
    """Messages with one or two fields replaced by anything: read, or refused with paths that exist."""
    message = json.loads(encode(data.draw(messages(kind))))
    for _ in range(data.draw(st.integers(1, 2))):
        place: Any = message
        while place and data.draw(st.booleans()):
            inner = list(place.values() if isinstance(place, dict) else place)
            inner = [item for item in inner if isinstance(item, (dict, list)) and item]
            if not inner:
                break
            place = data.draw(st.sampled_from(inner))
        if isinstance(place, dict) and place:
            place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
        elif isinstance(place, list) and place:
            place[data.draw(st.integers(0, len(place) - 1))] = data.draw(JSON)
    again = read_or_refused(kind, json.dumps(message).encode())
    if isinstance(again, Message):
        assert decode(kind, encode(again)) == again
    else:
        assert all(problem.path.startswith("$") for problem in again)


def test_every_fault_is_listed_with_its_path() -> None:
    found = faults(
        m.PlanRequest,
        '{"resources":[{"resource_type":"t","name":"n","action":"create"},'
        '{"resource_type":"","name":5,"config":[],"action":"destroy"},null,{"ignore_changes":[1]}],'
        '"options":{"detail":"yes"}}',
    )
    assert found == {
        "$.resources[1].resource_type": "missing_field",
        "$.resources[1].name": "invalid_type",
        "$.resources[1].config": "invalid_type",
        "$.resources[1].action": "invalid_value",
        "$.resources[2]": "invalid_type",
        "$.resources[3].resource_type": "missing_field",
        "$.resources[3].name": "missing_field",
        "$.resources[3].action": "missing_field",
        "$.resources[3].ignore_changes[0]": "invalid_type",
        "$.options.detail": "invalid_type",
    }


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (m.CreateResourceRequest, {"$.resource_type", "$.name", "$.config"}),
        (m.UpdateResourceRequest, {"$.resource_type", "$.name", "$.config"}),
        (m.ReadResourceRequest, {"$.resource_type", "$.name"}),
        (m.DeleteResourceRequest, {"$.resource_type", "$.name"}),
        (m.PlanRequest, {"$.resources"}),
        (m.SetStateRequest, {"$.state"}),
        (m.MigrationRequest, {"$.migration_id", "$.resource_type", "$.resource_name"}),
    ],
)
@pytest.mark.parametrize("data", [b"", b"  ", b"null", b"{}"])
def test_required_fields(kind: type[Message], missing: set[str], data: bytes) -> None:
    assert faults(kind, data) == dict.fromkeys(missing, "missing_field")


@pytest.mark.parametrize("data", [b"", b"\n", b"null", b"{}", b'{"anything":[1]}'])
@pytest.mark.parametrize(
    "kind", [m.PingRequest, m.VersionRequest, m.StateRequest, m.DriftRequest, m.OutboxHealthMetricsRequest]
)
def test_requests_without_required_fields_may_be_empty(kind: type[Message], data: bytes) -> None:
    assert decode(kind, data) == kind()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"a":1}x', "invalid_json"),
        (b'{"config":NaN}', "invalid_json"),
        (b'{"config":{"a":Infinity}}', "invalid_json"),
        (b'{"config":{"a":1e999}}', "invalid_json"),
        (b'{"config":{"a":' + b"9" * 5000 + b"}}", "invalid_json"),
        (b'{"name":"\xff"}', "invalid_json"),
        (b'{"name":"\\ud800"}', "invalid_json"),
        ('{"name":"x"}'.encode("utf-16"), "invalid_json"),
        (b'{"config":' + b"[" * 100_000, "too_deep"),
        (b'{"config":' + b'{"a":' * 100_000, "too_deep"),
        (b"[]", "invalid_type"),
        (b'"text"', "invalid_type"),
        (b"7", "invalid_type"),
    ],
)
def test_what_is_no_message(data: bytes, code: str) -> None:
    assert faults(m.CreateResourceRequest, data) == {"$": code}


def test_null_is_gos_zero_value() -> None:
    request = decode(
        m.UpdateResourceRequest, b'{"resource_type":"t","name":"n","config":null,"prior_state":null}'
    )
    assert request == m.UpdateResourceRequest(resource_type="t", name="n", config={})
    assert decode(m.PlanRequest, b'{"resources":null}') == m.PlanRequest(resources=())
    assert decode(m.PlanResponse, b'{"success":true,"execution_order":null,"error":null}') == m.PlanResponse(
        success=True
    )
    assert faults(m.ReadResourceRequest, b'{"resource_type":null,"name":"n"}') == {
        "$.resource_type": "missing_field"
    }
    assert faults(m.SetStateRequest, b'{"state":null}') == {"$.state": "missing_field"}


def test_unknown_fields_are_kept_out_and_the_last_of_equal_keys_counts() -> None:
    request = decode(m.ReadResourceRequest, b'{"resource_type":"a","x":{},"resource_type":"t","name":"n"}')
    assert encode(request) == b'{"resource_type":"t","name":"n"}'


def test_faults_do_not_repeat_the_value() -> None:
    data = b'{"resources":[{"resource_type":"t","name":["hunter2hunter2"],"action":"hunter2hunter2"}]}'
    with pytest.raises(ValidationError) as caught:
        decode(m.PlanRequest, data)
    assert "hunter2" not in f"{caught.value!s} {caught.value.details}"


def test_key_order_of_free_values_is_kept() -> None:
    config = {"z": 1, "a": 2, "m": {"y": 1, "b": 2}}
    data = encode(m.CreateResourceRequest(resource_type="t", name="n", config=config))
    read = decode(m.CreateResourceRequest, data).config
    assert json.dumps(read) == json.dumps(config)


@pytest.mark.parametrize("value", [object(), {1, object()}, "\ud800", {"a": b"\xff", "b": lambda: 1}])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        encode(m.CreateResourceResponse(success=True, state={"a": value}))
    assert caught.value.code == "invalid_value"


def test_read_only_maps_are_written_like_any_other() -> None:
    config = MappingProxyType({"a": MappingProxyType({"b": 1})})
    message = m.CreateResourceRequest(resource_type="t", name="n", config=config)
    assert encode(message) == b'{"resource_type":"t","name":"n","config":{"a":{"b":1}}}'


def test_a_value_nested_in_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(ValidationError):
        encode(m.CreateResourceResponse(state=loop))


@given(TIMES)
def test_times_are_written_as_go_writes_them(moment: Timestamp) -> None:
    text = str(moment)
    assert Timestamp.parse(text) == moment
    fraction = f"{moment.microsecond:06}".rstrip("0")
    assert text == f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{fraction}" if fraction else "") + "Z"


def test_times_are_brought_to_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert str(Timestamp.of(datetime(2025, 1, 1, 1, tzinfo=east))) == "2024-12-31T23:00:00Z"
    assert str(Timestamp.parse("2025-01-01T00:00:00.123456789-05:30")) == "2025-01-01T05:30:00.123456Z"
    assert Timestamp.utc_now().tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "2025-12-15", "2025-12-15 10:30:00Z", "2025-12-15T10:30:00", "2025-13-01T00:00:00Z",
     "2025-12-15T24:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "２025-12-15T10:30:00Z",
     "2025-12-15T10:30:00+99:00", "2025-12-15T10:30:60Z"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Timestamp.parse(text)
    data = json.dumps({"state": {"version": "1", "resources": [], "updated_at": text}})
    assert faults(m.SetStateRequest, data) == {"$.state.updated_at": "invalid_value"}


@pytest.mark.parametrize("kind", CATEGORIES.values(), ids=CATEGORIES)
def test_errors_travel(kind: type[KolumnError]) -> None:
    problem = Problem(
        "column name required",
        code="missing_attribute",
        path="columns[2].name",
        resource="sqlite_table.users",
        hint="Give it one.",
        location=Location("main.kl", 3, 5),
    )
    error = kind("It failed.", code="some_code", details={"lineage": "x"}, problems=[problem])
    again = to_error(decode(m.ErrorResponse, encode(error_response(error))))
    assert type(again) is kind
    assert (again.message, again.code, again.details) == (error.message, error.code, error.details)
    assert again.problems == (problem,)
    assert str(again) == str(error)


@settings(max_examples=100, deadline=None)
@given(messages(m.ErrorResponse))
def test_any_error_response_becomes_an_error(response: m.ErrorResponse) -> None:
    assert isinstance(to_error(response), KolumnError)


@pytest.mark.parametrize(
    "details", [{"category": 5, "problems": 7}, {"problems": [1, {"message": 2, "line": "x"}]}]
)
def test_odd_details_do_no_harm(details: dict[str, Any]) -> None:
    assert isinstance(to_error(m.ErrorResponse(error="e", details=details)), OperationError)


def test_secrets_do_not_travel_in_errors() -> None:
    error = StateError(
        "cannot open postgres://u:hunter2@h/db",
        details={"dsn": "x", "where": "password=hunter2", "config": {"password": "hunter2", "port": 5}},
        problems=[Problem("bad password='hunter2'")],
    )
    text = encode(error_response(error)).decode()
    assert "hunter2" not in text
    assert json.loads(text)["details"]["config"] == {"password": "[REDACTED]", "port": 5}
