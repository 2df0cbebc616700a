"""Somebody else's database with all its rows, taken into configuration and changed: Chinook, a music shop."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import command, dumps

WRITTEN_BY = """
  column "WrittenBy" {
    type         = "TEXT"
    default      = "'unknown'"
    renamed_from = "Composer"
  }
"""
MILLISECONDS = """
  column "Milliseconds" {
    type     = "BIGINT"
    not_null = true
    check    = "Milliseconds > 0"
  }
"""
RATING = """

  column "Rating" {
    type     = "INTEGER"
    not_null = true
    default  = 3
    check    = "Rating BETWEEN 1 AND 5"
  }
}
"""


@pytest.fixture(scope="module")
def chinook(peers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `chinook.db`, all rows in it, and its configuration, under management."""
    folder = tmp_path_factory.mktemp("chinook")
    with closing(sqlite3.connect(folder / "chinook.db")) as database:
        database.executescript(
            "BEGIN;" + (peers / "databases/sqlite/chinook.sql").read_text(encoding="utf-8-sig") + "COMMIT;"
        )
    command.done(folder, "import", "sqlite", "--url", "sqlite:///chinook.db", "--out", ".")
    for file in folder.glob("*.kl"):
        text = file.read_text()
        if 'provider "sqlite"' in text:
            block = 'provider "sqlite" {\n  path         = "chinook.db"\n  safe_destroy = false\n}\n'
            file.write_text(re.sub(r'provider "sqlite" \{[^}]*\}\n', block, text))
    command.done(folder, "apply", "--auto-approve")
    return folder


