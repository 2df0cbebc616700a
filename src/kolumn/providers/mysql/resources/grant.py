"""Grants: everything one account has on one object, columns of it included, and nothing else.

https://dev.mysql.com/doc/refman/9.4/en/grant.html. A grant on the whole server counts only where it is named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of, replaced
from kolumn.engine.operations import Create, Drop, Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.accounts import ANY_HOST, Account, account_sql, parse_account
from kolumn.providers.mysql.language.tokens import fold, literal, qualified, quote
from kolumn.providers.mysql.reading import Entry, Reading
from kolumn.providers.mysql.resources.account import SYSTEM_ACCOUNTS
from kolumn.sql.operations import AlterObject

ON = ("server", "schema", "table", "function", "procedure")
_ALL: Mapping[str, frozenset[str]] = {
    "schema": frozenset(
        [
            "select",
            "insert",
            "update",
            "delete",
            "create",
            "drop",
            "references",
            "index",
            "alter",
            "create temporary tables",
            "lock tables",
            "create view",
            "show view",
            "create routine",
            "alter routine",
            "execute",
            "event",
            "trigger",
        ]
    ),
    "table": frozenset(
        [
            "select",
            "insert",
            "update",
            "delete",
            "create",
            "drop",
            "references",
            "index",
            "alter",
            "create view",
            "show view",
            "trigger",
        ]
    ),
    "function": frozenset({"execute", "alter routine"}),
    "procedure": frozenset({"execute", "alter routine"}),
}
_COLUMN = frozenset({"select", "insert", "update", "references"})


@dataclass(frozen=True)
class ColumnPrivileges:
    """Privileges on single columns of a table."""

    GUARDS: ClassVar[str] = "security"

    names: tuple[str, ...] = attribute("Columns", validators=[NOT_EMPTY], grammar="column")
    privileges: tuple[str, ...] = attribute(
        "What it may do with them: select, insert, update, references", validators=[NOT_EMPTY]
    )


@dataclass(frozen=True)
class Grant:
    """What one account has on one object."""

    GUARDS: ClassVar[str] = "security"

    name: str = attribute("Name of this resource; the server has none", default="", hint=True)
    account: str = attribute(
        "Who has the privileges: `name@host`, or the name of a role",
        validators=[NOT_EMPTY],
        grammar="account",
    )
    on: str = attribute("Kind of object", default="table", validators=[one_of(*ON)], grammar="keyword")
    object: str = attribute(
        "Name of the object; none for server and schema", default="", grammar="identifier"
    )
    schema: str = attribute(
        "Database it is in, or that is meant; empty for the one managed", default="", grammar="schema"
    )
    privileges: tuple[str, ...] = attribute(
        "What it may do with the whole object", default=(), grammar="keyword"
    )
    columns: tuple[ColumnPrivileges, ...] = attribute("What it may do with single columns", default=())
    grant_option: bool = attribute("Whether it may give its privileges to others", default=False)

    def verify(self) -> Iterator[Problem]:
        """Yield what cannot be."""
        kind = self.on.lower()
        if bool(self.object) == (kind in ("server", "schema")):
            words = "takes no object" if self.object else "needs an object"
            yield Problem(f"a grant on {kind} {words}", code="conflicting_attributes", path="object")
        if self.columns and kind != "table":
            yield Problem("only tables have columns", code="conflicting_attributes", path="columns")
        if not self.privileges and not self.columns:
            yield Problem("no privilege is given", code="missing_attribute", path="privileges",
                          hint="Remove the resource to take all away.")  # fmt: skip
        for at, each in enumerate(self.privileges):
            plain = " ".join(each.lower().split())
            if not plain.replace(" ", "").replace("_", "").isalpha():
                yield Problem(f"{each!r} is no privilege", code="invalid_value", path=f"privileges[{at}]")
            elif (
                kind in _ALL
                and plain not in _ALL[kind]
                and plain not in ("all", "delete history", "show create routine")
            ):
                yield Problem(
                    f"{each} is no privilege on a {kind}", code="invalid_value", path=f"privileges[{at}]",
                    hint=f"Known: {', '.join(sorted(_ALL[kind]))}.",
                )  # fmt: skip
        for column in self.columns:
            for each in column.privileges:
                if each.lower() not in _COLUMN:
                    yield Problem(f"{each} is no privilege on a column", code="invalid_value", path="columns")

    @property
    def grantee(self) -> Account:
        """Who has the privileges."""
        return parse_account(self.account)

    def held(self) -> frozenset[str]:
        """Return the privileges on the whole object, each spelled out."""
        given = {" ".join(each.lower().split()) for each in self.privileges}
        if "all" in given:
            given = (given - {"all"}) | _ALL.get(self.on.lower(), frozenset({"all"}))
        return frozenset(given)

    def held_on_columns(self) -> dict[str, frozenset[str]]:
        """Return the columns by privilege."""
        found: dict[str, set[str]] = {}
        for each in self.columns:
            for privilege in each.privileges:
                found.setdefault(privilege.lower(), set()).update(each.names)
        return {privilege: frozenset(names) for privilege, names in found.items()}


class GrantHandler(MySQLHandler[Grant]):
    """Grants; every one can change in place."""

    type = "grant"
    description = "The privileges of one account on one object"
    MODEL = Grant
    KEYWORD: ClassVar[str] = "GRANT"
    PLACE: ClassVar[int] = 1
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"privileges", "columns", "grant_option"})

    def ref(self, model: Grant) -> Ref:
        """Return object and grantee."""
        kind = model.on.lower()
        where = kind if kind in ("server", "schema") else f"{kind} {fold(model.object)}"
        place = self.dialect.normal_schema(model.schema) if model.schema and kind != "server" else ""
        return Ref(self.type, str(model.grantee), place, where)

    def normal(self, model: Grant) -> Grant:
        """Return the normal form: privileges in order, columns by what may be done with them."""
        columns = tuple(
            ColumnPrivileges(names=tuple(sorted(map(fold, names))), privileges=(privilege,))
            for privilege, names in sorted(model.held_on_columns().items())
        )
        found = super().normal(model)
        return replaced(
            found,
            {
                "account": str(model.grantee),
                "privileges": tuple(sorted(model.held())),
                "columns": columns,
                "name": "",
            },
        )

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of privileges on everything."""
        return {
            "on_server": "SELECT grantee, privilege_type, is_grantable FROM information_schema.user_privileges",
            "on_schemas": "SELECT grantee, table_schema, privilege_type, is_grantable "
            "FROM information_schema.schema_privileges WHERE {in_databases:table_schema}",
            "on_tables": "SELECT grantee, table_schema, table_name, privilege_type, is_grantable "
            "FROM information_schema.table_privileges WHERE {in_databases:table_schema}",
            "on_columns": "SELECT grantee, table_schema, table_name, column_name, privilege_type, is_grantable "
            "FROM information_schema.column_privileges WHERE {in_databases:table_schema}",
            "on_routines": "SELECT user, host, db, routine_name, routine_type, proc_priv FROM mysql.procs_priv "
            "WHERE {in_databases:db}",
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield who has something."""
        found: dict[tuple[str, str, str, str], tuple[set[str], set[tuple[str, str]], set[str]]] = {}

        def note(
            grantee: str, kind: str, schema: str, name: str, privilege: str, column: str, option: str
        ) -> None:
            key = (grantee, kind, schema, name)
            held, columns, options = found.setdefault(key, (set(), set(), set()))
            if option == "YES":
                options.add("grant")
            if privilege.upper() not in ("USAGE", "GRANT"):
                (columns.add((column, privilege.lower())) if column else held.add(privilege.lower()))

        for grantee, privilege, option in reading.rows["on_server"]:
            note(_grantee(grantee), "server", "", "", privilege, "", option)
        for grantee, schema, privilege, option in reading.rows["on_schemas"]:
            note(_grantee(grantee), "schema", schema, "", privilege, "", option)
        for grantee, schema, name, privilege, option in reading.rows["on_tables"]:
            note(_grantee(grantee), "table", schema, name, privilege, "", option)
        for grantee, schema, name, column, privilege, option in reading.rows["on_columns"]:
            note(_grantee(grantee), "table", schema, name, privilege, column, option)
        for user, host, schema, name, kind, privileges in reading.rows["on_routines"]:
            grantee = str(Account(user, host or ANY_HOST))
            for privilege in privileges.split(","):
                option = "YES" if privilege == "Grant" else "NO"
                note(grantee, kind.lower(), schema, name, privilege, "", option)
        for (grantee, kind, schema, name), (held, columns, options) in sorted(found.items()):
            if (not held and not columns) or parse_account(grantee).name in SYSTEM_ACCOUNTS:
                continue
            row = (grantee, kind, schema, name, tuple(sorted(held)), tuple(sorted(columns)), bool(options))
            entry = Entry(Ref(self.type, ""), row, aside=kind == "server" or reading.is_aside(schema))
            yield entry._replace(ref=self.ref(self.build(entry, reading)))

    def build(self, entry: Entry, reading: Reading) -> Grant:
        """Return the grant."""
        grantee, kind, schema, name, held, columns, option = entry.row
        groups: dict[tuple[str, ...], list[str]] = {}
        by_column: dict[str, list[str]] = {}
        for column, privilege in columns:
            by_column.setdefault(column, []).append(privilege)
        for column, privileges in by_column.items():
            groups.setdefault(tuple(privileges), []).append(column)
        return Grant(
            account=parse_account(grantee).short,
            on=kind,
            object=name,
            schema=reading.schema(schema) if schema else "",
            privileges=held,
            columns=tuple(
                ColumnPrivileges(names=tuple(names), privileges=key) for key, names in groups.items()
            ),
            grant_option=option,
        )

    def uses(self, model: Grant) -> frozenset[Ref]:
        """Return the object and who has the privileges."""
        place = self.dialect.normal_schema(model.schema) if model.schema else ""
        found = set(super().uses(model))
        found |= {Ref(kind, str(model.grantee)) for kind in ("user", "role")}
        match model.on.lower():
            case "table":
                found |= {Ref(kind, fold(model.object), place) for kind in ("table", "view", "sequence")}
            case "function" | "procedure" as kind:
                found.add(Ref(kind, fold(model.object), place))
        return frozenset(found)

    def follow(self, model: Grant, operation: Operation) -> Grant:
        """Return the grant as it is after its account is renamed; on a renamed table nobody has anything."""
        if not isinstance(operation, Rename) or operation.subject.type not in ("user", "role"):
            return model
        mine = operation.subject.name == str(model.grantee)
        return dataclasses.replace(model, account=operation.target.name) if mine else model

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield GRANT and REVOKE."""
        match operation:
            case Create(model=model):
                yield from self._changes(None, model, server)
            case Drop(model=model):
                yield from self._changes(model, None, server)
            case AlterObject(before=before, after=after):
                yield from self._changes(before, after, server)
            case _:
                raise AssertionError(operation)

    def pieces(self, operation: Operation) -> Iterator[Operation]:
        """Yield what is taken away first, then what is given."""
        match operation:
            case Drop(model=model) if model.grant_option:
                bare = replaced(model, {"grant_option": False})
                yield self._change(operation.subject, model, bare)
                yield dataclasses.replace(operation, model=bare)
            case AlterObject(before=before, after=after):
                bare = replaced(before, {"grant_option": before.grant_option and after.grant_option})
                mine, theirs = before.held_on_columns(), after.held_on_columns()
                left = {each: mine[each] & theirs.get(each, frozenset()) for each in mine}
                columns = tuple(
                    ColumnPrivileges(names=tuple(sorted(names)), privileges=(privilege,))
                    for privilege, names in sorted(left.items())
                    if names
                )
                kept = tuple(sorted(before.held() & after.held()))
                fewer = replaced(bare, {"privileges": kept, "columns": columns})
                for one, other in ((before, bare), (bare, fewer), (fewer, after)):
                    yield self._change(operation.subject, one, other)
            case _:
                yield operation

    def _change(self, subject: Ref, before: Grant, after: Grant) -> AlterObject:
        fields = tuple(
            each
            for each in sorted(self.IN_PLACE)
            if getattr(self.normal(before), each) != getattr(self.normal(after), each)
        )
        return AlterObject(subject=subject, before=before, after=after, fields=fields)

    def _changes(self, before: Grant | None, after: Grant | None, server: Server) -> Iterator[str]:
        model = after or before
        assert model is not None
        where, who = self._target(model, server), _who(model.grantee, server)
        old = before.held() if before is not None else frozenset()
        new = after.held() if after is not None else frozenset()
        old_columns = before.held_on_columns() if before is not None else {}
        new_columns = after.held_on_columns() if after is not None else {}
        option_before = before is not None and before.grant_option
        option_after = after is not None and after.grant_option
        gone = [*_words(old - new), *_column_words(old_columns, new_columns)]
        if option_before and not option_after:
            yield f"REVOKE GRANT OPTION ON {where} FROM {who}"
        if gone:
            yield f"REVOKE {', '.join(gone)} ON {where} FROM {who}"
        come = [*_words(new - old), *_column_words(new_columns, old_columns)]
        option = " WITH GRANT OPTION" if option_after else ""
        if come:
            yield f"GRANT {', '.join(come)} ON {where} TO {who}{option}"
        elif option_after and not option_before:
            yield f"GRANT USAGE ON {where} TO {who}{option}"

    def _target(self, model: Grant, server: Server) -> str:
        database = model.schema or server.database
        match model.on.lower():
            case "server":
                return "*.*"
            case "schema":
                # In a grant on a database an underscore stands for any character.
                return f"{quote(database.replace('_', chr(92) + '_').replace('%', chr(92) + '%'))}.*"
            case "table":
                return qualified(database, model.object)
            case kind:
                return f"{kind.upper()} {qualified(database, model.object)}"

    def definition_sql(self, model: Grant, server: Server) -> Iterator[str]:
        """Yield nothing: see `statements`."""
        yield from ()


def _grantee(text: str) -> str:
    return str(parse_account(text))


def _who(account: Account, server: Server) -> str:
    """Return who as GRANT names it: a role of MariaDB has no host, and nothing else tells it from a user."""
    if server.is_mariadb and account.host == ANY_HOST:
        return literal(account.name)
    return account_sql(str(account))


def _words(privileges: frozenset[str]) -> list[str]:
    return [each.upper() for each in sorted(privileges)]


def _column_words(mine: Mapping[str, frozenset[str]], others: Mapping[str, frozenset[str]]) -> list[str]:
    found = []
    for privilege, names in sorted(mine.items()):
        rest = sorted(names - others.get(privilege, frozenset()))
        if rest:
            found.append(f"{privilege.upper()} ({', '.join(map(quote, rest))})")
    return found
