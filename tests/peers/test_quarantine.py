"""Real databases with rows: whatever is deleted comes back from quarantine, schema and rows as they were.

A sample of the objects and columns of each database; `make soak` takes all of them.
"""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.errors import KolumnError
from kolumn.host.providers import load
from tests import command, dumps
from tests.client import Client, wanted
from tests.peers import mysql_databases, test_duckdb
from tests.peers import test_postgres_databases as databases
from tests.servers import mysql, postgres
from tests.targets import Settings
from tests.targets.duckdb import DUCKDB

SAMPLE = 12
"""How many objects, and how many columns, of each database are taken outside of a soak run."""

PAGILA_ROWS = """
SET session_replication_role = replica;
INSERT INTO country (country) SELECT 'Country ' || n FROM generate_series(1, 5) n;
INSERT INTO city (city, country_id) SELECT 'City ' || n, n % 5 + 1 FROM generate_series(1, 20) n;
INSERT INTO address (address, district, city_id, phone)
    SELECT n || ' Street', 'D', n % 20 + 1, '0' || n FROM generate_series(1, 40) n;
INSERT INTO language (name) VALUES ('English'), ('Italian');
INSERT INTO category (name) VALUES ('Action'), ('Drama'), ('Sports');
INSERT INTO actor (first_name, last_name, last_update)
    SELECT 'Ann' || n, 'Lee', '2020-01-01'::timestamptz + n * interval '1 day' FROM generate_series(1, 50) n;
INSERT INTO store (manager_staff_id, address_id) VALUES (1, 1), (2, 2);
INSERT INTO staff (first_name, last_name, address_id, store_id, username, picture)
    VALUES ('Mike', 'H', 3, 1, 'mike', decode('89ab', 'hex')), ('Jon', 'S', 4, 2, 'jon', NULL);
INSERT INTO film (title, release_year, language_id, length, rating, special_features, fulltext)
    SELECT 'Film ' || n, 1990 + n % 20, n % 2 + 1, 60 + n, (enum_range(NULL::mpaa_rating))[n % 5 + 1],
           ARRAY['Trailers', 'x' || n], to_tsvector('Film ' || n)
    FROM generate_series(1, 100) n;
INSERT INTO film_actor (actor_id, film_id) SELECT n % 50 + 1, n FROM generate_series(1, 100) n;
INSERT INTO film_category (film_id, category_id) SELECT n, n % 3 + 1 FROM generate_series(1, 100) n;
INSERT INTO inventory (film_id, store_id) SELECT n, n % 2 + 1 FROM generate_series(1, 100) n;
INSERT INTO customer (store_id, first_name, last_name, address_id, active)
    SELECT n % 2 + 1, 'C' || n, 'D', n + 4, 1 FROM generate_series(1, 30) n;
INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id)
    SELECT '2022-02-01'::timestamptz + n * interval '1 day', n % 100 + 1, n % 30 + 1, n % 2 + 1
    FROM generate_series(1, 300) n;
INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date)
    SELECT n % 30 + 1, n % 2 + 1, n, n / 7.0, '2022-01-02'::timestamptz + n * interval '5 days'
    FROM generate_series(1, 300) n;
SET session_replication_role = DEFAULT;
REFRESH MATERIALIZED VIEW rental_by_category;
"""
"""Pagila's rows are not among the cases."""


@dataclass(frozen=True)
class Loaded:
    """A database with rows, and a provider that is careful with it."""

    client: Client
    look: Callable[[], Any]
    """Returns schema and rows, read without Kolumn; the order of columns says nothing."""


