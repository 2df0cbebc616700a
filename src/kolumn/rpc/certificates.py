"""Certificates for one connection: self-signed, made anew for every process, each side trusts exactly the other's.

The private key never touches a file: OpenSSL reads it through a pipe.
"""

from __future__ import annotations

import os
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kolumn.rpc.protocol import SERVER_NAME

_LIFETIME = timedelta(days=3650)
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key."""

    certificate: bytes
    """PEM."""
    der: bytes
    key: bytes = field(repr=False)
    """PEM."""


def make() -> Identity:
    """Return a new identity on the curve P-256.

    It is its own authority, as go-plugin's are: a host made with that puts it among its authorities.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, SERVER_NAME),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Kolumn"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_agreement=True,
        key_cert_sign=True,
        content_commitment=False,
        data_encipherment=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        der=certificate.public_bytes(serialization.Encoding.DER),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def for_server(identity: Identity, client: str) -> ssl.SSLContext:
    """Return the settings of a server that lets in whoever has the key of the certificate `client` (PEM).

    Raises ValueError when `client` is no certificate.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity)
    _trust(context, client)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def for_client(identity: Identity, server: bytes) -> ssl.SSLContext:
    """Return the settings of a client that speaks to the holder of the certificate `server` (DER) alone.

    Raises ValueError when `server` is no certificate.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, identity)
    _trust(context, server)
    return context


def _context(protocol: ssl._SSLMethod, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    _load(context, identity)
    return context


def _trust(context: ssl.SSLContext, certificate: str | bytes) -> None:
    try:
        context.load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"not a certificate: {error}") from None


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    """Give OpenSSL the key. It only reads files, so it gets the reading end of a pipe by its name."""
    if not os.path.exists("/dev/fd"):  # noqa: PTH110 - no such thing on Windows: a private file for a moment
        _load_file(context, identity)
        return
    with _Pipe(identity.certificate) as certificate, _Pipe(identity.key) as key:
        context.load_cert_chain(certificate, key)


class _Pipe:
    """A name under which `content` can be read once."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __enter__(self) -> str:
        self._reading, self._writing = os.pipe()
        # A thread, so that nothing depends on how much a pipe holds.
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        return f"/dev/fd/{self._reading}"

    def __exit__(self, *_: object) -> None:
        os.close(self._reading)
        self._thread.join()

    def _write(self) -> None:
        with open(self._writing, "wb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
            try:
                pipe.write(self._content)
            except OSError:
                return  # nobody reads: OpenSSL has said why


def _load_file(context: ssl.SSLContext, identity: Identity) -> None:
    import tempfile
    from pathlib import Path

    handle, name = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(identity.certificate + identity.key)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
