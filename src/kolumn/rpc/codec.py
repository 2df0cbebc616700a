"""Protobuf messages within the limit both sides keep to."""

from __future__ import annotations

from typing import Any

from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError

from kolumn.contract.errors import OperationError
from kolumn.rpc.protocol import MESSAGE_LIMIT, SERVER_NAME

_WINDOW = 64 * 2**20

CONFIGURATION = Configuration(
    # Large windows: both ends are on one machine, and a plan is one large message each way.
    http2_connection_window_size=_WINDOW,
    http2_stream_window_size=_WINDOW,
    ssl_target_name_override=SERVER_NAME,
)
"""How both sides speak HTTP/2."""


class LimitedCodec(ProtoCodec):
    """Refuses messages that are too large."""

    def encode(self, message: Any, message_type: Any) -> bytes:
        """Return the bytes. Raises OperationError `message_too_large`."""
        data: bytes = super().encode(message, message_type)
        if len(data) > MESSAGE_LIMIT:
            raise OperationError(
                f"A message of {len(data) >> 20} MiB is too large for a provider in a process of its own; "
                f"the limit is {MESSAGE_LIMIT >> 20} MiB. Use --in-process, or plan less at once (--target).",
                code="message_too_large",
            )
        return data

    def decode(self, data: bytes, message_type: Any) -> Any:
        """Return the message. Raises GRPCError."""
        if len(data) > MESSAGE_LIMIT:
            raise GRPCError(Status.RESOURCE_EXHAUSTED, f"a message is larger than {MESSAGE_LIMIT >> 20} MiB")
        return super().decode(data, message_type)
