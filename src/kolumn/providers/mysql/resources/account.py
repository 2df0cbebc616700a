"""Users and roles (https://dev.mysql.com/doc/refman/9.4/en/access-control.html).

Both belong to the whole server, so they count only where they are named. In MySQL a role is an account that is
locked and has no password; in MariaDB it is something of its own, without a host. A password is never read:
whether it is the one configured is told by what the server keeps instead of it.
"""

from __future__ import annotations

import builtins
import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.secrets import SecureString
from kolumn.engine.declaration import NOT_EMPTY, attribute, declared_fields, one_of, replaced
from kolumn.engine.operations import Create, Drop, Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection import passwords
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.accounts import ANY_HOST, Account, account_sql, parse_account
from kolumn.providers.mysql.language.tokens import literal
from kolumn.providers.mysql.reading import Entry, Reading
from kolumn.sql.operations import AlterObject

SYSTEM_ACCOUNTS = frozenset({"mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys"})
_LIMITS = ("max_queries_per_hour", "max_updates_per_hour", "max_connections_per_hour", "max_user_connections")
_NO_ROLE = "NONE"


@dataclass(frozen=True)
class Membership:
    """A role that somebody has."""

    GUARDS: ClassVar[str] = "security"
    SHORTHAND: ClassVar[str] = "name"

    name: str = attribute(
        "The role: `name`, or `name@host` in MySQL", validators=[NOT_EMPTY], grammar="account"
    )
    admin: bool = attribute("Whether it may give the role to others", default=False)


@dataclass(frozen=True)
class Principal:
    """What users and roles have in common."""

    GUARDS: ClassVar[str] = "security"

    name: str = attribute("Name of the account, without its host", validators=[NOT_EMPTY])
    host: str = attribute("From where it may connect; roles of MariaDB have none", default=ANY_HOST)
    member_of: tuple[Membership, ...] = attribute("Roles it has", default=())
    renamed_from: str = attribute("Former name", default="", hint=True)

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        for path in ("name", "host", "renamed_from"):
            text = getattr(self, path)
            if "\0" in text or len(text) > (255 if path == "host" else 80):
                yield Problem(
                    f"{path} is too long, or has a NUL character", code="invalid_identifier", path=path
                )
        names = [str(parse_account(each.name)) for each in self.member_of]
        if len(set(names)) < len(names):
            yield Problem("a role is named twice", code="duplicate", path="member_of")

    @property
    def account(self) -> Account:
        """Name and host."""
        return Account(self.name, self.host.lower() or ANY_HOST)


@dataclass(frozen=True)
class User(Principal):
    """A user."""

    password: str = attribute("Password; left alone where not given", default="", kept=True, sensitive=True)
    plugin: str = attribute(
        "Authentication plugin; the server's default when left out", default="", kept=True, grammar="keyword"
    )
    locked: bool = attribute("Whether it may not log in", default=False)
    require: str = attribute(
        "What a connection must have: ssl, or x509 for a valid certificate", default="",
        validators=[one_of("", "ssl", "x509")], grammar="keyword",
    )  # fmt: skip
    max_queries_per_hour: int = attribute("Limit; 0 for none", default=0)
    max_updates_per_hour: int = attribute("Limit; 0 for none", default=0)
    max_connections_per_hour: int = attribute("Limit; 0 for none", default=0)
    max_user_connections: int = attribute("Connections at a time; 0 for the server's limit", default=0)
    default_roles: tuple[str, ...] = attribute(
        "Roles that are active when it logs in", default=(), kept=True, grammar="account"
    )

    kept_password: str = dataclasses.field(default="", compare=False, repr=False, kw_only=True)
    """What the server keeps instead of the password; empty where there is none."""

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        yield from super().verify()
        if "\0" in self.password:
            yield Problem("password has a NUL character", code="invalid_text", path="password")
        if not self.plugin.replace("_", "").isalnum() and self.plugin:
            yield Problem("plugin is no name of a plugin", code="invalid_identifier", path="plugin")
        for each in _LIMITS:
            if getattr(self, each) < 0:
                yield Problem(f"{each} must be 0 or more", code="invalid_range", path=each)


@dataclass(frozen=True)
class Role(Principal):
    """A role."""


P = TypeVar("P", bound=Principal)


