"""Operations to steps. DDL commits by itself, so every step stands alone, with its own undo."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import NOTHING, Create, Drop, Operation, Statement, Step
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.validation import Question
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.scripts import statements_of
from kolumn.providers.mysql.language.tokens import fold
from kolumn.providers.mysql.questions import MySQLQuestions
from kolumn.providers.mysql.tables.algorithms import Algorithm, algorithm_of
from kolumn.providers.mysql.tables.alter import is_drawn, remains
from kolumn.providers.mysql.tables.handler import MySQLTableHandler
from kolumn.providers.mysql.tables.implied import DropKeyWithIndex, with_index, with_made_index
from kolumn.providers.mysql.tables.retyping import with_keys_aside
from kolumn.providers.mysql.tables.together import (
    AlterWithIndexes,
    CreateWithIndexes,
    with_indexes,
)
from kolumn.sql.compiler import SQLCompiler
from kolumn.sql.differ import column_ref
from kolumn.sql.model import ForeignKey, Table
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterObject,
    AlterTable,
    AlterTogether,
    DropConstraint,
    RenameColumn,
)


class MySQLCompiler(SQLCompiler):
    """Writes what the handlers say as steps, merges changes of a table, and sees to the order of keys."""

    def __init__(self, handlers: Iterable[MySQLHandler[Any]], server: Server) -> None:
        self._handlers: Mapping[str, MySQLHandler[Any]] = {each.type: each for each in handlers}
        self._server = server

    def consolidate(
        self,
        operations: list[Operation],
        live: Snapshot,
        *,
        online: bool = False,
        wanted: Callable[[Ref], bool] = lambda _: False,
    ) -> list[Operation]:
        """Return the operations with the changes of each table merged into one, as far as that is safe.

        With a foreign key goes the index that came with it, unless that is `wanted` for itself.
        """
        found: list[Operation] = []
        for each in operations:
            if isinstance(each, DropConstraint) and isinstance(each.constraint, ForeignKey):
                with_it = with_index(each, live)
                index = with_it.index if isinstance(with_it, DropKeyWithIndex) else ""
                ref = Ref("index", fold(index), each.subject.schema, each.subject.name)
                found.append(with_it if index and not wanted(ref) else each)
            else:
                found.append(each)
        together = with_indexes(list(_merged(_with_parts(found, live), self._server)), live)
        handler = self._handlers["table"]
        return with_keys_aside(
            together, live, handler.normalizer.target, lambda table: self._collation(table, live)
        )

    def _collation(self, table: Table, live: Snapshot) -> str:
        """Return the collation that a table has which names none."""
        schema = Ref("schema", fold(table.schema or self._server.database))
        return str(getattr(live.get(schema), "collation", ""))

    def depends(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what goes with a table that is dropped and created again: its indexes and triggers."""
        if isinstance(operation, Drop) and replaced:
            yield from live.attached(operation.subject)

    def owner_of(self, part: Ref, live: Snapshot) -> Ref | None:
        """Return the table of a constraint."""
        table = Ref("table", part.parent, part.schema)
        return table if table in live else None

    def ordered(self, operations: list[Operation], live: Snapshot) -> list[Operation]:
        """Return the operations with foreign keys after the indexes that they and their targets can use.

        A foreign key that finds no index makes one; an index cannot go before the foreign key that needs it.
        """
        created: dict[Ref, set[Ref]] = defaultdict(set)
        dropped: dict[Ref, set[Ref]] = defaultdict(set)
        keyed: set[Ref] = set()
        for each in operations:
            if isinstance(each, AlterWithIndexes | CreateWithIndexes):
                created[each.subject].update(set(each.along) & each.provides)
                dropped[each.subject].update(set(each.along) & each.removes)
            if each.subject.type == "index":
                table = Ref("table", each.subject.parent, each.subject.schema)
                if isinstance(each, Create):
                    created[table].add(each.subject)
                elif isinstance(each, Drop):
                    dropped[table].add(each.subject)
                elif isinstance(each, AlterObject):
                    created[table].add(_changed(each.subject))
                    dropped[table].add(_changed(each.subject))
            elif any(_foreign_keys(each)):
                keyed.add(each.subject)
        found = [_unbound(self._informed(each, created, dropped), keyed) for each in operations]
        return [self._with_needs(each) for each in found]

    def _with_needs(self, operation: Operation) -> Operation:
        """Return the change of a table after the sequences it draws from now are made, before former ones go."""
        handler = self._handlers["table"]
        assert isinstance(handler, MySQLTableHandler)
        if not isinstance(operation, AlterTable):
            return operation
        before, after = handler.needs(operation.before), handler.needs(operation.after)
        return dataclasses.replace(
            operation,
            requires=operation.requires | (after - before),
            releases=operation.releases | (before - after),
        )

    def _informed(
        self, operation: Operation, created: Mapping[Ref, set[Ref]], dropped: Mapping[Ref, set[Ref]]
    ) -> Operation:
        keys = list(_foreign_keys(operation))
        if not keys:
            return operation
        handler = self._handlers["table"]
        assert isinstance(handler, MySQLTableHandler)
        subject = operation.subject
        after = getattr(operation, "after", None)
        tables = {subject, *(handler.target_of(after, key) for key in keys if after is not None)}
        if any(isinstance(each, DropConstraint) for each in _single(operation)):
            more = NOTHING.union(*(dropped.get(table, ()) for table in tables))
            return dataclasses.replace(operation, releases=operation.releases | more)
        more = NOTHING.union(*(created.get(table, ()) for table in tables)) - operation.requires
        return dataclasses.replace(
            operation, requires=operation.requires | more, guesses=operation.guesses | more
        )

    def questions(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[tuple[int, Question]]:
        """Yield which rows the operations would fail on."""
        handler = self._handlers["table"]
        return MySQLQuestions(handler.normalizer).ask(operations, live)

    def split(self, script: str) -> Sequence[str]:
        """Return the statements of a script. Raises ValidationError."""
        return statements_of(script)

    def compile(self, operation: Operation, live: Snapshot, *, online: bool = False) -> list[Step]:
        """Return the steps of one operation; none where the server has nothing to do.

        `online` tells the server to refuse what would keep others from writing.
        """
        self._refuse(operation)
        pieces = self._handlers[operation.subject.type].pieces(operation)
        return [step for piece in pieces for step in self._steps(piece, live, online=online)]

    def _steps(self, operation: Operation, live: Snapshot, *, online: bool) -> list[Step]:
        handler = self._handlers[operation.subject.type]
        how = algorithm_of(operation, live, self._server)
        statements = self._statements(handler, operation, live, how, online=online)
        if not statements:
            return []
        # Where values or rows are lost for good, taking back the rest would only hide it.
        is_loss = any(risk.kind == "data_loss" for risk in operation.risks)
        inverse = None if is_loss else self._inverse(operation, live)
        undo = None
        if inverse is not None:
            after = live.with_changes(operation.effect())
            undo = tuple(_unchecked(inverse, self._statements(handler, inverse, after, None)))
        return [
            Step(
                operation=operation,
                description=operation.describe(),
                statements=tuple(statements),
                undo=undo,
                risks=(
                    *operation.risks,
                    *handler.risks(operation, live),
                    *(how.risks if how is not None else ()),
                ),
                lock=how.words if how is not None else handler.lock(operation, live),
                rewrites=how is not None and how.rewrites,
                transactional=False,
                cleanup=tuple(map(Statement, remains(operation, self._server))),
            )
        ]

    def _statements(
        self,
        handler: MySQLHandler[Any],
        operation: Operation,
        live: Snapshot,
        how: Algorithm | None,
        *,
        online: bool = False,
    ) -> list[Statement]:
        found = []
        for each in handler.statements(operation, live, self._server):
            text = each if isinstance(each, str) else each.text
            parameters = () if isinstance(each, str) else each.parameters
            if how is not None and text.startswith("ALTER TABLE"):
                text += how.clause(online=online)
            found.append(Statement(text, parameters))
        return found

    def _inverse(self, operation: Operation, live: Snapshot) -> Operation | None:
        """Return what takes an operation back: with a foreign key goes the index that the server makes for it."""
        inverse = operation.inverse()
        if not isinstance(inverse, DropConstraint) or not isinstance(inverse.constraint, ForeignKey):
            return inverse
        return with_made_index(inverse, live, self._server)

    def _refuse(self, operation: Operation) -> None:
        """Raise ValidationError for what this server does not have."""
        if operation.subject.type == "sequence" and not self._server.sequences:
            message = f"{self._server.product} has no sequences; number rows with auto_increment"
            raise ValidationError(
                message,
                code="refused_resource_type",
                problems=[Problem(message, code="refused_resource_type", resource=str(operation.subject))],
            )


def _unchecked(operation: Operation, statements: Sequence[Statement]) -> Iterator[Statement]:
    """Yield statements that take something back, also where rows are gone that a foreign key refers to."""
    if not any(isinstance(each, AddConstraint) for each in _single(operation)) or not any(
        _foreign_keys(operation)
    ):
        yield from statements
        return
    yield Statement("SET SESSION foreign_key_checks = 0")
    yield from statements
    yield Statement("SET SESSION foreign_key_checks = 1")


def _unbound(operation: Operation, keyed: set[Ref]) -> Operation:
    """Return the change of an index as one that need not wait for all changes of its table.

    Where foreign keys come and go these come after indexes and go before them.
    """
    if operation.subject.type != "index" or not isinstance(operation, Create | Drop | AlterObject):
        return operation
    table = Ref("table", operation.subject.parent, operation.subject.schema)
    if isinstance(operation, AlterObject):
        return _amid_columns(operation, table)
    if table not in keyed:
        return operation
    uses = operation.uses - {table}
    if isinstance(operation, Drop):
        return dataclasses.replace(operation, uses=uses, releases=operation.releases - {table})
    names = (fold(part.column) for part in operation.model.columns if part.column)
    columns = frozenset(column_ref(table, name) for name in names)
    return dataclasses.replace(operation, uses=uses, requires=operation.requires | {table} | columns)


def _changed(index: Ref) -> Ref:
    """Return the moment at which an index changes."""
    return index.moment("changed")


def _amid_columns(operation: AlterObject, table: Ref) -> AlterObject:
    """Return the change of an index as one that comes after its new columns do, and before its old ones go."""

    def columns(index: Any) -> frozenset[Ref]:
        return frozenset(column_ref(table, fold(part.column)) for part in index.columns if part.column)

    moment = frozenset({_changed(operation.subject)})
    return dataclasses.replace(
        operation,
        requires=operation.requires | columns(operation.after),
        releases=operation.releases | columns(operation.before),
        provides=operation.provides | moment,
        removes=operation.removes | moment,
    )


def _single(operation: Operation) -> Sequence[Operation]:
    return operation.because if isinstance(operation, AlterTogether) else (operation,)


def _foreign_keys(operation: Operation) -> Iterator[ForeignKey]:
    for each in _single(operation):
        if isinstance(each, AddConstraint | DropConstraint) and isinstance(each.constraint, ForeignKey):
            yield each.constraint


@dataclass(frozen=True, kw_only=True)
class DropWithParts(Drop):
    """Drop a table with the indexes and triggers that go along with it."""

    along: tuple[Ref, ...]

    def effect(self) -> Mapping[Ref, Any]:
        """Return that all of them are gone."""
        return dict.fromkeys((self.subject, *self.along))


def _with_parts(operations: Sequence[Operation], live: Snapshot) -> list[Operation]:
    """Return the operations without drops of what goes with its table: a foreign key may need the index till then."""
    tables = {each.subject for each in operations if isinstance(each, Drop) and each.subject.type == "table"}
    going: dict[Ref, list[Operation]] = defaultdict(list)
    for each in operations:
        if isinstance(each, Drop) and (owner := live.owner(each.subject)) in tables and owner is not None:
            going[owner].append(each)
    spared = {id(each) for drops in going.values() for each in drops}
    found: list[Operation] = []
    for each in operations:
        if id(each) in spared:
            continue
        drops = going.get(each.subject, []) if isinstance(each, Drop) else []
        if drops:
            assert isinstance(each, Drop)
            removes = each.removes.union(*(drop.removes for drop in drops))
            each = DropWithParts(
                subject=each.subject,
                model=each.model,
                uses=each.uses,
                removes=removes,
                releases=each.releases,
                requires=each.requires,
                guesses=each.guesses,
                place=each.place,
                risks=each.risks,
                along=tuple(drop.subject for drop in drops),
            )
        found.append(each)
    return found


def _merged(operations: Sequence[Operation], server: Server) -> Iterator[Operation]:
    """Yield the operations with runs of changes of one table as one.

    Foreign keys and renamings of columns stay by themselves: others may have to come in between. So do columns
    that are filled once they are there.
    """
    runs: dict[Ref, list[AlterTable]] = {}
    pending: dict[int, list[AlterTable]] = {}
    order: list[Operation | int] = []
    for operation in operations:
        apart = not isinstance(operation, AlterTable) or isinstance(operation, RenameColumn | AlterTogether)
        drawn = isinstance(operation, AddColumn) and is_drawn(operation.column, server)
        if apart or drawn or any(_foreign_keys(operation)):
            runs.pop(operation.subject, None)
            order.append(operation)
            continue
        assert isinstance(operation, AlterTable)
        run = runs.get(operation.subject)
        if run is None:
            run = runs[operation.subject] = []
            pending[id(run)] = run
            order.append(id(run))
        run.append(operation)
    for each in order:
        if isinstance(each, Operation):
            yield each
            continue
        run = pending[each]
        if len(run) == 1:
            yield run[0]
        else:
            yield AlterTogether(
                subject=run[0].subject, before=run[0].before, after=run[-1].after, because=tuple(run)
            )
