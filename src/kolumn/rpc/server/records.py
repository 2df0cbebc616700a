"""Log records as JSON lines on standard error, in the shape of hclog, which a go-plugin host understands.

They are masked already (`kolumn.contract.logs`); the host masks them once more.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from kolumn.contract.logs import Level, Logger, configure_logging, subscribe

_LINE_LIMIT: Final = 60_000
"""Bytes: go-plugin reads lines of up to 64 KiB."""
_writing = threading.Lock()


def begin() -> None:
    """Write every record from the level of KOLUMN_LOG on, `info` without it; libraries' warnings as well."""
    chosen = os.environ.get("KOLUMN_LOG", "").strip().lower()
    level: Level = "info"
    match chosen:
        case "debug" | "warn" | "error":
            level = chosen
        case "warning":
            level = "warn"
    configure_logging("off")
    if chosen != "off":
        subscribe(_write, level)
    logging.getLogger().addHandler(_Bridge(logging.WARNING))


def line(logger: str, level: str, event: str, fields: Mapping[str, Any]) -> bytes:
    """Return one record as a line."""
    moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    head = {"@level": level, "@message": event, "@module": logger, "@timestamp": moment}
    rest = {name.lstrip("@") or "_": value for name, value in fields.items()}
    encoded = msgspec.json.encode({**rest, **head}, enc_hook=str)
    if len(encoded) > _LINE_LIMIT:
        head["@message"] = event[: _LINE_LIMIT // 8]
        encoded = msgspec.json.encode({**head, "shortened": True})
    return encoded + b"\n"


def _write(logger: str, level: Level, event: str, fields: Mapping[str, Any]) -> None:
    left = memoryview(line(logger, level, event, fields))
    with _writing, suppress(OSError):
        while left:
            left = left[os.write(2, left) :]


class _Bridge(logging.Handler):
    """Passes on what libraries log with Python's own logging."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one record."""
        logger = Logger(record.name)
        with suppress(Exception):
            text = record.getMessage()
            if record.exc_info and record.exc_info[1] is not None:
                text = f"{text}: {record.exc_info[1]!r}"
            (logger.error if record.levelno >= logging.ERROR else logger.warn)(text)
