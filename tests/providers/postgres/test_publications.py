from __future__ import annotations

from typing import Any

import pytest

from tests.client import wanted
from tests.providers.postgres.databases import apply, database, imported, roles, statements
from tests.servers import postgres

TABLES = (
    "CREATE SCHEMA shop",
    "CREATE TABLE films (id integer PRIMARY KEY, title text, price numeric)",
    'CREATE TABLE shop."Or ders" (id integer PRIMARY KEY, at date)',
    "CREATE TABLE parts (id integer) PARTITION BY RANGE (id)",
)


def publication(**config: Any) -> Any:
    return wanted("publication", "news", {"name": "news", **config})


def modern(server: postgres.Server) -> None:
    if server.version < 15:
        pytest.skip("it came with PostgreSQL 15")


def test_publications_come_back_from_an_import(server: postgres.Server) -> None:
    with (
        roles(server, "owner") as (owner,),
        database(server, *TABLES) as full,
        database(server, *TABLES) as bare,
    ):
        full.run(
            "CREATE PUBLICATION nothing",
            "CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert')",
            'CREATE PUBLICATION "so me" FOR TABLE films, shop."Or ders", parts '
            "WITH (publish_via_partition_root)",
            "COMMENT ON PUBLICATION nothing IS 'yet'",
            "CREATE PUBLICATION silent WITH (publish = '')",
        )
        if server.version >= 15:
            full.run(
                "CREATE PUBLICATION rows FOR TABLE films (title, id) WHERE (id > 3 AND title <> 'it''s')",
                "CREATE PUBLICATION place FOR TABLES IN SCHEMA shop, public",
                "CREATE PUBLICATION mixed FOR TABLES IN SCHEMA shop, TABLE films WHERE (price < 5)",
                f"ALTER PUBLICATION rows OWNER TO {owner}",
            )
        if server.version >= 18:
            full.run("CREATE PUBLICATION computed FOR TABLE films WITH (publish_generated_columns = stored)")
        with full.kolumn() as client:
            found = imported(client, "publication")
        with bare.kolumn() as client:
            apply(client, *found)
            assert bare.dump() == full.dump()
            apply(client, *({**each, "action": "delete", "config": {}} for each in found))
        assert bare.rows("SELECT FROM pg_publication") == []


def test_tables_and_schemas_come_and_go_in_place(server: postgres.Server) -> None:
    modern(server)
    with database(server, *TABLES) as made, made.kolumn() as client:
        shapes: list[dict[str, Any]] = [
            {"tables": ["films"]},
            {"tables": ["films", {"name": "Or ders", "schema": "shop"}]},
            {"tables": [{"name": "films", "columns": ["id"]}]},
            {"tables": [{"name": "films", "columns": ["title", "id"], "where": "price > 1"}]},
            {"tables": [{"name": "films", "where": "price > 1"}], "schemas": ["shop"]},
            {"schemas": ["shop", "public"]},
            {"operations": ["truncate", "insert"], "tables": ["parts"], "publish_via_partition_root": True},
            {"operations": [], "comment": "silent"},
        ]
        apply(client, publication(**shapes[-1]))
        number = "SELECT oid FROM pg_publication"
        first = made.one(number)
        for shape in (*shapes, *reversed(shapes)):
            apply(client, publication(**shape))
            with database(server, *TABLES) as other, other.kolumn() as second:
                apply(second, publication(**shape))
                assert other.dump() == made.dump()
        assert made.one(number) == first
        apply(client, publication(all_tables=True))
        assert made.one(number) != first
        apply(client, publication(tables=["films"]))


def test_order_and_spelling_are_no_change(server: postgres.Server) -> None:
    modern(server)
    with database(server, *TABLES) as made, made.kolumn() as client:
        films = {"name": "films", "columns": ["title", "id"], "where": "id>3"}
        apply(client, publication(tables=[films, "parts"], operations=["update", "insert"]))
        films = {"name": "films", "columns": ["id", "title"], "where": "(id > 3)", "schema": "public"}
        other = publication(tables=["parts", films], operations=["INSERT", "update"])
        assert not client.plan(other, detail=True).get("steps")


def test_published_tables_change_and_go(server: postgres.Server) -> None:
    modern(server)
    with database(server, *TABLES) as made, made.kolumn() as client:
        published = publication(tables=[{"name": "films", "where": "price > 1"}, "parts"])
        apply(client, published)
        tables = {each["config"]["name"]: each for each in imported(client, "table")}
        films = tables["films"]
        columns = [
            {**each, "type": "integer", "using": "1"} if each["name"] == "price" else each
            for each in films["config"]["columns"]
        ]
        apply(client, {**films, "config": {**films["config"], "columns": columns}}, published)
        gone = {**tables["parts"], "action": "delete", "config": {}}
        apply(client, gone, publication(tables=[{"name": "films", "where": "price > 1"}]))
        renamed = {**films["config"], "columns": columns, "name": "movies", "renamed_from": "films"}
        answer = apply(
            client,
            {**films, "config": renamed},
            publication(tables=[{"name": "movies", "where": "price > 1"}]),
        )
        assert not any("PUBLICATION" in text for text in statements(answer))


def test_publications_come_after_what_they_publish(server: postgres.Server) -> None:
    with database(server) as made, made.kolumn() as client:
        wants = [
            publication(tables=["zebras"]),
            wanted("table", "zebras", {"columns": {"id": "integer"}}),
        ]
        apply(client, *wants)
        apply(client, *({**each, "action": "delete", "config": {}} for each in wants))


def test_publications_are_renamed_and_change_hands(server: postgres.Server) -> None:
    with roles(server, "owner") as (owner,), database(server, *TABLES) as made, made.kolumn() as client:
        apply(client, publication())
        answer = apply(client, publication(name="old", renamed_from="news", owner=owner))
        assert statements(answer) == [
            "ALTER PUBLICATION news RENAME TO old",
            f"ALTER PUBLICATION old OWNER TO {owner}",
        ]


def test_what_cannot_be_is_refused(server: postgres.Server) -> None:
    with database(server, *TABLES) as made, made.kolumn() as client:
        for config, path in (
            ({"all_tables": True, "tables": ["films"]}, "tables"),
            ({"tables": ["films", {"name": "films", "schema": "public"}]}, "tables"),
            ({"operations": ["merge"]}, "operations"),
            ({"tables": [{"name": "films", "where": "true); DROP TABLE films; --"}]}, "tables[0].where"),
            ({"tables": [{"name": "films", "columns": ["id"]}], "schemas": ["shop"]}, "tables.films.columns"),
        ):
            error = client.refused("Plan", {"resources": [publication(**config)]})
            assert error.problems[0].path == path
        if server.version < 18:
            later = publication(publish_generated_columns="stored")
            assert client.refused("Plan", {"resources": [later]}).problems[0].code == "unsupported_by_server"
