"""RunMigrationScript and ListMigrations, extensions of the contract: noted with what they did, or neither."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.errors import OperationError, StateError, ValidationError
from tests import calls
from tests.client import Client
from tests.conformance.migrations import held
from tests.targets import Settings, Target


def script(version: str, text: str, **more: Any) -> dict[str, Any]:
    return {"version": version, "name": "a name", "script": text, "checksum": f"sum of {version}", **more}


def scripts(client: Client) -> dict[str, Any]:
    return {each["version"]: each for each in client.done("ListMigrations").get("scripts", [])}


def test_a_script_runs_once_and_goes_back(target: Target, settings: Settings, client: Client) -> None:
    empty = held(target, settings)
    up = script("1", "CREATE TABLE a (id integer); INSERT INTO a VALUES (1);\n-- the end; of it\n")
    tried = client.done("RunMigrationScript", {**up, "dry_run": True})
    assert len(tried["statements"]) == 2
    assert held(target, settings) == empty
    assert client.done("RunMigrationScript", up)["executed"] == 2
    assert client.done("RunMigrationScript", up)["already"] is True
    record = scripts(client)["1"]
    assert (record["status"], record["checksum"], record["name"]) == ("applied", "sum of 1", "a name")
    altered = client.refused("RunMigrationScript", {**up, "checksum": "another"})
    assert isinstance(altered, StateError)
    assert altered.code == "migration_altered"
    down = script("1", "DROP TABLE a", direction="down")
    client.done("RunMigrationScript", down)
    assert held(target, settings) == empty
    assert scripts(client) == {}
    assert client.refused("RunMigrationScript", down).code == "not_applied"


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE a (id integer",
        "SELECT 'no end",
        "COMMIT; SELECT 1",
        "ROLLBACK",
        "CREATE TABLE a (id integer); nonsense",
    ],
)
def test_faulty_scripts_leave_nothing(target: Target, settings: Settings, client: Client, text: str) -> None:
    before = held(target, settings)
    error = client.refused("RunMigrationScript", script("1", text))
    assert isinstance(error, ValidationError | OperationError)
    if "nonsense" in text and not target.transactional:
        record = scripts(client)["1"]
        assert (record["status"], record["executed"]) == ("running", 1), "what stands is said"
        assert "The 1 before it stand" in error.message
        client.done("RunMigrationScript", script("1", text.replace("nonsense", "SELECT 1")))
        client.done("RunMigrationScript", script("1", "DROP TABLE a", direction="down"))
    assert held(target, settings) == before
    assert scripts(client) == {}


def test_a_script_is_ended_in_time(target: Target, settings: Settings, client: Client) -> None:
    target.execute(
        settings,
        "CREATE TABLE n (i integer); INSERT INTO n VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);",
    )
    before = held(target, settings)
    crossed = ", ".join(f"n AS n{at}" for at in range(10))
    summed = " + ".join(f"n{at}.i" for at in range(10))
    started = time.monotonic()
    error = client.refused(
        "RunMigrationScript",
        script("1", f"INSERT INTO n SELECT max({summed}) FROM {crossed}", timeout_seconds=1),
    )
    assert error.code == "deadline_exceeded"
    assert time.monotonic() - started < 20
    assert held(target, settings) == before


@pytest.mark.parametrize("transactional", [True, False])
def test_a_killed_script_is_finished_by_the_next(
    target: Target, settings: Settings, connect: Callable[[Settings], Client], transactional: bool
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    client = connect(settings)
    longest = 0.0
    for number in range(6):
        text = "".join(f"CREATE TABLE t{number}_{at} (id integer);\n" for at in range(25))
        up = script(str(number), text, transactional=transactional)
        if number == 0:
            started = time.monotonic()
            client.done("RunMigrationScript", up)
            longest = time.monotonic() - started
            continue
        process = calls.start(target.provider, settings, "RunMigrationScript", up)
        time.sleep(chance.uniform(0, longest * 1.2))
        process.kill()
        process.communicate()
        answer = (
            client.call("RunMigrationScript", up) if not _stuck(target, client, up) else {"success": True}
        )
        assert answer["success"] is True, f"seed {seed}, round {number}"
        dump = "\n".join(held(target, settings))
        assert all(f"t{number}_{at}" in dump for at in range(25)), f"seed {seed}, round {number}"
        assert scripts(client)[str(number)]["status"] == "applied"


def _stuck(target: Target, client: Client, up: dict[str, Any]) -> bool:
    """Whether the statement under way had been done but not noted; then a person decides, here by taking it out.

    Only without transactions, or where structure commits by itself: the note of a statement comes after it.
    """
    from kolumn.contract.errors import KolumnError

    try:
        client.call("RunMigrationScript", up)
    except KolumnError as error:
        assert not (up["transactional"] and target.transactional), error
        assert "exist" in error.message
        done = scripts(client)[up["version"]]["executed"]
        lines = up["script"].splitlines()
        lines[done] = "SELECT 1;"
        client.done("RunMigrationScript", {**up, "script": "\n".join(lines)})
        return True
    return False


def test_what_is_noted_is_kept_out_of_sight(
    target: Target, settings: Settings, client: Client, tmp_path: Path
) -> None:
    client.done("RunMigrationScript", script("1", "CREATE TABLE a (id integer)"))
    found = client.done("DiscoverResources", {"resource_type": ""})["resources"]
    assert [each["name"] for each in found if "kolumn" in each["name"]] == []
