"""Dates as RFC 3339 texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from kolumn.config.diagnostics import Fault
from kolumn.config.functions.registry import TEXT, CallContext, function

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_VERBS = re.compile(r"'((?:[^']|'')*)'|Y+|M+|D+|E+|H+|h+|A+|a+|m+|s+|Z+|[^A-Za-z']+|.")


def _parse(text: str) -> datetime:
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text):
            raise ValueError
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise Fault(
            "This is not a time in RFC 3339 form.",
            hint="Write it like 2026-01-31T12:00:00Z.",
            code="bad_time",
        ) from None


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


@function(with_context=True)
def timestamp(context: CallContext) -> str:
    """Return the current time in UTC."""
    context.impure.add("timestamp")
    return _rfc3339(datetime.now(UTC))


@function(TEXT, TEXT)
def timeadd(moment: str, duration: str) -> str:
    """Add a duration such as "1h30m" or "-10s"."""
    sign = -1 if duration.startswith("-") else 1
    rest = duration.lstrip("+-")
    if not rest or _DURATION.sub("", rest):
        raise Fault('timeadd(): this is not a duration such as "1h30m".', code="bad_time")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(rest))
    try:
        return _rfc3339(_parse(moment) + sign * timedelta(seconds=seconds))
    except OverflowError:
        raise Fault("timeadd(): the time is out of range.", code="bad_time") from None


@function(TEXT, TEXT)
def timecmp(first: str, second: str) -> int:
    """Return -1, 0 or 1 as the first time is before, at or after the second."""
    one, other = _parse(first), _parse(second)
    return (one > other) - (one < other)


@function(TEXT, TEXT)
def formatdate(pattern: str, moment: str) -> str:
    """Write a time by a pattern of letters.

    YYYY YY MMMM MMM MM M DD D EEEE EEE HH H hh h AA aa mm m ss s ZZZZZ ZZZZ ZZZ Z.
    """
    when = _parse(moment)
    return "".join(_verb(match, when) for match in _VERBS.finditer(pattern))


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def _verb(match: re.Match[str], when: datetime) -> str:
    verb = match.group()
    if match[1] is not None:
        return match[1].replace("''", "'")
    if not verb[0].isalpha():
        return verb
    offset = when.strftime("%z")
    twelve = when.hour % 12 or 12
    written = {
        "YYYY": f"{when.year:04d}",
        "YY": f"{when.year % 100:02d}",
        "MMMM": _MONTHS[when.month - 1],
        "MMM": _MONTHS[when.month - 1][:3],
        "MM": f"{when.month:02d}",
        "M": str(when.month),
        "DD": f"{when.day:02d}",
        "D": str(when.day),
        "EEEE": _DAYS[when.weekday()],
        "EEE": _DAYS[when.weekday()][:3],
        "HH": f"{when.hour:02d}",
        "H": str(when.hour),
        "hh": f"{twelve:02d}",
        "h": str(twelve),
        "AA": "AM" if when.hour < 12 else "PM",
        "aa": "am" if when.hour < 12 else "pm",
        "mm": f"{when.minute:02d}",
        "m": str(when.minute),
        "ss": f"{when.second:02d}",
        "s": str(when.second),
        "ZZZZZ": f"{offset[:3]}:{offset[3:]}",
        "ZZZZ": offset,
        "ZZZ": "UTC" if offset == "+0000" else offset,
        "Z": "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}",
    }
    if verb not in written:
        raise Fault(
            f"formatdate() has no {verb[:20]}.", hint="Put plain words in single quotes.", code="bad_time"
        )
    return written[verb]
