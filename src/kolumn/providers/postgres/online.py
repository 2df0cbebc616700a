"""Changes of what is in use, so that others go on reading and writing meanwhile.

The same operations, split where PostgreSQL has a gentle way: indexes are built and dropped CONCURRENTLY,
keys take over an index built so, checks and foreign keys are added NOT VALID and validated afterwards, and
NOT NULL rests on such a check. Whatever is left takes its lock in a transaction of its own, waits for it
only briefly, and tries again. What is new in a plan nobody uses yet: it is made as always.

All of it is not one transaction any more: the journal notes the steps, a failure undoes them backwards, and
an interrupted apply is finished by the next one, since plans start from what the catalogue says. An index
that was left invalid is dropped and built again; a check left behind for NOT NULL is not wanted, and goes.

https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from kolumn.engine.operations import Alter, Create, Drop, Operation, Rename, Risk, Statement, Step
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.language.naming import object_name
from kolumn.providers.postgres.language.tokens import qualified, quote
from kolumn.providers.postgres.resources.enum import AddValues
from kolumn.providers.postgres.resources.index import PostgresIndex
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.inheritance import parents
from kolumn.providers.postgres.tables.model import (
    PostgresCheck,
    PostgresForeignKey,
    PostgresPrimaryKey,
    PostgresTable,
    PostgresUnique,
)
from kolumn.providers.postgres.tables.render import index_marks
from kolumn.sql.operations import (
    AddConstraint,
    AlterColumn,
    AlterConstraint,
    AlterTable,
    AlterTogether,
    DropConstraint,
    constraint_words,
)
from kolumn.sql.reference import parse_reference

_INDEX = re.compile(r"^(CREATE (?:UNIQUE )?INDEX|DROP INDEX) ")
_VALIDATING = "SHARE UPDATE EXCLUSIVE on {table} (others read and write)"
_BRIEF = "ACCESS EXCLUSIVE on {table}, for a moment"

Compile = Callable[[Operation], Step]
"""Compiles one operation as it is done when nobody else is there."""


class Patience(NamedTuple):
    """How often, and with which first pause in seconds, a step tries to get its lock."""

    attempts: int = 1
    pause: float = 1.0


def steps(operation: Operation, live: Snapshot, patience: Patience, compiled: Compile) -> list[Step]:
    """Return the steps of `operation` that let others work on."""
    return [step for part in _split(operation, live) for step in _steps_of(part, live, patience, compiled)]


def resumed(operations: list[Operation], live: Snapshot) -> list[Operation]:
    """Return the operations going on from the checks for NOT NULL, and the keys' indexes, that are left.

    Nobody wants what an interrupted apply left, so it would be dropped, made and validated again.
    """
    keys = {
        (each.constraint.name, each.subject.schema): each
        for each in operations
        if isinstance(each, AddConstraint)
        and isinstance(each.constraint, PostgresPrimaryKey | PostgresUnique)
        and not _table(each.after).partition_by
    }
    filled = {
        (each.subject, _filled_name(each.before.name, each.new.name)): at
        for at, each in enumerate(operations)
        if isinstance(each, AlterColumn) and "not_null" in each.fields and each.new.not_null
    }
    found: list[Operation | None] = list(operations)
    for at, each in enumerate(operations):
        if isinstance(each, Drop) and isinstance(each.model, PostgresIndex):
            adding = keys.get((each.subject.name, each.subject.schema))
            if adding is not None and _left_index(_table(adding.after), adding.constraint, live) is not None:
                found[at] = None
        if isinstance(each, DropConstraint) and isinstance(each.constraint, PostgresCheck):
            goes_on = filled.get((each.subject, each.constraint.name))
            if goes_on is not None:
                change = found[goes_on]
                assert isinstance(change, AlterColumn)
                before = change.before.with_constraint(each.constraint)
                found[goes_on] = dataclasses.replace(change, before=before)
                found[at] = None
    return [each for each in found if each is not None]


class _Part(NamedTuple):
    """An operation as a part of another one."""

    operation: Operation
    undo: Literal["own", "nothing", "not there"] = "own"
    """What takes it back: what usually does; nothing, as the undo of an earlier part does all; or that the
    constraint is dropped, if it is there."""


def _steps_of(part: _Part, live: Snapshot, patience: Patience, compiled: Compile) -> Iterator[Step]:
    for step in _gentle(part.operation, live, patience, compiled):
        if part.undo == "own":
            yield step
        elif part.undo == "nothing":
            yield msgspec.structs.replace(step, undo=())
        else:
            assert isinstance(part.operation, AddConstraint)
            constraint = quote(part.operation.constraint.name)
            undo = f"ALTER TABLE {_name(part.operation)} DROP CONSTRAINT IF EXISTS {constraint}"
            yield msgspec.structs.replace(step, undo=(Statement(undo),))


def _split(operation: Operation, live: Snapshot) -> Iterator[_Part]:
    """Yield the operations that lead to the same by steps with short locks."""
    match operation:
        case AlterTogether(because=because):
            for each in because:
                yield from _split(each, live)
        case AddConstraint(constraint=PostgresCheck() | PostgresForeignKey() as constraint) if (
            _in_use(operation.subject, live)
            and not constraint.not_valid
            and not constraint.not_enforced
            and (isinstance(constraint, PostgresCheck) or not _table(operation.after).partition_by)
        ):
            yield from _validated_later(operation, constraint)
        case AlterColumn(fields=fields, old=old, new=new) if (
            "not_null" in fields and new.not_null and not old.not_null and _in_use(operation.subject, live)
        ):
            yield from _not_null_through_a_check(operation)
        case _:
            yield _Part(operation)


def _validated_later(operation: AddConstraint, constraint: Any) -> Iterator[_Part]:
    unproven = dataclasses.replace(constraint, not_valid=True)
    between = operation.before.with_constraint(unproven)
    yield _Part(dataclasses.replace(operation, constraint=unproven, after=between, risks=()), "not there")
    validation = AlterConstraint(
        subject=operation.subject,
        before=between,
        after=operation.after,
        old=unproven,
        new=constraint,
        fields=("not_valid",),
        risks=operation.risks,
    )
    yield _Part(validation, "nothing")


def _not_null_through_a_check(operation: AlterColumn) -> Iterator[_Part]:
    """Yield what proves a column to be filled while others write, and NOT NULL resting on that.

    https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL
    """
    column = operation.new.name
    name = _filled_name(operation.before.name, column)
    check = PostgresCheck(name=name, expression=f"{quote(column)} IS NOT NULL")
    left = next((each for each in operation.before.constraints() if each.name == name), None)
    start = operation.before if left is None else operation.before.without_constraint(left)
    checked = start.with_constraint(check)
    adding = AddConstraint(
        subject=operation.subject,
        before=start,
        after=checked,
        constraint=check,
        risks=tuple(risk for risk in operation.risks if risk.kind == "may_fail"),
    )
    validated = list(_validated_later(adding, check))
    if left is None:
        yield from validated
    elif getattr(left, "not_valid", False):
        yield validated[-1]
    proven = operation.after.with_constraint(check)
    rest = tuple(risk for risk in operation.risks if risk.kind not in ("may_fail", "long_lock"))
    yield _Part(dataclasses.replace(operation, before=checked, after=proven, risks=rest))
    dropping = DropConstraint(
        subject=operation.subject, before=proven, after=operation.after, constraint=check
    )
    yield _Part(dropping, "nothing")


def _filled_name(table: str, column: str) -> str:
    return object_name("kolumn", f"{table}_{column}", "filled")


def _gentle(operation: Operation, live: Snapshot, patience: Patience, compiled: Compile) -> Iterator[Step]:
    match operation:
        case Create(model=PostgresIndex() as index) if _can_build(index, live):
            yield from _built(compiled(operation), index, patience)
            return
        case Drop(model=PostgresIndex() as index) if _can_build(index, live):
            yield _dropped(compiled(operation), index)
            return
        case AddConstraint(constraint=PostgresPrimaryKey() | PostgresUnique() as key) if (
            _in_use(operation.subject, live)
            and not _table(operation.after).partition_by
            and not key.without_overlaps
        ):
            yield from _key(operation, key, live, patience, compiled)
            return
        case AddValues():  # nobody, later steps included, can use a value before it is committed
            yield msgspec.structs.replace(compiled(operation), alone=True)
            return
    step = compiled(operation)
    if not _touches_what_is_used(operation, live):
        yield step
        return
    table = _name(operation)
    lock = step.lock
    if _scans_while_locked(operation, live) and not any(risk.kind == "long_lock" for risk in step.risks):
        step = msgspec.structs.replace(step, risks=(*step.risks, _long_lock(operation)))
    if isinstance(operation, AlterConstraint) and operation.fields == ("not_valid",):
        lock = _VALIDATING.format(table=table)
    elif isinstance(operation, AlterTable) and not any(
        risk.kind in ("table_rewrite", "long_lock") for risk in step.risks
    ):
        lock = _BRIEF.format(table=table)
    yield _alone(msgspec.structs.replace(step, lock=lock), patience)


def _built(step: Step, index: PostgresIndex, patience: Patience) -> Iterator[Step]:
    create, *rest = step.statements
    drop = (Statement(f"DROP INDEX CONCURRENTLY IF EXISTS {qualified(index.schema, index.name)}"),)
    yield msgspec.structs.replace(
        step,
        statements=(_concurrently(create),),
        undo=drop,
        cleanup=drop,
        transactional=False,
        lock=_VALIDATING.format(table=qualified(index.schema, index.table)),
        risks=tuple(risk for risk in step.risks if risk.kind != "long_lock"),
    )
    if rest:
        words = f"finish index {index.name}"
        yield _alone(
            msgspec.structs.replace(step, description=words, statements=tuple(rest), undo=(), risks=()),
            patience,
        )


def _dropped(step: Step, index: PostgresIndex) -> Step:
    undo = None
    if step.undo is not None and not index.invalid:
        undo = tuple(map(_concurrently, step.undo))
    return msgspec.structs.replace(
        step,
        statements=tuple(map(_concurrently, step.statements)),
        undo=undo if not index.invalid else (),
        transactional=False,
        lock=_VALIDATING.format(table=qualified(index.schema, index.table)),
    )


def _key(
    operation: AddConstraint, key: Any, live: Snapshot, patience: Patience, compiled: Compile
) -> Iterator[Step]:
    """Yield the building of a unique index, and the constraint that takes it over.

    Such an index that an interrupted apply left is taken over if it is valid, else built again.
    """
    table = _table(operation.after)
    where = qualified(table.schema, table.name)
    index = qualified(table.schema, key.name)
    whole = compiled(operation)
    left = _left_index(table, key, live)
    gone = Statement(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
    if left is None or left.invalid:
        create = Statement(_key_index(where, key))
        yield msgspec.structs.replace(
            whole,
            description=f"build the index of {constraint_words(key)} of {operation.subject}",
            statements=(create,) if left is None else (gone, create),
            undo=(gone,),
            cleanup=(gone,),
            transactional=False,
            lock=_VALIDATING.format(table=where),
        )
    is_primary = isinstance(key, PostgresPrimaryKey)
    kind = "PRIMARY KEY" if is_primary else "UNIQUE"
    waits = " DEFERRABLE" if key.deferrable else ""
    waits += " INITIALLY DEFERRED" if key.initially_deferred else ""
    added = f"ADD CONSTRAINT {quote(key.name)} {kind} USING INDEX {quote(key.name)}{waits}"
    actions = ", ".join((added, *index_marks(key)))
    risks: tuple[Risk, ...] = ()
    parts = {part.column for part in key.columns}
    if is_primary and any(each.name in parts and not each.not_null for each in operation.before.columns):
        words = f"looks for NULLs in all rows of table {table.name} while nobody else can use it"
        risks = (Risk("long_lock", words),)
    rest = tuple(each for each in whole.statements if not each.text.startswith("ALTER TABLE"))
    yield _alone(
        msgspec.structs.replace(
            whole,
            statements=(Statement(f"ALTER TABLE {where} {actions}"), *rest),
            risks=risks,
            lock=_BRIEF.format(table=where),
        ),
        patience,
    )


def _left_index(table: PostgresTable, key: Any, live: Snapshot) -> PostgresIndex | None:
    """Return the index an interrupted apply built, or began to build, for a key."""
    ref = Ref("index", key.name, table.schema)
    found = live.get(ref) if ref in live else None
    if not isinstance(found, PostgresIndex) or found.table != table.name or not found.unique:
        return None
    nulls = getattr(key, "nulls_not_distinct", False)
    said = ([(part.column, "", "asc") for part in key.columns], tuple(key.include), "", nulls)
    have = [(part.column, part.expression, part.order) for part in found.columns]
    return found if (have, found.include, found.where, found.nulls_not_distinct) == said else None


def _key_index(table: str, key: Any) -> str:
    parts = [f"CREATE UNIQUE INDEX CONCURRENTLY {quote(key.name)} ON {table}"]
    parts.append(f"({', '.join(quote(part.column) for part in key.columns)})")
    if key.include:
        parts.append(f"INCLUDE ({', '.join(map(quote, key.include))})")
    if getattr(key, "nulls_not_distinct", False):
        parts.append("NULLS NOT DISTINCT")
    if key.parameters:
        parts.append(f"WITH ({key.parameters.sql()})")
    if key.tablespace:
        parts.append(f"TABLESPACE {quote(key.tablespace)}")
    return " ".join(parts)


def _alone(step: Step, patience: Patience) -> Step:
    return msgspec.structs.replace(step, alone=True, attempts=patience.attempts, pause=patience.pause)


def _concurrently(statement: Statement) -> Statement:
    return Statement(_INDEX.sub(r"\1 CONCURRENTLY ", statement.text), statement.parameters)


def _can_build(index: PostgresIndex, live: Snapshot) -> bool:
    """Whether the index is on something in use, and of a kind that can be built and dropped concurrently."""
    for kind in ("table", "materialized_view"):
        ref = Ref(kind, index.table, index.schema)
        if _in_use(ref, live):
            model = live.get(ref)
            return not (isinstance(model, PostgresTable) and model.partition_by) and not index.only
    return False


def _in_use(ref: Ref, live: Snapshot) -> bool:
    """Whether the object was there before this plan, under a former name perhaps."""
    if ref not in live:
        return False
    former = getattr(live.get(ref), "renamed_from", "")
    return bool(live.digest(ref) or (former and live.digest(ref._replace(name=former))))


def _touches_what_is_used(operation: Operation, live: Snapshot) -> bool:
    match operation:
        case AddConstraint(constraint=PostgresForeignKey() as key) if not _in_use(operation.subject, live):
            target = parse_reference(key.references)
            schema = (target.schema if target else "") or operation.subject.schema
            return target is not None and _in_use(Ref("table", target.table, schema), live)
        case Alter() | Drop() | Rename():
            return _in_use(operation.subject, live)
        case Create(model=PostgresTable() as table):
            return any(_in_use(parent, live) for parent in parents(table))
        case Create(model=model):
            name = getattr(model, "table", "")
            return bool(name) and any(
                _in_use(Ref(kind, name, operation.subject.schema), live)
                for kind in ("table", "view", "materialized_view")
            )
    return False


def _scans_while_locked(operation: Operation, live: Snapshot) -> bool:
    """Whether it reads all rows of a table in use with a lock that others have to wait for."""
    match operation:
        case Create(model=PostgresIndex() as index):
            return not index.only
        case AddConstraint(constraint=PostgresCheck() | PostgresForeignKey() as constraint):
            return _in_use(operation.subject, live) and not (constraint.not_valid or constraint.not_enforced)
        case AddConstraint():
            return _in_use(operation.subject, live)
    return False


def _long_lock(operation: Operation) -> Risk:
    if isinstance(operation, Create):
        return Risk(
            "long_lock",
            f"nobody can write to table {operation.model.table} while the index is built: PostgreSQL cannot "
            "build one concurrently on a partitioned table",
        )
    words = f"nobody can write to {operation.subject} while all its rows are checked"
    return Risk("long_lock", words)


def _name(operation: Operation) -> str:
    return qualified(operation.subject.schema, operation.subject.name)


def _table(table: Any) -> PostgresTable:
    assert isinstance(table, PostgresTable)
    return canonical(table)
