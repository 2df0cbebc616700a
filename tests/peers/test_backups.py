"""Chinook dropped with a backup and put back, table by table and row by row, by the command."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests import command, dumps

UNSAFE = {"KOLUMN_SQLITE_URL": "sqlite:///chinook.db", "KOLUMN_SAFE_DESTROY": "false"}


def test_chinook_comes_back(peers: Path, tmp_path: Path) -> None:
    file = tmp_path / "chinook.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            "BEGIN;" + (peers / "databases/sqlite/chinook.sql").read_text(encoding="utf-8-sig") + "COMMIT;"
        )
    before = dumps.checksums(file), dumps.schema(file)
    command.done(tmp_path, "import", "sqlite", "--out", "schema", variables=UNSAFE)
    project = tmp_path / "schema"
    variables = {**UNSAFE, "KOLUMN_SQLITE_URL": f"sqlite:///{file}"}
    command.done(project, "apply", "--auto-approve", variables=variables)
    command.done(project, "destroy", "--auto-approve", "--backup", variables=variables)
    assert not [name for name in dumps.checksums(file) if not name.startswith("kolumn")]
    backups = command.document(project, "backup", "list", variables=variables)["backups"]
    command.done(project, "backup", "restore", *(each["name"] for each in backups), variables=variables)
    command.done(project, "apply", "--auto-approve", variables=variables)
    after = dumps.checksums(file), dumps.schema(file)
    assert {name: each for name, each in after[0].items() if not name.startswith("kolumn")} == before[0]
    assert [line for line in after[1] if "kolumn" not in line] == before[1]
