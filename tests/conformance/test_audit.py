"""The audit trail: what is noted, that it cannot be changed, and that a change of it is found all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.errors import StateError, ValidationError
from tests.client import Client, wanted
from tests.targets import PLANTED, Settings, Target

Connect = Callable[[Settings], Client]

FAR = "2000-01-01T00:00:00Z"


@pytest.fixture
def table(target: Target) -> Any:
    """A table, as it is created."""
    sample = target.samples[0]
    return wanted(sample.type, sample.name, sample.config)


def entries(client: Client, **filters: Any) -> list[dict[str, Any]]:
    """Return the whole trail, oldest first."""
    found, cursor = [], ""
    while True:
        page = client.done("GetAuditLog", {**filters, **({"cursor": cursor} if cursor else {})})
        found += page["entries"]
        cursor = page.get("next_cursor", "")
        if not cursor:
            return found[::-1]


def verified(client: Client) -> list[tuple[str, int]]:
    """Return the faults of the trail."""
    answer = client.done("VerifyAuditLog")
    faults = [(each["kind"], each["entry"]) for each in answer["faults"]]
    assert answer["intact"] is (not faults)
    return faults


def grow(client: Client, table: Any, column: Any) -> None:
    """Leave some ten entries."""
    wider = {**table["config"], "columns": [*table["config"]["columns"], column]}
    client.apply(table)
    client.done("UpdateResource", {**table, "config": wider})
    client.done("DeleteResource", {"resource_type": table["resource_type"], "name": table["name"]})
    client.apply(table)


class TestWhatIsNoted:
    def test_an_apply_leaves_its_intent_each_resource_and_its_end(
        self, target: Target, client: Client
    ) -> None:
        parts = [wanted(each.type, each.name, each.config) for each in target.samples[:2]]
        fingerprint = client.plan(*parts, detail=True)["fingerprint"]
        before = datetime.now(UTC) - timedelta(seconds=1)
        client.apply(*parts)
        found = entries(client)
        assert [each["id"] for each in found] == [str(number) for number in range(1, len(found) + 1)]
        # Where steps commit by themselves, those of a resource before its last one are noted apart.
        apart = [each for each in found if each["outcome"] == "partial"]
        assert not apart or not target.transactional
        found = [each for each in found if each not in apart]
        assert [(each["action"], each.get("name", ""), each["outcome"]) for each in found] == [
            ("apply", "", "started"),
            *(("create", each["name"], "succeeded") for each in parts),
            ("apply", "", "succeeded"),
        ]
        assert len({each["call_id"] for each in found}) == 1
        assert {each["plan_fingerprint"] for each in found} == {fingerprint}
        assert {each["function"] for each in found} == {"Apply"}
        for each in found:
            assert before < datetime.fromisoformat(each["time"]) < datetime.now(UTC) + timedelta(seconds=1)
            assert each["actor"]
            assert each["os_user"]
            assert each["host"]
            assert each["application"]
        for each in found[1:3]:
            assert each["resource_type"] == "table"
            assert each["statements"]
            assert each["after"]["name"] == each["name"]
            assert each["duration"] > 0
            assert "before" not in each
        assert verified(client) == []

    def test_single_functions_say_before_and_after(self, target: Target, client: Client, table: Any) -> None:
        client.done("CreateResource", table)
        wider = {**table["config"], "columns": [*table["config"]["columns"], target.column]}
        client.done("UpdateResource", {**table, "config": wider})
        client.done("DeleteResource", {"resource_type": table["resource_type"], "name": table["name"]})
        found = entries(client)
        assert [(each["function"], each["action"], each["outcome"]) for each in found] == [
            ("CreateResource", "create", "started"),
            ("CreateResource", "create", "succeeded"),
            ("UpdateResource", "update", "started"),
            ("UpdateResource", "update", "succeeded"),
            ("DeleteResource", "delete", "started"),
            ("DeleteResource", "delete", "succeeded"),
        ]
        assert {each["name"] for each in found} == {table["name"]}
        assert list(found[3]["after"]) == [f"columns.{target.column['name']}"]
        assert found[5]["before"]["name"] == table["name"]
        assert "after" not in found[5]
        assert verified(client) == []

    def test_a_failure_is_noted_with_its_reason_and_nothing_that_was_rolled_back(
        self, target: Target, settings: Settings, client: Client
    ) -> None:
        target.execute(settings, target.failing.script)
        answer = client.call("Apply", {"resources": list(target.failing.resources)})
        assert answer["success"] is False
        found = entries(client)
        outcomes = [(each["outcome"], each.get("name", "")) for each in found]
        done = target.failing.resources[0]["name"]
        before = [] if target.transactional else [("succeeded", done)]
        failure = [("failed", target.failing.culprit), ("failed", "")]
        undone = [] if target.transactional else [("undone", done)]
        assert outcomes == [("started", ""), *before, *failure, *undone]
        at = outcomes.index(failure[0])
        assert found[at]["statements"]
        assert found[at]["error"] in answer["error"]
        assert found[at]["success"] is found[at + 1]["success"] is False
        assert verified(client) == []

    def test_a_single_failure_is_noted(self, target: Target, settings: Settings, client: Client) -> None:
        target.execute(settings, target.failing.script)
        culprit = next(each for each in target.failing.resources if each["name"] == target.failing.culprit)
        error = client.refused("CreateResource", {**culprit, "depends_on": []})
        started, failed = entries(client)
        assert (started["outcome"], started["name"]) == ("started", target.failing.culprit)
        assert (failed["outcome"], failed["name"]) == ("failed", target.failing.culprit)
        assert failed["error"] == error.message
        assert failed["call_id"] == started["call_id"]

    def test_what_changes_nothing_leaves_nothing(
        self, target: Target, settings: Settings, client: Client, table: Any
    ) -> None:
        client.plan(table)
        client.done("ReadResource", {"resource_type": table["resource_type"], "name": table["name"]})
        assert entries(client) == []
        assert client.done("VerifyAuditLog") == {
            "success": True, "intact": True, "kept": False, "entries": 0, "faults": [],
        }  # fmt: skip
        client.apply(table)
        noted = entries(client)
        client.apply(table)
        client.refused("CreateResource", table)
        assert entries(client) == noted

    def test_no_secret_is_in_it(self, target: Target, client: Client, table: Any) -> None:
        column = {**target.column, "default": f"'password={PLANTED}'"}
        client.apply(
            {**table, "config": {**table["config"], "columns": [*table["config"]["columns"], column]}}
        )
        for definition in client.provider.schema().resource_types:
            for name, attribute in definition.config_schema.attributes.items():
                if attribute.sensitive:
                    sample = target.sample(definition.name)
                    planted = {**sample.config, name: sample.planted(name)}
                    client.apply(wanted(sample.type, sample.name, planted))
        found = entries(client)
        assert len(found) >= 3
        assert PLANTED not in json.dumps(found)

    def test_it_can_be_switched_off(
        self, target: Target, settings: Settings, connect: Connect, table: Any
    ) -> None:
        client = connect({**settings, "audit": False})
        client.apply(table)
        assert entries(client) == []
        with pytest.raises(Exception, match=r"(?i)audit|unknown database"):
            target.execute(settings, f"SELECT * FROM {target.trail}")

    def test_names_and_texts_of_any_kind_are_kept(self, client: Client, table: Any) -> None:
        name = "Ünïcode \u2028 \U0001f600 'quoted\" % \\ " + "x" * 500
        client.apply({**table, "name": name})
        assert entries(client)[1]["name"] == name
        assert verified(client) == []

    def test_applies_at_the_same_time_follow_each_other(
        self, target: Target, settings: Settings, connect: Connect, table: Any
    ) -> None:
        clients = [connect(settings) for _ in range(3)]
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(3):
                    name = f"t{number}_{turn}"
                    clients[number].apply(
                        {**table, "name": name, "config": {**table["config"], "name": name}}
                    )
            except BaseException as error:  # noqa: BLE001 - told in the main thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert failures == []
        found = entries(clients[0])
        assert len(found) == 27
        assert [each["previous_hash"] for each in found[1:]] == [each["hash"] for each in found[:-1]]
        assert verified(clients[0]) == []


class TestReading:
    def test_pages_newest_first(self, target: Target, client: Client, table: Any) -> None:
        grow(client, table, target.column)
        whole = client.done("GetAuditLog", {})["entries"]
        assert [int(each["id"]) for each in whole] == list(range(len(whole), 0, -1))
        paged, cursor = [], ""
        while True:
            page = client.done("GetAuditLog", {"limit": 3, **({"cursor": cursor} if cursor else {})})
            paged += page["entries"]
            if not (cursor := page.get("next_cursor", "")):
                break
            assert len(page["entries"]) == 3
        assert paged == whole

    def test_filters(self, target: Target, client: Client, table: Any) -> None:
        grow(client, table, target.column)
        whole = entries(client)
        middle = whole[len(whole) // 2]
        actor = middle["actor"]

        def found(**filters: Any) -> list[dict[str, Any]]:
            return entries(client, **filters)

        assert found(since=middle["time"]) == [each for each in whole if each["time"] >= middle["time"]]
        assert found(until=middle["time"]) == [each for each in whole if each["time"] < middle["time"]]
        assert found(until=FAR) == found(until="0900-01-01T00:00:00Z") == []
        assert found(since=FAR) == found(since="0900-01-01T00:00:00Z") == whole
        assert found(action="delete") == [each for each in whole if each["action"] == "delete"] != []
        named = [each for each in whole if each.get("name") == table["name"]]
        assert found(name=table["name"]) == named != []
        assert found(resource_type=table["resource_type"]) == named
        assert found(resource_type=f"{target.provider}_{table['resource_type']}") == named
        assert found(actor=actor) == found(actor=middle["os_user"]) == whole
        assert found(actor=actor, limit=2, action="delete") == found(action="delete")
        assert found(actor="nobody at all") == []

    def test_bad_requests_are_refused_with_every_fault(
        self, target: Target, client: Client, table: Any
    ) -> None:
        grow(client, table, target.column)
        cursor = client.done("GetAuditLog", {"limit": 1})["next_cursor"]
        for bad in ("x", "*", "é", cursor[:-2], "A" * 100, "bnVsbA"):
            error = client.refused("GetAuditLog", {"cursor": bad})
            assert isinstance(error, ValidationError)
            assert error.problems[0].code == "invalid_cursor", bad
        error = client.refused(
            "GetAuditLog",
            {
                "cursor": cursor,
                "action": "create",
                "limit": -1,
                "since": "2025-01-01T00:00:00Z",
                "until": FAR,
            },
        )
        assert [each.code for each in error.problems] == [
            "invalid_cursor",
            "invalid_range",
            "conflicting_attributes",
        ]
        client.refused("GetAuditLog", {"resource_type": "no_such_type"})


class TestTampering:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE {trail} SET actor = 'somebody'",
            "UPDATE {trail} SET actor = 'somebody' WHERE entry_number = 3",
            "DELETE FROM {trail}",
            "DELETE FROM {trail} WHERE entry_number = 3",
        ],
    )
    def test_the_database_refuses_it(
        self, target: Target, settings: Settings, client: Client, table: Any, statement: str
    ) -> None:
        client.apply(table)
        before = entries(client)
        with pytest.raises(Exception, match="append-only"):
            target.execute(settings, statement.format(trail=target.trail))
        assert entries(client) == before

    @pytest.mark.parametrize(
        ("script", "faults"),
        [
            ("UPDATE {trail} SET actor = 'somebody else' WHERE entry_number = 3", {("altered", 3)}),
            ("UPDATE {trail} SET duration = duration + 1 WHERE entry_number = 1", {("altered", 1)}),
            ("UPDATE {trail} SET statements = '' WHERE entry_number = 2", {("altered", 2)}),
            ("DELETE FROM {trail} WHERE entry_number = 4", {("removed", 4)}),
            ("DELETE FROM {trail} WHERE entry_number IN (4, 5)", {("removed", 4)}),
            ("DELETE FROM {trail} WHERE entry_number = 1", {("removed", 1)}),
            ("DELETE FROM {trail} WHERE entry_number > 7", {("cut", 8)}),
            ("DELETE FROM {trail}", {("cut", 1)}),
            ("DELETE FROM {trail}_head", {("head", 10)}),
            (
                (
                    "DELETE FROM {trail} WHERE entry_number > 7; UPDATE {trail}_head SET entries = 7, entry_hash = "
                    "(SELECT entry_hash FROM {trail} WHERE entry_number = 7)"
                ),
                {("cut", 8)},
            ),
            (
                (
                    "UPDATE {trail} SET entry_number = 99 WHERE entry_number = 3;"
                    "UPDATE {trail} SET entry_number = 3 WHERE entry_number = 5;"
                    "UPDATE {trail} SET entry_number = 5 WHERE entry_number = 99"
                ),
                {("reordered", 3), ("reordered", 5)},
            ),
            (
                (
                    "INSERT INTO {trail} SELECT 0, noted_at, call_id, function_name, 'mallory', os_user, host, "
                    "application, action, resource_type, resource_name, outcome, error, duration, fingerprint, "
                    "statements, before_change, after_change, previous_hash, entry_hash FROM {trail} "
                    "WHERE entry_number = 1"
                ),
                {("inserted", 0)},
            ),
        ],
    )
    def test_it_is_found_and_named_before_anything_runs(
        self,
        target: Target,
        settings: Settings,
        client: Client,
        table: Any,
        script: str,
        faults: set[tuple[str, int]],
    ) -> None:
        grow(client, table, target.column)
        assert len(entries(client)) == 10
        assert verified(client) == []
        target.execute(settings, target.unprotect)
        target.execute(settings, script.format(trail=target.trail))
        assert set(verified(client)) == faults
        before = target.dump(settings)
        gone = {**table, "action": "delete"}
        refused = client.refused("Apply", {"resources": [gone]})
        assert isinstance(refused, StateError)
        assert refused.code == "audit_broken"
        assert "kolumn audit verify" in refused.message
        assert target.dump(settings) == before

    def test_an_old_entry_is_found_as_well(
        self, target: Target, settings: Settings, connect: Connect, table: Any
    ) -> None:
        client = connect(settings)
        client.apply(table)
        anchored = client.done("GetState")["state"]
        grow(connect(settings), {**table, "name": "other", "config": {**table["config"], "name": "other"}},
             target.column)  # fmt: skip
        target.execute(settings, target.unprotect)
        target.execute(settings, f"UPDATE {target.trail} SET host = 'elsewhere' WHERE entry_number = 2")
        fresh = connect(settings)
        fresh.done("SetState", {"state": anchored})
        assert verified(fresh) == [("altered", 2)]

    def test_a_lost_trail_is_remembered_in_the_next(
        self, target: Target, settings: Settings, client: Client, table: Any
    ) -> None:
        client.apply(table)
        last = entries(client)[-1]
        target.execute(settings, f"DROP TABLE {target.trail}; DROP TABLE {target.trail}_head")
        assert verified(client) == [("cut", 1)]
        client.apply({**table, "action": "delete"})
        first = entries(client)[0]
        assert first["action"] == "restart"
        assert last["hash"] in first["error"]
        assert verified(client) == []

    def test_the_trail_of_another_database_is_no_fault_of_this_one(
        self, target: Target, connect: Connect, tmp_path: Path, settings: Settings, table: Any
    ) -> None:
        client = connect(settings)
        client.apply(table)
        state = client.done("GetState")["state"]
        with target.fresh(tmp_path / "other") as others:
            other = connect(others)
            other.apply(table)
            stranger = connect(others)
            stranger.done("SetState", {"state": state})
            assert verified(stranger) == [("replaced", 1)]
            stranger.apply({**table, "action": "delete"})
            assert verified(stranger) == []
            found = entries(stranger)
            assert [each["action"] for each in found[3:]] == ["restart", "apply", "delete", "apply"]
