"""What is deleted while safe_destroy is on waits in quarantine, and comes back exactly (spec 8.3, docs/quarantine.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.client import Client, wanted
from tests.targets import Settings, Target

LIBRARY = """
CREATE TABLE country (code varchar(2) PRIMARY KEY, name text NOT NULL);
CREATE TABLE author (
    id integer PRIMARY KEY, name varchar(100) NOT NULL, born integer DEFAULT 1900, country varchar(2) REFERENCES country (code),
    CONSTRAINT name_given CHECK (name <> ''), CONSTRAINT author_name UNIQUE (name)
);
CREATE TABLE book (
    id integer PRIMARY KEY, author_id integer NOT NULL, title varchar(100) NOT NULL, price numeric(6,2),
    CONSTRAINT written_by FOREIGN KEY (author_id) REFERENCES author (id)
);
CREATE TABLE visit (place text, note text, points integer);
CREATE TABLE alteration (number integer);
CREATE INDEX author_born ON author (born);
CREATE UNIQUE INDEX book_title ON book (title, author_id);
CREATE VIEW catalogue AS SELECT book.title, author.name FROM book JOIN author ON author.id = book.author_id;
CREATE VIEW titles AS SELECT title FROM catalogue;
INSERT INTO country VALUES ('ie', 'Ireland'), ('cz', 'Czechia');
INSERT INTO author VALUES (1, 'Joyce', 1882, 'ie'), (2, 'Kafka', 1883, 'cz'), (3, 'Nobody', NULL, NULL);
INSERT INTO book VALUES (1, 1, 'Ulysses', 20), (2, 2, 'Der Process', 10.5), (3, 2, 'Amerika', NULL);
INSERT INTO alteration VALUES (0);
INSERT INTO visit VALUES ('home', 'a', 1), ('home', 'a', 2), ('home', 'b', 3), (NULL, NULL, 4), (NULL, NULL, NULL);
"""


@pytest.fixture
def careful(settings: Settings, connect: Callable[[Settings], Client]) -> Client:
    return connect({**settings, "safe_destroy": True})


@pytest.fixture
def library(target: Target, settings: Settings, careful: Client) -> list[str]:
    target.execute(settings, LIBRARY + target.library)
    return look(target, settings)


def look(target: Target, settings: Settings) -> list[str]:
    """Return all there is, without the list of the quarantine, whose table stays."""
    return sorted(line for line in target.dump(settings) if "kolumn" not in line)


def entries(client: Client) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = client.done("ListQuarantine")["entries"]
    return found


def delete(client: Client, resource_type: str, name: str) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = client.done("DeleteResource", {"resource_type": resource_type, "name": name})
    return answer


def restore(client: Client, *ids: str) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = client.done("RestoreQuarantine", {"ids": list(ids)})
    return answer


def config_of(client: Client, resource_type: str, name: str) -> dict[str, Any]:
    found = client.done("DiscoverResources", {"resource_type": resource_type, "filters": {"name": name}})
    return dict(found["resources"][0]["config"])


@pytest.mark.parametrize("name", ["country", "author", "book", "visit"])
def test_a_table_comes_back_with_all_that_went_with_it(
    target: Target, settings: Settings, careful: Client, library: list[str], name: str
) -> None:
    answer = delete(careful, "table", name)
    assert name in answer["quarantine_location"]
    assert not careful.call("ReadResource", {"resource_type": "table", "name": name})["exists"]
    assert all(each["name"] != name for each in careful.done("DiscoverResources")["resources"])
    (entry,) = entries(careful)
    assert (entry["resource_type"], entry["name"]) == ("table", name)
    assert entry["rows"] == {"country": 2, "author": 3, "book": 3, "visit": 5}[name]
    assert entry["location"] == answer["quarantine_location"]
    assert not entry.get("expired")
    back = restore(careful, entry["id"])
    assert f"table {name}" in back["unmanaged"]
    assert look(target, settings) == library
    assert entries(careful) == []


@pytest.mark.parametrize("name", ["catalogue", "titles"])
def test_a_view_comes_back_with_the_views_on_it(
    target: Target, settings: Settings, careful: Client, library: list[str], name: str
) -> None:
    delete(careful, "view", name)
    assert not careful.call("ReadResource", {"resource_type": "view", "name": "titles"})["exists"]
    (entry,) = entries(careful)
    assert "rows" not in entry
    restore(careful, entry["id"])
    assert look(target, settings) == library


def test_everything_goes_and_comes_back_at_once(
    target: Target, settings: Settings, careful: Client, library: list[str]
) -> None:
    found = careful.done("DiscoverResources")["resources"]
    given = {"schema", "role", "user"}
    doomed = [
        wanted(each["type"], each["name"], each["config"], "delete")
        for each in found
        if each["type"] not in given
    ]
    plan = careful.plan(*doomed, detail=True)
    assert not any("safe_destroy" in each for each in plan.get("warnings", ()))
    assert not [
        risk for step in plan["steps"] for risk in step.get("risks", ()) if risk["kind"] == "data_loss"
    ]
    assert any("move table author to quarantine" in step["description"] for step in plan["steps"])
    applied = careful.apply(*doomed)
    assert applied["summary"]["deleted"] == len(doomed)
    assert all(each["quarantine_location"] for each in applied["results"])
    assert careful.done("DiscoverResources")["resources"] == [each for each in found if each["type"] in given]
    restore(careful, *(each["id"] for each in entries(careful)))
    assert look(target, settings) == library


def test_entries_come_back_one_by_one_in_any_order(
    target: Target, settings: Settings, careful: Client, library: list[str]
) -> None:
    for name in ("author", "book", "country"):
        delete(careful, "table", name)
    ids = {each["name"]: each["id"] for each in entries(careful)}
    notes = restore(careful, ids["author"]).get("notes", [])
    assert any("table book is not there" in note for note in notes)
    restore(careful, ids["book"])
    restore(careful, ids["country"])
    assert look(target, settings) == library


@pytest.mark.parametrize(
    ("table", "column"),
    [("author", "born"), ("author", "name"), ("book", "author_id"), ("visit", "points"), ("country", "name")],
)
def test_a_column_comes_back_with_its_values(
    target: Target, settings: Settings, careful: Client, library: list[str], table: str, column: str
) -> None:
    target.execute(settings, "DROP VIEW titles; DROP VIEW catalogue;")
    before = careful.done("DiscoverResources")["resources"]
    rows = rows_of(target, settings)
    config = config_of(careful, "table", table)
    left = without_column(config, column)
    doomed = [each for each in before if each["type"] == "index" and column in str(each["config"]["columns"])]
    asked = [
        wanted("table", table, left, "update"),
        *(wanted("index", each["name"], each["config"], "delete") for each in doomed),
    ]
    plan = careful.plan(*asked, detail=True)
    assert not any("safe_destroy" in each for each in plan.get("warnings", ()))
    careful.apply(*asked)
    assert rows_of(target, settings) != rows
    (entry,) = entries(careful)
    assert (entry["resource_type"], entry["name"]) == ("column", f"{table}.{column}")
    restore(careful, entry["id"])
    assert entries(careful) == []
    after = careful.done("DiscoverResources")["resources"]
    assert unordered(after) == unordered(before)
    assert rows_of(target, settings) == rows


def without_column(config: Mapping[str, Any], column: str) -> dict[str, Any]:
    """Return a table's configuration without a column and the constraints over it."""
    left = {**config, "columns": [each for each in config["columns"] if each["name"] != column]}
    for key in ("uniques", "checks", "foreign_keys", "primary_key"):
        if isinstance(left.get(key), list):
            left[key] = [each for each in left[key] if column not in _about(each)]
    return {key: value for key, value in left.items() if key != "statement"}


