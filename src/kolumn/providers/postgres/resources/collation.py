"""Collations (https://www.postgresql.org/docs/current/sql-createcollation.html).

Only the recorded version, names, owner and comment change in place. Anything else takes a new collation in the
place of the old one, for the columns that have it as well (see `succession`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Create, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.tokens import literal
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.user_type import UserTypeHandler
from kolumn.sql.operations import AlterObject

_PROVIDERS = {"b": "builtin", "c": "libc", "i": "icu"}


@dataclass(frozen=True)
class Collation:
    """A collation: an order of texts."""

    name: str = attribute("Name of the collation", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    provider: str = attribute(
        "Where it comes from: libc, icu, or builtin (PostgreSQL 17)",
        default="libc",
        validators=[one_of(*_PROVIDERS.values())],
        grammar="keyword",
    )
    locale: str = attribute("Locale, of order and character classes alike", default="", grammar="locale")
    lc_collate: str = attribute("Locale of the order, where it differs (libc)", default="")
    lc_ctype: str = attribute("Locale of character classes, where it differs (libc)", default="")
    deterministic: bool = attribute("Whether only texts of equal bytes are equal", default=True)
    rules: str = attribute("Further rules of the order (icu, PostgreSQL 16)", default="")
    refresh_version: bool = attribute(
        "Whether the version of the library's collation is recorded anew when it is another one; rebuild the "
        "indexes that use it first",
        default=False,
        hint=True,
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")
    is_outdated: bool = field(default=False, compare=False, kw_only=True)
    """Whether the live collation was made with another version of the library."""

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        provider = self.provider.lower()
        if self.locale and (self.lc_collate or self.lc_ctype):
            yield Problem(
                "locale says both lc_collate and lc_ctype", code="conflicting_attributes", path="locale"
            )
        if not self.locale and not (self.lc_collate and self.lc_ctype):
            yield Problem(
                "a collation needs a locale",
                code="missing_attribute",
                path="locale",
                hint="Give locale, or lc_collate and lc_ctype.",
            )
        for name in ("lc_collate", "lc_ctype"):
            if getattr(self, name) and provider != "libc":
                yield Problem(f"{name} is for libc", code="conflicting_attributes", path=name)
        if self.rules and provider != "icu":
            yield Problem("rules are for icu", code="conflicting_attributes", path="rules")
        if not self.deterministic and provider != "icu":
            yield Problem(
                "only icu has collations that are not deterministic",
                code="conflicting_attributes",
                path="deterministic",
            )


@dataclass(frozen=True, kw_only=True)
class RefreshVersion(AlterObject):
    """Record the version of the library's collation that is there now."""

    def describe(self) -> str:
        """Return `refresh the version of <collation>`."""
        return f"refresh the version of {self.subject}"

    def inverse(self) -> None:
        """Return None: the former version is not kept."""


class CollationHandler(UserTypeHandler[Collation]):
    """Collations."""

    type = "collation"
    description = "A collation: an order of texts"
    MODEL = Collation
    KEYWORD: ClassVar[str] = "COLLATION"
    NAMESPACE: ClassVar[str] = ""

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_collation."""
        if server.since(17):
            locale = "c.colllocale"
        elif server.since(15):
            locale = "c.colliculocale"
        else:
            locale = "CASE WHEN c.collprovider = 'i' THEN c.collcollate END"
        rules = "c.collicurules" if server.since(16) else "NULL"
        return {
            "collations": f"""
SELECT c.oid, n.nspname, c.collname, c.collprovider::text, coalesce({locale}, ''), coalesce(c.collcollate, ''),
    coalesce(c.collctype, ''), c.collisdeterministic, coalesce({rules}, ''),
    c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid), pg_get_userbyid(c.collowner)
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE {{user_schemas}} AND {not_a_member("pg_collation", "c.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the collations."""
        for oid, schema, name, *rest in reading.rows["collations"]:
            place = self.dialect.normal_schema(schema)
            row = (name, place, *rest, reading.comment("pg_collation", oid))
            yield Entry(Ref(self.type, name, place), ("pg_collation", oid), row)

    def build(self, entry: Entry) -> Collation:
        """Return the collation."""
        name, schema, provider, locale, lc_collate, lc_ctype, *rest = entry.row
        deterministic, rules, is_outdated, owner, comment = rest
        if provider == "c" and lc_collate == lc_ctype:
            locale = lc_collate
        if locale:
            lc_collate = lc_ctype = ""
        return Collation(
            name=name,
            schema=schema,
            provider=_PROVIDERS.get(provider, "libc"),
            locale=locale,
            lc_collate=lc_collate,
            lc_ctype=lc_ctype,
            deterministic=deterministic,
            rules=rules,
            owner=owner,
            comment=comment,
            is_outdated=is_outdated,
        )

    def normal(self, model: Collation) -> Collation:
        """Return the normal form: one locale where both are alike."""
        normal = super().normal(model)
        if normal.lc_collate and normal.lc_collate == normal.lc_ctype:
            return replace(normal, locale=normal.lc_collate, lc_collate="", lc_ctype="")
        return normal

    def diff(self, live: Collation | None, wanted: Collation | None) -> list[Operation]:
        """Return the operations, and the refreshing of the version where it is asked for and due."""
        operations = super().diff(live, wanted)
        if live is None or wanted is None or not (wanted.refresh_version and live.is_outdated):
            return operations
        if any(isinstance(each, Create) for each in operations):
            return operations
        refresh = RefreshVersion(
            subject=self.ref(wanted), before=wanted, after=replace(wanted, is_outdated=False), fields=()
        )
        return [*operations, refresh]

    def definition_sql(self, model: Collation, server: Server) -> Iterator[str]:
        """Yield CREATE COLLATION."""
        parts = []
        if model.provider.lower() != "libc":
            parts.append(f"PROVIDER = {model.provider.lower()}")
        for word, text in (
            ("LOCALE", model.locale),
            ("LC_COLLATE", model.lc_collate),
            ("LC_CTYPE", model.lc_ctype),
            ("RULES", model.rules),
        ):
            if text:
                parts.append(f"{word} = {literal(text)}")
        if not model.deterministic:
            parts.append("DETERMINISTIC = false")
        yield f"CREATE COLLATION {self.address(model)} ({', '.join(parts)})"

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        if isinstance(operation, RefreshVersion):
            yield f"ALTER COLLATION {self.address(operation.after)} REFRESH VERSION"
        else:
            yield from super().statements(operation, live, server)

    def conversion_risks(self, before: Collation, after: Collation) -> Iterator[str]:
        """Yield that texts can become equal."""
        if before.deterministic and not after.deterministic:
            yield "texts that are now equal, and must not be,"
