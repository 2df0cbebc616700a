"""Functions, procedures and aggregates: every attribute, replaced in place where PostgreSQL can."""

from __future__ import annotations

from typing import Any

import pytest

from kolumn.contract.errors import ValidationError
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.resources.aggregate import AggregateHandler
from kolumn.providers.postgres.resources.function import FunctionHandler
from kolumn.providers.postgres.resources.procedure import ProcedureHandler
from tests.client import wanted
from tests.providers.postgres.databases import apply, database, imported, roles, statements
from tests.providers.postgres.evolution import both_ways, evolve, words
from tests.servers import postgres

DIALECT = PostgresDialect()


def test_attributes_of_functions_change_in_place(server: postgres.Server) -> None:
    with roles(server, "owner") as (owner,):
        shared = f"""GRANT CREATE ON SCHEMA public TO {owner}; CREATE SCHEMA app;
CREATE FUNCTION hint(internal) RETURNS internal LANGUAGE internal STRICT AS 'generate_series_int4_support';
"""
        before = (
            shared
            + """
CREATE FUNCTION a(n integer) RETURNS integer LANGUAGE plpgsql AS $$BEGIN RETURN 1; END$$;
CREATE FUNCTION b(n integer, m text = 'x') RETURNS SETOF integer LANGUAGE plpgsql COST 7 ROWS 9
    SET work_mem = '1MB' SET search_path = public, "Odd" AS $$BEGIN RETURN NEXT 1; END$$;
CREATE FUNCTION c(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION d() RETURNS integer LANGUAGE sql RETURN 1;
CREATE FUNCTION e() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 1';
COMMENT ON FUNCTION e() IS 'before';
CREATE FUNCTION s(integer, integer) RETURNS SETOF integer LANGUAGE internal STRICT AS 'generate_series_int4';
CREATE PROCEDURE p(n integer) LANGUAGE plpgsql AS $$BEGIN END$$;
CREATE PROCEDURE q(INOUT n integer) LANGUAGE sql AS 'SELECT 1';
"""
        )
        after = (
            shared
            + f"""
CREATE FUNCTION a(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT SECURITY DEFINER LEAKPROOF
    PARALLEL SAFE COST 0.5 SET search_path = '' AS $$BEGIN RETURN 1; END$$;
ALTER FUNCTION a(integer) OWNER TO {owner};
CREATE FUNCTION b(n integer, m text = 'y') RETURNS SETOF integer LANGUAGE plpgsql ROWS 20
    SET enable_seqscan = off SET app.tenant = 'a''b' AS $$BEGIN RETURN NEXT 1; END$$;
CREATE FUNCTION c(first integer, integer DEFAULT 1 + 1) RETURNS integer LANGUAGE plpgsql
    AS 'BEGIN RETURN $1; END';
CREATE FUNCTION d() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION e() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 2; END;
COMMENT ON FUNCTION e() IS E'after \\\\ "it"';
CREATE FUNCTION s(integer, integer) RETURNS SETOF integer LANGUAGE internal STRICT SUPPORT hint
    AS 'generate_series_int4';
CREATE PROCEDURE p(n integer DEFAULT 1) LANGUAGE plpgsql SECURITY DEFINER SET work_mem = '2MB'
    AS $$BEGIN NULL; END$$;
COMMENT ON PROCEDURE p(integer) IS 'a procedure';
CREATE PROCEDURE q(INOUT n integer) LANGUAGE sql BEGIN ATOMIC SELECT 2; END;
"""
        )
        forth = evolve(server, before, after)
        assert not any(step.startswith(("drop", "create")) for step in words(forth)), words(forth)
        said = "\n".join(statements(forth))
        assert "ALTER FUNCTION public.a(integer) " in said
        assert "CREATE OR REPLACE FUNCTION public.a(" not in said, "the body need not be given again"
        back = evolve(server, after, before)
        anew = [step for step in words(back) if step.startswith("drop")]
        assert anew == ["drop function c(integer, integer)", "drop procedure p(integer)"], (
            "defaults and names go"
        )


