"""Changes of a table and of its indexes that are one statement, as most must be.

A column that the server numbers must be in a key at every moment, and that key can be an index, which is a resource
of its own; a unique constraint and an index can change places under one name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.language.dialect import mentions
from kolumn.providers.mysql.language.tokens import fold, quote
from kolumn.providers.mysql.tables.model import MySQLIndex, MySQLTable
from kolumn.sql.model import ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterObject,
    AlterTable,
    AlterTogether,
    DropColumn,
    DropConstraint,
    RenameColumn,
    back,
)


@dataclass(frozen=True, kw_only=True)
class CreateWithIndexes(Create):
    """Create a table with indexes."""

    indexes: tuple[MySQLIndex, ...]
    along: tuple[Ref, ...]
    """The refs of the indexes."""

    def describe(self) -> str:
        """Return `create <table> with <indexes>`."""
        return f"{super().describe()} with {' and '.join(f'index {each.name}' for each in self.indexes)}"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "provides", self.provides | set(self.along))

    def effect(self) -> Mapping[Ref, Any]:
        """Return the table and its indexes."""
        return {self.subject: self.model, **dict(zip(self.along, self.indexes, strict=True))}


@dataclass(frozen=True, kw_only=True)
class AlterWithIndexes(AlterTogether):
    """Change a table and some of its indexes in one go."""

    indexes: tuple[Operation, ...]
    along: tuple[Ref, ...] = field(init=False, default=())
    """The indexes that come, go or change."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("requires", "provides", "removes", "releases"):
            theirs = getattr(self, name).union(*(getattr(each, name) for each in self.indexes))
            object.__setattr__(self, name, theirs - {self.subject})
        object.__setattr__(self, "alters", self.alters.union(*(each.alters for each in self.indexes)))
        object.__setattr__(self, "along", tuple(dict.fromkeys(each.subject for each in self.indexes)))

    def describe(self) -> str:
        """Return `alter <table>: <each change>`."""
        words = (each.describe() for each in (*self.because, *self.indexes))
        return f"alter {self.subject}: " + "; ".join(words)

    def inverse(self) -> Operation:
        """Return the changes back, in the opposite order."""
        inverses = tuple(each.inverse() for each in reversed(self.because))
        indexes = tuple(each.inverse() for each in reversed(self.indexes))
        return type(self)(
            subject=self.subject,
            before=self.after,
            after=self.before,
            because=tuple(each for each in inverses if isinstance(each, AlterTable)),
            indexes=tuple(each for each in indexes if each is not None),
            **back(self),
        )

    def effect(self) -> Mapping[Ref, Any]:
        """Return the table and what becomes of the indexes."""
        found: dict[Ref, Any] = {self.subject: self.after}
        for each in self.indexes:
            found |= each.effect()
        return found


def with_indexes(operations: Sequence[Operation], live: Snapshot) -> list[Operation]:
    """Return the operations with those of indexes put to their table's where it cannot be otherwise."""
    indexes: dict[Ref, list[Operation]] = defaultdict(list)
    tables: dict[Ref, Operation] = {}
    for each in operations:
        subject = each.subject
        if subject.type == "index" and isinstance(each, Create | Drop | Rename | AlterObject):
            indexes[Ref("table", subject.parent, subject.schema)].append(each)
        elif isinstance(each, Create) and subject.type == "table":
            tables[subject] = each
        elif _can_take(each):
            tables.setdefault(subject, each)
    merged: dict[int, Operation] = {}
    gone: set[int] = set()
    for ref, mine in indexes.items():
        table = tables.get(ref)
        chosen = list(_inseparable(mine, table, live.get(ref)))
        if not chosen or (table is None and len(chosen) < 2):
            continue
        place = table if table is not None else chosen[0]
        merged[id(place)] = _together(table, chosen, ref, live)
        gone.update(id(each) for each in chosen if each is not place)
    return [merged.get(id(each), each) for each in operations if id(each) not in gone]


