"""The server that is measured: one of its own, or the one KOLUMN_TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks.processes import Failed

URL_VARIABLE = "KOLUMN_TEST_POSTGRES_URL"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the client programs that talk to it."""

    url: str
    """Of a database in which other databases can be made, with a role that may make them."""
    programs: Path | None = None
    """Folder of psql and pg_dump; None to search them on PATH."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What those programs need around them."""

    def database_url(self, database: str, scheme: str = "postgresql") -> str:
        """Return the URL of one of its databases."""
        return urlunsplit(urlsplit(self.url)._replace(scheme=scheme, path=f"/{database}"))

    def program(self, name: str) -> str:
        """Return the path of a client program."""
        return str(self.programs / name) if self.programs else name

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
