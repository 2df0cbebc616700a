"""A project folder with a real SQLite database, and the real command on it."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from kolumn.cli.main import main


@contextmanager
def environment_with(variables: Mapping[str, str]) -> Iterator[None]:
    """Have these variables in this process's environment meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def input_of(stream: TextIO) -> Iterator[None]:
    """Have standard input read from `stream` meanwhile."""
    before, sys.stdin = sys.stdin, stream
    try:
        yield
    finally:
        sys.stdin = before


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output: exactly one."""
        document = json.loads(self.out)
        assert document["format_version"] == "1"
        return document


@dataclass
class ProjectFolder:
    """A folder of configuration and the database it is about."""

    folder: Path
    database: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path) -> ProjectFolder:
        folder.mkdir(exist_ok=True)
        database = folder.parent / f"{folder.name}.db"
        environment = {"KOLUMN_SQLITE_URL": f"sqlite:///{database}", "KOLUMN_SAFE_DESTROY": "false"}
        return cls(folder, database, environment)

    def write(self, text: str, name: str = "main.kl") -> None:
        (self.folder / name).write_text(text)

    def run(self, *words: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Ran:
        """Run the command in this process."""
        out, err = io.StringIO(), io.StringIO()
        settings = {**self.environment, **(environment or {})}
        with (
            environment_with(settings),
            redirect_stdout(out),
            redirect_stderr(err),
            input_of(io.StringIO(stdin)),
        ):
            code = main([*words, "-C", str(self.folder)])
        return Ran(code, out.getvalue(), err.getvalue())

    def ok(self, *words: str, **options: Any) -> Ran:
        """Run the command and insist on success."""
        ran = self.run(*words, **options)
        assert ran.code == 0, ran.out + ran.err
        return ran

    def apply(self, *words: str) -> Ran:
        return self.ok("apply", "--auto-approve", *words)

    def settled(self) -> bool:
        """Whether a plan finds nothing to do."""
        code = self.run("plan", "--detailed-exitcode").code
        assert code in (0, 2)
        return code == 0

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start the command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "kolumn.cli.main", *words, "-C", str(self.folder)],
            env={**os.environ, **self.environment, **options.pop("environment", {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.database)) as connection:
            yield connection

    def sql(self, script: str) -> None:
        with self.connection() as connection:
            connection.executescript(script)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection:
            return connection.execute(query).fetchall()

    def objects(self) -> set[str]:
        """Names of everything in the database but Kolumn's and SQLite's own."""
        found = self.rows(
            "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE 'kolumn%'"
        )
        return {name for (name,) in found}

    def state_bytes(self) -> bytes:
        """Everything Kolumn keeps for the project, as it is on disk."""
        return b"".join(
            path.read_bytes() for path in sorted((self.folder / ".kolumn").rglob("*")) if path.is_file()
        )


USERS = """
create "sqlite_table" "users" {
  column "id" {
    type        = "INTEGER"
    primary_key = true
  }
  column "email" {
    type     = "TEXT"
    not_null = true
  }
}
"""
POSTS = """
create "sqlite_table" "posts" {
  column "id" {
    type        = "INTEGER"
    primary_key = true
  }
  column "author" {
    type       = "INTEGER"
    references = sqlite_table.users.id
  }
}

create "sqlite_index" "posts_by_author" {
  table   = sqlite_table.posts.name
  columns = ["author"]
}
"""
