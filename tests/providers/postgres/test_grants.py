from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from kolumn.contract.errors import PermissionError, ValidationError
from tests.client import Client, wanted
from tests.providers.postgres.databases import (
    Database,
    apply,
    database,
    drop_roles,
    imported,
    roles,
    statements,
)
from tests.servers import postgres

OBJECTS = (
    "CREATE SCHEMA shop",
    "CREATE TABLE films (id bigint PRIMARY KEY, title text, price numeric)",
    "CREATE TABLE shop.orders (n serial, at date)",
    "CREATE VIEW cheap AS SELECT * FROM films WHERE price < 5",
    "CREATE MATERIALIZED VIEW titles AS SELECT title FROM films",
    "CREATE SEQUENCE numbers",
    "CREATE TYPE mood AS ENUM ('happy', 'sad')",
    "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
    "CREATE FUNCTION twice(a integer, b mood[]) RETURNS integer LANGUAGE sql AS 'SELECT 2'",
    "CREATE FUNCTION shop.nothing() RETURNS void LANGUAGE sql AS 'SELECT 1'",
    "CREATE PROCEDURE clean(a text) LANGUAGE sql AS 'SELECT 1'",
    "CREATE AGGREGATE total(integer) (sfunc = int4pl, stype = integer)",
)


def shop(role: str, other: str) -> list[str]:
    """Return every kind of privilege on every kind of object."""
    return [
        f"GRANT ALL ON films TO {role}",
        f"GRANT SELECT, REFERENCES, TRIGGER, TRUNCATE ON films TO {other} WITH GRANT OPTION",
        f"GRANT INSERT (id, title), UPDATE (title) ON films TO {other}",
        "GRANT SELECT (price) ON films TO PUBLIC",
        "REVOKE DELETE ON shop.orders FROM postgres",
        f"GRANT UPDATE ON shop.orders TO {role}",
        f"GRANT USAGE, SELECT ON shop.orders_n_seq TO {role}",
        f"GRANT SELECT ON cheap, titles TO {role}",
        f"GRANT SELECT (title) ON cheap TO {other} WITH GRANT OPTION",
        f"GRANT USAGE ON SEQUENCE numbers TO {role}",
        f"GRANT USAGE ON TYPE mood TO {role}",
        "REVOKE USAGE ON TYPE mood FROM PUBLIC",
        f"GRANT USAGE ON DOMAIN positive TO {role} WITH GRANT OPTION",
        f"GRANT EXECUTE ON FUNCTION twice(integer, mood[]) TO {role}",
        "REVOKE EXECUTE ON FUNCTION twice(integer, mood[]) FROM PUBLIC",
        "REVOKE ALL ON FUNCTION shop.nothing() FROM PUBLIC, postgres",
        "REVOKE EXECUTE ON PROCEDURE clean(text) FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION total(integer) TO {role}",
        f"GRANT CREATE, USAGE ON SCHEMA shop TO {role}",
        "GRANT USAGE ON SCHEMA shop TO PUBLIC",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT CREATE ON SCHEMA public TO {other}",
        "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
        f"GRANT USAGE ON LANGUAGE plpgsql TO {role}",
        "CREATE FOREIGN DATA WRAPPER wrapper",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper",
        f"GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {role}",
        f"GRANT SELECT ON pg_authid TO {role}",
        "REVOKE SELECT ON pg_database FROM PUBLIC",
    ]


@contextmanager
def two(server: postgres.Server, *statements: str) -> Iterator[tuple[Database, Database]]:
    with database(server, *statements) as one, database(server, *statements) as other:
        yield one, other


def grant(role: str, name: str = "films", **config: object) -> object:
    return wanted("grant", f"{name}_{role}", {"role": role, "object": name, **config})


def granted(client: Client) -> list[Any]:
    return [each for each in imported(client) if each["resource_type"] == "grant"]


def held(made: Database, role: str, table: str = "films") -> set[str]:
    return {
        name
        for (name,) in made.rows(
            "SELECT privilege_type || CASE WHEN is_grantable = 'YES' THEN '*' ELSE '' END "
            f"FROM information_schema.table_privileges WHERE grantee = '{role}' AND table_name = '{table}'"
        )
    }


