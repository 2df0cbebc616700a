"""Schema changes from other projects: import, apply, and an independent dump decides (see evolve.py itself)."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import command

HERE = Path(__file__).parent
PAIRS = 150 if os.environ.get("KOLUMN_SOAK") else 16


def evolve(peers: Path, report: Path, *cases: Path) -> list[dict[str, Any]]:
    """Run evolve.py with the command under test and return what it found, one entry per case and way."""
    ended = subprocess.run(
        [
            *(sys.executable, str(peers / "evolve.py"), "--dialect", "sqlite", "--report", str(report)),
            *("--tool", str(command.executable()), "--cases", *map(str, cases)),
        ],
        env=command.environment(),
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert report.exists(), ended.stderr
    found: list[dict[str, Any]] = json.loads(report.read_text())
    assert found
    print(ended.stdout.strip())
    return found


def wrong(found: list[dict[str, Any]]) -> str:
    """Return in words every case that did not come out the same."""
    return "\n\n".join(
        f"{each['verdict']} {each['case']}: {each['detail']}"
        for each in found
        if each["verdict"] not in ("same", "unusable")
    )


def test_every_case_comes_out_the_same(peers: Path, tmp_path: Path) -> None:
    found = evolve(peers, tmp_path / "report.json", peers / "databases" / "sqlite", peers / "sqldef" / "sqlite.yml")
    assert not wrong(found), wrong(found)
    assert sum(each["verdict"] == "same" for each in found) >= 30


def test_cases_of_our_own(peers: Path, tmp_path: Path) -> None:
    """What SQLite can do and the others' cases leave out; none of them may be unusable."""
    found = evolve(peers, tmp_path / "report.json", HERE / "sqlite_features.yml")
    assert not wrong(found), wrong(found)
    assert {each["verdict"] for each in found} == {"same"}


def test_any_schema_becomes_any_other(peers: Path, tmp_path: Path) -> None:
    """The same schemas crossed: from each to others that have nothing to do with it."""
    import yaml

    schemas: list[str] = []
    for file in (peers / "sqldef" / "sqlite.yml", HERE / "sqlite_features.yml"):
        for case in yaml.safe_load(file.read_text()).values():
            if not (case.get("error") or case.get("offline")):
                schemas += filter(None, [case.get("current"), case.get("desired")])
    pairs = random.Random(4).sample(list(itertools.permutations(range(len(schemas)), 2)), PAIRS)
    crossed = {
        f"{before} to {after}": {"current": schemas[before], "desired": schemas[after]} for before, after in pairs
    }
    (tmp_path / "crossed.yml").write_text(yaml.safe_dump(crossed))
    found = evolve(peers, tmp_path / "report.json", tmp_path / "crossed.yml")
    assert not wrong(found), wrong(found)
