"""How the server carries out a change of a table: ALGORITHM and LOCK.

https://dev.mysql.com/doc/refman/9.4/en/innodb-online-ddl-operations.html and
https://mariadb.com/kb/en/innodb-online-ddl-overview/. What is said here is a promise that the server checks: it
refuses an algorithm that it cannot use. Where the documents leave doubt nothing is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kolumn.engine.operations import Create, Drop, Operation, Rename, Risk
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.fragments import is_literal
from kolumn.providers.mysql.language.tokens import fold
from kolumn.providers.mysql.language.types import DataType, type_of
from kolumn.providers.mysql.tables.implied import indexes_of
from kolumn.sql.model import Check, Column, ForeignKey, PrimaryKey, Table, Unique
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
)

INSTANT, INPLACE, REBUILD, COPY = range(4)
"""Only the dictionary changes; an index is made while others write; all rows are copied while others write; all
rows are copied while others read."""

_NAMES = ("INSTANT", "INPLACE", "INPLACE", "COPY")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How one ALTER TABLE runs."""

    kind: int
    table: str
    lock: str = "NONE"
    """NONE: others read and write; SHARED: others read; EXCLUSIVE."""
    certain: bool = True
    """Whether the server is told, and refuses if it cannot."""

    @property
    def rewrites(self) -> bool:
        """Whether every row is copied."""
        return self.kind in (REBUILD, COPY)

    @property
    def words(self) -> str:
        """For the plan."""
        return f"ALGORITHM={_NAMES[self.kind]}, LOCK={'SHARED' if self.kind == COPY else self.lock}"

    @property
    def risks(self) -> tuple[Risk, ...]:
        """What a reviewer should see."""
        if self.kind == COPY:
            return (
                Risk("table_rewrite", f"copies every row of table {self.table} into a new table"),
                Risk("long_lock", f"nobody can write to table {self.table} meanwhile"),
            )
        if self.kind == REBUILD:
            return (Risk("table_rewrite", f"copies every row of table {self.table}; others go on writing"),)
        return ()

    def clause(self, *, online: bool) -> str:
        """Return what is added to the statement: a promise where it is certain, or where others must go on."""
        if self.kind == INSTANT:
            return ", ALGORITHM=INSTANT" if self.certain else ""
        if online:
            return ", ALGORITHM=INPLACE, LOCK=NONE"
        return f", ALGORITHM={_NAMES[self.kind]}" if self.certain else ""


def algorithm_of(operation: Operation, live: Snapshot, server: Server) -> Algorithm | None:
    """Return how an operation is carried out, None where it is no ALTER TABLE of rows."""
    subject = operation.subject
    if subject.type == "index":
        owner = live.get(Ref("table", subject.parent, subject.schema))
        if _is_only_copied(owner):
            return Algorithm(COPY, subject.parent, certain=False)
        return _of_index(operation, subject.parent)
    if not isinstance(operation, AlterTable):
        return None
    table = operation.after
    if _is_only_copied(operation.before) or _is_only_copied(table):
        return Algorithm(COPY, table.name, certain=False)
    changes: Sequence[Operation] = operation.because if isinstance(operation, AlterTogether) else (operation,)
    indexed = _indexed(operation.before, live, subject)
    found = [_of_change(each, table, server, indexed) for each in changes]
    keys = {type(each) for each in changes if isinstance(getattr(each, "constraint", None), PrimaryKey)}
    if keys == {AddConstraint, DropConstraint}:  # one key for another is no loss of the key
        found = [
            Algorithm(REBUILD, table.name, certain=False) if _is_key(each) else how
            for each, how in zip(changes, found, strict=True)
        ]
    found += [_of_index(each, table.name) for each in getattr(operation, "indexes", ())]
    kind = max(each.kind for each in found)
    certain = all(each.certain for each in found) and (kind != INSTANT or len(found) == 1)
    lock = "SHARED" if any(each.lock == "SHARED" for each in found) else "NONE"
    return Algorithm(kind, table.name, lock, certain)


def _is_only_copied(table: Any) -> bool:
    """Whether every change of a table copies it: no InnoDB, or with a key over a period (MariaDB)."""
    if getattr(table, "engine", ""):
        return True
    constraints = table.constraints() if isinstance(table, Table) else ()
    return any(getattr(each, "without_overlaps", False) for each in constraints)


def _is_key(change: Operation) -> bool:
    return isinstance(getattr(change, "constraint", None), PrimaryKey)


def _indexed(table: Table, live: Snapshot, ref: Ref) -> frozenset[str]:
    """Return the folded names of columns that are in a key or an index."""
    names = [
        part.column
        for each in table.constraints()
        if isinstance(each, PrimaryKey | Unique)
        for part in each.columns
    ]
    names += [name for each in table.constraints() if isinstance(each, ForeignKey) for name in each.columns]
    names += [part.column for index in indexes_of(ref, live) for part in index.columns]
    return frozenset(map(fold, names))


def _of_index(operation: Operation, table: str) -> Algorithm:
    match operation:
        case Create(model=model):
            lock = "SHARED" if model.kind in ("fulltext", "spatial") else "NONE"
            # The first FULLTEXT index of a table copies its rows, unless it has a column of a certain name.
            # MariaDB keeps a unique hash as a hidden column.
            plain = not model.kind and model.using != "hash" and all(part.column for part in model.columns)
            return Algorithm(INPLACE, table, lock, certain=plain)
        case Drop() | Rename() | AlterObject():
            expressions = isinstance(operation, Drop) and not all(
                part.column for part in operation.model.columns
            )
            return Algorithm(INPLACE, table, certain=isinstance(operation, Drop | Rename) and not expressions)
    return Algorithm(INPLACE, table, certain=False)


