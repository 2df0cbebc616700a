"""Schema changes from other projects: import, apply, and an independent dump decides (see evolve.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import command

HERE = Path(__file__).parent


def evolve(peers: Path, report: Path, *cases: Path, more: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Run evolve.py with the command under test and return what it found, one entry per case and way."""
    ended = subprocess.run(
        [
            *(sys.executable, str(peers / "evolve.py"), "--dialect", "sqlite", "--report", str(report)),
            *(*more, "--tool", str(command.executable()), "--cases", *map(str, cases)),
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


@pytest.mark.soak
def test_every_case_comes_out_the_same(peers: Path, tmp_path: Path) -> None:
    """By the command; all in a soak run, else a third: test_crossed.py has them all without processes."""
    sample = () if command.SOAK else ("--sample", "3")
    cases = (peers / "databases" / "sqlite", peers / "sqldef" / "sqlite.yml")
    found = evolve(peers, tmp_path / "report.json", *cases, more=sample)
    assert not wrong(found), wrong(found)
    assert sum(each["verdict"] == "same" for each in found) >= (30 if command.SOAK else 8)


@pytest.mark.skipif(
    not command.SOAK, reason="the same cases without processes are in test_crossed.py; `make soak` runs these"
)
def test_cases_of_our_own(peers: Path, tmp_path: Path) -> None:
    """What SQLite can do and the others' cases leave out; none of them may be unusable."""
    found = evolve(peers, tmp_path / "report.json", HERE / "sqlite_features.yml")
    assert not wrong(found), wrong(found)
    assert {each["verdict"] for each in found} == {"same"}
