"""Roles and users: a user is a role that may log in.

https://www.postgresql.org/docs/current/user-manag.html

Roles belong to the whole server, so they count only where they are named. A password is never read. Whether
it is the one configured is decided here, by what the server keeps instead of it, where that may be read (by
superusers). Where it may not, the password counts as unchanged as long as neither the configuration nor
anything else of the role changed, and is set again otherwise.
"""

from __future__ import annotations

import builtins
import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.secrets import SecureString
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Create, Drop, Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection import passwords, run_time_parameters
from kolumn.providers.postgres.connection.confidential import RolePassword, confidential
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler, role_refs
from kolumn.providers.postgres.language.tokens import literal, quote
from kolumn.providers.postgres.reading import Reading
from kolumn.sql.operations import AlterObject

_FLAGS = ("superuser", "createdb", "createrole", "inherit", "login", "replication", "bypassrls")
_RESERVED = frozenset({"public", "none"})
_FAR = re.compile(r"-infinity|\d{5,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00")
"""Times that PostgreSQL knows and Python does not."""


@dataclass(frozen=True)
class Membership:
    """A role whose privileges another one may have, and how."""

    SHORTHAND: ClassVar[str] = "name"

    name: str = attribute("Role it is a member of", validators=[NOT_EMPTY], grammar="identifier")
    admin: bool = attribute("Whether it may make others members", default=False)
    inherit: bool | None = attribute(
        "Whether it has the privileges at all times; the role's own `inherit` where left out (16 and later)",
        default=None,
    )
    set: bool = attribute("Whether it may take that role on with SET ROLE (16 and later)", default=True)
    granted_by: str = attribute("Role that granted it", default="", kept=True, grammar="identifier")


@dataclass(frozen=True)
class DatabaseSettings:
    """Run-time parameters that hold in one database only."""

    name: str = attribute("Database", validators=[NOT_EMPTY], grammar="identifier")
    settings: Mapping[str, Any] = attribute("Run-time parameters")


