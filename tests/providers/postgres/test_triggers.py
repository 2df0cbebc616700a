"""Triggers, event triggers and rules: every attribute, replaced in place where PostgreSQL can."""

from __future__ import annotations

from typing import Any

import pytest

from kolumn.contract.errors import ValidationError
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.resources.event_trigger import EventTriggerHandler
from kolumn.providers.postgres.resources.rule import RuleHandler
from kolumn.providers.postgres.resources.trigger import TriggerHandler
from tests.client import wanted
from tests.providers.postgres.databases import apply, database, imported, roles, statements
from tests.providers.postgres.evolution import both_ways, evolve, words
from tests.servers import postgres

DIALECT = PostgresDialect()

BASE = """
CREATE SCHEMA app;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION app."Log it"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION positive(n integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 0';
CREATE TABLE film (id integer PRIMARY KEY, title text, length integer, document tsvector);
CREATE TABLE app."Odd Table" ("when" integer, "a b" text);
CREATE TABLE parts (n integer) PARTITION BY RANGE (n);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE VIEW v AS SELECT id, title FROM film;
"""


def test_triggers_of_every_kind(server: postgres.Server) -> None:
    script = (
        BASE
        + """
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON film FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER b AFTER UPDATE OF title, length ON film FOR EACH ROW
    WHEN (OLD.title IS DISTINCT FROM NEW.title AND (NEW.length > 1 OR positive(NEW.id))) EXECUTE FUNCTION touch();
CREATE TRIGGER c AFTER TRUNCATE ON film EXECUTE FUNCTION app."Log it"();
CREATE TRIGGER d AFTER UPDATE ON film REFERENCING OLD TABLE AS "old Rows" NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app."Log it"('a', '', 'it''s', E'b\\\\s', '$1', 'WHEN (x)');
CREATE TRIGGER e BEFORE UPDATE ON film FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('document', 'pg_catalog.english', 'title');
CREATE CONSTRAINT TRIGGER f AFTER INSERT ON film FROM app."Odd Table" DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION touch();
CREATE CONSTRAINT TRIGGER g AFTER DELETE ON film FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER h INSTEAD OF INSERT OR DELETE ON v FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER i AFTER UPDATE ON v FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION touch();
CREATE TRIGGER "Odd Name" BEFORE UPDATE OF "a b", "when" ON app."Odd Table" FOR EACH ROW
    WHEN (NEW."when" > 1 AND NEW."a b" <> 'for each row when (') EXECUTE FUNCTION touch();
COMMENT ON TRIGGER "Odd Name" ON app."Odd Table" IS 'it''s "odd"';
CREATE TRIGGER j AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER k AFTER INSERT ON parts_1 FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE film DISABLE TRIGGER a, ENABLE REPLICA TRIGGER b, ENABLE ALWAYS TRIGGER c;
"""
    )
    evolve(server, BASE, script)
    evolve(server, "", script)
    evolve(server, script, BASE)


def test_triggers_change_in_place(server: postgres.Server) -> None:
    before = (
        BASE
        + """
CREATE TRIGGER a BEFORE INSERT ON film FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON TRIGGER a ON film IS 'kept';
CREATE TRIGGER b AFTER UPDATE OF title ON film FOR EACH ROW WHEN (NEW.id > 1) EXECUTE FUNCTION touch('x');
CREATE TRIGGER c AFTER UPDATE ON film REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION touch();
CREATE TRIGGER d AFTER INSERT ON film EXECUTE FUNCTION touch();
CREATE TRIGGER e AFTER INSERT ON film EXECUTE FUNCTION touch();
CREATE TRIGGER f AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE film DISABLE TRIGGER c, ENABLE ALWAYS TRIGGER e;
"""
    )
    after = (
        BASE
        + """
CREATE TRIGGER a AFTER UPDATE OR DELETE ON film FOR EACH ROW EXECUTE FUNCTION app."Log it"('now');
COMMENT ON TRIGGER a ON film IS 'kept';
CREATE TRIGGER b AFTER UPDATE OF length, title ON film FOR EACH ROW EXECUTE FUNCTION touch('x', 'y');
COMMENT ON TRIGGER b ON film IS 'new';
CREATE TRIGGER c AFTER UPDATE ON film REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION touch();
CREATE TRIGGER d AFTER INSERT ON film EXECUTE FUNCTION touch();
CREATE TRIGGER e AFTER INSERT ON film FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER f BEFORE INSERT ON parts FOR EACH ROW WHEN (NEW.n > 1) EXECUTE FUNCTION touch();
ALTER TABLE film DISABLE TRIGGER d, ENABLE REPLICA TRIGGER a, ENABLE ALWAYS TRIGGER e;
"""
    )
    for plan in both_ways(server, before, after):
        assert all(step.startswith("alter trigger") for step in words(plan)), words(plan)


