"""The url of a PostgreSQL database, as libpq reads it.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from kolumn.contract.errors import Problem

SETTINGS_OF_PARAMETERS: Mapping[str, str] = {
    "host": "host",
    "port": "port",
    "dbname": "database",
    "user": "username",
    "password": "password",
    "sslmode": "ssl_mode",
    "sslrootcert": "ssl_root_cert",
    "sslcert": "ssl_cert",
    "sslkey": "ssl_key",
    "connect_timeout": "connect_timeout",
    "application_name": "application_name",
}
"""The setting for each of libpq's parameters that has one."""

_FORM = "postgresql://user@host:5432/database"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class _Faults(list[Problem]):
    def say(self, message: str, hint: str = "") -> None:
        self.append(Problem(message, code="invalid_url", hint=hint))


def read_url(url: str) -> tuple[dict[str, str], list[Problem]]:
    """Return what `url` spells, by setting or else by libpq's name, and what is wrong with it.

    No message quotes a part of the url: any of it may be a secret when it is written wrongly.
    """
    faults = _Faults()
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        known = re.fullmatch(r"jdbc:postgresql|postgres(ql)?\+\w+", scheme) if separator else None
        words = f", not {scheme}://" if known else ""
        faults.say(f"a PostgreSQL url begins with postgresql://{words}", f"Write {_FORM}.")
        return {}, faults
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    path, _, query = rest[len(authority) :].partition("?")
    account, _, hosts = authority.rpartition("@")
    if "@" in path or ("@" in query and "@" not in authority):
        faults.say(
            "the user or password in the url holds a / or ? that is not escaped",
            "Write % and two digits in its place: / is %2F, ? is %3F, @ is %40, # is %23, % is %25.",
        )
        return {}, faults
    spelled: dict[str, str] = {}
    username, _, password = account.partition(":")
    names, ports = _split_hosts(hosts, faults)
    for setting, text in (
        ("username", username),
        ("password", password),
        ("host", names),
        ("port", ports),
        ("database", path.removeprefix("/")),
    ):
        if value := _decoded(text, setting, faults):
            spelled[setting] = value
    _read_query(query, spelled, faults)
    return spelled, faults


def _split_hosts(hosts: str, faults: _Faults) -> tuple[str, str]:
    """Return the names and the ports of `a:1,b:2`, each joined with commas; IPv6 stands in brackets."""
    names, ports = [], []
    for host in hosts.split(","):
        match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?", host)
        if match is None:
            faults.say(
                "the host or port in the url is not one",
                "Write host:5432, with an IPv6 address in brackets: [::1]:5432.",
            )
            return "", ""
        names.append(match[1].strip("[]"))
        ports.append(match[2] or "")
    if not any(ports):
        return ",".join(names), ""
    return ",".join(names), ",".join(port or "5432" for port in ports)


def _read_query(query: str, spelled: dict[str, str], faults: _Faults) -> None:
    for pair in filter(None, query.split("&")):
        key, separator, text = pair.partition("=")
        name, value = _decoded(key, "parameters", faults), _decoded(text, "parameters", faults)
        if not separator or not name:
            faults.say("a parameter in the url has no value", "Write ?name=value&name=value.")
            continue
        if (name, value) == ("ssl", "true"):  # JDBC's spelling, which libpq takes as well
            name, value = "sslmode", "require"
        setting = SETTINGS_OF_PARAMETERS.get(name, name)
        if setting in spelled:
            faults.say(f"{name} stands twice in the url", "Remove one of them.")
        spelled[setting] = value


def _decoded(text: str, what: str, faults: _Faults) -> str:
    if _BAD_ESCAPE.search(text):
        faults.say(
            f"the {what} in the url has a % that is not followed by two digits",
            "Write %25 for a percent sign.",
        )
        return ""
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        faults.say(f"the {what} in the url is not UTF-8")
        return ""
