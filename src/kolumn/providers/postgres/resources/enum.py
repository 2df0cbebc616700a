"""Enumerated types (https://www.postgresql.org/docs/current/datatype-enum.html).

Values are added and renamed in place. A value can neither be removed nor moved: that takes a new type in the
place of the old one (see `succession`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Drop, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import with_kept
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.following import RenameValue
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.tokens import NAME_BYTES, literal, qualified, tokenize, value
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.user_type import UserTypeHandler
from kolumn.providers.postgres.succession import Family, Value, as_replacement
from kolumn.providers.postgres.wording import texts
from kolumn.sql.operations import AlterObject
from kolumn.sql.tokens import STRING


@dataclass(frozen=True)
class EnumValue:
    """One value of an enum. Given as a bare text where there is no more to say."""

    SHORTHAND: ClassVar[str] = "name"

    name: str = attribute("The value", grammar="label")
    renamed_from: str = attribute("Former value: rows follow the rename", default="", hint=True)

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a value that PostgreSQL would refuse."""
        size = len(self.name.encode("utf-8", "surrogatepass"))
        if size > NAME_BYTES:
            yield Problem(
                f"value {self.name!r} has {size} bytes, and a value of an enum {NAME_BYTES} at most",
                code="too_long",
                path="name",
            )


