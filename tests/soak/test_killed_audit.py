"""Whoever changes a database is killed at any moment: the audit trail is whole, and says what the database holds."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kolumn.host.providers import load
from tests import command
from tests.client import Client, wanted
from tests.targets import TARGETS, Settings, Target

KILLS = 200 if command.SOAK else 5
TABLES = 12
KEEPS_CHANGING = """
import json, sys
from kolumn.contract.context import Context
from kolumn.host.providers import load

name, settings, every = json.loads(sys.argv[1])
provider = load(name)
provider.configure(Context.background(), settings)
print("ready", flush=True)
while True:
    for action in ("create", "delete"):
        request = {"resources": [{**each, "action": action} for each in every]}
        provider.call_function(Context.background(), "Apply", json.dumps(request).encode())
        for each in every[:2]:
            function = {"create": "DeleteResource", "delete": "CreateResource"}[action]
            provider.call_function(Context.background(), function, json.dumps(each).encode())
"""


@pytest.fixture(params=sorted(TARGETS))
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = TARGETS[request.param]
    if reason := found.skip():
        pytest.skip(reason)
    return found


def tables(target: Target) -> list[dict[str, object]]:
    sample = target.samples[0]
    return [
        wanted(sample.type, f"t{at}", {**sample.config, "name": f"t{at}"}, "create") for at in range(TABLES)
    ]


def is_true(target: Target, client: Client) -> int:
    """Check that the trail is whole and agrees with the database; return how many calls were cut short."""
    verified = client.done("VerifyAuditLog")
    assert verified["intact"], verified["faults"]
    last: dict[str, str] = {}
    begun: set[str] = set()
    ended: set[str] = set()
    for each in entries(client):
        if each["outcome"] == "started":
            begun.add(each["call_id"])
        elif each["function"] != "Apply" or not each.get("name"):
            ended.add(each["call_id"])
        if each.get("name") and each["outcome"] == "succeeded":
            last.setdefault(each["name"], each["action"])
    there = {
        each["name"] for each in client.done("DiscoverResources", {"resource_type": "table"})["resources"]
    }
    noted = {name for name, action in last.items() if action == "create"}
    # Where structure commits by itself, what was under way may be done and not noted: the beginning of the call is.
    unnoted = 0 if target.transactional else len(begun - ended)
    assert len(noted ^ there) <= unnoted, noted ^ there
    assert ended <= begun
    return len(begun - ended)


def entries(client: Client) -> Iterator[dict[str, Any]]:
    """Yield the whole trail, newest first."""
    cursor = ""
    while True:
        page = client.done("GetAuditLog", {"limit": 1000, **({"cursor": cursor} if cursor else {})})
        yield from page["entries"]
        cursor = page.get("next_cursor", "")
        if not cursor:
            return


@pytest.mark.soak
def test_the_trail_survives_every_kill(target: Target, tmp_path: Path) -> None:
    dice = random.Random(7)
    cut_short = 0
    with target.fresh(tmp_path / "database") as settings:
        for _ in range(KILLS):
            kill(target, settings, dice)
            client = Client(load(target.provider)).configure(settings)
            with client:
                client.apply(
                    {**tables(target)[-1], "action": "create"}
                )  # waits for what the server still does
                cut_short = is_true(target, client)
    assert cut_short or not command.SOAK, "no call was killed in the middle"


def kill(target: Target, settings: Settings, dice: random.Random) -> None:
    """Start a process that goes on changing the database, and kill it in the middle."""
    task = json.dumps([target.provider, dict(settings), tables(target)])
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPS_CHANGING, task],
        env=command.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        process.wait(dice.uniform(0, 1.0))
    except subprocess.TimeoutExpired:
        process.kill()
    _, errors = process.communicate()
    assert process.returncode == -9, errors
