"""A provider's lines on standard error as log records of the host, with the provider's name."""

from __future__ import annotations

from typing import Any

import msgspec

from kolumn.contract.logs import Logger

_PREFIXES = {"[TRACE]": "debug", "[DEBUG]": "debug", "[WARN]": "warn", "[ERROR]": "error"}


def record(line: str, provider: str) -> None:
    """Log one line: a record in hclog's shape as such, anything else as a message of level `info`."""
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("@message"), str):
        level = next((level for prefix, level in _PREFIXES.items() if line.startswith(prefix)), "info")
        _log(Logger("ProviderLogger"), level, line, {"provider": provider})
        return
    logger = Logger(str(fields.pop("@module", "")) or "ProviderLogger")
    event, level = fields.pop("@message"), str(fields.pop("@level", "info"))
    fields.pop("@timestamp", None)
    _log(logger, level, event, {**fields, "provider": provider})


def text(line: str) -> str:
    """Return a line as a person reads it: the message of a record with its fields."""
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return line
    if not isinstance(fields, dict) or "@message" not in fields:
        return line
    rest = " ".join(f"{name}={value}" for name, value in fields.items() if not name.startswith("@"))
    return f"{fields.get('@level', '')}: {fields['@message']} {rest}".strip()


def _log(logger: Logger, level: str, event: str, fields: dict[str, Any]) -> None:
    match level:
        case "trace" | "debug":
            logger.debug(event, **fields)
        case "warn":
            logger.warn(event, **fields)
        case "error":
            logger.error(event, **fields)
        case _:
            logger.info(event, **fields)
