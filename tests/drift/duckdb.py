"""What can be done to a DuckDB database by hand."""

from __future__ import annotations

from collections.abc import Iterator

from tests.client import wanted
from tests.drift.tampering import Tampering, of
from tests.targets.duckdb import FILES

BEFORE = "CREATE TABLE outside (id INTEGER PRIMARY KEY, kind VARCHAR UNIQUE, UNIQUE (id, kind));"

_STOCK = """CREATE TABLE stock (
  id INTEGER PRIMARY KEY,
  code VARCHAR NOT NULL UNIQUE,
  amount DECIMAL(8,2) DEFAULT 1 CHECK (amount > 0),
  other VARCHAR COLLATE nocase,
  twice DECIMAL(10,2) GENERATED ALWAYS AS (amount * 2),
  target INTEGER REFERENCES outside(id),
  kind VARCHAR,
  n INTEGER,
  shape STRUCT(a INTEGER, b VARCHAR[]),
  UNIQUE (other, n),
  CHECK (n > amount),
  FOREIGN KEY (target, kind) REFERENCES outside(id, kind)
)"""
_KEYED = "CREATE TABLE keyed (a INTEGER, b INTEGER, c VARCHAR, PRIMARY KEY (a, b))"

RESOURCES = (
    wanted(
        "table",
        "stock",
        {
            "name": "stock",
            "columns": [
                {"name": "id", "type": "INTEGER", "primary_key": True},
                {"name": "code", "type": "VARCHAR", "not_null": True, "unique": True},
                {"name": "amount", "type": "DECIMAL(8,2)", "default": "1", "check": "amount > 0"},
                {"name": "other", "type": "VARCHAR", "collation": "nocase"},
                {"name": "twice", "type": "DECIMAL(10,2)", "generated": "amount * 2"},
                {"name": "target", "type": "INTEGER", "references": "outside(id)"},
                {"name": "kind", "type": "VARCHAR"},
                {"name": "n", "type": "INTEGER"},
                {"name": "shape", "type": "STRUCT(a INTEGER, b VARCHAR[])"},
            ],
            "uniques": [{"columns": ["other", "n"]}],
            "checks": [{"expression": "n > amount"}],
            "foreign_keys": [{"columns": ["target", "kind"], "references": "outside(id, kind)"}],
        },
    ),
    wanted(
        "table",
        "keyed",
        {
            "name": "keyed",
            "columns": [
                {"name": "a", "type": "INTEGER"},
                {"name": "b", "type": "INTEGER"},
                {"name": "c", "type": "VARCHAR"},
            ],
            "primary_key": ["a", "b"],
        },
    ),
)


def _anew(table: str, before: str, text: str, made: str) -> str:
    """Return the script that makes a table otherwise: `text` of its definition replaced."""
    assert text in before, text
    return f"DROP TABLE {table}; {before.replace(text, made)};"


def _stock(text: str, made: str, paths: str) -> tuple[str, str]:
    return _anew("stock", _STOCK, text, made), paths


def _keyed(text: str, made: str, paths: str) -> tuple[str, str]:
    return _anew("keyed", _KEYED, text, made), paths


