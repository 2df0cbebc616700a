"""Every built-in policy on real databases: what it is against, and the safe way, which it lets pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from kolumn.host.policies.in_force import rules_by_name
from tests.servers import postgres

from .project import ProjectFolder


@dataclass(frozen=True)
class Case:
    """A change that violates a rule, and one like it that does not."""

    rule: str
    provider: str
    violating: str
    safe: str
    before: str = ""
    """What is there already."""
    script: str = ""
    """What happens to it then, in SQL."""
    settings: str = ""
    """Of the policy."""
    words: tuple[str, ...] = ()
    """Options of the plan that is safe."""
    outcome: str = "violated"

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.provider}"


def table(name: str, *columns: str, more: str = "", provider: str = "sqlite") -> str:
    body = "\n  ".join(columns)
    return f'create "{provider}_table" "{name}" {{\n  {body}\n  {more}\n}}\n'


def column(name: str, type_: str = "INTEGER", *, key: bool = False, more: str = "") -> str:
    lines = [f'type = "{type_}"', *(["primary_key = true"] if key else []), *([more] if more else [])]
    return f'column "{name}" {{\n    ' + "\n    ".join(lines) + "\n  }"


ID = column("id", key=True)
BIG = column("id", "bigint", key=True)
FILLED_SQLITE = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO t SELECT i, i FROM n"
FILLED = "INSERT INTO t SELECT i, i FROM generate_series(1, 50) AS i; ANALYZE"
FEW = "max_rows = 10"
ONLINE = ("--online",)


def pg(name: str, *columns: str, more: str = "") -> str:
    return table(name, *columns, more=more, provider="postgres")


T = pg("t", BIG, column("n", "bigint"))


def _cases() -> Iterator[Case]:
    # Data loss
    yield Case("drop_table", "sqlite", "", table("t", ID), before=table("t", ID))
    yield Case("drop_table", "postgres", "", pg("t", BIG), before=pg("t", BIG))
    two = table("t", ID, column("n"))
    yield Case("drop_column", "sqlite", table("t", ID), two, before=two)
    yield Case("drop_column", "postgres", pg("t", BIG), T, before=T)
    yield Case(
        "narrower_type",
        "postgres",
        pg("t", BIG, column("n", "varchar(5)")),
        pg("t", BIG, column("n", "varchar(50)")),
        before=pg("t", BIG, column("n", "varchar(20)")),
    )
    yield Case(
        "narrower_type",
        "sqlite",
        table("t", ID, column("n", "INTEGER")),
        table("t", ID, column("n", "TEXT")),
        before=table("t", ID, column("n", "TEXT")),
    )
    enum = 'create "postgres_enum" "mood" {\n  values = [%s]\n}\n'
    yield Case(
        "drop_enum_value",
        "postgres",
        enum % '"sad", "ok"',
        enum % '"sad", "ok", "glad", "mad"',
        before=enum % '"sad", "ok", "glad"',
    )
    composite = 'create "postgres_composite_type" "c" {\n%s}\n'
    one, two_of_them = (
        "".join(f'  attribute "{name}" {{\n    type = "text"\n  }}\n' for name in names)
        for names in ("a", "ab")
    )
    yield Case(
        "other_data_loss",
        "postgres",
        composite % one,
        composite % two_of_them,
        before=composite % two_of_them,
    )
    yield Case(
        "not_null_without_default",
        "sqlite",
        table("t", ID, column("n"), column("m", more="not_null = true")),
        table("t", ID, column("n"), column("m", more='not_null = true\n    default = "0"')),
        before=two,
        script=FILLED_SQLITE,
    )
    yield Case(
        "not_null_without_default",
        "postgres",
        pg("t", BIG, column("n", "bigint"), column("m", "bigint", more="not_null = true")),
        pg("t", BIG, column("n", "bigint"), column("m", "bigint", more='not_null = true\n    default = "0"')),
        before=T,
        script=FILLED,
    )

    # Availability
    yield Case(
        "table_rewrite",
        "sqlite",
        table("t", ID, column("n", more='check = "n > 0"')),
        table("t", ID, column("n"), column("m")),
        before=two,
        script=FILLED_SQLITE,
        settings=FEW,
    )
    yield Case(
        "table_rewrite",
        "postgres",
        pg("t", BIG, column("n", "numeric(30,4)")),
        pg("t", BIG, column("n", "bigint"), column("m", "bigint")),
        before=T,
        script=FILLED,
        settings=FEW,
    )
    index = 'create "postgres_index" "i" {\n  table = "t"\n  columns = ["n"]\n}\n'
    yield Case(
        "index_not_online",
        "postgres",
        T + index,
        T + index,
        before=T,
        script=FILLED,
        settings=FEW,
        words=ONLINE,
    )
    yield Case(
        "index_dropped_not_online",
        "postgres",
        T,
        T,
        before=T + index,
        script=FILLED,
        settings=FEW,
        words=ONLINE,
    )
    unique = pg("t", BIG, column("n", "bigint", more="unique = true"))
    yield Case(
        "unique_not_online", "postgres", unique, unique, before=T, script=FILLED, settings=FEW, words=ONLINE
    )
    other = pg("o", BIG)
    refers = pg("t", BIG, column("n", "bigint", more='references = "o(id)"')) + other
    yield Case(
        "foreign_key_not_online",
        "postgres",
        refers,
        refers,
        before=T + other,
        script="INSERT INTO o SELECT i FROM generate_series(1, 50) AS i; " + FILLED,
        settings=FEW,
        words=ONLINE,
    )
    checked = pg("t", BIG, column("n", "bigint", more='check = "n > 0"'))
    yield Case(
        "check_not_online", "postgres", checked, checked, before=T, script=FILLED, settings=FEW, words=ONLINE
    )
    filled = pg("t", BIG, column("n", "bigint", more="not_null = true"))
    yield Case(
        "not_null_not_online", "postgres", filled, filled, before=T, script=FILLED, settings=FEW, words=ONLINE
    )
    uuid = pg("t", BIG, column("n", "bigint"), column("u", "uuid", more='default = "%s"'))
    yield Case(
        "volatile_default",
        "postgres",
        uuid % "gen_random_uuid()",
        uuid % "'00000000-0000-0000-0000-000000000000'::uuid",
        before=T,
        script=FILLED,
        settings=FEW,
    )
    both = pg("t", BIG, column("n", "bigint", more='check = "n > 0"\n    unique = true'))
    yield Case("several_locks", "postgres", both, both, before=T, script=FILLED, settings=FEW, words=ONLINE)

    # Compatibility
    yield Case(
        "rename_table",
        "sqlite",
        table("u", ID, more='renamed_from = "t"'),
        table("u", ID),
        before=table("t", ID),
    )
    yield Case(
        "rename_table", "postgres", pg("u", BIG, more='renamed_from = "t"'), pg("u", BIG), before=pg("t", BIG)
    )
    yield Case(
        "rename_column",
        "sqlite",
        table("t", ID, column("m", more='renamed_from = "n"')),
        table("t", ID, column("n"), column("m")),
        before=two,
    )
    yield Case(
        "rename_column",
        "postgres",
        pg("t", BIG, column("m", "bigint", more='renamed_from = "n"')),
        pg("t", BIG, column("n", "bigint"), column("m", "bigint")),
        before=T,
    )
    yield Case(
        "column_type_changed",
        "postgres",
        pg("t", BIG, column("n", "numeric")),
        pg("t", BIG, column("n", "bigint", more='default = "1"')),
        before=T,
    )
    strict = table("t", ID, column("n", more="not_null = true"))
    yield Case("not_null_dropped", "sqlite", two, strict, before=strict)
    yield Case("not_null_dropped", "postgres", T, filled, before=filled)
    function = 'create "postgres_function" "f" {\n  returns = "%s"\n  body = "SELECT %s"\n}\n'
    yield Case(
        "replaced_object",
        "postgres",
        function % ("text", "'a'"),
        function % ("int", "2"),
        before=function % ("int", "1"),
    )

    # Access
    guarded = pg("t", BIG, more="row_level_security = %s")
    yield Case(
        "row_level_security_disabled",
        "postgres",
        guarded % "false",
        guarded % "true",
        before=guarded % "true",
    )
    grant = pg("t", BIG) + (
        'create "postgres_grant" "g" {\n  object = postgres_table.t\n  role = "%s"\n  privileges = ["select"]\n}\n'
    )
    yield Case("grant_to_public", "postgres", grant % "public", grant % "pg_monitor")
    role = 'create "postgres_role" "policy_test_role" {\n  %s = true\n}\n'
    yield Case("superuser_role", "postgres", role % "superuser", role % "createdb")
    definer = 'create "postgres_function" "f" {\n  returns = "int"\n  body = "SELECT 1"\n  security_definer = true\n  %s\n}\n'
    yield Case(
        "security_definer_search_path",
        "postgres",
        definer % "",
        definer % 'settings = { search_path = "pg_catalog, pg_temp" }',
    )

    # Design
    yield Case("table_without_primary_key", "sqlite", table("t", column("id")), table("t", ID))
    yield Case(
        "table_without_primary_key",
        "postgres",
        pg("t", column("id", "bigint")),
        pg("t", column("id", "bigint"), more='primary_key = ["id"]'),
        before=pg("t", BIG),
    )
    refer = table("o", ID) + table("t", ID, column("n", more="references = sqlite_table.o.id"))
    yield Case(
        "foreign_key_without_index",
        "sqlite",
        refer,
        refer + 'create "sqlite_index" "i" {\n  table = sqlite_table.t\n  columns = ["n"]\n}\n',
    )
    apart = (
        pg("o", BIG)
        + T
        + (
            'create "postgres_foreign_key" "k" {\n  table = postgres_table.t\n  columns = ["n"]\n  references = "o(id)"\n}\n'
        )
    )
    yield Case("foreign_key_without_index", "postgres", apart, apart + index)
    for rule, bad, good in (
        ("timestamp_without_time_zone", "timestamp(3)", "timestamptz"),
        ("serial_column", "bigserial", "bigint"),
        ("bounded_text", "character varying(9)", "text"),
        ("padded_text", "char(3)", "text"),
        ("json_column", "json", "jsonb"),
        ("money_column", "money", "numeric"),
    ):
        yield Case(rule, "postgres", pg("t", BIG, column("n", bad)), pg("t", BIG, column("n", good)))
    yield Case(
        "small_primary_key",
        "postgres",
        pg("t", column("id", "int", key=True)),
        pg("t", BIG, column("n", "int")),
    )
    yield Case("unlogged_table", "postgres", pg("t", BIG, more="unlogged = true"), pg("t", BIG))
    indexes = two + (
        'create "sqlite_index" "a" {\n  table = "t"\n  columns = ["n"]\n}\n'
        'create "sqlite_index" "b" {\n  table = "t"\n  columns = [%s]\n}\n'
    )
    yield Case("redundant_index", "sqlite", indexes % '"n", "id"', indexes % '"id", "n"')
    cascade = table("o", ID) + table("t", ID, column("n", more='references = "o(id)"\n    on_delete = "%s"'))
    yield Case("cascading_delete", "sqlite", cascade % "cascade", cascade % "restrict")

    # Conventions
    yield Case("reserved_name", "sqlite", table("order", ID), table("orders", ID))
    yield Case(
        "reserved_name",
        "postgres",
        pg("t", BIG, column("user", "text")),
        pg("t", BIG, column("owner", "text")),
    )
    yield Case("quoted_name", "sqlite", table("my-table", ID), table("MyTable", ID))
    yield Case("quoted_name", "postgres", pg("MyTable", BIG), pg("my_table", BIG))
    yield Case("naming", "sqlite", table("t", ID), table("ts", ID), settings='tables = "[a-z]+s"')
    yield Case(
        "naming",
        "postgres",
        pg("t", column("Id", "int", key=True)),
        pg("t", BIG),
        settings='columns = "[a-z]+"',
    )
    yield Case(
        "allowed_types",
        "sqlite",
        table("t", ID, column("n", "BLOB")),
        table("t", ID, column("n", "varchar(20)")),
        settings='types = ["INTEGER", "VARCHAR"]',
    )
    yield Case("comment_required", "postgres", pg("t", BIG), pg("t", BIG, more='comment = "what for"'))
    yield Case("owner_required", "postgres", pg("t", BIG), pg("t", BIG, more='owner = "postgres"'))


CASES = list(_cases())


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in CASES} == set(rules_by_name())


@pytest.fixture
def at(project: ProjectFolder) -> Iterator[Any]:
    """Return a project folder on an empty database of a provider."""
    opened = []

    def of(provider: str) -> ProjectFolder:
        if provider == "postgres":
            database = postgres.server(18).database()
            url = database.__enter__()
            opened.append(database)
            project.environment["KOLUMN_POSTGRES_URL"] = url
        return project

    yield of
    for database in opened:
        database.__exit__(None, None, None)


def found(project: ProjectFolder, case: Case, text: str, *words: str) -> list[dict[str, Any]]:
    project.write(f'{text}\npolicy "{case.rule}" {{\n  {case.settings}\n}}\n')
    ran = project.run("plan", "--json", *words)
    assert ran.code == 0, ran.out + ran.err
    return [each for each in ran.document["plan"]["policies"] if each["policy"] == case.rule]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_rule_finds_what_it_is_about_and_nothing_else(at: Any, case: Case) -> None:
    project = at(case.provider)
    if case.before:
        project.write(case.before)
        project.apply()
        if case.script and case.provider == "sqlite":
            project.sql(case.script)
        elif case.script:
            with psycopg.connect(project.environment["KOLUMN_POSTGRES_URL"], autocommit=True) as connection:
                connection.execute(case.script.encode())
    violations = found(project, case, case.violating)
    assert [each["outcome"] for each in violations] == [case.outcome] * len(violations)
    assert violations and all(each["hint"] and each["address"] for each in violations), case.rule
    assert found(project, case, case.safe, *case.words) == [], case.rule


@pytest.mark.parametrize("provider", ["sqlite", "postgres"])
def test_rows_are_estimated_for_the_steps_of_a_plan(at: Any, provider: str) -> None:
    project = at(provider)
    make = table if provider == "sqlite" else pg
    key, more = (ID, column("n")) if provider == "sqlite" else (BIG, column("n", "bigint"))
    project.write(make("t", key, more) + make("empty", key, more))
    project.apply()
    if provider == "sqlite":
        project.sql(FILLED_SQLITE)
    else:
        with psycopg.connect(project.environment["KOLUMN_POSTGRES_URL"], autocommit=True) as connection:
            connection.execute(FILLED.encode())
    last = column("m") if provider == "sqlite" else column("m", "bigint")
    project.write(
        make("u", key, more, last, more='renamed_from = "t"')
        + make("empty", key, more, last)
        + make("new", key)
    )
    document = project.ok("plan", "--json").document["plan"]
    rows = {
        each["address"].partition(".")[2]: {step["rows"] for step in each["steps"]}
        for each in document["resources"]
    }
    assert {name: found for name, found in rows.items() if found} == {"u": {50}, "empty": {0}, "new": {0}}


def test_rows_that_nobody_counted_are_unknown(at: Any) -> None:
    project = at("postgres")
    project.write(T)
    project.apply()
    with psycopg.connect(project.environment["KOLUMN_POSTGRES_URL"], autocommit=True) as connection:
        connection.execute(b"INSERT INTO t SELECT i, i FROM generate_series(1, 50) AS i")
        connection.execute(b"SELECT pg_stat_force_next_flush()")
        connection.execute(b"SELECT pg_stat_reset()")
    project.write(
        pg("t", BIG, column("n", "numeric(30,4)"))
        + 'policy "big" {\n  for = "step"\n  deny = step.rewrites && step.rows > 10\n  message = "too big"\n}\n'
        + 'policy "table_rewrite" {\n  severity = "error"\n}\n'
    )
    ran = project.run("plan", "--json")
    steps = [step for each in ran.document["plan"]["resources"] for step in each["steps"]]
    assert {step["rows"] for step in steps} == {None}
    assert ran.code == 0, "what nobody knows hinders nothing"
    outcomes = {each["policy"]: each["outcome"] for each in ran.document["plan"]["policies"]}
    assert (outcomes["big"], outcomes["table_rewrite"]) == ("unknown", "unknown")
    assert "cannot be told" in project.ok("plan").out


def test_a_partitioned_table_has_the_rows_of_its_partitions(at: Any) -> None:
    project = at("postgres")
    with psycopg.connect(project.environment["KOLUMN_POSTGRES_URL"], autocommit=True) as connection:
        connection.execute(
            b"CREATE TABLE p (id bigint) PARTITION BY RANGE (id);"
            b"CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (30);"
            b"CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (30) TO (100);"
            b"INSERT INTO p SELECT generate_series(1, 50); ANALYZE"
        )
    project.write(
        'create "postgres_table" "p" {\n  columns = { id = "bigint", n = "text" }\n'
        '  partition_by {\n    strategy = "range"\n    columns = ["id"]\n  }\n}\n'
    )
    ran = project.run("plan", "--json")
    assert ran.code == 0, ran.out
    (resource,) = ran.document["plan"]["resources"]
    assert {step["rows"] for step in resource["steps"]} == {50}


def test_a_first_apply_is_informed_and_not_hindered(at: Any) -> None:
    """Nothing built in is an error by itself, whatever a plan does."""
    project = at("sqlite")
    project.write(table("order", column("id")))
    assert "warning table_without_primary_key" in project.ok("plan").out
    project.apply()
    project.write('create "sqlite_table" "other" {\n  columns = { a = "TEXT" }\n}\n')
    assert "warning drop_table" in project.ok("plan").out
    project.apply()
    assert project.objects() == {"other"}
