"""The index that a foreign key makes where no other one begins with its columns.

It has the constraint's name, or that of the first column where the constraint has a name of the server's making.
None of the catalogues tells which indexes these are. Kolumn takes for one what it would make itself: that comes and
goes with its foreign key, and counts as a resource only where configuration names it.
https://dev.mysql.com/doc/refman/9.4/en/create-table-foreign-keys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.tokens import fold
from kolumn.providers.mysql.tables.naming import name_of
from kolumn.sql.model import ForeignKey, Index, PrimaryKey, Table, Unique
from kolumn.sql.operations import DropConstraint


def has_server_name(key: str, table: str) -> bool:
    """Whether a foreign key's name is one that the server gives: `t_ibfk_1`."""
    return not key or re.fullmatch(rf"{re.escape(fold(table))}_ibfk_\d+", fold(key)) is not None


def index_name(key: str, columns: Sequence[str], table: str) -> str:
    """Return the name of the index that comes with a foreign key."""
    return columns[0] if has_server_name(key, table) else key


def serves(columns: Sequence[str], index: Sequence[str]) -> bool:
    """Whether an index over these columns does for a foreign key over others."""
    return tuple(index[: len(columns)]) == tuple(columns)


def indexed_columns(table: Table, indexes: Iterable[Any]) -> list[tuple[str, ...]]:
    """Return the columns of all keys and indexes of a table that can serve a foreign key."""
    found = [
        tuple(fold(part.column) for part in each.columns)
        for each in table.constraints()
        if isinstance(each, PrimaryKey | Unique)
    ]
    for index in indexes:
        assert isinstance(index, Index)
        if not getattr(index, "kind", "") and all(part.column and not part.length for part in index.columns):  # type: ignore[attr-defined]
            found.append(tuple(fold(part.column) for part in index.columns))
    return found


@dataclass(frozen=True, kw_only=True)
class DropKeyWithIndex(DropConstraint):
    """Drop a foreign key, and the index that came along with it."""

    index: str

    def effect(self) -> dict[Ref, Any]:
        """Return the table without the key, and that the index is gone."""
        ref = Ref("index", fold(self.index), self.subject.schema, self.subject.name)
        return {self.subject: self.after, ref: None}


def with_index(operation: DropConstraint, live: Snapshot) -> DropConstraint:
    """Return the drop of a foreign key with its index, if it has one that serves nobody else."""
    key = operation.constraint
    assert isinstance(key, ForeignKey)
    name = index_name(key.name, key.columns, operation.before.name)
    ref = Ref("index", fold(name), operation.subject.schema, operation.subject.name)
    index = live.get(ref)
    if index is None or ref not in live.aside or index.unique or getattr(index, "kind", ""):
        return operation
    columns = tuple(fold(each) for each in key.columns)
    if tuple(fold(part.column) for part in index.columns) != columns:
        return operation
    others = [each for each in operation.after.constraints() if isinstance(each, ForeignKey)]
    if any(serves([fold(each) for each in other.columns], columns) for other in others):
        return operation
    return _with(operation, index.name)


def with_made_index(operation: DropConstraint, live: Snapshot, server: Server) -> DropConstraint:
    """Return what takes back the addition of a foreign key to `live`, where the server makes an index for it."""
    key = operation.constraint
    assert isinstance(key, ForeignKey)
    table = operation.after
    columns = [fold(each) for each in key.columns]
    if any(serves(columns, each) for each in indexed_columns(table, indexes_of(operation.subject, live))):
        return operation
    return _with(operation, index_name(name_of(key, table, server), key.columns, table.name))


def indexes_of(table: Ref, live: Snapshot) -> Iterator[Any]:
    """Yield the indexes of a table."""
    for ref in live.attached(table):
        if ref.type == "index" and (found := live.get(ref)) is not None:
            yield found


def _with(operation: DropConstraint, index: str) -> DropKeyWithIndex:
    return DropKeyWithIndex(
        subject=operation.subject,
        before=operation.before,
        after=operation.after,
        constraint=operation.constraint,
        index=index,
        requires=operation.requires,
        provides=operation.provides,
        removes=operation.removes,
        releases=operation.releases,
        alters=operation.alters,
        guesses=operation.guesses,
        risks=operation.risks,
    )
