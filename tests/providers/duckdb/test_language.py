"""What means the same to DuckDB: types by their structure, texts as its parser has them."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.language.fragments import expression_fault, query_fault, type_fault
from kolumn.providers.duckdb.language.types import conversion_risks, expanded, normal_type, parse_type
from kolumn.providers.duckdb.render import stage_query
from kolumn.providers.duckdb.resources.view import read_stage

DIALECT = DuckDBDialect()

_SCALARS = st.sampled_from(
    [
        "int",
        "INTEGER",
        "text",
        "varchar(7)",
        "decimal(6,2)",
        "NUMERIC(9)",
        "timestamptz",
        "hugeint",
        "bool",
        "json",
        "date",
    ]
)
_NAMES = st.text("aAbB é\"'.", min_size=1, max_size=4)


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def struct(kind: str, fields: dict[str, str]) -> str:
        quoted = (f'"{name.replace(chr(34), chr(34) * 2)}" {each}' for name, each in fields.items())
        return f"{kind}({', '.join(quoted)})"

    fields = st.dictionaries(_NAMES, inner, min_size=1, max_size=3).filter(
        lambda found: len({name.lower() for name in found}) == len(found)
    )
    return st.one_of(
        inner.map(lambda each: f"{each}[]"),
        inner.map(lambda each: f"{each}[3]"),
        st.tuples(st.sampled_from(["varchar", "int"]), inner).map(lambda each: f"map({each[0]}, {each[1]})"),
        fields.map(lambda each: struct("struct", each)),
        fields.map(lambda each: struct("union", each)),
        st.lists(_NAMES, min_size=1, max_size=3, unique=True).map(
            lambda labels: "enum(" + ", ".join("'" + each.replace("'", "''") + "'" for each in labels) + ")"
        ),
    )


@given(st.recursive(_SCALARS, _nested, max_leaves=6))
def test_a_type_is_the_one_the_catalogue_tells(text: str) -> None:
    assert type_fault(text) == ""
    ((told,),) = duckdb.execute(f"SELECT typeof(CAST(NULL AS {text}))").fetchall()
    assert normal_type(text) == normal_type(told)
    assert normal_type(str(parse_type(text))) == normal_type(text)
    assert list(conversion_risks("t.c", text, told)) == []


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("INTEGER", "BIGINT", set()),
        ("BIGINT", "INTEGER", {"may_fail"}),
        ("DECIMAL(6,2)", "INTEGER", {"conversion"}),
        ("DECIMAL(12,2)", "INTEGER", {"conversion", "may_fail"}),
        ("VARCHAR", "INTEGER", {"conversion", "may_fail"}),
        ("DOUBLE", "FLOAT", {"conversion", "may_fail"}),
        ("TIMESTAMP", "TIMESTAMPTZ", {"conversion"}),
        ("DECIMAL(4,0)", "BIGNUM", {"may_fail"}),
        ("VARCHAR", "ENUM('a')", {"may_fail"}),
        ("INTEGER", "VARCHAR", set()),
        ("STRUCT(a INTEGER, b INTEGER)", "STRUCT(A BIGINT)", {"data_loss"}),
        ("STRUCT(a INTEGER)", "STRUCT(a INTEGER, b INTEGER)", set()),
        ("STRUCT(a INTEGER)[]", "STRUCT(a SMALLINT)[]", {"may_fail"}),
        ("ENUM('a', 'b')", "ENUM('a')", {"may_fail"}),
        ("ENUM('a')", "ENUM('b', 'a')", set()),
        ("INTEGER[]", "INTEGER[3]", {"may_fail"}),
        ("MAP(VARCHAR, DOUBLE)", "MAP(VARCHAR, FLOAT)", {"conversion", "may_fail"}),
        ("TIMESTAMP", "DATE", {"conversion", "may_fail"}),
    ],
)
def test_what_a_change_of_type_endangers(before: str, after: str, kinds: set[str]) -> None:
    assert {each.kind for each in conversion_risks("t.c", before, after)} == kinds


SAMPLES = {
    "BOOLEAN": ["true"],
    "TINYINT": ["-128"],
    "INTEGER": ["2147483647", "-5", "0"],
    "UINTEGER": ["4294967295"],
    "BIGINT": ["9007199254740993"],
    "HUGEINT": ["170141183460469231731687303715884105727"],
    "BIGNUM": ["123456789012345678901234567890123456789012345"],
    "FLOAT": ["1.5", "0.1", "'nan'"],
    "DOUBLE": ["1e300", "123456789.123456789", "'inf'"],
    "DECIMAL(10,2)": ["1.25", "99999999.99"],
    "DECIMAL(4,0)": ["1234"],
    "VARCHAR": [
        "'abc'",
        "'1.5'",
        "'007'",
        "'2024-01-01 10:11:12.123456789'",
        "'12:13:14+02'",
        "'t'",
        "'[1, 2]'",
    ],
    "BLOB": [r"'\xAA'::BLOB"],
    "BIT": ["'10101'"],
    "DATE": ["'2024-02-29'", "'infinity'", "'0001-01-01'"],
    "TIME": ["'12:13:14.123456'"],
    "TIMETZ": ["'12:13:14.123456+02'"],
    "TIMESTAMP": ["'2024-02-29 12:13:14.123456'", "'2024-03-31 02:30:00'"],
    "TIMESTAMPTZ": ["'2024-10-27 00:30:00+00'"],
    "TIMESTAMP_S": ["'2024-02-29 12:13:14'"],
    "TIMESTAMP_NS": ["'2024-02-29 12:13:14.123456789'"],
    "INTERVAL": ["'1 month 40 days 25:00:00'"],
    "UUID": ["'5f8c7a52-0ba1-4d8e-a0cf-0c1b8dfe2a11'"],
    "ENUM('happy', 'sad')": ["'happy'"],
    "INTEGER[]": ["[1, 2]"],
    "INTEGER[2]": ["[1, 2]"],
    "STRUCT(a INTEGER)": ["{'a': 1}"],
    "STRUCT(b VARCHAR, a DOUBLE)": ["{'b': 'x', 'a': 1.5}"],
    "MAP(VARCHAR, INTEGER)": ["MAP {'a': 1}"],
    "UNION(n INTEGER, t VARCHAR)": ["union_value(t := '1')"],
    "JSON": ["'1.50'"],
}
ONE_WAY = {("HUGEINT", "BIGNUM"), ("TIMESTAMP_S", "TIMESTAMP_NS")}
"""DuckDB cannot convert these back, but nothing is lost."""


@pytest.mark.parametrize("before", SAMPLES)
def test_what_is_not_called_dangerous_loses_nothing(before: str) -> None:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'Europe/Vienna'")

        def cast(value: str, *types: str) -> str:
            for each in types:
                value = f"TRY_CAST({value} AS {each})"
            return value

        def answer(condition: str) -> bool:
            try:
                ((found,),) = database.execute(f"SELECT {condition}").fetchall()
            except duckdb.Error:  # there is no such conversion
                return False
            return bool(found)

        for after in SAMPLES.keys() - {before}:
            kinds = {each.kind for each in conversion_risks("t.c", before, after)}
            for value in SAMPLES[before]:
                there, back = cast(value, before, after), cast(value, before, after, before)
                fits = answer(f"{there} IS NOT NULL")
                assert fits or "may_fail" in kinds, (before, after, value)
                same = f"CAST({back} AS VARCHAR) = CAST({cast(value, before)} AS VARCHAR)"
                if fits and not kinds & {"conversion", "data_loss"} and (before, after) not in ONE_WAY:
                    assert answer(same), (before, after, value)


def test_names_of_types_are_what_they_stand_for() -> None:
    known = {("mood",): "ENUM('a')", ("s", "pair"): "STRUCT(x mood, y mood[])"}
    assert expanded("MAP(VARCHAR, s.pair)", known.get) == ("MAP(VARCHAR, STRUCT(x ENUM('a'), y ENUM('a')[]))")
    assert expanded("unknown[]", known.get) == "unknown[]"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a > 0", "(A>0)"),
        ("a and b or c", "((a AND b) OR c)"),
        ("x::int", "CAST(x AS INTEGER)"),
        ("count(*)", "count_star()"),
        ("[1, 2]", "list_value(1, 2)"),
        ("date '2020-01-01'", "CAST('2020-01-01' AS DATE)"),
        ("a IS NOT NULL -- as it must", "(a IS NOT NULL)"),
    ],
)
def test_spellings(one: str, other: str) -> None:
    assert DIALECT.normal_expression(one) == DIALECT.normal_expression(other)


def test_texts_are_exact_where_they_must_be() -> None:
    assert DIALECT.normal_expression("'A'") != DIALECT.normal_expression("'a'")
    assert DIALECT.normal_expression("a - b - c") != DIALECT.normal_expression("a - (b - c)")


@pytest.mark.parametrize(
    "text", ["1) + (2", "a, b", "*", "a; b", "", "/* ", "'a", "x y", "$1", "?", "a := 1", "COLUMNS('x')"]
)
def test_what_is_no_expression(text: str) -> None:
    assert expression_fault(text)


@pytest.mark.parametrize(
    "text", ["DELETE FROM x", "SELECT 1; SELECT 2", "", "x", "SELECT 1) t", "CREATE TABLE x (i INT)"]
)
def test_what_is_no_query(text: str) -> None:
    assert query_fault(text)


@pytest.mark.parametrize(
    "text", ["FROM x", "VALUES (1)", "WITH c AS (SELECT 1) SELECT * FROM c", "PIVOT x ON y USING sum(z)"]
)
def test_what_is_a_query(text: str) -> None:
    assert query_fault(text) == ""


def test_relations_are_what_is_read() -> None:
    text = 'WITH c AS (SELECT * FROM a) SELECT * FROM c JOIN s.b ON true, LATERAL (SELECT 1 FROM "D d" WHERE x IN (SELECT y FROM e))'
    assert {each.name for each in DIALECT.relations(text)} == {"a", "b", "d d", "e"}


def test_a_stage_is_read_back() -> None:
    stage = read_stage(
        "SELECT * FROM read_csv(['a.csv', 'b''c.csv'], header = true, delim := '|', skip = -1)"
    )
    assert stage is not None
    assert (stage.format, stage.paths, stage.options) == (
        "csv", ("a.csv", "b'c.csv"), {"header": True, "delim": "|", "skip": -1},
    )  # fmt: skip
    again = read_stage(stage_query(stage))
    assert again is not None and again.options == stage.options
    for text in (
        "SELECT a FROM read_csv('x')",
        "FROM read_csv('x') WHERE true",
        "FROM read_csv('x' || 'y')",
        "FROM t",
    ):
        assert read_stage(text) is None
