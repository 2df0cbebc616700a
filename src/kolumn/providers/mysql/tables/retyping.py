"""Foreign keys go while the type of their columns changes, and come back.

The servers refuse to change a column on either side of a foreign key, as both sides must be of one type at every
moment. https://dev.mysql.com/doc/refman/9.4/en/create-table-foreign-keys.html
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.language.tokens import fold
from kolumn.providers.mysql.language.types import TEXTS, type_of
from kolumn.providers.mysql.tables.model import MySQLColumn, MySQLTable
from kolumn.sql import risks
from kolumn.sql.model import Constraint, ForeignKey, Table
from kolumn.sql.operations import (
    AddConstraint,
    AlterTable,
    AlterTogether,
    DropConstraint,
    RenameColumn,
)
from kolumn.sql.reference import Reference, parse_reference

Target = Callable[[Table, ForeignKey], Reference]
"""Returns what a foreign key refers to, with folded names."""
Collation = Callable[[Table], str]
"""Returns the collation of a table that names none."""


def with_keys_aside(
    operations: Sequence[Operation], live: Snapshot, target: Target, collation: Collation
) -> list[Operation]:
    """Return the operations with the foreign keys of columns that get another type dropped before and added after."""
    retyped: dict[Ref, frozenset[str]] = {}
    for each in operations:
        if isinstance(each, AlterTable) and (columns := frozenset(_retyped(each, collation))):
            retyped[each.subject] = retyped.get(each.subject, frozenset()) | columns
    if not retyped:
        return list(operations)
    names = _renamed(operations)
    gone = {each.subject for each in operations if isinstance(each, Drop | Create | Rename)}
    changed = _changed_keys(operations)
    first: dict[Ref, list[Operation]] = defaultdict(list)
    last: dict[Ref, list[Operation]] = defaultdict(list)
    without: dict[Ref, list[Constraint]] = defaultdict(list)
    for ref in live.refs("table"):
        if ref in live.aside or ref in gone:
            continue
        table = live.get(ref)
        for key in _keys(table):
            referred = target(table, key)
            parent = Ref("table", referred.table, referred.schema)
            back = replaced(
                key,
                {
                    "columns": tuple(names[ref].get(fold(each), each) for each in key.columns),
                    "references": str(_referred(key, names[parent])),
                },
            )
            mine = not retyped.get(ref, frozenset()).isdisjoint(map(fold, back.columns))
            others = (names[parent].get(each, each) for each in referred.columns)
            theirs = not retyped.get(parent, frozenset()).isdisjoint(map(fold, others))
            if (mine or theirs) and fold(key.name) not in changed[ref]:
                first[ref].append(_drop(table, key, ref))
                last[ref].append(_add(table, back, ref, operations))
                without[ref].append(key)
    moments = {ref: ref.moment("retyped") for ref in retyped}
    found: list[Operation] = []
    done: set[Ref] = set()
    ends = {each.subject: at for at, each in enumerate(operations) if isinstance(each, AlterTable)}
    retypings: dict[Ref, list[int]] = defaultdict(list)
    for at, each in enumerate(operations):
        if isinstance(each, AlterTable) and any(True for _ in _retyped(each, collation)):
            retypings[each.subject].append(at)
    for at, each in enumerate(operations):
        ref = each.subject
        if isinstance(each, AlterTable):
            if ref not in done:
                found += first.pop(ref, [])
                done.add(ref)
            each = _bare(each, without.get(ref, ()))
            if at in retypings[ref][:1]:
                each = dataclasses.replace(each, removes=each.removes | {moments[ref]})
            if at in retypings[ref][-1:]:
                each = dataclasses.replace(each, provides=each.provides | {moments[ref]})
        found.append(each)
        if ends.get(ref) == at:
            found += last.pop(ref, [])
    for ref in list(first):
        found += [*first[ref], *last.pop(ref)]
    return [_timed(each, moments, target) for each in found]


def _renamed(operations: Sequence[Operation]) -> dict[Ref, dict[str, str]]:
    """Return the new names of columns by their old ones, folded, for each table."""
    found: dict[Ref, dict[str, str]] = defaultdict(dict)
    for each in operations:
        if isinstance(each, RenameColumn):
            names = found[each.subject]
            former = next((old for old, new in names.items() if fold(new) == fold(each.old)), fold(each.old))
            names[former] = each.new
    return found


def _referred(key: ForeignKey, names: Mapping[str, str]) -> Reference:
    """Return what a foreign key refers to, with the new names of columns."""
    found = parse_reference(key.references)
    assert found is not None, key.references
    return dataclasses.replace(found, columns=tuple(names.get(fold(each), each) for each in found.columns))


def _retyped(operation: AlterTable, collation: Collation) -> Iterator[str]:
    """Yield the folded names of columns whose type or collation is another one afterwards."""
    before, after = operation.before, operation.after
    if isinstance(operation, RenameColumn) or not isinstance(before, MySQLTable):
        return
    assert isinstance(after, MySQLTable)
    old = {fold(each.name): each for each in before.columns}
    for column in after.columns:
        former = old.get(fold(column.name))
        if former is not None and _kind(former, before, collation) != _kind(column, after, collation):
            yield fold(column.name)


def _kind(column: MySQLColumn, table: MySQLTable, collation: Collation) -> tuple[Any, ...]:
    kind = type_of(column.type)
    charset = ""
    if kind is not None and kind.name in TEXTS:
        charset = column.collation or column.character_set or table.collation or table.character_set
        charset = charset or collation(table)
    return (kind or column.type.lower(), charset.lower(), bool(column.generated), column.stored)


def _keys(table: Any) -> Iterator[ForeignKey]:
    if isinstance(table, Table):
        for each in dict.fromkeys(table.constraints()):
            if isinstance(each, ForeignKey):
                yield each


def _changed_keys(operations: Sequence[Operation]) -> dict[Ref, set[str]]:
    """Return the folded names of foreign keys that go anyway."""
    found: dict[Ref, set[str]] = defaultdict(set)
    for operation in operations:
        for each in operation.because if isinstance(operation, AlterTogether) else (operation,):
            if isinstance(each, DropConstraint) and isinstance(each.constraint, ForeignKey):
                found[each.subject].add(fold(each.constraint.name))
    return found


def _drop(table: Table, key: ForeignKey, ref: Ref) -> DropConstraint:
    return DropConstraint(subject=ref, before=table, after=table.without_constraint(key), constraint=key)


def _add(table: Table, key: ForeignKey, ref: Ref, operations: Sequence[Operation]) -> AddConstraint:
    """Return the addition of a key to its table as the operations leave it."""
    mine = [each for each in operations if each.subject == ref and isinstance(each, AlterTable)]
    after = mine[-1].after if mine else table
    return AddConstraint(
        subject=ref,
        before=after,
        after=after,
        constraint=key,
        risks=tuple(risks.adding_constraint(after, key)),
    )


def _bare(operation: AlterTable, keys: Sequence[Constraint]) -> AlterTable:
    """Return the operation on a table that lacks `keys` for the time being."""
    before, after = operation.before, operation.after
    for key in keys:
        before, after = before.without_constraint(key), after.without_constraint(key)
    return dataclasses.replace(operation, before=before, after=after) if keys else operation


def _timed(operation: Operation, moments: dict[Ref, Ref], target: Target) -> Operation:
    """Return a change of a foreign key at its time: gone before columns get other types, back after."""
    key = getattr(operation, "constraint", None)
    if not isinstance(operation, AddConstraint | DropConstraint) or not isinstance(key, ForeignKey):
        return operation
    referred = target(operation.before, key)
    tables = (operation.subject, Ref("table", referred.table, referred.schema))
    found = frozenset(moments[ref] for ref in tables if ref in moments)
    if isinstance(operation, DropConstraint):
        return dataclasses.replace(operation, releases=operation.releases | found)
    return dataclasses.replace(operation, requires=operation.requires | found)
