"""Real databases of other projects on MySQL and MariaDB: imported, made again elsewhere, evolved."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import command
from tests.servers import mysql

HERE = Path(__file__).parent
_OWN_DATABASE = re.compile(r"(?im)^\s*((drop|create) (database|schema)\b.*|use .*)$")
_PER_DATABASE = re.compile(r" AUTO_INCREMENT=\d+")
_SESSION = re.compile(r"/\*!\d+ SET ")
"""What the dump sets for its own session; the client that made a view may have had another character set."""


@pytest.fixture(scope="module", params=mysql.PRODUCTS)
def server(request: pytest.FixtureRequest) -> mysql.Server:
    """A running server."""
    return mysql.server(request.param)


def dumped(server: mysql.Server, url: str) -> list[str]:
    """Return what the server's own program says of a database, rows left out; the order of keys says nothing."""
    flags = ["--no-data", "--routines", "--triggers", "--events", "--skip-comments"]
    name = url.rpartition("/")[2]
    text = server.programs.run([*server.programs.dump, *server.flags(), *flags, name])
    text = _PER_DATABASE.sub("", text).replace(f"`{name}`", "`here`")
    lines = (line for line in text.splitlines() if line and not _SESSION.match(line))
    return sorted(line.rstrip(",") for line in lines)


def load(server: mysql.Server, url: str, script: str) -> None:
    """Run a script by the server's own program."""
    name = url.rpartition("/")[2]
    script = re.sub(r"`?\bsakila\b`?\.", "", _OWN_DATABASE.sub("", script))
    server.programs.run([*server.programs.client, *server.flags(), name], script=script)


@pytest.mark.parametrize("name", ["sakila", "chinook"])
def test_a_database_made_again_from_its_import(
    server: mysql.Server, peers: Path, tmp_path: Path, name: str
) -> None:
    script = (peers / "databases" / "mysql" / f"{name}.sql").read_text()
    if name == "chinook":  # the other one has what is hard to make again; rows tell nothing here
        script = re.sub(r"(?ms)^INSERT .*?;$", "", script)
    folder = tmp_path / name
    with server.database() as there, server.database() as here:
        load(server, there, script)
        wanted = dumped(server, there)
        original = {"KOLUMN_MYSQL_URL": there}
        copy = {"KOLUMN_MYSQL_URL": here, "KOLUMN_SAFE_DESTROY": "false"}
        command.done(tmp_path, "import", "mysql", "--out", str(folder), variables=original)
        command.done(folder, "validate", variables=original)
        plan = command.document(folder, "plan", variables=original)["plan"]
        assert {each["action"] for each in plan["resources"]} == {"adopt"}
        assert dumped(server, there) == wanted, "import and plan change nothing"
        command.done(folder, "apply", "--auto-approve", variables=copy)
        assert dumped(server, here) == wanted
        again = command.run(folder, "plan", "--detailed-exitcode", variables=copy)
        assert again.returncode == 0, again.stdout


@pytest.fixture
def programs(server: mysql.Server, tmp_path: Path) -> dict[str, str]:
    """The variables that tell evolve.py which programs are the server's."""
    found = {}
    for variable, words in (("MYSQL_CLIENT", server.programs.client), ("MYSQL_DUMP", server.programs.dump)):
        script = tmp_path / variable.lower()
        script.write_text(f'#!/bin/sh\nexec {" ".join(words)} --no-defaults "$@"\n')
        script.chmod(0o755)
        found[variable] = str(script)
    return found


def test_schemas_become_what_others_made_of_them(
    server: mysql.Server, peers: Path, programs: dict[str, str], tmp_path: Path
) -> None:
    """A sample of the cases, both ways, ours among them; `make soak` runs all of them."""
    report = tmp_path / "report.json"
    ours = [HERE / "mysql_features.yml"]
    theirs = [peers / "databases" / "mysql", peers / "sqldef" / "mysql.yml"]
    ended = subprocess.run(
        [
            *(
                sys.executable,
                str(peers / "evolve.py"),
                "--dialect",
                "mysql",
                "--server",
                server.url.rstrip("/"),
            ),
            *("--tool", str(command.executable()), "--report", str(report), "--timeout", "300"),
            *("--jobs", "1"),
            *([] if command.SOAK else ["--sample", "20" if server.product == "mysql" else "40"]),
            *("--cases", *map(str, [*ours, *theirs])),
        ],
        env=command.environment(**programs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), ended.stderr
    found: list[dict[str, Any]] = json.loads(report.read_text())
    wrong = [each for each in found if each["verdict"] not in ("same", "unusable")]
    assert not wrong, "\n\n".join(f"{each['verdict']} {each['case']}: {each['detail']}" for each in wrong)
    assert sum(each["verdict"] == "same" for each in found) >= 5