def _about(constraint: Any) -> str:
    """Return what a constraint says, without its own name."""
    if isinstance(constraint, Mapping):
        return str([value for key, value in constraint.items() if key != "name"])
    return str(constraint)


def unordered(resources: list[Mapping[str, Any]]) -> list[Any]:
    """Return resources without the order of columns, which not every database can keep."""
    found = []
    for each in resources:
        config = dict(each["config"])
        for key in ("columns", "uniques", "checks", "foreign_keys"):
            if each["type"] == "table" and isinstance(config.get(key), list):
                config[key] = sorted(config[key], key=str)
        found.append((each["type"], each["name"], {key: config[key] for key in config if key != "statement"}))
    return sorted(found, key=str)


def rows_of(target: Target, settings: Settings) -> dict[str, list[Any]]:
    """Return the rows of every table by columns in alphabetical order, read without Kolumn."""
    found = {}
    for table in ("country", "author", "book", "visit", "alteration"):
        found[table] = read(target, settings, table)
    return found


def read(target: Target, settings: Settings, table: str) -> list[Any]:
    return sorted([sorted(row.items()) for row in target.rows(settings, table)], key=str)


def test_rows_that_are_new_or_gone_are_told(
    target: Target, settings: Settings, careful: Client, library: list[str]
) -> None:
    target.execute(settings, "DROP VIEW titles; DROP VIEW catalogue;")
    config = config_of(careful, "table", "book")
    careful.apply(wanted("table", "book", without_column(config, "price"), "update"))
    target.execute(settings, "DELETE FROM book WHERE id = 2; INSERT INTO book VALUES (9, 1, 'Dubliners');")
    (entry,) = entries(careful)
    (note,) = restore(careful, entry["id"])["notes"]
    assert "1 row(s) are new" in note
    assert "1 row(s) are gone" in note
    prices = {dict(row)["id"]: dict(row)["price"] for row in read(target, settings, "book")}
    assert {key: value is None for key, value in prices.items()} == {1: False, 3: True, 9: True}


