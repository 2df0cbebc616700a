"""Digests and identifiers."""

from __future__ import annotations

import hashlib
import uuid as uuids

from kolumn.config.diagnostics import Fault
from kolumn.config.functions.registry import TEXT, CallContext, function

_NAMESPACES = {
    "dns": uuids.NAMESPACE_DNS,
    "url": uuids.NAMESPACE_URL,
    "oid": uuids.NAMESPACE_OID,
    "x500": uuids.NAMESPACE_X500,
}


@function(TEXT)
def md5(text: str) -> str:
    """Return the MD5 digest in hexadecimal; not for security."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@function(TEXT)
def sha1(text: str) -> str:
    """Return the SHA-1 digest in hexadecimal; not for security."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@function(TEXT)
def sha256(text: str) -> str:
    """Return the SHA-256 digest in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@function(TEXT)
def sha512(text: str) -> str:
    """Return the SHA-512 digest in hexadecimal."""
    return hashlib.sha512(text.encode()).hexdigest()


@function(TEXT, TEXT)
def uuidv5(namespace: str, name: str) -> str:
    """Return the UUID of a name in a namespace (dns, url, oid, x500 or a UUID)."""
    try:
        return str(uuids.uuid5(_NAMESPACES.get(namespace) or uuids.UUID(namespace), name))
    except ValueError:
        raise Fault(
            "uuidv5(): the namespace is dns, url, oid, x500 or a UUID.", code="out_of_range"
        ) from None


@function(with_context=True)
def uuid(context: CallContext) -> str:
    """Return a new random UUID each time."""
    context.impure.add("uuid")
    return str(uuids.uuid4())
