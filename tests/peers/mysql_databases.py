"""Real databases of other projects on MySQL and MariaDB, with rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from tests.servers import mysql

_OWN_DATABASE = re.compile(r"(?im)^\s*(drop (schema|database)|create (schema|database)|use)\b.*$")
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT"
_ROWS = f"""
SET foreign_key_checks = 0;
INSERT INTO country (country) {_NUMBERS.format(5)} concat('Country ', i) FROM n;
INSERT INTO city (city, country_id) {_NUMBERS.format(20)} concat('City ', i), i % 5 + 1 FROM n;
INSERT INTO address (address, district, city_id, phone)
    {_NUMBERS.format(40)} concat(i, ' Street'), 'D', i % 20 + 1, concat('0', i) FROM n;
INSERT INTO language (name) VALUES ('English'), ('Italian');
INSERT INTO category (name) VALUES ('Action'), ('Drama'), ('Sports');
INSERT INTO actor (first_name, last_name, last_update)
    {_NUMBERS.format(50)} concat('Ann', i), 'Lee', date_add('2020-01-01', INTERVAL i DAY) FROM n;
INSERT INTO store (manager_staff_id, address_id) VALUES (1, 1), (2, 2);
INSERT INTO staff (first_name, last_name, address_id, store_id, username, picture)
    VALUES ('Mike', 'H', 3, 1, 'mike', 0x89ab00ff), ('Jon', 'S', 4, 2, 'jon', NULL);
INSERT INTO film (title, release_year, language_id, length, rating, special_features)
    {_NUMBERS.format(100)} concat('Film ', i), 1990 + i % 20, i % 2 + 1, 60 + i, i % 5 + 1, 'Trailers,Commentaries'
    FROM n;
INSERT INTO film_actor (actor_id, film_id) {_NUMBERS.format(100)} i % 50 + 1, i FROM n;
INSERT INTO film_category (film_id, category_id) {_NUMBERS.format(100)} i, i % 3 + 1 FROM n;
INSERT INTO inventory (film_id, store_id) {_NUMBERS.format(100)} i, i % 2 + 1 FROM n;
INSERT INTO customer (store_id, first_name, last_name, address_id, create_date)
    {_NUMBERS.format(30)} i % 2 + 1, concat('C', i), 'D', i + 4, '2021-01-01' FROM n;
INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id)
    {_NUMBERS.format(300)} date_add('2022-02-01', INTERVAL i DAY), i % 100 + 1, i % 30 + 1, i % 2 + 1 FROM n;
INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date)
    {_NUMBERS.format(300)} i % 30 + 1, i % 2 + 1, i, i / 7.0, date_add('2022-01-02', INTERVAL i DAY) FROM n;
"""
"""Sakila's rows are not among the cases."""


@contextlib.contextmanager
def loaded(server: mysql.Server, name: str, script: str) -> Iterator[str]:
    """Make a database of a script; yield its url, and drop it with what Kolumn made for it."""
    text = _OWN_DATABASE.sub("", script).replace(f"{name}.", "") + (_ROWS if name == "sakila" else "")
    with server.database("peers") as url:
        database = url.rpartition("/")[2]
        server.programs.run(
            [*server.programs.client, *server.flags(), "--default-character-set=utf8mb4", database],
            script=text,
        )
        try:
            yield url
        finally:
            for (each,) in mysql.execute(url, f"SHOW DATABASES LIKE 'kolumn%{database}'"):
                mysql.execute(url, "SET foreign_key_checks = 0", f"DROP DATABASE `{each}`")


def look(server: mysql.Server, url: str) -> tuple[list[str], dict[str, int]]:
    """Return schema and rows, read without Kolumn; the order of columns says nothing."""
    database = url.rpartition("/")[2]
    options = ["--no-data", "--routines", "--triggers", "--events", "--skip-comments", "--skip-dump-date"]
    text = server.programs.run([*server.programs.dump, *server.flags(), *options, database])
    text = re.sub(r" AUTO_INCREMENT=\d+", "", text)
    lines = sorted(line.strip().rstrip(",;") for line in text.splitlines())
    rows: dict[str, Any] = {}
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'")
        for table, _ in cursor.fetchall():
            cursor.execute(f"SHOW COLUMNS FROM `{table}`")
            columns = ", ".join(f"`{each[0]}`" for each in sorted(cursor.fetchall()))
            cursor.execute(f"SELECT {columns} FROM `{table}`")
            rows[table] = hash(tuple(sorted(map(repr, cursor.fetchall()))))
    return lines, rows
