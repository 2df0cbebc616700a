"""The schemas of all cases, ours and of other projects, changed into others they have nothing to do with.

What `evolve.py` does through the command is done here through the contract, in one process: discover the
desired database, apply what was discovered to the current one, and compare independent dumps.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from kolumn.host.providers import load
from tests import command, dumps
from tests.client import Client

PAIRS = 3000 if command.SOAK else 60
HERE = Path(__file__).parent


def cases(peers: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for file in (peers / "sqldef" / "sqlite.yml", HERE / "sqlite_features.yml"):
        for name, case in yaml.safe_load(file.read_text()).items():
            if not (case.get("error") or case.get("offline")):
                found[f"{file.stem}:{name}"] = case
    return found


class Evolution:
    """Two databases, and Kolumn making the first like the second."""

    def __init__(self, folder: Path) -> None:
        self.current, self.desired = folder / "current.db", folder / "desired.db"
        for file in (self.current, self.desired):
            file.unlink(missing_ok=True)

    def load(self, file: Path, script: str) -> None:
        with closing(sqlite3.connect(file)) as database:
            database.executescript(script)

    def run(self) -> None:
        """Change `current`; it must then be like `desired`, with nothing left to do and a way back."""
        first = dumps.schema(self.current)
        with Client(load("sqlite")).configure({"path": str(self.desired)}) as source:
            wanted = source.done("DiscoverResources", {"resource_type": ""})["resources"]
        with Client(load("sqlite")).configure({"path": str(self.current), "safe_destroy": False}) as client:
            there = client.done("DiscoverResources", {"resource_type": ""})["resources"]
            kept = {(each["type"], each["name"]) for each in wanted}
            request = [entry(each, "create") for each in wanted]
            request += [entry(each, "delete") for each in there if (each["type"], each["name"]) not in kept]
            steps = client.plan(*request, detail=True).get("steps", [])
            client.apply(*request)
            assert dumps.schema(self.current) == dumps.schema(self.desired)
            again = client.plan(*request, detail=True)
            assert again["execution_order"] == [], again["steps"]
        with closing(sqlite3.connect(self.current, isolation_level=None)) as database:
            database.execute("PRAGMA foreign_keys=OFF")
            database.execute("BEGIN")
            for step in reversed(steps):
                for statement in step.get("undo", ()):
                    database.execute(statement)
            database.execute("COMMIT")
        assert dumps.schema(self.current) == first


def entry(resource: dict[str, Any], action: str) -> dict[str, Any]:
    return {
        "resource_type": resource["type"],
        "name": resource["name"],
        "config": resource["config"] if action == "create" else {},
        "action": action,
    }


FEATURES = sorted(yaml.safe_load((HERE / "sqlite_features.yml").read_text()))


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("name", FEATURES)
def test_cases_of_our_own(name: str, way: str, tmp_path: Path) -> None:
    case = yaml.safe_load((HERE / "sqlite_features.yml").read_text())[name]
    scripts = [case.get("current") or "", case["desired"]]
    evolution = Evolution(tmp_path)
    for file, script in zip(
        (evolution.current, evolution.desired), scripts[:: 1 if way == "up" else -1], strict=True
    ):
        evolution.load(file, script)
    evolution.run()


@pytest.mark.soak
def test_any_schema_becomes_any_other(peers: Path, tmp_path: Path) -> None:
    schemas = [
        (f"{name} {key}", case[key])
        for name, case in cases(peers).items()
        for key in ("current", "desired")
        if case.get(key)
    ]
    schemas += [
        (each.stem, each.read_text(encoding="utf-8-sig"))
        for each in (peers / "databases/sqlite").glob("sakila.sql")
    ]
    pairs = list(itertools.permutations(schemas, 2))
    wrong = []
    for (before, old), (after, new) in random.Random(4).sample(pairs, min(PAIRS, len(pairs))):
        evolution = Evolution(tmp_path)
        evolution.load(evolution.current, old)
        evolution.load(evolution.desired, new)
        try:
            evolution.run()
        except Exception as error:  # noqa: BLE001 - all that go wrong are wanted, not the first
            wrong.append(f"{before} -> {after}: {type(error).__name__}: {str(error)[:600]}")
    assert not wrong, f"{len(wrong)} of {PAIRS}\n" + "\n\n".join(wrong)
