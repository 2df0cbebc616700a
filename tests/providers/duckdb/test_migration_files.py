"""What is written as files of SQL runs from them: also where a table refers to itself, whose rows come back in order."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests import command

PROJECT = """
provider "duckdb" {
  path = "${path.module}/x.duckdb"
}
create "duckdb_sequence" "numbers" {}
create "duckdb_table" "part" {
  column "id" {
    type        = "INTEGER"
    primary_key = true
    default     = "nextval('numbers')"
  }
  column "whole" {
    type       = "INTEGER"
    references = "part(id)"
  }
}
"""
CHECK = '    references = "part(id)"\n    check = "whole > 0"\n'
ROWS = [(1, None), (2, 1), (3, 1), (4, 2)]


def test_files_run_and_go_back(tmp_path: Path) -> None:
    def rows() -> list[tuple[int | None, ...]]:
        with duckdb.connect(str(tmp_path / "x.duckdb")) as database:
            return database.execute("FROM part ORDER BY id").fetchall()

    (tmp_path / "main.kl").write_text(PROJECT)
    command.done(tmp_path, "migrate", "new", "first")
    command.done(tmp_path, "migrate", "apply")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as database:
        for _, whole in ROWS:
            database.execute("INSERT INTO part (whole) VALUES (?)", [whole])
    changed = PROJECT.replace('    references = "part(id)"\n', CHECK).replace(
        '"numbers" {}', '"numbers" {\n  increment = 10\n}'
    )
    (tmp_path / "main.kl").write_text(changed)
    command.done(tmp_path, "migrate", "new", "second")
    command.done(tmp_path, "migrate", "apply")
    assert rows() == ROWS
    assert "No changes" in command.done(tmp_path, "plan")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as database:
        assert database.execute("INSERT INTO part (whole) VALUES (4) RETURNING id").fetchone() == (14,)
        database.execute("DELETE FROM part WHERE id = 14")
    command.done(tmp_path, "migrate", "rollback", "--steps", "1")
    assert rows() == ROWS
    (tmp_path / "main.kl").write_text(PROJECT)
    assert "No changes" in command.done(tmp_path, "plan")


def test_a_script_may_return_what_python_has_no_value_for(tmp_path: Path) -> None:
    (tmp_path / "main.kl").write_text(PROJECT)
    (tmp_path / "migrations").mkdir()
    script = (
        "CREATE TABLE noted (id INTEGER, at_ TIMESTAMPTZ DEFAULT now());\n"
        "INSERT INTO noted (id) VALUES (1) RETURNING *;\nSELECT now();\n"
    )
    (tmp_path / "migrations/000001_noted.up.sql").write_text(script)
    command.done(tmp_path, "migrate", "hash")
    command.done(tmp_path, "migrate", "apply")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as database:
        assert database.execute("SELECT id FROM noted").fetchall() == [(1,)]