@dataclass(frozen=True)
class Account:
    """What roles and users have in common."""

    name: str = attribute("Name of the role", validators=[NOT_EMPTY], grammar="identifier")
    superuser: bool = attribute("Whether no check of privileges applies to it", default=False)
    createdb: bool = attribute("Whether it may create databases", default=False)
    createrole: bool = attribute("Whether it may create and change roles", default=False)
    inherit: bool = attribute(
        "Whether it has the privileges of the roles it is a member of without SET ROLE", default=True
    )
    replication: bool = attribute("Whether it may replicate and control replication slots", default=False)
    bypassrls: bool = attribute("Whether it is above row level security", default=False)
    connection_limit: int = attribute("Connections it may have at a time; -1 for any number", default=-1)
    valid_until: str = attribute(
        "When its password ends, e.g. 2030-12-31 or 2030-12-31 23:59:59+02; UTC where it says no zone",
        default="",
    )
    password: str = attribute(
        "Password, or the SCRAM-SHA-256 verifier of one; left alone where not given",
        default="",
        kept=True,
        sensitive=True,
    )
    member_of: tuple[Membership, ...] = attribute("Roles it is a member of", default=())
    settings: Mapping[str, Any] | None = attribute(
        "Run-time parameters its sessions begin with", default=None
    )
    in_databases: tuple[DatabaseSettings, ...] = attribute(
        "Run-time parameters its sessions in single databases begin with", default=()
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    kept_password: str = dataclasses.field(default="", compare=False, repr=False, kw_only=True)
    """What the server keeps instead of the password; empty where it may not be read, or there is none."""

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        if self.name in _RESERVED or self.name.startswith("pg_"):
            yield Problem(
                f"{self.name} is a name of PostgreSQL's own",
                code="reserved_name",
                path="name",
                hint="Choose one that is neither public nor none and does not begin with pg_.",
            )
        if self.connection_limit < -1:
            yield Problem(
                "connection_limit must be -1 or more", code="invalid_range", path="connection_limit"
            )
        if _instant(self.valid_until) is None:
            yield Problem(
                f"valid_until {self.valid_until!r} is no time",
                code="invalid_time",
                path="valid_until",
                hint="Write it as in 2030-12-31 or 2030-12-31 23:59:59+02.",
            )
        if "\0" in self.password or "\0" in self.comment:
            yield Problem("a text has a NUL character", code="invalid_text")
        yield from run_time_parameters.problems(self.settings or {}, "settings")
        yield from _twice([each.name for each in self.in_databases], "in_databases")
        for each in self.in_databases:
            yield from run_time_parameters.problems(each.settings, f"in_databases.{each.name}.settings")
        pairs = [f"{each.name} by {each.granted_by}" for each in self.member_of]
        yield from _twice([pair.removesuffix(" by ") for pair in pairs], "member_of")
        for at, membership in enumerate(self.member_of):
            if membership.name == self.name:
                yield Problem(
                    f"{self.name} cannot be a member of itself",
                    code="conflicting_attributes",
                    path=f"member_of[{at}]",
                )


@dataclass(frozen=True)
class Role(Account):
    """A role of the server."""

    login: bool = attribute("Whether it may log in", default=False)


@dataclass(frozen=True)
class User(Account):
    """A role that may log in."""

    @property
    def login(self) -> bool:
        """Always: that is what a user is."""
        return True


A = TypeVar("A", Role, User)


@dataclass(frozen=True, kw_only=True)
class AlterRole(AlterObject):
    """Change a role in place; a role that may now log in is a user, and the other way round."""

    before_ref: Ref

    def inverse(self) -> Operation:
        """Return the change back."""
        return AlterRole(
            subject=self.before_ref,
            before=self.after,
            after=self.before,
            before_ref=self.subject,
            fields=self.fields,
            requires=self.releases,
            releases=self.requires,
        )

    def effect(self) -> Mapping[Ref, Any]:
        """Return the changed role, under what it is now."""
        return {self.before_ref: None, self.subject: self.after}


class RoleHandler(PostgresHandler[Role]):
    """Roles. One that may log in is the same object as the user of its name."""

    type = "role"
    description = "A role: it owns things and has privileges, and others can be members of it"
    MODEL: ClassVar[builtins.type[Any]] = Role
    KEYWORD: ClassVar[str] = "ROLE"
    PLACE: ClassVar[int] = -1
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {
            *_FLAGS, "connection_limit", "valid_until", "password", "member_of", "settings", "in_databases",
            "comment",
        }
    )  # fmt: skip

    def ref(self, model: Account) -> Ref:
        """Return the name, as a user's where it may log in."""
        return Ref("user" if _logs_in(model) else "role", model.name)

    def former(self, model: Account) -> Ref | None:
        """Return the former name; without one the same name, as it was before it could log in or after."""
        own = self.ref(model)
        if model.renamed_from:
            return own._replace(name=model.renamed_from)
        return own._replace(type="role" if own.type == "user" else "user")

    def config(self, model: Account) -> dict[str, Any]:
        """Return the configuration, with `login` where that is an attribute."""
        return super().config(_as(self.MODEL, model))

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of roles, of who is a member of what, and of their settings."""
        return {"roles": _roles(server), "members": _members(server), "role_settings": _SETTINGS}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the roles of this type: those that may log in are users."""
        members: dict[int, list[tuple[Any, ...]]] = {}
        for member, *rest in reading.rows["members"]:
            members.setdefault(member, []).append(tuple(rest))
        local: dict[int, list[tuple[str, tuple[str, ...]]]] = {}
        everywhere: dict[int, tuple[str, ...]] = {}
        for role, database, settings in reading.rows["role_settings"]:
            if database:
                local.setdefault(role, []).append((database, tuple(settings)))
            else:
                everywhere[role] = tuple(settings)
        for oid, name, *flags, limit, until, kept in reading.rows["roles"]:
            kind = "user" if flags[_FLAGS.index("login")] else "role"
            if kind != self.type:
                continue
            # One that is not salted would tell in the state what the password is, to who tries enough.
            salted = kept if passwords.is_salted(kept) else ""
            row = (
                name,
                *flags,
                limit,
                until,
                tuple(members.get(oid, ())),
                everywhere.get(oid, ()),
                tuple(local.get(oid, ())),
                reading.comment("pg_authid", oid),
                salted,
            )
            yield Entry(Ref(kind, name), ("pg_authid", oid), row, aside=True, secret=kept)

    def build(self, entry: Entry) -> Role:
        """Return the role."""
        name, *flags, limit, until, members, settings, local, comment, _ = entry.row
        values = dict(zip(_FLAGS, flags, strict=True))
        login = values.pop("login")
        inherit = values["inherit"]
        found = Role(
            name=name,
            **values,
            login=login,
            connection_limit=limit,
            valid_until=until,
            member_of=tuple(
                Membership(
                    name=role,
                    admin=admin,
                    inherit=None if inherits in (None, inherit) else inherits,
                    set=sets,
                    granted_by=grantor,
                )
                for role, admin, inherits, sets, grantor in members
            ),
            settings=run_time_parameters.read(settings) or None,
            in_databases=tuple(
                DatabaseSettings(name=database, settings=run_time_parameters.read(each))
                for database, each in local
            ),
            comment=comment,
            kept_password=entry.secret,
        )
        built: Role = _as(self.MODEL, found)
        return built

    def normal(self, model: Account) -> Role:
        """Return the normal form, of a user as well as of a role."""
        plain = _as(Role, model)
        return super().normal(
            dataclasses.replace(
                plain,
                valid_until=_instant(model.valid_until) or "",
                member_of=tuple(
                    sorted(
                        (
                            dataclasses.replace(
                                each, inherit=model.inherit if each.inherit is None else each.inherit
                            )
                            for each in model.member_of
                        ),
                        key=lambda each: (each.name, each.granted_by),
                    )
                ),
                settings=run_time_parameters.normal(model.settings or {}) or None,
                in_databases=tuple(
                    DatabaseSettings(name=each.name, settings=run_time_parameters.normal(each.settings))
                    for each in sorted(model.in_databases, key=lambda each: each.name)
                    if each.settings
                ),
            )
        )

    def rehearsed(self, wanted: Role, scratch: str) -> Role | None:
        """Return nothing: the server words nothing of it in its own way."""
        return None

    # Order

    def uses(self, model: Account) -> frozenset[Ref]:
        """Return the roles it is a member of."""
        members = (name for each in model.member_of for name in (each.name, each.granted_by))
        return role_refs(*members) - role_refs(model.name)

    def follow(self, model: Role, operation: Operation) -> Role:
        """Return the role as it is after another one, of which it is a member, is renamed."""
        if not isinstance(operation, Rename) or operation.subject not in self.uses(model):
            return model
        old, new = operation.subject.name, operation.after.name
        members = tuple(
            dataclasses.replace(
                each,
                name=new if each.name == old else each.name,
                granted_by=new if each.granted_by == old else each.granted_by,
            )
            for each in model.member_of
        )
        return dataclasses.replace(model, member_of=members)

    # Change

    def diff(self, live: Role | None, wanted: Role | None) -> list[Operation]:
        """Return the operations; everything about a role changes in place."""
        if live is None or wanted is None:
            return super().diff(live, wanted)
        operations: list[Operation] = []
        before = self.ref(live)
        if live.name != wanted.name:
            renamed = dataclasses.replace(live, name=wanted.name)
            target = self.ref(renamed)
            operations.append(Rename(subject=before, before=live, after=renamed, target=target))
            live, before = renamed, target
        if wanted.password and passwords.matches(wanted.password, live.kept_password, live.name):
            wanted = dataclasses.replace(wanted, password="")
        wanted = dataclasses.replace(wanted, member_of=_with_grantors(wanted.member_of, live.member_of))
        old, new = self.normal(live), self.normal(wanted)
        fields = tuple(each for each in _FIELDS if getattr(old, each) != getattr(new, each))
        if fields:
            operations.append(
                AlterRole(
                    subject=self.ref(wanted),
                    before=live,
                    after=wanted,
                    before_ref=before,
                    fields=fields,
                    requires=self.uses(wanted) - self.uses(live),
                    releases=self.uses(live) - self.uses(wanted),
                )
            )
        return operations

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements; what would lock out the connected role is refused with a ValidationError."""
        match operation:
            case Drop(model=model) if model.name in (server.user, server.login):
                raise _refused(f"{model.name} is the role that is connected, so it cannot be dropped", model)
            case AlterRole(before=before, after=after):
                if after.name in (server.user, server.login):
                    for right in ("superuser", "login"):
                        if getattr(before, right) and not getattr(after, right):
                            message = f"{after.name} is the role that is connected, so it keeps {right}"
                            raise _refused(message, after)
                yield from self._alterations(before, after, operation.fields, server)
            case Create(model=model):
                yield from self._creation(model, server)
            case _:
                yield from super().statements(operation, live, server)

    def address(self, model: Role) -> str:
        """Return its quoted name."""
        return quote(model.name)

    def definition_sql(self, model: Role, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE ROLE with all that belongs to it."""
        return self._creation(model, server)

    def _creation(self, model: Account, server: Server) -> Iterator[str | Statement]:
        nobody = Role(name=model.name)
        options = " ".join(_options(nobody, model))
        yield f"CREATE ROLE {quote(model.name)}" + (f" WITH {options}" if options else "")
        rest = [each for each in _FIELDS if each not in _OPTIONS]
        yield from self._alterations(nobody, model, tuple(rest), server)

    def _alterations(
        self, before: Account, after: Account, fields: tuple[str, ...], server: Server
    ) -> Iterator[str | Statement]:
        name = quote(after.name)
        if any(field in _OPTIONS for field in fields) and (options := list(_options(before, after))):
            yield f"ALTER ROLE {name} WITH {' '.join(options)}"
        if "password" in fields and (secret := after.password or after.kept_password):
            yield confidential(f"ALTER ROLE {name} PASSWORD ", RolePassword(after.name, SecureString(secret)))
        if "member_of" in fields:
            yield from _memberships(before, after, server)
        if "settings" in fields:
            for change in run_time_parameters.changes(before.settings or {}, after.settings or {}):
                yield f"ALTER ROLE {name} {change}"
        if "in_databases" in fields:
            yield from _local_settings(before, after)
        if "comment" in fields and before.comment != after.comment:
            yield self.comment_sql(after)  # type: ignore[arg-type]


