"""Default privileges: what is granted on objects that a role will create.

https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Create, Drop, Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.grants import privileges
from kolumn.providers.postgres.grants.access_lists import parse_item
from kolumn.providers.postgres.grants.privileges import KINDS, NOTHING, PUBLIC, Held, Rights
from kolumn.providers.postgres.handler import Entry, PostgresHandler, role_refs
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.reading import Reading
from kolumn.sql.operations import AlterObject

KINDS_BY_NAME: Mapping[str, str] = {
    "tables": "table",
    "sequences": "sequence",
    "functions": "routine",
    "types": "type",
    "schemas": "schema",
    "large_objects": "large_object",
}
"""What there is to grant, by what the attribute `on` says."""

_LETTERS = {
    "r": "tables",
    "S": "sequences",
    "f": "functions",
    "T": "types",
    "n": "schemas",
    "L": "large_objects",
}


@dataclass(frozen=True)
class DefaultPrivileges:
    """What one grantee gets on objects of one kind that a role creates, everywhere or in one schema.

    Without a schema it is all the grantee gets, and replaces what PostgreSQL grants by itself; with one it
    comes on top of that.
    """

    name: str = attribute("Name of this resource; the database has none", default="", hint=True)
    owner: str = attribute(
        "Role whose objects it is about, as it creates them", validators=[NOT_EMPTY], grammar="identifier"
    )
    in_schema: str = attribute(
        "Schema in which it creates them; everywhere where left out", default="", grammar="identifier"
    )
    on: str = attribute("Kind of objects", validators=[one_of(*KINDS_BY_NAME)], grammar="keyword")
    role: str = attribute(
        "Role that gets the privileges; `public` for everybody", validators=[NOT_EMPTY], grammar="identifier"
    )
    privileges: tuple[str, ...] = attribute("What it gets; may be `all`")
    grant_option: tuple[str, ...] = attribute("Those of them it may grant to others", default=())

    default: Held | None = dataclasses.field(default=None, compare=False, kw_only=True)
    """What the grantee gets where nobody said anything; None where that is not known."""
    complete: frozenset[str] | None = dataclasses.field(default=None, compare=False, kw_only=True)
    """What `all` means on its server; None where that is not known."""

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        yield from privileges.problems(self.kind, self.role, self.privileges, self.grant_option)
        if self.in_schema and self.kind in ("schema", "large_object"):
            yield Problem(f"{self.on} are in no schema", code="conflicting_attributes", path="in_schema")

    @property
    def kind(self) -> str:
        """What there is to grant."""
        return KINDS_BY_NAME[self.on.lower().strip()]

    def held(self, complete: frozenset[str]) -> Held:
        """Return the privileges, each spelled out; `complete` is what `all` means."""
        return Held.of(self.privileges, self.grant_option, complete)


@dataclass(frozen=True, kw_only=True)
class ChangeDefaults(AlterObject):
    """Give and take privileges on objects to come."""

    def describe(self) -> str:
        """Return `alter <default privileges>: + insert, - delete`."""
        complete = _complete(self.before, self.after)
        before, after = Rights(self.before.held(complete)), Rights(self.after.held(complete))
        return f"alter {self.subject}: {before.words(after)}"


class DefaultPrivilegesHandler(PostgresHandler[DefaultPrivileges]):
    """Default privileges. They come after all else, so that objects of the same plan get what is said of them."""

    type = "default_privileges"
    description = "What a role gets on objects that another one creates from then on"
    MODEL = DefaultPrivileges
    KEYWORD: ClassVar[str] = "DEFAULT PRIVILEGES"
    PLACE: ClassVar[int] = 2

    def ref(self, model: DefaultPrivileges) -> Ref:
        """Return whose objects of what kind, and who gets what on them: `tables of admin in shop.app`."""
        parent = f"{model.on.lower().strip()} of {quote(model.owner)}"
        if model.in_schema:
            parent += f" in {quote(model.in_schema)}"
        return Ref(self.type, quote(model.role), parent=parent)

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_default_acl."""
        return {
            "default_privileges": """
SELECT pg_get_userbyid(d.defaclrole)::text, coalesce(n.nspname::text, ''), d.defaclobjtype::text,
    d.defaclacl::text[], CASE d.defaclnamespace WHEN 0 THEN acldefault(
        CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END::"char", d.defaclrole
    )::text[] ELSE '{}' END, d.defaclnamespace
FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
WHERE d.defaclnamespace = 0 OR {user_schemas}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield who gets something else than without them."""
        number = 0
        for owner, schema, letter, items, usual, schema_oid in reading.rows["default_privileges"]:
            on = _LETTERS[letter]
            complete = KINDS[KINDS_BY_NAME[on]].complete(reading.server)
            defaults = {each.grantee: each.held for each in map(parse_item, usual)}
            found = dict.fromkeys(defaults, NOTHING)
            found |= {each.grantee: each.held for each in map(parse_item, items)}
            for role, held in found.items():
                default = defaults.get(role, NOTHING)
                if held == default:
                    continue
                row = (
                    owner,
                    schema,
                    on,
                    role,
                    *held.lists(complete),
                    (tuple(sorted(default.privileges)), tuple(sorted(default.grantable))),
                    tuple(sorted(complete)),
                )
                number += 1
                entry = Entry(
                    Ref(self.type, ""),
                    ("default_acl", number),
                    row,
                    owner=reading.refs.get(("pg_namespace", schema_oid)),
                )
                yield entry._replace(ref=self.ref(self.build(entry)))

    def build(self, entry: Entry) -> DefaultPrivileges:
        """Return the default privileges."""
        owner, schema, on, role, listed, option, default, complete = entry.row
        return DefaultPrivileges(
            owner=owner,
            in_schema=schema,
            on=on,
            role=role,
            privileges=listed,
            grant_option=option,
            default=Held(*map(frozenset, default)),
            complete=frozenset(complete),
        )

    def rehearsed(self, wanted: DefaultPrivileges, scratch: str) -> DefaultPrivileges | None:
        """Return nothing: the server words nothing of it in its own way."""
        return None

    # Order

    def uses(self, model: DefaultPrivileges) -> frozenset[Ref]:
        """Return the roles and the schema."""
        found = role_refs(model.owner, model.role)
        return found | {Ref("schema", model.in_schema)} if model.in_schema else found

    def follow(self, model: DefaultPrivileges, operation: Operation) -> DefaultPrivileges:
        """Return the default privileges as they are after a role or the schema is renamed."""
        if not isinstance(operation, Rename):
            return model
        old, new = operation.subject.name, operation.after.name
        fields = {"role": ("owner", "role"), "user": ("owner", "role"), "schema": ("in_schema",)}
        changed = fields.get(operation.subject.type, ())
        changes = {field: new for field in changed if getattr(model, field) == old}
        return dataclasses.replace(model, **changes) if changes else model

    # Change

    def diff(self, live: DefaultPrivileges | None, wanted: DefaultPrivileges | None) -> list[Operation]:
        """Return the operations; they can always change in place."""
        if live is None or wanted is None:
            return super().diff(live, wanted)
        wanted = dataclasses.replace(wanted, default=live.default, complete=live.complete)
        complete = _complete(live, wanted)
        before, after = live.held(complete), wanted.held(complete)
        if before == after:
            return []
        fields = ("privileges", "grant_option")
        return [
            ChangeDefaults(
                subject=self.ref(wanted), before=live, after=wanted, fields=fields, place=self.PLACE
            )
        ]

    def implied(self, model: DefaultPrivileges, live: Snapshot) -> DefaultPrivileges:
        """Return what the grantee gets where nobody said anything."""
        complete = frozenset(KINDS[model.kind].privileges)
        usual = _usual(model, complete)
        listed, option = usual.lists(complete)
        return dataclasses.replace(
            model, privileges=listed, grant_option=option, default=usual, complete=complete
        )

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield ALTER DEFAULT PRIVILEGES for each GRANT and REVOKE it takes."""
        match operation:
            case Create(model=model):
                complete = _verified(model, self.ref(model), server)
                before, after = _usual(model, complete), model.held(complete)
            case Drop(model=model):
                complete = KINDS[model.kind].complete(server)
                before, after = model.held(complete), _usual(model, complete)
            case AlterObject(before=old, after=model):
                complete = _verified(model, self.ref(model), server)
                before, after = old.held(complete), model.held(complete)
            case _:
                raise AssertionError(operation)
        prefix = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(model.owner)}"
        if model.in_schema:
            prefix += f" IN SCHEMA {quote(model.in_schema)}"
        kind = model.on.upper().strip().replace("_", " ")
        for text in Rights(before).statements(Rights(after), kind, model.role, complete):
            yield f"{prefix} {text}"

    def definition_sql(self, model: DefaultPrivileges, server: Server) -> Iterator[str]:
        """Yield nothing: see `statements`."""
        yield from ()


def _complete(before: DefaultPrivileges, after: DefaultPrivileges) -> frozenset[str]:
    return before.complete or after.complete or frozenset(KINDS[after.kind].privileges)


def _usual(model: DefaultPrivileges, complete: frozenset[str]) -> Held:
    """Return what the grantee gets where nobody said anything."""
    if model.in_schema:
        return NOTHING
    if model.role == model.owner:
        return Held(complete)
    return Held(KINDS[model.kind].public) if model.role == PUBLIC else NOTHING


def _verified(model: DefaultPrivileges, ref: Ref, server: Server) -> frozenset[str]:
    """Return what `all` means. Raises ValidationError for what came with a later version of PostgreSQL."""
    if model.kind == "large_object" and not server.since(18):
        raise ValidationError.of(
            [
                Problem(
                    f"{server.product} has no default privileges on large objects",
                    code="unsupported_by_server",
                    path="on",
                    resource=str(ref),
                    hint="They came with version 18: leave them out, or upgrade the server.",
                )
            ]
        )
    return privileges.verified(model.kind, model.privileges, ref, server)
