"""Whether a password is the one of a role: what PostgreSQL keeps instead of it tells.

https://www.postgresql.org/docs/current/catalog-pg-authid.html, RFC 5802 (SCRAM), RFC 4013 (SASLprep)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata
from typing import NamedTuple

_SCRAM = re.compile(r"SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]{44}):([A-Za-z0-9+/=]{44})")
_MD5 = re.compile(r"md5[0-9a-f]{32}")

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


class _Scram(NamedTuple):
    iterations: int
    salt: bytes
    stored_key: bytes

    @classmethod
    def of(cls, text: str) -> _Scram | None:
        parts = _SCRAM.fullmatch(text)
        if parts is None:
            return None
        try:
            return cls(int(parts[1]), base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3]))
        except binascii.Error:
            return None


def is_verifier(text: str) -> bool:
    """Whether `text` is what PostgreSQL keeps instead of a password, which it takes as it is."""
    return _SCRAM.fullmatch(text) is not None or _MD5.fullmatch(text) is not None


def is_salted(verifier: str) -> bool:
    """Whether a digest of a verifier tells nothing: SCRAM's salt is random, MD5's is the role's name."""
    return _SCRAM.fullmatch(verifier) is not None


def matches(password: str, kept: str, role: str) -> bool:
    """Whether `kept`, what the server keeps for `role`, was made of `password`; not if there is nothing."""
    if not kept:
        return False
    if is_verifier(password):
        return hmac.compare_digest(password, kept)
    if (scram := _Scram.of(kept)) is not None:
        return hmac.compare_digest(_stored_key(password, scram.salt, scram.iterations), scram.stored_key)
    if _MD5.fullmatch(kept):
        return hmac.compare_digest(_md5(password, role), kept)
    return False


def _md5(password: str, role: str) -> str:
    data = (password + role).encode("utf-8", "surrogatepass")
    return "md5" + hashlib.md5(data, usedforsecurity=False).hexdigest()


def _stored_key(password: str, salt: bytes, iterations: int) -> bytes:
    """Return the StoredKey of RFC 5802, section 3."""
    prepared = (_saslprep(password) or password).encode("utf-8", "surrogatepass")
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
    return hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()


def _saslprep(text: str) -> str | None:
    """Return `text` as RFC 4013 prepares it, None where it prohibits it; PostgreSQL then takes it as is.

    As PostgreSQL does it (src/common/saslprep.c): what is prohibited is looked for before normalisation, and a
    zero-width space, which is in two tables, becomes a space.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(each) else "" if stringprep.in_table_b1(each) else each
        for each in text
    )
    if not mapped or any(table(each) for each in mapped for table in _PROHIBITED):
        return None
    right_to_left = [stringprep.in_table_d1(each) for each in mapped]
    if any(right_to_left):
        mixed = any(stringprep.in_table_d2(each) for each in mapped)
        if mixed or not right_to_left[0] or not right_to_left[-1]:
            return None
    return unicodedata.normalize("NFKC", mapped)
