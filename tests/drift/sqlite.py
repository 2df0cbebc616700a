"""What can be done to a SQLite database by hand."""

from __future__ import annotations

from collections.abc import Iterator

from tests.client import wanted
from tests.drift.tampering import Tampering, of

BEFORE = "CREATE TABLE outside (id INTEGER PRIMARY KEY, kind TEXT UNIQUE);"

_STOCK = """CREATE TABLE stock (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  amount NUMERIC DEFAULT 1 CHECK (amount > 0),
  other TEXT COLLATE NOCASE,
  twice NUMERIC GENERATED ALWAYS AS (amount * 2) STORED,
  target INTEGER REFERENCES outside(id) ON DELETE CASCADE,
  kind TEXT,
  n INTEGER,
  CONSTRAINT stock_other UNIQUE (other, n),
  CONSTRAINT stock_n CHECK (n > 0),
  CONSTRAINT stock_kind FOREIGN KEY (kind) REFERENCES outside(kind)
)"""
_KEYED = "CREATE TABLE keyed (a INTEGER, b INTEGER, c TEXT, CONSTRAINT keyed_key PRIMARY KEY (a, b))"

RESOURCES = (
    wanted(
        "table",
        "stock",
        {
            "name": "stock",
            "columns": [
                {"name": "id", "type": "INTEGER", "primary_key": True},
                {"name": "code", "type": "TEXT", "not_null": True, "unique": True},
                {"name": "amount", "type": "NUMERIC", "default": "1", "check": "amount > 0"},
                {"name": "other", "type": "TEXT", "collation": "NOCASE"},
                {"name": "twice", "type": "NUMERIC", "generated": "amount * 2", "stored": True},
                {"name": "target", "type": "INTEGER", "references": "outside(id)", "on_delete": "cascade"},
                {"name": "kind", "type": "TEXT"},
                {"name": "n", "type": "INTEGER"},
            ],
            "uniques": [{"name": "stock_other", "columns": ["other", "n"]}],
            "checks": [{"name": "stock_n", "expression": "n > 0"}],
            "foreign_keys": [{"name": "stock_kind", "columns": ["kind"], "references": "outside(kind)"}],
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
                {"name": "c", "type": "TEXT"},
            ],
            "primary_key": {"name": "keyed_key", "columns": ["a", "b"]},
        },
    ),
    wanted(
        "table",
        "words",
        {"name": "words", "using": "fts5", "arguments": ["title", "body"]},
    ),
)


def _anew(table: str, before: str, text: str, made: str) -> str:
    """Return the script that makes a table otherwise: `text` of its definition replaced."""
    assert text in before, text
    return f"PRAGMA foreign_keys = OFF; DROP TABLE {table}; {before.replace(text, made)};"


def _stock(text: str, made: str, paths: str) -> tuple[str, str]:
    return _anew("stock", _STOCK, text, made), paths


def _keyed(text: str, made: str, paths: str) -> tuple[str, str]:
    return _anew("keyed", _KEYED, text, made), paths


