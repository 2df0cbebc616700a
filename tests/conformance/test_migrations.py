"""PlanMigration, ApplyMigration, RollbackMigration (spec 3.4, 5.4): there, once, and back with every row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kolumn.contract.errors import OperationError, StateError, ValidationError
from tests.client import Client, wanted
from tests.conformance.migrations import LOSING, ROWS, filled, held, migration, with_vault, without
from tests.targets import Settings, Target


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def client(settings: Settings, vault: Path, connect: Callable[[Settings], Client]) -> Client:
    return connect(with_vault(settings, vault))


def test_a_plan_tells_steps_and_risks_and_changes_nothing(
    target: Target, settings: Settings, client: Client
) -> None:
    config = filled(target, settings, client)
    before = target.dump(settings)
    plan = client.done("PlanMigration", migration("m1", config, without(config, "born")))
    assert plan["migration_id"] == "m1"
    assert plan["data_loss_risk"] is True
    assert [step["order"] for step in plan["steps"]] == list(range(1, len(plan["steps"]) + 1))
    assert all(step["sql"] and step["description"] for step in plan["steps"])
    assert any(f"{ROWS - ROWS // 7} values of column born" in each for each in plan["warnings"])
    grown = {**config, "columns": [*config["columns"], dict(target.column)]}
    plan = client.done("PlanMigration", migration("m1", config, grown))
    assert plan["data_loss_risk"] is False
    assert all(step["reversible"] for step in plan["steps"])
    assert target.dump(settings) == before


def test_creating_changing_and_dropping(target: Target, settings: Settings, client: Client) -> None:
    config = target.samples[0].config
    empty = held(target, settings)
    client.done("ApplyMigration", migration("create", {}, config))
    assert client.done("ReadResource", {"resource_type": "table", "name": "author"})["exists"]
    changed = target.samples[0].changed
    read = client.done("ReadResource", {"resource_type": "table", "name": "author"})["state"]
    done = client.done("ApplyMigration", migration("change", read, changed))
    assert done["executed_steps"]
    plan = client.plan(wanted("table", "author", changed, "update"))
    assert plan["execution_order"] == [], "the state knows what the migration did"
    client.done("ApplyMigration", migration("drop", changed, {}))
    assert held(target, settings) == empty
    for name in ("drop", "change", "create"):
        client.done("RollbackMigration", migration(name, {}, {}))
    assert held(target, settings) == empty
    assert {each["status"] for each in client.done("ListMigrations")["migrations"]} == {"rolled_back"}


def test_an_id_is_applied_once(target: Target, settings: Settings, client: Client) -> None:
    config = target.samples[0].config
    request = migration("once", {}, config)
    assert client.done("ApplyMigration", request)["executed_steps"]
    before = target.dump(settings)
    assert client.done("ApplyMigration", request)["executed_steps"] == []
    assert client.done("PlanMigration", request)["steps"] == []
    grown = {**config, "columns": [*config["columns"], dict(target.column)]}
    for function in ("PlanMigration", "ApplyMigration", "RollbackMigration"):
        error = client.refused(function, migration("once", config, grown))
        assert isinstance(error, StateError)
        assert error.code == "migration_conflict"
    assert target.dump(settings) == before


def test_what_the_database_does_not_hold_is_refused(
    target: Target, settings: Settings, client: Client
) -> None:
    config = filled(target, settings, client, rows=3)
    before = target.dump(settings)
    for was, will in (
        (without(config, "born"), config),
        ({}, config),
        ({**config, "name": "nobody"}, {**config, "name": "somebody"}),
    ):
        for function in ("PlanMigration", "ApplyMigration"):
            error = client.refused(function, migration("m", was, will))
            assert isinstance(error, StateError)
            assert error.code == "state_mismatch"
    for faulty in (
        migration("m", {}, {}),
        migration("m" * 201, {}, config),
        migration("m", config, {**config, "columns": "none", "colour": "red"}),
        {**migration("m", {}, config), "resource_type": "spaceship"},
    ):
        assert isinstance(client.refused("ApplyMigration", faulty), ValidationError)
    error = client.refused("RollbackMigration", migration("never", config, {}))
    assert error.code == "unknown_migration"
    assert target.dump(settings) == before


def test_nothing_is_lost_unasked(target: Target, settings: Settings, client: Client, vault: Path) -> None:
    config = filled(target, settings, client)
    before = target.dump(settings)
    error = client.refused("ApplyMigration", migration("m", config, without(config, "born")))
    assert isinstance(error, OperationError)
    assert error.code == "data_loss"
    assert f"{ROWS - ROWS // 7} values of column born of table author" in error.message
    error = client.refused("ApplyMigration", migration("m", config, {}))
    assert f"{ROWS} rows of table author" in error.message
    steps = client.done("ApplyMigration", migration("m", config, {}, dry_run=True, **LOSING))
    assert steps["executed_steps"] and "backup_path" not in steps
    assert target.dump(settings) == before
    assert not vault.exists()


def test_a_dropped_column_comes_back_with_its_values(
    target: Target, settings: Settings, client: Client, vault: Path
) -> None:
    config = filled(target, settings, client)
    start = held(target, settings)
    narrow = without(config, "born")
    done = client.done("ApplyMigration", migration("narrow", config, narrow, **LOSING))
    assert Path(done["backup_path"]).parent == vault
    assert Path(done["backup_path"]).stat().st_mode & 0o77 == 0
    assert held(target, settings) != start
    back = client.done("RollbackMigration", migration("narrow", {}, {}))
    assert [step["order"] for step in back["rolled_back_steps"]] == list(
        range(1, len(back["rolled_back_steps"]) + 1)
    )
    assert held(target, settings) == start
    assert client.done("RollbackMigration", migration("narrow", {}, {}))["rolled_back_steps"] == []


def test_a_column_that_must_not_be_empty_comes_back(
    target: Target, settings: Settings, client: Client
) -> None:
    config = filled(target, settings, client)
    target.execute(settings, "UPDATE author SET born = 1700 + id WHERE id > 0;")
    strict = {**config, "columns": [dict(each) for each in config["columns"]]}
    strict["columns"][2].update(not_null=True, check="born > 1700", unique=True)
    client.apply(wanted("table", "author", strict, "update"))
    start = held(target, settings)
    client.done("ApplyMigration", migration("m", strict, without(strict, "born"), **LOSING))
    client.done("RollbackMigration", migration("m", strict, without(strict, "born")))
    assert held(target, settings) == start


def test_a_dropped_table_comes_back_with_its_rows(target: Target, settings: Settings, client: Client) -> None:
    config = filled(target, settings, client)
    start = held(target, settings)
    client.done("ApplyMigration", migration("gone", config, {}, **LOSING))
    assert not client.done("ReadResource", {"resource_type": "table", "name": "author"})["exists"]
    client.done("RollbackMigration", migration("gone", {}, {}))
    assert held(target, settings) == start
    client.done("ApplyMigration", migration("gone", config, {}, **LOSING))
    client.done("RollbackMigration", migration("gone", {}, {}))
    assert held(target, settings) == start


def test_what_is_renamed_on_the_way_has_its_name_again(
    target: Target, settings: Settings, client: Client
) -> None:
    config = filled(target, settings, client)
    start = held(target, settings)
    after = without({**target.renamed, "name": "writer"}, "born")
    client.done("ApplyMigration", migration("renamed", config, after, **LOSING))
    found = client.done("ReadResource", {"resource_type": "table", "name": "writer"})
    assert [each["name"] for each in found["state"]["columns"]] == ["id", "full_name"]
    client.done("RollbackMigration", migration("renamed", {}, {}))
    assert held(target, settings) == start


def test_rows_without_a_key_get_their_values_back(target: Target, settings: Settings, client: Client) -> None:
    config = {"name": "author", "columns": [{**each} for each in target.samples[0].config["columns"]]}
    config["columns"][0].pop("primary_key")
    client.apply(wanted("table", "author", config))
    values = ", ".join(f"({n % 3}, 'n{n % 2}', {n})" for n in range(60))
    target.execute(
        settings,
        f"INSERT INTO author (id, name, born) VALUES {values}; INSERT INTO author (id, name) VALUES (1, 'x');",
    )
    start = held(target, settings)
    client.done("ApplyMigration", migration("m", config, without(config, "born"), **LOSING))
    target.execute(settings, "INSERT INTO author (id, name) VALUES (77, 'new');")
    client.done("RollbackMigration", migration("m", {}, {}))
    target.execute(settings, "DELETE FROM author WHERE id = 77;")
    assert held(target, settings) == start


def test_triggers_stay_quiet_and_stay(target: Target, settings: Settings, client: Client) -> None:
    by_name = {each.type: each for each in target.samples if each.type == "trigger"}
    if not by_name:
        pytest.skip("no triggers to declare")
    trigger = by_name["trigger"]
    for each in (*trigger.needs, trigger):
        client.apply(wanted(each.type, each.name, each.config))
    target.execute(settings, "INSERT INTO author (id, name, born) VALUES (1, 'a', 5), (2, 'b', 6);")
    config = target.samples[0].config
    start = held(target, settings)
    client.done("ApplyMigration", migration("m", config, without(config, "born"), **LOSING))
    client.done("RollbackMigration", migration("m", {}, {}))
    assert held(target, settings) == start


def test_a_rollback_does_not_lose_rows_unasked(target: Target, settings: Settings, client: Client) -> None:
    config = target.samples[0].config
    client.done("ApplyMigration", migration("create", {}, config))
    target.execute(settings, "INSERT INTO author (id, name) VALUES (1, 'Ann');")
    before = target.dump(settings)
    error = client.refused("RollbackMigration", migration("create", {}, {}))
    assert error.code == "data_loss" and "1 row of table author" in error.message
    assert target.dump(settings) == before
    client.done("RollbackMigration", migration("create", {}, {}, **LOSING))
    (kept,) = client.done("ListBackups")["backups"]
    assert kept["rows"] == 1


def test_a_failed_migration_leaves_nothing_and_may_be_tried_again(
    target: Target, settings: Settings, client: Client
) -> None:
    config = filled(target, settings, client, rows=3)
    after = {**config, "columns": [dict(each) for each in config["columns"]]}
    after["columns"][2]["not_null"] = True
    after["columns"][2]["unique"] = True
    target.execute(settings, "UPDATE author SET born = NULL WHERE id = 2;")
    start = held(target, settings)
    error = client.refused("ApplyMigration", migration("strict", config, after))
    assert error.code == "data_validation"
    assert held(target, settings) == start
    target.execute(settings, "UPDATE author SET born = 1800 + id WHERE born IS NULL;")
    assert client.done("ApplyMigration", migration("strict", config, after))["executed_steps"]


def test_safe_destroy_always_leaves_a_way_back(
    target: Target, settings: Settings, vault: Path, connect: Callable[[Settings], Client]
) -> None:
    client = connect(with_vault(settings, vault, safe_destroy=True))
    config = filled(target, settings, client, rows=5)
    start = held(target, settings)
    done = client.done("ApplyMigration", migration("m", config, {}, allow_data_loss=True))
    assert done["backup_path"]
    client.done("RollbackMigration", migration("m", {}, {}))
    assert held(target, settings) == start


def test_a_migration_that_takes_too_long_is_ended(target: Target, settings: Settings, client: Client) -> None:
    slow = target.slow(settings, target.execute)
    start = held(target, settings)
    request = {
        "migration_id": "slow",
        "resource_type": slow["resource_type"],
        "resource_name": slow["name"],
        "to_state": dict(slow["config"]),
        "options": {"timeout_seconds": 1},
    }
    error = client.refused("ApplyMigration", request)
    assert error.code == "deadline_exceeded"
    assert held(target, settings) == start