def test_every_privilege_on_every_kind_of_object_comes_back_from_an_import(server: postgres.Server) -> None:
    with roles(server, "app", "other") as (app, other), two(server, *OBJECTS) as (full, bare):
        full.run(*shop(app, other))
        bare.run(
            "CREATE FOREIGN DATA WRAPPER wrapper", "CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper"
        )
        with full.kolumn() as client:
            grants = granted(client)
        with bare.kolumn() as client:
            apply(client, *grants)
        assert bare.dump() == full.dump()
        with bare.kolumn() as client:  # and away again
            apply(client, *({**each, "action": "delete", "config": {}} for each in grants))
        with database(server, *OBJECTS) as untouched:
            untouched.run(
                "CREATE FOREIGN DATA WRAPPER wrapper", "CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper"
            )
            assert bare.dump() == untouched.dump()


def test_privileges_on_foreign_servers_and_wrappers(server: postgres.Server) -> None:
    objects = ("CREATE FOREIGN DATA WRAPPER wrapper", "CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper")
    with roles(server, "app") as (app,), two(server, *objects) as (full, bare):
        full.run(f"GRANT USAGE ON FOREIGN SERVER elsewhere TO {app} WITH GRANT OPTION")
        full.run(f"GRANT USAGE ON FOREIGN DATA WRAPPER wrapper TO {app}")
        with full.kolumn() as client:
            assert granted(client) == []  # nor are the objects themselves in an import
            grants = [each for each in imported(client, "grant") if each["config"].get("object") != "public"]
        assert {each["config"]["on"] for each in grants} == {"foreign_server", "foreign_data_wrapper"}
        with bare.kolumn() as client:
            apply(client, *grants)
        assert bare.dump() == full.dump()


def test_what_belongs_to_the_server_counts_only_where_it_is_named(server: postgres.Server) -> None:
    with roles(server, "app") as (app,), database(server) as made:
        name = made.url.rpartition("/")[2]
        made.run(f"GRANT CREATE ON DATABASE {name} TO {app}")
        with made.kolumn() as client:
            assert imported(client) == []
            assert not client.plan(prune=True, detail=True).get("steps")
            wants = [grant(app, "", on="database", privileges=["connect", "temp"])]
            wants.append(wanted("grant", "all", {"role": "public", "on": "database", "privileges": []}))
            if server.version >= 15:
                wants.append(grant(app, "work_mem", on="parameter", privileges=["set"]))
            apply(client, *wants)
            items = set(made.one(f"SELECT datacl::text[] FROM pg_database WHERE datname = '{name}'"))
            assert items == {"postgres=CTc/postgres", f"{app}=Tc/postgres"}
            apply(client, *({**each, "action": "delete", "config": {}} for each in wants))  # type: ignore[dict-item]
            items = set(made.one(f"SELECT datacl::text[] FROM pg_database WHERE datname = '{name}'"))
            assert items == {"postgres=CTc/postgres", "=Tc/postgres"}


HOLDINGS = [
    "SELECT",
    "SELECT, UPDATE, DELETE",
    "ALL",
    "SELECT (id)",
    "SELECT (id, title)",
    "INSERT, SELECT (id)",
    "SELECT, SELECT (id), UPDATE (id)",
    "ALL (title)",
    "REFERENCES (title), INSERT (price)",
]


def test_any_holding_becomes_any_other(server: postgres.Server) -> None:
    holdings = [(held, option) for held in HOLDINGS for option in ("", " WITH GRANT OPTION")]
    cases = list(itertools.permutations(holdings, 2))
    columns = "(id bigint, title text, price numeric)"
    tables = [f"CREATE TABLE t{at} {columns}" for at in range(len(cases))]
    with roles(server, "app") as (app,), two(server, *tables) as (one, other):
        for made, which in ((one, 0), (other, 1)):
            made.run(
                *(
                    f"GRANT {case[which][0]} ON t{at} TO {app}{case[which][1]}"
                    for at, case in enumerate(cases)
                )
            )
        with other.kolumn() as client:
            grants = granted(client)
        with one.kolumn() as client:
            apply(client, *grants, prune=False)
        assert one.dump() == other.dump()


