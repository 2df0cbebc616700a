"""Chinook, a music shop, in DuckDB: what is imported makes the same database in an empty file."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from tests import command

_AFTERWARDS = """
CREATE INDEX track_by_name ON Track (Name);
CREATE UNIQUE INDEX one_email ON Customer ((lower(Email)));
CREATE SCHEMA report;
CREATE TYPE report.mood AS ENUM ('loud', 'quiet');
CREATE SEQUENCE report.numbers START WITH 5 INCREMENT BY 5;
CREATE TABLE report.played (
  id INTEGER PRIMARY KEY DEFAULT nextval('report.numbers'),
  track STRUCT("name" VARCHAR, lengths INTEGER[3], tags MAP(VARCHAR, VARCHAR[])),
  mood report.mood DEFAULT 'loud',
  seconds DECIMAL(10,1) CHECK (seconds > 0),
  minutes DOUBLE GENERATED ALWAYS AS (seconds / 60),
  title VARCHAR COLLATE nocase UNIQUE
);
CREATE VIEW report.sales AS SELECT c.Country, sum(i.Total) AS total FROM Invoice i JOIN Customer c USING (CustomerId) GROUP BY ALL;
CREATE MACRO report.seconds(milliseconds, digits := 1) AS round(milliseconds / 1000, digits);
CREATE MACRO report.longest(n) AS TABLE SELECT Name, report.seconds(Milliseconds) AS s FROM Track ORDER BY s DESC LIMIT n;
COMMENT ON TABLE report.played IS 'What was heard';
"""


def load(script: str, file: Path, *, most: int | None = None) -> None:
    """Make the database of a SQLite script in DuckDB, with at most `most` rows of each table.

    Without some of its rows it is without the foreign key of a table to itself as well: EXPORT DATABASE refuses that.
    """
    with closing(sqlite3.connect(":memory:")) as source, duckdb.connect(str(file)) as database:
        source.executescript(f"BEGIN;{script}COMMIT;")
        tables = dict(source.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall())
        waiting = sorted(tables)
        while waiting:
            name = next(
                each
                for each in waiting
                if not {row[2] for row in source.execute(f'PRAGMA foreign_key_list("{each}")')}
                & set(waiting) - {each}
            )
            waiting.remove(name)
            sql, at_once = tables[name], 400
            if name == "Employee":
                at_once = 1  # each row after the one it refers to
                if most is not None:
                    sql = re.sub(
                        r",\s*FOREIGN KEY \(\[ReportsTo\]\)[^,]*?NO ACTION ON UPDATE NO ACTION", "", sql
                    )
            database.execute(re.sub(r"\[([^]]*)\]", r'"\1"', sql).replace("NVARCHAR", "VARCHAR"))
            rows = source.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()[:most]
            for start in range(0, len(rows), at_once):
                some = rows[start : start + at_once]
                values = ", ".join([f"({', '.join('?' * len(some[0]))})"] * len(some))
                database.execute(
                    f'INSERT INTO "{name}" VALUES {values}', [value for row in some for value in row]
                )
        database.execute(_AFTERWARDS)


def exported(file: Path, folder: Path) -> list[str]:
    """Return the schema as DuckDB itself exports it, one line per object, but for Kolumn's own tables."""
    with duckdb.connect(str(file)) as database:
        database.execute("DROP SCHEMA IF EXISTS kolumn CASCADE")
        database.execute(f"EXPORT DATABASE '{folder}'")
    lines = (folder / "schema.sql").read_text().splitlines()
    return sorted(map(_in_order, filter(None, lines)))


def _in_order(line: str) -> str:
    """Return a line with its foreign keys sorted: their order says nothing."""
    head, *keys = line.removesuffix(");").split(", FOREIGN KEY")
    return ", FOREIGN KEY".join([head, *sorted(keys)])


@pytest.fixture
def shop(peers: Path, tmp_path: Path) -> Path:
    script = (peers / "databases/sqlite/chinook.sql").read_text(encoding="utf-8-sig")
    load(
        re.sub(r"(?m)^INSERT INTO \[(PlaylistTrack|InvoiceLine)\].*?;$", "", script, flags=re.DOTALL),
        tmp_path / "shop.duckdb",
        most=400,
    )
    return tmp_path


def test_what_is_imported_makes_the_same_database(shop: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (shop / "shop.duckdb").rename(project / "shop.duckdb")
    command.done(project, "import", "duckdb", "--url", "duckdb:///shop.duckdb", "--out", ".")
    for file in project.glob("*.kl"):
        block = 'provider "duckdb" {\n  path = "shop.duckdb"\n}\n'
        file.write_text(re.sub(r'provider "duckdb" \{[^}]*\}\n', block, file.read_text()))
    text = "\n".join(file.read_text() for file in project.glob("*.kl"))
    assert "duckdb_table" in text
    assert 'default = "1"' in text
    answer = command.done(project, "plan")
    assert "0 to create, 0 to change, 0 to delete" in answer
    (project / "shop.duckdb").rename(tmp_path / "original.duckdb")
    for state in project.glob("*.state*"):
        state.unlink()
    for state in (project / ".kolumn").glob("**/*.json"):
        state.unlink()
    command.done(project, "apply", "--auto-approve")
    again = command.done(project, "plan", "--json")
    assert '"changes": false' in again
    assert exported(project / "shop.duckdb", tmp_path / "made") == exported(
        tmp_path / "original.duckdb", tmp_path / "wanted"
    )
