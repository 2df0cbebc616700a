from __future__ import annotations

from typing import Any

import pytest

from tests.client import wanted
from tests.providers.postgres.databases import Database, apply, database, imported, roles, statements
from tests.servers import postgres


def defaults(owner: str, on: str, role: str, *privileges: str, **config: Any) -> Any:
    config = {"owner": owner, "on": on, "role": role, "privileges": list(privileges), **config}
    return wanted("default_privileges", f"{on}_{role}", config)


def access(made: Database, name: str) -> set[str]:
    found = made.one(f"SELECT relacl::text[] FROM pg_class WHERE relname = '{name}'")
    return set() if found is None else set(found)


def test_all_of_them_come_back_from_an_import(server: postgres.Server) -> None:
    with (
        roles(server, "owner", "app") as (owner, app),
        database(server, "CREATE SCHEMA shop") as full,
        database(server, "CREATE SCHEMA shop") as bare,
    ):
        before = bare.dump()
        says = [
            "GRANT SELECT ON TABLES TO {app}",
            "IN SCHEMA shop GRANT ALL ON TABLES TO {app} WITH GRANT OPTION",
            "IN SCHEMA public GRANT INSERT, UPDATE ON TABLES TO PUBLIC",
            "REVOKE DELETE ON TABLES FROM {owner}",
            "REVOKE ALL ON FUNCTIONS FROM PUBLIC",
            "IN SCHEMA shop GRANT EXECUTE ON FUNCTIONS TO {app}",
            "REVOKE USAGE ON TYPES FROM PUBLIC, {owner}",
            "GRANT USAGE ON TYPES TO {app} WITH GRANT OPTION",
            "GRANT USAGE ON SEQUENCES TO {app}",
            "GRANT CREATE, USAGE ON SCHEMAS TO {app}",
        ]
        if server.version >= 18:
            says.append("GRANT SELECT ON LARGE OBJECTS TO {app}")
        full.run(
            *(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} " + each.format(app=app, owner=owner)
                for each in says
            )
        )
        with full.kolumn() as client:
            found = imported(client, "default_privileges")
            assert [each for each in imported(client) if each["resource_type"] != "schema"] == found
        with bare.kolumn() as client:
            apply(client, *found)
            assert bare.dump() == full.dump()
            apply(client, *({**each, "action": "delete", "config": {}} for each in found))
            assert bare.dump() == before


def test_they_change_in_place(server: postgres.Server) -> None:
    with roles(server, "owner", "app") as (owner, app), database(server) as made, made.kolumn() as client:
        apply(client, defaults(owner, "tables", app, "select", "insert", grant_option=["select"]))
        answer = apply(client, defaults(owner, "tables", app, "select", "update"))
        prefix = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner}"
        assert statements(answer) == [
            f"{prefix} REVOKE INSERT ON TABLES FROM {app}",
            f"{prefix} REVOKE GRANT OPTION FOR SELECT ON TABLES FROM {app}",
            f"{prefix} GRANT UPDATE ON TABLES TO {app}",
        ]
        (found,) = imported(client, "default_privileges")
        assert found["config"]["privileges"] == ["select", "update"]