_OPTIONS = frozenset({*_FLAGS, "connection_limit", "valid_until"})
_FIELDS = (
    *_FLAGS,
    *("connection_limit", "valid_until", "password", "member_of", "settings", "in_databases", "comment"),
)


def _logs_in(model: Account) -> bool:
    return bool(getattr(model, "login", False))


def _as(kind: type[A], model: Account) -> A:
    """Return a role as a user, or a user as a role."""
    if type(model) is kind:
        return model
    shared = {each.name: getattr(model, each.name) for each in dataclasses.fields(Account)}
    if kind is Role:
        return Role(**shared, login=_logs_in(model))  # type: ignore[return-value]
    return kind(**shared)


def _options(before: Account, after: Account) -> Iterator[str]:
    for flag in _FLAGS:
        if getattr(before, flag) != getattr(after, flag):
            yield flag.upper() if getattr(after, flag) else f"NO{flag.upper()}"
    if before.connection_limit != after.connection_limit:
        yield f"CONNECTION LIMIT {after.connection_limit}"
    old, new = _instant(before.valid_until), _instant(after.valid_until)
    if old != new:
        yield f"VALID UNTIL {literal(new or 'infinity')}"


def _with_grantors(wanted: tuple[Membership, ...], live: tuple[Membership, ...]) -> tuple[Membership, ...]:
    """Return memberships with who granted them, where configuration leaves that open."""
    taken = {(each.name, each.granted_by) for each in wanted}
    granted: dict[str, str] = {}
    for each in live:
        if (each.name, each.granted_by) not in taken or not each.granted_by:
            granted.setdefault(each.name, each.granted_by)
    return tuple(
        each if each.granted_by else dataclasses.replace(each, granted_by=granted.get(each.name, ""))
        for each in wanted
    )


