"""What host and provider agree on before they speak gRPC: go-plugin's handshake.

Source: `server.go` and `client.go` of hashicorp/go-plugin. The host starts the executable with a cookie and its
terms in the environment; the provider answers with one line on standard output.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

COOKIE_NAME: Final = "KOLUMN_PLUGIN_MAGIC_COOKIE"
COOKIE: Final = "4c1f8b0e6d2a4f7f9c3e5a7b1d0f2846"
"""Says that the program was started by a host and not by hand. It is no secret."""
VERSIONS: Final = (1,)
"""Versions of `kolumn.provider` spoken here, the lowest first."""
VERSIONS_NAME: Final = "PLUGIN_PROTOCOL_VERSIONS"
CERTIFICATE_NAME: Final = "PLUGIN_CLIENT_CERT"
SOCKET_FOLDER_NAME: Final = "PLUGIN_UNIX_SOCKET_DIR"
SOCKET_GROUP_NAME: Final = "PLUGIN_UNIX_SOCKET_GROUP"
MULTIPLEX_NAME: Final = "PLUGIN_MULTIPLEX_GRPC"
PORT_NAMES: Final = ("PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT")

HOST_FOLDER: Final = "kolumn-host-"
"""How the name of the folder begins that our host gives for sockets; nobody else uses it."""

SERVER_NAME: Final = "localhost"
"""The name in every certificate; it is the certificate itself that is trusted."""
HEALTH_NAME: Final = "plugin"
"""The service go-plugin asks the health of."""
CALL_KEY: Final = "kolumn-call"
"""Metadata that names a call, so that Stop can mean it."""

MESSAGE_LIMIT: Final = 256 * 2**20
"""Bytes of one message; 10,000 tables of 10 columns are some 30 MB."""
HEADER_LIMIT: Final = 2**20
"""Bytes of all headers of an answer. An error travels in them."""
DETAILS_LIMIT: Final = HEADER_LIMIT // 4
"""Bytes of an error's JSON; base64 makes a third more of it."""

_CORE_VERSION: Final = 1


class HandshakeError(ValueError):
    """A line that is no handshake of this protocol."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """Where a provider listens and what it speaks."""

    version: int
    network: str
    """`unix` or `tcp`."""
    address: str
    """The path of the socket, or host:port."""
    certificate: bytes = b""
    """The provider's certificate in DER; empty without TLS."""
    multiplex: bool | None = None
    """Whether further connections share this one; None where the host did not ask."""

    def line(self) -> str:
        """Return the line, without its end."""
        encoded = base64.b64encode(self.certificate).rstrip(b"=").decode()
        fields = [_CORE_VERSION, self.version, self.network, self.address, "grpc", encoded]
        if self.multiplex is not None:
            fields.append("true" if self.multiplex else "false")
        return "|".join(map(str, fields))

    @classmethod
    def parse(cls, line: str) -> Handshake:
        """Read a line. Raises HandshakeError."""
        fields = line.strip().split("|")
        if len(fields) < 4 or not fields[0].isdecimal() or not fields[1].isdecimal():
            raise HandshakeError("its first line is no handshake of a provider")
        if int(fields[0]) != _CORE_VERSION:
            raise HandshakeError(f"it speaks version {fields[0]} of the plugin protocol, not {_CORE_VERSION}")
        if fields[2] not in ("unix", "tcp"):
            raise HandshakeError(f"it listens on {fields[2]!r}, which is neither a Unix socket nor TCP")
        if fields[4:5] != ["grpc"]:
            raise HandshakeError("it does not speak gRPC")
        encoded = fields[5] if len(fields) > 5 else ""
        try:
            certificate = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except binascii.Error:
            raise HandshakeError("its certificate is no base64") from None
        return cls(int(fields[1]), fields[2], fields[3], certificate)


def negotiate(offered: str, known: Iterable[int] = VERSIONS) -> int:
    """Return the highest version both sides know, the lowest of `known` if there is none.

    `offered` is the host's list, `1,2`; what is no number in it is passed over.
    """
    ours = sorted(known, reverse=True)
    theirs = {int(text) for text in map(str.strip, offered.split(",")) if text.isdecimal()}
    return next((version for version in ours if version in theirs), ours[-1])