def test_the_owner_can_lack_what_it_has_by_default(server: postgres.Server) -> None:
    with roles(server, "owner") as (owner,), database(server, *OBJECTS) as made:
        made.run(f"ALTER TABLE films OWNER TO {owner}")
        with made.kolumn() as client:
            wants = grant(owner, privileges=["select"])
            apply(client, wants)
            assert held(made, owner) == {"SELECT*"}  # the grant option is implied to owners
            apply(client, {**wants, "config": {**wants["config"], "privileges": []}})  # type: ignore[index]
            assert held(made, owner) == set()
            apply(client, {**wants, "action": "delete", "config": {}})  # type: ignore[dict-item]
            assert "DELETE*" in held(made, owner)


def test_saying_what_holds_by_default_is_no_change_for_long(server: postgres.Server) -> None:
    with database(server, *OBJECTS) as made, made.kolumn() as client:
        before = made.dump()
        wants = wanted(
            "grant",
            "everybody",
            {
                "role": "public",
                "on": "function",
                "object": "nothing",
                "schema": "shop",
                "privileges": ["execute"],
            },
        )
        apply(client, wants)
        assert made.dump() == before
        apply(client, {**wants, "config": {**wants["config"], "privileges": []}})
        assert "REVOKE ALL ON FUNCTION shop.nothing() FROM PUBLIC" in made.dump()


def test_privileges_granted_on_by_others_keep_their_grantor(server: postgres.Server) -> None:
    with (
        roles(server, "lead", "member", "guest") as (lead, member, guest),
        two(server, *OBJECTS) as (full, bare),
    ):
        full.run(
            f"GRANT SELECT ON films TO {lead} WITH GRANT OPTION",
            f"SET ROLE {lead}; GRANT SELECT ON films TO {member} WITH GRANT OPTION",
            f"SET ROLE {member}; GRANT SELECT ON films TO {guest}",
        )
        with full.kolumn() as client:
            grants = granted(client)
        assert [each["config"].get("granted_by", "") for each in grants].count("") == 1
        with bare.kolumn() as client:
            apply(client, *grants)
            assert bare.dump() == full.dump()
            assert bare.one("SELECT current_user") == "postgres"
            apply(client, *({**each, "action": "delete", "config": {}} for each in grants))
            assert held(bare, lead) == held(bare, member) == held(bare, guest) == set()


