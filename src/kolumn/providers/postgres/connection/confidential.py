"""Statements with secrets in them: their text shows a mark in each one's place.

PostgreSQL's DDL takes no parameters, so a secret becomes a literal at the moment the statement is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolumn.contract.secrets import SecureString
from kolumn.engine.operations import Statement

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

_VERIFIER = re.compile(r"md5[0-9a-f]{32}|SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class RolePassword:
    """A role's password as a statement's parameter: the server gets what can check it, and not itself.

    So neither the server's log nor its statistics can hold it, as with psql's password command.
    """

    role: str
    password: SecureString

    def verifier(self, connection: PGconn) -> str:
        """Return the SCRAM-SHA-256 verifier of the password; one that is given is returned as it is."""
        revealed = self.password.reveal()
        if _VERIFIER.fullmatch(revealed):
            return revealed
        made = connection.encrypt_password(revealed.encode(), self.role.encode(), b"scram-sha-256")
        return made.decode()


SECRETS = (SecureString, RolePassword)


def confidential(*parts: str | SecureString | RolePassword) -> Statement:
    """Return the statement made of `parts`: SQL, and secrets where it wants a string.

    `confidential("ALTER ROLE app PASSWORD ", RolePassword("app", secret))`.
    """
    text = "".join("%s" if isinstance(part, SECRETS) else part.replace("%", "%%") for part in parts)
    return Statement(text, tuple(part for part in parts if isinstance(part, SECRETS)))
