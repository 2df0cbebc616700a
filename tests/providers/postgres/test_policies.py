from __future__ import annotations

from typing import Any

import pytest

from kolumn.contract.errors import ValidationError
from tests.client import wanted
from tests.providers.postgres.databases import Database, apply, database, imported, roles, statements
from tests.servers import postgres

TABLE = (
    "CREATE SCHEMA shop",
    'CREATE TABLE shop."Films" (id integer, title text, owner text)',
    "CREATE FUNCTION mine(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 = current_user'",
    "CREATE TABLE friends (name text)",
)


def policy(name: str, **config: Any) -> Any:
    return wanted("policy", name, {"name": name, "table": "Films", "schema": "shop", **config})


def listed(made: Database) -> list[tuple[Any, ...]]:
    return made.rows(
        "SELECT policyname::text, permissive, roles::text[], cmd, qual, with_check "
        "FROM pg_policies ORDER BY 1"
    )


def test_policies_come_back_from_an_import(server: postgres.Server) -> None:
    with (
        roles(server, "app", "other") as (app, other),
        database(server, *TABLE) as full,
        database(server, *TABLE) as bare,
    ):
        on = 'ON shop."Films"'
        full.run(
            f"CREATE POLICY a {on}",
            f"CREATE POLICY b {on} AS RESTRICTIVE FOR SELECT TO {app}, {other} USING (id > 0)",
            f"CREATE POLICY c {on} FOR INSERT TO CURRENT_USER WITH CHECK (mine(owner))",
            f"CREATE POLICY d {on} FOR UPDATE "
            "USING (EXISTS (SELECT FROM friends f WHERE f.name = owner)) WITH CHECK (true)",
            f"CREATE POLICY e {on} FOR DELETE USING (title ~ 'x''y\\z')",
            f'CREATE POLICY "F f""f" {on} USING (owner = CURRENT_USER)',
            f"COMMENT ON POLICY a {on} IS 'says nothing'",
        )
        with full.kolumn() as client:
            found = imported(client, "policy")
        with bare.kolumn() as client:
            apply(client, *found)
            assert bare.dump() == full.dump()
            apply(client, *({**each, "action": "delete", "config": {}} for each in found))
        assert listed(bare) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"roles": ["ROLE"]}, ['ALTER POLICY p ON shop."Films" TO ROLE']),
        ({"using": "id > 2"}, ['ALTER POLICY p ON shop."Films" USING (id > 2)']),
        (
            {"roles": ["public", "ROLE"], "using": "false", "with_check": "true"},
            ['ALTER POLICY p ON shop."Films" USING (false) WITH CHECK (true)'],
        ),
        ({"comment": "it's"}, ["COMMENT ON POLICY p ON shop.\"Films\" IS 'it''s'"]),
        ({"command": "update"}, None),
        ({"permissive": False}, None),
        ({"using": ""}, None),
    ],
)
def test_policies_change_in_place_where_they_can(
    server: postgres.Server, change: dict[str, Any], expected: list[str] | None
) -> None:
    with roles(server, "app") as (app,), database(server, *TABLE) as made, made.kolumn() as client:
        if "roles" in change:
            change = {**change, "roles": [each.replace("ROLE", app) for each in change["roles"]]}
        before = policy("p", using="id > 1")
        apply(client, before)
        was = listed(made)
        answer = apply(client, policy("p", **{"using": "id > 1", **change}))
        if expected is None:
            assert [text.partition(" ")[0] for text in statements(answer)] == ["DROP", "CREATE"]
        else:
            assert statements(answer) == [each.replace("ROLE", app) for each in expected]
        apply(client, before)
        assert listed(made) == was


def test_other_spellings_of_a_condition_are_no_change(server: postgres.Server) -> None:
    with database(server, *TABLE) as made, made.kolumn() as client:
        apply(client, policy("p", using="id>1 and title is not null", command="ALL", roles=["public"]))
        other = policy(
            "p", using="((id > 1) AND (title IS NOT NULL)) -- so it is", roles=["public", "public"]
        )
        assert not client.plan(other, detail=True).get("steps")


def test_policies_are_renamed(server: postgres.Server) -> None:
    with database(server, *TABLE) as made, made.kolumn() as client:
        apply(client, policy("p", using="id > 1"))
        answer = apply(client, policy("q", using="id > 2", renamed_from="p"))
        assert statements(answer) == [
            'ALTER POLICY p ON shop."Films" RENAME TO q',
            'ALTER POLICY q ON shop."Films" USING (id > 2)',
        ]


def test_policies_stay_with_a_table_that_is_renamed(server: postgres.Server) -> None:
    with database(server, *TABLE) as made, made.kolumn() as client:
        apply(client, policy("p", using="id > 1"))
        (table,) = (each for each in imported(client, "table") if each["config"]["name"] == "Films")
        config = {**table["config"], "name": "movies", "renamed_from": "Films"}
        moved = policy("p", table="movies", using="id > 3")
        answer = apply(client, {**table, "config": config}, moved)
        assert statements(answer) == [
            'ALTER TABLE shop."Films" RENAME TO movies',
            "ALTER POLICY p ON shop.movies USING (id > 3)",
        ]


def test_policies_come_after_what_their_conditions_use(server: postgres.Server) -> None:
    with database(server) as made, made.kolumn() as client:
        wants = [
            policy("a", schema="", using="allowed(id) AND id IN (SELECT id FROM zebras)"),
            wanted(
                "function",
                "allowed",
                {
                    "arguments": [{"name": "a", "type": "integer"}],
                    "returns": "boolean",
                    "language": "sql",
                    "body": "SELECT true",
                },
            ),
            wanted("table", "Films", {"columns": {"id": "integer"}}),
            wanted("table", "zebras", {"columns": {"id": "integer"}}),
        ]
        apply(client, *wants)
        apply(client, *({**each, "action": "delete", "config": {}} for each in wants))


def test_nothing_breaks_out_of_a_condition(server: postgres.Server) -> None:
    with database(server, *TABLE) as made, made.kolumn() as client:
        for text in (
            "true); DROP TABLE friends; --",
            "true) WITH CHECK (true",
            "1 = 1 -- x\n) ; SELECT (1",
            "'",
        ):
            error = client.refused("Plan", {"resources": [policy("p", using=text)]})
            assert isinstance(error, ValidationError)
            assert error.problems[0].path == "using"
        apply(client, policy("p", using="title <> '); DROP TABLE friends; --' -- said"))
        assert made.rows("SELECT FROM friends") == []


def test_what_cannot_be_is_refused(server: postgres.Server) -> None:
    with database(server) as made, made.kolumn() as client:
        for config, path in (
            ({"command": "insert", "using": "true"}, "using"),
            ({"command": "select", "with_check": "true"}, "with_check"),
            ({"command": "truncate"}, "command"),
            ({"roles": []}, "roles"),
        ):
            error = client.refused("Plan", {"resources": [policy("p", **config)]})
            assert error.problems[0].path == path
