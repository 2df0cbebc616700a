"""Messages to JSON and back; errors to messages and back (spec 5, 9.3).

Reading is strict about types and tolerant about the rest, as Go is: unknown fields are ignored, `null` means
the zero value (for a required text or message that is: missing), of two equal keys the last one counts, and
no input at all is an empty message. NaN and Infinity are not JSON. Field names are case-sensitive, which Go's
are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, TypeVar

import msgspec

from kolumn.contract.encoding import Message
from kolumn.contract.errors import CATEGORIES, KolumnError, OperationError, Problem, ValidationError
from kolumn.contract.messages import ErrorResponse
from kolumn.contract.times import Timestamp

M = TypeVar("M", bound=Message)


def _to_json(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return _time_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _from_json(type_: type[Any], value: Any) -> Any:
    if type_ is Timestamp and isinstance(value, str):
        return _parse_time(value)
    raise ValueError("expected a time like 2025-12-15T10:30:00Z")


# The resources of one apply share their times, and a state may hold thousands of them.
_parse_time = lru_cache(maxsize=1024)(Timestamp.parse)
_time_text = lru_cache(maxsize=1024)(Timestamp.__str__)

_ENCODER = msgspec.json.Encoder(enc_hook=_to_json)


@cache
def _decoder(type_: type[M]) -> msgspec.json.Decoder[M]:
    return msgspec.json.Decoder(type_, dec_hook=_from_json)


def encode(message: Message) -> bytes:
    """Return the JSON of `message` in UTF-8.

    Raises ValidationError when a free value in it (a `config`, a `state`) has no JSON form. NaN and infinity
    in free values become `null`.
    """
    try:
        return _ENCODER.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else _reason(error)
        raise ValidationError(
            f"{type(message).__name__} cannot be written as JSON: {reason}", code="invalid_value"
        ) from None


def decode(type_: type[M], data: bytes) -> M:
    """Read a message of `type_`; ValidationError with one problem per fault, each with its JSON path."""
    try:
        message: M = _decoder(type_).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        # The quick way stops at the first fault and does not know Go's nulls; look again, slowly.
        return _decode_slowly(type_, data)
    return message


def _decode_slowly(type_: type[M], data: bytes) -> M:
    from kolumn.contract.faults import examine  # only needed when something is odd

    name = type_.__name__
    try:
        value = msgspec.json.decode(data) if data.strip() else None
    except RecursionError:
        raise _broken(name, "it is nested too deeply", "too_deep") from None
    except UnicodeDecodeError as error:
        raise _broken(name, f"byte {error.start} is not UTF-8", "invalid_json") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise _broken(name, _reason(error), "invalid_json") from None
    try:
        problems, value = examine({} if value is None else value, type_)
        if not problems:
            return msgspec.convert(value, type_, dec_hook=_from_json)
    except (msgspec.ValidationError, ValueError) as error:
        problems = [Problem(_reason(error), code="invalid_value", path="$")]
    except RecursionError:
        raise _broken(name, "it is nested too deeply", "too_deep") from None
    found = [f"{problem.path}: {problem.message}" for problem in problems]
    message = found[0] if len(found) == 1 else f"{len(found)} fields are wrong"
    raise ValidationError(
        f"Invalid {name}: {message}",
        code=problems[0].code if len(problems) == 1 else "invalid_message",
        problems=problems,
    )


def _broken(name: str, reason: str, code: str) -> ValidationError:
    problem = Problem(f"not a JSON message: {reason}", code=code, path="$")
    return ValidationError(f"Invalid {name}: {problem.message}", code=code, problems=[problem])


def _reason(error: Exception) -> str:
    text = str(error)
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def error_response(error: KolumnError) -> ErrorResponse:
    """Return the message that tells a peer of `error`."""
    return ErrorResponse(success=False, error=error.message, code=error.code, details=error.details)


def to_error(response: ErrorResponse) -> KolumnError:
    """Rebuild the error a peer told of; an unknown category becomes an OperationError."""
    details = dict(response.details)
    category = details.pop("category", "")
    problems = details.pop("problems", ())
    kind = CATEGORIES.get(category, OperationError) if isinstance(category, str) else OperationError
    return kind(
        response.error or "The provider failed without saying why.",
        code=response.code,
        details=details,
        problems=[Problem.from_json(problem) for problem in problems if isinstance(problem, Mapping)]
        if isinstance(problems, list)
        else (),
    )
