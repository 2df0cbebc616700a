"""Whether a password is the one whose verifier a server keeps: nothing else can be told from that.

caching_sha2_password: https://dev.mysql.com/doc/refman/9.4/en/caching-sha2-pluggable-authentication.html, which is
SHA-crypt (https://www.akkadia.org/drepper/SHA-crypt.txt); mysql_native_password: SHA-1 twice.
"""

from __future__ import annotations

import hashlib
import hmac

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = (
    (0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14), (15, 25, 5), (6, 16, 26), (27, 7, 17),
    (18, 28, 8), (9, 19, 29),
)  # fmt: skip
_SALT = 20


def matches(password: str, kept: str) -> bool:
    """Whether `kept`, what a server keeps instead of a password, was made from `password`."""
    if kept.startswith("*") and len(kept) == 41:
        once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
        made = "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()
        return hmac.compare_digest(made, kept.upper())
    if kept.startswith("$A$") and len(kept) >= 7 + _SALT:
        rounds = int(kept[3:6], 16) * 1000
        salt, digest = kept[7 : 7 + _SALT], kept[7 + _SALT :]
        made = sha256_crypt(password.encode(), salt.encode("utf-8", "surrogateescape"), rounds)
        return hmac.compare_digest(made.encode(), digest.encode("utf-8", "replace"))
    return False


def is_salted(kept: str) -> bool:
    """Whether nobody can tell from a digest of it what the password is, by trying many."""
    return kept.startswith("$A$")


def sha256_crypt(key: bytes, salt: bytes, rounds: int) -> str:
    """Return the digest of SHA-crypt, in its own base 64."""
    other = hashlib.sha256(key + salt + key).digest()
    first = hashlib.sha256(key + salt)
    first.update(_stretched(other, len(key)))
    length = len(key)
    while length:
        first.update(other if length & 1 else key)
        length >>= 1
    digest = first.digest()
    keys = _stretched(hashlib.sha256(key * len(key)).digest(), len(key))
    salts = _stretched(hashlib.sha256(salt * (16 + digest[0])).digest(), len(salt))
    for at in range(rounds):
        each = hashlib.sha256(keys if at & 1 else digest)
        if at % 3:
            each.update(salts)
        if at % 7:
            each.update(keys)
        each.update(digest if at & 1 else keys)
        digest = each.digest()
    text = "".join(_encoded(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _ORDER)
    return text + _encoded(digest[31] << 8 | digest[30], 3)


def _stretched(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _encoded(number: int, characters: int) -> str:
    return "".join(_ALPHABET[number >> 6 * at & 63] for at in range(characters))
