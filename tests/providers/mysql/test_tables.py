"""Tables as the servers have them: what is asked for is what is there, and spelling is no change."""

import pytest

from tests.client import wanted

COLUMNS = [
    {"name": "id", "type": "bigint unsigned", "auto_increment": True, "primary_key": True},
    {"name": "code", "type": "int(5) unsigned zerofill"},
    {
        "name": "name",
        "type": "varchar(50)",
        "collation": "utf8mb4_bin",
        "not_null": True,
        "default": "'it''s'",
    },
    {"name": "price", "type": "numeric(8,2)", "default": "'1.5'"},
    {"name": "twice", "type": "decimal(10,2)", "generated": "price*2", "stored": True},
    {"name": "label", "type": "varchar(80)", "generated": "concat(name,'!')"},
    {"name": "made", "type": "timestamp", "default": "now()"},
    {
        "name": "changed",
        "type": "datetime(3)",
        "default": "now(3)",
        "on_update_value": "CURRENT_TIMESTAMP(3)",
    },
    {"name": "kind", "type": "enum('a','b''c')", "default": "'a'", "comment": "One of two"},
    {"name": "flags", "type": "set('x','y')"},
    {"name": "hidden", "type": "int", "invisible": True, "default": "3"},
    {"name": "data", "type": "json"},
    {"name": "bits", "type": "bit(3)", "default": "b'101'"},
    {"name": "place", "type": "point", "not_null": True},
    {"name": "ok", "type": "boolean", "default": "true"},
]
THINGS = {
    "name": "things",
    "columns": COLUMNS,
    "checks": [{"name": "dear", "expression": "price>0 AND code<>3"}],
    "comment": "What's there",
    "row_format": "dynamic",
    "options": {"stats_persistent": 0},
}


def forget(client):
    """Have the next plan compare everything, as if nothing was known of it."""
    state = client.done("GetState")["state"]
    client.done("SetState", {"state": {**state, "resources": []}})


def test_spelling_is_no_change(client):
    indexes = [
        wanted(
            "index",
            "by_name",
            {"name": "by_name", "table": "things", "columns": [{"column": "name", "length": 5}]},
        ),
        wanted(
            "index", "words", {"name": "words", "table": "things", "columns": ["name"], "kind": "fulltext"}
        ),
        wanted(
            "index", "where", {"name": "where", "table": "things", "columns": ["place"], "kind": "spatial"}
        ),
        wanted(
            "index",
            "dear",
            {
                "name": "dear",
                "table": "things",
                "columns": [{"column": "price", "order": "desc"}],
                "visible": False,
            },
        ),
    ]
    resources = [wanted("table", "things", THINGS), *indexes]
    client.apply(*resources)
    forget(client)
    assert client.plan(*resources)["execution_order"] == []


def test_what_is_imported_makes_the_same_again(client, ask, execute):
    client.apply(wanted("table", "things", THINGS))
    before = ask("SHOW CREATE TABLE things")
    config = client.done("DiscoverResources", {"resource_type": "table"})["resources"][0]["config"]
    execute("DROP TABLE things")
    forget(client)
    client.apply(wanted("table", "things", config))
    assert ask("SHOW CREATE TABLE things") == before


def test_changes_of_a_table_are_one_statement(client):
    client.apply(wanted("table", "things", {"name": "things", "columns": [{"name": "a", "type": "int"}]}))
    after = {
        "name": "things",
        "columns": [
            {"name": "id", "type": "int", "auto_increment": True, "primary_key": True},
            {"name": "a", "type": "bigint", "not_null": True, "unique": True},
            {"name": "b", "type": "text"},
        ],
        "checks": [{"name": "positive", "expression": "a > 0"}],
    }
    plan = client.plan(wanted("table", "things", after), detail=True)
    (step,) = plan["steps"]
    (text,) = step["sql"]
    assert text.startswith("ALTER TABLE `things` ADD COLUMN `id` int AUTO_INCREMENT FIRST, ")
    assert "ADD PRIMARY KEY (`id`)" in text
    assert "MODIFY COLUMN `a` bigint NOT NULL" in text
    assert {"table_rewrite", "long_lock"} <= {risk["kind"] for risk in step["risks"]}
    client.apply(wanted("table", "things", after))
    forget(client)
    assert client.plan(wanted("table", "things", after))["execution_order"] == []


def test_a_column_comes_where_it_is_wanted(client, ask):
    columns = [{"name": name, "type": "int"} for name in "abc"]
    client.apply(wanted("table", "t", {"name": "t", "columns": columns}))
    more = [
        {"name": "first", "type": "int"},
        columns[0],
        {"name": "x", "type": "int"},
        {"name": "y", "type": "int"},
    ]
    client.apply(wanted("table", "t", {"name": "t", "columns": [*more, columns[2]]}))
    assert [row[0] for row in ask("SHOW COLUMNS FROM t")] == ["first", "a", "x", "y", "c"]


