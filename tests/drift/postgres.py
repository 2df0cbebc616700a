"""What can be done to a PostgreSQL database by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.client import wanted
from tests.drift.tampering import Tampering, of


def _column(name: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def _table(name: str, *columns: dict[str, Any], **more: Any) -> Any:
    return wanted("table", name, {"name": name, "columns": list(columns), **more})


BEFORE = """
CREATE ROLE kolumn_test_other;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE ROLE kolumn_test_root SUPERUSER;
CREATE SCHEMA outside;
CREATE TEXT SEARCH PARSER outside.own (
  START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype
);
CREATE TABLE outside.target (id integer PRIMARY KEY);
CREATE FUNCTION ended(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
"""
"""Run before anything is applied: what the tampering needs and nobody manages."""

RESOURCES = (
    _table(
        "stock",
        _column("id", "integer", identity={"generated": "always", "sequence": "stock_numbers"}),
        _column("code", "text", not_null=True),
        _column("other", "text", collation="C"),
        _column("amount", "numeric", default="1"),
        _column("twice", "numeric", generated="amount * 2", stored=True),
        _column("number", "integer"),
        _column("during", "tsrange"),
        _column("target", "integer"),
        primary_key={"name": "stock_key", "columns": ["id"]},
        uniques=[{"name": "stock_code", "columns": ["code", "other"], "include": ["amount"]}],
        checks=[{"name": "stock_amount", "expression": "amount > 0"}],
        foreign_keys=[
            {"name": "stock_target", "columns": ["target"], "references": "outside.target(id)"},
        ],
        exclusions=[
            {
                "name": "stock_during",
                "columns": [{"column": "during", "operator": "&&"}],
                "method": "gist",
            }
        ],
        comment="Of things",
    ),
    _table("serials", _column("n", "serial"), _column("m", "integer")),
    _table(
        "measured",
        _column("at", "date", not_null=True),
        _column("n", "integer"),
        partition_by={"strategy": "range", "columns": ["at"]},
    ),
    wanted(
        "table",
        "measured_1",
        {
            "name": "measured_1",
            "partition_of": "measured",
            "bounds": "FROM ('2020-01-01') TO ('2021-01-01')",
        },
    ),
    _table("mother", _column("a", "integer")),
    _table("child", _column("a", "integer"), inherits=["mother"]),
    wanted(
        "view",
        "shelf",
        {"name": "shelf", "definition": "SELECT id, code FROM stock WHERE amount > 0"},
    ),
    wanted("sequence", "ticket", {"name": "ticket", "start": 5, "cache": 3, "max_value": 500}),
    wanted(
        "role",
        "kolumn_test_member",
        {
            "name": "kolumn_test_member",
            "member_of": ["pg_monitor"],
            "settings": {"work_mem": "64MB"},
            "valid_until": "2040-01-01",
        },
    ),
    wanted(
        "user",
        "kolumn_test_login",
        {"name": "kolumn_test_login", "password": "first-Secret-of-all", "connection_limit": 9},
    ),
    wanted(
        "grant",
        "on_stock",
        {
            "role": "kolumn_test_reader",
            "on": "table",
            "object": "stock",
            "privileges": ["select", "update"],
            "columns": [{"names": ["code"], "privileges": ["insert"]}],
        },
    ),
)
"""What is applied besides the samples."""


def _owner(kind: str, type_: str, name: str, sql: str = "") -> Tampering:
    (made,) = of(type_, name, (f"ALTER {kind} {sql or name} OWNER TO kolumn_test_other", "owner"))
    return made


def _comment(kind: str, type_: str, name: str, sql: str = "") -> Tampering:
    (made,) = of(type_, name, (f"COMMENT ON {kind} {sql or name} IS 'by hand'", "comment"))
    return made


def _aggregates() -> Iterator[Tampering]:
    head = "CREATE OR REPLACE AGGREGATE total(integer)"
    usual = "SFUNC = int4pl, STYPE = integer, INITCOND = '0'"
    moving = "MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = integer"
    yield from of(
        "aggregate",
        "total",
        (f"{head} (SFUNC = int4mul, STYPE = integer, INITCOND = '0')", "sfunc"),
        (
            (
                "DROP AGGREGATE total(integer); CREATE AGGREGATE total(integer) "
                "(SFUNC = int84pl, STYPE = bigint, INITCOND = '0')"
            ),
            "sfunc stype",
        ),
        (f"{head} ({usual}, SSPACE = 64)", "sspace"),
        (f"{head} ({usual}, FINALFUNC = int4abs)", "finalfunc"),
        (f"{head} ({usual}, FINALFUNC = ended, FINALFUNC_EXTRA)", "finalfunc finalfunc_extra"),
        (
            f"{head} ({usual}, FINALFUNC = int4abs, FINALFUNC_MODIFY = SHAREABLE)",
            "finalfunc finalfunc_modify",
        ),
        (f"{head} ({usual}, COMBINEFUNC = int4pl)", "combinefunc"),
        (f"{head} (SFUNC = int4pl, STYPE = integer, INITCOND = '7')", "initcond"),
        (f"{head} ({usual}, {moving})", "msfunc minvfunc mstype"),
        (
            (
                f"{head} ({usual}, {moving}, MSSPACE = 8, MFINALFUNC = int4abs, MFINALFUNC_MODIFY = SHAREABLE, "
                "MINITCOND = '0')"
            ),
            "msfunc minvfunc mstype msspace mfinalfunc mfinalfunc_modify minitcond",
        ),
        (
            f"{head} ({usual}, {moving}, MFINALFUNC = ended, MFINALFUNC_EXTRA)",
            "msfunc minvfunc mstype mfinalfunc mfinalfunc_extra",
        ),
        (f"{head} ({usual}, SORTOP = <)", "sortop"),
        (f"{head} ({usual}, PARALLEL = SAFE)", "parallel"),
        ("DROP AGGREGATE total(integer)", "-"),
    )
    yield _owner("AGGREGATE", "aggregate", "total", "total(integer)")
    yield _comment("AGGREGATE", "aggregate", "total", "total(integer)")


def _types() -> Iterator[Tampering]:
    yield from of(
        "collation",
        "plain",
        ("DROP COLLATION plain; CREATE COLLATION plain (provider = libc, locale = 'POSIX')", "locale"),
        (
            "DROP COLLATION plain; CREATE COLLATION plain (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX')",
            "locale lc_collate lc_ctype",
        ),
        ("DROP COLLATION plain", "-"),
    )
    yield from of(
        "collation",
        "plain",
        (
            "DROP COLLATION plain; CREATE COLLATION plain (provider = builtin, locale = 'C.UTF-8')",
            "provider locale",
        ),
        since=17,
    )
    yield _owner("COLLATION", "collation", "plain")
    yield _comment("COLLATION", "collation", "plain")
    yield from of(
        "composite_type",
        "point3",
        ("ALTER TYPE point3 ADD ATTRIBUTE w real", "attributes.w"),
        ("ALTER TYPE point3 DROP ATTRIBUTE y", "attributes.y"),
        ("ALTER TYPE point3 ALTER ATTRIBUTE y TYPE double precision", "attributes.y.type"),
        (
            'ALTER TYPE point3 ALTER ATTRIBUTE y TYPE text COLLATE "C"',
            "attributes.y.type attributes.y.collation",
        ),
        ("COMMENT ON COLUMN point3.x IS 'by hand'", "attributes.x.comment"),
        ("ALTER TYPE point3 RENAME ATTRIBUTE y TO yy", "attributes.y attributes.yy"),
        ("DROP TYPE point3", "-"),
    )
    yield _owner("TYPE", "composite_type", "point3")
    yield _comment("TYPE", "composite_type", "point3")
    yield from of(
        "domain",
        "percent",
        ("DROP DOMAIN percent; CREATE DOMAIN percent AS bigint CONSTRAINT least CHECK (VALUE >= 0)", "type"),
        (
            "DROP DOMAIN percent; CREATE DOMAIN percent AS text COLLATE \"C\" CONSTRAINT least CHECK (VALUE > 'a')",
            "type collation checks.least.expression",
        ),
        ("ALTER DOMAIN percent SET NOT NULL", "not_null"),
        ("ALTER DOMAIN percent SET DEFAULT 3", "default"),
        ("ALTER DOMAIN percent DROP CONSTRAINT least", "checks.least"),
        ("ALTER DOMAIN percent ADD CONSTRAINT most CHECK (VALUE < 101)", "checks.most"),
        ("ALTER DOMAIN percent ADD CONSTRAINT most CHECK (VALUE < 101) NOT VALID", "checks.most"),
        ("COMMENT ON CONSTRAINT least ON DOMAIN percent IS 'by hand'", "checks.least.comment"),
        (
            (
                "ALTER DOMAIN percent DROP CONSTRAINT least; "
                "ALTER DOMAIN percent ADD CONSTRAINT least CHECK (VALUE >= 0) NOT VALID"
            ),
            "checks.least.not_valid",
        ),
        ("DROP DOMAIN percent", "-"),
    )
    yield from of(
        "domain",
        "percent",
        ("ALTER DOMAIN percent ADD CONSTRAINT there NOT NULL", "not_null not_null_name"),
        since=18,
    )
    yield _owner("DOMAIN", "domain", "percent")
    yield _comment("DOMAIN", "domain", "percent")
    yield from of(
        "enum",
        "mood",
        ("ALTER TYPE mood ADD VALUE 'glad'", "values.glad"),
        ("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "values.sad values.blue"),
        ("DROP TYPE mood; CREATE TYPE mood AS ENUM ('happy', 'sad')", "values"),
        ("DROP TYPE mood", "-"),
    )
    yield _owner("TYPE", "enum", "mood")
    yield _comment("TYPE", "enum", "mood")
    head = "DROP TYPE span; CREATE TYPE span AS RANGE"
    yield from of(
        "range_type",
        "span",
        (f"{head} (subtype = integer)", "subtype"),
        (f"{head} (subtype = real, multirange_type_name = spans)", "multirange"),
        (f'{head} (subtype = text, collation = "C")', "subtype collation"),
        (f"{head} (subtype = text, subtype_opclass = text_pattern_ops)", "subtype opclass"),
        (f"{head} (subtype = double precision, subtype_diff = float8mi)", "subtype subtype_diff"),
        ("DROP TYPE span", "-"),
    )
    yield _owner("TYPE", "range_type", "span")
    yield _comment("TYPE", "range_type", "span")


def _routines() -> Iterator[Tampering]:
    head = "CREATE OR REPLACE FUNCTION close_to(a integer, b integer) RETURNS boolean LANGUAGE"
    body = "AS 'SELECT abs(a - b) < 3'"
    again = "DROP OPERATOR ~~~(integer, integer); DROP FUNCTION close_to(integer, integer); CREATE FUNCTION"
    operator = "; CREATE OPERATOR ~~~ (leftarg = integer, rightarg = integer, function = close_to)"
    yield from of(
        "function",
        "close_to",
        (f"{head} sql AS 'SELECT abs(a - b) < 9'", "body"),
        (f"{head} plpgsql AS 'BEGIN RETURN abs(a - b) < 3; END'", "body language"),
        (f"{head} sql VOLATILE STRICT {body}", "strict"),
        (f"{head} sql STABLE {body}", "volatility"),
        (f"{head} sql LEAKPROOF {body}", "leakproof"),
        (f"{head} sql PARALLEL SAFE {body}", "parallel"),
        (f"{head} sql COST 7 {body}", "cost"),
        (f"{head} sql SECURITY DEFINER {body}", "security_definer"),
        (f"{head} sql SET work_mem = '1MB' {body}", "settings"),
        (
            "CREATE OR REPLACE FUNCTION close_to(a integer, b integer DEFAULT 5) RETURNS boolean LANGUAGE sql "
            + body,
            "arguments.b.default",
        ),
        (
            f"{again} close_to(a integer, b integer) RETURNS integer LANGUAGE sql AS 'SELECT a'" + operator,
            "returns body",
        ),
        (
            f"{again} close_to(c integer, d integer) RETURNS boolean LANGUAGE sql AS 'SELECT abs(c - d) < 3'"
            + operator,
            "arguments.a arguments.b arguments.c arguments.d body",
        ),
        (
            f"{again} close_to(a integer, b integer) RETURNS TABLE (x boolean) LANGUAGE sql ROWS 7 {body}"
            + operator,
            "returns returns_table.x rows",
        ),
        (
            f"{again} close_to(a integer, b integer) RETURNS boolean LANGUAGE internal AS 'int4lt'"
            + operator,
            "language body",
        ),
    )
    yield _owner("FUNCTION", "function", "close_to", "close_to(integer, integer)")
    yield _comment("FUNCTION", "function", "close_to", "close_to(integer, integer)")
    head = "CREATE OR REPLACE PROCEDURE clear(n integer"
    yield from of(
        "procedure",
        "clear",
        (f"{head}) LANGUAGE plpgsql AS 'BEGIN NULL; END'", "body"),
        (f"{head}) LANGUAGE sql AS 'SELECT 1'", "body language"),
        (f"{head}) LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN END'", "security_definer"),
        (f"{head}) LANGUAGE plpgsql SET work_mem = '2MB' AS 'BEGIN END'", "settings"),
        (f"{head} DEFAULT 3) LANGUAGE plpgsql AS 'BEGIN END'", "arguments.n.default"),
        ("DROP PROCEDURE clear(integer)", "-"),
    )
    yield _owner("PROCEDURE", "procedure", "clear", "clear(integer)")
    yield _comment("PROCEDURE", "procedure", "clear", "clear(integer)")
    head = "DROP OPERATOR ~~~(integer, integer); CREATE OPERATOR ~~~ (leftarg = integer, rightarg = integer, function ="
    yield from of(
        "operator",
        "~~~",
        (f"{head} int4lt)", "function"),
        (f"{head} close_to, commutator = ~~~)", "commutator"),
        (f"{head} close_to, restrict = eqsel)", "restrict"),
        (f"{head} close_to, join = eqjoinsel)", "join"),
        (f"{head} close_to, hashes)", "hashes"),
        (f"{head} close_to, merges)", "merges"),
        (
            (
                "DROP OPERATOR ~~~(integer, integer); CREATE OPERATOR ~~~ (leftarg = integer, rightarg = integer, "
                "function = close_to, negator = !~~~~)"
            ),
            "negator",
        ),
        ("DROP OPERATOR ~~~(integer, integer)", "-"),
    )
    yield _owner("OPERATOR", "operator", "~~~", "~~~(integer, integer)")
    yield _comment("OPERATOR", "operator", "~~~", "~~~(integer, integer)")


def _events() -> Iterator[Tampering]:
    head = "DROP TRIGGER book_touched ON book; CREATE TRIGGER book_touched"
    when = "FOR EACH ROW WHEN (new.price <> old.price) EXECUTE FUNCTION touch()"
    yield from of(
        "trigger",
        "book_touched",
        (f"{head} AFTER UPDATE OF price ON book {when}", "timing"),
        (f"{head} BEFORE UPDATE OF title ON book {when}", "events"),
        (f"{head} BEFORE UPDATE OF price ON book FOR EACH ROW EXECUTE FUNCTION touch()", "when"),
        (
            f"{head} BEFORE UPDATE OF price ON book FOR EACH STATEMENT EXECUTE FUNCTION touch()",
            "when for_each_row",
        ),
        (
            (
                f"{head} BEFORE UPDATE OF price ON book FOR EACH ROW WHEN (new.price <> old.price) "
                "EXECUTE FUNCTION touch('x')"
            ),
            "arguments",
        ),
        (
            (
                f"{head} BEFORE UPDATE OF price ON book FOR EACH ROW WHEN (new.price <> old.price) "
                "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
            "function",
        ),
        (
            (
                "DROP TRIGGER book_touched ON book; CREATE CONSTRAINT TRIGGER book_touched AFTER UPDATE OF price ON book "
                f"FROM author DEFERRABLE INITIALLY DEFERRED {when}"
            ),
            "timing constraint from_table deferrable initially_deferred",
        ),
        (
            (
                f"{head} AFTER UPDATE ON book REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT "
                "EXECUTE FUNCTION touch()"
            ),
            "timing events for_each_row when old_table new_table",
        ),
        ("ALTER TABLE book DISABLE TRIGGER book_touched", "enabled"),
        ("COMMENT ON TRIGGER book_touched ON book IS 'by hand'", "comment"),
        ("DROP TRIGGER book_touched ON book", "-"),
    )
    head = "DROP EVENT TRIGGER note; CREATE EVENT TRIGGER note ON"
    yield from of(
        "event_trigger",
        "note",
        (f"{head} ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION noted()", "event"),
        (f"{head} ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION noted()", "tags"),
        ("ALTER EVENT TRIGGER note ENABLE REPLICA", "enabled"),
        ("ALTER EVENT TRIGGER note OWNER TO kolumn_test_root", "owner"),
        ("COMMENT ON EVENT TRIGGER note IS 'by hand'", "comment"),
        (
            (
                "CREATE FUNCTION other() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
                f"{head} ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION other()"
            ),
            "function",
        ),
        ("DROP EVENT TRIGGER note", "-"),
    )
    yield from of(
        "rule",
        "no_delete",
        (
            "CREATE OR REPLACE RULE no_delete AS ON DELETE TO author WHERE old.id > 5 DO INSTEAD NOTHING",
            "where",
        ),
        ("CREATE OR REPLACE RULE no_delete AS ON DELETE TO author DO ALSO NOTHING", "instead"),
        ("CREATE OR REPLACE RULE no_delete AS ON UPDATE TO author DO INSTEAD NOTHING", "event"),
        ("CREATE OR REPLACE RULE no_delete AS ON DELETE TO author DO INSTEAD NOTIFY gone", "actions"),
        ("ALTER TABLE author DISABLE RULE no_delete", "enabled"),
        ("COMMENT ON RULE no_delete ON author IS 'by hand'", "comment"),
        ("DROP RULE no_delete ON author", "-"),
    )


def _security() -> Iterator[Tampering]:
    yield from of(
        "policy",
        "own",
        ("ALTER POLICY own ON book USING (price > 7)", "using"),
        ("ALTER POLICY own ON book TO kolumn_test_other", "roles"),
        (
            "DROP POLICY own ON book; CREATE POLICY own ON book AS RESTRICTIVE FOR SELECT USING (price > 0)",
            "permissive",
        ),
        ("DROP POLICY own ON book; CREATE POLICY own ON book FOR DELETE USING (price > 0)", "command"),
        (
            "DROP POLICY own ON book; CREATE POLICY own ON book FOR UPDATE USING (price > 0) WITH CHECK (price > 1)",
            "command with_check",
        ),
        ("COMMENT ON POLICY own ON book IS 'by hand'", "comment"),
        ("DROP POLICY own ON book", "-"),
    )
    for flag in ("superuser", "createdb", "createrole", "replication", "bypassrls"):
        yield from of("role", "kolumn_test_member", (f"ALTER ROLE kolumn_test_member {flag}", flag))
        yield from of("user", "kolumn_test_login", (f"ALTER ROLE kolumn_test_login {flag}", flag))
    for type_, name in (("role", "kolumn_test_member"), ("user", "kolumn_test_login")):
        yield from of(
            type_,
            name,
            (f"ALTER ROLE {name} NOINHERIT", "inherit"),
            (f"ALTER ROLE {name} CONNECTION LIMIT 77", "connection_limit"),
            (f"ALTER ROLE {name} VALID UNTIL '2031-01-01'", "valid_until"),
            (f"GRANT pg_read_all_data TO {name}", "member_of.pg_read_all_data"),
            (
                f"ALTER ROLE {name} SET statement_timeout = '7s'",
                "settings.statement_timeout" if type_ == "role" else "settings",
            ),
            (f"ALTER ROLE {name} IN DATABASE postgres SET work_mem = '3MB'", "in_databases.postgres"),
            (f"ALTER ROLE {name} PASSWORD 'another-Secret-of-all'", "password"),
            (f"COMMENT ON ROLE {name} IS 'by hand'", "comment"),
        )
    yield from of(
        "role",
        "kolumn_test_member",
        ("REVOKE pg_monitor FROM kolumn_test_member", "member_of.pg_monitor"),
        ("ALTER ROLE kolumn_test_member SET work_mem = '1MB'", "settings.work_mem"),
        ("ALTER ROLE kolumn_test_member RESET ALL", "settings"),
        ("GRANT pg_monitor TO kolumn_test_member WITH ADMIN OPTION", "member_of.pg_monitor.admin"),
        ("ALTER ROLE kolumn_test_member LOGIN", "type login"),
    )
    yield from of(
        "role",
        "kolumn_test_member",
        ("GRANT pg_monitor TO kolumn_test_member WITH INHERIT FALSE", "member_of.pg_monitor.inherit"),
        ("GRANT pg_monitor TO kolumn_test_member WITH SET FALSE", "member_of.pg_monitor.set"),
        since=16,
    )
    yield from of(
        "user",
        "kolumn_test_login",
        ("ALTER ROLE kolumn_test_login NOLOGIN", "type"),
    )
    yield from of(
        "grant",
        "on_stock",
        ("GRANT DELETE ON stock TO kolumn_test_reader", "privileges"),
        ("REVOKE UPDATE ON stock FROM kolumn_test_reader", "privileges"),
        ("GRANT SELECT ON stock TO kolumn_test_reader WITH GRANT OPTION", "grant_option"),
        ("GRANT INSERT (other) ON stock TO kolumn_test_reader", "columns"),
        ("REVOKE INSERT (code) ON stock FROM kolumn_test_reader", "columns"),
        ("REVOKE ALL ON stock FROM kolumn_test_reader", "-"),
    )
    head = "ALTER DEFAULT PRIVILEGES FOR ROLE postgres"
    yield from of(
        "default_privileges",
        "a_default_privileges",
        (f"{head} GRANT DELETE ON TABLES TO kolumn_test_reader", "privileges"),
        (f"{head} GRANT SELECT ON TABLES TO kolumn_test_reader WITH GRANT OPTION", "grant_option"),
        (f"{head} REVOKE ALL ON TABLES FROM kolumn_test_reader", "-"),
    )


def _relations() -> Iterator[Tampering]:
    alter = "ALTER TABLE stock"
    yield from of(
        "table",
        "stock",
        (f"{alter} ADD COLUMN new text DEFAULT 'x'", "columns.new"),
        (f"{alter} DROP COLUMN number", "columns.number"),
        (f"{alter} RENAME COLUMN number TO digits", "columns.number columns.digits"),
        (f"{alter} ALTER number TYPE bigint", "columns.number.type"),
        (f"{alter} ALTER number SET NOT NULL", "columns.number.not_null"),
        (f"{alter} ALTER code DROP NOT NULL", "columns.code.not_null"),
        (f"{alter} ALTER amount SET DEFAULT 2", "columns.amount.default"),
        (f"{alter} ALTER amount DROP DEFAULT", "columns.amount.default"),
        (f"{alter} ALTER twice DROP EXPRESSION", "columns.twice.generated columns.twice.stored"),
        (f'{alter} ALTER other TYPE text COLLATE "POSIX"', "columns.other.collation"),
        (f"{alter} ALTER code SET STORAGE EXTERNAL", "columns.code.storage"),
        (f"{alter} ALTER code SET COMPRESSION pglz", "columns.code.compression"),
        (f"{alter} ALTER code SET STATISTICS 77", "columns.code.statistics"),
        (f"{alter} ALTER code SET (n_distinct = 7)", "columns.code.parameters"),
        (f"{alter} ALTER id SET GENERATED BY DEFAULT", "columns.id.identity.generated"),
        (
            f"{alter} ALTER id SET START 5 SET INCREMENT 5 RESTART 5 SET MINVALUE 2 SET MAXVALUE 5000 SET CACHE 5 SET CYCLE",
            (
                "columns.id.identity.start columns.id.identity.increment columns.id.identity.min_value "
                "columns.id.identity.max_value columns.id.identity.cache columns.id.identity.cycle"
            ),
        ),
        ("ALTER SEQUENCE stock_numbers RENAME TO stock_digits", "columns.id.identity.sequence"),
        (f"{alter} ALTER id DROP IDENTITY", "columns.id.identity"),
        ("COMMENT ON COLUMN stock.code IS 'by hand'", "columns.code.comment"),
        (f"{alter} ADD UNIQUE (number)", "columns.number.unique"),
        (f"{alter} ADD CHECK (number > 3)", "columns.number.check"),
        (
            (
                f"{alter} DROP CONSTRAINT stock_key; {alter} ADD CONSTRAINT stock_key PRIMARY KEY (id) "
                "INCLUDE (number) WITH (fillfactor = 70) DEFERRABLE INITIALLY DEFERRED"
            ),
            "primary_key.include primary_key.parameters primary_key.deferrable primary_key.initially_deferred",
        ),
        (f"{alter} RENAME CONSTRAINT stock_key TO stock_id", "primary_key.name"),
        (
            f"{alter} DROP CONSTRAINT stock_key; {alter} ADD CONSTRAINT stock_key PRIMARY KEY (id, number)",
            "primary_key.columns",
        ),
        (f"{alter} CLUSTER ON stock_key", "primary_key.clustered"),
        (f"{alter} REPLICA IDENTITY USING INDEX stock_key", "primary_key.replica_identity"),
        (f"{alter} DROP CONSTRAINT stock_key", "primary_key"),
        ("COMMENT ON CONSTRAINT stock_key ON stock IS 'by hand'", "primary_key.comment"),
        (f"{alter} DROP CONSTRAINT stock_code", "uniques.stock_code"),
        (
            (
                f"{alter} DROP CONSTRAINT stock_code; {alter} ADD CONSTRAINT stock_code UNIQUE NULLS NOT DISTINCT "
                "(code, other) INCLUDE (amount, number) WITH (fillfactor = 70) DEFERRABLE INITIALLY DEFERRED"
            ),
            (
                "uniques.stock_code.nulls_not_distinct uniques.stock_code.include uniques.stock_code.parameters "
                "uniques.stock_code.deferrable uniques.stock_code.initially_deferred"
            ),
        ),
        (
            f"{alter} DROP CONSTRAINT stock_code; {alter} ADD CONSTRAINT stock_code UNIQUE (other, code) INCLUDE (amount)",
            "uniques.stock_code.columns",
        ),
        (f"{alter} CLUSTER ON stock_code", "uniques.stock_code.clustered"),
        ("COMMENT ON CONSTRAINT stock_code ON stock IS 'by hand'", "uniques.stock_code.comment"),
        (f"{alter} RENAME CONSTRAINT stock_code TO stock_name", "uniques.stock_code uniques.stock_name"),
        (f"{alter} DROP CONSTRAINT stock_amount", "checks.stock_amount"),
        (
            f"{alter} DROP CONSTRAINT stock_amount; {alter} ADD CONSTRAINT stock_amount CHECK (amount > 1)",
            "checks.stock_amount.expression",
        ),
        (
            (
                f"{alter} DROP CONSTRAINT stock_amount; "
                f"{alter} ADD CONSTRAINT stock_amount CHECK (amount > 0) NO INHERIT NOT VALID"
            ),
            "checks.stock_amount.no_inherit checks.stock_amount.not_valid",
        ),
        ("COMMENT ON CONSTRAINT stock_amount ON stock IS 'by hand'", "checks.stock_amount.comment"),
        (f"{alter} ADD CONSTRAINT further CHECK (amount > number)", "checks.further"),
        (f"{alter} DROP CONSTRAINT stock_target", "foreign_keys.stock_target"),
        (
            (
                f"{alter} DROP CONSTRAINT stock_target; {alter} ADD CONSTRAINT stock_target FOREIGN KEY (target) "
                "REFERENCES outside.target ON DELETE SET NULL (target) ON UPDATE CASCADE "
                "DEFERRABLE INITIALLY DEFERRED NOT VALID"
            ),
            (
                "foreign_keys.stock_target.on_delete foreign_keys.stock_target.on_delete_columns "
                "foreign_keys.stock_target.on_update foreign_keys.stock_target.deferrable "
                "foreign_keys.stock_target.initially_deferred foreign_keys.stock_target.not_valid"
            ),
        ),
        (
            (
                f"{alter} DROP CONSTRAINT stock_target; {alter} ADD CONSTRAINT stock_target FOREIGN KEY (target) "
                "REFERENCES outside.target MATCH FULL"
            ),
            "foreign_keys.stock_target.match",
        ),
        (
            (
                f"{alter} DROP CONSTRAINT stock_target; {alter} ADD CONSTRAINT stock_target FOREIGN KEY (number) "
                "REFERENCES author(id)"
            ),
            "foreign_keys.stock_target.columns foreign_keys.stock_target.references",
        ),
        ("COMMENT ON CONSTRAINT stock_target ON stock IS 'by hand'", "foreign_keys.stock_target.comment"),
        (f"{alter} DROP CONSTRAINT stock_during", "exclusions.stock_during"),
        (
            (
                f"{alter} DROP CONSTRAINT stock_during; {alter} ADD CONSTRAINT stock_during EXCLUDE USING gist "
                "(number WITH =, during WITH &&) INCLUDE (code) WITH (fillfactor = 70) WHERE (number > 0) "
                "DEFERRABLE INITIALLY DEFERRED"
            ),
            (
                "exclusions.stock_during.columns exclusions.stock_during.include exclusions.stock_during.parameters "
                "exclusions.stock_during.where exclusions.stock_during.deferrable "
                "exclusions.stock_during.initially_deferred"
            ),
        ),
        (
            f"{alter} DROP CONSTRAINT stock_during; {alter} ADD CONSTRAINT stock_during EXCLUDE (during WITH =)",
            "exclusions.stock_during.columns exclusions.stock_during.method",
        ),
        ("COMMENT ON CONSTRAINT stock_during ON stock IS 'by hand'", "exclusions.stock_during.comment"),
        ("COMMENT ON TABLE stock IS 'by hand'", "comment"),
        ("COMMENT ON TABLE stock IS NULL", "comment"),
        (f"{alter} SET UNLOGGED", "unlogged"),
        (f"{alter} SET (fillfactor = 70, autovacuum_enabled = false)", "parameters"),
        (f"{alter} ENABLE ROW LEVEL SECURITY", "row_level_security"),
        (f"{alter} FORCE ROW LEVEL SECURITY", "force_row_level_security"),
        (f"{alter} REPLICA IDENTITY FULL", "replica_identity"),
    )
    yield from of(
        "table",
        "stock",
        (
            (
                f"{alter} DROP CONSTRAINT stock_amount; "
                f"{alter} ADD CONSTRAINT stock_amount CHECK (amount > 0) NOT ENFORCED"
            ),
            "checks.stock_amount.not_enforced",
        ),
        (
            (
                f"{alter} DROP CONSTRAINT stock_target; {alter} ADD CONSTRAINT stock_target FOREIGN KEY (target) "
                "REFERENCES outside.target NOT ENFORCED"
            ),
            "foreign_keys.stock_target.not_enforced",
        ),
        (
            f"{alter} ALTER number SET NOT NULL; {alter} RENAME CONSTRAINT stock_number_not_null TO there",
            "columns.number.not_null columns.number.not_null_constraint",
        ),
        since=18,
    )
    yield _owner("TABLE", "table", "edition")
    yield from of(
        "table", "serials", ("ALTER SEQUENCE serials_n_seq RENAME TO serial_numbers", "columns.n.sequence")
    )
    yield from of(
        "table",
        "book",
        (
            "ALTER TABLE book DROP CONSTRAINT book_author_id_fkey",
            "columns.author_id.references columns.author_id.on_delete",
        ),
        (
            (
                "ALTER TABLE book DROP CONSTRAINT book_author_id_fkey; ALTER TABLE book ADD FOREIGN KEY (author_id) "
                "REFERENCES author ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED"
            ),
            (
                "columns.author_id.on_delete columns.author_id.on_update columns.author_id.deferrable "
                "columns.author_id.initially_deferred"
            ),
        ),
    )
    yield Tampering(
        "ALTER TABLE book DROP CONSTRAINT book_author_id_fkey; ALTER TABLE author DROP CONSTRAINT author_pkey",
        frozenset(
            {
                ("table", "author", "columns.id.primary_key"),
                ("table", "book", "columns.author_id.references"),
                ("table", "book", "columns.author_id.on_delete"),
            }
        ),
    )
    attached = (
        "ALTER TABLE measured DETACH PARTITION measured_1; ALTER TABLE measured ATTACH PARTITION measured_1 "
        "FOR VALUES FROM ('2020-01-01') TO ('2022-01-01')"
    )
    yield from of("table", "measured_1", (attached, "bounds"))
    yield from of(
        "table",
        "measured_1",
        ("ALTER TABLE measured DETACH PARTITION measured_1", "partition_of bounds columns.at columns.n"),
    )
    yield from of(
        "table", "child", ("ALTER TABLE child NO INHERIT mother", "inherits"), ("DROP TABLE child", "-")
    )
    yield Tampering(
        "ALTER TABLE child NO INHERIT mother; DROP TABLE mother; "
        "CREATE TABLE mother (a integer) PARTITION BY LIST (a)",
        frozenset({("table", "mother", "partition_by"), ("table", "child", "inherits")}),
    )
    head = "DROP INDEX book_title; CREATE INDEX book_title ON book"
    yield from of(
        "index",
        "book_title",
        (f"{head} (title)", "columns"),
        (f"{head} (title DESC NULLS LAST)", "columns"),
        (f'{head} (title COLLATE "C" text_pattern_ops DESC)', "columns"),
        (f"{head} (title DESC) INCLUDE (price)", "include"),
        (f"{head} (title DESC) WHERE price > 1", "where"),
        (f"{head} (title DESC) WITH (fillfactor = 70)", "parameters"),
        ("DROP INDEX book_title; CREATE UNIQUE INDEX book_title ON book (title DESC)", "unique"),
        (
            "DROP INDEX book_title; CREATE UNIQUE INDEX book_title ON book (title DESC) NULLS NOT DISTINCT",
            "unique nulls_not_distinct",
        ),
        ("DROP INDEX book_title; CREATE INDEX book_title ON book USING hash (title)", "method columns"),
        ("ALTER TABLE book CLUSTER ON book_title", "clustered"),
        (
            (
                "DROP INDEX book_title; CREATE UNIQUE INDEX book_title ON book (title DESC); "
                "ALTER TABLE book REPLICA IDENTITY USING INDEX book_title"
            ),
            "unique replica_identity",
        ),
        ("COMMENT ON INDEX book_title IS 'by hand'", "comment"),
        ("DROP INDEX book_title", "-"),
    )
    head = "ALTER TABLE edition DROP CONSTRAINT edition_book; ALTER TABLE edition ADD CONSTRAINT edition_book"
    yield from of(
        "foreign_key",
        "edition_book",
        (f"{head} FOREIGN KEY (book_id) REFERENCES book ON DELETE CASCADE", "on_delete"),
        (f"{head} FOREIGN KEY (book_id) REFERENCES book ON UPDATE CASCADE", "on_update"),
        (f"{head} FOREIGN KEY (book_id) REFERENCES book MATCH FULL", "match"),
        (f"{head} FOREIGN KEY (book_id) REFERENCES book DEFERRABLE", "deferrable"),
        (
            f"{head} FOREIGN KEY (book_id) REFERENCES book DEFERRABLE INITIALLY DEFERRED",
            "deferrable initially_deferred",
        ),
        (f"{head} FOREIGN KEY (book_id) REFERENCES book NOT VALID", "not_valid"),
        (
            f"{head} FOREIGN KEY (book_id) REFERENCES book ON DELETE SET NULL (book_id)",
            "on_delete on_delete_columns",
        ),
        (f"{head} FOREIGN KEY (book_id) REFERENCES author", "references"),
        ("COMMENT ON CONSTRAINT edition_book ON edition IS 'by hand'", "comment"),
        ("ALTER TABLE edition DROP CONSTRAINT edition_book", "-"),
    )


def _queries() -> Iterator[Tampering]:
    head = "CREATE OR REPLACE VIEW shelf"
    query = "AS SELECT id, code FROM stock WHERE amount > 0"
    yield from of(
        "view",
        "shelf",
        (f"{head} AS SELECT id, code FROM stock WHERE amount > 5", "definition"),
        (f"{head} WITH (security_barrier) {query}", "security_barrier"),
        (f"{head} WITH (security_invoker) {query}", "security_invoker"),
        (f"{head} {query} WITH LOCAL CHECK OPTION", "check_option"),
        ("ALTER VIEW shelf ALTER code SET DEFAULT 'x'", "columns.code"),
        ("COMMENT ON COLUMN shelf.code IS 'by hand'", "columns.code"),
        ("COMMENT ON VIEW shelf IS 'by hand'", "comment"),
        ("DROP VIEW shelf", "-"),
    )
    yield _owner("VIEW", "view", "shelf")
    yield from of(
        "materialized_view",
        "prices",
        (
            "DROP MATERIALIZED VIEW prices; CREATE MATERIALIZED VIEW prices AS SELECT id, price + 1 AS price FROM book",
            "definition",
        ),
        ("ALTER MATERIALIZED VIEW prices SET (fillfactor = 70)", "parameters"),
        ("ALTER MATERIALIZED VIEW prices ALTER price SET STATISTICS 7", "columns.price"),
        ("ALTER MATERIALIZED VIEW prices ALTER price SET STORAGE EXTERNAL", "columns.price"),
        ("ALTER MATERIALIZED VIEW prices ALTER price SET COMPRESSION pglz", "columns.price"),
        ("COMMENT ON COLUMN prices.price IS 'by hand'", "columns.price"),
        ("COMMENT ON MATERIALIZED VIEW prices IS 'by hand'", "comment"),
        ("DROP MATERIALIZED VIEW prices", "-"),
    )
    yield _owner("MATERIALIZED VIEW", "materialized_view", "prices")
    head = "DROP STATISTICS book_stats; CREATE STATISTICS book_stats"
    yield from of(
        "statistics",
        "book_stats",
        (f"{head} (ndistinct, mcv) ON author_id, price FROM book", "kinds"),
        (f"{head} (ndistinct) ON author_id, title FROM book", "columns"),
        ("ALTER STATISTICS book_stats SET STATISTICS 7", "target"),
        ("DROP STATISTICS book_stats", "-"),
    )
    yield _owner("STATISTICS", "statistics", "book_stats")
    yield _comment("STATISTICS", "statistics", "book_stats")
    yield from of(
        "sequence",
        "ticket",
        ("ALTER SEQUENCE ticket AS integer", "type"),
        ("ALTER SEQUENCE ticket START 7", "start"),
        ("ALTER SEQUENCE ticket INCREMENT 7", "increment"),
        ("ALTER SEQUENCE ticket MINVALUE 2", "min_value"),
        ("ALTER SEQUENCE ticket MAXVALUE 700", "max_value"),
        ("ALTER SEQUENCE ticket CACHE 7", "cache"),
        ("ALTER SEQUENCE ticket CYCLE", "cycle"),
        ("ALTER SEQUENCE ticket SET UNLOGGED", "unlogged"),
        ("ALTER SEQUENCE ticket OWNED BY stock.number", "owned_by"),
        ("DROP SEQUENCE ticket", "-"),
    )
    yield _owner("SEQUENCE", "sequence", "ticket")
    yield _comment("SEQUENCE", "sequence", "ticket")
    yield from of(
        "publication",
        "books",
        ("ALTER PUBLICATION books ADD TABLE author", "tables.author"),
        ("ALTER PUBLICATION books SET TABLE book (id, price)", "tables.book.columns"),
        ("ALTER PUBLICATION books SET TABLE book WHERE (id > 3)", "tables.book.where"),
        ("ALTER PUBLICATION books DROP TABLE book", "tables.book"),
        ("ALTER PUBLICATION books ADD TABLES IN SCHEMA outside", "schemas"),
        ("ALTER PUBLICATION books SET (publish = 'insert')", "operations"),
        ("ALTER PUBLICATION books SET (publish_via_partition_root)", "publish_via_partition_root"),
        ("DROP PUBLICATION books; CREATE PUBLICATION books FOR ALL TABLES", "all_tables tables.book"),
        ("COMMENT ON PUBLICATION books IS 'by hand'", "comment"),
        ("DROP PUBLICATION books", "-"),
    )
    yield from of(
        "publication",
        "books",
        ("ALTER PUBLICATION books SET (publish_generated_columns = stored)", "publish_generated_columns"),
        since=18,
    )
    yield _owner("PUBLICATION", "publication", "books")
    yield from of(
        "text_search_configuration",
        "words",
        ("ALTER TEXT SEARCH CONFIGURATION words ADD MAPPING FOR word WITH simple", "mappings.word"),
        (
            "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH english_stem",
            "mappings.asciiword.dictionaries",
        ),
        (
            (
                "DROP TEXT SEARCH CONFIGURATION words; CREATE TEXT SEARCH CONFIGURATION words (PARSER = outside.own); "
                "ALTER TEXT SEARCH CONFIGURATION words ADD MAPPING FOR asciiword WITH simple"
            ),
            "parser",
        ),
        ("DROP TEXT SEARCH CONFIGURATION words", "-"),
    )
    yield _owner("TEXT SEARCH CONFIGURATION", "text_search_configuration", "words")
    yield _comment("TEXT SEARCH CONFIGURATION", "text_search_configuration", "words")
    yield _owner("SCHEMA", "schema", "archive")
    yield _comment("SCHEMA", "schema", "archive")
    yield from of("schema", "archive", ("DROP SCHEMA archive", "-"))
    yield _comment("EXTENSION", "extension", "citext")
    yield from of(
        "extension",
        "citext",
        ("ALTER EXTENSION citext SET SCHEMA outside", "schema"),
        ("DROP EXTENSION citext; CREATE EXTENSION citext VERSION '1.5'", "version"),
        ("DROP EXTENSION citext", "-"),
    )


def tamperings() -> Iterator[Tampering]:
    """Yield every way, type by type."""
    for group in (_aggregates, _types, _routines, _events, _security, _relations, _queries):
        yield from group()


BOUND = (
    frozenset({"close_to", "~~~"}),
    frozenset({"author", "book", "edition_book", "edition", "no_delete", "prices", "book_stats", "books"}),
    frozenset({"author", "book", "own", "book_title", "book_touched"}),
    frozenset({"stock", "shelf", "on_stock", "ticket"}),
    frozenset({"child", "mother"}),
    frozenset({"kolumn_test_member", "kolumn_test_login", "a_default_privileges"}),
)
"""Resources that depend on each other so closely that changes of both at once say something else."""

NOT_CHANGED = frozenset(
    {
        # part of what identifies the object, so another value is another object
        "*.name", "*.schema", "*.table", "aggregate.arguments", "aggregate.ordered", "operator.left",
        "operator.right", "default_privileges.owner", "default_privileges.in_schema", "default_privileges.on",
        "default_privileges.role", "grant.role", "grant.on", "grant.object", "grant.arguments", "grant.granted_by",
        # wishes of the configuration, which no database knows
        "*.renamed_from", "collation.refresh_version", "extension.cascade", "extension.requires",
        "materialized_view.with_data",
        # need what the servers of the tests do not have: ICU, a library in C, tablespaces, access methods
        "collation.deterministic", "collation.rules", "function.object_file", "function.link_symbol",
        "procedure.object_file", "procedure.link_symbol", "function.support", "function.transform_types",
        "procedure.transform_types", "table.tablespace", "index.tablespace", "materialized_view.tablespace",
        "table.access_method", "materialized_view.access_method", "range_type.canonical",
        "aggregate.serialfunc", "aggregate.deserialfunc", "aggregate.hypothetical",
        # only objects of another kind have them
        "view.column_names", "materialized_view.column_names", "index.only", "index.attached_to",
        "table.of_type", "function.window", "foreign_key.columns", "foreign_key.period", "foreign_key.not_enforced",
    }
)  # fmt: skip
"""Attributes no tampering is about, by type, and why."""
