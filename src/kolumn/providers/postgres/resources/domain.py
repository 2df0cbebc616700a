"""Domains (https://www.postgresql.org/docs/current/sql-createdomain.html).

Everything but the type and the collation changes in place. Another one of these takes a new domain in the
place of the old one (see `succession`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Operation, Risk
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.names import NAME, catalogued, object_name
from kolumn.providers.postgres.language.naming import object_name as generated_name
from kolumn.providers.postgres.language.normal import normal_expression
from kolumn.providers.postgres.language.tokens import literal, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.user_type import UserTypeHandler, is_inside
from kolumn.providers.postgres.succession import Family, Value, as_replacement
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject


@dataclass(frozen=True)
class DomainCheck:
    """A check constraint of a domain."""

    GUARDS: ClassVar[str] = "integrity"
    SHORTHAND: ClassVar[str] = "expression"

    expression: str = attribute(
        "SQL expression over VALUE that must not be false", validators=[NOT_EMPTY], grammar="expression"
    )
    name: str = attribute(
        "Constraint name; the one PostgreSQL would give it when left out", default="", grammar="identifier"
    )
    not_valid: bool = attribute("Whether values from before it was added were left unchecked", default=False)
    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a comment on a constraint whose name is not known."""
        if self.comment and not self.name:
            yield Problem(
                "a comment on a constraint needs the constraint's name",
                code="missing_attribute",
                path="name",
                hint="Give the check a name.",
            )


@dataclass(frozen=True)
class Domain:
    """A type made of another one, with conditions."""

    name: str = attribute("Name of the domain", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    type: str = attribute("Type it is made of", validators=[NOT_EMPTY], grammar="type")
    collation: str = attribute("Collation that differs from the type's", default="", grammar="name")
    not_null: bool = attribute("Whether NULL is refused", default=False, guards="integrity")
    not_null_name: str = attribute(
        "Name of the not-null constraint where it is not the usual one (PostgreSQL 17)",
        default="",
        grammar="identifier",
        guards="integrity",
    )
    default: str | None = attribute("Default value as a SQL expression", default=None, grammar="default")
    checks: tuple[DomainCheck, ...] = attribute("Check constraints", default=())
    owner: str = attribute(
        "Role that owns it", default="", kept=True, grammar="identifier", guards="security"
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.not_null_name and not self.not_null:
            yield Problem(
                "not_null_name needs not_null = true", code="conflicting_attributes", path="not_null_name"
            )
        seen: set[str] = set()
        for at, check in enumerate(self.checks):
            if check.name and check.name in seen:
                yield Problem(
                    f"two checks are named {check.name}", code="duplicate", path=f"checks[{at}].name"
                )
            seen.add(check.name)


class DomainHandler(UserTypeHandler[Domain]):
    """Domains."""

    type = "domain"
    description = "A domain: a type with conditions of its own"
    MODEL = Domain
    KEYWORD: ClassVar[str] = "DOMAIN"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"name": NAME}
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"owner", "comment", "not_null", "not_null_name", "default", "checks"}
    )

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of domains and of their constraints."""
        named = "k.contype IN ('c', 'n')" if server.since(17) else "k.contype = 'c'"
        domains = f"t.typtype = 'd' AND {{user_schemas}} AND {not_a_member('pg_type', 't.oid')}"
        return {
            "domains": f"""
SELECT t.oid, n.nspname, t.typname, pg_get_userbyid(t.typowner), format_type(t.typbasetype, t.typtypmod),
    coalesce(cn.nspname, ''), coalesce(c.collname, ''), t.typnotnull,
    pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::regclass)
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_collation c ON c.oid = t.typcollation AND t.typcollation <> b.typcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace
WHERE {domains}
""",
            "domain_constraints": f"""