def test_what_create_or_replace_refuses_is_created_anew(server: postgres.Server) -> None:
    top = "CREATE VIEW top AS SELECT f.* FROM f(1) AS f; COMMENT ON VIEW top IS 'stays';"
    before = "CREATE FUNCTION f(a integer, b integer = 2) RETURNS integer LANGUAGE sql AS 'SELECT 1';" + top
    for function in (
        "f(a integer, b integer = 2) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        "f(a integer, b integer = 2) RETURNS SETOF integer LANGUAGE sql AS 'SELECT 1'",
        "f(c integer, b integer = 2) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "f(integer, b integer = 2) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "f(a integer, b text = 'x') RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "f(a integer, b integer = 2, OUT c integer, OUT d text) LANGUAGE sql AS 'SELECT 1, ''x'''",
        "f(a integer, b integer = 2) RETURNS TABLE (c integer, d text) LANGUAGE sql AS 'SELECT 1, ''x'''",
    ):
        both_ways(server, before, f"CREATE FUNCTION {function};" + top)


def test_every_kind_of_signature(server: postgres.Server) -> None:
    script = """
CREATE SCHEMA app; CREATE TYPE mood AS ENUM ('glad'); CREATE TYPE app."Mood" AS ENUM ('sad');
CREATE DOMAIN app.small AS integer; CREATE TABLE app.film (id integer, title text);
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION f(mood) RETURNS mood LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION f(app."Mood"[], "Arg" app.small = 3) RETURNS app."Mood"[] LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION f(app.film) RETURNS SETOF app.film LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION f(varchar(20), numeric(5, 2), timestamp(3) with time zone, char(3), bit(4), interval hour to minute)
    RETURNS char(5) LANGUAGE sql AS $$SELECT 'x'$$;
CREATE FUNCTION f("char", name, int2, float4, float8, bpchar, bit, varbit, timetz) RETURNS bit LANGUAGE sql AS $$SELECT B'1'$$;
CREATE FUNCTION f(anyelement, VARIADIC anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION f(VARIADIC texts text[] = ARRAY['a,b', 'c)']) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
CREATE FUNCTION f(a int, OUT b int, INOUT c text = 'it''s', OUT "D d" int) LANGUAGE sql AS $$SELECT 1, 'x', 2$$;
CREATE FUNCTION f(a int, OUT b int, a2 date, OUT b2 int) RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION f(a bigint, OUT only_one text) LANGUAGE sql AS $$SELECT 'x'$$;
CREATE FUNCTION f(a date) RETURNS TABLE ("Odd name" integer, "select" text[]) LANGUAGE sql AS $$SELECT 1, '{}'::text[]$$;
CREATE FUNCTION f(b text) RETURNS TABLE (one integer) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app."Quoted ""name"".x"("a b" int) RETURNS int LANGUAGE sql AS 'SELECT 1';
COMMENT ON FUNCTION app."Quoted ""name"".x"(int) IS 'odd';
CREATE FUNCTION ranked() RETURNS bigint LANGUAGE internal WINDOW AS 'window_rank';
CREATE FUNCTION "case"(x int) RETURNS int LANGUAGE sql RETURN CASE WHEN x > 0 THEN 1 ELSE CASE x WHEN 0 THEN 2 END END;
CREATE FUNCTION many(x int) RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC
    INSERT INTO app.film VALUES (x, 'a;b' || CASE WHEN x > 1 THEN 'END' END);
    DELETE FROM app.film WHERE id = x;
    SELECT id FROM app.film; END;
CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM app.film; END;
CREATE FUNCTION dollars() RETURNS text LANGUAGE plpgsql AS $x$BEGIN RETURN $$a$$ || $body$b$body$; END$x$;
CREATE FUNCTION lines() RETURNS text LANGUAGE plpgsql AS E'\\r\\n\\tBEGIN\\r\\n RETURN \\'\\\\\\\\\\'; \\n\\n END; \\n';
CREATE PROCEDURE p(a int, OUT b int, INOUT c text, VARIADIC d int[]) LANGUAGE plpgsql AS $$BEGIN END$$;
COMMENT ON PROCEDURE p IS 'has all';
CREATE PROCEDURE p(a int, b text) LANGUAGE sql BEGIN ATOMIC INSERT INTO app.film VALUES (a, b); END;
CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC END;
"""
    evolve(server, "", script)
    evolve(server, script, "")


