"""MySQL and MariaDB servers, each started once per process.

Both come as Debian's packages, unpacked into the cache: MySQL of `sid`, the only suite that has it, MariaDB of
`bookworm`. They run with the libraries they came with, so nothing of the system matters.

    KOLUMN_TEST_MYSQL_URL=mysql://root:secret@127.0.0.1:3306/     a running server in place of ours, reached as
    KOLUMN_TEST_MARIADB_URL=mysql://root@127.0.0.1:3307/          an account that may do everything
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import pymysql
import pytest

from tests.servers import debian, process
from tests.servers.cache import Unavailable, kept

PRODUCTS = ("mysql", "mariadb")
_START_SECONDS = 60.0
_ATTEMPTS = 5
"""Starts tried: somebody else may take the free port first."""

_LEAN: Mapping[str, str] = {
    "bind-address": "127.0.0.1",
    "innodb-buffer-pool-size": "32M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "OFF",
    "innodb-flush-method": "nosync",
    "skip-log-bin": "",
    "max-connections": "60",
    "table-open-cache": "400",
    "performance-schema": "OFF",
    "local-infile": "OFF",
    "character-set-server": "utf8mb4",
}


@dataclass(frozen=True)
class Product:
    """What differs between the two."""

    suite: str
    packages: tuple[str, ...]
    server: str
    """Path of the server's program in the packages."""
    client: str
    dump: str
    settings: Mapping[str, str]
    initialise: Callable[[Path, Path, Sequence[str]], None]
    """Fills a data folder: the packages' root, the folder, the command of the server."""


@dataclass(frozen=True)
class Programs:
    """The command-line programs of one product."""

    client: Sequence[str]
    dump: Sequence[str]

    def run(self, command: Sequence[str], *, script: str | None = None, timeout: float = 120) -> str:
        """Run a command and return its output. Raises CalledProcessError."""
        done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout


@dataclass(frozen=True)
class Server:
    """A running server."""

    product: str
    url: str
    """An account that may do everything, without a database."""
    programs: Programs
    log: Path | None = None
    """What the server writes; None where it is not ours."""
    process: int | None = None
    """Its process, where it is ours."""

    def url_of(self, database: str, user: str = "", password: str = "") -> str:
        """Return the url of a database, or for somebody else."""
        parts = urlsplit(self.url)
        account, _, host = parts.netloc.rpartition("@")
        if user:
            account = f"{user}:{password}" if password else user
        return urlunsplit(parts._replace(netloc=f"{account}@{host}", path=f"/{database}"))

    def connect(self, database: str | None = None, **more: Any) -> pymysql.Connection[Any]:
        """Connect by the driver, with autocommit."""
        return connect(self.url_of(database or ""), **more)

    def flags(self) -> list[str]:
        """Return what the programs need to reach the server."""
        parts = urlsplit(self.url)
        flags = ["--no-defaults", f"-h{parts.hostname}", f"-P{parts.port or 3306}", "--protocol=tcp"]
        flags.append(f"-u{unquote(parts.username or 'root')}")
        return [*flags, f"-p{unquote(parts.password)}"] if parts.password else flags

    @contextlib.contextmanager
    def database(self, prefix: str = "test") -> Iterator[str]:
        """Make an empty database; yield its url and drop it, whoever is still connected."""
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        execute(self.url, f"CREATE DATABASE `{name}`")
        try:
            yield self.url_of(name)
        finally:
            execute(self.url, f"DROP DATABASE IF EXISTS `{name}`")


