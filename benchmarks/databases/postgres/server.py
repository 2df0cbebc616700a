"""The server that is measured, and the client programs that talk to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks.processes import Failed

_MEMORY = Path("/dev/shm")
_MEMORY_NEEDED = 6 << 30
"""Bytes for the databases of 10,000 tables, of which there are up to six at a time."""

_ROOT = Path(__file__).resolve().parents[3]
_SETTINGS = {
    "shared_buffers": "128MB",
    # What creates or dumps all tables in one transaction locks each, with its indexes and its TOAST table.
    "max_locks_per_transaction": "2048",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
}
"""The server's defaults where those of the tests differ, as long as they cost time; fsync stays off."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the client programs that talk to it."""

    url: str
    """Of a database in which other databases can be made, with a role that may make them."""
    programs: Path
    """Folder of psql and pg_dump."""
    environment: Mapping[str, str]
    """What those programs need around them."""
    place: str
    """Where its files are, in words."""

    def database_url(self, database: str, scheme: str = "postgresql") -> str:
        """Return the URL of one of its databases."""
        return urlunsplit(urlsplit(self.url)._replace(scheme=scheme, path=f"/{database}"))

    def program(self, name: str) -> str:
        """Return the path of a client program."""
        return str(self.programs / name)

    def psql(self, database: str, *arguments: str) -> list[str]:
        """Return the command line of psql that ends at the first error."""
        return [
            self.program("psql"),
            *("--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", self.database_url(database)),
            *arguments,
        ]

    def run(self, *statements: str, database: str = "") -> str:
        """Run statements one by one, unmeasured, and return what they say. Raises Failed."""
        given = [word for each in statements for word in ("--command", each)]
        home = database or urlsplit(self.url).path.lstrip("/") or "postgres"
        done = subprocess.run(
            self.psql(home, "--no-align", "--tuples-only", *given),
            capture_output=True,
            text=True,
            env={**os.environ, **self.environment},
            check=False,
        )
        if done.returncode:
            raise Failed(done.stderr)
        return done.stdout.strip()


@contextmanager
def running(version: int) -> Iterator[Server]:
    """Start a server of a major version with the tests' own means, or use the one they are given.

    Its files are in memory where there is enough: on a disk's file system the time to make files depends on
    how many were deleted lately, and every run begins with dropping a database.
    In a process of its own: what it needs in memory would be counted towards every process measured.
    Raises Failed.
    """
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED
    environment = {**os.environ, **({"TMPDIR": str(_MEMORY)} if in_memory else {})}
    command = [sys.executable, "-m", "tests.servers", "postgres", str(version), "--json"]
    for name, value in _SETTINGS.items():
        command += ["--set", f"{name}={value}"]
    with subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise Failed(f"no PostgreSQL {version} to measure on")
        found = json.loads(said)
        try:
            place = "files in memory" if in_memory else "files on a disk"
            yield Server(found["url"], Path(found["programs"]), found["environment"], place)
        finally:
            process.terminate()
