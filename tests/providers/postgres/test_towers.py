"""What stands on something that changes is dropped before and comes back after, with all that hangs on it."""

from __future__ import annotations

from tests.providers.postgres.databases import roles
from tests.providers.postgres.evolution import both_ways, evolve, words
from tests.servers import postgres


def tower(key: str, owner: str, reader: str) -> str:
    """Return six storeys over a table whose key is of the given type; each has something hanging on it."""
    return f"""
CREATE SCHEMA app; CREATE SCHEMA "Odd.Schema";
GRANT USAGE, CREATE ON SCHEMA public, app, "Odd.Schema" TO {owner};
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE base (id {key} PRIMARY KEY, price numeric, how mood DEFAULT 'glad');
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;

CREATE VIEW one WITH (security_barrier = true) AS SELECT id, price * 2 AS twice, how FROM base WHERE price > 0;
COMMENT ON VIEW one IS 'the first';
COMMENT ON COLUMN one.twice IS 'two times';
ALTER VIEW one ALTER COLUMN how SET DEFAULT 'sad';
GRANT SELECT ON one TO {reader};
GRANT UPDATE (how) ON one TO {reader};
CREATE TRIGGER touch INSTEAD OF UPDATE ON one FOR EACH ROW EXECUTE FUNCTION touched('x');
COMMENT ON TRIGGER touch ON one IS 'on a view';

CREATE MATERIALIZED VIEW app.two WITH (fillfactor = 80) AS SELECT id, sum(twice) AS total FROM one GROUP BY id;
CREATE UNIQUE INDEX two_id ON app.two (id);
CREATE INDEX two_total ON app.two USING btree (total DESC) WHERE total > 1;
COMMENT ON INDEX app.two_id IS 'of a materialized view';
ALTER MATERIALIZED VIEW app.two ALTER COLUMN total SET STATISTICS 50;
ALTER MATERIALIZED VIEW app.two OWNER TO {owner};
GRANT SELECT ON app.two TO {reader} WITH GRANT OPTION;

CREATE VIEW "Odd.Schema"."Three" AS SELECT two.id AS "Id", one.twice FROM app.two JOIN one USING (id);
CREATE RULE none AS ON DELETE TO "Odd.Schema"."Three" DO INSTEAD NOTHING;
COMMENT ON RULE none ON "Odd.Schema"."Three" IS 'nothing happens';
ALTER VIEW "Odd.Schema"."Three" OWNER TO {owner};

CREATE FUNCTION app.four(minimum integer DEFAULT 3) RETURNS SETOF "Odd.Schema"."Three" LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT * FROM "Odd.Schema"."Three" WHERE "Id" > minimum; END;
COMMENT ON FUNCTION app.four(integer) IS 'of a view''s rows';
REVOKE EXECUTE ON FUNCTION app.four(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.four(integer) TO {reader};

CREATE VIEW five AS SELECT f."Id", count(*) AS many FROM app.four(5) AS f GROUP BY f."Id";
GRANT ALL ON five TO {owner};

CREATE MATERIALIZED VIEW six AS SELECT "Id", many FROM five UNION ALL SELECT id, 0 FROM app.two WITH NO DATA;
CREATE INDEX six_id ON six ("Id");
COMMENT ON MATERIALIZED VIEW six IS 'the top';
"""


def test_a_tower_of_six_storeys_comes_back_after_its_ground_has_changed(server: postgres.Server) -> None:
    with roles(server, "owner", "reader") as (owner, reader):
        before, after = tower("integer", owner, reader), tower("bigint", owner, reader)
        for answer in both_ways(server, before, after):
            done = words(answer)
            change = next(
                at for at, step in enumerate(done) if step.startswith("alter column id of table base")
            )
            storeys = ("view one", "materialized_view app.two", "view five", "materialized_view six")
            for storey in storeys:
                assert done.index(f"drop {storey}") < change < done.index(f"create {storey}")


def test_a_tower_is_torn_down_and_built(server: postgres.Server) -> None:
    with roles(server, "owner", "reader") as (owner, reader):
        both_ways(server, "", tower("integer", owner, reader))