def connect(url: str, **more: Any) -> pymysql.Connection[Any]:
    """Connect to a url by the driver, with autocommit."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")) or None,
        charset="utf8mb4",
        autocommit=True,
        **more,
    )


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements; return the rows of the last."""
    with contextlib.closing(connect(url)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def server(product: str) -> Server:
    """Return the server of a product, started when first asked for; skips the test if there is none."""
    try:
        return start(product)
    except Unavailable as reason:
        pytest.skip(f"{product}: {reason}")


@functools.cache
def start(product: str, settings: tuple[tuple[str, str], ...] = ()) -> Server:
    """Return the server of a product; the same one each time in this process. Raises Unavailable.

    `settings` are names and values of the server's, in addition to ours; one that is given keeps its own.
    """
    url = os.environ.get(f"KOLUMN_TEST_{product.upper()}_URL")
    if url:
        return Server(product, url, _found_programs(product))
    about = _PRODUCTS[product]
    root = kept(f"{product}-{about.suite}", lambda into: debian.unpack(about.suite, about.packages, into))
    command = debian.program(root, about.server)
    template = kept(
        f"{product}-data-{_release(command)}", lambda into: about.initialise(root, into / "data", command)
    )
    for attempt in range(_ATTEMPTS):
        try:
            return _started(product, root, command, template / "data", dict(settings))
        except Unavailable:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _release(command: Sequence[str]) -> str:
    done = subprocess.run([*command, "--no-defaults", "--version"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable(f"the server does not run: {done.stderr.strip()}")
    return done.stdout.split("Ver ")[1].split()[0]


def _user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _initialise_mysql(_root: Path, data: Path, command: Sequence[str]) -> None:
    data.mkdir()
    flags = ["--initialize-insecure", "--innodb-redo-log-capacity=8M", "--innodb-buffer-pool-size=32M"]
    _complete([*command, "--no-defaults", *_user(), *flags, f"--datadir={data}"])


def _initialise_mariadb(root: Path, data: Path, command: Sequence[str]) -> None:
    (data / "mysql").mkdir(parents=True)
    share = root / "usr/share/mysql"
    names = (
        "mysql_system_tables",
        "mysql_performance_tables",
        "mysql_system_tables_data",
        "maria_add_gis_sp_bootstrap",
        "mysql_sys_schema",
    )
    texts = [(share / f"{name}.sql").read_text(encoding="utf-8") for name in names]
    first = "use mysql;\nset @auth_root_socket=NULL;\nset @skip_auth_anonymous=1;\nset @current_hostname='localhost';\n"
    flags = ["--bootstrap", "--silent-startup", f"--basedir={root / 'usr'}", f"--lc-messages-dir={share}"]
    flags += ["--log-warnings=0", "--enforce-storage-engine=", "--max-allowed-packet=8M"]
    flags += ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=32M", f"--datadir={data}"]
    _complete([*command, "--no-defaults", *_user(), *flags], first + "\n".join(texts) + _ONE_ROOT)


_ONE_ROOT = "\nuse mysql;\nDELETE FROM global_priv WHERE user = 'root' AND host <> 'localhost';\n"
"""The scripts make accounts for every name of the machine; the tests want to know which there are."""


def _complete(command: Sequence[str], script: str | None = None) -> None:
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"its data folder could not be made: {' '.join(said[-3:])}")


_PRODUCTS: Mapping[str, Product] = {
    "mysql": Product(
        suite="sid",
        packages=("mysql-server-core", "mysql-client-core"),
        server="usr/sbin/mysqld",
        client="usr/bin/mysql",
        dump="usr/bin/mysqldump",
        settings={"mysqlx": "OFF", "secure-file-priv": "NULL", "innodb-redo-log-capacity": "8M"},
        initialise=_initialise_mysql,
    ),
    "mariadb": Product(
        suite="bookworm",
        packages=("mariadb-server-core", "mariadb-client-core", "mariadb-client"),
        server="usr/sbin/mariadbd",
        client="usr/bin/mariadb",
        dump="usr/bin/mariadb-dump",
        settings={"innodb-log-file-size": "4M"},
        initialise=_initialise_mariadb,
    ),
}


def _started(
    product: str, root: Path, command: Sequence[str], template: Path, more: Mapping[str, str]
) -> Server:
    home = process.home(product)
    data = home / "data"
    shutil.copytree(template, data, symlinks=True)
    port = process.free_port()
    settings = {**_LEAN, **_PRODUCTS[product].settings, **more}
    if product == "mariadb":
        settings |= {"basedir": str(root / "usr")}
    settings |= {
        "datadir": str(data),
        "port": str(port),
        "socket": str(home / "s"),
        "pid-file": str(home / "pid"),
        "tmpdir": str(home),
    }
    flags = [f"--{name}={value}" if value else f"--{name}" for name, value in settings.items()]
    log = home / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [*process.ends_with_parent("TERM"), *command, "--no-defaults", *_user(), *flags],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt at the terminal is for the tests
        )
    atexit.register(process.stop, running, home, signal.SIGTERM)
    url = f"mysql://root@127.0.0.1:{port}/"
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            connect(url, connect_timeout=5).close()
        except pymysql.Error as error:
            if running.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
                continue
            said = log.read_text(errors="replace").strip().splitlines()
            raise Unavailable(f"it did not start: {' '.join(said[-3:]) or error}") from error
        if running.poll() is not None:
            raise Unavailable("somebody else's server answers at its port")
        about = _PRODUCTS[product]
        programs = Programs(debian.program(root, about.client), debian.program(root, about.dump))
        return Server(product, url, programs, log, running.pid)


def _found_programs(product: str) -> Programs:
    """Return the programs of the packages, else those that the system has."""
    about = _PRODUCTS[product]
    try:
        root = kept(f"{product}-{about.suite}", lambda into: debian.unpack(about.suite, about.packages, into))
    except Unavailable:
        client, dump = (shutil.which(Path(each).name) for each in (about.client, about.dump))
        if not client or not dump:
            raise
        return Programs([client], [dump])
    return Programs(debian.program(root, about.client), debian.program(root, about.dump))