class PrincipalHandler(MySQLHandler[P]):
    """What is common to both."""

    PLACE: ClassVar[int] = -1

    def ref(self, model: P) -> Ref:
        """Return `name@host`."""
        return Ref(self.type, str(model.account))

    def former(self, model: P) -> Ref | None:
        """Return the former name, at the same host."""
        before = model.renamed_from
        return Ref(self.type, str(Account(before, model.account.host))) if before else None

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of accounts, of who has which role, and of roles that are active at once."""
        if server.is_mariadb:
            value = "JSON_VALUE(priv, '$.{}')"
            fields = ("plugin", "authentication_string", "account_locked", "is_role", "ssl_type", "max_questions",
                      "max_updates", "max_connections", "max_user_connections")  # fmt: skip
            listed = ", ".join(value.format(field) for field in fields)
            return {
                "accounts": f"SELECT user, host, {listed} FROM mysql.global_priv",
                "members": "SELECT user, host, role, '', IF(admin_option = 'Y', 1, 0) FROM mysql.roles_mapping",
                "default_roles": "SELECT user, host, JSON_VALUE(priv, '$.default_role'), '' FROM mysql.global_priv "
                "WHERE JSON_VALUE(priv, '$.default_role') <> ''",
            }
        is_role = "account_locked = 'Y' AND password_expired = 'Y' AND authentication_string = ''"
        return {
            "accounts": f"""
SELECT user, host, plugin, authentication_string, IF(account_locked = 'Y', 1, 0), IF({is_role}, 1, 0), ssl_type,
    max_questions, max_updates, max_connections, max_user_connections
