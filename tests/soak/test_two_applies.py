"""Two applies at once: one waits, or fails and says who holds the lock."""

from __future__ import annotations

import os
import pty
import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests import command, dumps

CONFIGURATION = """
provider "sqlite" {
  path = "%s"
}

create "sqlite_table" "%s" {
  column "id" {
    type        = "INTEGER"
    primary_key = true
  }
  column "text" {
    type = "TEXT"
  }
}

create "sqlite_index" "%s_text" {
  table   = sqlite_table.%s
  columns = ["text"]
}
"""


def project(folder: Path, database: str, table: str) -> Path:
    folder.mkdir()
    (folder / "main.kl").write_text(CONFIGURATION % (database, table, table, table))
    return folder


class Asking:
    """An apply that asks for approval, and holds the project's lock while it waits for the answer."""

    def __init__(self, folder: Path) -> None:
        self.keyboard, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [str(command.executable()), "apply"],
            cwd=folder,
            env=command.environment(),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self.said = ""
        while "yes" not in self.said:
            self.said += os.read(self.keyboard, 4096).decode()

    def answer(self, text: str) -> int:
        os.write(self.keyboard, f"{text}\n".encode())
        return self.process.wait(30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "project", "shop.db", "thing")


def test_the_second_fails_and_names_the_holder(folder: Path) -> None:
    first = Asking(folder)
    second = command.run(folder, "apply", "--auto-approve")
    assert second.returncode == 1
    assert str(first.process.pid) in second.stderr
    assert "--lock-timeout" in second.stderr
    assert "Traceback" not in second.stderr
    assert not (folder / "shop.db").exists() or dumps.schema(folder / "shop.db") == []
    assert first.answer("yes") == 0
    command.done(folder, "plan", "--detailed-exitcode")
    assert first.process.returncode == 0


def test_the_second_waits_as_long_as_it_is_told(folder: Path) -> None:
    first = Asking(folder)
    started = time.monotonic()
    impatient = command.run(folder, "apply", "--auto-approve", "--lock-timeout", "1")
    assert impatient.returncode == 1
    assert time.monotonic() - started >= 1
    patient = command.start(folder, "apply", "--auto-approve", "--lock-timeout", "60")
    time.sleep(0.5)
    assert patient.poll() is None
    assert first.answer("yes") == 0
    output, errors = patient.communicate(timeout=60)
    assert patient.returncode == 0, output + errors
    assert command.run(folder, "plan", "--detailed-exitcode").returncode == 0


def test_who_says_no_leaves_no_lock(folder: Path) -> None:
    first = Asking(folder)
    assert first.answer("no") != 0
    command.done(folder, "apply", "--auto-approve")


def test_a_killed_holder_holds_nothing(folder: Path) -> None:
    first = Asking(folder)
    first.process.kill()
    first.process.wait()
    command.done(folder, "apply", "--auto-approve")


def test_planning_does_not_wait(folder: Path) -> None:
    first = Asking(folder)
    assert command.run(folder, "plan", "--detailed-exitcode").returncode == 2
    assert first.answer("yes") == 0


def test_many_at_once_end_well(folder: Path, tmp_path: Path) -> None:
    """All of them wait for each other; the first does the work."""
    processes = [command.start(folder, "apply", "--auto-approve", "--lock-timeout", "60") for _ in range(4)]
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ended
    assert command.run(folder, "plan", "--detailed-exitcode").returncode == 0
    assert dumps.sound(folder / "shop.db") == []


def test_two_projects_on_one_database(tmp_path: Path) -> None:
    """Each has a lock of its own; the database's lock keeps them from each other's way."""
    database = tmp_path / "shared.db"
    with closing(sqlite3.connect(database)) as made:
        made.execute("CREATE TABLE old (id INTEGER PRIMARY KEY)")
    folders = [project(tmp_path / f"p{n}", "../shared.db", f"table_{n}") for n in range(3)]
    processes = [command.start(each, "apply", "--auto-approve", "--lock-timeout", "60") for each in folders]
    ended = [process.communicate(timeout=120) for process in processes]
    for process, (output, errors) in zip(processes, ended, strict=True):
        assert process.returncode == 0, output + errors
    for each in folders:
        assert command.run(each, "plan", "--detailed-exitcode").returncode == 0
    facts = dumps.schema(database)
    for name in ("old", "table_0", "table_1", "table_2"):
        assert any(re.match(rf"table {name}: table ", fact) for fact in facts), facts


def test_a_database_that_somebody_writes_to_is_waited_for(folder: Path, tmp_path: Path) -> None:
    command.done(folder, "apply", "--auto-approve")
    text = (folder / "main.kl").read_text()
    (folder / "main.kl").write_text(
        text.replace('"TEXT"\n', '"TEXT"\n    not_null = true\n    default = "\'\'"\n')
    )
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO thing VALUES (1, 'x')")
        process = command.start(folder, "apply", "--auto-approve")
        time.sleep(1)
        writer.execute("COMMIT")
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, output + errors
        writer.execute("BEGIN IMMEDIATE")
        shutil.copy(folder / "main.kl", folder / "main.kl.bak")
        (folder / "main.kl").write_text(text)
        started = time.monotonic()
        refused = command.run(folder, "apply", "--auto-approve", timeout=60)
        assert refused.returncode == 1
        assert time.monotonic() - started < 30
        assert "lock" in refused.stderr.lower()
        assert "Traceback" not in refused.stderr
        writer.execute("ROLLBACK")
    command.done(folder, "apply", "--auto-approve")
    assert dumps.rows(folder / "shop.db", "thing") == [(1, "x")]
