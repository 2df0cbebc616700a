"""The four methods of the contract as a gRPC service: bytes in and bytes out, nothing decided here."""

from __future__ import annotations

from typing import Any

import msgspec

from kolumn.contract.codec import encode
from kolumn.contract.context import Context
from kolumn.contract.errors import ValidationError
from kolumn.contract.provider import Provider
from kolumn.rpc.server.calls import AnyStream, Calls
from kolumn.rpc.wire import provider_pb2 as wire
from kolumn.rpc.wire.provider_grpc import ProviderBase


class ProviderService(ProviderBase):
    """Answers for one provider."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def Configure(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Check the settings and connect."""
        request = await _request(stream)

        def work(provider: Provider, context: Context) -> wire.ConfigureResponse:
            provider.configure(context, _settings(request.config))
            return wire.ConfigureResponse()

        await self._calls.answer(stream, work)

    async def Schema(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Return every resource type."""
        await _request(stream)

        def work(provider: Provider, _: Context) -> wire.SchemaResponse:
            return wire.SchemaResponse(schema=encode(provider.schema()))

        await self._calls.answer(stream, work)

    async def CallFunction(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Run one function of the contract."""
        request = await _request(stream)

        def work(provider: Provider, context: Context) -> wire.CallFunctionResponse:
            output = provider.call_function(context, request.function, request.input)
            return wire.CallFunctionResponse(output=output)

        await self._calls.answer(stream, work)

    async def Close(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """Close connections and forget credentials."""
        await _request(stream)

        def work(provider: Provider, _: Context) -> wire.CloseResponse:
            provider.close()
            return wire.CloseResponse()

        await self._calls.answer(stream, work)

    async def Stop(self, stream: AnyStream) -> None:  # noqa: N802 - the service's name
        """End a call so that it still answers."""
        self._calls.stop((await _request(stream)).call)
        await stream.send_message(wire.StopResponse())


async def _request(stream: AnyStream) -> Any:
    request = await stream.recv_message()
    assert request is not None, "a unary call has a message"
    return request


def _settings(config: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(config) if config.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValidationError("the provider's configuration is not JSON", code="invalid_json") from None
    if not isinstance(found, dict):
        raise ValidationError("the provider's configuration must be an object", code="wrong_type")
    return found
