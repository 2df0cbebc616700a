"""The services that a host made with go-plugin expects beside the provider's own."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.health.v1.health_grpc import HealthBase
from grpclib.health.v1.health_pb2 import HealthCheckResponse

from kolumn.rpc.protocol import HEALTH_NAME
from kolumn.rpc.server.calls import AnyStream
from kolumn.rpc.wire.grpc_broker_grpc import GRPCBrokerBase
from kolumn.rpc.wire.grpc_broker_pb2 import ConnInfo
from kolumn.rpc.wire.grpc_controller_grpc import GRPCControllerBase
from kolumn.rpc.wire.grpc_controller_pb2 import Empty
from kolumn.rpc.wire.grpc_stdio_grpc import GRPCStdioBase
from kolumn.rpc.wire.grpc_stdio_pb2 import StdioData

_SERVICES: Final = ("", HEALTH_NAME, "kolumn.provider.v1.Provider")
_CHUNK: Final = 1024
_KEPT: Final = 64
"""Chunks of output that are kept until a host asks for them."""


class Health(HealthBase):
    """Says that the process serves; without it a host's Ping fails."""

    async def Check(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Answer at once."""
        await stream.send_message(await self._response(stream))

    async def Watch(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Answer, and again when that changes: never, as long as the process lives."""
        await stream.send_message(await self._response(stream))
        await asyncio.Event().wait()

    async def _response(self, stream: AnyStream) -> HealthCheckResponse:
        request = await stream.recv_message()
        if request is None or request.service not in _SERVICES:
            raise GRPCError(Status.NOT_FOUND, "no such service")
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)


class Controller(GRPCControllerBase):
    """Ends the process when the host asks for it; without it a host waits two seconds and kills."""

    def __init__(self, shut_down: Callable[[], None]) -> None:
        self._shut_down = shut_down

    async def Shutdown(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Answer, then end."""
        await stream.recv_message()
        await stream.send_message(Empty())
        await stream.send_trailing_metadata()
        asyncio.get_running_loop().call_soon(self._shut_down)


class Broker(GRPCBrokerBase):
    """Keeps the stream a host opens for further connections; the provider service wants none."""

    async def StartStream(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Refuse what is knocked for, and stay as long as the host does."""
        await stream.send_initial_metadata()
        async for info in stream:
            if info.knock.knock:
                refusal = ConnInfo.Knock(knock=True, ack=False, error="this provider has no such connection")
                await stream.send_message(ConnInfo(service_id=info.service_id, knock=refusal))


class Output:
    """What this process prints although standard output belongs to the handshake: kept for the host."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque(maxlen=_KEPT)
        self._there = asyncio.Event()

    def take_over(self, descriptor: int) -> int:
        """Make what is written to `descriptor` come here; return where it led before."""
        before = os.dup(descriptor)
        reading, writing = os.pipe()
        os.dup2(writing, descriptor)
        os.close(writing)
        os.set_blocking(reading, False)
        asyncio.get_running_loop().add_reader(reading, self._read, reading)
        return before

    async def next(self) -> bytes:
        """Return the next chunk once there is one."""
        while not self._chunks:
            self._there.clear()
            await self._there.wait()
        return self._chunks.popleft()

    def _read(self, reading: int) -> None:
        if chunk := os.read(reading, _CHUNK):
            self._chunks.append(chunk)
            self._there.set()


class Stdio(GRPCStdioBase):
    """Streams what libraries print."""

    def __init__(self, output: Output) -> None:
        self._output = output

    async def StreamStdio(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Stream until the host goes."""
        await stream.recv_message()
        await stream.send_initial_metadata()
        while True:
            await stream.send_message(StdioData(channel=StdioData.STDOUT, data=await self._output.next()))
