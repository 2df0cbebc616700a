"""The list of what is in quarantine: a table of Kolumn's own in the managed database."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError
from kolumn.engine.metadata import Column, Condition, Metadata, Row, Table
from kolumn.engine.operations import Statement
from kolumn.engine.quarantine.place import Place
from kolumn.engine.resource import Ref

if TYPE_CHECKING:
    from kolumn.engine.session import Session

TABLE = Table(
    "quarantine",
    (
        Column("id", "name"),
        Column("quarantined_at", "name"),
        Column("quarantined_by", "text"),
        Column("resource_type", "name"),
        Column("name", "text"),
        Column("location", "text"),
        Column("retained_until", "name"),
        Column("row_count", "integer", required=False),
        Column("document", "text"),
    ),
    ("id",),
)

How = Literal["moved", "along", "dropped", "part", "column", "values", "former"]


Name = tuple[str, str, str, str]
"""A Ref as the list has it."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One object that went, or that lost something."""

    ref: Name
    how: How
    """`moved`, `along` with what moved, `dropped`, only a `part` of it that referred to what went; or a `column`
    of it, or its former `values`; or it had more to it in its `former` definition."""
    config: dict[str, Any]
    """What it was."""
    place: Place | None = None
    """Where its rows or values wait."""
    bare: dict[str, Any] | None = None
    """What it is there."""
    column: str = ""
    begun: bool = False
    """Whether its column has begun to come back, step by step: one that is there again then is the one."""
    key: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    to: tuple[Name, ...] = ()
    """What a `part` refers to."""
    resource: str = ""
    """What state called it when it went: the name of its resource."""

    @property
    def object(self) -> Ref:
        """The object."""
        return Ref(*self.ref)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What one deletion set aside."""

    id: str
    kept: tuple[Kept, ...]
    """What was deleted first, then what went with it."""
    at: str = ""
    """When, as RFC 3339."""
    by: str = ""
    retained_until: str = ""
    rows: int | None = None

    @property
    def subject(self) -> Ref:
        """What was deleted: an object, or for a column and for values the table."""
        return self.kept[0].object

    @property
    def type(self) -> str:
        """Resource type, or `column`."""
        return "column" if self.kept[0].column else self.subject.type

    @property
    def name(self) -> str:
        """What was deleted, by its name in the database."""
        column = self.kept[0].column
        if self.kept[0].how == "former":
            return f"{self.subject.identity} (former definition)"
        return f"{self.subject.identity}.{column}" if column else self.subject.identity

    @property
    def location(self) -> str:
        """Where it waits: a place in the database, or only the list itself."""
        place = self.kept[0].place
        return str(place) if place is not None else f"{TABLE.name}:{self.id}"

    def row(self) -> Row:
        """Return the entry as a row."""
        return {
            "id": self.id,
            "quarantined_at": self.at,
            "quarantined_by": self.by,
            "resource_type": self.type,
            "name": self.name,
            "location": self.location,
            "retained_until": self.retained_until,
            "row_count": self.rows,
            "document": msgspec.json.encode(self.kept, enc_hook=_hidden).decode(),
        }


def _hidden(_: object) -> str:
    """Leave out what may not be written down, such as a password: it has to be given again."""
    return ""


def name_of(ref: Ref) -> Name:
    """Return an object as the list has it."""
    return ref.type, ref.name, ref.schema, ref.parent


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Return the entry a row holds."""
    return Entry(
        id=str(row["id"]),
        kept=msgspec.json.decode(str(row["document"]), type=tuple[Kept, ...]),
        at=str(row["quarantined_at"]),
        by=str(row["quarantined_by"]),
        retained_until=str(row["retained_until"]),
        rows=row["row_count"],
    )


def entries(context: Context, metadata: Metadata, ids: Iterable[str] = ()) -> list[Entry]:
    """Return what is in quarantine, the oldest first; only `ids` if there are any."""
    wanted = tuple(ids)
    if len(wanted) == 1:
        rows = metadata.select(context, TABLE, [Condition("id", "=", wanted[0])])
    else:
        rows = metadata.select(context, TABLE, order=("quarantined_at", "id"))
    return [entry_of(row) for row in rows if not wanted or row["id"] in wanted]


def taken(context: Context, metadata: Metadata) -> frozenset[str]:
    """Return the ids in use."""
    return frozenset(str(row["id"]) for row in metadata.select(context, TABLE))


def new_id(ref: Ref, what: str, used: Collection[str]) -> str:
    """Return an id nothing has; always the same one for the same question, as a plan is made twice."""
    number = 0
    while True:
        text = "\0".join((*ref, what, str(number)))
        found = hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
        if found not in used:
            return found
        number += 1


def tidy(session: Session) -> None:
    """Leave no list behind where nothing is in quarantine."""
    context, metadata = Context.background(), session.metadata
    with suppress(KolumnError):  # an empty list does no harm
        if metadata is not None and not taken(context, metadata):
            with session.transaction(context, ()):
                metadata.drop(context, TABLE)


def insertion(metadata: Metadata, entry: Entry, count: str) -> Statement:
    """Return what puts an entry on the list; `count` is a scalar expression for its rows, empty without any."""
    return metadata.insertion(TABLE, entry.row(), {"row_count": count} if count else {})


def counted(metadata: Metadata, entry: Entry, count: str) -> Statement:
    """Return what notes of an entry on the list how many rows it has; `count` is a scalar expression."""
    return metadata.updating(TABLE, {}, [Condition("id", "=", entry.id)], {"row_count": count})


def rewritten(metadata: Metadata, entry: Entry) -> Statement:
    """Return what notes an entry on the list anew, with what comes back with it from now on."""
    row = entry.row()
    return metadata.updating(TABLE, {"document": row["document"]}, [Condition("id", "=", entry.id)])


def deletion(metadata: Metadata, entry: Entry) -> Statement:
    """Return what takes an entry off the list."""
    return metadata.deletion(TABLE, [Condition("id", "=", entry.id)])
