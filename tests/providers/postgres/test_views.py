"""Views and materialized views: every attribute, changed in place where a careful DBA would."""

from __future__ import annotations

import pytest

from kolumn.contract.errors import ValidationError
from kolumn.providers.postgres.language.queries import common_table_names, extends
from tests.client import wanted
from tests.providers.postgres.databases import apply, database, imported, roles, statements
from tests.providers.postgres.evolution import both_ways, evolve, risks, words
from tests.servers import postgres

BASE = """
CREATE TABLE film (id integer PRIMARY KEY, title text, length numeric(4), rating text DEFAULT 'G');
CREATE TABLE actor (id integer, name text COLLATE "C");
CREATE SEQUENCE numbers;
"""


def test_attributes_change_in_place(server: postgres.Server) -> None:
    with roles(server, "owner") as (owner,):
        invoker = server.version >= 15
        before = (
            BASE
            + f"""
GRANT CREATE ON SCHEMA public TO {owner};
CREATE VIEW plain AS SELECT id, title FROM film;
CREATE VIEW checked AS SELECT id, title FROM film WHERE id > 1 WITH LOCAL CHECK OPTION;
CREATE VIEW barred WITH (security_barrier) AS SELECT id FROM film;
CREATE VIEW invoked {"WITH (security_invoker = on)" if invoker else ""} AS SELECT id FROM film;
CREATE VIEW owned AS SELECT id FROM film;
CREATE VIEW said AS SELECT id, title FROM film; COMMENT ON VIEW said IS 'before'; COMMENT ON COLUMN said.id IS 'a';
CREATE VIEW defaults AS SELECT id, title, rating FROM film;
ALTER VIEW defaults ALTER id SET DEFAULT 1, ALTER title SET DEFAULT 'x''y';
CREATE MATERIALIZED VIEW kept WITH (fillfactor = 50) AS SELECT id, title FROM film;
ALTER MATERIALIZED VIEW kept ALTER title SET STATISTICS 10, ALTER title SET STORAGE EXTERNAL;
COMMENT ON COLUMN kept.id IS 'kept';
"""
        )
        after = (
            BASE
            + f"""
GRANT CREATE ON SCHEMA public TO {owner};
CREATE VIEW plain WITH (security_barrier = true) AS SELECT id, title FROM film WITH CASCADED CHECK OPTION;
COMMENT ON VIEW plain IS 'after';
CREATE VIEW checked AS SELECT id, title FROM film WHERE id > 1 WITH CASCADED CHECK OPTION;
CREATE VIEW barred AS SELECT id FROM film;
CREATE VIEW invoked {"WITH (security_invoker = false)" if invoker else ""} AS SELECT id FROM film;
CREATE VIEW owned AS SELECT id FROM film; ALTER VIEW owned OWNER TO {owner};
CREATE VIEW said AS SELECT id, title FROM film; COMMENT ON COLUMN said.title IS E'b\\\\''"';
CREATE VIEW defaults AS SELECT id, title, rating FROM film;
ALTER VIEW defaults ALTER id SET DEFAULT nextval('numbers'), ALTER rating SET DEFAULT 'PG';
COMMENT ON COLUMN defaults.rating IS 'both';
CREATE MATERIALIZED VIEW kept WITH (autovacuum_enabled = false) AS SELECT id, title FROM film;
ALTER MATERIALIZED VIEW kept ALTER id SET STATISTICS 0, ALTER title SET COMPRESSION pglz;
COMMENT ON COLUMN kept.title IS 'title'; COMMENT ON MATERIALIZED VIEW kept IS 'all';
ALTER MATERIALIZED VIEW kept OWNER TO {owner};
"""
        )
        for answer in both_ways(server, before, after):
            assert not any(step.startswith(("drop", "create")) for step in words(answer)), words(answer)


def test_queries_that_keep_their_columns_are_replaced_in_place(server: postgres.Server) -> None:
    """What stands on such a view stays where it is; going back needs the view anew, as columns go."""
    top = "CREATE VIEW top AS SELECT id FROM v; COMMENT ON VIEW top IS 'on it';"
    before = BASE + "CREATE VIEW v AS SELECT id, title FROM film;" + top
    for query in (
        "SELECT id, title FROM film WHERE id > 3 ORDER BY title LIMIT 5",
        "SELECT id, title, length FROM film",
        "SELECT id, title, count(*) OVER () AS n FROM film WHERE title IS DISTINCT FROM 'x' GROUP BY id, title",
    ):
        forth = evolve(server, before, BASE + f"CREATE VIEW v AS {query};" + top)
        assert [sql.split(" AS")[0] for sql in statements(forth)] == ["CREATE OR REPLACE VIEW public.v"]
    evolve(server, BASE + "CREATE VIEW v AS SELECT id, title, length FROM film;" + top, before)


