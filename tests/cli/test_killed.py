"""An apply that is killed at any moment: the next plan and apply finish the job and lose nothing."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.command import ONLY_IN_SOAK

from .project import POSTS, USERS, ProjectFolder

NICK = """column "nick" {
    type    = "TEXT"
    default = "'none'"
  }
  column "email" {"""
TABLE = """
create "sqlite_table" "t%d" {
  column "id" {
    type        = "INTEGER"
    primary_key = true
  }
}
"""
VIEW = """
create "sqlite_view" "mails" {
  definition = "SELECT email FROM users"
  depends_on = [sqlite_table.users]
}
"""
SMALL = USERS
LARGE = USERS.replace('column "email" {', NICK) + POSTS + "".join(TABLE % n for n in range(8)) + VIEW
ROWS = 5000


def undocumented(project: ProjectFolder) -> set[str]:
    """Return the objects that are there although the last entry of the trail about them is no creation."""
    noted = project.rows(
        "SELECT resource_name, action FROM kolumn_audit WHERE outcome = 'succeeded' AND resource_name <> '' "
        "ORDER BY entry_number"
    )
    last = dict(noted)
    return {name for name in project.objects() if last.get(name, "delete") == "delete"}


def kill_rounds(project: ProjectFolder, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    project.write(SMALL)
    project.apply()
    project.sql(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
        "INSERT INTO users (id, email) SELECT i, 'mail' || i FROM n"
    )
    started = time.monotonic()
    process = project.start("plan")
    process.communicate()
    assert process.returncode == 0
    longest = (time.monotonic() - started) * 1.6
    killed = 0
    for round_ in range(rounds):
        wanted = (LARGE, SMALL)[round_ % 2]
        project.write(wanted)
        process = project.start("apply", "--auto-approve")
        time.sleep(chance.uniform(longest * 0.2, longest))
        process.kill()
        process.communicate()
        killed += process.returncode != 0

        assert project.rows("PRAGMA integrity_check") == [("ok",)]
        code = project.run("plan", "--detailed-exitcode").code
        assert code in (0, 2)
        project.apply()
        assert project.settled(), f"seed {seed}, round {round_}"
        assert project.rows("PRAGMA integrity_check") == [("ok",)]
        assert project.rows("PRAGMA foreign_key_check") == []
        assert project.rows("SELECT count(*), count(email), sum(id) FROM users") == [
            (ROWS, ROWS, ROWS * (ROWS + 1) // 2)
        ]
        managed = set(project.ok("state", "list").out.split())
        expected = {
            f"{kind}.{name}"
            for kind, name in (
                line.split('"')[1:4:2] for line in wanted.splitlines() if line.startswith("create")
            )
        }
        assert managed == expected
        assert project.objects() == {address.split(".")[1] for address in expected}
        assert project.run("audit", "verify").code == 0, f"seed {seed}, round {round_}"
        assert not undocumented(project), f"seed {seed}, round {round_}"
    assert killed, "no apply was killed: the delays are too long"


def test_a_killed_apply_is_finished_by_the_next(project: ProjectFolder) -> None:
    kill_rounds(project, rounds=8, seed=random.SystemRandom().randrange(10**6))


@pytest.mark.soak
@ONLY_IN_SOAK
def test_two_hundred_killed_applies(project: ProjectFolder) -> None:
    kill_rounds(
        project,
        rounds=200,
        seed=int(os.environ.get("KOLUMN_SOAK_SEED", random.SystemRandom().randrange(10**6))),
    )
