"""The parser of CREATE statements must agree with SQLite about what it read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from kolumn.engine import parsing
from kolumn.providers.sqlite import ddl, render
from kolumn.providers.sqlite.model import SQLiteIndex, SQLiteTable
from kolumn.providers.sqlite.tokens import fold, tokenize, unquote
from kolumn.sql.model import ForeignKey, PrimaryKey, Unique
from kolumn.sql.reference import parse_reference
from kolumn.sql.tokens import without_outer_parentheses
from tests.strategies.sqlite_schemas import schemas

SHARED = "shared/peers/databases/sqlite"
PEERS = next((each / SHARED for each in Path(__file__).parents if (each / SHARED).exists()), Path(SHARED))


def objects(statements: list[str]) -> tuple[sqlite3.Connection, list[tuple[str, str, str]]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    query = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
    return connection, connection.execute(query).fetchall()


def default_of(text: str | None) -> str | None:
    """Return a default as table_xinfo shows it: the text inside its parentheses."""
    if text is None:
        return None
    return (
        text.strip()[1:-1].strip()
        if len(without_outer_parentheses(tokenize(text))) < len(tokenize(text))
        else text
    )


def assert_agrees(connection: sqlite3.Connection, table: SQLiteTable) -> None:
    """Compare a model with everything SQLite's pragmas say about the table."""
    ask = connection.execute
    listed = ask(
        "SELECT wr, strict FROM pragma_table_list WHERE name = ? AND schema = 'main'", (table.name,)
    ).fetchone()
    assert (bool(listed[0]), bool(listed[1])) == (table.without_rowid, table.strict)
    rows = ask(
        'SELECT name, type, "notnull", dflt_value, hidden FROM pragma_table_xinfo(?)', (table.name,)
    ).fetchall()
    key = next((each for each in table.constraints() if isinstance(each, PrimaryKey)), None)
    key_is_not_null = table.without_rowid or (table.strict and table.rowid_column is None)
    in_key = {fold(part.column) for part in key.columns} if key else set()
    assert [row[0] for row in rows] == [column.name for column in table.columns]
    for (name, kind, not_null, default, hidden), column in zip(rows, table.columns, strict=True):
        declared = unquote(column.type) if column.type[:1] in "\"[`'" else column.type
        assert kind.lower() == declared.lower()
        assert bool(not_null) == (column.not_null or (key_is_not_null and fold(name) in in_key))
        assert default == default_of(column.default)
        assert hidden == (0 if not column.generated else 3 if column.stored else 2)
    assert [
        fold(row[0])
        for row in ask("SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", (table.name,))
    ] == ([fold(part.column) for part in key.columns] if key else [])
    assert_foreign_keys(connection, table)
    assert_keys(connection, table)


def assert_foreign_keys(connection: sqlite3.Connection, table: SQLiteTable) -> None:
    found: dict[int, list[Any]] = {}
    for row in connection.execute("SELECT * FROM pragma_foreign_key_list(?)", (table.name,)):
        found.setdefault(row[0], []).append(row)
    theirs = []
    for rows in found.values():
        rows.sort(key=lambda row: row[1])
        columns = tuple(fold(row[3]) for row in rows)
        targets = tuple(fold(row[4] or "") for row in rows)
        theirs.append((fold(rows[0][2]), columns, targets, rows[0][5].lower(), rows[0][6].lower()))
    ours = []
    for each in table.constraints():
        if isinstance(each, ForeignKey):
            target = parse_reference(each.references)
            assert target is not None
            columns = tuple(map(fold, target.columns)) or ("",) * len(each.columns)
            ours.append(
                (fold(target.table), tuple(map(fold, each.columns)), columns, each.on_update, each.on_delete)
            )
    assert sorted(theirs) == sorted(ours)


def assert_keys(connection: sqlite3.Connection, table: SQLiteTable) -> None:
    """Every automatic index SQLite made must follow from a constraint that was read."""
    ours = {
        tuple((fold(part.column), part.order == "desc") for part in each.columns)
        for each in table.constraints()
        if isinstance(each, Unique | PrimaryKey)
    }
    for _, index, _, origin, _ in connection.execute(
        "SELECT * FROM pragma_index_list(?)", (table.name,)
    ).fetchall():
        parts = connection.execute(
            "SELECT name, desc FROM pragma_index_xinfo(?) WHERE key", (index,)
        ).fetchall()
        if origin != "c":
            assert tuple((fold(name), bool(desc)) for name, desc in parts) in ours


@given(schemas())
def test_random_schemas_are_read_as_sqlite_reads_them(statements: list[str]) -> None:
    connection, found = objects(statements)
    with closing(connection):
        for kind, _, sql in found:
            model = ddl.parse(kind, sql)
            if isinstance(model, SQLiteTable):
                assert_agrees(connection, model)
            elif isinstance(model, SQLiteIndex):
                (unique,) = connection.execute(
                    'SELECT "unique" FROM pragma_index_list(?) WHERE name = ?', (model.table, model.name)
                ).fetchone()
                assert bool(unique) == model.unique
                rows = connection.execute(
                    "SELECT name, desc FROM pragma_index_xinfo(?) WHERE key", (model.name,)
                )
                assert [(fold(name or ""), bool(desc)) for name, desc in rows] == [
                    (fold(part.column), part.order == "desc") for part in model.columns
                ]


