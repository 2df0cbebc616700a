"""When two tables are the same to PostgreSQL, and which differences of constraints it can remove in place."""

from __future__ import annotations

import dataclasses
from typing import Any

from kolumn.engine.declaration import declared_fields
from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.language.types import parse_type
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.model import (
    Exclusion,
    PostgresCheck,
    PostgresColumn,
    PostgresForeignKey,
    PostgresKeyPart,
    PostgresPrimaryKey,
    PostgresTable,
    PostgresUnique,
)
from kolumn.sql.model import Constraint, Table
from kolumn.sql.normal import Normalizer
from kolumn.sql.reference import quote

_INDEXED = frozenset({"name", "comment", "clustered", "replica_identity", "parameters", "tablespace"})
_IN_PLACE: dict[type[Any], frozenset[str]] = {
    PostgresPrimaryKey: _INDEXED,
    PostgresUnique: _INDEXED,
    Exclusion: _INDEXED,
    PostgresCheck: frozenset({"name", "comment", "not_valid"}),
    PostgresForeignKey: frozenset(
        {"name", "comment", "not_valid", "deferrable", "initially_deferred", "not_enforced"}
    ),
}

_TOASTED = frozenset(
    {"bytea", "bit", "varbit", "text", "varchar", "bpchar", "json", "jsonb", "xml", "path", "polygon"}
)
_MAIN = frozenset({"numeric", "inet", "cidr"})


class TableNormalizer(Normalizer):
    """Brings tables into normal form: canonical, and with PostgreSQL's own spelling."""

    def text(self, grammar: str, text: str, schema: str) -> str:
        """Return the normal form of one text."""
        if grammar == "relation":
            where, name = names.related(text, schema)
            return f"{quote(where or 'public')}.{quote(name)}"
        return super().text(grammar, text, schema)

    def table(self, table: Table) -> Table:
        """Return the normal form of a whole table."""
        assert isinstance(table, PostgresTable)
        found = super().table(canonical(table))
        assert isinstance(found, PostgresTable)
        changes: dict[str, Any] = {}
        if found.partition_by is not None:
            parts = tuple(map(normal_part, found.partition_by.columns))
            changes["partition_by"] = dataclasses.replace(found.partition_by, columns=parts)
        return dataclasses.replace(found, columns=tuple(map(_normal_column, found.columns)), **changes)

    def constraint(self, table: Table, constraint: Constraint) -> Constraint:
        """Return the normal form of a constraint of `table`, which has its name."""
        normal = self.model(constraint, self.dialect.normal_schema(table.schema))
        if isinstance(normal, Exclusion):
            return dataclasses.replace(normal, columns=tuple(map(normal_part, normal.columns)))
        return normal

    def alterable(self, before: Constraint, after: Constraint) -> tuple[str, ...]:
        """Return the attributes in which the constraints differ, if PostgreSQL can change all of them."""
        fields = tuple(
            each.name
            for each in declared_fields(type(before))
            if getattr(before, each.name) != getattr(after, each.name)
        )
        if not _IN_PLACE[type(before)].issuperset(fields):
            return ()
        invalidated = getattr(after, "not_valid", False) and not getattr(before, "not_valid", False)
        return () if invalidated else fields

    def loosens(self, before: Constraint, after: Constraint) -> bool:
        """Whether an index does not identify rows any more: as long as it does, its columns are NOT NULL."""
        return getattr(before, "replica_identity", False) and not getattr(after, "replica_identity", False)


def normal_part(part: Any) -> Any:
    """Return a key part without the place of NULLs where it is what its sort order means anyway."""
    assert isinstance(part, PostgresKeyPart)
    usual = "first" if part.order == "desc" else "last"
    return dataclasses.replace(part, nulls="") if part.nulls == usual else part


def _normal_column(column: Any) -> Any:
    assert isinstance(column, PostgresColumn)
    if column.storage and column.storage == _usual_storage(column.type):
        column = dataclasses.replace(column, storage="")
    return column


def _usual_storage(text: str) -> str:
    """Return how values of a type are stored if nothing is said, empty where only the server knows."""
    parsed = parse_type(text)
    if isinstance(parsed, str):
        return ""
    if parsed.array or (parsed.built_in and parsed.name in _TOASTED):
        return "extended"
    if parsed.built_in:
        return "main" if parsed.name in _MAIN else "plain"
    return ""