@pytest.mark.parametrize(
    "name", ["public_", 'quo"te', "semi;colon", "Ünï cødé", "select", "a.b", "-- x", "PUBLIC", "user"]
)
def test_odd_names_of_roles_and_objects(server: postgres.Server, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    role = f"{name}-{server.version}"
    with ExitStack() as stack:
        stack.callback(drop_roles, server, role)
        one, other = stack.enter_context(two(server, f"CREATE TABLE {quoted} ({quoted} integer)"))
        as_sql = '"' + role.replace('"', '""') + '"'
        one.run(
            f"CREATE ROLE {as_sql}",
            f"GRANT SELECT ({quoted}), INSERT ON {quoted} TO {as_sql} WITH GRANT OPTION",
            f"SET ROLE {as_sql}; GRANT INSERT ON {quoted} TO PUBLIC",
        )
        stack.callback(one.run, f"DROP OWNED BY {as_sql}")
        stack.callback(other.run, f"DROP OWNED BY {as_sql}")
        with one.kolumn() as client:
            grants = granted(client)
        assert {each["config"]["role"] for each in grants} == {role, "public"}
        with other.kolumn() as client:
            apply(client, *grants)
        assert other.dump() == one.dump()


def test_grants_come_back_with_a_view_that_is_made_anew(server: postgres.Server) -> None:
    with roles(server, "app", "reports") as (app, reports), database(server, *OBJECTS) as made:
        made.run(
            f"GRANT SELECT ON cheap TO {app} WITH GRANT OPTION",
            f"GRANT UPDATE (title) ON cheap TO {app}",
            f"SET ROLE {app}; GRANT SELECT ON cheap TO {reports}",
            "COMMENT ON VIEW cheap IS 'what students see'",
            # Whoever could read new views must not be able to read this one afterwards.
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
            f"ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO {reports}",
        )
        before = made.dump()
        with made.kolumn() as client:
            (view,) = (each for each in imported(client, "view") if each["name"] == "cheap")
            query = "SELECT title, id FROM films WHERE price < 5"
            apply(client, {**view, "config": {**view["config"], "definition": query}})
        assert "SELECT title" in made.dump().split("CREATE VIEW")[1].replace("films.", "").replace(
            "\n   ", ""
        )
        assert _access(made.dump()) == _access(before)


def _access(dump: str) -> list[str]:
    return [
        line for line in dump.splitlines() if line.startswith(("GRANT", "REVOKE", "ALTER DEFAULT", "COMMENT"))
    ]


def test_grants_go_and_come_with_columns(server: postgres.Server) -> None:
    with roles(server, "app") as (app,), database(server, *OBJECTS[:2]) as made, made.kolumn() as client:
        made.run(f"GRANT SELECT (title, price) ON films TO {app}")
        table, *_ = imported(client, "table")
        columns = [each for each in table["config"]["columns"] if each["name"] != "price"]
        columns.append({"name": "cost", "type": "numeric"})
        config = {**table["config"], "columns": columns}
        wants = grant(app, columns=[{"names": ["title", "cost"], "privileges": ["select"]}])
        apply(client, {**table, "config": config}, wants)
        assert made.rows(
            "SELECT column_name::text FROM information_schema.column_privileges "
            f"WHERE grantee = '{app}' ORDER BY 1"
        ) == [("cost",), ("title",)]


def test_a_grantee_who_owns_the_table_from_now_on(server: postgres.Server) -> None:
    with roles(server, "app") as (app,), database(server, *OBJECTS[:2]) as made, made.kolumn() as client:
        made.run(f"GRANT SELECT ON films TO {app}")
        table, grants = imported(client, "table"), granted(client)
        apply(client, *table, *grants)
        (config,) = (each["config"] for each in table)
        owned = {**table[0], "config": {**config, "owner": app}}
        apply(client, owned, *({**each, "action": "delete", "config": {}} for each in grants))
        assert "DELETE*" in held(made, app)
        assert held(made, "postgres") == set()
        apply(client, table[0], grant(app, privileges=["select"]))
        assert held(made, app) == {"SELECT"}


def test_all_is_what_the_server_knows(server: postgres.Server) -> None:
    with roles(server, "app") as (app,), database(server, *OBJECTS) as made, made.kolumn() as client:
        made.run(f"GRANT ALL ON films TO {app}")
        (found,) = granted(client)
        assert found["config"]["privileges"] == ["all"]
        every = ["select", "insert", "update", "delete", "truncate", "references", "trigger"]
        listed = grant(app, privileges=every)
        if server.version >= 17:
            assert statements(client.plan(listed, detail=True)) == [
                f"REVOKE MAINTAIN ON TABLE public.films FROM {app}"
            ]
            every.append("maintain")
            assert not client.plan(grant(app, privileges=every), detail=True).get("steps")
        else:
            assert not client.plan(listed, detail=True).get("steps")
            error = client.refused("Plan", {"resources": [grant(app, privileges=[*every, "maintain"])]})
            assert isinstance(error, ValidationError)
            assert error.code == "unsupported_by_server"


def test_every_fault_of_a_grant_is_said_at_once(server: postgres.Server, database: str) -> None:
    faults = {
        "unknown": ({"privileges": ["read"]}, "invalid_privilege"),
        "of another kind": ({"on": "function", "privileges": ["select"]}, "invalid_privilege"),
        "option alone": ({"privileges": [], "grant_option": ["select"]}, "conflicting_attributes"),
        "everybody": (
            {"role": "public", "privileges": ["all"], "grant_option": ["all"]},
            "conflicting_attributes",
        ),
        "columns": (
            {"on": "sequence", "columns": [{"names": ["a"], "privileges": ["select"]}]},
            "conflicting_attributes",
        ),
        "column": ({"columns": [{"names": ["a"], "privileges": ["delete"]}]}, "invalid_privilege"),
        "kind": ({"on": "planet", "privileges": []}, "invalid_enum"),
        "schema": ({"on": "language", "schema": "x", "privileges": []}, "conflicting_attributes"),
        "object": ({"object": "", "privileges": []}, "missing_attribute"),
        "too long": ({"object": "x" * 64, "privileges": []}, "invalid_identifier"),
    }
    requests = [
        wanted("grant", name, {"role": "app", "object": "films", **config})
        for name, (config, _) in faults.items()
    ]
    with Database(server, database).kolumn() as client:
        problems = client.refused("Plan", {"resources": requests}).problems
    assert {each.resource.partition(".")[2]: each.code for each in problems} == {
        name: code for name, (_, code) in faults.items()
    }


def test_two_resources_cannot_be_the_same_grant(server: postgres.Server) -> None:
    with roles(server, "app") as (app,), database(server, *OBJECTS) as made, made.kolumn() as client:
        one, other = grant(app, privileges=["select"]), grant(app, privileges=["insert"], on="view")
        error = client.refused("Plan", {"resources": [one, {**other, "name": "other"}]})  # type: ignore[dict-item]
        assert error.problems[0].code == "duplicate_object"


def test_who_may_not_grant_is_told_so_and_nothing_is_done(server: postgres.Server) -> None:
    with (
        roles(server, "app", "reader", "stranger") as (app, reader, stranger),
        database(server, *OBJECTS) as made,
    ):
        made.run(
            f"ALTER ROLE {reader} LOGIN",
            f"ALTER ROLE {stranger} LOGIN",
            f"GRANT SELECT ON films TO {reader} WITH GRANT OPTION",
            f"GRANT INSERT ON films TO {reader}",
        )
        for user, words in ((stranger, "permission denied for table films"), (reader, "not all privileges")):
            with made.kolumn(user) as client:
                wants = grant(app, privileges=["select", "insert"])
                assert client.plan(wants, detail=True)["steps"]
                answer = client.call("Apply", {"resources": [wants]})
                assert answer["success"] is False
                assert words in answer["error"]
                assert '"films"' in answer["error"] or "films" in answer["error"]
                error = client.refused("CreateResource", {"resource_type": "grant", **wants})  # type: ignore[dict-item]
                assert isinstance(error, PermissionError)
                assert held(made, app) == set()
        with made.kolumn(reader) as client:
            error = client.refused(
                "UpdateResource",
                {
                    "resource_type": "grant",
                    "name": "x",
                    "config": {"role": reader, "object": "films", "privileges": []},
                },
            )
            assert isinstance(error, PermissionError)


def test_granting_on_as_somebody_who_may(server: postgres.Server) -> None:
    with roles(server, "app", "reader") as (app, reader), database(server, *OBJECTS) as made:
        made.run(f"ALTER ROLE {reader} LOGIN", f"GRANT SELECT ON films TO {reader} WITH GRANT OPTION")
        with made.kolumn(reader) as client:
            apply(client, grant(app, privileges=["select"], granted_by=reader))
        assert held(made, app) == {"SELECT"}


def test_owners_change_hands_between_roles_one_is_a_member_of(server: postgres.Server) -> None:
    with roles(server, "app", "team", "rivals") as (app, team, rivals), database(server) as made:
        made.run(
            f"ALTER ROLE {app} LOGIN",
            f"GRANT {team} TO {app}",
            f"GRANT CREATE ON SCHEMA public TO {app}, {team}, {rivals}",
            f"SET ROLE {app}; CREATE TYPE mood AS ENUM ('happy')",
        )
        enum = {"name": "mood", "values": ["happy"]}
        with made.kolumn(app) as client:
            apply(client, wanted("enum", "mood", {**enum, "owner": team}))
            assert made.one("SELECT pg_get_userbyid(typowner) FROM pg_type WHERE typname = 'mood'") == team
            error = client.refused(
                "UpdateResource",
                {"resource_type": "enum", "name": "mood", "config": {**enum, "owner": rivals}},
            )
            assert isinstance(error, PermissionError)
            assert rivals in error.message
