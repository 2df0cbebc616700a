"""The differ's promises, for random pairs of tables in every kind of dialect."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from kolumn.engine.operations import Create, Drop, Operation
from kolumn.sql.handlers import TableHandler
from kolumn.sql.model import Check, ForeignKey, Table
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterTable,
    DropColumn,
    DropConstraint,
    RenameColumn,
)
from kolumn.sql.reference import parse_reference
from tests.sql import strategies as some
from tests.sql.plain import PlainDialect, PlainTable

handlers = st.builds(
    lambda inline, places, generated: TableHandler(
        PlainTable, PlainDialect(inline=inline, places=places, generated=generated)
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


class Replica:
    """A table kept apart from the models: changed only by what the operations say, not by their `after`."""

    def __init__(self, handler: TableHandler, table: Table) -> None:
        self.handler = handler
        self.normalizer = handler.normalizer
        self.load(table)

    def load(self, table: Table) -> None:
        normal = self.handler.normal(table)
        self.columns: dict[str, Any] = {
            self.handler.fold(column.name): column.without_constraints() for column in table.columns
        }
        self.constraints = Counter(table.constraints())
        self.rest = _rest(normal)

    def apply(self, operation: Operation) -> None:
        fold = self.handler.fold
        match operation:
            case AddColumn(column=column):
                assert fold(column.name) not in self.columns
                self.columns[fold(column.name)] = column.without_constraints()
                self.constraints.update(column.constraints())
            case DropColumn(column=column):
                del self.columns[fold(column.name)]
                self.constraints.subtract(column.constraints())
            case RenameColumn(old=old, new=new):
                self.rename(old, new)
            case AlterColumn(old=old, new=new, fields=fields):
                assert fold(old.name) == fold(new.name)
                before, after = self.columns[fold(old.name)], self.normalizer.model(new)
                normal = self.normalizer.model(before)
                assert all(getattr(normal, field) != getattr(after, field) for field in fields)
                changes: dict[str, Any] = {field: getattr(new, field) for field in fields}
                self.columns[fold(old.name)] = dataclasses.replace(before, **changes)
            case AddConstraint(constraint=constraint):
                self.constraints[constraint] += 1
            case DropConstraint(constraint=constraint):
                assert self.constraints.pop(constraint) > 0
            case AlterTable(fields=fields, after=after):
                self.rest.update({field: getattr(self.normalizer.model(after), field) for field in fields})
            case _:
                raise AssertionError(operation)

    def rename(self, old: str, new: str) -> None:
        column = self.columns.pop(self.handler.fold(old))
        assert self.handler.fold(new) not in self.columns
        self.columns[self.handler.fold(new)] = dataclasses.replace(column, name=new)
        for name, each in self.columns.items():
            generated = _in_expression(each.generated, old, new)
            self.columns[name] = dataclasses.replace(each, generated=generated)
        renamed: Counter[Any] = Counter()
        for constraint, count in self.constraints.items():
            made: Any = constraint
            if isinstance(constraint, ForeignKey):
                names = tuple(self._renamed(name, old, new) for name in constraint.columns)
                target = parse_reference(constraint.references)
                assert target is not None
                there = tuple(self._renamed(name, old, new) for name in target.columns)
                made = dataclasses.replace(constraint, columns=names)
                if target.table.lower() == "t" and there != target.columns:
                    made = dataclasses.replace(
                        made, references=str(dataclasses.replace(target, columns=there))
                    )
            elif isinstance(constraint, Check):
                made = dataclasses.replace(
                    constraint, expression=_in_expression(constraint.expression, old, new)
                )
            else:
                parts = tuple(
                    dataclasses.replace(part, column=self._renamed(part.column, old, new))
                    for part in constraint.columns
                )
                made = dataclasses.replace(constraint, columns=parts)
            renamed[made] += count
        self.constraints = renamed

    def _renamed(self, name: str, old: str, new: str) -> str:
        return new if self.handler.fold(name) == self.handler.fold(old) else name

    def assert_is(self, table: Table) -> None:
        normal = self.handler.normal(table)
        columns = {name: self.normalizer.model(column) for name, column in self.columns.items()}
        assert columns == {column.name: column for column in normal.columns}
        held = {
            self.normalizer.constraint(table, each) for each, count in self.constraints.items() if count > 0
        }
        assert sorted(map(repr, held)) == sorted(map(repr, normal.constraints()))
        assert self.rest == _rest(normal)


def _in_expression(text: str, old: str, new: str) -> str:
    return re.sub(rf"\b{re.escape(old)}\b", new, text, flags=re.IGNORECASE)


def _rest(table: Table) -> dict[str, Any]:
    apart = {"name", "schema", "columns", "renamed_from", "layout", *table.CONSTRAINTS.values()}
    return {
        field.name: getattr(table, field.name)
        for field in dataclasses.fields(table)
        if field.name not in apart
    }


@given(handlers, some.tables())
def test_nothing_to_do_for_the_same_table(handler: TableHandler, table: PlainTable) -> None:
    assert handler.diff(table, _without_hints(table)) == []


@given(handlers, some.tables())
def test_nothing_to_do_for_the_normal_form(handler: TableHandler, table: PlainTable) -> None:
    table = _without_hints(table)
    normal = handler.normal(table)
    assert handler.normal(normal) == normal
    assert handler.diff(table, normal) == []
    assert handler.diff(normal, table) == []


@given(handlers, some.tables(), some.tables())
def test_operations_lead_from_one_to_the_other(
    handler: TableHandler, live: PlainTable, wanted: PlainTable
) -> None:
    operations = handler.diff(live, wanted)
    replica = Replica(handler, live)
    now: Any = live
    for operation in operations:
        assert isinstance(operation, AlterTable)
        assert operation.before is now
        now = operation.after
        note(operation.describe())
        replica.apply(operation)
        replica.assert_is(now)
    replica.assert_is(wanted)
    if operations:
        assert now is wanted
        assert operations[-1].effect() == {handler.ref(wanted): wanted}


@given(handlers, some.tables(), some.tables())
def test_inverses_lead_back(handler: TableHandler, live: PlainTable, wanted: PlainTable) -> None:
    replica = Replica(handler, live)
    operations = handler.diff(live, wanted)
    for operation in operations:
        note(operation.describe())
        replica.apply(operation)
    for operation in reversed(operations):
        back = operation.inverse()
        assert isinstance(back, AlterTable)
        note(f"back: {back.describe()}")
        replica.assert_is(back.before)
        replica.apply(back)
        replica.assert_is(back.after)
    replica.assert_is(live)


@given(handlers, some.tables(), some.tables())
def test_a_second_plan_finds_nothing(handler: TableHandler, live: PlainTable, wanted: PlainTable) -> None:
    for operation in handler.diff(live, wanted):
        live = operation.effect()[handler.ref(wanted)]
    assert handler.diff(live, _without_hints(wanted)) == []


@given(handlers, some.tables())
def test_creation_and_drop_mirror_each_other(handler: TableHandler, table: PlainTable) -> None:
    create, *keys = handler.diff(None, table)
    assert isinstance(create, Create)
    replica = Replica(handler, create.model)
    for key in keys:
        assert isinstance(key, AddConstraint)
        replica.apply(key)
        replica.assert_is(key.after)
    replica.assert_is(table)
    *keys, drop = handler.diff(table, None)
    assert isinstance(drop, Drop)
    for key in keys:
        assert isinstance(key, DropConstraint)
        replica.apply(key)
        replica.assert_is(key.after)
    replica.assert_is(create.model)
    assert any(risk.kind == "data_loss" for risk in drop.risks)


@given(handlers, some.tables())
def test_configuration_reads_back(handler: TableHandler, table: PlainTable) -> None:
    table = _readable(table)
    config = handler.config(table)
    assert handler.parse(config, "t") == table
    assert handler.config(handler.parse(config, "t")) == config


def _without_hints(table: PlainTable) -> PlainTable:
    columns = tuple(dataclasses.replace(column, renamed_from="") for column in table.columns)
    return dataclasses.replace(table, columns=columns)


def _readable(table: PlainTable) -> PlainTable:
    """Return the table without the empty default, which is no expression."""
    columns = tuple(dataclasses.replace(column, default=column.default or None) for column in table.columns)
    return dataclasses.replace(table, columns=columns)