def test_queries_with_other_columns_are_created_anew(server: postgres.Server) -> None:
    top = "CREATE VIEW top AS SELECT id FROM v; COMMENT ON VIEW top IS 'on it';"
    before = BASE + "CREATE VIEW v AS SELECT id, title FROM film;" + top
    for query in (
        "SELECT id::bigint AS id, title FROM film",
        "SELECT title, id FROM film",
        "SELECT id, name AS title FROM actor",
        "SELECT id, title AS name FROM film",
        "SELECT id FROM film",
    ):
        both_ways(server, before, BASE + f"CREATE VIEW v AS {query};" + top)


def test_the_server_says_which_columns_a_query_has(server: postgres.Server) -> None:
    """Another way to write the same columns is a replacement; another collation is not."""
    with (
        database(
            server, BASE, "CREATE VIEW v AS SELECT id, title FROM film", "CREATE VIEW top AS SELECT * FROM v"
        ) as made,
        made.kolumn() as client,
    ):
        for query, replaced in (
            ("WITH f AS (SELECT * FROM film) SELECT f.id, f.title FROM f", True),
            ("TABLE actor", False),
            ('SELECT id, title COLLATE "C" AS title FROM film', False),
            ('SELECT a.id, name COLLATE "default" AS title FROM actor a', True),
            ("VALUES (1, 'x'::text)", False),
        ):
            answer = client.plan(wanted("view", "v", {"definition": query}), detail=True)
            done = " ".join(statements(answer))
            assert ("CREATE OR REPLACE" in done) is replaced, (query, done)
            assert ("DROP VIEW public.top" in done) is not replaced


def test_other_spellings_are_no_change(server: postgres.Server) -> None:
    with database(server, BASE) as made, made.kolumn() as client:
        texts = {
            "a": "select ID, upper(title) as u from FILM where length>90 and id in (1,2)",
            "b": "SELECT a.*, f.title FROM actor AS a JOIN film f USING (id) -- all of them\n;",
            "c": "SELECT count(*) FILTER (WHERE id = ANY ('{1,2}')) FROM public.film",
            "d": "TABLE film",
            "e": "VALUES (1, 'x'), (2, NULL)",
            "f": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n",
        }
        resources = [wanted("view", name, {"definition": text}) for name, text in texts.items()]
        resources += [
            wanted("materialized_view", f"m{name}", {"definition": text}) for name, text in texts.items()
        ]
        resources.append(wanted("view", "g", {"definition": "SELECT 1, 2", "column_names": ["one", "Two"]}))
        apply(client, *resources)
        with made.kolumn() as stranger:  # without state, everything is compared in full
            again = stranger.plan(*resources, detail=True)
            assert not again.get("steps"), statements(again)


def test_column_names_are_part_of_the_query(server: postgres.Server) -> None:
    with database(server, BASE) as made, made.kolumn() as client:
        apply(
            client, wanted("view", "v", {"definition": "SELECT id, title FROM film", "column_names": ["a"]})
        )
        assert [name for name, *_ in imported_columns(made)] == ["a", "title"]
        apply(
            client,
            wanted("view", "v", {"definition": "SELECT id, title FROM film", "column_names": ["b", "c"]}),
        )
        assert [name for name, *_ in imported_columns(made)] == ["b", "c"]


def imported_columns(made: object) -> list[tuple[str]]:
    return made.rows(  # type: ignore[attr-defined]
        "SELECT attname FROM pg_attribute WHERE attrelid = 'v'::regclass AND attnum > 0 ORDER BY attnum"
    )


def test_views_are_renamed_and_what_stands_on_them_follows(server: postgres.Server) -> None:
    with (
        database(
            server,
            BASE,
            "CREATE VIEW old AS SELECT id FROM film",
            "CREATE VIEW top AS SELECT id FROM old",
            "CREATE MATERIALIZED VIEW kept AS SELECT old.id FROM old",
        ) as made,
        made.kolumn() as client,
    ):
        resources = [
            wanted("table", "film", imported(client, "table")[-1]["config"]),
            wanted("view", "new", {"definition": "SELECT id FROM film", "renamed_from": "old"}),
            wanted("view", "top", {"definition": "SELECT id FROM new"}),
        ]
        plan = client.plan(*resources, detail=True)
        assert "rename view old to new" in words(plan)
        assert not any("kept" in step for step in words(plan))
        apply(client, *resources)
        assert made.one("SELECT count(*) FROM kept") == 0
        keeps = wanted(
            "materialized_view", "keeps", {"definition": "SELECT id FROM new", "renamed_from": "kept"}
        )
        assert words(client.plan(keeps, detail=True))[0] == "rename materialized_view kept to keeps"
        apply(client, keeps)
        with made.kolumn() as stranger:
            assert not stranger.plan(*resources, keeps, detail=True).get("steps")


def test_a_materialized_view_is_computed_anew_and_that_is_said(server: postgres.Server) -> None:
    before = BASE + "CREATE MATERIALIZED VIEW m AS SELECT id FROM film; CREATE UNIQUE INDEX m_id ON m (id);"
    after = (
        BASE
        + "CREATE MATERIALIZED VIEW m AS SELECT id FROM film WHERE id > 1; CREATE UNIQUE INDEX m_id ON m (id);"
    )
    for answer in both_ways(server, before, after):
        assert risks(answer) == {"long_lock"}
    first = evolve(server, BASE, before)
    assert risks(first) == set()