@pytest.fixture(
    scope="module",
    params=[
        "duckdb-chinook",
        "sqlite-chinook",
        "sqlite-sakila",
        "postgres-chinook",
        "postgres-pagila",
        "mysql-chinook",
        "mysql-sakila",
        pytest.param("mariadb-sakila", marks=command.ONLY_IN_SOAK),
    ],
)
def loaded(
    request: pytest.FixtureRequest, peers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    provider, _, name = request.param.partition("-")
    if provider == "duckdb":
        with DUCKDB.fresh(tmp_path_factory.mktemp("database") / name) as settings:
            test_duckdb.load(
                (peers / "databases/sqlite/chinook.sql").read_text(encoding="utf-8-sig"),
                Path(settings["path"]),
            )
            with closing_client({**settings, "safe_destroy": True}, "duckdb") as client:
                yield Loaded(client, lambda: look_duckdb(settings))
        return
    if provider in mysql.PRODUCTS:
        script = (peers / "databases/mysql" / f"{name}.sql").read_text(encoding="utf-8-sig")
        server = mysql.server(provider)
        with (
            mysql_databases.loaded(server, name, script) as url,
            closing_client({"url": url}, "mysql") as client,
        ):
            yield Loaded(client, lambda: mysql_databases.look(server, url))
        return
    script = (peers / "databases" / provider / f"{name}.sql").read_text(encoding="utf-8-sig")
    if provider == "sqlite":
        path = tmp_path_factory.mktemp("database") / f"{name}.db"
        with closing(sqlite3.connect(path)) as database:
            database.executescript(f"BEGIN;{script};COMMIT;")
        with closing_client({"path": str(path)}, "sqlite") as client:
            yield Loaded(client, lambda: look_sqlite(path))
        return
    newest = postgres.server(max(postgres.versions()))
    with newest.database() as url:
        databases.load(newest, url, script)
        if name == "pagila":
            assert databases.load(newest, url, PAGILA_ROWS) == ""
        with closing_client({"url": url}, "postgres") as client:
            yield Loaded(client, lambda: look_postgres(newest, url))


class closing_client:  # noqa: N801 - used like a function
    """A provider that is closed in the end."""

    def __init__(self, settings: Mapping[str, Any], provider: str) -> None:
        self._client = Client(load(provider)).configure(settings)

    def __enter__(self) -> Client:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.provider.close()


def look_sqlite(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {
            table: hash(
                tuple(
                    sorted(
                        repr(sorted(dict(row).items()))
                        for row in database.execute(f'SELECT * FROM "{table}"')
                    )
                )
            )
            for table in tables
            if not table.startswith(("sqlite_", "kolumn_"))
        }
    return sorted(dumps.schema(path)), rows


def look_duckdb(settings: Settings) -> Any:
    facts = DUCKDB.dump(settings)
    rows = dict(each.removeprefix("rows ").split(": ", 1) for each in facts if each.startswith("rows "))
    columns = re.compile(r"^(column \('\w+', '\w+', )\d+, ")
    return sorted(columns.sub(r"\1", each) for each in facts if not each.startswith("rows ")), rows


def look_postgres(server: postgres.Server, url: str) -> Any:
    import psycopg

    lines = sorted(
        line.strip().rstrip(",;") for each in databases.statements(server, url) for line in each.splitlines()
    )
    rows = {}
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT c.oid::regclass::text, (SELECT string_agg(quote_ident(attname), ',' ORDER BY attname)"
            " FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind IN ('r', 'S', 'm') AND nspname !~ '^pg_|^information_schema|^kolumn'"
        ).fetchall()
        for table, columns in tables:
            text = f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (SELECT {columns} FROM {table}) t"
            rows[table] = connection.execute(text).fetchone()  # type: ignore[arg-type]
    return lines, rows


def sample(found: Sequence[Any]) -> list[Any]:
    if command.SOAK or len(found) <= SAMPLE:
        return list(found)
    return random.Random(len(found)).sample(list(found), SAMPLE)


def bring_back_all(client: Client) -> None:
    entries = client.done("ListQuarantine")["entries"]
    assert entries
    client.done("RestoreQuarantine", {"ids": [each["id"] for each in entries]})
    assert client.done("ListQuarantine")["entries"] == []


def test_every_object_comes_back(loaded: Loaded) -> None:
    before = loaded.look()
    found = loaded.client.done("DiscoverResources")["resources"]
    failed = []
    for each in sample([each for each in found if each["type"] not in ("schema", "extension")]):
        what = f"{each['type']} {each['name']}"
        try:
            answer = loaded.client.done(
                "DeleteResource", {"resource_type": each["type"], "name": each["name"]}
            )
            assert answer["quarantine_location"]
            bring_back_all(loaded.client)
        except (KolumnError, AssertionError) as error:
            if getattr(error, "problems", ()) and error.problems[0].code == "still_needed":  # type: ignore[union-attr]
                continue  # a column has this type
            if getattr(error, "code", "") == "dependents_exist":
                continue  # a foreign key cannot be without this index
            failed.append(f"{what}: {error}")
            break
        after = loaded.look()
        if after != before:
            failed.append(f"{what}: {difference(before, after)}")
            break
    assert not failed, "\n".join(failed)


def difference(before: Any, after: Any) -> str:
    lines, rows = set(before[0]), before[1]
    gone, new = lines - set(after[0]), set(after[0]) - lines
    changed = [name for name in {**rows, **after[1]} if rows.get(name) != after[1].get(name)]
    return f"gone {sorted(gone)}, new {sorted(new)}, rows {changed}"


def test_everything_comes_back_at_once(loaded: Loaded) -> None:
    before = loaded.look()
    found = loaded.client.done("DiscoverResources")["resources"]
    kept = ("schema", "extension", "role", "user")
    doomed = [wanted(e["type"], e["name"], e["config"], "delete") for e in found if e["type"] not in kept]
    applied = loaded.client.call("Apply", {"resources": doomed})
    assert applied["success"], applied.get("error")
    bring_back_all(loaded.client)
    after = loaded.look()
    assert after == before, difference(before, after)


def test_every_column_comes_back(loaded: Loaded) -> None:
    before = loaded.look()
    found = loaded.client.done("DiscoverResources")["resources"]
    tables = [
        each
        for each in found
        if each["type"] == "table"
        and len(each["config"].get("columns", ())) > 1
        and not each["config"].keys() & {"partition_of", "inherits"}  # their columns are the parent's
    ]
    columns = [
        (each, column["name"])
        for each in tables
        for column in each["config"]["columns"]
        if "generated" not in column  # it holds nothing of its own to bring back
    ]
    failed, done = [], 0
    for table, column in sample(columns):
        asked = [wanted("table", table["name"], without(table["config"], column), "update")]
        asked += [
            wanted(each["type"], each["name"], each["config"], "delete")
            for each in found
            if each["type"] in ("view", "materialized_view", "trigger", "function", "procedure")
            or (each["type"] == "index" and re.search(rf"\b{column}\b", str(each["config"])))
        ]
        try:
            applied = loaded.client.call("Apply", {"resources": asked})
        except KolumnError as error:  # such as a generated column that is computed from it
            applied = {"success": False, "error": f"{error.message} {error.problems}"}
        if not applied["success"]:
            if any(
                word in applied["error"] for word in ("foreign key", "depend", "referenc", "partition key")
            ):
                continue  # others refer to it: that is another change
            failed.append(f"{table['name']}.{column}: {applied['error']}")
            break
        done += 1
        try:
            bring_back_all(loaded.client)
        except (KolumnError, AssertionError) as error:
            failed.append(f"{table['name']}.{column}: {error}")
            break
        after = loaded.look()
        if but_for_added_columns(after) != but_for_added_columns(before):
            failed.append(f"{table['name']}.{column}: {difference(before, after)}")
            break
    assert not failed, "\n".join(failed)
    assert done > 2


def but_for_added_columns(look: Any) -> Any:
    """Leave out what PostgreSQL makes otherwise when a column is added than when its table is made.

    Partitions take the name of NOT NULL from the table, and a default draws numbers from its sequence.
    """
    lines, rows = look
    named = re.compile(r"CONSTRAINT \w+_not_null (?=NOT NULL)")
    return {named.sub("", line) for line in lines}, {k: v for k, v in rows.items() if not k.endswith("_seq")}


def without(config: Mapping[str, Any], column: str) -> dict[str, Any]:
    """Return a table's configuration without a column and the constraints over it."""
    named = re.compile(rf"\b{column}\b")
    left = {**config, "columns": [each for each in config["columns"] if each["name"] != column]}
    for key in ("uniques", "checks", "foreign_keys", "exclusions"):
        if isinstance(left.get(key), list):
            left[key] = [each for each in left[key] if not named.search(_own(each, config["name"]))]
    if named.search(str(left.get("primary_key", ""))):
        left["primary_key"] = None
    return {key: value for key, value in left.items() if key != "statement" and value is not None}


def _own(constraint: Any, table: str) -> str:
    """Return what a constraint says of its own table."""
    if isinstance(constraint, dict) and not str(constraint.get("references", "")).startswith(table):
        constraint = {key: value for key, value in constraint.items() if key not in ("references", "name")}
    return str(constraint)