def test_the_index_of_a_foreign_key_comes_and_goes_with_it(client, ask):
    parent = wanted(
        "table", "p", {"name": "p", "columns": [{"name": "id", "type": "int", "primary_key": True}]}
    )
    child = {"name": "c", "columns": [{"name": "p", "type": "int"}]}
    key = {"foreign_keys": [{"name": "to_p", "columns": ["p"], "references": "p"}]}
    client.apply(parent, wanted("table", "c", {**child, **key}), prune=True)
    assert [row[2] for row in ask("SHOW INDEX FROM c")] == ["to_p"]
    assert client.plan(parent, wanted("table", "c", {**child, **key}), prune=True)["execution_order"] == []
    client.apply(parent, wanted("table", "c", child), prune=True)
    assert ask("SHOW INDEX FROM c") == []


def test_an_index_that_is_asked_for_stays_without_its_foreign_key(client, ask):
    parent = wanted(
        "table", "p", {"name": "p", "columns": [{"name": "id", "type": "int", "primary_key": True}]}
    )
    child = {"name": "c", "columns": [{"name": "p", "type": "int"}]}
    key = {"foreign_keys": [{"name": "to_p", "columns": ["p"], "references": "p(id)"}]}
    index = wanted("index", "to_p", {"name": "to_p", "table": "c", "columns": ["p"]})
    client.apply(parent, wanted("table", "c", {**child, **key}), index)
    client.apply(parent, wanted("table", "c", child), index, prune=True)
    assert [row[2] for row in ask("SHOW INDEX FROM c")] == ["to_p"]


def test_partitions(client, ask):
    table = {
        "name": "logs",
        "columns": [{"name": "id", "type": "int"}, {"name": "d", "type": "date"}],
        "partition_by": {
            "method": "range",
            "expression": "year(d)",
            "partitions": [{"name": "old", "values": "2000"}, {"name": "rest", "values": "MAXVALUE"}],
        },
    }
    client.apply(wanted("table", "logs", table))
    forget(client)
    assert client.plan(wanted("table", "logs", table))["execution_order"] == []
    table["partition_by"]["partitions"].insert(1, {"name": "newer", "values": "2020"})
    client.apply(wanted("table", "logs", table))
    assert ask("SELECT count(*) FROM information_schema.partitions WHERE table_name = 'logs'")[0] == (3,)
    del table["partition_by"]
    client.apply(wanted("table", "logs", table))
    assert ask("SELECT count(partition_name) FROM information_schema.partitions WHERE table_name = 'logs'")[
        0
    ] == (0,)


def test_character_sets_are_inherited(client, ask):
    columns = [{"name": "a", "type": "varchar(10)"}, {"name": "b", "type": "text", "collation": "latin1_bin"}]
    client.apply(wanted("table", "t", {"name": "t", "columns": columns}))
    changed = {"name": "t", "columns": columns, "collation": "utf8mb4_bin"}
    client.apply(wanted("table", "t", changed))
    found = ask(
        "SELECT collation_name FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position"
    )
    assert [name for (name,) in found] == ["utf8mb4_bin", "latin1_bin"]
    forget(client)
    assert client.plan(wanted("table", "t", changed))["execution_order"] == []


@pytest.mark.parametrize(
    ("product", "kind", "config", "code"),
    [
        ("mysql", "sequence", {"name": "s"}, "refused_resource_type"),
        (
            "mysql",
            "table",
            {"name": "t", "columns": [{"name": "a", "type": "int"}], "system_versioned": True},
            "unsupported_by_server",
        ),
        (
            "mariadb",
            "table",
            {
                "name": "t",
                "columns": [{"name": "a", "type": "int"}],
                "checks": [{"expression": "a > 0", "enforced": False}],
            },
            "unsupported_by_server",
        ),
    ],
    indirect=["product"],
)
def test_what_a_server_lacks_is_refused(client, kind, config, code):
    error = client.refused("Plan", {"resources": [wanted(kind, config["name"], config)]})
    assert error.problems[0].code == code
    assert "MySQL" in error.message or "MariaDB" in error.message


def test_a_column_whose_primary_key_goes_stays_as_it_is_wanted(client, ask):
    columns = [{"name": "id", "type": "bigint", "not_null": True}, {"name": "name", "type": "varchar(20)"}]
    keyed = {"name": "users", "columns": columns, "primary_key": ["id"]}
    client.apply(wanted("table", "users", keyed))
    without = wanted("table", "users", {"name": "users", "columns": columns})
    client.apply(without)
    nullable = (
        "SELECT is_nullable FROM information_schema.columns WHERE table_name = 'users' AND column_name = 'id'"
    )
    assert ask(nullable) == [("NO",)]
    forget(client)
    assert client.plan(without)["execution_order"] == []
    loose = wanted(
        "table", "users", {"name": "users", "columns": [{"name": "id", "type": "bigint"}, columns[1]]}
    )
    client.apply(wanted("table", "users", keyed))
    client.apply(loose)
    assert ask(nullable) == [("YES",)]
    forget(client)
    assert client.plan(loose)["execution_order"] == []
