"""The six loggers of spec 12: structured, masked whatever the caller passes, and free when switched off.

    HandlerLogger.info("Creating table", table="users", columns=3)
    HandlerLogger.info("Creating table", "table", "users", "columns", 3)    # the specification's spelling

structlog renders what is written and is imported with the first record that is; a level that is off costs one
comparison. Records go to standard error: standard output belongs to the command and to the plugin handshake.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TextIO, TypeAlias

from kolumn.contract.errors import ValidationError
from kolumn.contract.masking import REDACTED, is_secret_name, mask, mask_data, register_secret

__all__ = [
    "ConfigLogger",
    "ConnectionLogger",
    "DiscoveryLogger",
    "DispatchLogger",
    "HandlerLogger",
    "Logger",
    "StateLogger",
    "bound",
    "configure_logging",
    "register_secret",
    "subscribe",
    "wanted_level",
]

Level: TypeAlias = Literal["debug", "info", "warn", "error", "off"]
Format: TypeAlias = Literal["json", "text"]
Listener: TypeAlias = Callable[[str, Level, str, Mapping[str, Any]], None]
"""Receives logger name, level, event and fields, masked already."""

_LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "off": 100}
_NAMES: Mapping[int, Level] = {10: "debug", 20: "info", 30: "warn", 40: "error"}
_ENVIRONMENT = "KOLUMN_LOG"
_RESERVED = frozenset(("event", "level", "logger", "timestamp"))

_bound: ContextVar[Mapping[str, Any]] = ContextVar("kolumn_log_fields", default={})  # noqa: B039


@dataclass(slots=True)
class _Sink:
    """Where records go; one per process, because standard error is."""

    level: int
    format: Format
    stream: TextIO | None
    provider: str
    render: Callable[[dict[str, Any]], str] | None = None


_sink = _Sink(_LEVELS.get(os.environ.get(_ENVIRONMENT, "").strip().lower(), 30), "text", None, "")
_listeners: dict[object, tuple[int, Listener]] = {}
_threshold = _sink.level
_writing = threading.Lock()


def _refresh_threshold() -> None:
    global _threshold
    _threshold = min([_sink.level, *(level for level, _ in list(_listeners.values()))])


def _level_number(level: str, what: str) -> int:
    number = _LEVELS.get(level.strip().lower())
    if number is None:
        raise ValidationError(
            f"{what} is not a log level. Use debug, info, warn, error or off.", code="invalid_log_level"
        )
    return number


def configure_logging(
    level: str = "",
    format: Format = "text",  # noqa: A002 - what every logging library calls it
    stream: TextIO | None = None,
    provider: str = "",
) -> None:
    """Decide what is written, how and where, for the whole process.

    Without `level` the environment variable KOLUMN_LOG decides, without that `warn`. `stream` is standard
    error unless given; `provider` goes into every record. ValidationError for a level that does not exist.
    """
    global _sink
    if level:
        number = _level_number(level, f"{level!r}")
    elif chosen := os.environ.get(_ENVIRONMENT, ""):
        number = _level_number(chosen, f"{_ENVIRONMENT}={chosen!r}")
    else:
        number = _LEVELS["warn"]
    _sink = _Sink(number, format, stream, provider)
    _refresh_threshold()


def wanted_level() -> Level:
    """Return the lowest level that is written or listened to, `off` where nothing is."""
    return _NAMES.get(_threshold, "off")


def subscribe(listener: Listener, level: Level = "info") -> Callable[[], None]:
    """Deliver every record from `level` on to `listener`, in the thread it arises in, whatever is written.

    Returns a function that ends it. What the listener raises is swallowed: watching must not stop the work.
    """
    key = object()
    _listeners[key] = (_LEVELS[level], listener)
    _refresh_threshold()

    def unsubscribe() -> None:
        _listeners.pop(key, None)
        _refresh_threshold()

    return unsubscribe


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Add `fields` (such as `provider`) to every record of this thread or task inside the block."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class Logger:
    """One of the six loggers. Fields come as keywords or as alternating names and values."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def debug(self, event: str, /, *pairs: object, **fields: object) -> None:
        """Record detailed debugging information."""
        if _threshold <= 10:
            _emit(self.name, 10, event, pairs, fields)

    def info(self, event: str, /, *pairs: object, **fields: object) -> None:
        """Record normal operation."""
        if _threshold <= 20:
            _emit(self.name, 20, event, pairs, fields)

    def warn(self, event: str, /, *pairs: object, **fields: object) -> None:
        """Record something to look at."""
        if _threshold <= 30:
            _emit(self.name, 30, event, pairs, fields)

    def error(self, event: str, /, *pairs: object, **fields: object) -> None:
        """Record a failure; `exc_info=True` adds the traceback of the exception being handled."""
        if _threshold <= 40:
            _emit(self.name, 40, event, pairs, fields)


