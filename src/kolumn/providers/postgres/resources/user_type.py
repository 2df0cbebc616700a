"""What all types of users have in common: they share names, and make way for others (see `succession`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from kolumn.engine.operations import Drop, Operation, Statement
from kolumn.engine.resource import Model, Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.language.tokens import qualified, quote
from kolumn.providers.postgres.language.types import parse_type
from kolumn.providers.postgres.succession import (
    ConvertColumns,
    DropFormer,
    Family,
    SetAside,
    Value,
    columns_of,
)

M = TypeVar("M", bound=Model)

_RELATIONS = ("view", "materialized_view")


class UserTypeHandler(PostgresHandler[M]):
    """A type, or a collation: what columns have, and what cannot go while they do."""

    NAMESPACE: ClassVar[str] = "data_type"

    def aside(self, model: M, name: str) -> M:
        """Return the model under another name."""
        return replace(model, name=name)  # type: ignore[type-var]

    def converted(self, value: Value, before: M, after: M, family: Family) -> str:
        """Return the expression that makes of a value of type `before` one of type `after`: over its text."""
        return f"{value.text}::text::{value.target}"

    def conversion_problems(self, before: M, after: M, *, array: bool) -> Iterator[str]:
        """Yield nothing: any value has a text."""
        return iter(())

    def conversion_risks(self, before: M, after: M) -> Iterator[str]:
        """Yield that a value may not fit."""
        yield "a value that the new type does not know"

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        match operation:
            case SetAside(before=before, after=after):
                yield self.rename_sql(before, after)
            case DropFormer(model=model):
                yield self.drop_sql(model)
            case ConvertColumns(table=table, columns=columns):
                yield _conversion_sql(table, columns)
            case _:
                yield from super().statements(operation, live, server)

    def disturbs(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what has to be away while the type is another one, or columns are converted."""
        match operation:
            case ConvertColumns(stands=stands):
                yield from stands
            case SetAside(subject=subject):
                yield from live.attached(subject)
                yield from _standing(subject, live)
            case Drop(subject=subject) if replaced:
                yield from live.attached(subject)
                yield from _standing(subject, live)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on a table whose columns are converted."""
        if isinstance(operation, ConvertColumns):
            return f"ACCESS EXCLUSIVE on {operation.table}"
        return super().lock(operation, live)


def is_inside(subject: Ref, live: Snapshot) -> bool:
    """Whether values of a type lie inside others: elements of arrays, attributes of composite types."""
    composites = (
        Ref("composite_type", each.parent, each.schema)
        for each in live.dependents(subject)
        if each.type == "column"
    )
    if any(ref in live for ref in composites):
        return True
    types = (parse_type(column.type) for _, column in columns_of(subject, live))
    return any(not isinstance(parsed, str) and parsed.array for parsed in types)


def _standing(subject: Ref, live: Snapshot) -> Iterator[Ref]:
    """Yield what stands on a type other than columns of tables: those are converted.

    A column of a view or of a composite type stands for the whole of it.
    """
    for each in live.dependents(subject):
        if each.type != "column":
            yield each
            continue
        owners = (Ref(kind, each.parent, each.schema) for kind in (*_RELATIONS, "composite_type"))
        yield from (owner for owner in owners if owner in live)


def _conversion_sql(table: Ref, columns: Iterable[Any]) -> str:
    actions = []
    for column in columns:
        words, using = column.forth
        actions.append(
            f"ALTER COLUMN {quote(column.column)} TYPE {words}" + (f" USING {using}" if using else "")
        )
    return f"ALTER TABLE {qualified(table.schema, table.name)} {', '.join(actions)}"
