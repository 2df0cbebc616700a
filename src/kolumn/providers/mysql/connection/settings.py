"""Connection settings of the MySQL provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kolumn.contract.errors import Problem
from kolumn.contract.schema import ValidatorSpec
from kolumn.contract.secrets import SecureString
from kolumn.engine.declaration import attribute
from kolumn.engine.parsing import parse
from kolumn.engine.settings import SECONDS, CommonSettings, given_besides

SSL_MODES = ("disabled", "preferred", "required", "verify_ca", "verify_identity")
_FORM = "mysql://user@host:3306/database"
_SCHEMES = frozenset({"mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"})
_PARAMETERS: Mapping[str, str] = {
    "ssl-mode": "ssl_mode",
    "ssl_mode": "ssl_mode",
    "ssl-ca": "ssl_ca",
    "ssl_ca": "ssl_ca",
    "ssl-cert": "ssl_cert",
    "ssl_cert": "ssl_cert",
    "ssl-key": "ssl_key",
    "ssl_key": "ssl_key",
    "socket": "socket",
    "unix_socket": "socket",
    "connect_timeout": "connect_timeout",
}
"""What the query of a url may name, and the setting that it is."""

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = ValidatorSpec(type="range", value={"min": 1, "max": 65535}, message="must be 1 to 65535")
_SSL_MODE = ValidatorSpec(
    type="enum", value=list(SSL_MODES), message=f"must be one of {', '.join(SSL_MODES)}"
)


@dataclass(frozen=True)
class MySQLSettings(CommonSettings):
    """Which database, who connects and how; a url is read into the settings that it spells.

    The password is in `secret` only: `password` is empty after parsing.
    """

    url: str = attribute(
        "`mysql://user:password@host:port/database?ssl-mode=required`, in place of the settings it spells",
        default="",
        sensitive=True,
    )
    host: str = attribute("Name or address of the server", default="localhost")
    port: int = attribute("Port of the server", default=3306, validators=[_PORT])
    socket: str = attribute("Path of the server's socket, in place of host and port", default="")
    database: str = attribute("The database to manage: what names without a schema mean", default="")
    username: str = attribute("Who connects", default="root")
    password: str = attribute("The password of username", default="", sensitive=True)
    ssl_mode: str = attribute(
        "How TLS is used: preferred takes it where the server offers it, required insists, verify_ca and "
        "verify_identity check the certificate as well",
        default="preferred",
        validators=[_SSL_MODE],
    )
    ssl_ca: str = attribute("File with the certificates the server is checked against", default="")
    ssl_cert: str = attribute("File with the client's certificate", default="")
    ssl_key: str = attribute("File with the client's key", default="")
    schemas: tuple[str, ...] = attribute(
        "Databases that are read besides the one managed; without this all that the account can see, which "
        "takes longer where there are many",
        default=(),
    )
    connect_timeout: float = attribute("Seconds to wait for a connection", default=10.0, validators=[SECONDS])
    lock_timeout: float = attribute(
        "Seconds a statement waits for a lock that somebody else holds", default=30.0, validators=[SECONDS]
    )
    application_name: str = attribute("The name Kolumn works under in the audit trail", default="kolumn")
    metadata_schema: str = attribute(
        "Database of what Kolumn notes; kolumn_ and the name of the managed one when left out", default=""
    )
    online: bool = attribute(
        "Whether changes must let others go on writing: what cannot is refused by the server", default=False
    )
    secret: SecureString = field(init=False, repr=False, compare=False)
    """The password, empty without one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "secret", SecureString(self.password))
        object.__setattr__(self, "password", "")
        object.__setattr__(self, "url", "")

    @staticmethod
    def prepare(config: Mapping[str, Any], path: str, problems: list[Problem]) -> Mapping[str, Any]:
        """Read the url into the settings that it spells."""
        url = config.get("url")
        if not isinstance(url, str) or not url:
            return config
        spelled, faults = read_url(url)
        problems += [
            Problem(words, code="invalid_url", path=f"{path}url", hint=hint) for words, hint in faults
        ]
        return {**spelled, **given_besides(config, spelled, path, problems)}

    def verify(self) -> Iterator[Problem]:
        """Yield the faults that show across settings."""
        if not self.database:
            yield Problem(
                "no database is named", code="missing_attribute", path="database",
                hint=f'Give url = "{_FORM}", or host, database and username.',
            )  # fmt: skip
        for name in ("host", "database", "username", "socket", "metadata_schema", "application_name"):
            if "\0" in getattr(self, name):
                yield Problem(f"{name} holds a zero byte", code="invalid_value", path=name)
        for name in ("ssl_ca", "ssl_cert", "ssl_key"):
            if getattr(self, name) and not Path(getattr(self, name)).expanduser().is_file():
                yield Problem(f"there is no file {getattr(self, name)}", code="invalid_path", path=name)
        if self.ssl_cert and not self.ssl_key:
            yield Problem(
                "a certificate needs its key", code="missing_attribute", path="ssl_key", hint="Add ssl_key."
            )
        if self.ssl_mode.lower() == "verify_ca" and not self.ssl_ca:
            yield Problem("verify_ca needs ssl_ca", code="missing_attribute", path="ssl_ca")
        if len(self.metadata_schema) > 64:
            yield Problem("the name of a database has 64 characters at most", code="invalid_value",
                          path="metadata_schema")  # fmt: skip

    @property
    def where(self) -> str:
        """Which database this is, in words without a secret."""
        return f"{self.socket or f'{self.host}:{self.port}'}/{self.database}"

    @property
    def metadata(self) -> str:
        """The database of what Kolumn notes."""
        return self.metadata_schema or own_database(self.database)