def test_routines_in_c(server: postgres.Server) -> None:
    """The library of dblink is there whether or not the extension is."""
    library = "plpgsql"
    script = f"""
CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS '$libdir/{library}', 'plpgsql_call_handler';
CREATE FUNCTION plpgsql_validator(oid) RETURNS void LANGUAGE c STRICT COST 3 AS '$libdir/{library}';
"""
    other = script.replace("COST 3", "").replace("'plpgsql_call_handler'", "'plpgsql_inline_handler'")
    for plan in both_ways(server, script, other):
        assert not any(step.startswith("drop") for step in words(plan))
    with database(server, script) as made, made.kolumn() as client:
        found = {each["config"]["name"]: each["config"] for each in imported(client, "function")}
        assert found["handler"]["object_file"] == f"$libdir/{library}"
        assert found["handler"]["link_symbol"] == "plpgsql_call_handler"
        assert "link_symbol" not in found["plpgsql_validator"]
        assert "cost" in found["plpgsql_validator"]


def test_spellings_of_a_function_are_one(server: postgres.Server) -> None:
    with database(server, "CREATE TYPE mood AS ENUM ('glad')") as made, made.kolumn() as client:
        one = wanted(
            "function",
            "f",
            {
                "arguments": [
                    {"name": "a", "type": "INT4"},
                    {"name": "m", "type": "public.mood", "default": "'glad'"},
                ],
                "returns": "SETOF varchar(10)",
                "language": "SQL",
                "volatility": "IMMUTABLE",
                "body": "SELECT 'x'",
                "settings": {"search_path": "PUBLIC,app", "enable_seqscan": False, "work_mem": "1MB"},
            },
        )
        other = wanted(
            "function",
            "f",
            {
                "arguments": {"a": "integer", "m": {"type": "mood", "default": "'glad'::mood"}},
                "returns": "setof character varying",
                "volatility": "immutable",
                "body": "SELECT 'x'",
                "rows": 1000,
                "cost": 100,
                "settings": {"work_mem": "1MB", "search_path": "public, app", "enable_seqscan": "off"},
            },
        )
        standard = wanted("function", "g", {"returns": "int", "body": "return 1+1 -- two"})
        again = wanted("function", "g", {"returns": "integer", "body": "RETURN (1 + 1);"})
        apply(client, one, standard)
        plan = client.plan(other, again, detail=True)
        assert not plan.get("steps"), statements(plan)


def test_an_overload_is_one_resource_each(server: postgres.Server) -> None:
    with database(server) as made, made.kolumn() as client:
        resources = [
            wanted(
                "function",
                f"area{at}",
                {"name": "area", "arguments": types, "returns": "int", "body": "SELECT 1"},
            )
            for at, types in enumerate(([], ["int"], ["int", "text"], ["varchar(3)"]))
        ]
        apply(client, *resources)
        identities = {each["name"] for each in imported(client, "function")}
        assert identities == {"area()", "area(integer)", "area(integer, text)", "area(character varying)"}
        clash = client.refused(
            "Plan",
            {
                "resources": [
                    *resources,
                    wanted("function", "z", {**resources[1]["config"], "arguments": ["int4"]}),
                ]
            },
        )
        assert clash.problems[0].code == "duplicate_object"