def _memberships(before: Account, after: Account, server: Server) -> Iterator[str]:
    """Yield GRANT and REVOKE of membership. Raises ValidationError for options the server lacks."""
    modern = server.since(16)
    old = {(each.name, each.granted_by): each for each in before.member_of}
    new = {(each.name, each.granted_by): each for each in after.member_of}
    name = quote(after.name)

    def by(grantor: str) -> str:
        return f" GRANTED BY {quote(grantor)}" if grantor else ""

    for key, each in old.items():
        if key not in new:
            yield f"REVOKE {quote(each.name)} FROM {name}{by(each.granted_by)}"
    for key, each in new.items():
        if not modern and (each.inherit not in (None, after.inherit) or not each.set):
            raise ValidationError.of(
                [
                    Problem(
                        f"{server.product} knows neither inherit nor set of a membership",
                        code="unsupported_by_server",
                        path="member_of",
                        resource=f"{'user' if _logs_in(after) else 'role'}.{after.name}",
                        hint="They came with version 16: leave them out, or upgrade the server.",
                    )
                ]
            )
        held = old.get(key)
        options = list(_membership_options(held, each, before, after, modern=modern))
        if held is None or options:
            if not modern and held is not None and not each.admin:
                yield f"REVOKE ADMIN OPTION FOR {quote(each.name)} FROM {name}{by(each.granted_by)}"
                continue
            ending = f" WITH {', '.join(options)}" if options else ""
            yield f"GRANT {quote(each.name)} TO {name}{ending}{by(each.granted_by)}"