FROM mysql.user
""",
            "members": "SELECT to_user, to_host, from_user, from_host, IF(with_admin_option = 'Y', 1, 0) "
            "FROM mysql.role_edges",
            "default_roles": "SELECT user, host, default_role_user, default_role_host FROM mysql.default_roles",
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the accounts of this type."""
        members = reading.grouped("members")
        active = reading.grouped("default_roles")
        for user, host, plugin, kept, locked, is_role, tls, *limits in reading.rows["accounts"]:
            if user in SYSTEM_ACCOUNTS or (self.type == "role") != (str(is_role or 0) in ("1", "true")):
                continue
            account = Account(user, host or ANY_HOST)
            held = tuple(
                (Account(role, role_host or ANY_HOST).short, int(admin))
                for _, _, role, role_host, admin in sorted(members.get((user, host), []))
            )
            defaults = tuple(
                Account(role, role_host or ANY_HOST).short
                for _, _, role, role_host in sorted(active.get((user, host), []))
            )
            salted = kept if passwords.is_salted(kept or "") else ""
            row = (user, account.host, plugin or "", str(locked or 0) in ("1", "true"), _tls(tls),
                   tuple(int(each or 0) for each in limits), held, defaults, salted)  # fmt: skip
            yield Entry(Ref(self.type, str(account)), row, aside=True, secret=kept or "")

    def uses(self, model: P) -> frozenset[Ref]:
        """Return the roles it has."""
        named = [each.name for each in model.member_of] + list(getattr(model, "default_roles", ()))
        return frozenset(Ref("role", str(parse_account(each))) for each in named) - {self.ref(model)}

    def normal(self, model: P) -> P:
        """Return the normal form: roles in order, hosts in lower case."""
        changes: dict[str, Any] = {
            "name": model.name,
            "host": model.account.host,
            "member_of": tuple(
                sorted(
                    (replaced(each, {"name": str(parse_account(each.name))}) for each in model.member_of),
                    key=lambda each: each.name,
                )
            ),
        }
        if isinstance(model, User):
            changes["default_roles"] = tuple(sorted(str(parse_account(each)) for each in model.default_roles))
        return replaced(super().normal(model), changes)

    def with_name(self, model: P, name: str) -> P:
        """Return the account under another name."""
        return replaced(model, {"name": name})

    def address(self, model: P) -> str:
        """Return the account as SQL."""
        return account_sql(str(model.account))

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements. Raises ValidationError for dropping who is connected."""
        match operation:
            case Drop(model=model) if model.account == parse_account(server.account):
                raise _refused(
                    f"{model.account} is the account that is connected, so it cannot be dropped", model
                )
            case Rename() if self.type == "role" and server.is_mariadb:
                raise _refused("MariaDB cannot rename a role", operation.after)
            case Create(model=Role(host=host)) if server.is_mariadb and host not in ("", ANY_HOST):
                raise _refused("a role of MariaDB has no host", operation.model)
        yield from super().statements(operation, live, server)

    def pieces(self, operation: Operation) -> Iterator[Operation]:
        """Yield the account first, then each role that it gets or loses, then those that are active at once."""
        match operation:
            case Create(model=model) if model.member_of:
                bare = _without_roles(model, model)
                yield dataclasses.replace(operation, model=bare)
                yield from self._stages(operation.subject, bare, model)
            case AlterObject(before=before, after=after):
                yield from self._stages(operation.subject, before, after)
            case _:
                yield operation

    def _stages(self, subject: Ref, before: Any, after: Any) -> Iterator[Operation]:
        stages = [before, _without_roles(after, before)]
        held = {str(parse_account(each.name)): each for each in before.member_of}
        wanted = {str(parse_account(each.name)): each for each in after.member_of}
        for role, each in list(held.items()):
            if role not in wanted or (each.admin and not wanted[role].admin):
                del held[role]
                stages.append(replaced(stages[-1], {"member_of": tuple(held.values())}))
        for role, each in wanted.items():
            if role not in held or each.admin != held[role].admin:
                held[role] = each
                stages.append(replaced(stages[-1], {"member_of": tuple(held.values())}))
        stages.append(after)
        for one, other in itertools.pairwise(stages):
            old, new = self.normal(one), self.normal(other)
            fields = tuple(
                each.name
                for each in declared_fields(self.MODEL)
                if not each.about.hint and getattr(old, each.name) != getattr(new, each.name)
            )
            if fields:
                yield AlterObject(subject=subject, before=one, after=other, fields=fields)

    def rename_sql(self, before: P, after: P, server: Server) -> str:
        """Return RENAME USER."""
        return f"RENAME USER {self.address(before)} TO {self.address(after)}"

    def memberships(self, before: P, after: P, server: Server) -> Iterator[str]:
        """Yield the statements that give and take roles."""
        old = {str(parse_account(each.name)): each.admin for each in before.member_of}
        new = {str(parse_account(each.name)): each.admin for each in after.member_of}
        who = self.who(after, server)
        for role in old:
            if role not in new:
                yield f"REVOKE {role_sql(role, server)} FROM {who}"
            elif old[role] and not new[role]:
                yield f"REVOKE {role_sql(role, server)} FROM {who}"
                yield f"GRANT {role_sql(role, server)} TO {who}"
        for role, admin in new.items():
            if role not in old or (admin and not old[role]):
                yield f"GRANT {role_sql(role, server)} TO {who}{' WITH ADMIN OPTION' if admin else ''}"

    def who(self, model: P, server: Server) -> str:
        """Return the account as GRANT names it."""
        return self.address(model)


def _without_roles(model: Any, other: Any) -> Any:
    """Return an account with the roles of another one; none where both are the same."""
    held = () if model is other else other.member_of
    changes: dict[str, Any] = {"member_of": held}
    if isinstance(model, User):
        changes["default_roles"] = () if model is other else other.default_roles
    return replaced(model, changes)


def role_sql(role: str, server: Server) -> str:
    """Return a role as SQL: a role of MariaDB has no host."""
    return literal(parse_account(role).name) if server.is_mariadb else account_sql(role)


def _tls(kind: Any) -> str:
    text = str(kind or "").lower()
    return {"any": "ssl", "1": "ssl", "x509": "x509", "2": "x509"}.get(text, "")


class RoleHandler(PrincipalHandler[Role]):
    """Roles."""

    type = "role"
    description = "A role: privileges under a name, which accounts can have"
    MODEL: ClassVar[builtins.type[Any]] = Role
    KEYWORD: ClassVar[str] = "ROLE"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"member_of"})
    renames = True

    def build(self, entry: Entry, reading: Reading) -> Role:
        """Return the role."""
        user, host, _, _, _, _, held, _, _ = entry.row
        return Role(
            name=user,
            host=host,
            member_of=tuple(Membership(name=role, admin=bool(admin)) for role, admin in held),
        )

    def definition_sql(self, model: Role, server: Server) -> Iterator[str]:
        """Yield CREATE ROLE, and what it has."""
        yield f"CREATE ROLE {self.who(model, server)}"
        yield from self.memberships(Role(name=model.name, host=model.host), model, server)

    def alteration_sql(
        self, before: Role, after: Role, fields: tuple[str, ...], server: Server
    ) -> Iterator[str]:
        """Yield GRANT and REVOKE of roles."""
        yield from self.memberships(before, after, server)

    def drop_sql(self, model: Role, server: Server) -> str:
        """Return DROP ROLE."""
        return f"DROP ROLE {self.who(model, server)}"

    def who(self, model: Role, server: Server) -> str:
        """Return the role as SQL."""
        return role_sql(str(model.account), server)


class UserHandler(PrincipalHandler[User]):
    """Users."""

    type = "user"
    description = "A user: who may connect from where"
    MODEL: ClassVar[builtins.type[Any]] = User
    KEYWORD: ClassVar[str] = "USER"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"password", "plugin", "locked", "require", "member_of", "default_roles", *_LIMITS}
    )
    renames = True

    def build(self, entry: Entry, reading: Reading) -> User:
        """Return the user."""
        user, host, plugin, locked, tls, limits, held, defaults, _ = entry.row
        return User(
            name=user,
            host=host,
            plugin=plugin,
            locked=locked,
            require=tls,
            member_of=tuple(Membership(name=role, admin=bool(admin)) for role, admin in held),
            default_roles=defaults,
            kept_password=entry.secret,
            **dict(zip(_LIMITS, limits, strict=True)),
        )

    def concealed(self, model: User) -> Mapping[str, str]:
        """Return what is kept instead of the password, where it is salted."""
        kept = model.kept_password
        return {"password": kept} if passwords.is_salted(kept) else {}

    def diff(self, live: User | None, wanted: User | None) -> list[Operation]:
        """Return the operations; a password that is the one the server knows is no change."""
        if live is None or wanted is None or not wanted.password:
            return super().diff(live, wanted)
        if passwords.matches(wanted.password, live.kept_password):
            wanted = replaced(wanted, {"password": ""})
        return super().diff(live, wanted)

    def definition_sql(self, model: User, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE USER, and the roles it has."""
        yield _confidential(f"CREATE USER {self.address(model)}", _login(model, server), _options(model))
        nobody = User(name=model.name, host=model.host)
        yield from self.memberships(nobody, model, server)
        if model.default_roles:
            yield self._defaults(model, server)

    def alteration_sql(
        self, before: User, after: User, fields: tuple[str, ...], server: Server
    ) -> Iterator[str | Statement]:
        """Yield ALTER USER, GRANT and REVOKE."""
        words = {"password", "plugin", "locked", "require", *_LIMITS} & set(fields)
        if words:
            login = _login(after, server) if words & {"password", "plugin"} else ()
            yield _confidential(f"ALTER USER {self.address(after)}", login, _options(after, words))
        if "member_of" in fields:
            yield from self.memberships(before, after, server)
        if "default_roles" in fields:
            yield self._defaults(after, server)

    def _defaults(self, model: User, server: Server) -> str:
        roles = ", ".join(role_sql(each, server) for each in model.default_roles) or _NO_ROLE
        word = "FOR" if server.is_mariadb else "TO"
        return f"SET DEFAULT ROLE {roles} {word} {self.address(model)}"


