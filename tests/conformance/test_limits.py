"""Deadlines, cancelling, threads (spec 2.2, 2.4): a running statement is stopped, nothing is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError
from tests.client import Client, wanted
from tests.targets import Settings, Target

SOON = 3.0
"""Seconds within which what was told to stop has stopped, also on a busy machine."""


def ended_with(client: Client, function: str, request: Any, context: Context) -> str:
    """Return the words a call ended with, whether as an error or inside its response."""
    try:
        answer = client.call(function, request, context=context)
    except KolumnError as error:
        return f"{error.code}: {error.message}"
    assert answer["success"] is False, answer
    return str(answer["error"])


def one(resource: Any) -> dict[str, Any]:
    return {key: resource[key] for key in ("resource_type", "name", "config")}


def test_a_deadline_stops_the_running_statement(target: Target, settings: Settings, client: Client) -> None:
    slow = target.slow(settings, target.execute)
    before = target.dump(settings)
    for function, request in {"Apply": {"resources": [slow]}, "CreateResource": one(slow)}.items():
        started = time.monotonic()
        words = ended_with(client, function, request, Context.background().with_timeout(0.5))
        assert time.monotonic() - started < 0.5 + SOON
        assert "longer" in words or "deadline" in words
        assert target.dump(settings) == before
        client.done("Ping")


def test_cancelling_stops_the_running_statement(target: Target, settings: Settings, client: Client) -> None:
    slow = target.slow(settings, target.execute)
    before = target.dump(settings)
    context = Context.background()
    asked: list[float] = []

    def cancel() -> None:
        asked.append(time.monotonic())
        context.cancel()

    timer = threading.Timer(0.7, cancel)
    timer.start()
    words = ended_with(client, "Apply", {"resources": [slow]}, context)
    ended = time.monotonic()
    timer.join()
    assert asked
    assert ended - asked[0] < SOON
    assert "cancel" in words
    assert target.dump(settings) == before
    table = target.samples[0]
    client.apply(wanted(table.type, table.name, table.config))


def test_query_timeout_holds_where_the_caller_sets_no_deadline(
    target: Target, settings: Settings, connect: Callable[[Settings], Client]
) -> None:
    client = connect({**settings, "query_timeout": 1})
    slow = target.slow(settings, target.execute)
    started = time.monotonic()
    words = ended_with(client, "Apply", {"resources": [slow]}, Context.background())
    assert time.monotonic() - started < 1 + SOON
    assert "longer" in words or "deadline" in words
    client.done("Ping")


def test_what_is_over_before_it_begins_does_nothing(
    target: Target, settings: Settings, client: Client
) -> None:
    table = target.samples[0]
    before = target.dump(settings)
    cancelled = Context.background()
    cancelled.cancel()
    for context in (cancelled, Context.background().with_timeout(-1)):
        for function, request in {
            "CreateResource": one(wanted(table.type, table.name, table.config)),
            "Apply": {"resources": [wanted(table.type, table.name, table.config)]},
            "Plan": {"resources": [wanted(table.type, table.name, table.config)]},
            "Ping": {},
        }.items():
            error = client.refused(function, request, context=context)
            assert error.code in ("cancelled", "deadline_exceeded")
    assert target.dump(settings) == before


def test_many_threads_share_one_provider(target: Target, settings: Settings, client: Client) -> None:
    table = target.samples[0]

    def life(number: int) -> None:
        name = f"t{number}"
        config = {**table.config, "name": name}
        client.done("CreateResource", {"resource_type": table.type, "name": name, "config": config})
        for _ in range(3):
            assert client.done("ReadResource", {"resource_type": table.type, "name": name})["exists"] is True
            client.done("Ping")
            assert client.plan(wanted(table.type, name, config))["execution_order"] == []
        if number % 2:
            client.done("DeleteResource", {"resource_type": table.type, "name": name})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(life, range(12)))
    found = client.done("DiscoverResources", {"resource_type": table.type})["resources"]
    assert sorted(each["name"] for each in found) == sorted(f"t{number}" for number in range(0, 12, 2))
    held = client.done("GetState")["state"]["resources"]
    assert sorted(each["name"] for each in held) == sorted(f"t{number}" for number in range(0, 12, 2))


def test_providers_on_one_database_take_turns(
    target: Target, settings: Settings, connect: Callable[[Settings], Client]
) -> None:
    table = target.samples[0]

    def work(number: int) -> None:
        client = connect(settings)
        for turn in range(4):
            name = f"p{number}_{turn}"
            client.apply(wanted(table.type, name, {**table.config, "name": name}), lock_timeout_seconds=30)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    found = connect(settings).done("DiscoverResources", {"resource_type": table.type})["resources"]
    assert len(found) == 16


def test_cancelling_one_call_leaves_the_others_alone(
    target: Target, settings: Settings, client: Client
) -> None:
    slow = target.slow(settings, target.execute)
    context = Context.background()
    with ThreadPoolExecutor(2) as pool:
        stopped = pool.submit(ended_with, client, "Apply", {"resources": [slow]}, context)
        time.sleep(0.4)
        waiting = pool.submit(client.done, "Ping")
        time.sleep(0.1)
        context.cancel()
        assert "cancel" in stopped.result(SOON)
        assert waiting.result(SOON)["success"] is True
