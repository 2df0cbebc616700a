"""Masking of secrets in text that leaves the process: errors, logs, plans (spec 9.1, 10.4).

Two nets, and neither needs the caller to remember anything: what looks like a secret (a password in a URL,
a `password=...` pair, a token, a private key), and what is known to be one (`register_secret`, every live
SecureString). When in doubt more is masked than needed.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

REDACTED = "[REDACTED]"

_MIN_KNOWN_LENGTH = 4
_MAX_KNOWN = 1024
_MAX_DEPTH = 64

_NAMES = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|(?<!unrecognized )token"
    r"|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|encryption[_-]?key|credentials?|authorization)"
)
_QUOTED = r"\"(?:[^\"\\]|\\.)*(?:\"|$)|'(?:[^'\\]|\\.|'')*(?:'|$)|\{[^}]{0,1024}\}"

# Up to the last @ before a blank: a password may hold @, / and : without being escaped. Repetitions have
# limits, so that no text makes matching slow.
_URL_PASSWORD = re.compile(r"(://[^\s/:@?#'\"]*:)\S{1,2048}(?=@)")
_HTTP_TOKEN = re.compile(r"(https?://)[^\s/:@?#'\"]{1,2048}(?=@)", re.IGNORECASE)
# Prose about a field ("password: required field is missing") and a parser's words (near "token": syntax
# error) are let through; they name no value.
_PROSE = r"(?:is|must|was|has|should|cannot|expected|required|missing|unknown|invalid|not|this|the)\b"
_KEY_VALUE = re.compile(
    rf"(?i)(?<![\w.-])(?<!near [\"'])([\w.-]*{_NAMES}[\"'`\]]*(?:\s*(?:=>|:=|=)\s*|\s*:\s*(?!\s|{_PROSE})))"
    rf"(?!{re.escape(REDACTED)})((?:bearer|basic|digest)\s+\S+|{_QUOTED}|\S+)"
)
_SQL_PASSWORD = re.compile(
    r"(?i)(\b(?:identified\s+(?:with\s+\S+\s+)?(?:by|as)(?:\s+password)?|password)(?:\s+|\s*\(\s*))"
    r"('(?:[^'\\]|\\.|'')*(?:'|$)|\"(?:[^\"\\]|\\.|\"\")*(?:\"|$))"
)
_TOKEN = re.compile(
    r"\b(?:(?:sk|token)-[A-Za-z0-9_-]{4,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|xox[abprs]-[\w-]{8,}"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)|(?i:\bbearer\s+)[\w.~+/=-]{8,}"
)
_CLUES = (
    "pass", "pwd", "secret", "token", "credential", "authorization", "identified", "bearer",
    "_key", "-key", "ikey", "skey", "tkey", "ekey", "nkey", "sk-", "gh", "github", "xox", "eyj",
)  # fmt: skip
"""In lower case: one of these is in every text that `_KEY_VALUE`, `_SQL_PASSWORD` or `_TOKEN` matches."""
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)

_SECRET_NAME = re.compile(
    r"(?:^|[_.-])(?:pass|password|passwd|passphrase|passcode|pwd|secret|secrets|token|credential|credentials"
    r"|authorization|dsn|cookie|(?:api|access|account|private|encryption|secret)_?key|connection_(?:string|url|uri))"
    r"(?:$|[_.-](?:key|value|text|b64|base64|json|file_content|\d+)$)|(?:password|passwd|secret|apikey)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Revealing(Protocol):
    """Something that holds a secret text, such as SecureString."""

    def reveal(self) -> str:
        """Return the text, empty once cleared."""
        ...


_texts: dict[str, None] = {}
_holders: weakref.WeakValueDictionary[int, Revealing] = weakref.WeakValueDictionary()


def register_secret(secret: str | Revealing) -> None:
    """Make `mask` replace this text wherever it appears.

    A holder is remembered only as long as it lives, a plain text until 1024 newer ones came; texts under four
    characters are not taken, they would blank out half of every message.
    """
    if not isinstance(secret, str):
        _holders[id(secret)] = secret
    elif len(secret) >= _MIN_KNOWN_LENGTH:
        _texts.pop(secret, None)
        _texts[secret] = None
        while len(_texts) > _MAX_KNOWN:
            _texts.pop(next(iter(_texts)), None)


def _known() -> list[str]:
    known = list(_texts)
    for reference in _holders.valuerefs():
        holder = reference()
        if holder is not None and len(text := holder.reveal()) >= _MIN_KNOWN_LENGTH:
            known.append(text)
    # Longest first, so that no rest of a secret stays when one contains another.
    known.sort(key=len, reverse=True)
    return known


def mask(text: str) -> str:
    """Return `text` with each secret in it replaced by `[REDACTED]`. Masking twice changes nothing."""
    for secret in _known():
        if secret in text:
            text = text.replace(secret, REDACTED)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1{REDACTED}", text)
        text = _HTTP_TOKEN.sub(rf"\1{REDACTED}", text)
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(REDACTED, text)
    if not _may_hold_secret(text):
        return text
    text = _KEY_VALUE.sub(rf"\1{REDACTED}", text)
    text = _SQL_PASSWORD.sub(rf"\1{REDACTED}", text)
    return _TOKEN.sub(REDACTED, text)


def _may_hold_secret(text: str) -> bool:
    """Whether one of the slow patterns could match; most texts of a plan are passed over here."""
    if not text.isascii():
        return True  # ignoring case, patterns take a few letters beyond ASCII for ASCII ones
    folded = text.lower()
    return any(map(folded.__contains__, _CLUES))


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is taken to hold a secret: `password`, `apiKey`, `DB_PASSWORD`, `dsn`."""
    return _SECRET_NAME.search(_CAMEL.sub("_", name).lower().replace(" ", "_")) is not None


def mask_data(value: Any, *, _depth: int = 0) -> Any:
    """Return JSON-like `value` with every text masked and every secretly named field replaced.

    Maps come back as dict, sequences as list; anything else, and what is nested over 64 deep, as masked text.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return mask(value)
    if _depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {
                mask(str(key)): REDACTED
                if item not in (None, "") and is_secret_name(str(key))
                else mask_data(item, _depth=_depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            return [mask_data(item, _depth=_depth + 1) for item in value]
    return mask(str(value))
