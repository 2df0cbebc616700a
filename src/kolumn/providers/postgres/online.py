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
from typing import Any, NamedTuple

import msgspec

from kolumn.engine.operations import Alter, Create, Drop, Operation, Rename, Risk, Statement, Step
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.naming import object_name
from kolumn.providers.postgres.resources.enum import AddValues
from kolumn.providers.postgres.resources.index import PostgresIndex
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.model import (
    PostgresCheck,
    PostgresForeignKey,
    PostgresPrimaryKey,
    PostgresTable,
    PostgresUnique,
)
from kolumn.providers.postgres.tokens import qualified, quote
from kolumn.sql.operations import (
    AddConstraint,
    AlterColumn,
    AlterConstraint,
    AlterTable,
    AlterTogether,
    DropConstraint,
)

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
    return [step for each in _split(operation, live) for step in _gentle(each, live, patience, compiled)]


def _split(operation: Operation, live: Snapshot) -> Iterator[Operation]:
    """Yield the operations that lead to the same by steps with short locks."""
    match operation:
        case AlterTogether(because=because):
            for each in because:
                yield from _split(each, live)
        case AddConstraint(constraint=PostgresCheck() | PostgresForeignKey() as constraint) if (
            _in_use(operation.subject, live)
            and not constraint.not_valid
            and not constraint.not_enforced
            and not _table(operation.after).partition_by
        ):
            yield from _validated_later(operation, constraint)
        case AlterColumn(fields=fields, old=old, new=new) if (
            "not_null" in fields and new.not_null and not old.not_null and _in_use(operation.subject, live)
        ):
            yield from _not_null_through_a_check(operation)
        case _:
            yield operation


def _validated_later(operation: AddConstraint, constraint: Any) -> Iterator[Operation]:
    unproven = dataclasses.replace(constraint, not_valid=True)
    between = operation.before.with_constraint(unproven)
    yield dataclasses.replace(operation, constraint=unproven, after=between, risks=())
    yield AlterConstraint(
        subject=operation.subject,
        before=between,
        after=operation.after,
        old=unproven,
        new=constraint,
        fields=("not_valid",),
        risks=operation.risks,
    )


def _not_null_through_a_check(operation: AlterColumn) -> Iterator[Operation]:
    column = operation.new.name
    name = object_name("kolumn", f"{operation.before.name}_{column}", "filled")
    check = PostgresCheck(name=name, expression=f"{quote(column)} IS NOT NULL")
    checked = operation.before.with_constraint(check)
    yield from _validated_later(
        AddConstraint(
            subject=operation.subject,
            before=operation.before,
            after=checked,
            constraint=check,
            risks=operation.risks,
        ),
        check,
    )
    proven = operation.after.with_constraint(check)
    yield dataclasses.replace(operation, before=checked, after=proven, risks=())
    yield DropConstraint(subject=operation.subject, before=proven, after=operation.after, constraint=check)


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
            yield from _key(operation, key, patience, compiled)
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


def _key(operation: AddConstraint, key: Any, patience: Patience, compiled: Compile) -> Iterator[Step]:
    """Yield the building of a unique index, and the constraint that takes it over."""
    table = _table(operation.after)
    where = qualified(table.schema, table.name)
    index = qualified(table.schema, key.name)
    nulls = " NULLS NOT DISTINCT" if getattr(key, "nulls_not_distinct", False) else ""
    columns = ", ".join(quote(part.column) for part in key.columns)
    include = f" INCLUDE ({', '.join(map(quote, key.include))})" if key.include else ""
    create = f"CREATE UNIQUE INDEX CONCURRENTLY {quote(key.name)} ON {where} ({columns}){include}{nulls}"
    whole = compiled(operation)
    gone = (Statement(f"DROP INDEX CONCURRENTLY IF EXISTS {index}"),)
    yield msgspec.structs.replace(
        whole,
        description=f"build the index of {whole.description.removeprefix('add ')}",
        statements=(Statement(create),),
        undo=gone,
        cleanup=gone,
        transactional=False,
        lock=_VALIDATING.format(table=where),
    )
    kind = "PRIMARY KEY" if isinstance(key, PostgresPrimaryKey) else "UNIQUE"
    waits = " DEFERRABLE" if key.deferrable else ""
    waits += " INITIALLY DEFERRED" if key.initially_deferred else ""
    constraint = f"ADD CONSTRAINT {quote(key.name)} {kind} USING INDEX {quote(key.name)}{waits}"
    risks: tuple[Risk, ...] = ()
    parts = {part.column for part in key.columns}
    if kind == "PRIMARY KEY" and any(
        each.name in parts and not each.not_null for each in operation.before.columns
    ):
        words = f"looks for NULLs in all rows of table {table.name} while nobody else can use it"
        risks = (Risk("long_lock", words),)
    rest = tuple(each for each in whole.statements if not each.text.startswith("ALTER TABLE"))
    yield _alone(
        msgspec.structs.replace(
            whole,
            statements=(Statement(f"ALTER TABLE {where} {constraint}"), *rest),
            risks=risks,
            lock=_BRIEF.format(table=where),
        ),
        patience,
    )


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
    """Whether the object was there before this plan."""
    return bool(live.digest(ref)) and ref in live


def _touches_what_is_used(operation: Operation, live: Snapshot) -> bool:
    match operation:
        case Alter() | Drop() | Rename():
            return bool(live.digest(operation.subject))
        case Create(model=model):
            table = getattr(model, "table", "")
            return bool(table) and any(
                _in_use(Ref(kind, table, operation.subject.schema), live)
                for kind in ("table", "view", "materialized_view")
            )
    return False


def _name(operation: Operation) -> str:
    return qualified(operation.subject.schema, operation.subject.name)


def _table(table: Any) -> PostgresTable:
    assert isinstance(table, PostgresTable)
    return canonical(table)