def test_constraint_triggers_are_created_anew(server: postgres.Server) -> None:
    def script(words: str) -> str:
        return BASE + (
            f"CREATE CONSTRAINT TRIGGER a AFTER INSERT ON film {words} FOR EACH ROW EXECUTE FUNCTION touch();"
            "COMMENT ON TRIGGER a ON film IS 'kept'; ALTER TABLE film DISABLE TRIGGER a;"
        )

    both_ways(server, script(""), script("DEFERRABLE INITIALLY DEFERRED"))
    plain = BASE + "CREATE TRIGGER a AFTER INSERT ON film FOR EACH ROW EXECUTE FUNCTION touch();"
    both_ways(server, script("DEFERRABLE"), plain)


def test_triggers_follow_tables_and_columns(server: postgres.Server) -> None:
    added = BASE.replace("document tsvector", "document tsvector, rating text")
    trigger = "CREATE TRIGGER a BEFORE UPDATE OF {0} ON film FOR EACH ROW WHEN (NEW.{0} IS NOT NULL) EXECUTE FUNCTION touch();"
    both_ways(server, BASE + trigger.format("length"), added + trigger.format("rating"))
    longer = BASE.replace("length integer", "length bigint")
    for plan in both_ways(server, BASE + trigger.format("length"), longer + trigger.format("length")):
        assert [step for step in words(plan) if "trigger" in step] == [
            "drop trigger film.a",
            "create trigger film.a",
        ]


def test_a_renamed_trigger(server: postgres.Server) -> None:
    with database(server, BASE, "CREATE TRIGGER old AFTER INSERT ON film EXECUTE FUNCTION touch()") as made:
        with made.kolumn() as client:
            config = {"table": "film", "events": ["insert"], "function": "touch", "renamed_from": "old"}
            plan = client.plan(wanted("trigger", "new", config), detail=True)
            assert statements(plan) == ["ALTER TRIGGER old ON public.film RENAME TO new"]
            apply(client, wanted("trigger", "new", config))
            rule = wanted("rule", "r", {"table": "film", "event": "delete", "instead": True})
            apply(client, rule)
            renamed = wanted("rule", "s", {**rule["config"], "renamed_from": "r"})
            plan = client.plan(renamed, detail=True)
            assert statements(plan) == ["ALTER RULE r ON public.film RENAME TO s"]
            apply(client, renamed)


def test_another_wording_of_a_condition_is_no_change(server: postgres.Server) -> None:
    with database(server, BASE) as made, made.kolumn() as client:
        trigger = {
            "table": "film",
            "timing": "BEFORE",
            "events": ["update of length,title", "INSERT"],
            "for_each_row": True,
            "when": "new.length>1 or new.title in ('a','b')",
            "function": "public.touch",
        }
        rule = {
            "table": "v",
            "event": "UPDATE",
            "where": "new.id<>old.id",
            "instead": True,
            "actions": ["update film set title=new.title where id=old.id", "notify changed"][:1],
        }
        resources = [wanted("trigger", "t", trigger), wanted("rule", "r", rule)]
        apply(client, *resources)
        with made.kolumn() as stranger:
            assert not stranger.plan(*resources, detail=True).get("steps")


def test_rules_of_every_kind(server: postgres.Server) -> None:
    script = (
        BASE
        + """
CREATE RULE none AS ON DELETE TO film DO INSTEAD NOTHING;
CREATE RULE also AS ON UPDATE TO film WHERE OLD.length < NEW.length AND (OLD.id = 1 OR OLD.title ~ 'do (x)')
    DO ALSO INSERT INTO app."Odd Table" ("when", "a b") VALUES (NEW.id, 'x;y)');
CREATE RULE several AS ON INSERT TO v DO INSTEAD (
    INSERT INTO film (id, title) VALUES (NEW.id, NEW.title) RETURNING id, title;
    UPDATE film SET length = (SELECT max(length) FROM film AS other WHERE other.id <> NEW.id);
    DELETE FROM app."Odd Table" USING film WHERE film.id = "when" AND film.id = NEW.id);
CREATE RULE tell AS ON UPDATE TO v DO INSTEAD NOTIFY told;
CREATE RULE "Odd; Rule" AS ON INSERT TO app."Odd Table" DO INSTEAD WITH x AS (SELECT 1 AS n) SELECT n FROM x;
COMMENT ON RULE "Odd; Rule" ON app."Odd Table" IS 'odd';
ALTER TABLE film DISABLE RULE none, ENABLE REPLICA RULE also;
"""
    )
    evolve(server, "", script)
    evolve(server, script, BASE)
    other = script.replace("DO INSTEAD NOTHING", "DO INSTEAD SELECT 1").replace(
        "OLD.length < NEW.length", "OLD.id = 3"
    )
    other = other.replace("NOTIFY told", "NOTIFY heard").replace(
        "DISABLE RULE none", "ENABLE ALWAYS RULE none"
    )
    other = other.replace("AS ON UPDATE TO v", "AS ON DELETE TO v").replace("IS 'odd'", "IS 'even'")
    for plan in both_ways(server, script, other):
        assert all(step.startswith("alter rule") for step in words(plan)), words(plan)


