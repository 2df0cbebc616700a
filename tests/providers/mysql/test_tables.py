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
            "mysql",
            "table",
            {"name": "t", "columns": [{"name": "a", "type": "text", "compressed": True}]},
            "unsupported_by_server",
        ),
        (
            "mysql",
            "table",
            {
                "name": "t",
                "columns": [{"name": "a", "type": "date"}, {"name": "b", "type": "date"}],
                "application_period": {"name": "p", "start": "a", "end": "b"},
            },
            "unsupported_by_server",
        ),
        (
            "mariadb",
            "table",
            {
                "name": "t",
                "columns": [{"name": "a", "type": "date"}],
                "application_period": {"name": "p", "start": "a", "end": "b"},
            },
            "unknown_column",
        ),
        (
            "mariadb",
            "table",
            {
                "name": "t",
                "columns": [{"name": "a", "type": "int"}],
                "uniques": [{"columns": ["a"], "without_overlaps": True}],
            },
            "missing_attribute",
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
    lacks = code in ("refused_resource_type", "unsupported_by_server")
    assert lacks == ("MySQL" in error.message or "MariaDB" in error.message)


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


def test_a_numbered_column_may_be_keyed_by_an_index(client, ask):
    columns = [
        {"name": "id", "type": "int", "not_null": True, "auto_increment": True},
        {"name": "u", "type": "char(36)", "not_null": True},
    ]
    index = wanted("index", "by_id", {"name": "by_id", "table": "t", "columns": ["id"]})
    table = wanted("table", "t", {"name": "t", "columns": columns, "primary_key": ["u"]})
    client.apply(table, index)
    assert [row[2] for row in ask("SHOW INDEX FROM t")] == ["PRIMARY", "by_id"]
    keyed = wanted("table", "t", {"name": "t", "columns": columns, "primary_key": ["id"]})
    client.apply(keyed, {**index, "action": "delete"})
    assert [row[2] for row in ask("SHOW INDEX FROM t")] == ["PRIMARY"]
    client.apply(table, index)
    forget(client)
    assert client.plan(table, index)["execution_order"] == []


def test_foreign_keys_make_way_for_other_types(client, ask, execute):
    def tables(kind):
        parent = {"name": "p", "columns": [{"name": "id", "type": kind, "primary_key": True}]}
        child = {
            "name": "c",
            "columns": [{"name": "p", "type": kind}],
            "foreign_keys": [
                {"name": "to_p", "columns": ["p"], "references": "p(id)", "on_delete": "cascade"}
            ],
        }
        return wanted("table", "p", parent), wanted("table", "c", child)

    client.apply(*tables("int"))
    execute("INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1), (2)")
    client.apply(*tables("bigint"))
    assert ask(
        "SELECT delete_rule FROM information_schema.referential_constraints WHERE constraint_name = 'to_p'"
    )
    execute("DELETE FROM p WHERE id = 2")
    assert ask("SELECT p FROM c") == [(1,)]
    forget(client)
    assert client.plan(*tables("bigint"))["execution_order"] == []


@pytest.mark.parametrize("stored", [False, True])
def test_a_column_can_begin_and_end_to_be_computed(client, ask, execute, stored):
    base = {"name": "a", "type": "int"}
    plain = {"name": "t", "columns": [base, {"name": "b", "type": "int"}]}
    computed = {
        "name": "t",
        "columns": [base, {"name": "b", "type": "int", "generated": "a + 1", "stored": stored}],
    }
    index = wanted("index", "by_b", {"name": "by_b", "table": "t", "columns": ["b"]})
    client.apply(wanted("table", "t", plain), index)
    plan = client.plan(wanted("table", "t", computed), index, detail=True)
    assert "data_loss" in {risk["kind"] for step in plan["steps"] for risk in step["risks"]}
    client.apply(wanted("table", "t", computed), index)
    execute("INSERT INTO t (a) VALUES (1)")
    client.apply(wanted("table", "t", plain), index)
    assert ask("SELECT a, b FROM t") == [(1, 2)]
    assert [row[2] for row in ask("SHOW INDEX FROM t")] == ["by_b"]


def test_texts_stay_as_long_as_they_are_in_another_character_set(client, ask):
    columns = [{"name": "a", "type": "text"}, {"name": "b", "type": "varchar(20)"}]
    client.apply(wanted("table", "t", {"name": "t", "columns": columns, "character_set": "latin1"}))
    client.apply(wanted("table", "t", {"name": "t", "columns": columns, "collation": "utf8mb4_bin"}))
    assert [row[1] for row in ask("SHOW COLUMNS FROM t")] == ["text", "varchar(20)"]


def test_another_spelling_of_a_column_is_a_rename(client, ask):
    client.apply(wanted("table", "t", {"name": "t", "columns": [{"name": "Name", "type": "int"}]}))
    client.apply(wanted("table", "t", {"name": "t", "columns": [{"name": "name", "type": "int"}]}))
    assert [row[0] for row in ask("SHOW COLUMNS FROM t")] == ["name"]


@pytest.mark.parametrize("product", ["mysql"], indirect=True)
def test_the_parser_of_a_fulltext_index_is_seen(client, ask):
    table = wanted("table", "t", {"name": "t", "columns": [{"name": "a", "type": "text"}]})
    words = {"name": "words", "table": "t", "columns": ["a"], "kind": "fulltext"}
    client.apply(table, wanted("index", "words", words))
    client.apply(table, wanted("index", "words", {**words, "parser": "ngram"}))
    assert "WITH PARSER `ngram`" in ask("SHOW CREATE TABLE t")[0][1]
    forget(client)
    plan = client.plan(table, wanted("index", "words", {**words, "parser": "ngram"}))
    assert plan["execution_order"] == []


DRAWN = {
    "name": "t",
    "columns": [
        {"name": "id", "type": "int", "primary_key": True},
        {
            "name": "changed",
            "type": "timestamp",
            "default": "CURRENT_TIMESTAMP",
            "on_update_value": "CURRENT_TIMESTAMP",
        },
        {"name": "token", "type": "varchar(40)", "not_null": True, "default": "(uuid())"},
    ],
}


def test_a_default_that_is_drawn_is_drawn_for_every_row(client, execute, ask):
    """MySQL adds no column with one: it comes in three statements there."""
    client.apply(wanted("table", "t", {**DRAWN, "columns": DRAWN["columns"][:2]}))
    execute("INSERT INTO t VALUES (1, '2001-01-01'), (2, '2002-02-02')")
    client.apply(wanted("table", "t", DRAWN))
    assert client.plan(wanted("table", "t", DRAWN))["execution_order"] == []
    assert ask("SELECT count(DISTINCT token), min(length(token)), max(year(changed)) FROM t") == [
        (2, 36, 2002)
    ]


@pytest.mark.parametrize("product", ["mysql"], indirect=True)
def test_a_default_that_is_drawn_is_not_filled_in_past_triggers(client, execute, ask):
    client.apply(wanted("table", "t", {**DRAWN, "columns": DRAWN["columns"][:2]}))
    execute("CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW SET NEW.changed = NULL")
    failed = client.call("Apply", {"resources": [wanted("table", "t", DRAWN)]})
    assert failed["success"] is False
    assert "triggers are in the way" in str(failed)
    assert [name for (name, *_) in ask("DESCRIBE t")] == ["id", "changed"]


@pytest.mark.parametrize("product", ["mysql"], indirect=True)
def test_a_column_that_cannot_be_filled_does_not_stay(client, execute, ask):
    client.apply(wanted("table", "t", {**DRAWN, "columns": DRAWN["columns"][:2]}))
    execute("INSERT INTO t VALUES (1, '2001-01-01')")
    short = {**DRAWN["columns"][2], "type": "varchar(10)"}
    columns = [{"name": "n", "type": "int"}, *DRAWN["columns"][:2], short]
    failed = client.call("Apply", {"resources": [wanted("table", "t", {**DRAWN, "columns": columns})]})
    assert failed["success"] is False
    assert [name for (name, *_) in ask("DESCRIBE t")] == ["id", "changed"]