def tamperings() -> Iterator[Tampering]:
    """Yield every way, type by type."""
    yield from of(
        "table",
        "stock",
        ("ALTER TABLE stock ADD COLUMN new VARCHAR", "columns.new"),
        ("COMMENT ON TABLE stock IS 'x'", "comment"),
        ("COMMENT ON COLUMN stock.n IS 'x'", "columns.n.comment"),
        _stock("  n INTEGER,", "  n BIGINT,", "columns.n.type"),
        _stock("n INTEGER,", "n INTEGER NOT NULL,", "columns.n.not_null"),
        _stock("VARCHAR NOT NULL UNIQUE", "VARCHAR UNIQUE", "columns.code.not_null"),
        _stock("VARCHAR NOT NULL UNIQUE", "VARCHAR NOT NULL", "columns.code.unique"),
        _stock("DEFAULT 1", "DEFAULT 2", "columns.amount.default"),
        _stock("DEFAULT 1 ", "", "columns.amount.default"),
        _stock("CHECK (amount > 0)", "CHECK (amount > 5)", "columns.amount.check"),
        _stock(" CHECK (amount > 0)", "", "columns.amount.check"),
        _stock("nocase", "noaccent", "columns.other.collation"),
        _stock(" COLLATE nocase", "", "columns.other.collation"),
        _stock("amount * 2", "amount * 3", "columns.twice.generated"),
        _stock("REFERENCES outside(id),", "REFERENCES author(id),", "columns.target.references"),
        _stock("target INTEGER REFERENCES outside(id),", "target INTEGER,", "columns.target.references"),
        _stock("id INTEGER PRIMARY KEY", "id INTEGER", "columns.id.primary_key"),
        _stock("UNIQUE (other, n)", "UNIQUE (n, other)", "uniques"),
        _stock("  UNIQUE (other, n),\n", "", "uniques"),
        _stock("CHECK (n > amount)", "CHECK (n >= amount)", "checks"),
        _stock("  CHECK (n > amount),\n", "", "checks"),
        _stock(",\n  FOREIGN KEY (target, kind) REFERENCES outside(id, kind)", "", "foreign_keys"),
        _stock("a INTEGER, b VARCHAR[]", "a INTEGER, b BIGINT[]", "columns.shape.type"),
        _stock("a INTEGER, b VARCHAR[]", "a INTEGER, b VARCHAR[], c DATE", "columns.shape.type"),
        _stock("a INTEGER, b VARCHAR[]", "a INTEGER, b VARCHAR[3]", "columns.shape.type"),
        ("DROP TABLE stock", "-"),
    )
    yield from of(
        "table",
        "keyed",
        _keyed("PRIMARY KEY (a, b)", "PRIMARY KEY (b, a)", "primary_key.columns"),
        _keyed(", PRIMARY KEY (a, b)", "", "primary_key"),
        ("ALTER TABLE keyed DROP COLUMN c", "columns.c"),
        ("ALTER TABLE keyed RENAME COLUMN c TO d", "columns.c columns.d"),
    )
    head = "DROP INDEX book_title; CREATE INDEX book_title ON book"
    yield from of(
        "index",
        "book_title",
        (f"{head} (title, price)", "columns"),
        (f"{head} ((lower(title)))", "columns"),
        ("DROP INDEX book_title; CREATE UNIQUE INDEX book_title ON book (title)", "unique"),
        ("COMMENT ON INDEX book_title IS 'x'", "comment"),
        ("DROP INDEX book_title", "-"),
    )
    yield from of(
        "view",
        "catalogue",
        ("CREATE OR REPLACE VIEW catalogue AS SELECT title FROM book", "definition"),
        (
            (
                "CREATE OR REPLACE VIEW catalogue(a, b) AS SELECT title, name AS author FROM book JOIN author "
                "ON author.id = book.author_id"
            ),
            "columns",
        ),
        ("COMMENT ON VIEW catalogue IS 'x'", "comment"),
        ("COMMENT ON COLUMN catalogue.title IS 'x'", "column_comments"),
        ("DROP VIEW catalogue", "-"),
    )
    head = "CREATE OR REPLACE MACRO close_to"
    body = "AS (abs(a - b) < distance)"
    yield from of(
        "function",
        "close_to",
        (f"{head}(a, b, distance := 3) AS (abs(a - b) <= distance)", "body"),
        (f"{head}(a, b, distance := 4) {body}", "parameters.distance.default"),
        (f"{head}(a INTEGER, b, distance := 3) {body}", "parameters.a.type"),
        (f"{head}(a, b, distance) {body}", "parameters.distance.default"),
        (f"{head}(a, b, distance := 3) {body}, (a) AS (a < 3)", "overloads"),
        ("COMMENT ON MACRO close_to IS 'x'", "comment"),
        ("DROP MACRO close_to", "-"),
    )
    yield from of(
        "function",
        "books_of",
        (
            "CREATE OR REPLACE MACRO books_of(writer) AS TABLE SELECT price FROM book WHERE author_id = writer",
            "body",
        ),
        ("DROP MACRO TABLE books_of; CREATE MACRO books_of(writer) AS writer", "returns body"),
    )
    head = "DROP SEQUENCE numbers; CREATE SEQUENCE numbers"
    yield from of(
        "sequence",
        "numbers",
        (f"{head} INCREMENT BY 2", "increment"),
        (f"{head} MINVALUE -5 START WITH 1", "min_value"),
        (f"{head} MAXVALUE 500", "max_value"),
        (f"{head} CYCLE", "cycle"),
        ("COMMENT ON SEQUENCE numbers IS 'x'", "comment"),
        ("DROP SEQUENCE numbers", "-"),
    )
    yield from of(
        "type",
        "mood",
        ("DROP TYPE mood; CREATE TYPE mood AS ENUM ('sad', 'happy', 'mad')", "values"),
        ("DROP TYPE mood; CREATE TYPE mood AS ENUM ('happy', 'sad')", "values"),
        ("COMMENT ON TYPE mood IS 'x'", "comment"),
        ("DROP TYPE mood", "-"),
    )
    yield from of(
        "type",
        "point",
        ("DROP TYPE point; CREATE TYPE point AS STRUCT(x REAL, y DOUBLE)", "fields.y.type"),
        ("DROP TYPE point; CREATE TYPE point AS STRUCT(x REAL)", "fields.y"),
    )
    yield from of(
        "type",
        "money",
        ("DROP TYPE money; CREATE TYPE money AS DECIMAL(12,2)", "definition"),
    )
    head = "CREATE OR REPLACE VIEW incoming AS SELECT * FROM"
    books = f"'{FILES / 'books.csv'}'"
    yield from of(
        "stage",
        "incoming",
        ("COMMENT ON VIEW incoming IS 'x'", "comment"),
        (f"{head} read_csv([{books}, {books}])", "paths"),
        (f"{head} read_csv('{FILES}/*.csv')", "paths"),
        (f"{head} read_csv({books}, header := false)", "options"),
        (f"{head} read_csv({books}, columns := {{'id': 'INTEGER', 'title': 'VARCHAR'}})", "options"),
        (f"{head} read_json('{FILES / 'books.json'}')", "format paths"),
        ("DROP VIEW incoming", "-"),
    )
    head = "CREATE OR REPLACE PERSISTENT SECRET shop (TYPE http, SCOPE"
    scope = "['https://shop.example']"
    yield from of(
        "secret",
        "shop",
        # That values are others is told by the digest of the secret's file, which has the scope in it.
        (
            f"{head} ['https://shop.example', 'https://other.example'], BEARER_TOKEN 'first-token')",
            "scope values",
        ),
        (f"{head} {scope}, BEARER_TOKEN 'other-token')", "values"),
        (f"{head} {scope}, BEARER_TOKEN 'first-token', HTTP_PROXY 'proxy.example')", "values"),
        ("DROP PERSISTENT SECRET shop", "-"),
    )


BOUND = (frozenset({"stock", "keyed", "catalogue", "book_title"}),)

NOT_CHANGED = frozenset(
    {
        # part of what identifies the object, so another value is another object
        "*.name", "*.schema", "*.table",
        # a wish of the configuration
        "*.renamed_from",
        # taken from configuration for databases that have them, and never more than the default here
        "index.where",
        # what DuckDB has without an extension is of one type, with one provider
        "secret.type", "secret.provider",
        # belongs to the connection
        "attached_database.path", "attached_database.read_only",
        # forgotten by DuckDB once a number was taken
        "sequence.start",
    }
)  # fmt: skip
"""Attributes no tampering is about, by type, and why."""