def _can_take(operation: Operation) -> bool:
    """Whether an operation is the one statement of a table's changes."""
    if not isinstance(operation, AlterTable) or isinstance(operation, RenameColumn):
        return False
    key = getattr(operation, "constraint", None)
    return not isinstance(key, ForeignKey)


def _inseparable(
    operations: Sequence[Operation], table: Operation | None, live: Table | None
) -> Iterator[Operation]:
    """Yield the operations of indexes that must be one with the table's, or better are: those of a new table."""
    if isinstance(table, Create):
        yield from (each for each in operations if isinstance(each, Create))
        return
    before = getattr(table, "before", live)
    after = getattr(table, "after", live)
    numbered = {
        fold(name)
        for each in (before, after)
        if isinstance(each, MySQLTable)
        for name in numbered_by_index(each)
    }
    names = _names_of_constraints(table)
    for each in operations:
        models = [getattr(each, name, None) for name in ("model", "before", "after")]
        first = {fold(model.columns[0].column) for model in models if isinstance(model, MySQLIndex)}
        moves = isinstance(each, AlterObject) and _moves(each, table)
        if moves or not numbered.isdisjoint(first) or each.subject.name in names:
            yield each


def _moves(index: AlterObject, table: Operation | None) -> bool:
    """Whether an index can change neither before its table does nor after.

    It leaves columns that go for columns that come, or how much of a column counts changes with the column's type.
    """
    changes: Sequence[Any] = getattr(table, "because", (table,))
    going = [each.column.name for each in changes if isinstance(each, DropColumn)]
    coming = [each.column.name for each in changes if isinstance(each, AddColumn)]
    retyped = {fold(each.new.name) for each in changes if isinstance(each, AlterColumn)}
    parts = (*index.before.columns, *index.after.columns)
    cut = any(part.length and fold(part.column) in retyped for part in parts)
    return cut or (_has_any(index.before, going) and _has_any(index.after, coming))


def _has_any(index: MySQLIndex, columns: Iterable[str]) -> bool:
    """Whether an index has one of the columns."""
    return any(
        mentions(part.expression or quote(part.column), name) for part in index.columns for name in columns
    )


def numbered_by_index(table: MySQLTable) -> Iterator[str]:
    """Yield the column that the server numbers, if no key of the table begins with it."""
    firsts = {
        fold(each.columns[0].column)
        for each in table.constraints()
        if isinstance(each, PrimaryKey | Unique) and each.columns
    }
    for column in table.columns:
        if column.auto_increment and fold(column.name) not in firsts:
            yield column.name


def _names_of_constraints(table: Operation | None) -> set[str]:
    """Return the names of unique constraints that come or go."""
    changes: Sequence[Any] = getattr(table, "because", (table,))
    return {
        fold(each.constraint.name or each.constraint.columns[0].column)
        for each in changes
        if isinstance(each, AddConstraint | DropConstraint) and isinstance(each.constraint, Unique)
    }


def _together(table: Operation | None, indexes: Sequence[Operation], ref: Ref, live: Snapshot) -> Operation:
    if isinstance(table, Create):
        models = tuple(each.model for each in indexes if isinstance(each, Create))
        return CreateWithIndexes(
            subject=table.subject,
            model=table.model,
            uses=table.uses,
            requires=table.requires,
            provides=table.provides.union(*(each.provides for each in indexes)),
            guesses=table.guesses,
            place=table.place,
            risks=table.risks,
            indexes=models,
            along=tuple(each.subject for each in indexes),
        )
    because: tuple[AlterTable, ...] = ()
    before = after = live.get(ref)
    if isinstance(table, AlterTable):
        because = table.because if isinstance(table, AlterTogether) else (table,)
        before, after = table.before, table.after
    return AlterWithIndexes(subject=ref, before=before, after=after, because=because, indexes=tuple(indexes))