def own_database(database: str, purpose: str = "") -> str:
    """Return the name of a database of Kolumn's own that goes with another one."""
    prefix = f"kolumn_{purpose}_" if purpose else "kolumn_"
    if len(prefix) + len(database) <= 64:
        return prefix + database
    import hashlib

    digest = hashlib.sha256(database.encode()).hexdigest()[:12]
    return f"{prefix}{database[: 64 - len(prefix) - 13]}_{digest}"


def read_url(url: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return what a url spells, by setting, and what is wrong with it, each with a hint.

    No message quotes a part of the url: any of it may be a secret when it is written wrongly.
    """
    faults: list[tuple[str, str]] = []
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        return {}, [("a MySQL url begins with mysql:// or mariadb://", f"Write {_FORM}.")]
    if _BAD_ESCAPE.search(url):
        return {}, [("the url has a % that is not followed by two digits", "Write %25 for a percent sign.")]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :] and "@" not in authority:
        return {}, [
            (
                "the user or password in the url holds a /, ? or # that is not escaped",
                "Write % and two digits in its place: / is %2F, ? is %3F, @ is %40, # is %23, % is %25.",
            )
        ]
    try:
        parts = urlsplit(f"mysql://{rest}")
        port = parts.port
    except ValueError:
        return {}, [("the host or port in the url is not one", f"Write {_FORM}.")]
    spelled: dict[str, Any] = {
        "host": unquote(parts.hostname or ""),
        "port": port,
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.removeprefix("/")),
    }
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        setting = _PARAMETERS.get(name)
        if setting is None:
            faults.append(
                ("a parameter of the url is not known", f"Known: {', '.join(sorted(_PARAMETERS))}.")
            )
        elif setting == "ssl_mode":
            spelled[setting] = value.lower().replace("-", "_")
        elif setting == "connect_timeout":
            try:
                spelled[setting] = float(value)
            except ValueError:
                faults.append(("connect_timeout in the url is no number", ""))
        else:
            spelled[setting] = value
    return {key: value for key, value in spelled.items() if value not in (None, "")}, faults


def parse_settings(config: Mapping[str, Any]) -> MySQLSettings:
    """Return the settings. Raises ValidationError with every fault."""
    return parse(MySQLSettings, config)
