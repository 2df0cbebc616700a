"""Grants as resources: read out of access control lists, changed by GRANT and REVOKE.

https://www.postgresql.org/docs/current/sql-grant.html

A resource whose list is empty says that the grantee has nothing, also where it would have something by
default. What everybody and the owner have by default is no resource; dropping one brings that back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.engine.operations import Create, Drop, Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.grants import access_lists, privileges
from kolumn.providers.postgres.grants.access_lists import AccessList
from kolumn.providers.postgres.grants.model import (
    FAMILIES,
    IN_SCHEMAS,
    ColumnPrivileges,
    Grant,
    complete_of,
    words_of,
)
from kolumn.providers.postgres.grants.ownership import with_grants_kept
from kolumn.providers.postgres.grants.privileges import KINDS, NOTHING, PUBLIC, Change, Held, Rights
from kolumn.providers.postgres.handler import TYPE_KINDS, Entry, PostgresHandler, role_refs
from kolumn.providers.postgres.language.signatures import argument_type, routine_ref, signature
from kolumn.providers.postgres.language.tokens import qualified, quote
from kolumn.providers.postgres.reading import Reading
from kolumn.sql.differ import column_ref
from kolumn.sql.operations import AlterObject, RenameColumn

_RELATIONS = ("table", "view", "materialized_view", "sequence")
_ROUTINES = ("function", "procedure", "aggregate")
_KEYWORDS = {"function": "FUNCTION", "aggregate": "FUNCTION", "procedure": "PROCEDURE"}
_ASIDE = frozenset(
    {"database", "tablespace", "parameter", "foreign_data_wrapper", "foreign_server", "foreign_table"}
)
"""What belongs to the server or is the database itself, and what is no resource: others may lack it."""
_ALL_OF_COLUMN = frozenset(KINDS["column"].privileges)


@dataclass(frozen=True, kw_only=True)
class ChangePrivileges(AlterObject):
    """Give and take privileges until a grantee has what it should."""

    def describe(self) -> str:
        """Return `alter <grant>: + insert, - delete`."""
        complete = complete_of(self.before, self.after)
        return f"alter {self.subject}: {self.before.rights(complete).words(self.after.rights(complete))}"


class GrantHandler(PostgresHandler[Grant]):
    """Grants. They belong to their object: they vanish with it, and come back with it."""

    type = "grant"
    description = "The privileges of one role, or of everybody, on one object"
    MODEL = Grant
    KEYWORD: ClassVar[str] = "GRANT"
    PLACE: ClassVar[int] = 1

    def ref(self, model: Grant) -> Ref:
        """Return object and grantee: `shop.orders.app`."""
        role = quote(model.role)
        name = f"{role} by {quote(model.granted_by)}" if model.granted_by else role
        schema = self.dialect.normal_schema(model.schema) if model.family in IN_SCHEMAS else ""
        return Ref(self.type, name, schema, self._object(model))

    def _object(self, model: Grant) -> str:
        match model.family:
            case "table" | "sequence":
                return quote(model.object)
            case "routine":
                return signature(quote(model.object), model.arguments)
            case "database":
                return "database"
            case family:
                return f"{words_of(family)} {quote(model.object)}"

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of every access control list that is not as PostgreSQL made it."""
        return {"access_lists": access_lists.query(server)}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield who has something else than by default.

        What everybody has on schema public is always there, aside: its default goes by the server's version.
        """
        completes = {kind: each.complete(reading.server) for kind, each in KINDS.items()}
        number = 0
        for found in access_lists.lists(reading):
            complete = completes[FAMILIES[found.on]]
            for (role, grantor), rights in found.rights().items():
                if _is_usual(found, role, grantor, rights):
                    continue
                number += 1
                yield self._entry(found, role, grantor, rights, complete, reading, number)

    def _entry(
        self,
        found: AccessList,
        role: str,
        grantor: str,
        rights: Rights,
        complete: frozenset[str],
        reading: Reading,
        number: int,
    ) -> Entry:
        default = found.default_of(role, grantor)
        usual = rights.held == default and not rights.columns
        row = (
            role,
            found.on,
            found.object,
            self.dialect.normal_schema(found.schema) if found.schema else "",
            tuple(map(argument_type, found.arguments)),
            *rights.held.lists(complete),
            _grouped(rights.columns),
            "" if grantor == found.owner else grantor,
            (tuple(sorted(default.privileges)), tuple(sorted(default.grantable))),
            tuple(sorted(complete)),
        )
        target = reading.refs.get(found.identity) or reading.refs.get(found.part_of)
        entry = Entry(
            Ref(self.type, ""),
            ("acl", number),
            row,
            owner=target,
            aside=usual or found.on in _ASIDE,
            parts=() if target is None else tuple(column_ref(target, name) for name in rights.columns),
        )
        return entry._replace(ref=self.ref(self.build(entry)))

    def build(self, entry: Entry) -> Grant:
        """Return the grant."""
        role, on, name, schema, arguments, listed, option, columns, grantor, default, complete = entry.row
        return Grant(
            role=role,
            on=on,
            object="" if on == "database" else name,
            schema=schema,
            arguments=arguments,
            privileges=listed,
            grant_option=option,
            columns=tuple(
                ColumnPrivileges(names=names, privileges=held, grant_option=option)
                for names, held, option in columns
            ),
            granted_by=grantor,
            target=entry.owner,
            default=Held(*map(frozenset, default)),
            complete=frozenset(complete),
        )

    def rehearsed(self, wanted: Grant, scratch: str) -> Grant | None:
        """Return nothing: the server words nothing of it in its own way."""
        return None

    # Order

    def uses(self, model: Grant) -> frozenset[Ref]:
        """Return the object, the roles, and the grant that lets another than the owner grant."""
        found = role_refs(model.role, model.granted_by)
        if model.target is not None:
            found |= {model.target}
        schema = self.dialect.normal_schema(model.schema)
        if model.family in IN_SCHEMAS and schema:
            found |= {Ref("schema", schema)}
        if model.granted_by:
            found |= {self._holder(dataclasses.replace(model, role=model.granted_by))}
        names = (name for each in model.columns for name in each.names)
        found |= {Ref("column", self.fold(name), schema, model.object) for name in names}
        return found | self._objects(model)

    def aliases(self, model: Grant) -> frozenset[Ref]:
        """Return that the grantee has something, whoever granted it: others may have theirs from it."""
        return frozenset({self._holder(model)})

    def _holder(self, model: Grant) -> Ref:
        return self.ref(dataclasses.replace(model, granted_by=""))._replace(type="grantee")

    def _objects(self, model: Grant) -> frozenset[Ref]:
        """Return what the object may be among the resources."""
        schema = self.dialect.normal_schema(model.schema)
        match model.family:
            case "table" | "sequence":
                return frozenset(Ref(kind, model.object, schema) for kind in _RELATIONS)
            case "routine":
                name = signature(model.object, model.arguments)
                return frozenset(
                    {routine_ref(model.object, schema), *(Ref(kind, name, schema) for kind in _ROUTINES)}
                )
            case "type":
                return frozenset(Ref(kind, model.object, schema) for kind in TYPE_KINDS)
            case "schema":
                return frozenset({Ref("schema", model.object)})
        return frozenset()

    def follow(self, model: Grant, operation: Operation) -> Grant:
        """Return the grant as it is after its object, a column of it or a role in it is renamed."""
        if isinstance(operation, RenameColumn) and operation.subject in self._objects(model):
            columns = tuple(_renamed(each, operation.old, operation.new) for each in model.columns)
            return dataclasses.replace(model, columns=columns)
        if not isinstance(operation, Rename):
            return model
        old, new = operation.subject.name, operation.after.name
        changes: dict[str, str] = {}
        if operation.subject.type in ("role", "user"):
            changes = {name: new for name in ("role", "granted_by") if getattr(model, name) == old}
        elif operation.subject in self._objects(model) or operation.subject == model.target:
            changes = {"object": new}
        elif operation.subject == Ref("schema", model.schema):
            changes = {"schema": new}
        return dataclasses.replace(model, **changes, target=None) if changes else model  # type: ignore[arg-type]

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations of a plan with grants put right where owners change."""
        return with_grants_kept(operations, live, self)

    # Change

    def diff(self, live: Grant | None, wanted: Grant | None) -> list[Operation]:
        """Return the operations; a grant can always change in place."""
        if live is not None and wanted is None and live.is_usual:
            return []
        if live is None or wanted is None:
            return super().diff(live, wanted)
        wanted = dataclasses.replace(
            wanted, on=live.on, target=live.target, default=live.default, complete=live.complete
        )
        complete = complete_of(live, wanted)
        before, after = live.rights(complete), wanted.rights(complete)
        if before == after:
            return []
        fields = [name for name in ("privileges", "grant_option") if before.held != after.held]
        if before.columns != after.columns:
            fields.append("columns")
        return [
            ChangePrivileges(
                subject=self.ref(wanted),
                before=live,
                after=wanted,
                fields=tuple(fields),
                requires=self.uses(wanted) - self.uses(live),
                releases=self.uses(live) - self.uses(wanted),
                alters=self.aliases(wanted),
                place=self.PLACE,
            )
        ]

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield GRANT and REVOKE, in the name of who grants if that is somebody else."""
        match operation:
            case Create(model=model):
                texts = list(self._created(model, live, server))
            case Drop(model=model):
                complete = KINDS[model.family].complete(server)
                default = Rights(self._default(model, live, server) or NOTHING)
                rights, target = model.rights(complete), self._target(model, server)
                texts = list(rights.statements(default, target, model.role, complete))
            case AlterObject(before=before, after=model):
                complete = privileges.verified(model.family, model.privileges, self.ref(model), server)
                rights, target = before.rights(complete), self._target(model, server)
                texts = list(rights.statements(model.rights(complete), target, model.role, complete))
            case _:
                raise AssertionError(operation)
        if texts and model.granted_by not in ("", server.user):
            texts = [
                f"SET LOCAL ROLE {quote(model.granted_by)}",
                *texts,
                f"SET LOCAL ROLE {quote(server.user)}",
            ]
        yield from texts

    def _created(self, model: Grant, live: Snapshot, server: Server) -> Iterator[str]:
        complete = privileges.verified(model.family, model.privileges, self.ref(model), server)
        target, after = self._target(model, server), model.rights(complete)
        default = self._default(model, live, server)
        if default is None and after.held.privileges != complete:
            yield Change(complete, grants=False, option=False).sql("ALL", target, model.role)
        yield from Rights(default or NOTHING).statements(after, target, model.role, complete)

    def _default(self, model: Grant, live: Snapshot, server: Server) -> Held | None:
        """Return what the grantee has where nobody said anything, None if that is not to be known."""
        if model.default is not None:
            return model.default
        return self._usual(model, live, server.user, KINDS[model.family].complete(server))

    def implied(self, model: Grant, live: Snapshot) -> Grant | None:
        """Return what the grantee has where nobody said anything, as far as the object is known."""
        complete = frozenset(KINDS[model.family].privileges)
        usual = self._usual(model, live, "", complete)
        if usual is None:
            return None
        listed, option = usual.lists(complete)
        return dataclasses.replace(
            model, privileges=listed, grant_option=option, columns=(), default=usual, complete=complete
        )

    def _usual(self, model: Grant, live: Snapshot, creator: str, complete: frozenset[str]) -> Held | None:
        """Return what PostgreSQL grants by itself; `creator` owns what has no owner yet.

        None for what is the system's or an extension's: that may be as those made it.
        """
        refs = self._objects(model)
        found = next((live.get(ref) for ref in sorted(refs) if ref in live), None)
        if found is None and refs:
            return None
        if model.granted_by:
            return NOTHING
        if model.role == PUBLIC:
            return Held(KINDS[model.family].public)
        if found is None:
            return None
        return Held(complete) if (found.owner or creator) == model.role else NOTHING

    def _target(self, model: Grant, server: Server) -> str:
        """Return how GRANT names the object: `TABLE public.film`."""
        family = model.family
        keyword = _KEYWORDS.get(model.on, family.upper().replace("_", " "))
        match family:
            case "table" | "sequence" | "type":
                return f"{keyword} {qualified(model.schema, model.object)}"
            case "routine":
                return f"{keyword} {qualified(model.schema, model.object)}({', '.join(model.arguments)})"
            case "database":
                return f"{keyword} {quote(model.object or server.database)}"
            case "parameter":
                return f"{keyword} {'.'.join(map(quote, model.object.split('.')))}"
        return f"{keyword} {quote(model.object)}"

    def definition_sql(self, model: Grant, server: Server) -> Iterator[str]:
        """Yield nothing: see `statements`."""
        yield from ()


def _grouped(columns: Mapping[str, Held]) -> tuple[tuple[Any, ...], ...]:
    """Return columns with the same privileges together, as configuration has them."""
    groups: dict[Held, list[str]] = {}
    for name, held in columns.items():
        groups.setdefault(held, []).append(name)
    return tuple((tuple(names), *held.lists(_ALL_OF_COLUMN)) for held, names in groups.items())


def _renamed(columns: ColumnPrivileges, old: str, new: str) -> ColumnPrivileges:
    names = tuple(new if name == old else name for name in columns.names)
    return dataclasses.replace(columns, names=names)


def _is_usual(found: AccessList, role: str, grantor: str, rights: Rights) -> bool:
    """Whether a grantee has what it has anyway, so that there is nothing to say of it."""
    if rights.held != found.default_of(role, grantor) or rights.columns:
        return False
    return not (found.on == "schema" and found.object == "public" and role == PUBLIC)
