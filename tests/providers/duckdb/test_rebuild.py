"""Changes that ALTER TABLE of DuckDB cannot make: rows, and all that stands on the table, come through."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client import Client, wanted
from tests.targets import Settings
from tests.targets.duckdb import DUCKDB, opened

FAMILY = """
CREATE TABLE country (code VARCHAR PRIMARY KEY, name VARCHAR, area INTEGER);
CREATE TABLE city (id INTEGER PRIMARY KEY, country VARCHAR REFERENCES country (code), name VARCHAR);
CREATE TABLE street (id INTEGER PRIMARY KEY, city INTEGER REFERENCES city (id), name VARCHAR);
CREATE INDEX country_name ON country (name);
CREATE INDEX city_name ON city (name);
CREATE TABLE log (words VARCHAR);
CREATE TRIGGER noted AFTER INSERT ON city FOR EACH STATEMENT INSERT INTO log SELECT 'new';
COMMENT ON TABLE city IS 'Towns as well';
COMMENT ON COLUMN city.name IS 'In its own language';
CREATE VIEW names AS SELECT country.name AS country, city.name AS city FROM city JOIN country ON code = country;
INSERT INTO country VALUES ('ie', 'Ireland', 84421), ('cz', 'Czechia', 78871);
INSERT INTO city VALUES (1, 'ie', 'Dublin'), (2, 'cz', 'Praha'), (3, NULL, 'Atlantis');
INSERT INTO street VALUES (1, 1, 'Eccles Street'), (2, 2, 'Celetná');
DELETE FROM log;
"""


def config_of(client: Client, name: str) -> dict[str, Any]:
    (found,) = client.done("DiscoverResources", {"resource_type": "table", "filters": {"name": name}})[
        "resources"
    ]
    return dict(found["config"])


def without_table(lines: list[str], name: str) -> list[str]:
    return [line for line in lines if f"'{name}'" not in line and f".{name}:" not in line]


COUNTRY = [
    {"name": "code", "type": "VARCHAR", "primary_key": True},
    {"name": "name", "type": "VARCHAR"},
    {"name": "area", "type": "INTEGER"},
]
CHANGES = {
    "a check": [*COUNTRY[:2], {**COUNTRY[2], "check": "area > 0"}],
    "a type": [*COUNTRY[:2], {**COUNTRY[2], "type": "BIGINT"}],
    "not null": [COUNTRY[0], {**COUNTRY[1], "not_null": True}, COUNTRY[2]],
    "a unique constraint": [COUNTRY[0], {**COUNTRY[1], "unique": True}, COUNTRY[2]],
    "no area": COUNTRY[:2],
    "a generated column": [*COUNTRY, {"name": "big", "type": "BOOLEAN", "generated": "area > 80000"}],
    "another name": [*COUNTRY[:2], {**COUNTRY[2], "name": "size", "renamed_from": "area"}],
    "another key name": [{**COUNTRY[0], "name": "iso", "renamed_from": "code"}, *COUNTRY[1:]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_stands_on_a_changed_table_stays(settings: Settings, client: Client, change: str) -> None:
    DUCKDB.execute(settings, FAMILY)
    before = without_table(DUCKDB.dump(settings), "country")
    resource = wanted("table", "country", {"name": "country", "columns": CHANGES[change]}, "update")
    if change == "another key name":
        DUCKDB.execute(settings, "DROP VIEW names")
        before = [line for line in before if "'names'" not in line]
    client.apply(resource)
    after = without_table(DUCKDB.dump(settings), "country")
    if change == "another key name":
        before = [line.replace("['code']", "['iso']") for line in before]
    assert [line for line in after if "'country'" not in line] == before
    assert client.plan(resource)["execution_order"] == []
    with opened(settings) as database:
        assert database.execute("SELECT count(*) FROM country").fetchone() == (2,)
        assert ("country_name",) in database.execute("SELECT index_name FROM duckdb_indexes()").fetchall()
        assert database.execute("FROM log").fetchall() == [], "no trigger hears of it"
        with pytest.raises(Exception, match="foreign key"):
            database.execute("INSERT INTO city VALUES (9, 'xx', 'Nowhere')")


def test_a_renamed_table_is_still_referred_to(settings: Settings, client: Client) -> None:
    DUCKDB.execute(settings, FAMILY + "DROP VIEW names;")
    renamed = {**config_of(client, "city"), "name": "town", "renamed_from": "city"}
    client.apply(wanted("table", "town", renamed, "update"))
    assert {each["name"]: each.get("references") for each in config_of(client, "street")["columns"]}[
        "city"
    ] == "town(id)"
    with opened(settings) as database:
        assert database.execute("SELECT count(*) FROM town").fetchone() == (3,)
        assert database.execute("SELECT count(*) FROM street").fetchone() == (2,)
        assert database.execute("SELECT count(*) FROM log").fetchone() == (0,)
        database.execute("INSERT INTO town VALUES (9, NULL, 'Ur')")
        assert database.execute("SELECT words FROM log").fetchall() == [("new",)], "its trigger came along"


def test_a_table_that_refers_to_itself_comes_back_row_by_row(settings: Settings, client: Client) -> None:
    DUCKDB.execute(
        settings,
        "CREATE TABLE part (id INTEGER PRIMARY KEY, whole INTEGER REFERENCES part (id), weight INTEGER);"
        "INSERT INTO part VALUES (1, NULL, 9); INSERT INTO part VALUES (2, 1, 5); INSERT INTO part VALUES (3, 2, 1);"
        "INSERT INTO part VALUES (4, 2, 2), (5, NULL, 3);",
    )
    config = config_of(client, "part")
    columns = [
        {**each, "check": "weight > 0"} if each["name"] == "weight" else each for each in config["columns"]
    ]
    client.apply(wanted("table", "part", {**config, "columns": columns}, "update"))
    with opened(settings) as database:
        rows = database.execute("FROM part ORDER BY id").fetchall()
    assert rows == [(1, None, 9), (2, 1, 5), (3, 2, 1), (4, 2, 2), (5, None, 3)]


def test_a_table_that_refers_to_itself_twice(settings: Settings, client: Client) -> None:
    """Keys are added to rows that are there in no order, then the table is made anew."""
    DUCKDB.execute(
        settings,
        "CREATE TABLE person (id INTEGER PRIMARY KEY, mother INTEGER, father INTEGER, name VARCHAR);"
        "INSERT INTO person VALUES (1, 2, 3, 'a'), (2, 4, NULL, 'b'), (3, NULL, 5, 'c'), (4, NULL, 5, 'd'), (5, NULL, NULL, 'e');",
    )
    with opened(settings) as database:
        before = database.execute("FROM person ORDER BY id").fetchall()
    config = config_of(client, "person")
    keys = [{"columns": [each], "references": "person(id)"} for each in ("mother", "father")]
    client.apply(wanted("table", "person", {**config, "foreign_keys": keys}, "update"))
    config = config_of(client, "person")
    client.apply(wanted("table", "person", {**config, "checks": ["name <> ''"]}, "update"))
    with opened(settings) as database:
        assert database.execute("FROM person ORDER BY id").fetchall() == before
        facts = database.execute(
            "SELECT DISTINCT constraint_type, constraint_column_names FROM duckdb_constraints()"
            "WHERE table_name = 'person' ORDER BY ALL"
        ).fetchall()
    found = [names for kind, names in facts if kind == "FOREIGN KEY"]
    assert found == [["father"], ["mother"]]
    assert ("CHECK", ["name"]) in facts


def test_rows_that_refer_to_each_other_in_a_circle_are_refused(settings: Settings, client: Client) -> None:
    DUCKDB.execute(
        settings,
        "CREATE TABLE knot (id INTEGER PRIMARY KEY, next INTEGER); INSERT INTO knot VALUES (1, 2), (2, 1);",
    )
    before = DUCKDB.dump(settings)
    config = config_of(client, "knot")
    key = [{"columns": ["next"], "references": "knot(id)"}]
    answer = client.call(
        "Apply", {"resources": [wanted("table", "knot", {**config, "foreign_keys": key}, "update")]}
    )
    assert "rows of table knot refer to themselves, in a circle" in answer["error"]
    assert DUCKDB.dump(settings) == before


def test_the_plan_says_which_rows_are_copied(settings: Settings, client: Client) -> None:
    DUCKDB.execute(settings, FAMILY)
    resource = wanted("table", "country", {"name": "country", "columns": CHANGES["a check"]}, "update")
    (step,) = client.plan(resource, detail=True)["steps"]
    (risk,) = [each for each in step["risks"] if each["kind"] == "table_rewrite"]
    for name in ("country", "city", "street"):
        assert f"main.{name}" in risk["message"]


def test_a_key_that_others_refer_to_stays(settings: Settings, client: Client) -> None:
    DUCKDB.execute(settings, FAMILY)
    columns = [{"name": "code", "type": "VARCHAR"}, *COUNTRY[1:]]
    error = client.refused(
        "Plan", {"resources": [wanted("table", "country", {"name": "country", "columns": columns})]}
    )
    assert error.code == "key_in_use"
    assert "table city refers to country(code)" in error.message
    city = {**config_of(client, "city")}
    city["columns"] = [
        {name: each for name, each in column.items() if name != "references"} for column in city["columns"]
    ]
    client.apply(
        wanted("table", "country", {"name": "country", "columns": columns}), wanted("table", "city", city)
    )
    with opened(settings) as database:
        assert database.execute("SELECT count(*) FROM city").fetchone() == (3,)


def test_nothing_is_left_when_it_fails(settings: Settings, client: Client) -> None:
    DUCKDB.execute(settings, FAMILY)
    before = DUCKDB.dump(settings)
    columns = [*COUNTRY[:2], {**COUNTRY[2], "check": "CAST(name AS INTEGER) > 0"}]
    answer = client.call(
        "Apply", {"resources": [wanted("table", "country", {"name": "country", "columns": columns})]}
    )
    assert answer["success"] is False
    assert DUCKDB.dump(settings) == before
    with opened(settings) as database:
        assert (
            database.execute(
                "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'kolumn%'"
            ).fetchall()
            == []
        )


def test_a_view_that_would_break_is_named(settings: Settings, client: Client) -> None:
    DUCKDB.execute(settings, FAMILY)
    before = DUCKDB.dump(settings)
    columns = [COUNTRY[0], COUNTRY[2]]
    resource = wanted("table", "country", {"name": "country", "columns": columns}, "update")
    error = client.refused("Apply", {"resources": [resource]})
    assert error.code == "column_in_use"
    DUCKDB.execute(settings, "DROP INDEX country_name")
    before = [line for line in before if "country_name" not in line]
    answer = client.call("Apply", {"resources": [resource]})
    assert "view names would not work any more" in answer["error"]
    assert DUCKDB.dump(settings) == before


def test_a_changed_sequence_goes_on(settings: Settings, client: Client) -> None:
    DUCKDB.execute(
        settings,
        "CREATE SEQUENCE numbers; CREATE TABLE item (id INTEGER DEFAULT nextval('numbers'), name VARCHAR);"
        "INSERT INTO item (name) VALUES ('a'), ('b'), ('c');",
    )
    client.apply(wanted("sequence", "numbers", {"name": "numbers", "max_value": 1000}, "update"))
    DUCKDB.execute(settings, "INSERT INTO item (name) VALUES ('d');")
    with opened(settings) as database:
        assert database.execute("SELECT id FROM item ORDER BY 1").fetchall() == [(1,), (2,), (3,), (4,)]


def test_a_sequence_with_another_name_goes_on(settings: Settings, client: Client) -> None:
    columns = [{"name": "id", "type": "INTEGER", "default": "nextval('s.numbers')"}]
    client.apply(
        wanted("schema", "s", {"name": "s"}),
        wanted("sequence", "numbers", {"name": "numbers", "schema": "s", "increment": 2}),
        wanted("table", "item", {"name": "item", "schema": "s", "columns": columns}),
    )
    DUCKDB.execute(
        settings,
        "CREATE TABLE other (id INTEGER DEFAULT nextval('s.numbers')); INSERT INTO other VALUES (DEFAULT), (DEFAULT);",
    )
    columns = [{"name": "id", "type": "INTEGER", "default": "nextval('s.\"Ticket No\"')"}]
    changed = [
        wanted("schema", "s", {"name": "s"}),
        wanted(
            "sequence",
            "Ticket No",
            {"name": "Ticket No", "schema": "s", "increment": 3, "renamed_from": "numbers"},
        ),
        wanted("table", "item", {"name": "item", "schema": "s", "columns": columns}),
    ]
    client.apply(*changed)
    DUCKDB.execute(settings, "INSERT INTO other VALUES (DEFAULT); INSERT INTO s.item VALUES (DEFAULT);")
    with opened(settings) as database:
        assert database.execute("SELECT id FROM other ORDER BY 1").fetchall() == [(1,), (3,), (6,)]
        assert database.execute("SELECT id FROM s.item").fetchall() == [(9,)]
    assert client.plan(*changed)["execution_order"] == []


@pytest.mark.parametrize(
    ("config", "used", "following"),
    [
        ({"increment": 5}, 7, 12),
        ({"max_value": 3_000_000_000}, 2_000_000_000, 2_000_000_001),
        ({"max_value": 5}, 7, None),
        ({"max_value": 5, "cycle": True}, 7, 1),
        ({"min_value": 10}, 7, 10),
        ({"increment": -1, "min_value": -9, "max_value": 9}, 7, 6),
    ],
)
def test_a_changed_sequence_gives_no_number_again(
    settings: Settings, client: Client, config: dict[str, Any], used: int, following: int | None
) -> None:
    DUCKDB.execute(settings, f"CREATE SEQUENCE numbers; SELECT setval('numbers', {used});")
    client.apply(wanted("sequence", "numbers", {"name": "numbers", **config}, "update"))
    with opened(settings) as database:
        if following is None:
            with pytest.raises(Exception, match="maximum"):
                database.execute("SELECT nextval('numbers')")
        else:
            assert database.execute("SELECT nextval('numbers')").fetchone() == (following,)


def test_a_type_changes_the_columns_declared_with_its_name(settings: Settings, client: Client) -> None:
    def resources(*values: str) -> list[Any]:
        table = {"name": "person", "columns": [{"name": "mood", "type": "STRUCT(now mood, before mood[])"}]}
        return [
            wanted("type", "mood", {"name": "mood", "values": list(values)}),
            wanted("table", "person", table),
        ]

    client.apply(*resources("sad", "happy"))
    assert client.plan(*resources("sad", "happy"))["execution_order"] == []
    DUCKDB.execute(settings, "INSERT INTO person VALUES ({'now': 'sad', 'before': ['happy', 'sad']})")
    assert set(client.plan(*resources("sad", "so-so", "happy"))["execution_order"]) == {
        "type mood",
        "table person",
    }
    client.apply(*resources("sad", "so-so", "happy"))
    with opened(settings) as database:
        assert database.execute("SELECT mood FROM person").fetchall() == [
            ({"now": "sad", "before": ["happy", "sad"]},)
        ]
