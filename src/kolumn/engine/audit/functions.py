"""The contract's functions on the audit trail: reading it, and finding out whether somebody changed it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgspec

from kolumn.contract import extensions as x
from kolumn.contract import messages as m
from kolumn.contract.context import Context
from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.times import Timestamp
from kolumn.engine.audit.chain import TRAIL, whole
from kolumn.engine.audit.trail import moment, storable, verify
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.metadata import Condition, Metadata, Scalar

_DEFAULT_LIMIT = 100
_MAX_LIMIT = 1000


class _Cursor(NamedTuple):
    """Where the next page begins: before this entry, of those that pass these filters."""

    before: int
    filters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFunctions(FunctionGroup):
    """GetAuditLog (spec 3.3.1) and VerifyAuditLog, an extension. Both read also where `audit` is off."""

    METHODS: ClassVar[Mapping[str, str]] = {"GetAuditLog": "get", "VerifyAuditLog": "verify"}

    def get(self, context: Context, request: m.AuditRequest) -> m.AuditResponse:
        """Return a page of entries, newest first. Raises ValidationError for a bad cursor or limit."""
        filters = _digest_of(request)
        cursor = _cursor(request.cursor, filters)
        problems = [] if cursor is not None else [_bad_cursor()]
        if request.limit < 0:
            problems.append(Problem("limit must not be negative", code="invalid_range", path="$.limit"))
        if request.since is not None and request.until is not None and request.since > request.until:
            problems.append(
                Problem("since is later than until", code="conflicting_attributes", path="$.since")
            )
        if problems:
            raise ValidationError.of(problems)
        assert cursor is not None
        metadata = self.session.metadata
        if metadata is None:
            return m.AuditResponse(success=True)
        limit = min(request.limit or _DEFAULT_LIMIT, _MAX_LIMIT)
        rows = self._rows(context, metadata, request, cursor, limit + 1)
        more = len(rows) > limit
        entries = tuple(map(_entry, rows[:limit]))
        following = _sealed(_Cursor(whole(rows[limit - 1]["entry_number"]), filters)) if more else ""
        return m.AuditResponse(success=True, entries=entries, next_cursor=following)

    def verify(self, context: Context, request: x.VerifyAuditLogRequest) -> x.VerifyAuditLogResponse:
        """Read the whole trail and return every place where it is not what was written."""
        metadata = self.session.metadata
        if metadata is None:
            return x.VerifyAuditLogResponse(success=True, intact=True)
        anchor = self.trail.anchor
        last, faults = verify(context, metadata, anchor)
        return x.VerifyAuditLogResponse(
            success=True,
            intact=not faults,
            kept=last.entries > 0 or anchor.entries > 0,
            entries=last.entries,
            head=last.digest if last.entries else "",
            faults=tuple(
                x.AuditFault(kind=fault.kind, entry=fault.entry, message=fault.message) for fault in faults
            ),
        )

    def _rows(
        self, context: Context, metadata: Metadata, request: m.AuditRequest, cursor: _Cursor, limit: int
    ) -> list[dict[str, Scalar]]:
        where = [*self._conditions(request), Condition("entry_number", "<", cursor.before)]
        if not request.actor:
            return _newest(context, metadata, where, limit)
        # Either of two columns may name the actor, and a row may be found twice.
        actor = storable(request.actor)
        found = {
            whole(row["entry_number"]): row
            for column in ("actor", "os_user")
            for row in _newest(context, metadata, [*where, Condition(column, "=", actor)], limit)
        }
        return [found[number] for number in sorted(found, reverse=True)[:limit]]

    def _conditions(self, request: m.AuditRequest) -> list[Condition]:
        where = []
        if request.since is not None:
            where.append(Condition("noted_at", ">=", moment(Timestamp.of(request.since))))
        if request.until is not None:
            where.append(Condition("noted_at", "<", moment(Timestamp.of(request.until))))
        if request.resource_type:
            type_ = self.registry.get(request.resource_type).type
            where.append(Condition("resource_type", "=", type_))
        for column, value in (("resource_name", request.name), ("action", request.action)):
            if value:
                where.append(Condition(column, "=", storable(value)))
        return where


def _newest(
    context: Context, metadata: Metadata, where: Sequence[Condition], limit: int
) -> list[dict[str, Scalar]]:
    return metadata.select(context, TRAIL, where, order=["entry_number"], descending=True, limit=limit)


def _entry(row: Mapping[str, Scalar]) -> m.AuditEntry:
    outcome = _text(row, "outcome")
    return m.AuditEntry(
        id=_text(row, "entry_number"),
        time=_time(_text(row, "noted_at")),
        actor=_text(row, "actor"),
        action=_text(row, "action"),
        resource_type=_text(row, "resource_type"),
        name=_text(row, "resource_name"),
        success=outcome in ("succeeded", "partial"),
        outcome=outcome,
        function=_text(row, "function_name"),
        call_id=_text(row, "call_id"),
        os_user=_text(row, "os_user"),
        host=_text(row, "host"),
        application=_text(row, "application"),
        plan_fingerprint=_text(row, "fingerprint"),
        duration=whole(row["duration"]),
        statements=tuple(map(str, _read(_text(row, "statements"), list))),
        before=_read(_text(row, "before_change"), dict),
        after=_read(_text(row, "after_change"), dict),
        error=_text(row, "error"),
        previous_hash=_text(row, "previous_hash"),
        hash=_text(row, "entry_hash"),
    )


def _text(row: Mapping[str, Scalar], column: str) -> str:
    value = row[column]
    return "" if value is None else str(value)


def _read(text: str, kind: type[Any]) -> Any:
    """Return the JSON of a column; what is none, because somebody changed it, as empty."""
    if not text:
        return kind()
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return kind()


def _time(text: str) -> Timestamp:
    try:
        return Timestamp.parse(text)
    except ValueError:
        return Timestamp(1, 1, 1)


def _digest_of(request: m.AuditRequest) -> str:
    """Return what tells one set of filters from another."""
    filters = msgspec.json.encode(msgspec.structs.replace(request, cursor="", limit=0), enc_hook=str)
    return hashlib.sha256(filters).hexdigest()[:16]


def _sealed(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _cursor(text: str, filters: str) -> _Cursor | None:
    """Return where a cursor points; None for one that is none of these filters'."""
    if not text:
        return _Cursor(2**62, filters)
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(decoded, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return cursor if cursor.filters == filters and 0 < cursor.before < 2**62 else None


def _bad_cursor() -> Problem:
    return Problem(
        "the cursor is no next_cursor of a page with these filters",
        code="invalid_cursor",
        path="$.cursor",
        hint="Leave it out to begin with the newest entry.",
    )