def _of_change(change: Operation, table: Table, server: Server, indexed: frozenset[str]) -> Algorithm:
    name = table.name
    match change:
        case RenameColumn():
            return Algorithm(INSTANT, name, certain=False)
        case AddColumn(column=column):
            return _of_new_column(column, table, server)
        case DropColumn(column=column):
            if column.generated and not column.stored:
                return Algorithm(INSTANT, name, certain=False)
            plain = not column.own_constraints and server.instant_anywhere
            plain = plain and fold(column.name) not in indexed
            return (
                Algorithm(INSTANT, name, certain=False) if plain else Algorithm(REBUILD, name, certain=False)
            )
        case AlterColumn():
            return _of_column(change, table, server, indexed)
        case AddConstraint(constraint=constraint) | DropConstraint(constraint=constraint):
            return _of_constraint(change, constraint, name, server)
        case AlterTable(fields=fields):
            if set(fields) <= {"comment"}:
                return Algorithm(INSTANT if server.is_mariadb else INPLACE, name, certain=False)
            if set(fields) & _COPIED:
                return Algorithm(COPY, name, certain=False)
            return Algorithm(REBUILD, name, certain=False)
    return Algorithm(COPY, name, certain=False)


_COPIED = frozenset(
    {"partition_by", "system_versioned", "application_period", "engine", "character_set", "collation"}
)
"""Attributes of a table that change by a copy."""


def _of_new_column(column: Column, table: Table, server: Server) -> Algorithm:
    if column.generated and column.stored:
        return Algorithm(COPY, table.name, certain=False)
    if getattr(column, "auto_increment", False):
        return Algorithm(REBUILD, table.name, "SHARED", certain=False)
    checks = any(isinstance(each, Check) for each in column.own_constraints)
    if (checks and not server.is_mariadb) or (column.default and not is_literal(column.default)):
        return Algorithm(COPY, table.name, certain=False)
    constrained = any(not isinstance(each, Check) for each in column.own_constraints)
    plain = not constrained and (server.instant_anywhere or table.columns[-1].name == column.name)
    special = getattr(table, "row_format", "").lower() == "compressed" or getattr(
        table, "system_versioned", False
    )
    if plain and not special:
        return Algorithm(INSTANT, table.name, certain=False)
    return Algorithm(REBUILD, table.name, certain=False)


def _of_column(change: AlterColumn, table: Table, server: Server, indexed: frozenset[str]) -> Algorithm:
    fields, name = set(change.fields), table.name
    free = fold(change.new.name) not in indexed
    if "not_null" in fields and fields <= {*_WORDS, "not_null"}:
        return Algorithm(REBUILD, name, certain=False)
    if fields <= _WORDS:
        return Algorithm(INSTANT, name, certain=False)
    if fields == {"type"}:
        old, new = type_of(change.old.type), type_of(change.new.type)
        if old is not None and new is not None and _extends(old, new, server):
            instant = old.name in ("enum", "set") or server.is_mariadb
            return Algorithm(INSTANT if instant else INPLACE, name, certain=False)
    if fields == {"collation"} and free and _same_characters(change.old, change.new, table):
        return Algorithm(INSTANT if server.is_mariadb else INPLACE, name, certain=False)
    computed = change.old.generated and change.new.generated and not change.new.stored
    if fields == {"generated"} and server.is_mariadb and free and computed:
        return Algorithm(INSTANT, name, certain=False)
    return Algorithm(COPY, name, certain=False)


_WORDS = frozenset({"default", "comment", "invisible", "on_update_value"})
"""What of a column is not in its rows."""


def _same_characters(old: Column, new: Column, table: Table) -> bool:
    """Whether both collations are of one character set, as far as they are said."""
    usual = getattr(table, "collation", "") or "utf8mb4"
    before, after = ((each.collation or usual).lower().partition("_")[0] for each in (old, new))
    return before == after


def _extends(old: DataType, new: DataType, server: Server) -> bool:
    """Whether stored values stay as they are: members added at the end, or a longer VARCHAR of as many length bytes."""
    if old.name != new.name:
        return False
    if old.name in ("enum", "set"):
        return new.members[: len(old.members)] == old.members
    if old.name == "varchar":
        before, after = int(old.arguments[0]) * 4, int(new.arguments[0]) * 4
        within = (before > 255) == (after > 255) or (server.is_mariadb and before < 128)
        return after >= before and within
    return False


def _of_constraint(change: Operation, constraint: object, table: str, server: Server) -> Algorithm:
    adds = isinstance(change, AddConstraint)
    match constraint:
        case PrimaryKey():
            return Algorithm(REBUILD if adds else COPY, table, certain=False)
        case Unique():
            return Algorithm(INPLACE, table, certain=True)
        case ForeignKey():
            # In place only with foreign_key_checks off, which would let rows in that refer to nothing.
            return Algorithm(COPY, table, certain=False) if adds else Algorithm(INPLACE, table, certain=True)
        case Check():
            gone = INSTANT if server.is_mariadb else INPLACE
            return Algorithm(COPY if adds else gone, table, certain=False)
    return Algorithm(COPY, table, certain=False)
