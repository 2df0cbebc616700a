"""Transactions that span calls (spec 3.3.2): begun, worked in, ended by the client, the clock or an accident."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    PermissionError,
    StateError,
    ValidationError,
)
from kolumn.host.providers import load
from tests.client import Client, wanted
from tests.conformance.test_plan_apply import all_of
from tests.targets import Sample, Settings, Target

Connect = Callable[[Settings], Client]

changes = pytest.mark.usefixtures("changing")
"""For what is about changes inside: where structure commits by itself there are none, and that is tested instead."""


@pytest.fixture
def changing(target: Target) -> None:
    if not target.transactional:
        pytest.skip("no change of structure can be part of a transaction")


def begin(client: Client, **request: Any) -> str:
    answer = client.done("BeginTransaction", request)
    assert answer["status"] == "active"
    return str(answer["transaction_id"])


def request_for(sample: Sample, *, changed: bool = False) -> dict[str, Any]:
    config = dict(sample.changed if changed else sample.config)
    return {"resource_type": sample.type, "name": sample.name, "config": config}


def exists(client: Client, sample: Sample) -> bool:
    answer = client.done("ReadResource", {"resource_type": sample.type, "name": sample.identity})
    return bool(answer["exists"])


def numbered(target: Target, number: int) -> Mapping[str, Any]:
    """Return a table like the first sample, under another name."""
    sample = target.samples[0]
    return wanted(sample.type, f"t{number}", {**sample.config, "name": f"t{number}"})


@changes
def test_what_is_committed_stays(target: Target, settings: Settings, client: Client) -> None:
    sample = target.samples[0]
    answer = client.done("BeginTransaction")
    assert answer["isolation"] == target.isolation[0]
    assert "read_only" not in answer
    assert datetime.fromisoformat(answer["started_at"]).tzinfo is not None
    assert "expires_at" not in answer
    client.done("CreateResource", request_for(sample))
    ended = client.done("CommitTransaction", {"transaction_id": answer["transaction_id"]})
    assert ended["status"] == "committed"
    assert ended["transaction_id"] == answer["transaction_id"]
    assert exists(client, sample)
    assert sample.name in " ".join(target.dump(settings))
    assert client.plan(wanted(sample.type, sample.name, sample.config))["execution_order"] == []


@changes
def test_every_function_on_resources_works_inside_and_nothing_of_it_stays(
    target: Target, settings: Settings, client: Client
) -> None:
    empty = target.dump(settings)
    everything = [each for each in all_of(target) if each["resource_type"] not in apart_types(target)]
    state = client.done("GetState")["state"]
    identifier = begin(client)
    plan = client.plan(*everything)
    applied = client.apply(*everything)
    assert applied["summary"]["created"] == len(everything)
    assert sorted(plan["execution_order"]) == sorted(
        f"{each['resource_type']} {each['name']}" for each in applied["results"]
    )
    assert client.plan(*everything)["execution_order"] == []
    changed = [
        each for each in all_of(target, changed=True) if each["resource_type"] not in apart_types(target)
    ]
    assert client.apply(*changed)["summary"]["updated"] > 0
    assert client.plan(*changed)["execution_order"] == []
    found = client.done("DiscoverResources", {"resource_type": target.samples[0].type})["resources"]
    assert target.samples[0].name in [each["name"] for each in found]
    assert len(client.done("GetState")["state"]["resources"]) == len(everything)
    client.done("Ping")
    assert client.done("RollbackTransaction", {"transaction_id": identifier})["status"] == "rolled_back"
    assert target.dump(settings) == empty
    after = client.done("GetState")["state"]
    assert "resources" not in after or after["resources"] == []
    assert after["metadata"] == state["metadata"]
    assert client.apply(*everything)["summary"]["created"] == len(everything), "nothing is in the way"


def apart_types(target: Target) -> set[str]:
    """Return the resource types that no transaction can have, without those that only a way of making one has."""
    found = {each.type for each in target.samples if each.apart}
    return found | (
        {str(target.apart[0]["resource_type"])} if target.apart and not target.apart[1] else set()
    )


@changes
def test_create_update_read_delete_inside(target: Target, settings: Settings, client: Client) -> None:
    sample = target.samples[0]
    client.done("CreateResource", request_for(sample))
    before = target.dump(settings)
    begin(client)
    client.done("UpdateResource", request_for(sample, changed=True))
    read = client.done("ReadResource", {"resource_type": sample.type, "name": sample.name})
    assert len(read["state"]["columns"]) == len(sample.changed["columns"])
    assert client.refused("CreateResource", request_for(sample)).code == "already_exists"
    client.done("DeleteResource", {"resource_type": sample.type, "name": sample.name})
    assert not exists(client, sample)
    client.done("RollbackTransaction")
    assert exists(client, sample)
    assert target.dump(settings) == before


@changes
def test_others_see_it_when_it_is_committed(target: Target, settings: Settings, connect: Connect) -> None:
    if not target.shared:
        pytest.skip("one process has the database at a time")
    sample = target.samples[0]
    mine, other = connect(settings), connect(settings)
    begin(mine)
    mine.done("CreateResource", request_for(sample))
    assert exists(mine, sample)
    assert not exists(other, sample)
    mine.done("CommitTransaction")
    assert exists(other, sample)


@changes
def test_a_call_that_fails_leaves_the_rest_usable(target: Target, settings: Settings, client: Client) -> None:
    target.execute(settings, target.failing.script)
    sample = target.samples[0]
    begin(client)
    client.done("CreateResource", request_for(sample))
    if not target.savepoints:
        assert_all_is_lost(target, settings, client)
        return
    failed = client.call("Apply", {"resources": list(target.failing.resources)})
    assert failed["success"] is False
    assert exists(client, sample)
    assert client.done("DiscoverResources", {"resource_type": "table", "filters": {"name": "aardvark"}}) == {
        "success": True,
        "resources": [],
    }
    client.done("UpdateResource", request_for(sample, changed=True))
    client.done("CommitTransaction")
    assert client.plan(wanted(sample.type, sample.name, sample.changed))["execution_order"] == []
    names = [each["name"] for each in client.done("GetState")["state"]["resources"]]
    assert names == [sample.name]


def assert_all_is_lost(target: Target, settings: Settings, client: Client) -> None:
    """Have a call fail where the database can take back only all of a transaction: it says so, and it is so."""
    error = client.refused("Apply", {"resources": list(target.failing.resources)})
    assert error.code not in ("transaction_lost", "no_transaction"), "what went wrong comes first"
    told = client.refused("CreateResource", request_for(target.samples[0]))
    assert (type(told), told.code) == (ConnectionError, "transaction_lost")
    assert not exists(client, target.samples[0])
    assert client.done("GetState")["state"].get("resources", []) == []
    assert client.refused("CommitTransaction").code == "no_transaction"
    client.done("CreateResource", request_for(target.samples[0]))


@changes
@pytest.mark.parametrize("spelled", [str, str.upper, lambda word: word.replace(" ", "_")])
def test_isolation(target: Target, client: Client, spelled: Callable[[str], str]) -> None:
    for word in target.isolation:
        answer = client.done("BeginTransaction", {"isolation": spelled(word)})
        assert answer["isolation"] == word
        client.done("CreateResource", request_for(target.samples[0]))
        client.done("RollbackTransaction")


def test_an_unknown_isolation_is_refused_with_the_known_ones(target: Target, client: Client) -> None:
    error = client.refused("BeginTransaction", {"isolation": "chaos", "timeout_seconds": -1})
    assert isinstance(error, ValidationError)
    assert [problem.code for problem in error.problems] == ["unknown_isolation", "out_of_range"]
    for word in target.isolation:
        assert word in error.problems[0].hint
    assert client.refused("CommitTransaction").code == "no_transaction"


@changes
def test_a_transaction_that_only_reads_changes_nothing(
    target: Target, settings: Settings, client: Client
) -> None:
    sample = target.samples[0]
    client.done("CreateResource", request_for(sample))
    before = target.dump(settings)
    assert client.done("BeginTransaction", {"read_only": True})["read_only"] is True
    assert exists(client, sample)
    assert client.plan(wanted(sample.type, sample.name, sample.changed))["execution_order"] != []
    error = client.refused("UpdateResource", request_for(sample, changed=True))
    assert isinstance(error, PermissionError)
    assert error.code == "read_only"
    assert "begun with read_only" in error.message
    failed = client.refused("Apply", {"resources": [wanted(sample.type, sample.name, sample.changed)]})
    assert "begun with read_only" in failed.message
    assert exists(client, sample)
    client.done("CommitTransaction")
    assert target.dump(settings) == before
    client.done("UpdateResource", request_for(sample, changed=True))


@changes
def test_reading_transactions_lock_nobody_out(target: Target, settings: Settings, connect: Connect) -> None:
    if not target.shared:
        pytest.skip("one process has the database at a time")
    reader, writer = connect(settings), connect(settings)
    sample = target.samples[0]
    begin(reader, read_only=True)
    begin(writer)
    writer.done("CreateResource", request_for(sample))
    writer.done("RollbackTransaction")
    reader.done("CommitTransaction")


@changes
def test_it_is_rolled_back_when_its_time_is_over(
    target: Target, settings: Settings, connect: Connect
) -> None:
    empty = target.dump(settings)
    sample = target.samples[0]
    client, other = connect(settings), connect(settings)
    answer = client.done("BeginTransaction", {"timeout_seconds": 1})
    limit = datetime.fromisoformat(answer["expires_at"]) - datetime.fromisoformat(answer["started_at"])
    assert limit.total_seconds() == 1
    client.done("CreateResource", request_for(sample))
    time.sleep(1.2)
    other.done("CreateResource", request_for(target.samples[0]))  # rolled back without being asked
    other.done("DeleteResource", {"resource_type": sample.type, "name": sample.name})
    assert target.dump(settings) == empty
    for function in ("CommitTransaction", "RollbackTransaction"):
        error = client.refused(function, {"transaction_id": answer["transaction_id"]})
        assert isinstance(error, OperationError)
        assert error.code == "transaction_expired"
        assert "1 s" in error.message
    client.done("CreateResource", request_for(sample))


def test_work_after_its_time_is_refused_once(target: Target, settings: Settings, client: Client) -> None:
    empty = target.dump(settings)
    begin(client, timeout_seconds=1)
    time.sleep(1.2)
    error = client.refused("CreateResource", request_for(target.samples[0]))
    assert error.code == "transaction_expired"
    assert target.dump(settings) == empty
    client.done("CreateResource", request_for(target.samples[0]))


@changes
def test_its_time_ends_what_is_running(target: Target, settings: Settings, client: Client) -> None:
    resource = target.slow(settings, target.execute)
    before = target.dump(settings)
    identifier = begin(client, timeout_seconds=1)
    started = time.monotonic()
    error = client.refused("CreateResource", {k: v for k, v in resource.items() if k != "action"})
    assert time.monotonic() - started < 5
    assert error.code == "transaction_expired"
    assert client.refused("CommitTransaction", {"transaction_id": identifier}).code == error.code
    assert target.dump(settings) == before
    client.done("CreateResource", request_for(target.samples[0]))


def test_the_setting_query_timeout_is_its_limit(target: Target, settings: Settings, connect: Connect) -> None:
    client = connect({**settings, "query_timeout": 60})
    answer = client.done("BeginTransaction")
    limit = datetime.fromisoformat(answer["expires_at"]) - datetime.fromisoformat(answer["started_at"])
    assert limit.total_seconds() == 60


@changes
def test_one_inside_another_is_refused_without_a_name(target: Target, client: Client) -> None:
    identifier = begin(client)
    error = client.refused("BeginTransaction")
    assert error.code == "nested_transaction"
    assert error.details["transaction_id"] == identifier
    client.done("CreateResource", request_for(target.samples[0]))
    client.done("CommitTransaction")


@changes
def test_savepoints(target: Target, settings: Settings, client: Client) -> None:
    identifier = begin(client)
    if not target.savepoints:
        error = client.refused("BeginTransaction", {"savepoint": "first", "transaction_id": identifier})
        assert [each.code for each in error.problems] == ["no_savepoints"]
        client.apply(numbered(target, 1))
        client.done("CommitTransaction", {"transaction_id": identifier})
        assert tables(client) == ["t1"]
        return
    client.apply(numbered(target, 1))
    for number, name in ((2, "first"), (3, "se\"cond'"), (4, "third")):
        answer = client.done("BeginTransaction", {"savepoint": name, "transaction_id": identifier})
        assert answer["transaction_id"] == identifier
        assert answer["status"] == "active"
        client.apply(numbered(target, number))
    assert tables(client) == ["t1", "t2", "t3", "t4"]
    assert client.refused("BeginTransaction", {"savepoint": "third"}).code == "savepoint_exists"
    client.done("RollbackTransaction", {"savepoint": "se\"cond'"})
    assert tables(client) == ["t1", "t2"]
    assert managed(client) == ["t1", "t2"]
    gone = client.refused("RollbackTransaction", {"savepoint": "third"})
    assert gone.code == "unknown_savepoint"
    assert gone.details["savepoints"] == ["first", "se\"cond'"]
    client.apply(numbered(target, 5))
    client.done("CommitTransaction", {"savepoint": "first"})
    assert client.refused("RollbackTransaction", {"savepoint": "first"}).code == "unknown_savepoint"
    assert tables(client) == ["t1", "t2", "t5"]
    assert client.done("CommitTransaction", {"transaction_id": identifier})["status"] == "committed"
    assert tables(client) == managed(client) == ["t1", "t2", "t5"]


def tables(client: Client) -> list[str]:
    return sorted(
        each["name"] for each in client.done("DiscoverResources", {"resource_type": "table"})["resources"]
    )


def managed(client: Client) -> list[str]:
    return sorted(each["name"] for each in client.done("GetState")["state"]["resources"])


def test_savepoints_have_nothing_of_their_own(target: Target, client: Client) -> None:
    if not target.savepoints:
        pytest.skip("no savepoints")
    assert client.refused("BeginTransaction", {"savepoint": "early"}).code == "no_transaction"
    begin(client)
    error = client.refused("BeginTransaction", {"savepoint": "x", "read_only": True})
    assert error.code == "savepoint_options"


def test_ids(client: Client) -> None:
    for function in ("CommitTransaction", "RollbackTransaction"):
        assert client.refused(function).code == "no_transaction"
        assert client.refused(function, {"transaction_id": "nobody"}).code == "unknown_transaction"
    assert client.refused("BeginTransaction", {"transaction_id": "mine"}).code == "invalid"
    first = begin(client)
    assert client.refused("CommitTransaction", {"transaction_id": "nobody"}).code == "unknown_transaction"
    client.done("CommitTransaction", {"transaction_id": first})
    second = begin(client)
    assert second != first
    for function in ("CommitTransaction", "RollbackTransaction"):
        error = client.refused(function, {"transaction_id": first})
        assert error.code == "transaction_ended"
        assert error.details["status"] == "committed"
    client.done("RollbackTransaction", {"transaction_id": second})
    error = client.refused("CommitTransaction", {"transaction_id": second})
    assert error.details["status"] == "rolled_back"


@changes
def test_what_cannot_run_in_a_transaction_is_refused_inside(
    target: Target, settings: Settings, client: Client
) -> None:
    assert target.apart is not None
    resource, options = target.apart
    samples = [each for each in target.samples[:3] if each.type == "table"]
    client.apply(*(wanted(each.type, each.name, each.config) for each in samples))
    before = target.dump(settings)
    begin(client)
    error = client.refused("Apply", {"resources": [numbered(target, 1), resource], "options": options})
    assert isinstance(error, OperationError)
    assert error.code == "not_in_transaction"
    assert resource["name"] in error.message
    assert "outside" in error.message
    assert not exists_named(client, "t1"), "before anything has changed"
    client.apply(numbered(target, 2))
    client.done("RollbackTransaction")
    assert target.dump(settings) == before
    client.apply(resource, **options)


def exists_named(client: Client, name: str) -> bool:
    return bool(client.done("ReadResource", {"resource_type": "table", "name": name})["exists"])


@changes
def test_the_lock_is_held_until_the_end(target: Target, settings: Settings, connect: Connect) -> None:
    mine, other = connect(settings), connect(settings)
    for end in ("CommitTransaction", "RollbackTransaction"):
        begin(mine)
        mine.apply(numbered(target, 1))
        request = {"resources": [numbered(target, 2)], "options": {"lock_timeout_seconds": 1}}
        error = other.refused("Apply", request)
        assert isinstance(error, StateError)
        assert error.code == "locked"
        mine.done(end)
        other.apply(numbered(target, 2))
        other.apply(dict(numbered(target, 2), action="delete"))


@changes
def test_closing_rolls_back(target: Target, settings: Settings, connect: Connect) -> None:
    empty = target.dump(settings)
    client, other = connect(settings), connect(settings)
    begin(client)
    client.apply(numbered(target, 1))
    client.provider.close()
    assert target.dump(settings) == empty
    other.apply(numbered(target, 2))


@changes
def test_configuring_again_rolls_back(target: Target, settings: Settings, client: Client) -> None:
    empty = target.dump(settings)
    identifier = begin(client)
    client.apply(numbered(target, 1))
    client.configure(settings)
    assert target.dump(settings) == empty
    error = client.refused("CommitTransaction", {"transaction_id": identifier})
    assert error.details["status"] == "rolled_back"
    client.apply(numbered(target, 2))


_VICTIM = """
import json, sys, time
from kolumn.host.providers import load
from tests.client import Client
provider, settings, resources = json.loads(sys.argv[1])
client = Client(load(provider)).configure(settings)
client.done("BeginTransaction")
client.apply(*resources)
print("working", flush=True)
time.sleep(60)
"""


@changes
def test_a_client_that_is_killed_leaves_nothing(target: Target, settings: Settings, connect: Connect) -> None:
    empty = target.dump(settings)
    work = [target.provider, dict(settings), [numbered(target, 1), numbered(target, 2)]]
    victim = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, json.dumps(work)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "working\n"
        if target.processes:
            assert tables(connect(settings)) == []
        else:
            error = Client(load(target.provider)).refused_settings({**settings, "busy_timeout": 0.2})
            assert str(victim.pid) in error.message, "it says who has it"
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
    assert target.dump(settings) == empty
    client = connect(settings)
    client.apply(numbered(target, 3), lock_timeout_seconds=5)
    assert tables(client) == ["t3"]


@changes
@pytest.mark.parametrize("ending", ["CreateResource", "CommitTransaction"])
def test_a_connection_that_breaks_takes_the_transaction_with_it(
    target: Target, settings: Settings, client: Client, ending: str
) -> None:
    if target.cut is None:
        pytest.skip("no connection to break")
    empty = target.dump(settings)
    identifier = begin(client)
    client.apply(numbered(target, 1))
    target.cut(settings)
    request = {"transaction_id": identifier}
    if ending == "CreateResource":
        request = request_for(target.samples[0])
    error = client.refused(ending, request)
    assert isinstance(error, ConnectionError)
    assert "Nothing of" in error.message
    told = client.refused("CommitTransaction", {"transaction_id": identifier})
    if ending == "CreateResource":
        assert isinstance(told, ConnectionError)
        assert told.code == "transaction_lost"
    assert target.dump(settings) == empty
    assert client.done("GetState")["state"].get("resources", []) == []
    client.apply(numbered(target, 2))
    assert tables(client) == ["t2"]


@changes
def test_work_after_a_broken_connection_is_refused_once(
    target: Target, settings: Settings, client: Client
) -> None:
    if target.cut is None:
        pytest.skip("no connection to break")
    begin(client)
    client.apply(numbered(target, 1))
    target.cut(settings)
    assert isinstance(client.refused("Plan", {"resources": [numbered(target, 2)]}), ConnectionError)
    error = client.refused("Plan", {"resources": [numbered(target, 2)]})
    assert isinstance(error, ConnectionError)
    assert error.code == "transaction_lost"
    client.apply(numbered(target, 2))


@changes
def test_threads_share_it(target: Target, settings: Settings, client: Client) -> None:
    begin(client)
    faults: list[Exception] = []

    def work(number: int) -> None:
        try:
            client.apply(numbered(target, number))
            assert exists_named(client, f"t{number}")
        except (KolumnError, AssertionError) as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(tables(client)) == 6
    client.done("RollbackTransaction")
    assert tables(client) == []


@changes
def test_a_cancelled_call_leaves_nothing_behind(target: Target, settings: Settings, client: Client) -> None:
    resource = target.slow(settings, target.execute)
    before = target.dump(settings)
    begin(client)
    context = Context.background()
    timer = threading.Timer(0.3, context.cancel)
    timer.start()
    error = client.refused(
        "CreateResource", {k: v for k, v in resource.items() if k != "action"}, context=context
    )
    timer.join()
    assert error.code in ("cancelled", "transaction_lost")
    client.call("RollbackTransaction") if target.cut else client.refused("RollbackTransaction")
    assert target.dump(settings) == before
    client.apply(numbered(target, 1))


def test_where_structure_commits_by_itself_no_change_is_let_in(
    target: Target, settings: Settings, client: Client
) -> None:
    if target.transactional:
        pytest.skip("changes can be part of a transaction")
    sample = target.samples[0]
    client.done("CreateResource", request_for(sample))
    before = target.dump(settings)
    for word in target.isolation:
        answer = client.done("BeginTransaction", {"isolation": word})
        assert answer["isolation"] == word
        assert exists(client, sample)
        assert client.plan(wanted(sample.type, sample.name, sample.changed))["execution_order"] != []
        for function, request in (
            (
                "CreateResource",
                {**request_for(sample), "name": "t1", "config": numbered(target, 1)["config"]},
            ),
            ("UpdateResource", request_for(sample, changed=True)),
            ("DeleteResource", {"resource_type": sample.type, "name": sample.name}),
            ("Apply", {"resources": [numbered(target, 1)]}),
        ):
            error = client.refused(function, request)
            assert isinstance(error, OperationError)
            assert error.code == "not_in_transaction", function
            assert "outside" in error.message
        client.done("BeginTransaction", {"savepoint": "here"})
        client.done("RollbackTransaction", {"savepoint": "here"})
        client.done("CommitTransaction", {"transaction_id": answer["transaction_id"]})
    assert target.dump(settings) == before
    assert managed(client) == [sample.name]
    client.done("UpdateResource", request_for(sample, changed=True))
