"""The audit trail where PostgreSQL's own ways matter: privileges, protection, steps outside of transactions."""

from __future__ import annotations

import psycopg
import pytest

from kolumn.contract.errors import PermissionError
from tests.client import Client, wanted
from tests.providers.postgres.databases import database, roles
from tests.servers import postgres

TABLE = wanted("table", "t", {"name": "t", "columns": [{"name": "id", "type": "integer"}]})
INDEX = wanted("index", "i", {"name": "i", "table": "t", "columns": [{"column": "id"}]})
MORE = wanted("table", "u", {"name": "u", "columns": [{"name": "id", "type": "integer"}]})


def trail(client: Client) -> list[tuple[str, str, str]]:
    entries = client.done("GetAuditLog")["entries"][::-1]
    return [(each["outcome"], each["action"], each.get("name", "")) for each in entries]


def test_who_may_not_make_the_schema_is_told_what_to_do(server: postgres.Server) -> None:
    with roles(server, "meek") as (meek,), database(server, f"ALTER ROLE {meek} LOGIN") as mine:
        mine.run(f"GRANT CREATE ON SCHEMA public TO {meek}")
        with mine.kolumn(meek, audit=True) as client:
            refused = client.refused("Apply", {"resources": [TABLE]})
            assert isinstance(refused, PermissionError)
            for word in ("audit = false", "schema kolumn", "metadata_schema"):
                assert word in refused.message
        assert mine.rows("SELECT FROM pg_tables WHERE schemaname IN ('public', 'kolumn')") == []
        with mine.kolumn(meek, audit=False) as client:
            client.apply(TABLE)


def test_the_documented_privileges_are_enough_for_others(server: postgres.Server) -> None:
    with roles(server, "deployer") as (other,), database(server, f"ALTER ROLE {other} LOGIN") as mine:
        mine.run(f"GRANT CREATE ON SCHEMA public TO {other}")
        with mine.kolumn() as client:
            client.apply(MORE)
        with mine.kolumn(other, audit=True) as client:
            refused = client.refused("Apply", {"resources": [TABLE]})
            assert isinstance(refused, PermissionError)
            assert "docs/audit.md" in refused.message
            mine.run(
                f"GRANT USAGE ON SCHEMA kolumn TO {other}",
                f"GRANT SELECT, INSERT ON kolumn.audit TO {other}",
                f"GRANT SELECT, UPDATE ON kolumn.audit_head TO {other}",
            )
            client.apply(TABLE)
            assert client.done("GetAuditLog", {"actor": other})["entries"][-1]["actor"] == other
            assert client.done("VerifyAuditLog")["intact"]
            assert len(trail(client)) == 6


@pytest.mark.parametrize(
    "statements",
    [
        ["TRUNCATE kolumn.audit"],
        ["TRUNCATE kolumn.audit CASCADE"],
        ["SET session_replication_role = replica", "DELETE FROM kolumn.audit"],
        [
            "INSERT INTO kolumn.audit SELECT * FROM kolumn.audit ON CONFLICT (entry_number) DO UPDATE SET actor = ''"
        ],
        ["MERGE INTO kolumn.audit USING (SELECT) s ON true WHEN MATCHED THEN UPDATE SET actor = ''"],
    ],
)
def test_a_superuser_cannot_empty_it_in_passing(server: postgres.Server, statements: list[str]) -> None:
    with database(server) as mine, mine.kolumn() as client:
        client.apply(TABLE)
        *before, last = statements
        with psycopg.connect(mine.url) as connection:
            for each in before:
                connection.execute(each.encode())
            with pytest.raises(psycopg.Error, match="append-only"):
                connection.execute(last.encode())
        assert client.done("VerifyAuditLog")["entries"] == 3


def test_steps_outside_of_transactions_are_noted_as_well(server: postgres.Server) -> None:
    with database(server) as mine, mine.kolumn() as client:
        client.apply(TABLE)
        client.apply(TABLE, INDEX, MORE, online=True)
        found = client.done("GetAuditLog")["entries"][::-1][3:]
        assert found[0]["outcome"] == "started"
        assert found[-1]["outcome"] == "succeeded"
        assert found[-1]["action"] == "apply"
        of_index = [each for each in found if each.get("name") == "i"]
        assert any("CONCURRENTLY" in text for each in of_index for text in each["statements"])
        assert of_index[-1]["outcome"] == "succeeded"
        assert client.done("VerifyAuditLog")["intact"]


def test_what_is_undone_is_noted(server: postgres.Server) -> None:
    failing = {**INDEX, "config": {**INDEX["config"], "columns": [{"expression": "(1 / id)"}]}}
    with database(server) as mine, mine.kolumn() as client:
        client.apply(TABLE)
        mine.run("INSERT INTO t VALUES (0)")
        first = {**MORE, "name": "u"}
        answer = client.call(
            "Apply",
            {
                "resources": [TABLE, first, {**failing, "depends_on": ["table u"]}],
                "options": {"online": True},
            },
        )
        assert answer["success"] is False
        outcomes = trail(client)[3:]
        assert outcomes[0] == ("started", "apply", "")
        assert ("failed", "create", "i") in outcomes
        assert ("failed", "apply", "") in outcomes
        created = ("succeeded", "create", "u") in outcomes
        assert (("undone", "create", "u") in outcomes) is created
        assert mine.rows("SELECT FROM pg_tables WHERE tablename = 'u'") == []
        assert client.done("VerifyAuditLog")["intact"]


def test_another_schema_can_hold_it(server: postgres.Server) -> None:
    name = "Kol\"umn % 'notes'"
    with database(server) as mine, mine.kolumn(metadata_schema=name) as client:
        client.apply(TABLE)
        assert mine.rows("SELECT schemaname FROM pg_tables WHERE tablename = 'audit'") == [(name,)]
        with pytest.raises(psycopg.Error, match="append-only"):
            mine.run('DELETE FROM "Kol""umn % \'notes\'".audit')
        assert client.done("VerifyAuditLog")["entries"] == 3
        assert [each["type"] for each in client.done("DiscoverResources")["resources"]] == ["table"]