def test_a_renamed_function_keeps_what_uses_it(server: postgres.Server) -> None:
    with (
        database(
            server,
            "CREATE FUNCTION old() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TABLE t (a integer)",
            "CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION old()",
            "CREATE FUNCTION happened() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
            "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION happened()",
            "CREATE FUNCTION number(a integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
            "CREATE VIEW v AS SELECT number(a) AS n FROM t",
        ) as made,
        made.kolumn() as client,
    ):
        resources = {each["name"]: each for each in imported(client)}
        new = []
        for name, config in ((name, each["config"]) for name, each in resources.items()):
            text = repr(config)
            changed = eval(
                text.replace("'old'", "'new'")
                .replace("happened", "occurred")
                .replace("number(", "numeral(")
                .replace("'number'", "'numeral'")
            )
            if changed != config and resources[name]["resource_type"] == "function":
                changed["renamed_from"] = config["name"]
            new.append(wanted(resources[name]["resource_type"], name, changed))
        plan = client.plan(*new, detail=True)
        assert sorted(words(plan)) == [
            "rename function happened() to occurred()",
            "rename function number(integer) to numeral(integer)",
            "rename function old() to new()",
        ]
        apply(client, *new)


def test_aggregates_of_every_kind_change(server: postgres.Server) -> None:
    with roles(server, "owner") as (owner,):
        shared = f"""
GRANT CREATE ON SCHEMA public TO {owner}; CREATE SCHEMA app;
CREATE FUNCTION app.keep(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION minus(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 - $2';
CREATE FUNCTION as_text(integer) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
CREATE FUNCTION gather(text[], text, VARIADIC text[]) RETURNS text[] LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION final(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION final_extra(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
"""
        before = (
            shared
            + """
CREATE AGGREGATE total(integer) (SFUNC = app.keep, STYPE = integer, INITCOND = '0');
CREATE AGGREGATE total("the values" text, VARIADIC text[]) (SFUNC = gather, STYPE = text[]);
CREATE AGGREGATE app.moving(integer) (SFUNC = int4pl, STYPE = integer, SSPACE = 100, COMBINEFUNC = int4pl,
    MSFUNC = int4pl, MINVFUNC = minus, MSTYPE = integer, MSSPACE = 50, MINITCOND = '7', MFINALFUNC = final_extra,
    MFINALFUNC_EXTRA, MFINALFUNC_MODIFY = SHAREABLE, FINALFUNC = final, PARALLEL = RESTRICTED);
CREATE AGGREGATE biggest(integer) (SFUNC = int4larger, STYPE = integer, SORTOP = >, PARALLEL = SAFE);
CREATE AGGREGATE percentile(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE ranks(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi,
    STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE nothing(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
COMMENT ON AGGREGATE nothing(*) IS 'counts';
CREATE VIEW v AS SELECT total(a) AS t FROM (VALUES (1)) AS x (a);
"""
        )
        after = (
            shared
            + f"""
CREATE AGGREGATE total(integer) (SFUNC = app.keep, STYPE = integer, FINALFUNC = as_text, INITCOND = '1');
COMMENT ON AGGREGATE total(integer) IS 'as text';
CREATE AGGREGATE total("the values" text, VARIADIC text[]) (SFUNC = gather, STYPE = text[], INITCOND = '{{}}',
    PARALLEL = SAFE);
ALTER AGGREGATE total(text, text[]) OWNER TO {owner};
CREATE AGGREGATE app.moving(integer) (SFUNC = int4pl, STYPE = integer, FINALFUNC = final,
    FINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE biggest(integer) (SFUNC = int4larger, STYPE = integer, SORTOP = <);
CREATE AGGREGATE percentile(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = SHAREABLE);
CREATE AGGREGATE nothing(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '5');
CREATE VIEW v AS SELECT total(a) AS t FROM (VALUES (1)) AS x (a);
"""
        )
        for plan in both_ways(server, before, after):
            dropped = {step for step in words(plan) if step.startswith("drop aggregate")}
            assert dropped <= {"drop aggregate total(integer)", 'drop aggregate "ranks("any")"'}


