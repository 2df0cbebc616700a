"""Connection settings of the PostgreSQL provider."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kolumn.contract.errors import Problem
from kolumn.contract.schema import ValidatorSpec
from kolumn.contract.secrets import SecureString
from kolumn.engine.declaration import attribute
from kolumn.engine.parsing import parse
from kolumn.engine.settings import SECONDS, CommonSettings, given_besides, given_twice
from kolumn.providers.postgres.connection.connection_url import SETTINGS_OF_PARAMETERS, read_url

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
APPLICATION_NAME = "kolumn"
CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection where neither settings nor PGCONNECT_TIMEOUT say."""

LIBPQ_PARAMETERS = frozenset({
    "channel_binding", "gssdelegation", "gssencmode", "gsslib", "hostaddr", "keepalives", "keepalives_count",
    "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts", "max_protocol_version",
    "min_protocol_version", "options", "passfile", "require_auth", "requirepeer", "service",
    "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcertmode", "sslcrl", "sslcrldir",
    "sslnegotiation", "sslpassword", "sslsni", "target_session_attrs", "tcp_user_timeout",
})  # fmt: skip
"""What `parameters` may name: libpq's connection parameters that have no setting of their own.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

_REFUSED_PARAMETERS: Mapping[str, str] = {
    "client_encoding": "Kolumn speaks UTF-8 with every server.",
    "fallback_application_name": "Use the setting application_name.",
    "replication": "A replication connection runs no statements.",
    "requiressl": "Use ssl_mode.",
    "sslcompression": "PostgreSQL has done without since version 14.",
}

_KEEPALIVES: Mapping[str, str] = {
    "keepalives_idle": "60",
    "keepalives_interval": "10",
    "keepalives_count": "6",
}
"""Seconds and probes after which a server that has vanished is given up: two minutes, not two hours."""

_ANYWHERE = ("PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE")
"""Environment variables of libpq that say which database is meant."""

_SSL_MODE = ValidatorSpec(
    type="enum", value=["", *SSL_MODES], message=f"must be one of {', '.join(SSL_MODES)}"
)
_PORTS = ValidatorSpec(
    type="regex",
    value=r"|\d{1,5}(,\d{1,5})*",
    message="must be a number from 1 to 65535, or one for each of several hosts: 5432,5433",
)


def _range(least: int, most: int) -> ValidatorSpec:
    return ValidatorSpec(
        type="range", value={"min": least, "max": most}, message=f"must be {least} to {most}"
    )


@dataclass(frozen=True)
class PoolSettings:
    """How many connections are kept, and for how long."""

    min_size: int = attribute("Connections kept open", default=0, validators=[_range(0, 100)])
    max_size: int = attribute("Connections open at most", default=4, validators=[_range(1, 1000)])
    timeout: float = attribute("Seconds to wait for a free connection", default=30.0, validators=[SECONDS])
    max_idle: float = attribute(
        "Seconds after which an unused connection above min_size is closed",
        default=600.0,
        validators=[SECONDS],
    )
    max_lifetime: float = attribute(
        "Seconds after which a connection is replaced", default=3600.0, validators=[SECONDS]
    )

    def verify(self) -> Iterator[Problem]:
        """Yield the faults that show across settings."""
        if self.min_size > self.max_size:
            yield Problem(
                f"min_size ({self.min_size}) is more than max_size ({self.max_size})",
                code="conflicting_attributes",
                path="min_size",
            )


@dataclass(frozen=True)
class PostgresSettings(CommonSettings):
    """Which database, who connects and how; a url is read into the settings that it spells.

    What is left out comes from libpq's environment variables (PGHOST, PGUSER, PGPASSWORD, PGSSLMODE, ...),
    service file and password file. The password is in `secret` only: `password` is empty after parsing.
    """

    url: str = attribute(
        "`postgresql://user:password@host:port/database?sslmode=require`, in place of the settings it spells",
        default="",
        sensitive=True,
    )
    host: str = attribute(
        "Name or address of the server, or the folder of its socket; several with commas", default=""
    )
    port: str = attribute("Port of the server; one for each host", default="", validators=[_PORTS])
    database: str = attribute("The database to manage", default="")
    username: str = attribute("Who connects", default="")
    password: str = attribute("The password of username", default="", sensitive=True)
    ssl_mode: str = attribute(
        "How TLS is used; libpq's `prefer` when left out", default="", validators=[_SSL_MODE]
    )
    ssl_root_cert: str = attribute(
        "File with the certificates the server is checked against, or `system`", default=""
    )
    ssl_cert: str = attribute("File with the client's certificate", default="")
    ssl_key: str = attribute("File with the client's key", default="")
    parameters: Mapping[str, Any] = attribute(
        "Further connection parameters by the name libpq gives them, e.g. target_session_attrs", default=None
    )
    connection_pool: PoolSettings = attribute("The pool of connections", default=PoolSettings())
    connect_timeout: float | None = attribute(
        "Seconds to wait for a connection; PGCONNECT_TIMEOUT or 10 when left out",
        default=None,
        validators=[SECONDS],
    )
    lock_timeout: float = attribute(
        "Seconds a statement waits for a lock that somebody else holds; 0 for no limit",
        default=30.0,
        validators=[SECONDS],
    )
    application_name: str = attribute("What the server shows this connection as", default=APPLICATION_NAME)
    role: str = attribute("Role to act as (SET ROLE) instead of username", default="")
    metadata_schema: str = attribute("Schema of what Kolumn notes in the database", default="kolumn")
    online: bool = attribute(
        "Whether changes are made so that others can go on reading and writing", default=False
    )
    online_lock_timeout: float = attribute(
        "Seconds a step of an online change waits for a lock before it lets others pass",
        default=2.0,
        validators=[
            ValidatorSpec(type="range", value={"min": 0.001, "max": 600}, message="must be 0.001 to 600")
        ],
    )
    lock_retries: int = attribute(
        "How often a step of an online change is tried again while others hold its lock",
        default=10,
        validators=[_range(0, 1000)],
    )
    lock_retry_wait: float = attribute(
        "Seconds before the first new try; each further wait is twice as long",
        default=0.5,
        validators=[SECONDS],
    )
    secret: SecureString = field(init=False, repr=False, compare=False)
    """The password, empty without one."""
    secret_parameters: Mapping[str, SecureString] = field(init=False, repr=False, compare=False)
    """What of `parameters` is secret; not in `parameters` after parsing."""

    def __post_init__(self) -> None:
        parameters = {key: str(value) for key, value in (self.parameters or {}).items()}
        hidden = {key: SecureString(parameters.pop(key)) for key in ("sslpassword",) if key in parameters}
        object.__setattr__(self, "secret", SecureString(self.password))
        object.__setattr__(self, "secret_parameters", hidden)
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "password", "")

    @staticmethod
    def prepare(config: Mapping[str, Any], path: str, problems: list[Problem]) -> Mapping[str, Any]:
        """Read the url into the settings that it spells."""
        url = config.get("url")
        if not isinstance(url, str) or not url:
            return config
        read, faults = read_url(url)
        spelled: dict[str, Any] = dict(read)
        problems += [replace(fault, path=f"{path}url") for fault in faults]
        if "connect_timeout" in spelled:
            spelled["connect_timeout"] = _seconds(spelled["connect_timeout"])
        parameters = {
            name: spelled.pop(name) for name in list(spelled) if name not in SETTINGS_OF_PARAMETERS.values()
        }
        given = given_besides(config, spelled, path, problems)
        own = given.get("parameters")
        if parameters and isinstance(own, Mapping):
            problems += [given_twice(f"parameters.{key}", path) for key in parameters if key in own]
            given["parameters"] = {**parameters, **own}
        elif parameters and own is None:
            given["parameters"] = parameters
        return {**spelled, **given}

    def verify(self) -> Iterator[Problem]:
        """Yield the faults that show across settings."""
        if not (self.host or self.database or {"hostaddr", "service"} & self.parameters.keys()) and not any(
            os.environ.get(name) for name in _ANYWHERE
        ):
            yield Problem(
                "no database is named",
                code="missing_attribute",
                path="url",
                hint='Give url = "postgresql://user@host:5432/database", or host, database and username, '
                "or set PGHOST and PGDATABASE.",
            )
        for name, value in self._texts():
            if "\0" in value:
                yield Problem(f"{name} holds a zero byte", code="invalid_value", path=name)
        yield from self._verify_hosts()
        for name in ("ssl_root_cert", "ssl_cert", "ssl_key"):
            file = getattr(self, name)
            if file and not (name == "ssl_root_cert" and file == "system") and not _file(file).is_file():
                yield Problem(f"there is no file {file}", code="invalid_path", path=name)
        if self.ssl_cert and not self.ssl_key:
            yield Problem(
                "a certificate needs its key", code="missing_attribute", path="ssl_key", hint="Add ssl_key."
            )
        yield from self._verify_parameters()
        yield from _verify_schema(self.metadata_schema)

    def conninfo(self) -> dict[str, str]:
        """Return libpq's parameters, the password among them: for connecting, to be kept nowhere."""
        named = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.username,
            "password": self.secret.reveal(),
            "sslmode": self.ssl_mode.lower(),
            "sslrootcert": self.ssl_root_cert
            if self.ssl_root_cert == "system"
            else _path(self.ssl_root_cert),
            "sslcert": _path(self.ssl_cert),
            "sslkey": _path(self.ssl_key),
            # PGAPPNAME counts where the setting was left alone.
            "fallback_application_name"
            if self.application_name == APPLICATION_NAME
            else "application_name": self.application_name,
            "client_encoding": "utf-8",
            **_KEEPALIVES,
            **{key: secret.reveal() for key, secret in self.secret_parameters.items()},
            **self.parameters,
        }
        return {key: value for key, value in named.items() if value}

    @property
    def patience(self) -> float:
        """Seconds to wait for a connection."""
        if self.connect_timeout is not None:
            return self.connect_timeout
        given = os.environ.get("PGCONNECT_TIMEOUT", "")
        return float(given) if given.isdigit() and int(given) else CONNECT_TIMEOUT

    @property
    def application(self) -> str:
        """What the server shows the connections as."""
        if self.application_name != APPLICATION_NAME:
            return self.application_name
        return os.environ.get("PGAPPNAME") or APPLICATION_NAME

    @property
    def where(self) -> str:
        """Which database this is, in words without a secret: `localhost:5432/shop`."""
        host = self.host or self.parameters.get("hostaddr") or os.environ.get("PGHOST") or "localhost"
        port = self.port or os.environ.get("PGPORT") or "5432"
        database = self.database or os.environ.get("PGDATABASE") or ""
        return f"{host}:{port}" + (f"/{database}" if database else "")

    def _texts(self) -> Iterator[tuple[str, str]]:
        for name in ("host", "database", "username", "application_name", "role", "metadata_schema"):
            yield name, getattr(self, name)
        for name in ("ssl_root_cert", "ssl_cert", "ssl_key"):
            yield name, getattr(self, name)
        yield "password", self.secret.reveal()
        yield from ((f"parameters.{key}", value) for key, value in self.parameters.items())

    def _verify_hosts(self) -> Iterator[Problem]:
        ports = self.port.split(",") if self.port else []
        if any(not 0 < int(port) < 65536 for port in ports):
            yield Problem(f"port {_PORTS.message}", code="invalid_range", path="port")
        hosts = self.host.split(",")
        if len(ports) > 1 and len(ports) != len(hosts):
            yield Problem(
                f"there are {len(ports)} ports for {len(hosts)} hosts",
                code="conflicting_attributes",
                path="port",
                hint="Give one port for all hosts, or one for each.",
            )

    def _verify_parameters(self) -> Iterator[Problem]:
        for name in self.parameters:
            where = f"parameters.{name}"
            if setting := SETTINGS_OF_PARAMETERS.get(name):
                yield Problem(
                    f"{name} has a setting of its own",
                    code="unsupported_setting",
                    path=where,
                    hint=f"Use {setting}.",
                )
            elif name not in LIBPQ_PARAMETERS:
                yield Problem(
                    f"{name} is no connection parameter that can be given here",
                    code="unsupported_setting",
                    path=where,
                    hint=_REFUSED_PARAMETERS.get(name, f"Known: {', '.join(sorted(LIBPQ_PARAMETERS))}."),
                )


def _verify_schema(name: str) -> Iterator[Problem]:
    fault = ""
    if not name:
        fault = "a schema for what Kolumn notes needs a name"
    elif len(name.encode()) > 63:
        fault = "the name of a schema has 63 bytes at most"
    elif re.match(r"pg_|information_schema$", name):
        fault = f"{name} belongs to PostgreSQL"
    if fault:
        yield Problem(fault, code="invalid_value", path="metadata_schema", hint='The default is "kolumn".')


def _seconds(text: str) -> Any:
    """Return the number a url spells; what is none is left for the parser to refuse."""
    try:
        return float(text)
    except ValueError:
        return text


def _file(path: str) -> Path:
    return Path(path).expanduser()


def _path(path: str) -> str:
    return str(_file(path)) if path else ""


def parse_settings(config: Mapping[str, Any]) -> PostgresSettings:
    """Return the settings. Raises ValidationError with every fault."""
    return parse(PostgresSettings, config)