@dataclass(frozen=True)
class Enum:
    """An enumerated type. An enum may have no values yet."""

    name: str = attribute("Name of the type", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    values: tuple[EnumValue, ...] = attribute("Its values, in their sort order", default=())
    owner: str = attribute(
        "Role that owns it", default="", kept=True, grammar="identifier", guards="security"
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for every value given twice."""
        seen: set[str] = set()
        for at, each in enumerate(self.values):
            if each.name in seen:
                yield Problem(f"value {each.name!r} is given twice", code="duplicate", path=f"values[{at}]")
            seen.add(each.name)

    @property
    def labels(self) -> tuple[str, ...]:
        """The values as texts."""
        return tuple(value.name for value in self.values)


@dataclass(frozen=True, kw_only=True)
class AddValues(AlterObject):
    """Add values in their places. What is added stays: PostgreSQL cannot remove a value."""

    def describe(self) -> str:
        """Return `add <values> to <enum>`."""
        added = ", ".join(label for label in self.after.labels if label not in self.before.labels)
        return f"add {added} to {self.subject}"

    def inverse(self) -> None:
        """Return None."""


class EnumHandler(UserTypeHandler[Enum]):
    """Enumerated types."""

    type = "enum"
    description = "An enumerated type"
    MODEL = Enum
    KEYWORD: ClassVar[str] = "TYPE"

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_enum."""
        return {
            "enums": f"""
SELECT t.oid, n.nspname, t.typname, pg_get_userbyid(t.typowner),
    array(SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND {{user_schemas}} AND {not_a_member("pg_type", "t.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the enums."""
        for oid, schema, name, owner, values in reading.rows["enums"]:
            place = self.dialect.normal_schema(schema)
            row = (name, place, tuple(values), owner, reading.comment("pg_type", oid))
            yield Entry(Ref(self.type, name, place), ("pg_type", oid), row)

    def build(self, entry: Entry) -> Enum:
        """Return the enum."""
        name, schema, labels, owner, comment = entry.row
        values = tuple(EnumValue(name=label) for label in labels)
        return Enum(name=name, schema=schema, values=values, owner=owner, comment=comment)

    def replace(self, live: Enum, wanted: Enum) -> list[Operation]:
        """Return renames and additions of values where these do, else a drop and a creation."""
        wanted = with_kept(wanted, live)
        renames = tuple(renamed_values(live, wanted))
        now = live
        operations: list[Operation] = []
        for old, new in renames:
            values = tuple(EnumValue(name=new) if each.name == old else each for each in now.values)
            after = replace(now, values=values)
            operations.append(self._value_renamed(now, after, old, new))
            now = after
        if not _is_part(now.labels, wanted.labels):
            return [self.dropped(live), self.created(wanted)]
        if now.labels != wanted.labels:
            after = replace(now, values=wanted.values)
            subject = self.ref(wanted)
            operations.append(
                AddValues(subject=subject, before=now, after=after, fields=("values",), place=-1)
            )
            now = after
        same = self.normal(now) == self.normal(wanted)
        return operations if same else operations + super().replace(now, wanted)

    def _value_renamed(self, before: Enum, after: Enum, old: str, new: str) -> RenameValue:
        subject = self.ref(after)
        return RenameValue(
            subject=subject, before=before, after=after, fields=("values",), old=old, new=new, place=-1
        )

    def definition_sql(self, model: Enum, server: Server) -> Iterator[str]:
        """Yield CREATE TYPE ... AS ENUM."""
        values = ", ".join(map(literal, model.labels))
        yield f"CREATE TYPE {qualified(model.schema, model.name)} AS ENUM ({values})"

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations with new types where the same transaction needs values that it adds.

        PostgreSQL has nobody use a value of an enum that was there before until the addition is committed.
        """
        for each in operations if not online else ():
            if isinstance(each, AddValues):
                carriers = self._carriers(each.subject, live)
                added = frozenset(each.after.labels) - frozenset(each.before.labels)
                others = (other for other in operations if other.subject != each.subject)
                if any(not carriers.isdisjoint(_needs(other)) and _has(other, added) for other in others):
                    operations = as_replacement(operations, each.subject, self)
        return operations

    def _carriers(self, subject: Ref, live: Snapshot) -> frozenset[Ref]:
        """Return the type, what is made of it, and the tables that have columns of it."""
        found, queue = {subject}, [subject]
        while queue:
            for each in live.dependents(queue.pop()):
                kinds = ("table", "composite_type") if each.type == "column" else ()
                owners = (Ref(kind, each.parent, each.schema) for kind in kinds)
                for ref in (each, *owners):
                    if ref in live and ref not in found:
                        found.add(ref)
                        queue.append(ref)
        return frozenset(found)

    def converted(self, value: Value, before: Enum, after: Enum, family: Family) -> str:
        """Return the conversion over the text of the values, renamed ones under their new names."""
        renames = list(renamed_values(before, after)) or [
            (new, old) for old, new in renamed_values(after, before)
        ]
        if value.array:
            text = f"{value.text}::text[]"
            for old, new in renames:
                text = f"array_replace({text}, {literal(old)}, {literal(new)})"
            return f"{text}::{value.target}"
        if not renames:
            return super().converted(value, before, after, family)
        cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in renames)
        return f"CASE {value.text}::text {cases} ELSE {value.text}::text END::{value.target}"

    def conversion_risks(self, before: Enum, after: Enum) -> Iterator[str]:
        """Yield the values that are lost."""
        if lost := lost_labels(before, after):
            yield lost_words(lost)

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        match operation:
            case RenameValue(after=after, old=old, new=new):
                yield f"ALTER TYPE {self.address(after)} RENAME VALUE {literal(old)} TO {literal(new)}"
            case AddValues(before=before, after=after):
                for label, place in _additions(before.labels, after.labels):
                    yield f"ALTER TYPE {self.address(after)} ADD VALUE {literal(label)}{place}"
            case _:
                yield from super().statements(operation, live, server)


def _needs(operation: Operation) -> frozenset[Ref]:
    return operation.requires | operation.releases | {operation.subject}


def _has(operation: Operation, labels: frozenset[str]) -> bool:
    """Whether a text that the operation brings has one of the labels as a constant."""
    after = getattr(operation, "after", getattr(operation, "model", None))
    if after is None or isinstance(operation, Drop):
        return False
    before = getattr(operation, "before", None)
    known = frozenset() if before is None else frozenset(texts(before))
    return any(_mentions(text, labels) for text in texts(after) if text not in known)


def _mentions(text: str, labels: frozenset[str]) -> bool:
    constants = (value(token) or "" for token in tokenize(text) if token.kind == STRING)
    return any(label in constant for constant in constants for label in labels)


def lost_labels(before: Enum, after: Enum) -> list[str]:
    """Return the values that one enum has and the other has under no name."""
    renamed = {old for old, _ in renamed_values(before, after)}
    return [label for label in before.labels if label not in after.labels and label not in renamed]


def lost_words(labels: Iterable[str]) -> str:
    """Return what a row must not have for these values to go."""
    return f"the value {' or '.join(map(repr, labels))}"


def renamed_values(live: Enum, wanted: Enum) -> Iterator[tuple[str, str]]:
    """Yield former and new name of each value to rename, in an order that works.

    A hint counts while the former value is there and the new one is not.
    """
    held = set(live.labels)
    pending = [value for value in wanted.values if value.renamed_from]
    while True:
        value = next((each for each in pending if each.renamed_from in held and each.name not in held), None)
        if value is None:
            return
        pending.remove(value)
        held = held - {value.renamed_from} | {value.name}
        yield value.renamed_from, value.name


def _is_part(labels: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether `labels` are all in `whole`, in the same order."""
    remaining = iter(whole)
    return all(label in remaining for label in labels)


def _additions(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each value of `after` that `before` lacks, and where it goes: empty for the end."""
    for at, label in enumerate(after):
        if label in before:
            continue
        if at > 0:
            last = set(before).isdisjoint(after[at:])
            yield label, "" if last else f" AFTER {literal(after[at - 1])}"
        else:
            first = next((each for each in after if each in before), None)
            yield label, "" if first is None else f" BEFORE {literal(first)}"
