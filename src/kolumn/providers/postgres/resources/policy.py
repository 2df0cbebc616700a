"""Policies of row level security.

https://www.postgresql.org/docs/current/sql-createpolicy.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler, role_refs
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.tokens import qualified, quote
from kolumn.providers.postgres.reading import Reading
from kolumn.sql.operations import AlterObject, RenameColumn

_COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete", "*": "all"}


@dataclass(frozen=True)
class Policy:
    """Which rows of a table some roles may see, and which they may write."""

    name: str = attribute("Name of the policy", validators=[NOT_EMPTY], grammar="identifier")
    table: str = attribute("Table it is on", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema of the table; empty for public", default="", grammar="schema")
    command: str = attribute(
        "Command it applies to",
        default="all",
        validators=[one_of(*_COMMANDS.values())],
        grammar="keyword",
    )
    permissive: bool = attribute(
        "Whether one permissive policy that lets a row through is enough; all others must", default=True
    )
    roles: tuple[str, ...] = attribute(
        "Roles it applies to; `public` for everybody", default=("public",), grammar="identifier"
    )
    using: str = attribute(
        "SQL condition on rows that are read, changed or deleted", default="", grammar="expression"
    )
    with_check: str = attribute(
        "SQL condition on rows that are written; `using` where left out", default="", grammar="expression"
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        command = self.command.lower().strip()
        if self.using and command == "insert":
            yield Problem(
                "a policy for insert reads no rows, so it has no using",
                code="conflicting_attributes",
                path="using",
                hint="Write with_check.",
            )
        if self.with_check and command in ("select", "delete"):
            yield Problem(
                f"a policy for {command} writes no rows, so it has no with_check",
                code="conflicting_attributes",
                path="with_check",
                hint="Write using.",
            )
        if not self.roles:
            yield Problem(
                "roles is empty",
                code="missing_attribute",
                path="roles",
                hint='Write ["public"] for everybody.',
            )


class PolicyHandler(PostgresHandler[Policy]):
    """Policies; they belong to their table."""

    type = "policy"
    description = "A policy of row level security: which rows of a table some roles may see and write"
    MODEL = Policy
    KEYWORD: ClassVar[str] = "POLICY"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"roles", "using", "with_check", "comment"})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_policy."""
        return {
            "policies": """
SELECT p.oid, p.polrelid, p.polname::text, n.nspname::text, c.relname::text, p.polcmd::text, p.polpermissive,
    array(SELECT CASE r.role WHEN 0 THEN 'public' ELSE pg_get_userbyid(r.role)::text END
        FROM unnest(p.polroles) AS r (role) ORDER BY 1),
    coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {user_schemas}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the policies."""
        for oid, table_oid, name, schema, table, command, permissive, roles, using, check in reading.rows[
            "policies"
        ]:
            place = self.dialect.normal_schema(schema)
            comment = reading.comment("pg_policy", oid)
            row = (name, table, place, _COMMANDS[command], permissive, tuple(roles), using, check, comment)
            owner = reading.refs.get(("pg_class", table_oid), Ref("table", table, place))
            yield Entry(Ref(self.type, name, place, table), ("pg_policy", oid), row, owner=owner)

    def build(self, entry: Entry) -> Policy:
        """Return the policy."""
        name, table, schema, command, permissive, roles, using, check, comment = entry.row
        return Policy(
            name=name,
            table=table,
            schema=schema,
            command=command,
            permissive=permissive,
            roles=roles,
            using=using,
            with_check=check,
            comment=comment,
        )

    def normal(self, model: Policy) -> Policy:
        """Return the normal form: the order of roles says nothing."""
        roles = ("public",) if "public" in model.roles else tuple(sorted(set(model.roles)))
        return super().normal(dataclasses.replace(model, roles=roles))

    def rehearsed(self, wanted: Policy, scratch: str) -> Policy | None:
        """Return the policy on a copy of its table, for anybody."""
        return dataclasses.replace(wanted, schema=scratch, roles=("public",), comment="")

    def rehearsal(self, rehearsed: Policy, live: Policy, server: Server) -> Iterator[str | Statement]:
        """Yield the copy of the table and the policy."""
        copy = qualified(rehearsed.schema, rehearsed.table)
        yield f"CREATE TABLE IF NOT EXISTS {copy} (LIKE {qualified(live.schema, live.table)})"
        yield from self.definition_sql(rehearsed, server)

    # Order

    def uses(self, model: Policy) -> frozenset[Ref]:
        """Return the table, the roles, and what the conditions name."""
        schema = self.dialect.normal_schema(model.schema)
        found = super().uses(model) | {Ref("table", model.table, schema)} | role_refs(*model.roles)
        return found | self.guesses(model)

    def guesses(self, model: Policy) -> frozenset[Ref]:
        """Return the relations, functions and types the conditions may name."""
        found: set[Ref] = set()
        for text in filter(None, (model.using, model.with_check)):
            found |= self.relations_in(text) | self.named_in(text)
        own = Ref("table", model.table, self.dialect.normal_schema(model.schema))
        return frozenset(found - {own})

    def follow(self, model: Policy, operation: Operation) -> Policy:
        """Return the policy as it is after its table, a column or a role is renamed."""
        table = Ref("table", model.table, self.dialect.normal_schema(model.schema))
        if isinstance(operation, RenameColumn) and operation.subject == table:
            rename = self.dialect.with_column_renamed
            return dataclasses.replace(
                model,
                using=rename(model.using, operation.old, operation.new),
                with_check=rename(model.with_check, operation.old, operation.new),
            )
        if isinstance(operation, Rename):
            old, new = operation.subject.name, operation.after.name
            if operation.subject == table:
                return dataclasses.replace(model, table=new)
            if operation.subject in role_refs(*model.roles):
                return dataclasses.replace(
                    model, roles=tuple(new if role == old else role for role in model.roles)
                )
        return super().follow(model, operation)

    # Change

    def changes_in_place(self, before: Policy, after: Policy, fields: tuple[str, ...]) -> bool:
        """Whether ALTER POLICY can: it takes neither condition away."""
        if (before.using and not after.using) or (before.with_check and not after.with_check):
            return False
        return super().changes_in_place(before, after, fields)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on the table, which all but a comment takes."""
        if isinstance(operation, AlterObject) and operation.fields == ("comment",):
            return ""
        table = Ref("table", operation.subject.parent, operation.subject.schema)
        return f"ACCESS EXCLUSIVE on {table.identity}"

    def address(self, model: Policy) -> str:
        """Return the name with its table."""
        return f"{quote(model.name)} ON {qualified(model.schema, model.table)}"

    def definition_sql(self, model: Policy, server: Server) -> Iterator[str]:
        """Yield CREATE POLICY."""
        text = f"CREATE POLICY {self.address(model)}"
        if not model.permissive:
            text += " AS RESTRICTIVE"
        if model.command.lower().strip() != "all":
            text += f" FOR {model.command.upper().strip()}"
        if "public" not in model.roles:
            text += f" TO {', '.join(map(quote, model.roles))}"
        if model.using:
            text += f" USING ({embedded(model.using)})"
        if model.with_check:
            text += f" WITH CHECK ({embedded(model.with_check)})"
        yield text

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements; ALTER POLICY changes roles and conditions at once."""
        if not isinstance(operation, AlterObject):
            yield from super().statements(operation, live, server)
            return
        after = operation.after
        clauses = {
            "roles": "TO " + ("PUBLIC" if "public" in after.roles else ", ".join(map(quote, after.roles))),
            "using": f"USING ({embedded(after.using)})",
            "with_check": f"WITH CHECK ({embedded(after.with_check)})",
        }
        changed = [clause for field, clause in clauses.items() if field in operation.fields]
        if changed:
            yield f"ALTER POLICY {self.address(after)} {' '.join(changed)}"
        if "comment" in operation.fields:
            yield self.comment_sql(after)
