"""Handlers: spellings, faults, identity, dependencies, renames; SQLite's dialect where texts are judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.errors import ValidationError
from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.planning import graph
from kolumn.engine.resource import Ref
from kolumn.providers.sqlite.dialect import SQLiteDialect
from kolumn.sql.handlers import IndexHandler, SchemaHandler, TableHandler, TriggerHandler, ViewHandler
from kolumn.sql.model import (
    Column,
    ForeignKey,
    Index,
    InlineTrigger,
    KeyPart,
    PrimaryKey,
    Schema,
    Table,
    Unique,
    View,
)
from kolumn.sql.operations import AddColumn, AddConstraint, DropConstraint, RebuildTable
from tests.sql.plain import PlainDialect

SQLITE = SQLiteDialect()
table_handler = TableHandler(Table, SQLITE)
apart = TableHandler(Table, PlainDialect())


def table(name: str = "t", /, **attributes: object) -> Table:
    return table_handler.parse(attributes, name)


def test_three_spellings_of_columns_are_one() -> None:
    bodies = {"id": {"type": "INTEGER", "primary_key": True}, "email": {"type": "TEXT", "nullable": False}}
    listed = [{"name": name, **body} for name, body in bodies.items()]
    blocks = table(column=bodies)
    assert blocks == table(columns=bodies) == table(columns=listed) == table(column=listed)
    assert [column.name for column in blocks.columns] == ["id", "email"]
    assert blocks.columns[1].not_null
    assert table(columns={"id": "INTEGER"}).columns == (Column(name="id", type="INTEGER"),)


def test_blocks_without_a_label() -> None:
    columns = {"a": {"type": "INTEGER"}}
    one = table(columns=columns, check={"expression": "a > 0"})
    assert one == table(columns=columns, checks=["a > 0"])
    assert table(columns=columns, check={"positive": {"expression": "a > 0"}}).checks[0].name == "positive"
    mixed = table(
        columns=columns, check=[{"name": "positive", "expression": "a > 0"}, {"expression": "a < 9"}]
    )
    assert [each.name for each in mixed.checks] == ["positive", ""]
    key = table(columns=columns, foreign_key={"columns": ["a"], "references": "o.id"})
    assert key.foreign_keys == (ForeignKey(columns=("a",), references="o.id"),)


def test_primary_keys_of_every_spelling_are_the_same_to_the_database() -> None:
    at_column = table(columns={"a": {"type": "INTEGER", "primary_key": True}})
    for key in (["a"], [{"column": "A"}], {"columns": ["a"]}, [{"columns": ["a"]}]):
        assert table_handler.diff(at_column, table(columns={"a": {"type": "integer"}}, primary_key=key)) == []
    descending = table(columns={"a": {}}, primary_key=[{"column": "a", "order": "desc"}])
    assert descending.primary_key == PrimaryKey(columns=(KeyPart(column="a", order="desc"),))
    assert table_handler.parse(table_handler.config(descending), "t") == descending


@pytest.mark.parametrize(("given", "text"), [(0, "0"), (-1.5, "-1.5"), (True, "true"), ("'text'", "'text'")])
def test_defaults_that_are_literals(given: object, text: str) -> None:
    assert table(columns={"a": {"default": given}}).columns[0].default == text


@pytest.mark.parametrize("text", ["CURRENT_TIMESTAMP", "null", "datetime('now')", "(1 + 2)"])
def test_defaults_that_are_expressions(text: str) -> None:
    assert table(columns={"a": {"default": text}}).columns[0].default == text


def test_a_bare_word_as_default_is_a_forgotten_quote() -> None:
    with pytest.raises(ValidationError) as caught:
        table(columns={"status": {"default": "active"}})
    (problem,) = caught.value.problems
    assert problem.path == "columns.status.default"
    assert "'active'" in problem.hint


def test_every_fault_at_once_with_its_path() -> None:
    with pytest.raises(ValidationError) as caught:
        table(
            columns=[
                {"name": "a", "type": "text); DROP TABLE users; --"},
                {"name": "b", "default": "1; DELETE FROM t", "references": "no(t"},
                {"type": "text", "check": "b >"},
                {"name": "c", "nullable": True, "not_null": True, "primry_key": True},
            ],
            checks=["a > 0) OR (1"],
            foreign_keys=[{"columns": ["a"], "references": "o(x)", "on_delete": "explode"}],
            indexes=[{"name": "i"}],
        )
    assert sorted(problem.path for problem in caught.value.problems) == [
        "checks[0].expression",
        "columns[0].type",
        "columns[1].default",
        "columns[1].references",
        "columns[2].name",
        "columns[3].nullable",
        "columns[3].primry_key",
        "foreign_keys[0].on_delete",
        "indexes",
    ]


def test_faults_across_columns() -> None:
    with pytest.raises(ValidationError) as caught:
        table(
            columns=[
                {"name": "a", "renamed_from": "z"},
                {"name": "A"},
                {"name": "b", "renamed_from": "Z"},
            ],
            primary_key=["nope"],
            foreign_keys=[{"columns": ["gone"], "references": "o(x)"}],
        )
    assert [problem.code for problem in caught.value.problems] == [
        "duplicate",
        "duplicate",
        "unknown_column",
        "unknown_column",
    ]


_FRAGMENTS = [
    "1",
    "a",
    ")",
    "(",
    ";",
    "--",
    "/*",
    "*/",
    "'",
    '"',
    "]",
    "[",
    "`",
    ",",
    " ",
    "\n",
    "\0",
    "?",
    "x'0'",
]


@given(st.lists(st.sampled_from([*_FRAGMENTS, "DROP TABLE v"]), max_size=8).map("".join))
def test_no_text_of_a_check_leaves_its_parentheses(text: str) -> None:
    import sqlite3

    try:
        made = table(columns={"a": {"type": "INTEGER"}}, checks=[text])
    except ValidationError:
        return
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript("CREATE TABLE v (x); CREATE TABLE w (y)")
        try:
            connection.executescript(f"CREATE TABLE t (a INTEGER, CHECK ({made.checks[0].expression}\n))")
        except sqlite3.Error:
            return
        found = connection.execute("SELECT name, type FROM sqlite_schema ORDER BY 1").fetchall()
        assert found == [("t", "table"), ("v", "table"), ("w", "table")]
        assert [row[1] for row in connection.execute("PRAGMA table_info(t)")] == ["a"]
    finally:
        connection.close()


def test_renames_are_followed_by_changes() -> None:
    live = table("old", columns={"a": {"type": "TEXT"}, "p": {"references": "old(a)"}})
    wanted = table(
        "new",
        columns={"b": {"type": "TEXT", "renamed_from": "a", "not_null": True}, "p": {"references": "new(b)"}},
    )
    operations = table_handler.diff(live, wanted)
    assert [each.describe() for each in operations] == [
        "rename table old to new",
        "rename column a to b in table new",
        "alter column b of table new: not null",
    ]
    assert operations[-1].effect() == {Ref("table", "new"): wanted}


def test_a_stale_hint_is_no_fault() -> None:
    live = table(columns={"b": {}})
    assert table_handler.diff(live, table(columns={"b": {"renamed_from": "a"}})) == []


def test_one_rename_frees_the_name_another_one_needs() -> None:
    live = table(columns={"a": {}, "b": {}})
    wanted = table(columns={"b": {"renamed_from": "a"}, "c": {"renamed_from": "b"}})
    assert [each.describe() for each in table_handler.diff(live, wanted)] == [
        "rename column b to c in table t",
        "rename column a to b in table t",
    ]


def test_a_name_in_other_letters_is_renamed_only_when_said() -> None:
    live = table(columns={"Id": {}})
    assert table_handler.diff(live, table(columns={"id": {}})) == []
    (rename,) = table_handler.diff(live, table(columns={"id": {"renamed_from": "Id"}}))
    assert rename.describe() == "rename column Id to id in table t"


def test_order_of_columns_alone_is_no_change_and_added_ones_are_placed_where_possible() -> None:
    live, wanted = table(columns={"a": {}, "c": {}}), table(columns={"c": {}, "a": {}})
    assert table_handler.diff(live, wanted) == []
    more = table(columns={"a": {}, "b": {}, "c": {}, "d": {}})
    first, second = TableHandler(Table, PlainDialect(places=True)).diff(live, more)
    assert isinstance(first, AddColumn)
    assert [column.name for column in first.after.columns] == ["a", "b", "c"]
    first, second = apart.diff(live, more)
    assert isinstance(first, AddColumn)
    assert [column.name for column in first.after.columns] == ["a", "c", "b"]
    assert second.after is more


def test_a_constraint_with_another_name_is_another_unless_the_database_names_them() -> None:
    def unique(name: str) -> Table:
        return Table(
            name="t",
            columns=(Column(name="a"),),
            uniques=(Unique(columns=(KeyPart(column="a"),), name=name),),
        )

    generated = TableHandler(Table, PlainDialect(generated=True))
    assert generated.diff(unique("t_a_key"), unique("")) == []
    assert len(generated.diff(unique("mine"), unique(""))) == 2
    drop, add = apart.diff(unique("t_a_key"), unique(""))
    assert isinstance(drop, DropConstraint)
    assert isinstance(add, AddConstraint)


@pytest.mark.parametrize("path", ["type", "default", "check", "name"])
def test_no_text_has_a_nul(path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        table(columns=[{"name": "a", path: "'a\0b'"}])
    assert [problem.path for problem in caught.value.problems] == [f"columns[0].{path}"]


def test_risks_name_the_rows_at_stake() -> None:
    live = table(columns={"a": {"type": "TEXT"}, "b": {}})
    wanted = table(
        columns={
            "a": {"type": "TEXT", "not_null": True, "check": "a <> ''"},
            "c": {"not_null": True},
            "d": {"references": "o(id)"},
        }
    )
    risks = {each.describe(): [risk.kind for risk in each.risks] for each in table_handler.diff(live, wanted)}
    assert risks == {
        "add column c to table t": ["may_fail"],
        "add column d to table t": [],
        "alter column a of table t: not null": ["may_fail"],
        "drop column b from table t": ["data_loss"],
        "add check (a <> '') to table t": ["may_fail"],
    }


def _ordered(*operations: Operation) -> list[str]:
    return [operations[at].describe() for at in graph.order(operations)]


def test_tables_that_refer_to_each_other_are_created_and_dropped() -> None:
    one = Table(
        name="one", columns=(Column(name="id", primary_key=True), Column(name="two", references="two(id)"))
    )
    two = Table(
        name="two", columns=(Column(name="id", primary_key=True), Column(name="one", references="one(id)"))
    )
    made = _ordered(*apart.diff(None, one), *apart.diff(None, two))
    assert made == [
        "create table one",
        "create table two",
        "add foreign key (two) to table one",
        "add foreign key (one) to table two",
    ]
    gone = _ordered(*apart.diff(one, None), *apart.diff(two, None))
    assert gone.index("drop foreign key (one) from table two") < gone.index("drop table one")
    assert gone.index("drop foreign key (two) from table one") < gone.index("drop table two")
    assert _ordered(*table_handler.diff(None, one), *table_handler.diff(None, two)) == [
        "create table one",
        "create table two",
    ]


def test_mutual_keys_over_new_columns_make_no_cycle() -> None:
    bare = [Table(name=name, columns=(Column(name="id"),)) for name in ("one", "two")]
    full = [
        Table(
            name=name,
            columns=(
                Column(name="id"),
                Column(name="x", unique=True),
                Column(name="y", references=f"{other}(x)"),
            ),
        )
        for name, other in (("one", "two"), ("two", "one"))
    ]
    operations = [
        each for before, after in zip(bare, full, strict=True) for each in apart.diff(before, after)
    ]
    order = _ordered(*operations)
    assert order.index("add column x to table two") < order.index("add foreign key (y) to table one")
    assert order.index("add column x to table one") < order.index("add foreign key (y) to table two")
    back = [each.inverse() for each in reversed(operations)]
    assert len(_ordered(*(each for each in back if each is not None))) == len(operations)


def test_a_key_is_there_before_what_refers_to_it_and_goes_after() -> None:
    parent = Table(name="p", columns=(Column(name="id"),))
    keyed = Table(name="p", columns=(Column(name="id", unique=True),))
    child = Table(name="c", columns=(Column(name="p"),))
    tied = Table(name="c", columns=(Column(name="p", references="p(id)"),))
    assert _ordered(*apart.diff(child, tied), *apart.diff(parent, keyed)) == [
        "add unique (id) to table p",
        "add foreign key (p) to table c",
    ]
    assert _ordered(*apart.diff(keyed, parent), *apart.diff(tied, child)) == [
        "drop foreign key (p) from table c",
        "drop unique (id) from table p",
    ]
    index = IndexHandler(Index, PlainDialect()).diff(
        None, Index(name="i", table="p", columns=(KeyPart(column="id"),), unique=True)
    )
    assert _ordered(*apart.diff(child, tied), *index)[0] == "create index i"


def test_a_rebuild_needs_and_gives_what_its_changes_do() -> None:
    live = Table(name="t", columns=(Column(name="a"), Column(name="b")))
    wanted = Table(name="t", columns=(Column(name="a", references="o(id)"), Column(name="c", unique=True)))
    changes = apart.diff(live, wanted)
    rebuild = RebuildTable(subject=apart.ref(live), before=live, after=wanted, because=tuple(changes))  # type: ignore[arg-type]
    assert Ref("table", "o") in rebuild.requires
    assert Ref("column", "b", parent="t") in rebuild.removes
    assert Ref("key", "c", parent="t") in rebuild.provides
    assert {risk.kind for risk in rebuild.risks} == {"data_loss", "may_fail"}
    back = rebuild.inverse()
    assert Ref("column", "c", parent="t") in back.removes


def test_what_objects_use() -> None:
    index = IndexHandler(Index, SQLITE)
    view, trigger = ViewHandler(View, SQLITE), TriggerHandler(InlineTrigger, SQLITE)
    made = index.parse({"table": "T", "columns": ["a"]}, "I")
    assert index.ref(made) == Ref("index", "i")
    assert Ref("table", "t") in index.uses(made)
    seen = view.parse({"definition": "SELECT * FROM T JOIN u ON 1"}, "v")
    assert {Ref("table", "t"), Ref("view", "u")} <= view.uses(seen)
    fires = trigger.parse({"table": "T", "events": "insert", "body": "DELETE FROM log;"}, "f")
    assert {Ref("table", "t"), Ref("table", "log")} <= trigger.uses(fires)
    inside = Table(name="t", schema="Shop", columns=(Column(name="a", references="u(id)"),))
    assert apart.uses(inside) == {Ref("schema", "shop"), Ref("table", "u", "shop")}
    assert apart.ref(Table(name="t", schema="public")) == Ref("table", "t")
    assert SchemaHandler(Schema, PlainDialect()).ref(Schema(name="Shop")) == Ref("schema", "shop")


def test_names_that_are_unique_per_table_only() -> None:
    dialect = PlainDialect()
    dialect.named_in_table = frozenset({"index"})
    handler = IndexHandler(Index, dialect)
    assert handler.ref(Index(name="i", table="T", columns=(KeyPart(column="a"),))) == Ref(
        "index", "i", parent="t"
    )


def test_changed_indexes_views_and_triggers_are_replaced() -> None:
    handler = TriggerHandler(InlineTrigger, SQLITE)
    live = handler.parse({"table": "t", "events": ["insert", "update of A"], "body": "DELETE FROM log;"}, "f")
    same = handler.parse(
        {"table": "T", "events": ["UPDATE OF a", "INSERT"], "body": "delete  from log;"}, "F"
    )
    assert handler.diff(live, same) == []
    other = handler.parse({"table": "t", "events": ["delete"], "body": "DELETE FROM log;"}, "f")
    drop, create = handler.diff(live, other)
    assert isinstance(drop, Drop)
    assert isinstance(create, Create)


def test_live_models_follow_renames() -> None:
    old = Table(name="old", columns=(Column(name="a"), Column(name="b")))
    child = Table(
        name="c", columns=(Column(name="x", references="old(a)"), Column(name="y", references="old.a"))
    )
    rename = Rename(subject=apart.ref(old), before=old, after=Table(name="new"), target=Ref("table", "new"))
    followed = apart.follow(child, rename)
    assert [column.references for column in followed.columns] == ["new(a)", "new(a)"]
    (column,) = apart.diff(
        old, Table(name="old", columns=(Column(name="z", renamed_from="a"), Column(name="b")))
    )
    assert [each.references for each in apart.follow(child, column).columns] == ["old(z)", "old(z)"]
    indexes, triggers = IndexHandler(Index, PlainDialect()), TriggerHandler(InlineTrigger, PlainDialect())
    index = Index(
        name="i", table="old", columns=(KeyPart(column="A"), KeyPart(expression="a + b")), where="a > 0"
    )
    assert indexes.follow(index, rename).table == "new"
    assert indexes.follow(index, column) == Index(
        name="i", table="old", columns=(KeyPart(column="z"), KeyPart(expression="z + b")), where="z > 0"
    )
    trigger = InlineTrigger(name="f", table="old", events=("update of a, b",), body="x")
    assert triggers.follow(trigger, column).events == ("update of z, b",)
    other = Index(name="i", table="elsewhere", columns=(KeyPart(column="a"),))
    assert indexes.follow(other, column) is other