ConfigLogger = Logger("ConfigLogger")
"""Configuration: parsing, validating fields."""
ConnectionLogger = Logger("ConnectionLogger")
"""Database connections."""
HandlerLogger = Logger("HandlerLogger")
"""Operations on resources; the command's progress display listens to it."""
DiscoveryLogger = Logger("DiscoveryLogger")
"""Discovery of resources."""
DispatchLogger = Logger("DispatchLogger")
"""Routing of requests."""
StateLogger = Logger("StateLogger")
"""State: loading and saving."""


def _emit(logger: str, level: int, event: str, pairs: tuple[object, ...], fields: dict[str, object]) -> None:
    given = {**_bound.get(), **_paired(pairs), **fields}
    if _sink.provider:
        given.setdefault("provider", _sink.provider)
    if given.get("exc_info"):
        import traceback  # slow to import, and nearly never needed

        given["exception"] = traceback.format_exc()
    given.pop("exc_info", None)
    event = mask(event)
    masked = {mask(name): _field(name, value) for name, value in given.items()}
    for wanted, listener in list(_listeners.values()):
        if level >= wanted:
            with suppress(Exception):
                listener(logger, _NAMES[level], event, masked)
    if level >= _sink.level:
        _write(_sink, logger, level, event, masked)


def _paired(pairs: tuple[object, ...]) -> dict[str, object]:
    fields = {str(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=False)}
    if len(pairs) % 2:
        fields["extra"] = pairs[-1]
    return fields


def _field(name: str, value: object) -> Any:
    if value is not None and is_secret_name(name):
        return REDACTED
    try:
        if isinstance(value, BaseException):
            return mask(f"{type(value).__name__}: {value}")
        if isinstance(value, (bytes, bytearray)):
            return mask(value.decode("utf-8", "replace"))
        if isinstance(value, timedelta):
            return value.total_seconds()
        return mask_data(value)
    except Exception:  # noqa: BLE001 - a value whose str() fails must not stop the work
        return f"<{type(value).__name__}>"


def _write(sink: _Sink, logger: str, level: int, event: str, fields: Mapping[str, Any]) -> None:
    record: dict[str, Any] = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _NAMES[level],
        "logger": logger,
        "event": event,
    }
    for name, value in fields.items():
        record[f"{name}_" if name in _RESERVED else name] = value
    if sink.render is None:
        sink.render = _renderer(sink.format)
    line = sink.render(record)
    # Looked up late, so that a redirected standard error is the one that is written to.
    stream = sink.stream or sys.stderr
    with _writing, suppress(OSError, ValueError):
        stream.write(line + "\n")
        stream.flush()


def _renderer(format_: Format) -> Callable[[dict[str, Any]], str]:
    if format_ == "json":
        from structlog.processors import JSONRenderer

        json = JSONRenderer(ensure_ascii=False)
        return lambda record: str(json(None, "", record))
    from structlog.processors import LogfmtRenderer

    logfmt = LogfmtRenderer(key_order=("timestamp", "level", "logger", "event"), bool_as_flag=False)
    return lambda record: _printable(
        str(logfmt(None, "", {_word(name): value for name, value in record.items()}))
    )


def _word(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_.-" else "_" for c in name) or "_"


def _printable(line: str) -> str:
    """Escape control characters: a value must neither forge a line nor steer the terminal."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