@given(schemas())
def test_configuration_gives_the_same_model_and_statement(statements: list[str]) -> None:
    connection, found = objects(statements)
    connection.close()
    written = []
    for kind, _, sql in found:
        model = ddl.parse(kind, sql)
        config = parsing.config(render.concise(model))
        again = parsing.parse(type(model), config)
        assert again == model
        written.append((kind, sql, render.create(again)))
    connection, made = objects([text for _, _, text in written])
    with closing(connection):
        for (kind, _, sql), (_, before, _) in zip(made, written, strict=True):
            assert ddl.parse(kind, sql) == ddl.parse(kind, before)


@given(schemas())
def test_a_written_statement_is_read_as_the_same_model(statements: list[str]) -> None:
    """Without the statement it was read from, a model says all that matters."""
    connection, found = objects(statements)
    connection.close()
    for kind, _, sql in found:
        model = ddl.parse(kind, sql)
        anew = parsing.parse(type(model), {**parsing.config(model), "statement": ""})
        assert ddl.parse(kind, render.create(anew)) == model


@pytest.mark.skipif(not PEERS.exists(), reason=f"the peers' databases are not at {PEERS}")
@pytest.mark.parametrize("name", ["chinook", "sakila"])
def test_peers_schemas(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript((PEERS / f"{name}.sql").read_text())
    with closing(connection):
        rows = connection.execute("SELECT type, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        assert len(rows) > 20
        for kind, sql in rows:
            model = ddl.parse(kind, sql)
            assert render.concise(model).statement == ""
            if isinstance(model, SQLiteTable):
                assert_agrees(connection, model)


ODD_TABLES = [
    "CREATE TABLE t(a int, b int check(a) constraint x, constraint y unique(a) check(b>0))",
    "CREATE TABLE t(a int, b int, unique(a) check(b>0) foreign key(a) references u, constraint z)",
    "CREATE TABLE t(a integer,b, primary key(a autoincrement))",
    "CREATE TABLE t(a,b, unique(a,b) on conflict ignore constraint z)",
    "CREATE TABLE t(a int,b int,primary key(a)) without rowid, strict, strict",
    "CREATE TABLE t(c int, g integer GENERATED ALWAYS AS (c + 1))",
    "CREATE TABLE t(c int, g GENERATED ALWAYS AS (c + 1) STORED)",
    "CREATE TABLE t(c int, g int constraint a constraint b not null null)",
    "CREATE TABLE t(c int deferrable, d int references x deferrable initially deferred not deferrable)",
    "CREATE TABLE t(a CHAR(1)CHECK(a IN('x'))DEFAULT'x'NOT NULL, b INT DEFAULT-5)",
    "CREATE TABLE t(a int references b on insert cascade on delete set null match simple, 'c' 'd')",
    "CREATE TABLE t(a DOUBLE /* x */ PRECISION, b INTEGER -- no\n (3), c NUMERIC(-1,+2))",
    "CREATE TABLE t(a INTEGER PRIMARY KEY DESC ON CONFLICT REPLACE, b INT UNIQUE ON CONFLICT IGNORE)",
    "CREATE TABLE t(a CHECK (a > 0) CHECK (a < 9), b REFERENCES t(a) REFERENCES u(x))",
    'CREATE TABLE t(left int, cross int, "a""b" int, [c]]d] int)'.replace("[c]]d]", "[c d]"),
    "CREATE TABLE t(a if, b replace default replace, c text default if)",
]


@pytest.mark.parametrize("statement", ODD_TABLES)
def test_oddities_of_the_grammar(statement: str) -> None:
    connection, found = objects([statement])
    with closing(connection):
        model = ddl.parse("table", found[0][2])
        assert isinstance(model, SQLiteTable)
        assert_agrees(connection, model)
        anew = parsing.parse(SQLiteTable, {**parsing.config(model), "statement": ""})
        assert ddl.parse("table", render.create(anew)) == model


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("table", "CREATE TABLE t(a int"),
        ("table", "CREATE TABLE t(a int, PRIMARY KEY)"),
        ("table", "CREATE TABLE t(a int) WITH ROWID"),
        ("table", "CREATE TABLE t(a int) SOMETHING NEW"),
        ("table", "CREATE TABLE t(a int FANCY(1, 2, 3) NEW CLAUSE (x))"),
        ("index", "CREATE INDEX i ON t USING btree (a)"),
        ("view", "CREATE VIEW v AS DELETE FROM t"),
        ("trigger", "CREATE TRIGGER t AFTER SELECT ON x BEGIN SELECT 1; END"),
        ("table", "CREATE TABLE t(a int $)"),
    ],
)
def test_what_is_not_understood_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ddl.Unreadable, match=r"line 1 has .* near"):
        ddl.parse(kind, text)
