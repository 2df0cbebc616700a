"""Persistent secrets (https://duckdb.org/docs/current/configuration/secrets_manager).

They are files in a folder of their user, so they count only where they are named, and making one is no part of a
transaction. DuckDB gives no value back: which values it has is told, and that they are others than configured is
told by the digest that state keeps of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import ClassVar

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Operation
from kolumn.engine.resource import Ref
from kolumn.engine.rewriting import with_kept
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.model import Secret
from kolumn.sql.handlers import SQLHandler
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject

_WORD = re.compile(r"[A-Za-z_]\w*")


def _word_fault(text: str) -> str | None:
    return None if not text or _WORD.fullmatch(text) else "write letters, digits and underscores"


class SecretHandler(SQLHandler[Secret]):
    """Secrets."""

    type = "secret"
    description = "Credentials for files outside, kept by DuckDB for all databases of its user"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"word": Grammar(_word_fault, lambda text: text.lower())}

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(Secret, dialect)

    def ref(self, model: Secret) -> Ref:
        """Return the folded name: DuckDB writes it in lower case."""
        return Ref(self.type, self.fold(model.name))

    def normal(self, model: Secret) -> Secret:
        """Return the normal form, which tells the names of its values alone."""
        found = super().normal(model)
        names = dict.fromkeys(sorted(name.lower() for name in (model.values or {})), "")
        return replaced(found, {"values": names, "scope": tuple(sorted(model.scope))})

    def diff(self, live: Secret | None, wanted: Secret | None) -> list[Operation]:
        """Return the operations: CREATE OR REPLACE for one that changes."""
        if live is None or wanted is None or self.ref(live) != self.ref(wanted):
            return super().diff(live, wanted)
        wanted = with_kept(wanted, live)
        before, after = self.normal(live), self.normal(wanted)
        fields = [
            name for name in ("type", "provider", "scope") if getattr(before, name) != getattr(after, name)
        ]
        if before.values != after.values or not _holds(live, wanted):
            fields.append("values")
        if not fields:
            return []
        return [AlterObject(subject=self.ref(wanted), before=live, after=wanted, fields=tuple(fields))]

    def concealed(self, model: Secret) -> Mapping[str, str]:
        """Return a digest of the file of the secret that takes long to try values against."""
        if not model.content:
            return {}
        digest = hashlib.scrypt(model.content, salt=model.name.encode(), n=2**14, r=8, p=1, dklen=32)
        return {"values": digest.hex()}


def _holds(live: Secret, wanted: Secret) -> bool:
    """Whether the file of a secret has the values wanted; only texts are looked for."""
    if not live.content:
        return True
    for name, value in (wanted.values or {}).items():
        if isinstance(value, str):
            pattern = (
                re.escape(_serialized(name.lower())) + rb"\xff\xff.{0,16}?" + re.escape(_serialized(value))
            )
            if re.search(pattern, live.content, re.DOTALL) is None:
                return False
    return True


def _serialized(text: str) -> bytes:
    """Return a text as DuckDB writes it to files: its length in bytes, seven bits at a time, then itself."""
    data = text.encode()
    length, prefix = len(data), bytearray()
    while True:
        low, length = length & 0x7F, length >> 7
        prefix.append(low | (0x80 if length else 0))
        if not length:
            return bytes(prefix) + data