SELECT k.contypid, k.oid, k.contype::text, k.conname,
    CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, 'pg_catalog.pg_type'::regclass) END, NOT k.convalidated
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_type t ON t.oid = k.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE {named} AND {domains}
ORDER BY k.oid
""",
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the domains."""
        constraints: dict[int, list[tuple[Any, ...]]] = {}
        names: dict[int, str] = {}
        for domain, oid, kind, name, expression, not_valid in reading.rows["domain_constraints"]:
            if kind == "n":
                names[domain] = name
            else:
                comment = reading.comment("pg_constraint", oid)
                constraints.setdefault(domain, []).append((name, expression, not_valid, comment))
        for oid, schema, name, owner, *rest in reading.rows["domains"]:
            place = self.dialect.normal_schema(schema)
            checks = tuple(constraints.get(oid, ()))
            row = (name, place, *rest, names.get(oid, ""), checks, owner, reading.comment("pg_type", oid))
            yield Entry(Ref(self.type, name, place), ("pg_type", oid), row)

    def build(self, entry: Entry) -> Domain:
        """Return the domain."""
        name, schema, base, of_collation, collation, not_null, default, null_name, checks, *rest = entry.row
        owner, comment = rest
        return Domain(
            name=name,
            schema=schema,
            type=self.dialect.normal_type(base),
            collation=catalogued(of_collation, collation),
            not_null=not_null,
            not_null_name="" if null_name == generated_name(name, "", "not_null") else null_name,
            default=default,
            checks=tuple(
                DomainCheck(name=each, expression=expression, not_valid=not_valid, comment=said)
                for each, expression, not_valid, said in checks
            ),
            owner=owner,
            comment=comment,
        )

    def config(self, model: Domain) -> dict[str, Any]:
        """Return the configuration, without names that PostgreSQL would give anyway."""
        nameless = replace(model, checks=tuple(replace(check, name="") for check in model.checks))
        commented = any(check.comment for check in model.checks)
        return super().config(nameless if not commented and _named(nameless) == model else model)

    def normal(self, model: Domain) -> Domain:
        """Return the normal form; the order of checks says nothing."""
        normal = super().normal(_named(model))
        usual = normal.not_null_name == generated_name(model.name, "", "not_null")
        return replace(
            normal,
            checks=tuple(sorted(normal.checks, key=repr)),
            not_null_name="" if usual else normal.not_null_name,
        )

    def uses(self, model: Domain) -> frozenset[Ref]:
        """Return the type it is made of, its collation, and what its texts mention."""
        found = super().uses(model) | self.type_uses(model.type, model.schema) | self.guesses(model)
        if model.collation:
            name = object_name(model.collation)
            found |= {Ref("collation", name.name, name.schema)}
        return found - {self.ref(model)}

    def guesses(self, model: Domain) -> frozenset[Ref]:
        """Return what its default and its checks mention."""
        texts = [model.default or "", *(check.expression for check in model.checks)]
        return frozenset().union(*(self.named_in(text) for text in texts if text))

    def diff(self, live: Domain | None, wanted: Domain | None) -> list[Operation]:
        """Return the operations; checks without a name get those PostgreSQL would give them."""
        return super().diff(live, None if wanted is None else _named(wanted))

    def replace(self, live: Domain, wanted: Domain) -> list[Operation]:
        """Return a change in place with what rows may break of it, or a drop and a creation."""
        found = super().replace(live, wanted)
        return [
            replace(each, risks=tuple(self._risks(live, wanted))) if isinstance(each, AlterObject) else each
            for each in found
        ]

    def _risks(self, live: Domain, wanted: Domain) -> Iterator[Risk]:
        if wanted.not_null and not live.not_null:
            yield lacking_risk(wanted)
        for change in check_changes(live.checks, wanted.checks):
            if change.after is not None and not change.after.not_valid and change.tests_values:
                yield breaking_risk(wanted, change.after)

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations with new domains where PostgreSQL cannot look at the values that are there.

        It does not see those inside arrays and composite types, and so refuses to add what they must satisfy.
        """
        for each in operations:
            looks = isinstance(each, AlterObject) and each.subject.type == self.type and bool(each.risks)
            if looks and is_inside(each.subject, live):
                operations = as_replacement(operations, each.subject, self)
        return operations

    def converted(self, value: Value, before: Domain, after: Domain, family: Family) -> str:
        """Return a cast from one type to the other; over the text where one of them is a user's own."""
        if any(self.dialect.type_of(each.type) is not None for each in (before, after)):
            return super().converted(value, before, after, family)
        return f"{value.text}::{value.target}"

    def part(self, model: Domain, part: Ref) -> DomainCheck | str | None:
        """Return a check by its name, or the default."""
        if part.type == "default":
            return model.default
        return next((check for check in model.checks if check.name == part.name), None)

    def without(self, model: Domain, part: Ref) -> Domain:
        """Return the domain without one of its checks or its default."""
        if part.type == "default":
            return replace(model, default=None)
        return replace(model, checks=tuple(check for check in model.checks if check.name != part.name))

    def with_part(self, model: Domain, part: Ref, source: Domain) -> Domain:
        """Return the domain with one of its checks or its default as `source` has it."""
        mine, theirs = self.part(model, part), self.part(source, part)
        if mine is None or theirs is None:
            return model
        if isinstance(theirs, str):
            return replace(model, default=theirs)
        return replace(model, checks=tuple(theirs if check == mine else check for check in model.checks))

    def definition_sql(self, model: Domain, server: Server) -> Iterator[str]:
        """Yield CREATE DOMAIN, and ALTER DOMAIN for checks that old values need not satisfy."""
        address = self.address(model)
        words = [f"CREATE DOMAIN {address} AS {embedded(model.type)}"]
        if model.collation:
            words.append(f"COLLATE {object_name(model.collation).sql}")
        if model.default is not None:
            words.append(f"DEFAULT {_expression(model.default)}")
        if model.not_null:
            named = f"CONSTRAINT {quote(model.not_null_name)} " if model.not_null_name else ""
            words.append(f"{named}NOT NULL")
        words += [_check_sql(check) for check in model.checks if not check.not_valid]
        yield " ".join(words)
        for check in model.checks:
            if check.not_valid:
                yield f"ALTER DOMAIN {address} ADD {_check_sql(check)}"
        for check in model.checks:
            if check.comment:
                yield _check_comment_sql(address, check)

    def alteration(self, field: str, before: Domain, after: Domain, server: Server) -> Iterator[str]:
        """Yield ALTER DOMAIN."""
        alter = f"ALTER DOMAIN {self.address(after)}"
        match field:
            case "default":
                if after.default is None:
                    yield f"{alter} DROP DEFAULT"
                else:
                    yield f"{alter} SET DEFAULT {_expression(after.default)}"
            case "not_null":
                if not after.not_null:
                    yield f"{alter} DROP NOT NULL"
                elif after.not_null_name:
                    yield f"{alter} ADD CONSTRAINT {quote(after.not_null_name)} NOT NULL"
                else:
                    yield f"{alter} SET NOT NULL"
            case "not_null_name":
                if before.not_null and after.not_null:
                    usual = generated_name(after.name, "", "not_null")
                    old, new = (each.not_null_name or usual for each in (before, after))
                    yield f"{alter} RENAME CONSTRAINT {quote(old)} TO {quote(new)}"
            case "checks":
                yield from _check_changes_sql(self.address(after), before.checks, after.checks)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock of a change that looks at every value of the domain."""
        if isinstance(operation, AlterObject) and operation.risks:
            return f"SHARE on tables with columns of {operation.subject}"
        return ""


def lacking_risk(domain: Domain) -> Risk:
    """Return that NULL is in the way of NOT NULL."""
    return Risk("may_fail", f"fails if a row has NULL in a column of domain {domain.name}")


def breaking_risk(domain: Domain, check: DomainCheck) -> Risk:
    """Return that values are in the way of a check."""
    words = f"fails if a value in a column of domain {domain.name} does not satisfy ({check.expression})"
    return Risk("may_fail", words)


class CheckChange(NamedTuple):
    """What becomes of one check of a domain; None is where it is not there."""

    before: DomainCheck | None
    after: DomainCheck | None

    @property
    def tests_values(self) -> bool:
        """Whether values that are already there are looked at."""
        if self.after is None or self.after.not_valid:
            return False
        return self.before is None or self.before.not_valid


def _check_changes_sql(
    address: str, before: Sequence[DomainCheck], after: Sequence[DomainCheck]
) -> Iterator[str]:
    """Yield ALTER DOMAIN and COMMENT for the checks of the domain at `address`."""
    alter = f"ALTER DOMAIN {address}"
    changes = list(check_changes(before, after))
    held = {check.name for check in before}
    for change in changes:
        if change.before is not None and change.after is None:
            held.remove(change.before.name)
            yield f"{alter} DROP CONSTRAINT {quote(change.before.name)}"
    kept = [
        (each.before, each.after) for each in changes if each.before is not None and each.after is not None
    ]
    renames = {old.name: new.name for old, new in kept if old.name != new.name}
    for old, new in _renames_in_order(renames, held):
        yield f"{alter} RENAME CONSTRAINT {quote(old)} TO {quote(new)}"
    for earlier, later in kept:
        if earlier.not_valid and not later.not_valid:
            yield f"{alter} VALIDATE CONSTRAINT {quote(later.name)}"
        if earlier.comment != later.comment:
            yield _check_comment_sql(address, later)
    for change in changes:
        if change.before is None and change.after is not None:
            yield f"{alter} ADD {_check_sql(change.after)}"
            if change.after.comment:
                yield _check_comment_sql(address, change.after)


def _renames_in_order(renames: dict[str, str], held: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the renames so that no name is needed twice at a time; names that change places go round."""
    while renames:
        old = next((name for name, new in renames.items() if new not in held), "")
        if old:
            new = renames.pop(old)
        else:
            old, wanted = next(iter(renames.items()))
            new = next(name for number in range(len(held) + 1) if (name := f"kolumn_{number}") not in held)
            del renames[old]
            renames[new] = wanted
        held.remove(old)
        held.add(new)
        yield old, new