def tamperings() -> Iterator[Tampering]:
    """Yield every way, type by type."""
    yield from of(
        "table",
        "stock",
        ("ALTER TABLE stock ADD COLUMN new TEXT", "columns.new"),
        (
            "ALTER TABLE stock RENAME COLUMN kind TO sort",
            "columns.kind columns.sort foreign_keys.stock_kind.columns",
        ),
        _stock("  n INTEGER,", "  n TEXT,", "columns.n.type"),
        _stock("n INTEGER,", "n INTEGER NOT NULL,", "columns.n.not_null"),
        _stock("TEXT NOT NULL UNIQUE", "TEXT UNIQUE", "columns.code.not_null"),
        _stock("TEXT NOT NULL UNIQUE", "TEXT NOT NULL", "columns.code.unique"),
        _stock("TEXT NOT NULL UNIQUE", "TEXT NOT NULL CONSTRAINT u UNIQUE", "columns.code.unique_name"),
        _stock(
            "TEXT NOT NULL UNIQUE",
            "TEXT NOT NULL ON CONFLICT IGNORE UNIQUE ON CONFLICT REPLACE",
            "columns.code.not_null_conflict columns.code.unique_conflict",
        ),
        _stock("DEFAULT 1", "DEFAULT 2", "columns.amount.default"),
        _stock("DEFAULT 1 ", "", "columns.amount.default"),
        _stock("CHECK (amount > 0)", "CHECK (amount > 5)", "columns.amount.check"),
        _stock(" CHECK (amount > 0)", "", "columns.amount.check"),
        _stock("CHECK (amount > 0)", "CONSTRAINT c CHECK (amount > 0)", "columns.amount.check_name"),
        _stock("NOCASE", "RTRIM", "columns.other.collation"),
        _stock("amount * 2", "amount * 3", "columns.twice.generated"),
        _stock(" STORED", "", "columns.twice.stored"),
        _stock("ON DELETE CASCADE", "ON DELETE SET NULL", "columns.target.on_delete"),
        _stock(
            "outside(id) ON DELETE CASCADE",
            "outside(id) ON DELETE CASCADE ON UPDATE CASCADE MATCH FULL DEFERRABLE INITIALLY DEFERRED",
            "columns.target.on_update columns.target.match columns.target.deferrable "
            "columns.target.initially_deferred",
        ),
        _stock("REFERENCES outside(id)", "REFERENCES keyed(a)", "columns.target.references"),
        _stock(
            "INTEGER REFERENCES outside",
            "INTEGER CONSTRAINT r REFERENCES outside",
            "columns.target.references_name",
        ),
        _stock("id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY AUTOINCREMENT", "columns.id.autoincrement"),
        _stock(
            "id INTEGER PRIMARY KEY", "id INTEGER CONSTRAINT p PRIMARY KEY", "columns.id.primary_key_name"
        ),
        _stock("id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY DESC", "columns.id.primary_key_order"),
        _stock(
            "id INTEGER PRIMARY KEY",
            "id INTEGER PRIMARY KEY ON CONFLICT REPLACE",
            "columns.id.primary_key_conflict",
        ),
        _stock("id INTEGER PRIMARY KEY", "id INTEGER", "columns.id.primary_key"),
        _stock("UNIQUE (other, n)", "UNIQUE (n, other)", "uniques.stock_other.columns"),
        _stock(
            "UNIQUE (other, n)", "UNIQUE (other, n) ON CONFLICT IGNORE", "uniques.stock_other.on_conflict"
        ),
        _stock("  CONSTRAINT stock_other UNIQUE (other, n),\n", "", "uniques.stock_other"),
        _stock("CHECK (n > 0)", "CHECK (n > 1)", "checks.stock_n.expression"),
        _stock("  CONSTRAINT stock_n CHECK (n > 0),\n", "", "checks.stock_n"),
        _stock(
            ",\n  CONSTRAINT stock_kind FOREIGN KEY (kind) REFERENCES outside(kind)",
            "",
            "foreign_keys.stock_kind",
        ),
        _stock("REFERENCES outside(kind)", "REFERENCES keyed(c)", "foreign_keys.stock_kind.references"),
        _stock("FOREIGN KEY (kind)", "FOREIGN KEY (other)", "foreign_keys.stock_kind.columns"),
        _stock(
            "REFERENCES outside(kind)",
            "REFERENCES outside(kind) ON DELETE CASCADE ON UPDATE RESTRICT MATCH SIMPLE DEFERRABLE INITIALLY DEFERRED",
            "foreign_keys.stock_kind.on_delete foreign_keys.stock_kind.on_update foreign_keys.stock_kind.match "
            "foreign_keys.stock_kind.deferrable foreign_keys.stock_kind.initially_deferred",
        ),
        ("DROP TABLE stock", "-"),
    )
    yield from of(
        "table",
        "keyed",
        _keyed("PRIMARY KEY (a, b)", "PRIMARY KEY (b, a)", "primary_key.columns"),
        _keyed("PRIMARY KEY (a, b)", "PRIMARY KEY (a, b) ON CONFLICT FAIL", "primary_key.on_conflict"),
        _keyed("keyed_key", "other_key", "primary_key.name"),
        _keyed(", CONSTRAINT keyed_key PRIMARY KEY (a, b)", "", "primary_key"),
        (_anew("keyed", _KEYED, "(a, b))", "(a, b)) WITHOUT ROWID"), "without_rowid"),
        (_anew("keyed", _KEYED, "(a, b))", "(a, b)) STRICT"), "strict"),
    )
    yield from of(
        "table",
        "words",
        ("DROP TABLE words; CREATE VIRTUAL TABLE words USING fts5(title)", "arguments"),
        ("DROP TABLE words; CREATE VIRTUAL TABLE words USING fts4(title, body)", "using"),
    )
    head = "DROP INDEX book_title; CREATE INDEX book_title ON book"
    yield from of(
        "index",
        "book_title",
        (f"{head} (title)", "columns"),
        (f"{head} (title COLLATE NOCASE DESC)", "columns"),
        (f"{head} (lower(title))", "columns"),
        (f"{head} (title DESC) WHERE price > 0", "where"),
        ("DROP INDEX book_title; CREATE UNIQUE INDEX book_title ON book (title DESC)", "unique"),
        ("DROP INDEX book_title", "-"),
    )
    yield from of(
        "view",
        "catalogue",
        ("DROP VIEW catalogue; CREATE VIEW catalogue AS SELECT title FROM book", "definition"),
        (
            (
                "DROP VIEW catalogue; CREATE VIEW catalogue(a, b) AS SELECT title, name AS author FROM book JOIN author "
                "ON author.id = book.author_id"
            ),
            "columns",
        ),
        ("DROP VIEW catalogue", "-"),
    )
    head = "DROP TRIGGER book_priced; CREATE TRIGGER book_priced"
    body = "BEGIN UPDATE author SET name = name WHERE id = new.author_id; END"
    when = "WHEN new.price <> old.price"
    yield from of(
        "trigger",
        "book_priced",
        (f"{head} BEFORE UPDATE OF price ON book {when} {body}", "timing"),
        (f"{head} AFTER UPDATE OF title ON book {when} {body}", "events"),
        (f"{head} AFTER UPDATE OF price ON book {body}", "when"),
        (f"{head} AFTER UPDATE OF price ON book {when} BEGIN SELECT 1; END", "body"),
        (f"{head} AFTER UPDATE OF price ON book FOR EACH ROW {when} {body}", "for_each_row"),
        ("DROP TRIGGER book_priced", "-"),
    )


BOUND = (frozenset({"stock", "keyed"}),)

NOT_CHANGED = frozenset(
    {
        # part of what identifies the object, so another value is another object
        "*.name", "*.schema", "*.table",
        # wishes of the configuration, and how a statement is written, which is no difference
        "*.renamed_from", "*.statement", "*.quoting", "table.layout",
        # SQLite has no comments
        "table.comment",
        # belongs to the connection: what is attached is what its settings say
        "schema.path",
    }
)  # fmt: skip
"""Attributes no tampering is about, by type, and why."""
