"""Whole databases dropped with a backup and put back, table by table and row by row, by the command."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from tests import command, dumps
from tests.peers.test_postgres_databases import load, statements
from tests.servers import postgres

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


def rows(url: str) -> dict[str, tuple[int, str]]:
    """Return number and checksum of the rows of each table itself, and where each sequence stands."""
    found = {}
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT c.oid::regclass::text, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE relkind IN ('r', 'S') AND nspname NOT LIKE 'pg\\_%' AND nspname NOT IN "
            "('information_schema', 'kolumn')"
        ).fetchall()
        for name, kind in tables:
            text = f"SELECT last_value, is_called::text FROM {name}"
            if kind == "r":
                checksum = "md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"))"
                text = f"SELECT count(*), coalesce({checksum}, '') FROM ONLY {name} t"
            found[name] = connection.execute(text.encode()).fetchone() or (0, "")
    return found


def test_chinook_on_postgres_comes_back(peers: Path, tmp_path: Path) -> None:
    server = postgres.server(max(postgres.versions()))
    script = (peers / "databases" / "postgres" / "chinook.sql").read_text()
    with server.database() as url:
        load(server, url, script)
        before = statements(server, url), rows(url)
        assert sum(count for count, _ in before[1].values()) > 1000
        variables = {"KOLUMN_POSTGRES_URL": url, "KOLUMN_SAFE_DESTROY": "false"}
        command.done(tmp_path, "import", "postgres", "--out", "schema", variables=variables)
        project = tmp_path / "schema"
        command.done(project, "apply", "--auto-approve", variables=variables)
        command.done(project, "destroy", "--auto-approve", "--backup", variables=variables)
        assert not sum(count for count, _ in rows(url).values())
        command.done(project, "apply", "--auto-approve", variables=variables)
        backups = command.document(project, "backup", "list", variables=variables)["backups"]
        command.done(project, "backup", "restore", *(each["name"] for each in backups), variables=variables)
        after = statements(server, url), rows(url)
        assert after[1] == before[1]
        assert [each for each in after[0] if "kolumn" not in each] == before[0]
