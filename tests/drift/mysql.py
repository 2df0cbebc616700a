"""What can be done to a MySQL or MariaDB database by hand; `tests.drift.mariadb` is the same for the other product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.client import wanted
from tests.drift.tampering import Tampering, of

BEFORE = "CREATE TABLE outside (id int PRIMARY KEY, kind varchar(20) COLLATE utf8mb4_general_ci UNIQUE); CREATE ROLE kolumn_test_other;"

_STOCK: dict[str, Any] = {
    "name": "stock",
    "columns": [
        {"name": "id", "type": "int", "auto_increment": True, "primary_key": True},
        {"name": "code", "type": "varchar(20)", "not_null": True, "unique": True},
        {"name": "amount", "type": "decimal(8,2)", "default": "1", "comment": "How many"},
        {"name": "other", "type": "varchar(30)", "collation": "utf8mb4_bin"},
        {"name": "old", "type": "varchar(30)", "character_set": "latin1"},
        {"name": "twice", "type": "decimal(10,2)", "generated": "amount * 2", "stored": True},
        {"name": "thrice", "type": "decimal(10,2)", "generated": "amount * 3"},
        {"name": "target", "type": "int"},
        {"name": "kind", "type": "varchar(20)"},
        {"name": "n", "type": "int", "not_null": True},
        {"name": "hidden", "type": "int", "invisible": True},
        {"name": "mood", "type": "enum('sad','happy')"},
        {
            "name": "changed",
            "type": "timestamp",
            "default": "CURRENT_TIMESTAMP",
            "on_update_value": "CURRENT_TIMESTAMP",
            "not_null": True,
        },
    ],
    "uniques": [{"name": "stock_other", "columns": ["other", "n"]}],
    "checks": [{"name": "stock_n", "expression": "n > 0"}],
    "foreign_keys": [
        {"name": "stock_target", "columns": ["target"], "references": "outside(id)", "on_delete": "cascade"},
        {"name": "stock_kind", "columns": ["kind"], "references": "outside(kind)"},
    ],
    "comment": "What there is",
    "character_set": "utf8mb4",
    "collation": "utf8mb4_general_ci",
    "row_format": "compressed",
    "options": {"key_block_size": "8"},
}
_FOLLOWING = "columns.code.collation columns.kind.collation columns.mood.collation"
"""The columns of the table that have its collation."""
_KEYED: dict[str, Any] = {
    "name": "keyed",
    "columns": [
        {"name": "a", "type": "int", "not_null": True},
        {"name": "b", "type": "int", "not_null": True},
        {"name": "c", "type": "varchar(20)"},
    ],
    "primary_key": ["a", "b"],
}
_PARTED: dict[str, Any] = {
    "name": "parted",
    "columns": [{"name": "n", "type": "int"}, {"name": "t", "type": "text"}],
    "partition_by": {
        "method": "range",
        "expression": "n",
        "partitions": [{"name": "low", "values": "10"}, {"name": "high", "values": "MAXVALUE"}],
    },
}
_INDEXES = (
    wanted(
        "index",
        "words",
        {"name": "words", "table": "parts", "columns": ["t"], "kind": "fulltext"},
    ),
    wanted(
        "index",
        "by_hash",
        {"name": "by_hash", "table": "remembered", "columns": ["b"], "using": "hash"},
    ),
)
_PARTS: dict[str, Any] = {
    "name": "parts",
    "columns": [{"name": "t", "type": "varchar(200)"}, {"name": "p", "type": "point", "not_null": True}],
}
_REMEMBERED: dict[str, Any] = {
    "name": "remembered",
    "columns": [{"name": "a", "type": "int", "primary_key": True}, {"name": "b", "type": "int"}],
    "engine": "memory",
}
RESOURCES = (
    wanted("table", "stock", _STOCK),
    wanted("table", "keyed", _KEYED),
    wanted("table", "parted", _PARTED),
    wanted("table", "parts", _PARTS),
    wanted("table", "remembered", _REMEMBERED),
    *_INDEXES,
)
_VERSIONED = wanted(
    "table",
    "versioned",
    {
        "name": "versioned",
        "columns": [
            {"name": "id", "type": "int", "primary_key": True},
            {"name": "a", "type": "int"},
            {"name": "b", "type": "int", "versioned": False},
        ],
        "system_versioned": True,
    },
)
_BOOKED = wanted(
    "table",
    "booked",
    {
        "name": "booked",
        "columns": [
            {"name": "room", "type": "int"},
            {"name": "since", "type": "date", "not_null": True},
            {"name": "until", "type": "date", "not_null": True},
            {"name": "note", "type": "text", "compressed": True},
        ],
        "application_period": {"name": "stay", "start": "since", "end": "until"},
        "uniques": [{"name": "once", "columns": ["room"], "without_overlaps": True}],
    },
)
MARIADB_RESOURCES = (*RESOURCES, _VERSIONED, _BOOKED)


def tamperings(*, mariadb: bool = False) -> Iterator[Tampering]:
    """Yield every way, type by type."""
    yield from _tables(mariadb)
    yield from _indexes(mariadb)
    yield from _views(mariadb)
    yield from _routines()
    yield from _triggers()
    yield from _events()
    yield from _accounts(mariadb)
    if mariadb:
        yield from _of_mariadb()


def _tables(mariadb: bool) -> Iterator[Tampering]:
    alter = "ALTER TABLE stock"
    # MySQL keeps which columns said theirs, also where it is the table's.
    own = "columns.old.character_set " if mariadb else ""
    yield from of(
        "table",
        "stock",
        (f"{alter} ADD COLUMN new text", "columns.new"),
        (f"{alter} COMMENT 'x'", "comment"),
        (f"{alter} COMMENT ''", "comment"),
        (f"{alter} ROW_FORMAT = DYNAMIC KEY_BLOCK_SIZE = 0", "row_format options"),
        (f"{alter} KEY_BLOCK_SIZE = 4", "options.key_block_size"),
        (f"{alter} STATS_PERSISTENT = 1", "options.stats_persistent"),
        # Columns keep the collation they had, which is their own now.
        (f"{alter} DEFAULT CHARACTER SET latin1", f"collation {own}{_FOLLOWING}"),
        (f"{alter} DEFAULT COLLATE utf8mb4_unicode_ci", f"collation {_FOLLOWING}"),
        (f"{alter} MODIFY n bigint NOT NULL", "columns.n.type"),
        (f"{alter} MODIFY n int unsigned NOT NULL", "columns.n.type"),
        (f"{alter} MODIFY n int", "columns.n.not_null"),
        (f"{alter} MODIFY n int NOT NULL DEFAULT 5", "columns.n.default"),
        (f"{alter} MODIFY n int NOT NULL COMMENT 'x'", "columns.n.comment"),
        (f"{alter} MODIFY mood enum('sad','happy') INVISIBLE", "columns.mood.invisible"),
        (f"{alter} MODIFY hidden int", "columns.hidden.invisible"),
        (f"{alter} MODIFY code varchar(20)", "columns.code.not_null"),
        (f"{alter} MODIFY code varchar(21) NOT NULL", "columns.code.type"),
        (f"{alter} DROP INDEX code", "columns.code.unique"),
        (f"{alter} ALTER amount SET DEFAULT 2", "columns.amount.default"),
        (f"{alter} ALTER amount DROP DEFAULT", "columns.amount.default"),
        (f"{alter} MODIFY amount decimal(8,2) DEFAULT 1", "columns.amount.comment"),
        (f"{alter} MODIFY amount decimal(8,2) DEFAULT 1 COMMENT 'How much'", "columns.amount.comment"),
        (f"{alter} MODIFY other varchar(30) COLLATE utf8mb4_unicode_ci", "columns.other.collation"),
        (f"{alter} MODIFY other varchar(30)", "columns.other.collation"),
        (
            f"{alter} MODIFY old varchar(30) CHARACTER SET ascii",
            "columns.old.character_set columns.old.collation",
        ),
        (f"{alter} MODIFY old varchar(30)", "columns.old.character_set"),
        (f"{alter} MODIFY twice decimal(10,2) AS (amount * 4) STORED", "columns.twice.generated"),
        (f"{alter} MODIFY thrice decimal(10,2) AS (amount * 4)", "columns.thrice.generated"),
        (
            f"{alter} DROP COLUMN thrice, ADD thrice decimal(10,2) AS (amount * 3) STORED",
            "columns.thrice.stored",
        ),
        (f"{alter} MODIFY id int", "columns.id.auto_increment"),
        (f"{alter} MODIFY mood enum('sad','happy','mad')", "columns.mood.type"),
        (f"{alter} MODIFY mood enum('happy','sad')", "columns.mood.type"),
        (
            f"{alter} MODIFY changed timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP",
            "columns.changed.on_update_value",
        ),
        (
            f"{alter} MODIFY changed timestamp NOT NULL DEFAULT '2000-01-01' ON UPDATE CURRENT_TIMESTAMP",
            "columns.changed.default",
        ),
        (f"{alter} DROP INDEX stock_other", "uniques.stock_other"),
        (
            f"{alter} DROP INDEX stock_other, ADD UNIQUE stock_other (n, other)",
            "uniques.stock_other.columns",
        ),
        (f"{alter} ADD UNIQUE another (n)", "uniques.another"),
        (f"{alter} DROP CONSTRAINT stock_n", "checks.stock_n"),
        (
            f"{alter} DROP CONSTRAINT stock_n; {alter} ADD CONSTRAINT stock_n CHECK (n > 1)",
            "checks.stock_n.expression",
        ),
        (f"{alter} ADD CONSTRAINT another CHECK (n < 99)", "checks.another"),
        (f"{alter} DROP FOREIGN KEY stock_kind", "foreign_keys.stock_kind"),
        (
            (
                f"{alter} DROP FOREIGN KEY stock_kind; {alter} ADD CONSTRAINT stock_kind "
                "FOREIGN KEY (kind) REFERENCES outside(kind) ON DELETE SET NULL ON UPDATE NO ACTION"
            ),
            "foreign_keys.stock_kind.on_delete",
        ),
        (
            (
                f"{alter} DROP FOREIGN KEY stock_target; {alter} ADD CONSTRAINT stock_target "
                "FOREIGN KEY (target) REFERENCES outside(id) ON DELETE CASCADE ON UPDATE CASCADE"
            ),
            "foreign_keys.stock_target.on_update",
        ),
        (
            (
                f"{alter} DROP FOREIGN KEY stock_target; {alter} ADD CONSTRAINT stock_target "
                "FOREIGN KEY (target) REFERENCES author(id) ON DELETE CASCADE ON UPDATE NO ACTION"
            ),
            "foreign_keys.stock_target.references",
        ),
        (f"{alter} RENAME COLUMN hidden TO seen", "columns.hidden columns.seen"),
        ("DROP TABLE stock", "-"),
    )
    yield from of(
        "table",
        "keyed",
        ("ALTER TABLE keyed DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)", "primary_key.columns"),
        ("ALTER TABLE keyed DROP PRIMARY KEY, ADD PRIMARY KEY (a)", "primary_key columns.a.primary_key"),
        ("ALTER TABLE keyed DROP PRIMARY KEY", "primary_key"),
        ("ALTER TABLE keyed DROP COLUMN c", "columns.c"),
        ("ALTER TABLE keyed ENGINE = MyISAM", "engine"),
        ("RENAME TABLE keyed TO renamed", "-"),
    )
    yield from of(
        "table",
        "parted",
        ("ALTER TABLE parted REMOVE PARTITIONING", "partition_by"),
        (
            "ALTER TABLE parted PARTITION BY HASH (n) PARTITIONS 3",
            "partition_by.count partition_by.method partition_by.partitions.high partition_by.partitions.low",
        ),
        (
            (
                "ALTER TABLE parted REORGANIZE PARTITION high INTO "
                "(PARTITION mid VALUES LESS THAN (20), PARTITION high VALUES LESS THAN MAXVALUE)"
            ),
            "partition_by.partitions.mid",
        ),
    )
    if not mariadb:
        yield from of(
            "table",
            "stock",
            (f"{alter} ALTER CHECK stock_n NOT ENFORCED", "checks.stock_n.enforced"),
        )
        yield from of(
            "table", "parts", ("ALTER TABLE parts MODIFY p point NOT NULL SRID 4326", "columns.p.srid")
        )


def _indexes(mariadb: bool) -> Iterator[Tampering]:
    head = "ALTER TABLE book DROP INDEX book_title"
    unseen = "IGNORED" if mariadb else "INVISIBLE"
    # MySQL ignores the size for InnoDB.
    size = f"{head}; ALTER TABLE book ADD INDEX book_title (title DESC) KEY_BLOCK_SIZE = 2"
    sized = ((size, "key_block_size"),) if mariadb else ()
    yield from of(
        "index",
        "book_title",
        (f"{head}, ADD INDEX book_title (title DESC, price)", "columns"),
        (f"{head}, ADD INDEX book_title (title(7) DESC)", "columns"),
        (f"{head}, ADD INDEX book_title (title)", "columns"),
        (f"{head}, ADD UNIQUE book_title (title DESC)", "unique"),
        (f"{head}, ADD INDEX book_title (title DESC) COMMENT 'x'", "comment"),
        *sized,
        (f"ALTER TABLE book ALTER INDEX book_title {unseen}", "visible"),
        (head, "-"),
        ("ALTER TABLE book RENAME INDEX book_title TO renamed", "-"),
    )
    cut = (
        ()
        if mariadb
        else (
            (
                "ALTER TABLE parts DROP INDEX words; ALTER TABLE parts ADD FULLTEXT words (t) WITH PARSER ngram",
                "parser",
            ),
        )
    )
    yield from of("index", "words", ("ALTER TABLE parts DROP INDEX words, ADD INDEX words (t)", "kind"), *cut)
    yield from of(
        "index",
        "by_hash",
        ("ALTER TABLE remembered DROP INDEX by_hash, ADD INDEX by_hash (b) USING BTREE", "using"),
    )


def _views(mariadb: bool) -> Iterator[Tampering]:
    query = "SELECT title, name AS author FROM book JOIN author ON author.id = book.author_id"
    head = "CREATE OR REPLACE"
    yield from of(
        "view",
        "catalogue",
        (f"{head} VIEW catalogue AS SELECT title FROM book", "definition"),
        (
            f"{head} VIEW catalogue AS SELECT title, name AS author FROM book LEFT JOIN author ON author.id = author_id",
            "definition",
        ),
        (f"{head} VIEW catalogue (a, b) AS {query}", "definition" if mariadb else "columns"),
        (f"{head} SQL SECURITY INVOKER VIEW catalogue AS {query}", "security"),
        (f"{head} ALGORITHM = MERGE VIEW catalogue AS {query}", "algorithm"),
        (f"{head} VIEW catalogue AS {query} WITH LOCAL CHECK OPTION", "check_option"),
        (f"{head} VIEW catalogue AS {query} WITH CASCADED CHECK OPTION", "check_option"),
        (f"{head} DEFINER = kolumn_test_ann@localhost VIEW catalogue AS {query}", "definer"),
        ("DROP VIEW catalogue", "-"),
    )


def _routines() -> Iterator[Tampering]:
    head = "DROP FUNCTION close_to; CREATE FUNCTION close_to"
    rest = "DETERMINISTIC NO SQL RETURN abs(a - b) < 3"
    yield from of(
        "function",
        "close_to",
        (f"{head} (a int, b int) RETURNS tinyint(1) DETERMINISTIC NO SQL RETURN abs(a - b) < 4", "body"),
        (f"{head} (a int, b bigint) RETURNS tinyint(1) {rest}", "arguments.b.type"),
        (f"{head} (a int, b int, c int) RETURNS tinyint(1) {rest}", "arguments.c"),
        (f"{head} (a int, b int) RETURNS int {rest}", "returns"),
        (
            f"{head} (a int, b int) RETURNS tinyint(1) NOT DETERMINISTIC NO SQL RETURN abs(a - b) < 3",
            "deterministic",
        ),
        (f"{head} (a int, b int) RETURNS varchar(5) CHARSET utf8mb4 COLLATE utf8mb4_bin {rest}",
         "returns returns_collation"),
        ("ALTER FUNCTION close_to CONTAINS SQL", "data_access"),
        ("ALTER FUNCTION close_to SQL SECURITY INVOKER", "security"),
        ("ALTER FUNCTION close_to COMMENT 'x'", "comment"),
        (
            (
                f"DROP FUNCTION close_to; CREATE DEFINER = kolumn_test_ann@localhost FUNCTION close_to (a int, b int) "
                f"RETURNS tinyint(1) {rest}"
            ),
            "definer",
        ),
        (
            (
                f"SET sql_mode = 'ANSI_QUOTES'; {head} (a int, b int) RETURNS tinyint(1) {rest}; "
                "SET sql_mode = DEFAULT"
            ),
            "sql_mode",
        ),
        ("DROP FUNCTION close_to", "-"),
    )  # fmt: skip
    head = "DROP PROCEDURE clear; CREATE PROCEDURE clear"
    yield from of(
        "procedure",
        "clear",
        (f"{head} (n int) BEGIN SELECT 1; END", "body"),
        (f"{head} (OUT n int) BEGIN END", "arguments.n.mode"),
        (f"{head} (m int) BEGIN END", "arguments.m arguments.n"),
        (f"{head} (n int) DETERMINISTIC BEGIN END", "deterministic"),
        ("ALTER PROCEDURE clear READS SQL DATA", "data_access"),
        ("ALTER PROCEDURE clear SQL SECURITY INVOKER", "security"),
        ("ALTER PROCEDURE clear COMMENT 'x'", "comment"),
        (
            "DROP PROCEDURE clear; CREATE DEFINER = kolumn_test_ann@localhost PROCEDURE clear (n int) BEGIN END",
            "definer",
        ),
        (f"SET sql_mode = 'ANSI_QUOTES'; {head} (n int) BEGIN END; SET sql_mode = DEFAULT", "sql_mode"),
        ("DROP PROCEDURE clear", "-"),
    )


def _triggers() -> Iterator[Tampering]:
    drop = "DROP TRIGGER book_priced; "
    head = f"{drop}CREATE TRIGGER book_priced"
    body = "SET new.price = coalesce(new.price, 0)"
    yield from of(
        "trigger",
        "book_priced",
        (f"{head} BEFORE UPDATE ON book FOR EACH ROW SET new.price = coalesce(new.price, 1)", "body"),
        (f"{head} BEFORE INSERT ON book FOR EACH ROW {body}", "events"),
        (f"{head} AFTER UPDATE ON book FOR EACH ROW SET @x = coalesce(new.price, 0)", "timing body"),
        (
            (
                f"{drop}CREATE DEFINER = kolumn_test_ann@localhost TRIGGER book_priced BEFORE UPDATE ON book "
                f"FOR EACH ROW {body}"
            ),
            "definer",
        ),
        (
            (
                f"SET sql_mode = 'ANSI_QUOTES'; {head} BEFORE UPDATE ON book FOR EACH ROW {body}; "
                "SET sql_mode = DEFAULT"
            ),
            "sql_mode",
        ),
        (
            "CREATE TRIGGER first_of_all BEFORE UPDATE ON book FOR EACH ROW PRECEDES book_priced SET @y = 1",
            "follows",
        ),
        ("DROP TRIGGER book_priced", "-"),
    )


def _events() -> Iterator[Tampering]:
    alter = "ALTER EVENT cleaning"
    yield from of(
        "event",
        "cleaning",
        (f"{alter} ON SCHEDULE EVERY 2 DAY STARTS '2035-01-01 00:00:00'", "every"),
        (f"{alter} ON SCHEDULE EVERY 1 DAY STARTS '2035-01-02 00:00:00'", "starts"),
        (f"{alter} ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01' ENDS '2036-01-01'", "ends"),
        (f"{alter} ON SCHEDULE AT '2035-01-01 00:00:00'", "at every starts"),
        (f"{alter} ON COMPLETION PRESERVE", "preserve"),
        (f"{alter} DISABLE", "status"),
        (f"{alter} DO DO 2", "body"),
        (f"{alter} COMMENT 'x'", "comment"),
        ("ALTER DEFINER = kolumn_test_ann@localhost EVENT cleaning DO DO 1", "definer"),
        (f"SET sql_mode = 'ANSI_QUOTES'; {alter} DO DO 1; SET sql_mode = DEFAULT", "sql_mode"),
        ("DROP EVENT cleaning", "-"),
    )


def _accounts(mariadb: bool) -> Iterator[Tampering]:
    yield from of(
        "schema",
        "archive",
        ("ALTER DATABASE archive COLLATE utf8mb4_unicode_ci", "collation"),
        ("ALTER DATABASE archive CHARACTER SET latin1", "character_set collation"),
        ("DROP DATABASE archive", "-"),
    )
    ann = "kolumn_test_ann@localhost"
    yield from of(
        "user",
        "kolumn_test_ann",
        (f"ALTER USER {ann} WITH MAX_USER_CONNECTIONS 4", "max_user_connections"),
        (f"ALTER USER {ann} WITH MAX_QUERIES_PER_HOUR 4", "max_queries_per_hour"),
        (f"ALTER USER {ann} WITH MAX_UPDATES_PER_HOUR 4", "max_updates_per_hour"),
        (f"ALTER USER {ann} WITH MAX_CONNECTIONS_PER_HOUR 4", "max_connections_per_hour"),
        (f"ALTER USER {ann} ACCOUNT LOCK", "locked"),
        (f"ALTER USER {ann} REQUIRE SSL", "require"),
        (f"ALTER USER {ann} REQUIRE X509", "require"),
        (f"GRANT kolumn_test_other TO {ann}", "member_of.kolumn_test_other"),
        (f"DROP USER {ann}", "-"),
    )
    yield from of(
        "role",
        "kolumn_test_reader",
        ("GRANT kolumn_test_all TO kolumn_test_reader", "member_of.kolumn_test_all"),
        ("GRANT kolumn_test_other TO kolumn_test_reader", "member_of.kolumn_test_other"),
    )
    yield from of(
        "grant",
        "a_grant",
        ("GRANT INSERT ON book TO kolumn_test_reader", "privileges"),
        ("GRANT DELETE, UPDATE ON book TO kolumn_test_reader", "privileges"),
        ("GRANT UPDATE (title) ON book TO kolumn_test_reader", "columns"),
        ("GRANT SELECT ON book TO kolumn_test_reader WITH GRANT OPTION", "grant_option"),
        ("REVOKE SELECT ON book FROM kolumn_test_reader", "-"),
    )


_VISIT = (
    "DROP INDEX once, DROP PERIOD FOR stay, ADD PERIOD FOR visit (since, until), "
    "ADD UNIQUE once (room, visit WITHOUT OVERLAPS)"
)


def _of_mariadb() -> Iterator[Tampering]:
    yield from of(
        "sequence",
        "numbers",
        ("ALTER SEQUENCE numbers INCREMENT BY 2", "increment"),
        ("ALTER SEQUENCE numbers MINVALUE -5", "min_value"),
        ("ALTER SEQUENCE numbers MAXVALUE 500", "max_value"),
        ("ALTER SEQUENCE numbers START WITH 7", "start"),
        ("ALTER SEQUENCE numbers CACHE 5", "cache"),
        ("ALTER SEQUENCE numbers CYCLE", "cycle"),
        ("DROP SEQUENCE numbers", "-"),
    )
    yield from of(
        "table",
        "versioned",
        ("ALTER TABLE versioned DROP SYSTEM VERSIONING", "system_versioned"),
    )
    yield from of(
        "table",
        "booked",
        (
            f"ALTER TABLE booked {_VISIT}",
            "application_period.name",
        ),
        ("ALTER TABLE booked DROP INDEX once, ADD UNIQUE once (room)", "uniques.once.without_overlaps"),
        ("ALTER TABLE booked MODIFY note text", "columns.note.compressed"),
    )


BOUND = (
    frozenset({"author", "book", "catalogue", "book_title", "book_priced", "a_grant", "stock"}),
    frozenset({"parts", "words"}),
    frozenset({"remembered", "by_hash"}),
    frozenset({"kolumn_test_ann", "catalogue", "close_to", "clear", "book_priced", "cleaning"}),
    frozenset({"kolumn_test_reader", "a_grant"}),
)
"""Resources that depend on each other so closely that changes of both at once say something else."""

NOT_CHANGED = frozenset(
    {
        # part of what identifies the object, so another value is another object
        "*.name", "*.schema", "*.table", "user.host", "role.host", "grant.account", "grant.on", "grant.object",
        # a wish of the configuration, which counts when the object is made
        "*.renamed_from", "table.auto_increment_start",
        # taken from configuration for databases that have them, and never more than the default here
        "index.where", "trigger.for_each_row", "trigger.when",
        # how the statement was written
        "trigger.header",
        # see tests.drift.mariadb
        "index.key_block_size",
        # how arguments are written, which is no difference
        "function.signature", "procedure.signature",
        # a collation says it
        "table.character_set", "schema.character_set",
        # left alone where configuration is silent, or known by a digest only
        "user.password", "user.plugin", "user.default_roles",
        # MySQL has none of these: see tests.drift.mariadb
        "table.system_versioned", "table.application_period", "sequence.start", "sequence.increment", "sequence.min_value",
        "sequence.max_value", "sequence.cache", "sequence.cycle",
    }
)  # fmt: skip
"""Attributes no tampering is about, by type, and why."""
