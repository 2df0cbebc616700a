"""Accounts, `name@host` (https://dev.mysql.com/doc/refman/9.4/en/account-names.html)."""

from __future__ import annotations

from typing import NamedTuple

from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.tokens import literal

ANY_HOST = "%"
CURRENT = frozenset({"current_user", "current_user()"})


class Account(NamedTuple):
    """Who may connect from where; a role of MariaDB has no host."""

    name: str
    host: str = ANY_HOST

    def __str__(self) -> str:
        return f"{self.name}@{self.host}" if self.host else self.name

    @property
    def short(self) -> str:
        """The account as a person writes it: without the host that is meant anyway."""
        return self.name if self.host == ANY_HOST and "@" not in self.name else str(self)


def parse_account(text: str) -> Account:
    """Return the account that `name@host`, with or without quotes, means; the host is % where none is said."""
    text = text.strip()
    if text and text[0] in "'\"`":
        sign = text[0]
        end = text.find(sign, 1)
        while end >= 0 and text[end : end + 2] == sign * 2:
            end = text.find(sign, end + 2)
        name, rest = text[1:end].replace(sign * 2, sign), text[end + 1 :]
        host = rest.removeprefix("@")
    else:
        name, separator, host = text.rpartition("@")
        if not separator:
            name, host = text, ""
    host = host.strip("'\"`")
    return Account(name, host.lower() or ANY_HOST)


def account_sql(text: str) -> str:
    """Return an account as SQL."""
    if text.lower() in CURRENT:
        return "CURRENT_USER"
    found = parse_account(text)
    return f"{literal(found.name)}@{literal(found.host)}"


def definer_of(text: str | None, server: Server) -> str:
    """Return a definer as models spell it: empty for who is connected."""
    if not text or parse_account(text) == parse_account(server.account):
        return ""
    return str(parse_account(text))


def account_fault(text: str) -> str | None:
    """Return why a text is no account."""
    found = parse_account(text)
    if not found.name or "\0" in text:
        return "write name or name@host"
    if len(found.name) > 80 or len(found.host) > 255:
        return "it is too long"
    return None


def account_normal(text: str) -> str:
    """Return the form in which accounts are compared."""
    return str(parse_account(text))
