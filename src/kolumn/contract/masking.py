"""Masking of secrets in text that leaves the process: errors, logs, plans (spec 9.1, 10.4)."""

from __future__ import annotations

import re

REDACTED = "[REDACTED]"

_URL_PASSWORD = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@")
_KEY_VALUE = re.compile(
    r"(?i)\b(pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)"
    r"(\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&]+)"
)
_TOKEN = re.compile(r"\b(?:sk|token)-[A-Za-z0-9_-]{4,}")


def mask(text: str) -> str:
    """Return `text` with passwords in URLs and `key=value` pairs, and tokens, replaced."""
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    text = _KEY_VALUE.sub(rf"\1\2{REDACTED}", text)
    return _TOKEN.sub(REDACTED, text)
