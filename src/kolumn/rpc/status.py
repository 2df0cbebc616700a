"""Errors of the contract as gRPC statuses, and back (spec 9.2, 9.3)."""

from __future__ import annotations

from typing import Final

import msgspec
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from kolumn.contract import codec
from kolumn.contract.errors import (
    ConnectionError,
    KolumnError,
    OperationError,
    PermissionError,
    StateError,
    ValidationError,
)
from kolumn.contract.messages import ErrorResponse
from kolumn.rpc.protocol import DETAILS_LIMIT
from kolumn.rpc.wire import provider_pb2

_BY_CODE: Final = {
    "unsupported_function": Status.UNIMPLEMENTED,
    "cancelled": Status.CANCELLED,
    "deadline_exceeded": Status.DEADLINE_EXCEEDED,
    "internal_error": Status.INTERNAL,
}
_BY_CATEGORY: Final[dict[type[KolumnError], Status]] = {
    ValidationError: Status.INVALID_ARGUMENT,
    ConnectionError: Status.UNAVAILABLE,
    OperationError: Status.ABORTED,
    StateError: Status.FAILED_PRECONDITION,
    PermissionError: Status.PERMISSION_DENIED,
}
_MESSAGE_LIMIT: Final = 2000
"""Characters of the status message; the details have all of it."""


def to_status(error: KolumnError) -> GRPCError:
    """Return the status that tells of `error`, with the contract's ErrorResponse in its details."""
    status = _BY_CODE.get(error.code) or _BY_CATEGORY.get(type(error), Status.UNKNOWN)
    message = error.message[:_MESSAGE_LIMIT]
    return GRPCError(status, message, [provider_pb2.ErrorResponse(json=_encoded(error))])


def to_error(failure: GRPCError) -> KolumnError | None:
    """Return the error a status tells of; None for one that has no ErrorResponse in its details."""
    for detail in failure.details or ():
        if isinstance(detail, provider_pb2.ErrorResponse):
            return codec.to_error(codec.decode(ErrorResponse, detail.json))
    return None


def _encoded(error: KolumnError) -> bytes:
    """Return the ErrorResponse's JSON, with as many of the problems as the headers of an answer have room for."""
    response = codec.error_response(error)
    encoded = codec.encode(response)
    problems = list(error.problems)
    while len(encoded) > DETAILS_LIMIT and problems:
        del problems[len(problems) // 2 :]
        left_out = len(error.problems) - len(problems)
        details = {**response.details, "problems": [each.to_json() for each in problems]}
        text = f"{error.message[:_MESSAGE_LIMIT]} ({left_out} more are not listed here)"
        encoded = codec.encode(msgspec.structs.replace(response, error=text, details=details))
    if len(encoded) > DETAILS_LIMIT:
        encoded = codec.encode(
            ErrorResponse(
                error=error.message[:_MESSAGE_LIMIT], code=error.code, details={"category": error.category}
            )
        )
    return encoded