@pytest.fixture
def project(chinook: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(chinook, folder)
    return folder


def edit(folder: Path, table: str, *changes: tuple[str, str]) -> None:
    """Replace text, by pattern, inside the block of one table."""
    for file in folder.glob("*.kl"):
        text = file.read_text()
        found = re.search(rf'create "sqlite_table" "(?i:{table})" \{{\n.*?\n\}}\n', text, re.DOTALL)
        if found is None:
            continue
        block = found[0]
        for pattern, replacement in changes:
            block, count = re.subn(pattern, replacement, block, count=1, flags=re.DOTALL)
            assert count == 1, f"{pattern} is not in\n{block}"
        file.write_text(text.replace(found[0], block))
        return
    raise AssertionError(f"no table {table} in {folder}")


def column(name: str) -> str:
    """Return a pattern for a whole column block."""
    return rf'\n  column "{name}" \{{\n.*?\n  \}}\n'


def test_import_writes_what_is_formatted_and_changes_nothing(
    chinook: Path, peers: Path, tmp_path: Path
) -> None:
    command.done(chinook, "fmt", "--check")
    assert command.run(chinook, "plan", "--detailed-exitcode").returncode == 0
    with closing(sqlite3.connect(tmp_path / "untouched.db")) as database:
        database.executescript(
            "BEGIN;" + (peers / "databases/sqlite/chinook.sql").read_text(encoding="utf-8-sig") + "COMMIT;"
        )
    assert dumps.schema(chinook / "chinook.db", ordered=True) == dumps.schema(
        tmp_path / "untouched.db", ordered=True
    )
    assert dumps.checksums(chinook / "chinook.db") == dumps.checksums(tmp_path / "untouched.db")
    assert sum(count for count, _ in dumps.checksums(chinook / "chinook.db").values()) > 15_000


def test_an_empty_file_gets_the_same_schema(project: Path) -> None:
    wanted = dumps.schema(project / "chinook.db", ordered=True)
    (project / "chinook.db").unlink()
    shutil.rmtree(project / ".kolumn")
    command.done(project, "apply", "--auto-approve")
    assert dumps.schema(project / "chinook.db", ordered=True) == wanted
    assert command.run(project, "plan", "--detailed-exitcode").returncode == 0


def test_what_import_writes_reimports_to_the_same(project: Path) -> None:
    (project / "again").mkdir()
    (project / "chinook2.db").touch()
    for file in project.glob("*.kl"):
        (project / "again" / file.name).write_text(file.read_text().replace("chinook.db", "../chinook2.db"))
    command.done(project / "again", "apply", "--auto-approve")
    command.done(project, "import", "sqlite", "--url", "sqlite:///chinook2.db", "--out", "second")
    command.done(project, "import", "sqlite", "--url", "sqlite:///chinook.db", "--out", "first")
    for file in (project / "first").glob("*.kl"):
        assert file.read_text() == (project / "second" / file.name).read_text()


def test_columns_added_altered_dropped_and_renamed_under_data(project: Path) -> None:
    file = project / "chinook.db"
    before = dumps.checksums(file)
    tracks = dumps.rows(
        file, "Track", ["TrackId", "Name", "AlbumId", "Milliseconds", "UnitPrice", "Composer"]
    )
    invoices = dumps.rows(file, "Invoice", ["InvoiceId", "CustomerId", "InvoiceDate", "Total", "BillingCity"])
    names = dumps.rows(file, "Artist", ["ArtistId", "Name"])
    edit(
        project,
        "Track",
        (column("Bytes"), "\n"),
        (column("Composer"), WRITTEN_BY),
        (column("Milliseconds"), MILLISECONDS),
        (r"\n\}\n$", RATING),
    )
    edit(
        project,
        "Invoice",
        (r'  column "BillingCity" \{', "\\g<0>\n    not_null = true\n    default = \"'?'\""),
    )
    edit(project, "Artist", (r'  column "Name" \{', '\\g<0>\n    collation = "NOCASE"'))
    edit(project, "Genre", (r"^create [^\n]*\n", '\\g<0>  comment = "what it sounds like"\n'))
    planned = command.document(project, "plan")["plan"]
    risks = [
        risk["message"]
        for each in planned["resources"]
        for step in each["steps"]
        for risk in step["risks"]
        if risk["kind"] == "data_loss"
    ]
    assert len(risks) == 1
    assert "Bytes" in risks[0]
    command.done(project, "apply", "--auto-approve")
    assert command.run(project, "plan", "--detailed-exitcode").returncode == 0
    assert dumps.sound(file) == []
    after = dumps.checksums(file)
    assert {table: count for table, (count, _) in after.items()} == {
        table: count for table, (count, _) in before.items()
    }
    assert {table for table in after if after[table] != before[table]} == {"track"}
    assert (
        dumps.rows(file, "Track", ["TrackId", "Name", "AlbumId", "Milliseconds", "UnitPrice", "WrittenBy"])
        == tracks
    )
    assert dumps.rows(file, "Track", ["Rating"]) == [(3,)] * len(tracks)
    assert (
        dumps.rows(file, "Invoice", ["InvoiceId", "CustomerId", "InvoiceDate", "Total", "BillingCity"])
        == invoices
    )
    assert dumps.rows(file, "Artist", ["ArtistId", "Name"]) == names
    with closing(sqlite3.connect(file)) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE Track SET Rating = 9")


def test_a_change_the_data_does_not_allow_changes_nothing(project: Path) -> None:
    file = project / "chinook.db"
    before, schema = dumps.checksums(file), dumps.schema(file, ordered=True)
    edit(project, "Track", (r'\n  column "Composer" \{\n', '\n  column "Composer" {\n    not_null = true\n'))
    edit(project, "Artist", (r'\n  column "Name" \{\n', '\n  column "Name" {\n    collation = "NOCASE"\n'))
    ended = command.run(project, "apply", "--auto-approve")
    assert ended.returncode == 1
    assert "Composer" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert (dumps.checksums(file), dumps.schema(file, ordered=True)) == (before, schema)


def test_safe_destroy_keeps_what_a_mistake_would_drop(project: Path) -> None:
    file = project / "chinook.db"

    def look() -> object:
        with closing(sqlite3.connect(file)) as database:
            return database.execute("SELECT TrackId, Name, Bytes FROM Track ORDER BY 1").fetchall()

    before, schema = look(), dumps.schema(file)
    for each in project.glob("*.kl"):
        each.write_text(each.read_text().replace("safe_destroy = false", "safe_destroy = true "))
    edit(project, "Track", (column("Bytes"), "\n"))
    command.done(project, "apply", "--auto-approve")
    assert dumps.schema(file) != schema
    command.done(project, "quarantine", "restore", "sqlite_column.Track.Bytes")
    assert (look(), dumps.schema(file)) == (before, schema)
