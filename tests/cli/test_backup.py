"""`kolumn backup`: what a migration saved, listed, verified and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolumn.host.providers import load
from tests.cli.databases import Place, place
from tests.client import Client
from tests.targets import TARGETS


@pytest.fixture(params=sorted(TARGETS))
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if reason := TARGETS[request.param].skip():
        pytest.skip(reason)
    with place(request.param, tmp_path) as found:
        yield found


def lost(here: Place) -> str:
    """Apply a table with rows and drop it by a migration that saves them; return the backup's name."""
    here.write("users id email")
    here.project.apply()
    here.sql("INSERT INTO users (id, email) VALUES (1, 'a'), (2, 'b'), (3, NULL);")
    vault = here.project.folder / ".kolumn" / "backups"
    with Client(load(here.target.provider)).configure({**here.settings, "backup_dir": str(vault)}) as client:
        config = client.done("ReadResource", {"resource_type": "table", "name": "users"})["state"]
        done = client.done(
            "ApplyMigration",
            {
                "migration_id": "m",
                "resource_type": "table",
                "resource_name": "users",
                "from_state": config,
                "to_state": {},
                "options": {"allow_data_loss": True, "backup_before_migration": True},
            },
        )
    return Path(done["backup_path"]).name


def test_list_verify_restore(here: Place) -> None:
    name = lost(here)
    assert name in here.project.ok("backup", "list").out
    (listed,) = here.project.ok("backup", "list", "--json").document["backups"]
    assert (listed["name"], listed["rows"], listed["provider"]) == (name, 3, here.target.provider)
    assert "1 of 1 backups are whole" in here.project.ok("backup", "verify").out
    assert "3 rows would be put back" in here.project.ok("backup", "restore", name, "--dry-run").out
    assert "3 of 3 rows are back" in here.project.ok("backup", "restore", name).out
    here.project.apply()
    assert here.project.settled()
    ran = here.project.run("backup", "restore", name)
    assert ran.code == 1
    assert "has 3 rows" in ran.err


def test_a_damaged_one_is_told(here: Place) -> None:
    name = lost(here)
    path = here.project.folder / ".kolumn" / "backups" / name
    said = json.loads((path / "manifest.json").read_text())
    (path / said["parts"][0]["file"]).write_bytes(b"")
    before = here.dump()
    ran = here.project.run("backup", "verify")
    assert ran.code == 1
    assert "0 of 1 backups are whole" in ran.out
    ran = here.project.run("backup", "restore", name, "--json")
    assert ran.code == 1
    assert "damaged" in ran.out + ran.err
    assert here.dump() == before


def test_the_folder_can_be_elsewhere(here: Place, tmp_path: Path) -> None:
    lost(here)
    ran = here.project.ok("backup", "list", environment={"KOLUMN_BACKUP_DIR": str(tmp_path / "elsewhere")})
    assert f"There is no backup in {tmp_path / 'elsewhere'}" in ran.out


def test_apply_saves_what_it_destroys(here: Place) -> None:
    here.write("users id email", "posts id title")
    here.project.apply()
    here.sql("INSERT INTO users (id, email) VALUES (1, 'a'); INSERT INTO posts (id, title) VALUES (1, 'b');")
    here.write("users id")
    ran = here.project.apply("--backup")
    assert "What was destroyed is saved in" in ran.out
    backups = here.project.ok("backup", "list", "--json").document["backups"]
    assert {each["parts"][0]["name"] for each in backups} == {"users", "posts"}
    for each in backups:
        here.project.ok("backup", "restore", each["name"])
    here.write("users id email", "posts id title")
    here.project.apply()
    assert here.project.settled()
    here.project.apply("--backup")
