"""Which lock a change of a table takes, in PostgreSQL's words, and what it lets others do meanwhile.

Sources: https://www.postgresql.org/docs/current/explicit-locking.html and the pages of the statements; for
ALTER TABLE, AlterTableGetLockLevel in src/backend/commands/tablecmds.c.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.language.tokens import qualified
from kolumn.providers.postgres.tables.inheritance import parents
from kolumn.providers.postgres.tables.model import PostgresTable
from kolumn.providers.postgres.tables.operations import AttachPartition, DetachPartition
from kolumn.sql.model import ForeignKey
from kolumn.sql.operations import (
    AddConstraint,
    AlterColumn,
    AlterConstraint,
    AlterObject,
    AlterTable,
    AlterTogether,
    DropConstraint,
)
from kolumn.sql.reference import parse_reference


class Mode(IntEnum):
    """Lock modes, stronger ones are greater."""

    NONE = 0
    SHARE_UPDATE_EXCLUSIVE = 1
    SHARE = 2
    SHARE_ROW_EXCLUSIVE = 3
    ACCESS_EXCLUSIVE = 4


_LETS = {
    Mode.SHARE_UPDATE_EXCLUSIVE: "others read and write",
    Mode.SHARE: "others read",
    Mode.SHARE_ROW_EXCLUSIVE: "others read",
    Mode.ACCESS_EXCLUSIVE: "nobody else reads or writes",
}
_GENTLE = frozenset({"comment", "statistics", "parameters"})
"""Attributes of tables, columns and indexes that change without being in the way of reads and writes."""


def words(mode: Mode, *relations: str) -> str:
    """Return a lock for people, e.g. `SHARE on public.film (others read)`; empty for none."""
    if mode is Mode.NONE or not relations:
        return ""
    return f"{mode.name.replace('_', ' ')} on {' and '.join(dict.fromkeys(relations))} ({_LETS[mode]})"


def of(operation: Operation) -> str:
    """Return the strongest lock of an operation on a table, and on what."""
    match operation:
        case Create(model=PostgresTable() as table):
            return words(Mode.ACCESS_EXCLUSIVE, *_parents(table)) if table.partition_of else ""
        case Drop(model=PostgresTable() as table):
            return words(Mode.ACCESS_EXCLUSIVE, _name(table), *_parents(table))
        case Rename(before=PostgresTable() as table):
            return words(Mode.ACCESS_EXCLUSIVE, _name(table))
        case AttachPartition(after=PostgresTable() as table):
            return words(Mode.ACCESS_EXCLUSIVE, _name(table))
        case DetachPartition(before=PostgresTable() as table):
            return words(Mode.ACCESS_EXCLUSIVE, _name(table), *_parents(table))
        case AlterTogether(because=because):
            changes = [(_mode(each), _relations(each)) for each in because]
            strongest = max(mode for mode, _ in changes)
            return words(strongest, *(name for mode, held in changes if mode is strongest for name in held))
        case AlterTable():
            return words(_mode(operation), *_relations(operation))
    return ""


def of_foreign_key(operation: Operation) -> str:
    """Return the lock of an operation on a foreign key declared apart from its table."""
    match operation:
        case Create(model=key) | Drop(model=key):
            mode = Mode.SHARE_ROW_EXCLUSIVE if isinstance(operation, Create) else Mode.ACCESS_EXCLUSIVE
            return words(mode, qualified(key.schema, key.table), _target(key, key.schema))
        case Rename(before=key):
            return words(Mode.ACCESS_EXCLUSIVE, qualified(key.schema, key.table))
        case AlterObject(after=key, fields=fields):
            mode = (
                Mode.SHARE_UPDATE_EXCLUSIVE
                if {"comment", "not_valid"}.issuperset(fields)
                else Mode.ACCESS_EXCLUSIVE
            )
            return words(mode, qualified(key.schema, key.table))
    return ""


def of_index(operation: Operation) -> str:
    """Return the lock of an operation on an index."""
    match operation:
        case Create(model=index):
            return words(Mode.SHARE, qualified(index.schema, index.table))
        case Drop(model=index):
            return words(Mode.ACCESS_EXCLUSIVE, qualified(index.schema, index.table))
        case Rename(before=index):
            return words(Mode.SHARE_UPDATE_EXCLUSIVE, qualified(index.schema, index.name))
        case AlterObject(after=index, fields=fields):
            gentle = (_GENTLE | {"columns"}).issuperset(fields)
            mode = Mode.SHARE_UPDATE_EXCLUSIVE if gentle else Mode.ACCESS_EXCLUSIVE
            return words(mode, qualified(index.schema, index.name))
    return ""


def _mode(operation: AlterTable) -> Mode:
    match operation:
        case AddConstraint(constraint=ForeignKey()):
            return Mode.SHARE_ROW_EXCLUSIVE
        case AddConstraint() | DropConstraint():
            return Mode.ACCESS_EXCLUSIVE
        case AlterConstraint(fields=fields):
            gentle = {"comment", "not_valid"}.issuperset(fields)
        case AlterColumn(fields=fields):
            gentle = _GENTLE.issuperset(fields)
        case AlterTable(fields=fields):
            gentle = bool(fields) and _GENTLE.issuperset(fields)
    return Mode.SHARE_UPDATE_EXCLUSIVE if gentle else Mode.ACCESS_EXCLUSIVE


def _relations(operation: AlterTable) -> list[str]:
    table = operation.before
    found = [qualified(table.schema, table.name)]
    if isinstance(operation, AddConstraint | DropConstraint) and isinstance(operation.constraint, ForeignKey):
        found.append(_target(operation.constraint, table.schema))
    return found


def _target(key: Any, schema: str) -> str:
    found = parse_reference(key.references)
    assert found is not None, key.references
    return qualified(*names.related(str(type(found)(found.table, (), found.schema)), schema))


def _name(table: PostgresTable) -> str:
    return qualified(table.schema, table.name)


def _parents(table: PostgresTable) -> list[str]:
    return [qualified(ref.schema, ref.name) for ref in parents(table)]
