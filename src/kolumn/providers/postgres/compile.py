"""Operations to steps: PostgreSQL's DDL is transactional, so every operation is a step of one transaction."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kolumn.engine.operations import NOTHING, Alter, Create, Drop, Operation, Statement, Step
from kolumn.engine.planning.consequences import Brought
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.validation import Question
from kolumn.providers.postgres import succession
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.grants.brought import brought
from kolumn.providers.postgres.grants.model import GRANTED_AS
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.language.scripts import statements_of
from kolumn.providers.postgres.online import Patience, resumed, steps
from kolumn.providers.postgres.questions import PostgresQuestions
from kolumn.providers.postgres.tables.comparison import TableNormalizer
from kolumn.sql.compiler import SQLCompiler
from kolumn.sql.operations import AlterTable

_WITH_PARTS = ("table", "domain", "view", "materialized_view", "composite_type")
"""Resource types that `dependencies` tells parts of."""


class _Stand(NamedTuple):
    """That an object, or only a part of it, stands on what one operation removes or changes."""

    removes: frozenset[Ref]
    alters: frozenset[Ref]
    part: Ref | None = None


class PostgresCompiler(SQLCompiler):
    """Writes what the handlers say as steps, and sees to their order where the catalogue knows more."""

    def __init__(self, handlers: Iterable[PostgresHandler[Any]], server: Server, patience: Patience) -> None:
        self._patience = patience
        self._handlers: Mapping[str, PostgresHandler[Any]] = {each.type: each for each in handlers}
        self._server = server

    def consolidate(
        self,
        operations: list[Operation],
        live: Snapshot,
        *,
        online: bool = False,
        wanted: Callable[[Ref], bool] = lambda _: False,
    ) -> list[Operation]:
        """Return the operations with what each resource type makes of all of them together."""
        for handler in self._handlers.values():
            operations = handler.consolidated(operations, live, self._server, online=online)
        operations = succession.consolidated(operations, live, self._handlers)
        return resumed(operations, live) if online else operations

    def depends(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what must be dropped before the operation and comes back after it."""
        return self._handlers[operation.subject.type].disturbs(operation, live, replaced=replaced)

    def owner_of(self, part: Ref, live: Snapshot) -> Ref | None:
        """Return the table, view or type that a default, constraint or column is a part of."""
        refs = (Ref(kind, part.parent, part.schema) for kind in _WITH_PARTS)
        return next((ref for ref in refs if ref in live), None)

    def brings(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[Brought]:
        """Yield the grants of default privileges (see `grants.brought`)."""
        return brought(operations, live, self._server, self._handlers["grant"])

    def questions(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[tuple[int, Question]]:
        """Yield which rows the operations would fail on."""
        dialect = PostgresDialect()
        return PostgresQuestions(TableNormalizer(dialect), dialect, self._server).ask(operations, live)

    def ordered(self, operations: list[Operation], live: Snapshot) -> list[Operation]:
        """Return the operations with what only all of them together show.

        What the catalogue says depends on something leaves before that is removed or changed, and comes back
        after it; what is changed in place comes after what it uses is, and after columns added there; new
        default privileges hold for what comes later.
        """
        standing = self._standing(operations, live)
        changing: dict[Ref, frozenset[Ref]] = {}
        freed: dict[Ref, frozenset[Ref]] = {}
        for each in operations:
            if isinstance(each, Alter):
                freed[each.subject] = freed.get(each.subject, NOTHING) | each.releases
            if isinstance(each, AlterTable):
                changing[each.subject] = changing.get(each.subject, NOTHING) | each.provides
            elif isinstance(each, Alter):
                for name in self._names(each):
                    changing[name] = changing.get(name, NOTHING) | {name.moment("changed")}
        found = [
            self._informed(each, standing.get(each.subject, ()), changing, freed.get(each.subject, NOTHING))
            for each in operations
        ]
        return succession.unhurried(_defaults_last(found))

    def _names(self, operation: Alter) -> frozenset[Ref]:
        """Return under which names others may use what is changed in place."""
        aliases = self._handlers[operation.subject.type].aliases(operation.after)
        return aliases | {operation.subject}

    def _standing(self, operations: Iterable[Operation], live: Snapshot) -> Mapping[Ref, list[_Stand]]:
        """Return which objects stand, themselves or with a part, on what is removed or changed.

        Another name does not touch them, changes of an object itself come in their own order, and tables follow
        what they inherit from.
        """
        found: dict[Ref, list[_Stand]] = defaultdict(list)
        for each in operations:
            if each.RENAMES:
                continue
            for ref in each.removes | each.alters:
                # What stands on a table that is altered need not stand on the column that goes or changes.
                removes = each.removes if ref in each.removes else NOTHING
                for dependent in live.dependents(ref):
                    if dependent.type == ref.type == "table":
                        continue
                    if dependent in live:
                        found[dependent].append(_Stand(removes, each.alters))
                    elif (owner := self.owner_of(dependent, live)) not in (None, each.subject):
                        assert owner is not None
                        found[owner].append(_Stand(removes, each.alters, dependent))
        return found

    def _informed(
        self,
        operation: Operation,
        stands: Iterable[_Stand],
        changing: Mapping[Ref, frozenset[Ref]],
        freed: frozenset[Ref],
    ) -> Operation:
        """Return the operation with what it needs and sets free as far as more is known.

        What a change of the same object sets free itself is not set free by its other operations.
        """
        own = {operation.subject}
        match operation:
            case Drop(uses=uses):
                more = NOTHING.union(*(each.removes | each.alters for each in stands)) - own - freed
                return dataclasses.replace(operation, uses=uses | more) if more - uses else operation
            case Create(uses=uses):
                more = NOTHING.union(*(each.removes | each.alters for each in stands if each.part is None))
                more -= uses | own
                if not more:
                    return operation
                return dataclasses.replace(operation, uses=uses | more, guesses=operation.guesses | more)
            case Alter():
                releases = NOTHING.union(*(each.removes for each in stands if self._changes(operation, each)))
                releases -= freed | own
                requires = provides = NOTHING
                if changing and not isinstance(operation, AlterTable):
                    used = self._handlers[operation.subject.type].uses(operation.after) - own
                    used |= operation.releases - own
                    requires = NOTHING.union(*(changing.get(ref, NOTHING) for ref in used))
                    provides = frozenset(name.moment("changed") for name in self._names(operation))
                return dataclasses.replace(
                    operation,
                    releases=operation.releases | releases,
                    requires=operation.requires | requires,
                    provides=operation.provides | provides,
                    guesses=operation.guesses | (requires - operation.requires),
                )
        return operation

    def _changes(self, operation: Alter, stand: _Stand) -> bool:
        """Whether what stands on something is what the operation takes away or changes."""
        if stand.part is None:
            return True
        part = self._handlers[operation.subject.type].part
        before = part(operation.before, stand.part)
        return before is not None and before != part(operation.after, stand.part)

    def split(self, script: str) -> Sequence[str]:
        """Return the statements of a script. Raises ValidationError."""
        return statements_of(script)

    def compile(self, operation: Operation, live: Snapshot, *, online: bool = False) -> list[Step]:
        """Return the steps of one operation; `online`: see the module of that name."""
        if online:
            return steps(operation, live, self._patience, lambda each: self._step(each, live))
        return [self._step(operation, live)]

    def _step(self, operation: Operation, live: Snapshot) -> Step:
        handler = self._handlers[operation.subject.type]
        statements = _statements(handler.statements(operation, live, self._server))
        inverse = operation.inverse()
        undo = None
        if inverse is not None:
            after = live.with_changes(operation.effect())
            undo = _statements(handler.statements(inverse, after, self._server))
        return Step(
            operation=operation,
            description=operation.describe(),
            statements=statements,
            undo=undo,
            risks=(*operation.risks, *handler.risks(operation, live)),
            lock=handler.lock(operation, live),
        )


def _defaults_last(operations: list[Operation]) -> list[Operation]:
    """Return the operations with new default privileges after all that is created (see `grants.brought`)."""
    given = [at for at, each in enumerate(operations) if each.subject.type == "default_privileges"]
    if not given:
        return operations
    created = frozenset(
        each.subject for each in operations if isinstance(each, Create) and each.subject.type in GRANTED_AS
    )
    found = list(operations)
    for at in given:
        if not isinstance(found[at], Drop):
            found[at] = dataclasses.replace(
                found[at],
                requires=found[at].requires | created,
                guesses=found[at].guesses | (created - found[at].requires),
            )
    return found


def _statements(texts: Iterator[str | Statement]) -> tuple[Statement, ...]:
    return tuple(Statement(each) if isinstance(each, str) else each for each in texts)
