"""The connection to a provider's process. One thread runs the connections of all providers of this process."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache
from typing import Any, Final, TypeVar

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Status
from grpclib.encoding.proto import ProtoStatusDetailsCodec
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.metadata import Deadline
from h2.settings import SettingCodes

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.rpc import certificates, protocol
from kolumn.rpc.codec import CONFIGURATION, LimitedCodec
from kolumn.rpc.status import to_error
from kolumn.rpc.wire import provider_pb2 as wire
from kolumn.rpc.wire.grpc_controller_grpc import GRPCControllerStub
from kolumn.rpc.wire.grpc_controller_pb2 import Empty
from kolumn.rpc.wire.provider_grpc import ProviderStub

T = TypeVar("T")

_CONNECTING: Final = 10.0
"""Seconds for connection and TLS: the process listens already."""
_numbers = itertools.count(1)


class Broken(Exception):
    """The connection is gone."""


class Unanswered(Exception):
    """A call goes on although its time is over and it was told to end."""


class Connection:
    """Speaks to one process. Methods may be called from any thread but the connections' own."""

    def __init__(self, handshake: protocol.Handshake, identity: certificates.Identity) -> None:
        """Connect. Raises Broken."""
        try:
            security = certificates.for_client(identity, handshake.certificate)
            self._channel = _run(_connect(handshake, security), _CONNECTING)
        except (OSError, ValueError, TimeoutError) as error:
            raise Broken(str(error) or type(error).__name__) from error
        self._provider = ProviderStub(self._channel)

    def schema(self, patience: float) -> bytes:
        """Return the JSON of the schema."""
        request = wire.SchemaRequest()
        context = Context.background().with_timeout(patience)
        reply: wire.SchemaResponse = self._call(context, self._provider.Schema, request, patience)
        return reply.schema

    def configure(self, context: Context, config: bytes, patience: float) -> None:
        """Configure."""
        self._call(context, self._provider.Configure, wire.ConfigureRequest(config=config), patience)

    def call_function(self, context: Context, function: str, input_: bytes, patience: float) -> bytes:
        """Call a function of the contract."""
        request = wire.CallFunctionRequest(function=function, input=input_)
        reply: wire.CallFunctionResponse = self._call(context, self._provider.CallFunction, request, patience)
        return reply.output

    def close_provider(self, patience: float) -> None:
        """Have the provider close what it has open."""
        context = Context.background().with_timeout(patience)
        self._call(context, self._provider.Close, wire.CloseRequest(), 0)

    def shut_down(self, patience: float) -> None:
        """Ask the process to end, and leave it."""
        with suppress(Exception):  # it is ended in other ways if it does not hear
            _run(_asked(GRPCControllerStub(self._channel).Shutdown, Empty()), patience)
        self.leave()

    def leave(self) -> None:
        """Close the connection."""
        _loop().call_soon_threadsafe(self._channel.close)

    def _call(self, context: Context, method: Any, request: Any, patience: float) -> Any:
        """Make a call, `patience` seconds longer than its context lasts.

        Raises what the provider raises, Broken, Unanswered.
        """
        context.check()
        name = str(next(_numbers))
        loop = _loop()
        future = asyncio.run_coroutine_threadsafe(_answer(method, request, context, name), loop)

        def over() -> None:
            # The provider ends a call at its deadline by itself; of a cancellation it has to be told.
            if context.cancelled:
                stop = _asked(self._provider.Stop, wire.StopRequest(call=name))
                asyncio.run_coroutine_threadsafe(stop, loop)
            loop.call_soon_threadsafe(loop.call_later, patience, future.cancel)

        forget = context.on_cancel(over)
        try:
            return future.result()
        except CancelledError:
            raise Unanswered from None
        except GRPCError as failure:
            raise _failure(failure) from None
        except KolumnError:
            raise
        except (StreamTerminatedError, ProtocolError, OSError, EOFError, AttributeError) as error:
            # AttributeError: how grpclib fails on a connection that went away between two of its steps.
            raise Broken(str(error)) from error
        finally:
            forget()


async def _connect(handshake: protocol.Handshake, security: Any) -> Channel:
    host, _, port = handshake.address.rpartition(":")
    where: dict[str, Any] = (
        {"path": handshake.address} if handshake.network == "unix" else {"host": host, "port": int(port)}
    )
    channel = Channel(
        **where,
        ssl=security,
        codec=LimitedCodec(),
        status_details_codec=ProtoStatusDetailsCodec(),
        config=CONFIGURATION,
    )
    connected = (await channel.__connect__()).connection
    # An error travels in headers, and one that lists many faults needs more room than HTTP/2 gives by default.
    # grpclib does not pass the setting through.
    connected._connection.update_settings({SettingCodes.MAX_HEADER_LIST_SIZE: protocol.HEADER_LIMIT})  # noqa: SLF001
    connected.flush()
    return channel


async def _answer(method: UnaryUnaryMethod[Any, Any], request: Any, context: Context, name: str) -> Any:
    async with method.open(metadata={protocol.CALL_KEY: name}) as stream:
        left = context.remaining()
        if left is not None:
            # What the provider is told. The caller waits longer, for what the provider says about it, so the
            # deadline is not given to `open`, which would make it the caller's as well.
            stream._deadline = Deadline.from_timeout(max(left, 0.001))  # noqa: SLF001
        await stream.send_message(request)
        answer = await stream.recv_message()
        await stream.recv_trailing_metadata()
    if answer is None:
        raise GRPCError(Status.INTERNAL, "the provider gave no answer")
    return answer


async def _asked(method: Callable[[Any], Awaitable[T]], request: Any) -> T:
    return await method(request)


def _failure(failure: GRPCError) -> KolumnError:
    """Return the error of a status, also of one that is not the provider's but its gRPC library's."""
    if (error := to_error(failure)) is not None:
        return error
    message = f"{failure.status.name}: {failure.message or 'no reason given'}"
    match failure.status:
        case Status.DEADLINE_EXCEEDED:
            return OperationError("The operation took longer than it may.", code="deadline_exceeded")
        case Status.CANCELLED:
            return OperationError("The operation was cancelled.", code="cancelled")
    return OperationError(f"The provider answered with {message}.", code="provider_protocol")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of all connections, running in a thread that ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="kolumn-rpc", daemon=True).start()
    return loop


def _run(work: Coroutine[Any, Any, T], patience: float) -> T:
    """Run `work` in the thread of the connections. Raises TimeoutError."""

    async def limited() -> T:
        async with asyncio.timeout(patience):
            return await work

    return asyncio.run_coroutine_threadsafe(limited(), _loop()).result()