def parsed(handler: PostgresHandler[Any], config: dict[str, object]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        handler.parse(config, "f")
    return [(problem.path, problem.message) for problem in caught.value.problems]


FUNCTION = {"returns": "int", "body": "SELECT 1"}


@pytest.mark.parametrize(
    ("config", "path", "said"),
    [
        ({}, "body", "is required"),
        ({"body": "SELECT 1"}, "returns", "is required"),
        ({**FUNCTION, "returns": "int; DROP TABLE x"}, "returns", "goes on"),
        ({**FUNCTION, "body": "RETURN 1; DROP TABLE x"}, "body", "more than one statement"),
        ({**FUNCTION, "body": "BEGIN ATOMIC SELECT 1; END; DROP TABLE x; SELECT 1"}, "body", "after its END"),
        ({**FUNCTION, "body": "RETURN 1 +"}, "", ""),
        ({**FUNCTION, "arguments": ["int, b int"]}, "arguments[0].type", "goes on"),
        (
            {**FUNCTION, "arguments": [{"type": "int", "default": "1) --"}]},
            "arguments[0].default",
            "without (",
        ),
        ({**FUNCTION, "arguments": [{"type": "int", "default": "1"}, "int"]}, "arguments", "has no default"),
        (
            {**FUNCTION, "arguments": [{"type": "int", "mode": "sideways"}]},
            "arguments[0].mode",
            "must be one of",
        ),
        ({**FUNCTION, "returns_table": {"a": "int"}}, "returns_table", "said twice"),
        ({**FUNCTION, "language": "c"}, "body", "has no body"),
        ({**FUNCTION, "object_file": "x"}, "object_file", "language c"),
        ({**FUNCTION, "settings": {"a b": "1"}}, "settings.a b", "no name"),
        ({**FUNCTION, "volatility": "sometimes"}, "volatility", "must be one of"),
        ({**FUNCTION, "support": "a.b.c"}, "support", "schema.name"),
        ({**FUNCTION, "body": "a\0b"}, "body", "NUL"),
        ({**FUNCTION, "name": "x" * 64}, "name", "63"),
    ],
)
def test_faults_of_functions(config: dict[str, object], path: str, said: str) -> None:
    if not path:
        FunctionHandler(DIALECT).parse(
            config, "f"
        )  # a syntax error the server finds: it breaks out of nothing
        return
    found = parsed(FunctionHandler(DIALECT), config)
    assert any(where == path and said in message for where, message in found), found


def test_faults_of_procedures_and_aggregates() -> None:
    assert parsed(ProcedureHandler(DIALECT), {"body": "SELECT 1", "returns": "int"})[0][0] == "returns"
    aggregate = {"sfunc": "f", "stype": "int", "arguments": ["int"]}
    assert parsed(AggregateHandler(DIALECT), {**aggregate, "sfunc": "f(int)"})[0][0] == "sfunc"
    assert parsed(AggregateHandler(DIALECT), {**aggregate, "hypothetical": True})[0][0] == "hypothetical"
    assert parsed(AggregateHandler(DIALECT), {**aggregate, "minvfunc": "f"})[0][0] == "minvfunc"
    assert parsed(AggregateHandler(DIALECT), {**aggregate, "sortop": "<--"})[0][0] == "sortop"


def test_no_text_gets_out_of_its_place(server: postgres.Server) -> None:
    """What looks like an injection is that very text in the catalogue afterwards."""
    evil = "x'; DROP TABLE victim; --$$ $body$ \\ \" */ /*"
    with database(server, "CREATE TABLE victim ()") as made, made.kolumn() as client:
        apply(
            client,
            wanted(
                "function",
                "f",
                {
                    "name": 'f";x',
                    "returns": "void",
                    "body": evil,
                    "comment": evil,
                    "arguments": [{"name": 'a"b', "type": "text"}],
                    "language": "plpgsql",
                    "settings": {"app.x": evil},
                },
            ),
            wanted("function", "t", {"returns": "trigger", "language": "plpgsql", "body": evil}),
            wanted(
                "trigger",
                't"; x',
                {"table": "victim", "events": ["insert"], "function": "t", "arguments": [evil]},
            ),
            wanted("view", 'v"; x', {"definition": "SELECT 1", "column_names": [evil[:60]], "comment": evil}),
        )
        assert made.one("SELECT prosrc FROM pg_proc WHERE proname = 'f\";x'") == evil
        assert made.one("SELECT count(*) FROM victim") == 0
        (trigger,) = imported(client, "trigger")
        assert trigger["config"]["arguments"] == [evil]
