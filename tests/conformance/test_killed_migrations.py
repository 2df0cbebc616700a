"""SIGKILL at any moment of a backup, a migration, a rollback: it goes on, or back, and nothing is lost."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import calls
from tests.client import Client
from tests.command import ONLY_IN_SOAK
from tests.conformance.migrations import LOSING, filled, held, migration, with_vault, without
from tests.targets import Settings, Target

ROWS = 6_000


def killed(
    target: Target, settings: Settings, function: str, request: dict[str, object], after: float
) -> bool:
    """Make a call, kill it after so many seconds, and return whether it was killed half-way."""
    process = calls.start(target.provider, settings, function, request)
    time.sleep(after)
    process.kill()
    process.communicate()
    return process.returncode != 0


def seconds(target: Target, settings: Settings, function: str, request: dict[str, object]) -> float:
    """Make a call in a process of its own; return how long that takes, which connects for the first time."""
    process = calls.start(target.provider, settings, function, request)
    began = time.monotonic()
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    return time.monotonic() - began


def rounds_of(
    target: Target,
    settings: Settings,
    vault: Path,
    connect: Callable[[Settings], Client],
    *,
    rounds: int,
    seed: int,
) -> None:
    chance = random.Random(seed)
    safe = with_vault(settings, vault)
    client = connect(safe)
    config = filled(target, settings, client, ROWS)
    start = held(target, settings)
    ends = {"narrow": without(config, "born"), "gone": {}}
    longest = {}
    for name, after in ends.items():
        there, back = migration(f"first {name}", config, after, **LOSING), migration(f"first {name}", {}, {})
        for function, request in (("ApplyMigration", there), ("RollbackMigration", back)):
            longest[name, function] = 1.1 * seconds(target, safe, function, request)
    assert held(target, settings) == start
    caught = {"ApplyMigration": 0, "RollbackMigration": 0}
    known: set[str] = set()
    for number in range(rounds):
        name = chance.choice(list(ends))
        there = migration(f"{number}", config, ends[name], **LOSING)
        delay = chance.uniform(0, longest[name, "ApplyMigration"])
        caught["ApplyMigration"] += killed(target, safe, "ApplyMigration", there, delay)
        records = {each["migration_id"]: each for each in client.done("ListMigrations")["migrations"]}
        status = records.get(f"{number}", {}).get("status", "nothing")
        where = f"seed {seed}, round {number}, {name}: {status}"
        if status == "nothing":
            assert held(target, settings) == start, where
            continue
        if chance.random() < 0.6:
            client.done("ApplyMigration", there)
            assert held(target, settings) != start, where
            delay = chance.uniform(0, longest[name, "RollbackMigration"])
            back = migration(f"{number}", {}, {})
            caught["RollbackMigration"] += killed(target, safe, "RollbackMigration", back, delay)
        client.done("RollbackMigration", migration(f"{number}", {}, {}))
        assert held(target, settings) == start, where
        for each in client.done("ListBackups")["backups"]:
            if each["name"] not in known:
                whole = not each.get("fault")
                assert whole or each["name"].endswith(".partial"), where
                if whole:
                    client.done("VerifyBackup", {"name": each["name"]})
                known.add(each["name"])
    hit = all(caught.values()) if rounds > 20 else any(caught.values())  # a few rounds may all miss
    assert hit, f"seed {seed}: nothing was killed half-way: {caught}"


def test_a_killed_migration_goes_on_or_back(
    target: Target, settings: Settings, tmp_path: Path, connect: Callable[[Settings], Client]
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    rounds_of(target, settings, tmp_path / "vault", connect, rounds=6, seed=seed)


@pytest.mark.soak
@ONLY_IN_SOAK
def test_two_hundred_killed_migrations(
    target: Target, settings: Settings, tmp_path: Path, connect: Callable[[Settings], Client]
) -> None:
    seed = int(os.environ.get("KOLUMN_SOAK_SEED", random.SystemRandom().randrange(10**6)))
    rounds_of(target, settings, tmp_path / "vault", connect, rounds=200, seed=seed)
