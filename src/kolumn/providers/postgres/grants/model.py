"""What a grant is: everything one grantee has on one object, columns of it included, and nothing else.

https://www.postgresql.org/docs/current/ddl-priv.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.grants import privileges
from kolumn.providers.postgres.grants.privileges import KINDS, NOTHING, Held, Rights

FAMILIES: Mapping[str, str] = {
    "table": "table",
    "view": "table",
    "materialized_view": "table",
    "foreign_table": "table",
    "sequence": "sequence",
    "function": "routine",
    "procedure": "routine",
    "aggregate": "routine",
    "routine": "routine",
    "type": "type",
    "domain": "type",
    "schema": "schema",
    "database": "database",
    "language": "language",
    "foreign_data_wrapper": "foreign_data_wrapper",
    "foreign_server": "foreign_server",
    "tablespace": "tablespace",
    "parameter": "parameter",
}
"""Kinds of object by what GRANT takes for one: whatever holds rows is a table to it."""

IN_SCHEMAS = frozenset({"table", "sequence", "routine", "type"})
"""Families whose objects are in schemas."""

GRANTED_AS: Mapping[str, tuple[str, str]] = {
    "table": ("tables", "table"),
    "view": ("tables", "view"),
    "materialized_view": ("tables", "materialized_view"),
    "sequence": ("sequences", "sequence"),
    "function": ("functions", "function"),
    "procedure": ("functions", "procedure"),
    "aggregate": ("functions", "aggregate"),
    "enum": ("types", "type"),
    "domain": ("types", "domain"),
    "composite_type": ("types", "type"),
    "range_type": ("types", "type"),
    "schema": ("schemas", "schema"),
}
"""By resource type: what default privileges and what grants call its objects."""

_ALL_OF_COLUMN = frozenset(KINDS["column"].privileges)


@dataclass(frozen=True)
class ColumnPrivileges:
    """Privileges on single columns of a table or view."""

    GUARDS: ClassVar[str] = "security"

    names: tuple[str, ...] = attribute("Columns", validators=[NOT_EMPTY], grammar="column")
    privileges: tuple[str, ...] = attribute(
        "What it may do with them: select, insert, update, references, or all", validators=[NOT_EMPTY]
    )
    grant_option: tuple[str, ...] = attribute("Those of them it may grant to others", default=())


@dataclass(frozen=True)
class Grant:
    """What one grantee has on one object."""

    GUARDS: ClassVar[str] = "security"

    name: str = attribute("Name of this resource; the database has none", default="", hint=True)
    role: str = attribute(
        "Role that has the privileges; `public` for everybody", validators=[NOT_EMPTY], grammar="identifier"
    )
    on: str = attribute(
        "Kind of object. `table` and `routine` fit anything of their kind",
        default="table",
        validators=[one_of(*FAMILIES)],
        grammar="keyword",
    )
    object: str = attribute(
        "Name of the object; may be left out for the database", default="", grammar="identifier"
    )
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    arguments: tuple[str, ...] = attribute(
        "Types of a routine's arguments, without those that only go out", default=(), grammar="type"
    )
    privileges: tuple[str, ...] = attribute("What it may do with the whole object; may be `all`")
    grant_option: tuple[str, ...] = attribute("Those of the privileges it may grant to others", default=())
    columns: tuple[ColumnPrivileges, ...] = attribute("What it may do with single columns", default=())
    granted_by: str = attribute(
        "Role that granted them, where it is not the object's owner", default="", grammar="identifier"
    )

    target: Ref | None = dataclasses.field(default=None, compare=False, kw_only=True)
    """The object as it was found in the catalogue."""
    default: Held | None = dataclasses.field(default=None, compare=False, kw_only=True)
    """What the grantee has where nobody said anything; None where that is not known."""
    complete: frozenset[str] | None = dataclasses.field(default=None, compare=False, kw_only=True)
    """What `all` means on its server; None where that is not known."""

    @staticmethod
    def prepare(
        config: Mapping[str, Any],
        path: str,  # noqa: ARG004
        problems: list[Problem],  # noqa: ARG004
    ) -> Mapping[str, Any]:
        """Accept columns alone: there is nothing on the whole object then."""
        if "privileges" not in config and ("columns" in config or "column" in config):
            return {**config, "privileges": []}
        return config

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        family = self.family
        yield from privileges.problems(family, self.role, self.privileges, self.grant_option)
        for at, column in enumerate(self.columns):
            where = f"columns[{at}]."
            yield from privileges.problems("column", self.role, column.privileges, column.grant_option, where)
        if self.columns and family != "table":
            yield Problem(
                f"a {words_of(family)} has no columns", code="conflicting_attributes", path="columns"
            )
        if self.arguments and family != "routine":
            yield Problem(
                f"a {words_of(family)} has no arguments", code="conflicting_attributes", path="arguments"
            )
        if self.schema and family not in IN_SCHEMAS:
            yield Problem(
                f"a {words_of(family)} is in no schema", code="conflicting_attributes", path="schema"
            )
        if not self.object and family != "database":
            yield Problem("object is required", code="missing_attribute", path="object", hint="Name it.")

    @property
    def family(self) -> str:
        """The kind of object GRANT takes it for."""
        return FAMILIES[" ".join(self.on.lower().split())]

    @property
    def is_usual(self) -> bool:
        """Whether it is known to be what the grantee has anyway."""
        complete = self.complete or frozenset(KINDS[self.family].privileges)
        return self.default is not None and self.rights(complete) == Rights(self.default)

    def rights(self, complete: frozenset[str]) -> Rights:
        """Return the privileges, each spelled out; `complete` is what `all` means."""
        columns: dict[str, Held] = {}
        for each in self.columns:
            more = Held.of(each.privileges, each.grant_option, _ALL_OF_COLUMN)
            for name in each.names:
                held = columns.get(name, NOTHING)
                columns[name] = Held(held.privileges | more.privileges, held.grantable | more.grantable)
        return Rights(Held.of(self.privileges, self.grant_option, complete), columns)


def words_of(family: str) -> str:
    """Return a family for people."""
    return family.replace("_", " ")


def complete_of(before: Grant, after: Grant) -> frozenset[str]:
    """Return what `all` means to both, as far as it is known."""
    return before.complete or after.complete or frozenset(KINDS[after.family].privileges)