def test_a_storey_in_between_changes(server: postgres.Server) -> None:
    with roles(server, "owner", "reader") as (owner, reader):
        before = tower("integer", owner, reader)
        for old, new in (
            ("price * 2 AS twice", "price * 3::bigint AS twice"),
            ("price * 2 AS twice", "(price * 2)::integer AS twice"),
            ("sum(twice) AS total", "max(twice) AS total"),
            ('two.id AS "Id", one.twice', 'two.id AS "Id", one.twice, one.how'),
            ("app.four(minimum integer DEFAULT 3)", "app.four(smallest integer DEFAULT 4)"),
            ("LANGUAGE sql STABLE", "LANGUAGE sql IMMUTABLE"),
        ):
            assert old in before
            after = before.replace(old, new)
            if "smallest" in new:
                after = after.replace("> minimum", "> smallest")
            both_ways(server, before, after)


def test_views_over_views_of_several_schemas_whatever_their_names(server: postgres.Server) -> None:
    def script(step: str) -> str:
        chain = (
            "".join(f"CREATE SCHEMA s{at};" for at in range(5)) + f"CREATE TABLE s0.z (n integer, m {step});"
        )
        below = "s0.z"
        for at, name in enumerate(("y", "x", "b", "a", "aa", "zz")):
            chain += f"CREATE VIEW s{(at * 3) % 5}.{name} AS SELECT n, m FROM {below};"
            below = f"s{(at * 3) % 5}.{name}"
        return chain

    both_ways(server, script("integer"), script("text"))
    both_ways(server, "", script("integer"))


def test_what_a_function_says_is_needed_by_every_kind_of_object(server: postgres.Server) -> None:
    """A function that can only be dropped and created again, and everything that may stand on one."""

    def script(argument: str) -> str:
        return f"""
CREATE FUNCTION checked({argument} integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE
    AS $$BEGIN RETURN {argument} + 1; END$$;
COMMENT ON FUNCTION checked(integer) IS 'adds one';
CREATE DOMAIN small AS integer DEFAULT checked(1) CHECK (checked(VALUE) < 100);
CREATE TABLE things (
    id integer DEFAULT checked(5) PRIMARY KEY,
    n integer CONSTRAINT n_checked CHECK (checked(n) > 0),
    s small,
    span int4range,
    made integer GENERATED ALWAYS AS (checked(n)) STORED,
    EXCLUDE USING gist (span WITH &&) WHERE (checked(n) > 3)
);
COMMENT ON CONSTRAINT n_checked ON things IS 'a check';
COMMENT ON COLUMN things.id IS 'the key';
INSERT INTO things (n, s, span) VALUES (1, 2, '[1,2)');
CREATE INDEX things_checked ON things (checked(n));
CREATE INDEX things_some ON things (n) WHERE checked(n) > 2;
CREATE STATISTICS things_stats ON checked(n), n FROM things;
CREATE VIEW counted AS SELECT checked(n) AS c FROM things;
CREATE VIEW over_counted AS SELECT c FROM counted;
CREATE MATERIALIZED VIEW kept AS SELECT checked(n) AS c FROM things;
CREATE INDEX kept_c ON kept (c);
CREATE FUNCTION calls() RETURNS integer LANGUAGE sql RETURN checked(3);
CREATE FUNCTION with_default(a integer DEFAULT checked(7)) RETURNS integer LANGUAGE sql AS 'SELECT a';
ALTER TABLE things ENABLE ROW LEVEL SECURITY;
CREATE POLICY "some" ON things USING (checked(n) > 4);
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER when_checked BEFORE UPDATE ON things FOR EACH ROW WHEN (checked(NEW.n) > 1)
    EXECUTE FUNCTION touched();
CREATE RULE also AS ON INSERT TO counted DO INSTEAD INSERT INTO things (n) VALUES (checked(1));
"""

    for answer in both_ways(server, script("a"), script("b")):
        done = words(answer)
        assert "drop function checked(integer)" in done
        assert not any(
            "table things" in step and ("drop table" in step or "create table" in step) for step in done
        )
        assert not any("domain small" in step and step.startswith(("drop", "create")) for step in done)


def test_functions_that_triggers_aggregates_operators_and_events_stand_on(server: postgres.Server) -> None:
    def script(returns: str, argument: str) -> str:
        return f"""
CREATE TABLE t (n integer);
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE FUNCTION added({argument} integer, b integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE AGGREGATE total(integer) (SFUNC = added, STYPE = integer, INITCOND = '0');
COMMENT ON AGGREGATE total(integer) IS 'of numbers';
CREATE OPERATOR @+@ (FUNCTION = added, LEFTARG = integer, RIGHTARG = integer);
COMMENT ON OPERATOR @+@ (integer, integer) IS 'adds';
CREATE VIEW totals AS SELECT total(n) AS t, 1 @+@ 2 AS three FROM t;
CREATE FUNCTION happened() RETURNS event_trigger LANGUAGE {returns} AS $$BEGIN END$$;
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION happened();
COMMENT ON EVENT TRIGGER watch IS 'watches';
CREATE TRIGGER t_touch AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION touched();
"""

    both_ways(server, script("plpgsql", "a"), script("plpgsql", "c"))
    both_ways(server, "", script("plpgsql", "a"))