def test_a_name_that_is_taken_is_named(
    target: Target, settings: Settings, careful: Client, library: list[str]
) -> None:
    delete(careful, "table", "visit")
    (entry,) = entries(careful)
    target.execute(settings, "CREATE TABLE visit (x integer); INSERT INTO visit VALUES (7);")
    error = careful.refused("RestoreQuarantine", {"ids": [entry["id"]]})
    assert error.code == "name_taken"
    assert "table visit" in error.message
    assert [each["id"] for each in entries(careful)] == [entry["id"]]


def test_one_name_may_be_set_aside_several_times(
    target: Target, settings: Settings, careful: Client, library: list[str]
) -> None:
    before = read(target, settings, "visit")
    config = config_of(careful, "table", "visit")
    delete(careful, "table", "visit")
    first = entries(careful)[0]["id"]
    for _ in range(2):
        careful.apply(wanted("table", "visit", config))
        delete(careful, "table", "visit")
    assert len({each["id"] for each in entries(careful)}) == 3
    restore(careful, first)
    assert read(target, settings, "visit") == before


def test_nothing_is_purged_before_its_time(
    target: Target,
    settings: Settings,
    careful: Client,
    connect: Callable[[Settings], Client],
    library: list[str],
) -> None:
    delete(careful, "table", "book")
    (entry,) = entries(careful)
    error = careful.refused("PurgeQuarantine", {"ids": [entry["id"]]})
    assert error.code == "retention"
    assert entry["retained_until"] in error.message
    assert careful.done("PurgeQuarantine")["purged"] == []
    assert len(entries(careful)) == 1
    purged = careful.done("PurgeQuarantine", {"ids": [entry["id"]], "force": True})["purged"]
    assert [each["id"] for each in purged] == [entry["id"]]
    assert entries(careful) == []
    hasty = connect({**settings, "safe_destroy": True, "quarantine_retention_days": 0})
    delete(hasty, "table", "visit")
    assert [each["name"] for each in hasty.done("PurgeQuarantine")["purged"]] == ["visit"]
    assert careful.refused("RestoreQuarantine", {"ids": ["0123456789"]}).code == "not_found"
    assert careful.refused("RestoreQuarantine", {"ids": []}).code == "not_found"