def _membership_options(
    held: Membership | None, wanted: Membership, before: Account, after: Account, *, modern: bool
) -> Iterator[str]:
    old = held or Membership(name=wanted.name)
    if not modern:
        if old.admin != wanted.admin:
            yield "ADMIN OPTION"
        return
    inherits = after.inherit if wanted.inherit is None else wanted.inherit
    inherited = old.inherit
    if inherited is None:
        inherited = after.inherit if held is None else before.inherit
    for option, was, becomes in (
        ("ADMIN", old.admin, wanted.admin),
        ("INHERIT", inherited, inherits),
        ("SET", old.set, wanted.set),
    ):
        if was != becomes:
            yield f"{option} {'TRUE' if becomes else 'FALSE'}"


def _local_settings(before: Account, after: Account) -> Iterator[str]:
    old = {each.name: each.settings for each in before.in_databases}
    new = {each.name: each.settings for each in after.in_databases}
    for database in dict.fromkeys((*old, *new)):
        for change in run_time_parameters.changes(old.get(database, {}), new.get(database, {})):
            yield f"ALTER ROLE {quote(after.name)} IN DATABASE {quote(database)} {change}"


def _instant(text: str) -> str | None:
    """Return a time as PostgreSQL takes it in UTC, empty for none and for never, None if it is no time."""
    said = text.strip()
    if said.lower() in ("", "infinity"):
        return ""
    if _FAR.fullmatch(said):
        return said
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    fraction = f".{moment:%f}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction}+00"


def _refused(message: str, model: Account) -> ValidationError:
    kind = "user" if _logs_in(model) else "role"
    return ValidationError.of(
        [
            Problem(
                message,
                code="connected_role",
                resource=f"{kind}.{model.name}",
                hint="Connect as another role for this.",
            )
        ]
    )


def _twice(names: list[str], path: str) -> Iterator[Problem]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(f"{name} is there twice", code="duplicate", path=path)


# Reading


def _roles(server: Server) -> str:
    """Return the query of roles: what is kept of passwords only superusers may read."""
    source, password = (
        ("pg_authid", "coalesce(r.rolpassword, '')") if server.is_superuser else ("pg_roles", "''")
    )
    return f"""
SELECT r.oid, r.rolname::text, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolinherit, r.rolcanlogin,
    r.rolreplication, r.rolbypassrls, r.rolconnlimit,
    CASE WHEN r.rolvaliduntil IS NULL OR r.rolvaliduntil = 'infinity' THEN ''
        WHEN r.rolvaliduntil = '-infinity' THEN '-infinity'
        ELSE to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'FMYYYY-MM-DD HH24:MI:SS')
            || CASE WHEN extract(microseconds FROM r.rolvaliduntil)::bigint % 1000000 = 0 THEN ''
                ELSE rtrim(to_char(r.rolvaliduntil, '.US'), '0') END || '+00' END,
    {password}
FROM pg_catalog.{source} r WHERE r.rolname !~ '^pg_'
"""


def _members(server: Server) -> str:
    """Return the query of memberships; who granted one matters where it is not the server's owner."""
    options = "m.inherit_option, m.set_option" if server.since(16) else "NULL::bool, true"
    grantor = "CASE WHEN m.grantor = 10 THEN '' ELSE pg_get_userbyid(m.grantor)::text END"
    return f"""
SELECT m.member, pg_get_userbyid(m.roleid)::text, m.admin_option, {options}, {grantor}
FROM pg_catalog.pg_auth_members m ORDER BY 2, 6
"""


_SETTINGS = """
SELECT s.setrole, coalesce(d.datname::text, ''), s.setconfig
FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE s.setrole <> 0 ORDER BY 2
"""