@pytest.fixture(params=[False, True], ids=["", "prune"])
def prune(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


OBJECTS = [
    wanted(
        "table",
        "films",
        {"columns": {"id": {"type": "serial"}, "n": {"type": "integer", "identity": "always"}}},
    ),
    wanted("view", "seen", {"definition": "SELECT id FROM films"}),
    wanted("sequence", "numbers", {}),
    wanted("enum", "mood", {"values": ["happy"]}),
    wanted("schema", "shop", {}),
    wanted(
        "function",
        "twice",
        {
            "arguments": [{"name": "a", "type": "integer"}],
            "returns": "integer",
            "language": "sql",
            "body": "SELECT 2",
        },
    ),
]


def test_what_is_created_has_just_what_is_said(server: postgres.Server, prune: bool) -> None:
    """Default privileges that are in force already give more, less or something else than what is asked."""
    with roles(server, "app", "other") as (app, other), database(server) as made:
        for on in ("TABLES", "SEQUENCES", "TYPES", "SCHEMAS", "FUNCTIONS"):
            made.run(
                f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {on} TO {app} WITH GRANT OPTION",
                f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {on} TO {other}",
            )
        made.run("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        with made.kolumn() as client:
            kept = imported(client, "default_privileges")
            wants = [
                *OBJECTS,
                *kept,
                wanted("grant", "t", {"role": app, "object": "films", "privileges": ["select"]}),
                wanted(
                    "grant",
                    "q",
                    {"role": app, "on": "sequence", "object": "films_id_seq", "privileges": ["usage"]},
                ),
                wanted(
                    "grant", "n", {"role": app, "on": "sequence", "object": "numbers", "privileges": ["all"]}
                ),
                wanted("grant", "y", {"role": app, "on": "type", "object": "mood", "privileges": []}),
                wanted(
                    "grant",
                    "f",
                    {
                        "role": "public",
                        "on": "function",
                        "object": "twice",
                        "arguments": ["integer"],
                        "privileges": ["execute"],
                    },
                ),
            ]
            apply(client, *wants, prune=prune)
        own = "postgres=rwU/postgres"
        left = set() if prune else {f"{other}=rwU/postgres"}
        assert access(made, "films_id_seq") == {own, f"{app}=U/postgres"} | left
        assert access(made, "numbers") == {own, f"{app}=rwU/postgres"} | left
        more = set() if prune else {f"{app}=r*w*U*/postgres"}
        assert access(made, "films_n_seq") in ({own} | left | more, left | more)
        assert f"{app}=r/postgres" in access(made, "films")
        assert any(each.startswith(other) for each in access(made, "films")) is not prune
        assert any(each.startswith(app) for each in access(made, "seen")) is not prune
        types = set(made.one("SELECT typacl::text[] FROM pg_type WHERE typname = 'mood'"))
        assert not any(each.startswith(app) for each in types)
        calls = set(made.one("SELECT proacl::text[] FROM pg_proc WHERE proname = 'twice'"))
        assert "=X/postgres" in calls
        assert any(each.startswith(app) for each in calls) is not prune


def test_objects_of_one_plan_do_not_get_what_it_grants_by_default(server: postgres.Server) -> None:
    with roles(server, "app") as (app,), database(server) as made, made.kolumn() as client:
        apply(client, *OBJECTS, defaults("postgres", "tables", app, "select"), prune=True)
        assert access(made, "films") == set()
        made.run("CREATE TABLE later (id integer)")
        assert f"{app}=r/postgres" in access(made, "later")


def test_they_go_with_their_schema(server: postgres.Server) -> None:
    with roles(server, "app") as (app,), database(server) as made, made.kolumn() as client:
        schema = wanted("schema", "shop", {})
        inside = defaults("postgres", "tables", app, "select", in_schema="shop")
        apply(client, schema, inside)
        gone = [{**each, "action": "delete", "config": {}} for each in (schema, inside)]
        apply(client, *gone)
        assert made.rows("SELECT FROM pg_default_acl") == []


def test_owner_of_what_is_created_is_somebody_else(server: postgres.Server) -> None:
    with roles(server, "app", "owner") as (app, owner), database(server) as made, made.kolumn() as client:
        made.run(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {app}, {owner}")
        table = wanted("table", "films", {"columns": {"id": "integer"}, "owner": owner})
        kept = imported(client, "default_privileges")
        apply(client, table, *kept, prune=True)
        assert {each.partition("=")[0] for each in access(made, "films")} <= {owner}


def test_what_cannot_be_is_refused(server: postgres.Server) -> None:
    with database(server) as made, made.kolumn() as client:
        faults = {
            "kind": (defaults("a", "planets", "b"), "invalid_enum"),
            "privilege": (defaults("a", "functions", "b", "select"), "invalid_privilege"),
            "schema": (defaults("a", "schemas", "b", "usage", in_schema="x"), "conflicting_attributes"),
        }
        for request, code in faults.values():
            assert client.refused("Plan", {"resources": [request]}).problems[0].code == code
        if server.version < 18:
            wants = defaults("postgres", "large_objects", "public", "select")
            assert client.refused("Plan", {"resources": [wants]}).problems[0].code == "unsupported_by_server"
