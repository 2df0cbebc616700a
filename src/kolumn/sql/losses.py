"""Which rows, or values of rows, a step takes away: what a backup must hold before it runs."""

from __future__ import annotations

from collections.abc import Iterator

from kolumn.engine.operations import Drop, Operation, Step
from kolumn.engine.rows import RowSet
from kolumn.sql.model import PrimaryKey, Table
from kolumn.sql.operations import AlterColumn, AlterTable, AlterTogether, DropColumn, RenameColumn

_LOSING = frozenset({"data_loss", "conversion"})
"""Kinds of risks of a changed type after which the old values are not there any more."""


def losses(step: Step) -> Iterator[RowSet]:
    """Yield the rows of a dropped table, the values of dropped columns and of those whose type loses some."""
    operation = step.operation
    at_risk = any(risk.kind == "data_loss" for risk in step.risks)
    match operation:
        case Drop(model=Table() as table):
            if at_risk:
                yield _rows(operation, table)
        case AlterTable(before=table):
            lost = tuple(dict.fromkeys(_lost(operation)))
            if lost:
                yield _rows(operation, table, lost)
            elif at_risk:
                yield _rows(operation, table)


def _lost(operation: AlterTable) -> Iterator[str]:
    """Yield the columns that lose values, as they are called before `operation`."""
    if not isinstance(operation, AlterTogether):
        yield from _lost_column(operation)
        return
    former: dict[str, str] = {}
    for each in operation.because:
        if isinstance(each, RenameColumn):
            former[each.new] = former.pop(each.old, each.old)
        for name in _lost_column(each):
            yield former.get(name, name)


def _lost_column(operation: AlterTable) -> Iterator[str]:
    match operation:
        case DropColumn(column=column):
            if not column.generated:
                yield column.name
        case AlterColumn(old=old):
            if any(risk.kind in _LOSING for risk in operation.risks):
                yield old.name
        case AlterTogether():
            yield from _lost(operation)


def _rows(operation: Operation, table: Table, lost: tuple[str, ...] = ()) -> RowSet:
    key: tuple[str, ...] = ()
    for constraint in table.constraints() if lost else ():
        if isinstance(constraint, PrimaryKey):
            key = tuple(part.column for part in constraint.columns)
    if set(key) & set(lost):
        key = ()
    return RowSet(
        ref=operation.subject, model=table, schema=table.schema, name=table.name, lost=lost, key=key
    )
