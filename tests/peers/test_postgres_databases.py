"""Real databases of other projects on PostgreSQL: imported, made again elsewhere, destroyed, evolved."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import command
from tests.servers import postgres

_OWN_DATABASE = re.compile(r"(?im)^\s*((drop|create) database\b.*|\\c .*)$")


@pytest.fixture(scope="module", params=postgres.versions(), ids=lambda version: f"pg{version}")
def server(request: pytest.FixtureRequest) -> postgres.Server:
    """A running server."""
    return postgres.server(request.param)


def statements(server: postgres.Server, url: str) -> list[str]:
    """Return what pg_dump says of the schema, statement by statement; the order of grants says nothing.

    What Kolumn notes for itself is left out.
    """
    text = server.programs.run("pg_dump", "--schema-only", "--exclude-schema=kolumn", url)
    kept = [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
    return sorted(("\n".join(kept) + "\n").split(";\n"))


def load(server: postgres.Server, url: str, script: str) -> str:
    """Run a script and return what the server refused."""
    ended = subprocess.run(
        [server.bin / "psql", "-qX", url],
        input=_OWN_DATABASE.sub("", script),
        env=os.environ | dict(server.programs.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return "\n".join(line for line in ended.stderr.splitlines() if "ERROR" in line)


@pytest.mark.parametrize("name", ["chinook", "sakila", "pagila"])
def test_a_database_made_again_from_its_import(
    server: postgres.Server, peers: Path, tmp_path: Path, name: str
) -> None:
    if name == "pagila" and server.version < 18:
        pytest.skip("Pagila needs PostgreSQL 18")
    script = (peers / "databases" / "postgres" / f"{name}.sql").read_text()
    folder = tmp_path / name
    with server.database() as there, server.database() as here:
        refused = load(server, there, script)
        assert not refused or name == "pagila", refused  # Pagila wants the extension vector
        empty, wanted = statements(server, here), statements(server, there)
        assert len(wanted) > len(empty)
        original = {"KOLUMN_POSTGRES_URL": there}
        copy = {"KOLUMN_POSTGRES_URL": here, "KOLUMN_SAFE_DESTROY": "false"}
        command.done(tmp_path, "import", "postgres", "--out", str(folder), variables=original)
        plan = command.document(folder, "plan", variables=original)["plan"]
        assert {each["action"] for each in plan["resources"]} == {"adopt"}
        assert statements(server, there) == wanted, "import and plan change nothing"
        command.done(folder, "apply", "--auto-approve", variables=copy)
        assert statements(server, here) == wanted
        again = command.run(folder, "plan", "--detailed-exitcode", variables=copy)
        assert again.returncode == 0, again.stdout
        command.done(folder, "destroy", "--auto-approve", variables=copy)
        assert statements(server, here) == empty


@pytest.fixture
def cases(server: postgres.Server, peers: Path) -> list[str]:
    """The command line of evolve.py for this server, with its psql and pg_dump on the path."""
    return [
        sys.executable,
        str(peers / "evolve.py"),
        *("--dialect", "postgres", "--server", server.url, "--tool", str(command.executable())),
        *("--timeout", "300", "--cases"),
        *(str(peers / "databases" / "postgres"), str(peers / "sqldef" / "postgres.yml")),
    ]


def test_schemas_become_what_others_made_of_them(
    server: postgres.Server, cases: list[str], tmp_path: Path
) -> None:
    """A sample of the cases, both ways; `make soak` runs all of them."""
    report = tmp_path / "report.json"
    sample = [] if command.SOAK else ["--sample", "20" if server.version >= 18 else "40"]
    environment = command.environment(
        PATH=f"{server.bin}{os.pathsep}{os.environ['PATH']}", **server.programs.environment
    )
    ended = subprocess.run(
        [*cases, *sample, "--report", str(report)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), ended.stderr
    found: list[dict[str, Any]] = json.loads(report.read_text())
    wrong = [each for each in found if each["verdict"] not in ("same", "unusable")]
    assert not wrong, "\n\n".join(f"{each['verdict']} {each['case']}: {each['detail']}" for each in wrong)
    assert sum(each["verdict"] == "same" for each in found) >= (10 if server.version >= 18 else 5)