def test_event_triggers(server: postgres.Server) -> None:
    with roles(server, "owner") as (owner,):
        base = f"""
ALTER ROLE {owner} SUPERUSER;
CREATE SCHEMA app;
CREATE FUNCTION fired() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION app."Refuses"() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no tables here'; END$$;
"""
        before = (
            base
            + """
CREATE EVENT TRIGGER a ON ddl_command_start EXECUTE FUNCTION fired();
CREATE EVENT TRIGGER b ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION fired();
COMMENT ON EVENT TRIGGER b IS 'before';
CREATE EVENT TRIGGER c ON sql_drop EXECUTE FUNCTION fired();
ALTER EVENT TRIGGER c DISABLE;
"""
        )
        after = (
            base
            + f"""
CREATE TABLE t (a integer); CREATE VIEW v AS SELECT a FROM t;
CREATE EVENT TRIGGER a ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'CREATE VIEW', 'DROP TABLE', 'DROP VIEW')
    EXECUTE FUNCTION app."Refuses"();
CREATE EVENT TRIGGER b ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION fired();
ALTER EVENT TRIGGER b OWNER TO {owner};
CREATE EVENT TRIGGER c ON table_rewrite EXECUTE FUNCTION fired();
ALTER EVENT TRIGGER c ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER c IS 'after';
"""
        )
        # What refuses tables would refuse the audit trail's as well.
        forth, back = both_ways(server, before, after, audit=False)
        assert words(forth)[-1].startswith("create event_trigger"), "what refuses tables comes after them"
        assert words(back)[0].startswith("drop event_trigger"), "and goes before they do"
        assert {step for step in words(forth) if "event_trigger b" in step} == {
            f"alter event_trigger b: owner postgres -> {owner}, no comment"
        }


def faults(handler: PostgresHandler[Any], config: dict[str, object]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        handler.parse(config, "x")
    return [(problem.path, problem.message) for problem in caught.value.problems]


TRIGGER = {"table": "t", "events": ["insert"], "function": "f"}


@pytest.mark.parametrize(
    ("config", "path", "said"),
    [
        ({"events": ["insert"]}, "table", "is required"),
        ({**TRIGGER, "events": ["update of a,"]}, "events[0]", "insert, delete, update"),
        ({**TRIGGER, "events": []}, "events", "must not be empty"),
        ({**TRIGGER, "when": "true) x"}, "when", "without ("),
        ({**TRIGGER, "function": "f()"}, "function", "schema.name"),
        ({**TRIGGER, "constraint": True}, "constraint", "after each row"),
        ({**TRIGGER, "deferrable": True}, "deferrable", "constraint triggers"),
        ({**TRIGGER, "timing": "instead of"}, "timing", "for each row"),
        ({**TRIGGER, "enabled": "sometimes"}, "enabled", "must be one of"),
        ({**TRIGGER, "body": "SELECT 1"}, "body", "unknown attribute"),
    ],
)
def test_faults_of_triggers(config: dict[str, object], path: str, said: str) -> None:
    assert any(
        where == path and said in message for where, message in faults(TriggerHandler(DIALECT), config)
    )


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"table": "t"}, "event"),
        ({"table": "t", "event": "insert", "actions": ["SELECT 1; SELECT 2"]}, "actions[0]"),
        ({"table": "t", "event": "insert", "actions": ["DROP TABLE x"]}, "actions[0]"),
        ({"table": "t", "event": "insert", "actions": ["SELECT 1) x"]}, "actions[0]"),
        ({"table": "t", "event": "insert", "where": "1; 2"}, "where"),
        ({"table": "t", "event": "truncate"}, "event"),
    ],
)
def test_faults_of_rules(config: dict[str, object], path: str) -> None:
    assert path in dict(faults(RuleHandler(DIALECT), config))


def test_faults_of_event_triggers() -> None:
    assert [path for path, _ in faults(EventTriggerHandler(DIALECT), {"event": "insert"})] == [
        "event",
        "function",
    ]


def test_locks_are_told(server: postgres.Server) -> None:
    with database(server, BASE, "CREATE TRIGGER a AFTER INSERT ON film EXECUTE FUNCTION touch()") as made:
        with made.kolumn() as client:
            change = wanted("trigger", "a", {"table": "film", "events": ["delete"], "function": "touch"})
            (step,) = client.plan(change, detail=True)["steps"]
            assert step["lock"] == "SHARE ROW EXCLUSIVE on film"
            (step,) = client.plan(wanted("rule", "r", {"table": "film", "event": "delete"}), detail=True)[
                "steps"
            ]
            assert step["lock"] == "ACCESS EXCLUSIVE on film"
            held = imported(client, "trigger")
            assert held[0]["config"] == {
                "name": "a",
                "table": "film",
                "events": ["insert"],
                "function": "touch",
            }
