"""Parents and children in one plan: ALTER TABLE of a parent reaches its children.

A table leaves its parent before the parent changes, so that it keeps what it has; what it changes itself comes
after what comes to it by way of the parent; and it joins a parent once that is as it should be.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from kolumn.engine.operations import Drop, Operation
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.tables.inheritance import parents
from kolumn.providers.postgres.tables.model import PostgresTable
from kolumn.providers.postgres.tables.operations import DetachPartition
from kolumn.sql.operations import AlterTable


def parents_first(operations: list[Operation]) -> list[Operation]:
    """Return the operations with that order among what they require and provide."""
    chains: dict[Ref, list[AlterTable]] = defaultdict(list)
    gone = {each.subject for each in operations if isinstance(each, Drop)}  # these lose their foreign keys
    for each in operations:
        if isinstance(each, AlterTable) and each.subject not in gone:
            chains[each.subject].append(each)
    requires: dict[int, set[Ref]] = defaultdict(set)
    provides: dict[int, set[Ref]] = defaultdict(set)
    for child, chain in chains.items():
        for each in chain:
            for parent in _parents(each) & chains.keys():
                if _leaves(each):
                    mark, first, then = (
                        Ref("apart", child.name, child.schema, parent.name),
                        [each],
                        chains[parent],
                    )
                else:
                    mark, first, then = Ref("shape", parent.name, parent.schema), chains[parent], [each]
                for one in first:
                    provides[id(one)].add(mark)
                for one in then:
                    requires[id(one)].add(mark)
    if not requires:
        return operations
    return [
        dataclasses.replace(
            each, requires=each.requires | requires[id(each)], provides=each.provides | provides[id(each)]
        )
        if id(each) in requires or id(each) in provides
        else each
        for each in operations
    ]


def _leaves(operation: AlterTable) -> bool:
    before, after = _derived(operation.before), _derived(operation.after)
    return isinstance(operation, DetachPartition) or bool(before - after)


def _parents(operation: AlterTable) -> frozenset[Ref]:
    return _derived(operation.before) | _derived(operation.after)


def _derived(table: object) -> frozenset[Ref]:
    return frozenset(parents(table)) if isinstance(table, PostgresTable) else frozenset()
