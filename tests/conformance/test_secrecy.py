"""No secret comes out: not in answers, errors, logs, representations or tracebacks (spec 9.1, 10)."""

from __future__ import annotations

import io
import json
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError
from kolumn.contract.logs import configure_logging, subscribe
from tests.client import Client, wanted
from tests.targets import PLANTED, Settings, Target


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging("debug", "json", stream)
    unsubscribe = subscribe(lambda *record: print(record, file=stream), "debug")
    yield stream
    unsubscribe()
    configure_logging()


def told(error: KolumnError) -> str:
    """Return everything an error can be made to say."""
    lines = traceback.format_exception(error)
    return "\n".join(
        [*lines, repr(error), str(error), repr(error.args), json.dumps(error.details), repr(vars(error))]
    )


def test_settings_stay_secret(
    target: Target, settings: Settings, log: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOLUMN_TEST_PLANTED", PLANTED)
    assert target.secrets, "every target plants something"
    for name, value in [*target.secrets.items(), ("no_such_password", "${KOLUMN_TEST_PLANTED}")]:
        provider = target.open()
        planted = {**settings, name: value}
        if name in ("url", "host"):
            planted.pop("path", None)
        try:
            provider.configure(Context.background(), planted)
        except KolumnError as error:
            assert PLANTED not in told(error), name
        else:
            client = Client(provider)
            answers = [
                client.call("Ping"),
                client.call("GetState"),
                client.call("DiscoverResources", {"resource_type": ""}),
            ]
            assert PLANTED not in json.dumps(answers), name
        assert PLANTED not in repr(provider)
        assert PLANTED not in repr(vars(provider))
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(provider)
        provider.close()
    assert log.getvalue()
    assert PLANTED not in log.getvalue()


def test_secrets_in_configuration_stay_out_of_errors_and_logs(
    target: Target, settings: Settings, client: Client, log: io.StringIO
) -> None:
    table = target.samples[0]
    hidden = f"password={PLANTED}"
    broken = [
        {**table.config, "columns": hidden},
        {**table.config, hidden: 1},
        {**table.config, "name": {"password": PLANTED}},
        {**table.config, "columns": [{"name": "a", "type": f"TEXT); -- {hidden}"}]},
        {**table.config, "columns": [{"name": "a", "type": "TEXT", "default": f"'{hidden}"}]},
        {**table.config, "columns": [{"name": "a", "type": "TEXT", "check": f"no_such('{hidden}')"}]},
    ]
    for config in broken:
        calls: dict[str, Any] = {
            "CreateResource": {"resource_type": table.type, "name": table.name, "config": config},
            "Apply": {"resources": [wanted(table.type, table.name, config)]},
        }
        for function, request in calls.items():
            try:
                answer = client.call(function, request)
            except KolumnError as error:
                assert PLANTED not in told(error), config
            else:
                assert answer["success"] is False, config
                assert PLANTED not in json.dumps(answer), config
    assert log.getvalue()
    assert PLANTED not in log.getvalue()


def test_steps_are_shown_without_secrets(target: Target, client: Client) -> None:
    table = target.samples[0]
    columns = [*table.config["columns"], {"name": "link", "type": "TEXT", "default": f"'password={PLANTED}'"}]
    plan = client.plan(wanted(table.type, table.name, {**table.config, "columns": columns}), detail=True)
    assert plan["steps"]
    assert PLANTED not in json.dumps(plan["steps"])
    assert PLANTED not in json.dumps(plan.get("warnings", []))


def test_sensitive_attributes_come_out_nowhere(target: Target, client: Client, log: io.StringIO) -> None:
    for definition in client.provider.schema().resource_types:
        for name, attribute in definition.config_schema.attributes.items():
            if not attribute.sensitive:
                continue
            sample = target.sample(definition.name)
            planted = {**sample.config, name: sample.planted(name)}
            resource = wanted(sample.type, sample.name, planted)
            answers = [client.plan(resource, detail=True)["steps"], client.apply(resource)]
            answers.append(client.done("DiscoverResources", {"resource_type": sample.type}))
            broken = {**planted, "no_such_one": 1}
            refused = client.refused("Apply", {"resources": [wanted(sample.type, sample.name, broken)]})
            assert PLANTED not in json.dumps(answers), f"{sample.type}.{name}"
            assert PLANTED not in told(refused), f"{sample.type}.{name}"
            client.apply(wanted(sample.type, sample.name, {}, "delete"))
    assert PLANTED not in log.getvalue()
