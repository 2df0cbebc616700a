"""Privileges: which there are for what, who has them by default, GRANT and REVOKE between two holdings.

https://www.postgresql.org/docs/current/ddl-priv.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.language.tokens import quote

PUBLIC = "public"
"""Everybody. No role can have this name, in whatever quotes."""
ALL = "all"
"""Every privilege there is for an object."""

LETTERS: Mapping[str, str] = {
    "r": "select", "a": "insert", "w": "update", "d": "delete", "D": "truncate", "x": "references",
    "t": "trigger", "m": "maintain", "U": "usage", "X": "execute", "C": "create", "c": "connect",
    "T": "temporary", "s": "set", "A": "alter system",
}  # fmt: skip
"""As `aclitem` abbreviates them, in the order they are written here."""

NAMES = tuple(LETTERS.values())
_ORDER = {name: place for place, name in enumerate(NAMES)}


class Kind(NamedTuple):
    """What there is to grant on one kind of object."""

    privileges: tuple[str, ...]
    public: frozenset[str] = frozenset()
    """What everybody has unless it is revoked."""

    def complete(self, server: Server) -> frozenset[str]:
        """Return what `all` means on this server."""
        return frozenset(self.privileges) - (frozenset() if server.since(17) else {"maintain"})


KINDS: Mapping[str, Kind] = {
    "table": Kind(("select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain")),
    "column": Kind(("select", "insert", "update", "references")),
    "sequence": Kind(("select", "update", "usage")),
    "schema": Kind(("usage", "create")),
    "database": Kind(("create", "connect", "temporary"), frozenset({"connect", "temporary"})),
    "routine": Kind(("execute",), frozenset({"execute"})),
    "type": Kind(("usage",), frozenset({"usage"})),
    "language": Kind(("usage",), frozenset({"usage"})),
    "foreign_data_wrapper": Kind(("usage",)),
    "foreign_server": Kind(("usage",)),
    "tablespace": Kind(("create",)),
    "parameter": Kind(("set", "alter system")),
    "large_object": Kind(("select", "update")),
}


class Held(NamedTuple):
    """The privileges of one grantee."""

    privileges: frozenset[str] = frozenset()
    grantable: frozenset[str] = frozenset()
    """Those of them it may grant to others."""

    @classmethod
    def of(cls, privileges: Iterable[str], grantable: Iterable[str], complete: frozenset[str]) -> Held:
        """Return what configuration lists, with `all` spelled out."""
        held, option = _spelled(privileges, complete), _spelled(grantable, complete)
        return cls(held | option, option)

    def lists(self, complete: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return both as configuration lists them: sorted, and `all` for everything there is."""
        return _listed(self.privileges, complete), _listed(self.grantable, complete)


NOTHING = Held()


@dataclass(frozen=True)
class Rights:
    """Privileges on an object and on single columns of it."""

    held: Held = NOTHING
    columns: Mapping[str, Held] = field(default_factory=dict)

    def words(self, other: Rights) -> str:
        """Return for people what makes these into `other`: `+ insert, - update (price)`."""
        found = []
        for sign, before, after in (("+", self, other), ("-", other, self)):
            found += [f"{sign} {name}" for name in _more(before.held, after.held)]
            for column, held in after.columns.items():
                more = _more(before.columns.get(column, NOTHING), held)
                found += [f"{sign} {name} ({column})" for name in more]
        return ", ".join(found)

    def statements(self, other: Rights, target: str, role: str, complete: frozenset[str]) -> Iterator[str]:
        """Yield the statements that make these into `other`; `target` is `TABLE public.film`.

        What is revoked on a table is revoked on its columns as well, so columns are seen to afterwards.
        """
        columns = dict(self.columns)
        for change in changes(self.held, other.held):
            yield change.sql(words(change.privileges, complete), target, role)
            if not change.grants:
                columns = {name: _without(held, change) for name, held in columns.items()}
        together: dict[tuple[bool, bool], dict[str, list[str]]] = {}
        for name in dict.fromkeys((*columns, *other.columns)):
            for change in changes(columns.get(name, NOTHING), other.columns.get(name, NOTHING)):
                of_columns = together.setdefault((change.grants, change.option), defaultdict(list))
                for privilege in change.privileges:
                    of_columns[privilege].append(name)
        for (grants, option), of_columns in sorted(together.items()):
            listed = ", ".join(
                f"{each.upper()} ({', '.join(map(quote, of_columns[each]))})" for each in ordered(of_columns)
            )
            yield Change(frozenset(of_columns), grants, option).sql(listed, target, role)


