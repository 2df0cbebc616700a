"""Times as they travel: RFC 3339 in UTC, written the way Go's RFC3339Nano writes them (spec 8.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", flags=re.ASCII
)


class Timestamp(datetime):
    """A moment in UTC that prints as `2025-12-15T10:30:00Z` or `2025-12-15T10:30:00.25Z`.

    It is a `datetime` of its own type because msgspec writes plain ones with six digits of fraction,
    where Go leaves out trailing zeros. Digits beyond the microsecond are cut off when reading.
    """

    __slots__ = ()

    @classmethod
    def utc_now(cls) -> Timestamp:
        """Return the current time."""
        return cls.now(UTC)

    @classmethod
    def of(cls, moment: datetime) -> Timestamp:
        """Return `moment` in UTC; one without a time zone is taken as UTC already."""
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return cls.combine(moment.date(), moment.time(), UTC)

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        """Read RFC 3339 text with any offset; ValueError for anything else."""
        match = _RFC3339.fullmatch(text)
        if match is None:
            raise ValueError("expected a time like 2025-12-15T10:30:00Z")
        *numbers, fraction, offset = match.groups()
        microsecond = int(f"{fraction or '':0<6}"[:6])
        zone = UTC
        if offset not in ("Z", "z"):
            minutes = int(offset[1:3]) * 60 + int(offset[4:])
            zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
        year, month, day, hour, minute, second = map(int, numbers)
        try:
            return cls.of(datetime(year, month, day, hour, minute, second, microsecond, zone))
        except OverflowError as error:
            raise ValueError("the time is outside the years 1 to 9999") from error

    def __str__(self) -> str:
        moment = self.astimezone(UTC)
        text = datetime.isoformat(moment.replace(tzinfo=None))
        return f"{text.rstrip('0') if moment.microsecond else text}Z"


ZERO_TIME = Timestamp(1, 1, 1, tzinfo=UTC)
"""Go's zero time, which it sends as `0001-01-01T00:00:00Z` where no time was set."""