def check_changes(before: Sequence[DomainCheck], after: Sequence[DomainCheck]) -> Iterator[CheckChange]:
    """Yield how the checks of a domain become others; drops come first, so that names are free.

    One of the same expression under another name is renamed; one that is to be NOT VALID again, as one with
    another expression, is dropped and added.
    """
    pairs: list[CheckChange] = []
    left = list(before)
    new: list[DomainCheck] = []
    for check in after:
        same = [each for each in left if _becomes(each, check)]
        found = next((each for each in same if each.name == check.name), next(iter(same), None))
        if found is None:
            new.append(check)
        else:
            left.remove(found)
            pairs.append(CheckChange(found, check))
    yield from (CheckChange(check, None) for check in left)
    yield from (pair for pair in pairs if pair.before != pair.after)
    yield from (CheckChange(None, check) for check in new)


def _named(domain: Domain) -> Domain:
    """Return the domain with a name for every check (ChooseConstraintName in pg_constraint.c)."""
    taken = {check.name for check in domain.checks}
    checks = []
    for check in domain.checks:
        name, number = check.name, 0
        while not name:
            usual = generated_name(domain.name, "", f"check{number or ''}")
            name = usual if usual not in taken else ""
            number += 1
        taken.add(name)
        checks.append(replace(check, name=name))
    return replace(domain, checks=tuple(checks))


def _becomes(before: DomainCheck, after: DomainCheck) -> bool:
    same = normal_expression(before.expression) == normal_expression(after.expression)
    return same and (before.not_valid or not after.not_valid)


def _expression(text: str) -> str:
    return f"({embedded(text)})"


def _check_sql(check: DomainCheck) -> str:
    named = f"CONSTRAINT {quote(check.name)} " if check.name else ""
    return f"{named}CHECK {_expression(check.expression)}" + (" NOT VALID" if check.not_valid else "")


def _check_comment_sql(address: str, check: DomainCheck) -> str:
    said = literal(check.comment) if check.comment else "NULL"
    return f"COMMENT ON CONSTRAINT {quote(check.name)} ON DOMAIN {address} IS {said}"