def _more(before: Held, after: Held) -> Iterator[str]:
    for name in ordered(after.privileges):
        if name not in before.privileges:
            yield f"{name} with grant option" if name in after.grantable else name
        elif name in after.grantable - before.grantable:
            yield f"grant option for {name}"


def _without(held: Held, revoked: Change) -> Held:
    lost = frozenset() if revoked.option else revoked.privileges
    return Held(held.privileges - lost, held.grantable - revoked.privileges)


class Change(NamedTuple):
    """One GRANT or REVOKE."""

    privileges: frozenset[str]
    grants: bool
    option: bool
    """Whether it is about the right to grant them to others."""

    def sql(self, words: str, target: str, role: str) -> str:
        """Return the statement; `words` are its privileges, `target` is what they are on."""
        name = "PUBLIC" if role == PUBLIC else quote(role)
        option = self.option
        if self.grants:
            return f"GRANT {words} ON {target} TO {name}" + (" WITH GRANT OPTION" if option else "")
        return f"REVOKE {'GRANT OPTION FOR ' if option else ''}{words} ON {target} FROM {name}"


def changes(before: Held, after: Held) -> Iterator[Change]:
    """Yield what leads from one holding to the other, what is taken away first."""
    gone = before.privileges - after.privileges
    kept = before.grantable - gone - after.grantable
    option = after.grantable - before.grantable
    for privileges, grants, about_option in (
        (gone, False, False),
        (kept, False, True),
        (after.privileges - before.privileges - option, True, False),
        (option, True, True),
    ):
        if privileges:
            yield Change(privileges, grants, about_option)


def words(privileges: frozenset[str], complete: frozenset[str]) -> str:
    """Return privileges as statements list them: ALL for everything there is, if that is more than one."""
    if len(privileges) > 1 and privileges == complete:
        return "ALL"
    return ", ".join(each.upper() for each in ordered(privileges))


def ordered(privileges: Iterable[str]) -> tuple[str, ...]:
    """Return privileges in the order of the documentation."""
    return tuple(sorted(privileges, key=lambda name: _ORDER.get(name, len(_ORDER))))


def problems(
    kind: str, role: str, privileges: Iterable[str], grantable: Iterable[str], path: str = ""
) -> Iterator[Problem]:
    """Yield what cannot be granted on a kind of object; `path` leads to the two attributes."""
    known = KINDS[kind].privileges
    listed = [normal(each) for each in privileges]
    option = [normal(each) for each in grantable]
    for attribute, names in (("privileges", listed), ("grant_option", option)):
        for at, name in enumerate(names):
            if name != ALL and name not in known:
                yield Problem(
                    f"there is no privilege {name} on a {kind.replace('_', ' ')}",
                    code="invalid_privilege",
                    path=f"{path}{attribute}[{at}]",
                    hint=f"Known: {', '.join(known)}, or all.",
                )
        if ALL in names and len(names) > 1:
            yield Problem(
                "all includes every other privilege",
                code="conflicting_attributes",
                path=f"{path}{attribute}",
                hint='Write ["all"].',
            )
    if missing := [each for each in option if each not in listed and ALL not in listed]:
        yield Problem(
            f"{', '.join(missing)} can only be granted on by who has it",
            code="conflicting_attributes",
            path=f"{path}grant_option",
            hint="List it in privileges as well.",
        )
    if option and role == PUBLIC:
        yield Problem(
            "not everybody can have the right to grant privileges to others",
            code="conflicting_attributes",
            path=f"{path}grant_option",
            hint="Name a role.",
        )


def verified(kind: str, names: Iterable[str], ref: Ref, server: Server) -> frozenset[str]:
    """Return what `all` means on this server.

    Raises ValidationError for privileges that it does not know: each came with some version.
    """
    complete = KINDS[kind].complete(server)
    if unknown := _spelled(names, complete) - complete:
        raise ValidationError.of(
            [
                Problem(
                    f"{server.product} has no privilege {', '.join(ordered(unknown))} "
                    f"on a {kind.replace('_', ' ')}",
                    code="unsupported_by_server",
                    path="privileges",
                    resource=str(ref),
                    hint="It came with a later version: leave it out, or upgrade the server.",
                )
            ]
        )
    return complete


def normal(name: str) -> str:
    """Return the one spelling of a privilege."""
    folded = " ".join(name.lower().replace("_", " ").split())
    return {"temp": "temporary", "all privileges": ALL}.get(folded, folded)


def _spelled(names: Iterable[str], complete: frozenset[str]) -> frozenset[str]:
    found = frozenset(map(normal, names))
    return complete if ALL in found else found


def _listed(privileges: frozenset[str], complete: frozenset[str]) -> tuple[str, ...]:
    return (ALL,) if len(complete) > 1 and privileges == complete else ordered(privileges)