def _login(model: User, server: Server) -> tuple[str | SecureString, ...]:
    """Return how the account proves who it is; without a password given, by what the server kept of one."""
    plugin = model.plugin.lower()
    if model.password:
        secret = SecureString(model.password)
        if not plugin:
            return (" IDENTIFIED BY ", secret)
        if server.is_mariadb:
            return (f" IDENTIFIED VIA {plugin} USING PASSWORD(", secret, ")")
        return (f" IDENTIFIED WITH {plugin} BY ", secret)
    if not plugin:
        return ()
    if model.kept_password and not server.is_mariadb:
        return (f" IDENTIFIED WITH {plugin} AS ", SecureString(model.kept_password))
    if model.kept_password:
        return (f" IDENTIFIED VIA {plugin} USING ", SecureString(model.kept_password))
    return (f" IDENTIFIED {'VIA' if server.is_mariadb else 'WITH'} {plugin}",)


def _confidential(text: str, login: tuple[str | SecureString, ...], rest: str) -> Statement:
    """Return a statement in which secrets are parameters."""
    pieces = [each if isinstance(each, str) else "%s" for each in (text, *login, rest)]
    secrets = tuple(each for each in login if isinstance(each, SecureString))
    whole = "".join(
        piece.replace("%", "%%") if isinstance(each, str) and secrets else piece
        for piece, each in zip(pieces, (text, *login, rest), strict=True)
    )
    return Statement(whole, secrets)


def _options(model: User, fields: set[str] | None = None) -> str:
    words = []
    if fields is None or "require" in fields:
        kind = {"": "NONE", "ssl": "SSL", "x509": "X509"}[model.require.lower()]
        words += [f"REQUIRE {kind}"] if model.require or fields is not None else []
    limits = [each for each in _LIMITS if (getattr(model, each) if fields is None else each in fields)]
    if limits:
        words.append("WITH " + " ".join(f"{each.upper()} {getattr(model, each)}" for each in limits))
    if model.locked or (fields is not None and "locked" in fields):
        words.append(f"ACCOUNT {'LOCK' if model.locked else 'UNLOCK'}")
    return "".join(f" {each}" for each in words)


def _refused(message: str, model: Any) -> ValidationError:
    return ValidationError.of([Problem(message, code="unsupported_change", resource=f"{model.name}")])