def test_overloads_change_without_what_uses_the_others(server: postgres.Server) -> None:
    def script(kind: str) -> str:
        return f"""
CREATE FUNCTION f(a {kind}) RETURNS {kind} LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION f(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE TABLE t (n integer DEFAULT f(1), m text DEFAULT f('a', 'b') CHECK (f(m, m) <> ''));
CREATE VIEW numbers AS SELECT f(n) AS n FROM t;
CREATE VIEW over_numbers AS SELECT n FROM numbers;
CREATE VIEW texts AS SELECT f(m, m) AS m FROM t;
"""

    for answer in both_ways(server, script("integer"), script("bigint")):
        done = words(answer)
        assert "drop view over_numbers" in done
        assert not any("texts" in step for step in done)


def test_one_name_changes_what_it_is(server: postgres.Server) -> None:
    base = "CREATE TABLE t (a integer);"
    on_top = "CREATE VIEW top AS SELECT a FROM it; CREATE FUNCTION all_of_it() RETURNS SETOF it LANGUAGE sql AS 'SELECT 1';"
    view = base + "CREATE VIEW it AS SELECT a FROM t;" + on_top
    kept = base + "CREATE MATERIALIZED VIEW it AS SELECT a FROM t;" + on_top
    table = base + "CREATE TABLE it (a integer);" + on_top
    both_ways(server, view, kept)
    both_ways(server, table, view)
    both_ways(
        server,
        "CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE VIEW v AS SELECT f(1) AS f;",
        "CREATE AGGREGATE f(integer) (SFUNC = int4pl, STYPE = integer); CREATE VIEW v AS SELECT f(1) AS f;",
    )
    both_ways(
        server,
        "CREATE FUNCTION f(a integer) RETURNS void LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE f(a integer) LANGUAGE sql AS 'SELECT 1'",
    )


def test_a_dropped_column_takes_along_only_what_needs_it(server: postgres.Server) -> None:
    before = """CREATE TABLE t (a integer, b integer);
CREATE VIEW both_columns AS SELECT a, b FROM t; CREATE VIEW above AS SELECT a, b FROM both_columns;
CREATE VIEW only_a AS SELECT a FROM t;"""
    after = """CREATE TABLE t (a integer);
CREATE VIEW both_columns AS SELECT a FROM t; CREATE VIEW above AS SELECT a FROM both_columns;
CREATE VIEW only_a AS SELECT a FROM t;"""
    down, up = both_ways(server, before, after)
    assert not any("only_a" in step for step in [*words(down), *words(up)])


def test_an_unmanaged_view_comes_back_as_well(server: postgres.Server) -> None:
    """Whoever made what is in the way, it is put back, though nobody asked for it by name."""
    from tests.client import wanted
    from tests.providers.postgres.databases import apply, database

    with (
        database(
            server,
            "CREATE TABLE t (a integer)",
            "CREATE VIEW somebodys AS SELECT a FROM t",
            "COMMENT ON VIEW somebodys IS 'mine'",
        ) as made,
        made.kolumn() as client,
    ):
        before = made.dump()
        apply(client, wanted("table", "t", {"columns": {"a": "bigint"}}))
        assert made.dump() == before.replace("a integer", "a bigint")


def test_dependencies_that_no_text_shows(server: postgres.Server) -> None:
    """A view over a function's rows depends on the row type's table; only the catalogue knows."""

    def script(kind: str) -> str:
        return f"""
CREATE TABLE zz (a {kind}, b text);
CREATE FUNCTION zz_rows() RETURNS SETOF zz LANGUAGE sql AS 'SELECT * FROM zz';
CREATE VIEW aa AS SELECT a FROM zz_rows() AS r;
CREATE VIEW whole AS SELECT zz FROM zz;
CREATE FUNCTION takes(z zz) RETURNS text LANGUAGE sql AS 'SELECT z.b';
CREATE VIEW taken AS SELECT takes(zz.*) AS b FROM zz;
"""

    evolve(server, "", script("integer"))
    both_ways(server, script("integer"), script("bigint"))
