"""Writing the audit trail: entries, who made them, and the state's knowledge of how many there are."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec

from kolumn.contract import identity
from kolumn.contract.context import Context
from kolumn.contract.errors import PermissionError, StateError
from kolumn.contract.logs import HandlerLogger
from kolumn.contract.masking import is_secret_name, mask, mask_data
from kolumn.contract.times import Timestamp
from kolumn.engine.audit.chain import HEAD, NOTHING, TRAIL, Fault, Head, Verification, linked, whole
from kolumn.engine.metadata import Condition, Metadata, Scalar
from kolumn.engine.operations import Statement
from kolumn.engine.session import Session
from kolumn.engine.state.store import StateStore

Outcome = Literal["started", "partial", "succeeded", "failed", "undone"]
"""`started`: the intent, before anything runs; `partial`: stands, and more of the same resource follows."""

_ANCHOR = "audit"
"""Where in the state's metadata the head is kept: `{"trail": ..., "entries": ..., "hash": ...}`."""
_NAME = "trail"
"""The key of the head's only row."""
_CHECKED = 10_000
"""How many of the last entries are verified before something new is written."""
_PAGE = 2000
_KEY = re.compile(r'"([^"]*)":')
_is_secret_name = lru_cache(maxsize=4096)(is_secret_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done, as it is noted. Texts are masked when they are written."""

    function: str
    """The contract's function, e.g. `Apply`."""
    action: str
    """`create`, `update`, `delete`, or what the function does as a whole, e.g. `apply`."""
    outcome: Outcome
    resource_type: str = ""
    resource_name: str = ""
    """What the host calls the resource."""
    statements: Sequence[Statement] = ()
    """What ran; parameters are never written."""
    error: str = ""
    duration: int = 0
    """Nanoseconds."""
    fingerprint: str = ""
    """Of the plan."""
    before: Mapping[str, Any] = field(default_factory=dict)
    """What changed, by attribute, as it was; sensitive attributes already replaced."""
    after: Mapping[str, Any] = field(default_factory=dict)


class Trail:
    """The audit trail of one session's database; does nothing where it is switched off or cannot be kept.

    Whoever writes to it must hold the session's lock `apply`: one entry follows the other.
    """

    def __init__(self, session: Session, state: StateStore, *, enabled: bool = True) -> None:
        self._session = session
        self._state = state
        self._metadata: Metadata | None = session.metadata if enabled else None

    @property
    def is_kept(self) -> bool:
        """Whether entries are written."""
        return self._metadata is not None

    @property
    def anchor(self) -> Head:
        """The head that the state knows, NOTHING where it knows none."""
        return read_anchor(self._state)

    def record(self, context: Context, *entries: Entry) -> None:
        """Write entries in a transaction of their own. Raises what a statement raises, and PermissionError."""
        if not self.is_kept:
            return
        with self._session.transaction(context, ()):
            head = self.append(context, self.head(context), new_call(), entries)
        self.settled(head)

    def record_within(self, context: Context, *entries: Entry) -> None:
        """Write entries in the transaction that is open, so that they stand or fall with what it does."""
        if self.is_kept:
            self.settled(self.append(context, self.head(context), new_call(), entries))

    def head(self, context: Context) -> Head:
        """Return the head of the trail, which is made if it is not there. Within a transaction only."""
        metadata = self._metadata
        assert metadata is not None
        with self._explained():
            head = stored_head(context, metadata)
        return self._made(context) if head is None else head

    def append(self, context: Context, head: Head, call: str, entries: Sequence[Entry]) -> Head:
        """Write entries after `head`, within a transaction; return the head they make."""
        metadata = self._metadata
        assert metadata is not None
        common = self._common(call)
        rows = []
        for entry in entries:
            row, head = linked({**common, **_columns(entry)}, head)
            rows.append(row)
        with self._explained():
            metadata.insert(context, TRAIL, rows)
            values: dict[str, Scalar] = {"entries": head.entries, "entry_hash": head.digest}
            metadata.update(context, HEAD, values, [Condition("name", "=", _NAME)])
        return head

    def settled(self, head: Head) -> None:
        """Tell the state of a head that is committed, or will be along with what it tells of."""
        self._state.annotate(_ANCHOR, {"trail": head.trail, "entries": head.entries, "hash": head.digest})

    def opened(self, context: Context, call: str) -> Head:
        """See that the end of the trail is what was written; return its head. Within a transaction only.

        Looks at the last entries, the head, and the entry that the state knows; `verify` reads everything.
        Where the state knows of another trail, which this database has lost or never had, that is written down.
        Raises StateError `audit_broken` naming faults.
        """
        metadata = self._metadata
        assert metadata is not None
        with self._explained():
            newest = metadata.select(context, TRAIL, order=["entry_number"], descending=True, limit=_CHECKED)
            head = stored_head(context, metadata)
        newest.reverse()
        if head is None and not newest:
            head = self._made(context)
        anchor = self.anchor
        is_other = head is not None and anchor.trail not in ("", head.trail)
        faults = self._faults(context, metadata, newest, head, NOTHING if is_other else anchor)
        if faults or head is None:
            raise broken(faults)
        return self._restarted(context, head, anchor, call) if is_other else head

    def _restarted(self, context: Context, head: Head, anchor: Head, call: str) -> Head:
        words = (
            f"the state knows of another audit trail, of {anchor.entries} entries, which this database does not "
            f"have; the hash of its last entry was {anchor.digest}"
        )
        HandlerLogger.warn(words)
        entry = Entry(function="", action="restart", outcome="succeeded", error=words)
        return self.append(context, head, call, [entry])

    def _made(self, context: Context) -> Head:
        metadata = self._metadata
        assert metadata is not None
        trail = uuid.uuid4().hex
        with self._explained():
            metadata.make(context, TRAIL)
            metadata.make(context, HEAD)
            row: dict[str, Scalar] = {"name": _NAME, "trail_id": trail, "entries": 0, "entry_hash": trail}
            metadata.insert(context, HEAD, [row])
        return beginning(trail)

    def _faults(
        self,
        context: Context,
        metadata: Metadata,
        newest: Sequence[Mapping[str, Scalar]],
        head: Head | None,
        anchor: Head,
    ) -> tuple[Fault, ...]:
        """Return what is wrong with the last entries, the head and the entry that the state knows."""
        first = whole(newest[0]["entry_number"]) if newest else 0
        after = None if head is None else beginning(head.trail)
        if len(newest) == _CHECKED and first > 1:
            after = Head(first - 1, str(newest[0]["previous_hash"]))
        is_older = anchor.entries < first
        verification = Verification(after, NOTHING if is_older else anchor)
        for row in newest:
            verification.read(row)
        faults = verification.end(head)
        if not faults and is_older and anchor.entries:
            return self._compared(context, metadata, anchor)
        return faults

    def _compared(self, context: Context, metadata: Metadata, anchor: Head) -> tuple[Fault, ...]:
        """Return whether the entry that the state knows is another one."""
        where = [Condition("entry_number", "=", anchor.entries)]
        found = metadata.select(context, TRAIL, where)
        if found and found[0]["entry_hash"] == anchor.digest:
            return ()
        what = "is not the one that the state knows" if found else "was removed"
        return (Fault("replaced", anchor.entries, f"entry {anchor.entries} {what}"),)

    def _common(self, call: str) -> dict[str, Scalar]:
        who = self._session.identity
        user = identity.user()
        return {
            "noted_at": moment(Timestamp.utc_now()),
            "call_id": call,
            "actor": storable(who.user or user),
            "os_user": storable(user),
            "host": storable(identity.host()),
            "application": storable(who.application),
        }

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what a missing privilege is about."""
        try:
            yield
        except PermissionError as error:
            raise PermissionError(
                f"{error.message} Every change is noted in an audit trail, for which that is needed. Have the "
                "privilege granted (docs/audit.md lists them), or set audit = false in the provider block.",
                code=error.code,
                details=error.details,
            ) from error


def new_call() -> str:
    """Return an id for what entries of one call share."""
    return uuid.uuid4().hex


def moment(time: Timestamp) -> str:
    """Return a time as it is stored: with six digits of fraction always, so that texts sort as times do."""
    return datetime.isoformat(time.replace(tzinfo=None), timespec="microseconds") + "Z"


def beginning(trail: str) -> Head:
    """Return the head of a trail without entries."""
    return Head(0, trail, trail)


def read_anchor(state: StateStore) -> Head:
    """Return the head that a state knows, NOTHING where it knows none that is well formed."""
    known = state.annotation(_ANCHOR)
    if isinstance(known, Mapping):
        entries, digest, trail = known.get("entries"), known.get("hash"), known.get("trail")
        if isinstance(entries, int) and isinstance(digest, str) and isinstance(trail, str) and entries > 0:
            return Head(entries, digest, trail)
    return NOTHING


def stored_head(context: Context, metadata: Metadata) -> Head | None:
    """Return the head kept beside the trail, None where there is none."""
    found = metadata.select(context, HEAD, [Condition("name", "=", _NAME)])
    if not found:
        return None
    return Head(whole(found[0]["entries"]), str(found[0]["entry_hash"]), str(found[0]["trail_id"]))


def verify(context: Context, metadata: Metadata, anchor: Head) -> tuple[Head, tuple[Fault, ...]]:
    """Read the whole trail; return its last entry's number and hash, and every fault.

    Entries that others write meanwhile are read as well.
    """
    head = stored_head(context, metadata)
    faults: tuple[Fault, ...] = ()
    if head is not None and anchor.trail not in ("", head.trail):
        words = (
            f"this is not the trail that the state knows, which had {anchor.entries} entries: it was written "
            "anew, or this is another database"
        )
        faults, anchor = (Fault("replaced", 1, words),), NOTHING
    verification = Verification(None if head is None else beginning(head.trail), anchor)
    where: list[Condition] = []
    while True:
        page = metadata.select(context, TRAIL, where, order=["entry_number"], limit=_PAGE)
        for row in page:
            verification.read(row)
        if page:
            where = [Condition("entry_number", ">", page[-1]["entry_number"])]
        if len(page) == _PAGE:
            continue
        before, head = head, stored_head(context, metadata)
        if head == before:
            return verification.last, (*faults, *verification.end(head))


def broken(faults: Sequence[Fault]) -> StateError:
    """Return the error of a trail that was tampered with."""
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return StateError(
        f"the audit trail was tampered with: {faults[0].message}{more}. Nothing was changed. `kolumn audit verify` "
        "names every fault; docs/audit.md says how to go on.",
        code="audit_broken",
        details={"faults": [fault._asdict() for fault in faults[:100]]},
    )


def storable(text: str) -> str:
    """Return a text that every database can hold: what it may have no character for is escaped."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _columns(entry: Entry) -> dict[str, Scalar]:
    return {
        "function_name": entry.function,
        "action": entry.action,
        "resource_type": entry.resource_type,
        "resource_name": storable(entry.resource_name),
        "outcome": entry.outcome,
        "error": storable(mask(entry.error)),
        "duration": entry.duration,
        "fingerprint": entry.fingerprint,
        "statements": _json([mask(statement.text) for statement in entry.statements]),
        "before_change": _masked(entry.before),
        "after_change": _masked(entry.after),
    }


def _masked(value: Mapping[str, Any]) -> str:
    """Return JSON without secrets. Most has none, which its text as a whole tells in a tenth of the time.

    Where nothing in it is escaped, what masking would find in a part it finds in the whole.
    """
    text = _json(value)
    if "\\" not in text and mask(text) == text and not any(map(_is_secret_name, _KEY.findall(text))):
        return text
    return _json(mask_data(value))


def _json(value: Any) -> str:
    """Return JSON, the empty text for what is empty."""
    return storable(_encoded(value)) if value else ""


def _encoded(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        import json

        return json.dumps(value)