def test_state_knows_what_is_in_quarantine(target: Target, settings: Settings, careful: Client) -> None:
    sample = target.samples[0]
    careful.apply(wanted(sample.type, sample.name, sample.config))
    applied = careful.apply(wanted(sample.type, sample.name, {}, "delete"), detail=True)
    (result,) = applied["results"]
    (instance,) = applied["state"]["resources"]
    assert instance["status"] == "quarantined"
    assert instance["metadata"]["quarantine_location"] == result["quarantine_location"]
    (entry,) = entries(careful)
    assert entry["resources"] == [f"{sample.type} {sample.name}"]
    back = careful.done(
        "RestoreQuarantine", {"ids": [entry["id"]], "configured": [f"{sample.type} {sample.name}"]}
    )
    assert back["managed"]
    (instance,) = careful.done("GetState")["state"]["resources"]
    assert instance["status"] == "active"
    assert careful.plan(wanted(sample.type, sample.name, sample.config))["execution_order"] == []


def test_what_nobody_may_read_is_put_right_by_the_next_plan(target: Target, careful: Client) -> None:
    """A password or a token cannot be set aside: what comes back without it is not taken for what was asked for."""
    secret = {
        (kind.name, name)
        for kind in careful.provider.schema().resource_types
        for name, attribute in kind.config_schema.attributes.items()
        if attribute.sensitive
    }
    samples = [each for each in target.samples if any((each.type, name) in secret for name in each.config)]
    for sample in samples:
        resources = [wanted(each.type, each.name, each.config) for each in (*sample.needs, sample)]
        careful.apply(*resources)
        careful.apply(wanted(sample.type, sample.name, {}, "delete"))
        (entry,) = entries(careful)
        careful.done(
            "RestoreQuarantine", {"ids": [entry["id"]], "configured": [f"{sample.type} {sample.name}"]}
        )
        assert careful.plan(*resources)["execution_order"] == [f"{sample.type} {sample.name}"]
        careful.apply(*resources)
        assert careful.plan(*resources)["execution_order"] == []


def test_what_configuration_still_needs_is_not_taken_along(
    target: Target, settings: Settings, careful: Client, library: list[str]
) -> None:
    view = wanted("view", "catalogue", config_of(careful, "view", "catalogue"), "update")
    error = careful.refused("Apply", {"resources": [wanted("table", "author", {}, "delete"), view]})
    assert error.code == "still_needed"
    assert "view catalogue needs table author" in str(error.problems)
    assert look(target, settings) == library


def test_without_safe_destroy_nothing_is_kept(
    target: Target, settings: Settings, client: Client, library: list[str]
) -> None:
    answer = client.done("DeleteResource", {"resource_type": "table", "name": "visit"})
    assert "quarantine_location" not in answer
    assert client.done("ListQuarantine")["entries"] == []


def test_values_that_a_smaller_type_does_not_hold_come_back(
    target: Target, settings: Settings, careful: Client, library: list[str]
) -> None:
    column, joined = target.shorter, target.joined.format("'0'", "id")
    target.execute(settings, f"DROP VIEW titles; DROP VIEW catalogue; UPDATE book SET title = {joined};")
    before = read(target, settings, "book")
    config = config_of(careful, "table", "book")
    smaller = changed(config, column, "integer")
    careful.apply(wanted("table", "book", smaller, "update"))
    after = read(target, settings, "book")
    assert after != before
    (entry,) = entries(careful)
    assert (entry["resource_type"], entry["name"]) == ("column", f"book.{column}")
    target.execute(settings, f"UPDATE book SET {column} = 77 WHERE id = 3")
    (note,) = restore(careful, entry["id"])["notes"]
    assert "1 row(s) have other values since" in note
    assert config_of(careful, "table", "book") == config
    back = {dict(row)["id"]: str(dict(row)[column]) for row in read(target, settings, "book")}
    was = {dict(row)["id"]: str(dict(row)[column]) for row in before}
    assert {key: back[key] for key in (1, 2)} == {key: was[key] for key in (1, 2)}
    assert back[3].startswith("77"), "what was changed since stays"


def changed(config: Mapping[str, Any], column: str, type_: str) -> dict[str, Any]:
    """Return a table's configuration with another type of a column."""
    columns = [{**each, "type": type_} if each["name"] == column else each for each in config["columns"]]
    return {key: value for key, value in {**config, "columns": columns}.items() if key != "statement"}
