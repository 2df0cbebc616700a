"""Operations to steps: PostgreSQL's DDL is transactional, so every operation is a step of one transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kolumn.engine.operations import Alter, Create, Drop, Operation, Statement, Step
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.server import Server
from kolumn.sql.operations import AlterTable


class PostgresCompiler:
    """Writes what the handlers say as steps, and sees to their order where the catalogue knows more."""

    def __init__(self, handlers: Iterable[PostgresHandler[Any]], server: Server) -> None:
        self._handlers: Mapping[str, PostgresHandler[Any]] = {each.type: each for each in handlers}
        self._server = server

    def consolidate(
        self, operations: list[Operation], live: Snapshot, *, online: bool = False
    ) -> list[Operation]:
        """Return the operations with what the catalogue says of their order."""
        return list(_ordered(operations, live))

    def depends(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what must be dropped before the operation and comes back after it."""
        return self._handlers[operation.subject.type].disturbs(operation, live, replaced=replaced)

    def compile(self, operation: Operation, live: Snapshot, *, online: bool = False) -> list[Step]:
        """Return the steps of one operation."""
        handler = self._handlers[operation.subject.type]
        statements = _statements(handler.statements(operation, live, self._server))
        inverse = operation.inverse()
        undo = None
        if inverse is not None:
            after = live.with_changes(operation.effect())
            undo = _statements(handler.statements(inverse, after, self._server))
        return [
            Step(
                operation=operation,
                description=operation.describe(),
                statements=statements,
                undo=undo,
                risks=operation.risks,
                lock=handler.lock(operation, live),
            )
        ]


def _statements(texts: Iterator[str | Statement]) -> tuple[Statement, ...]:
    return tuple(Statement(each) if isinstance(each, str) else each for each in texts)


def _ordered(operations: list[Operation], live: Snapshot) -> Iterator[Operation]:
    """Yield the operations with two things only all of them together show.

    What the catalogue says depends on something leaves before that is removed; and what is changed in place
    comes after the columns that the same plan adds to what it uses.
    """
    removed = {ref for each in operations for ref in each.removes}
    leaving: dict[Ref, set[Ref]] = {}
    for ref in removed:
        for dependent in live.dependents(ref):
            leaving.setdefault(dependent, set()).add(ref)
    added: dict[Ref, set[Ref]] = {}
    for each in operations:
        if isinstance(each, AlterTable):
            added.setdefault(each.subject, set()).update(each.provides)
    for each in operations:
        releases = set(leaving.get(each.subject, ())) if isinstance(each, Drop | Alter) else set()
        requires: set[Ref] = set()
        if isinstance(each, Alter) and not isinstance(each, AlterTable) and added:
            for used in each.requires | each.releases:
                requires |= added.get(used, set())
        releases -= each.releases | {each.subject}
        requires -= each.requires
        if isinstance(each, Create) or not (releases or requires):
            yield each
        else:
            yield dataclasses.replace(
                each,
                releases=each.releases | releases,
                requires=each.requires | requires,
                guesses=each.guesses | requires,
            )