def test_whether_a_materialized_view_is_filled_is_its_users_business(server: postgres.Server) -> None:
    with database(server, BASE) as made, made.kolumn() as client:
        empty = wanted("materialized_view", "m", {"definition": "SELECT id FROM film", "with_data": False})
        apply(client, empty)
        assert made.one("SELECT relispopulated FROM pg_class WHERE relname = 'm'") is False
        made.run("REFRESH MATERIALIZED VIEW m")
        assert not client.plan(empty, detail=True).get("steps")
        assert imported(client, "materialized_view")[0]["config"].get("with_data", True) is True


def test_a_matview_is_filled_from_functions_whose_tables_come_first(server: postgres.Server) -> None:
    """Nothing but running it shows what a function in plpgsql reads."""
    evolve(
        server,
        "",
        """
CREATE TABLE zz_source (n integer);
CREATE FUNCTION reads() RETURNS bigint LANGUAGE plpgsql STABLE AS $$BEGIN RETURN (SELECT sum(n) FROM public.zz_view); END$$;
CREATE VIEW zz_view AS SELECT n FROM zz_source;
CREATE MATERIALIZED VIEW aa AS SELECT reads() AS n;
""",
    )


@pytest.mark.parametrize(
    ("config", "path", "words_said"),
    [
        ({"definition": "SELECT 1; DROP TABLE x"}, "definition", "more than one statement"),
        ({"definition": "DELETE FROM x"}, "definition", "begins with DELETE"),
        ({"definition": "SELECT 1) x; --"}, "definition", "without ("),
        ({"definition": "SELECT 1 WITH CHECK OPTION"}, "definition", "attribute of its own"),
        ({"definition": "SELECT 1", "check_option": "sometimes"}, "check_option", "must be one of"),
        ({"definition": "SELECT 1", "security_barrier": "maybe"}, "security_barrier", "true or false"),
        ({"definition": "SELECT 1", "columns": {"a": {}}}, "columns.a.name", "nothing is said"),
        ({"definition": "SELECT 1", "columns": {"a": {"default": "1) x"}}}, "columns.a.default", "without ("),
        ({}, "definition", "is required"),
    ],
)
def test_faults_of_views(config: dict[str, object], path: str, words_said: str) -> None:
    from kolumn.providers.postgres.language.dialect import PostgresDialect
    from kolumn.providers.postgres.resources.view import ViewHandler

    with pytest.raises(ValidationError) as caught:
        ViewHandler(PostgresDialect()).parse(config, "v")
    (problem,) = caught.value.problems
    assert problem.path == path
    assert words_said in problem.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SELECT a, b FROM t", "SELECT a, b, c FROM t WHERE a = 1"),
        ("SELECT DISTINCT ON (a, b) a FROM t", "SELECT a FROM t"),
        ("WITH x AS (SELECT 1 AS n) SELECT n FROM x", "WITH x AS (SELECT 1 AS n) SELECT n, 2 AS m FROM x"),
        (
            "SELECT a FROM t UNION ALL SELECT b FROM u",
            "SELECT a FROM t UNION ALL SELECT b FROM u WHERE b > 1",
        ),
        ("SELECT EXTRACT(year FROM d) AS y FROM t", "SELECT EXTRACT(year FROM d) AS y FROM t LIMIT 3"),
        ("SELECT a IS DISTINCT FROM b AS d FROM t", "SELECT a IS DISTINCT FROM b AS d, c FROM t"),
        ("SELECT x.from FROM x", "SELECT x.from FROM x ORDER BY 1"),
        ("SELECT 1 AS n", "SELECT 1 AS n WHERE true"),
    ],
)
def test_queries_that_extend_others(before: str, after: str) -> None:
    assert extends(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SELECT a, b FROM t", "SELECT a FROM t"),
        ("SELECT a FROM t", "SELECT a FROM u"),
        ("SELECT a FROM t", "SELECT a FROM t AS x"),
        ("SELECT a FROM t", "SELECT a FROM t UNION SELECT 1.5"),
        ("SELECT a FROM t UNION SELECT b FROM u", "SELECT a FROM t UNION SELECT c FROM u"),
        ("WITH x AS (SELECT 1 AS n) SELECT n FROM x", "WITH x AS (SELECT 1.5 AS n) SELECT n FROM x"),
        ("VALUES (1)", "VALUES (2)"),
        ("SELECT a FROM t", "TABLE t"),
        ("SELECT a FROM t JOIN u USING (b)", "SELECT a FROM t LEFT JOIN u USING (b)"),
    ],
)
def test_queries_that_may_not_extend_others(before: str, after: str) -> None:
    assert not extends(before, after)


def test_names_of_common_table_expressions() -> None:
    text = 'WITH a AS (SELECT 1), "B c"(x, y) AS NOT MATERIALIZED (SELECT 1, 2) SELECT f(1) AS (z) FROM a'
    assert common_table_names(text) >= {"a", "B c"}
