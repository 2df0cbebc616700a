"""Whatever comes in at CallFunction, a response or an error of a category comes out, in time.

What was refused has changed nothing.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.contract.context import Context
from kolumn.contract.errors import CATEGORIES, KolumnError
from kolumn.contract.functions import FUNCTIONS
from kolumn.contract.logs import subscribe
from kolumn.contract.secrets import SecureString
from kolumn.host.providers import load
from tests import command
from tests.client import Client, wanted
from tests.fuzz.mutation import mutated
from tests.targets import SQLITE

REQUESTS = 5_500 if command.SOAK else 400
EXPECTED = {
    *("unsupported_function", "invalid_message", "missing_field", "not_found", "broken_dependent"),
    *("foreign_key_violation", "data_validation", "no_transaction", "nested_transaction"),
    *("unknown_transaction", "unknown_savepoint", "not_in_transaction"),
    *("foreign_key_violation", "unknown_migration", "unknown_backup", "not_applied", "state_mismatch"),
}
"""How requests may end that are valid but ask for what is not there, or what others need."""
PATIENCE = 5.0
"""Seconds a request may take at most; each is given a deadline of half of it."""
SECRET = "Gr4pefruit-hunter2-otter"
READING = {
    *("ReadResource", "DiscoverResources", "Plan", "GetState", "SetState", "Ping", "Version"),
    *("GetAuditLog", "VerifyAuditLog"),
    *("PlanMigration", "ListMigrations", "ListBackups", "VerifyBackup"),
}
"""Functions that never change a database."""


def valid() -> list[tuple[str, Any]]:
    """Return one valid request or more to each function, the more for those with much in them."""
    samples = SQLITE.samples
    resources = [wanted(each.type, each.name, each.config) for each in samples if each.type != "schema"]
    changed = [
        wanted(each.type, each.name, each.changed, "update") for each in samples if each.type != "schema"
    ]
    deleted = [wanted(each.type, each.name, {}, "delete") for each in samples if each.type != "schema"]
    secret = wanted(
        "table", "vault", {"columns": [{"name": "a", "default": f"'{SECRET}'", "comment": SECRET}]}
    )
    found: list[tuple[str, Any]] = [
        ("Plan", {"resources": resources, "options": {"detail": True}}),
        ("Plan", {"resources": changed}),
        ("Plan", {"resources": [*deleted, secret]}),
        (
            "Apply",
            {"resources": changed, "options": {"detail": True, "fingerprint": "", "lock_timeout_seconds": 1}},
        ),
        ("Apply", {"resources": [secret, *changed[:2]]}),
        ("Apply", {"resources": deleted}),
        (
            "DiscoverResources",
            {"resource_type": "table", "filters": {"name": ["a*", "book"], "schema": "main"}},
        ),
        (
            "GetAuditLog",
            {
                "since": "2025-12-15T10:30:00Z",
                "resource_type": "table",
                "actor": "ann",
                "cursor": "",
                "limit": 5,
            },
        ),
        ("VerifyAuditLog", {}),
        ("Ping", {}),
        ("Version", {}),
        ("GetState", {}),
    ]
    for each in samples:
        key = {"resource_type": each.type, "name": each.name}
        found += [
            ("CreateResource", {**key, "name": "fresh", "config": {**each.config, "name": "fresh"}}),
            ("UpdateResource", {**key, "config": dict(each.changed), "prior_state": {"identity": each.name}}),
            ("DeleteResource", {**key, "state": {"identity": each.name}}),
            ("ReadResource", key),
        ]
    state = {
        "version": "1.0.0",
        "provider": "sqlite",
        "resources": [
            {
                "type": "sqlite_table",
                "name": "author",
                "provider": "sqlite",
                "status": "active",
                "config": dict(samples[0].config),
                "state": {"identity": "author", "digest": "00"},
                "metadata": {"ref": ["table", "author", "", ""], "config_digest": "00"},
                "created_at": "2025-12-15T10:30:00Z",
                "updated_at": "2025-12-15T10:30:00Z",
            }
        ],
        "metadata": {
            "lineage": "l",
            "serial": 10**6,
            "audit": {"trail": "t", "entries": 3, "hash": "00"},
        },
        "updated_at": "2025-12-15T10:30:00Z",
    }
    found += [("SetState", {"state": state})] * 4
    transaction = {"transaction_id": "t", "savepoint": "s"}
    found += [
        ("BeginTransaction", {"isolation": "serializable", "read_only": False, "timeout_seconds": 60}),
        ("BeginTransaction", transaction),
        ("CommitTransaction", transaction),
        ("RollbackTransaction", transaction),
        ("RollbackTransaction", {}),
    ]
    author = {"resource_type": "table", "resource_name": "author", "migration_id": "m"}
    losing = {"allow_data_loss": True, "backup_before_migration": True, "timeout_seconds": 2}
    for name in ("PlanMigration", "ApplyMigration"):
        found += [
            (name, {**author, "from_state": samples[0].config, "to_state": samples[0].changed}),
            (name, {**author, "from_state": samples[0].changed, "to_state": {}, "options": losing}),
        ]
    script = {"version": "1", "script": "CREATE TABLE made (a); SELECT 1", "checksum": "c", "name": "n"}
    found += [
        ("RunMigrationScript", {**script, "timeout_seconds": 1, "needs": ["foreign_keys_off"]}),
        ("RunMigrationScript", {**script, "transactional": False}),
        ("RunMigrationScript", {**script, "direction": "down"}),
        ("VerifyBackup", {"name": "20250102T030405123456Z-none"}),
        ("RestoreBackup", {"names": ["20250102T030405123456Z-none"], "resources": ["table author"]}),
    ]
    fresh = {"name": "fresher", "columns": [{"name": "a", "type": "TEXT"}]}
    found += [(name, {**author, "resource_name": "fresher", "to_state": fresh}) for name in FUNCTIONS]
    return found


class Arena:
    """A database with something in it, a provider on it, and the way back to how it was."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.settings: dict[str, Any] = {
            "path": str(folder / "shop.db"),
            "safe_destroy": False,
            "busy_timeout": 1,
            "backup_dir": str(folder / "vault"),
        }
        self.template = folder / "template.db"
        self.client = Client(load("sqlite"))
        self.log: list[str] = []
        self.secret = SecureString(SECRET)
        with Client(load("sqlite")).configure(self.settings) as maker:
            maker.apply(
                *(
                    wanted(each.type, each.name, each.config)
                    for each in SQLITE.samples
                    if each.type != "schema"
                )
            )
            SQLITE.execute(
                self.settings,
                "INSERT INTO author VALUES (1, 'Ann', 1950), (2, 'Bob', NULL);"
                "INSERT INTO book VALUES (1, 1, 'A', 2);",
            )
        shutil.copy(self.settings["path"], self.template)
        self.clean = SQLITE.dump(self.settings)
        self.files = self.listing()
        self.reset()

    def listing(self) -> list[str]:
        return sorted(each.name for each in Path(self.settings["path"]).parent.iterdir())

    def reset(self) -> None:
        self.client.provider.close()
        for file in Path(self.settings["path"]).parent.iterdir():
            if file.name not in self.files:
                file.unlink()
        shutil.copy(self.template, self.settings["path"])
        self.client = Client(load("sqlite")).configure(self.settings)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    found = Arena(tmp_path_factory.mktemp("arena"))
    unsubscribe = subscribe(lambda *record: found.log.append(repr(record)), "debug")
    yield found
    unsubscribe()
    found.client.provider.close()
    found.secret.clear()


tally: dict[str, int] = {}


def check(arena: Arena, function: str, data: bytes) -> None:
    arena.log.clear()
    started = time.monotonic()
    refused = True
    try:
        answer = json.loads(
            arena.client.send(function, data, Context.background().with_timeout(PATIENCE / 2))
        )
    except KolumnError as error:
        assert type(error) in CATEGORIES.values()
        assert error.code != "internal_error", error
        assert error.message
        told = f"{error} {error!r} {json.dumps(error.details)}"
        assert SECRET not in told
        assert len(told) < 400_000
        tally[error.category] = tally.get(error.category, 0) + 1
    else:
        refused = answer.get("success") is not True
        if refused:
            assert answer["error"]
            assert "internal error" not in answer["error"]
            assert SECRET not in answer["error"]
        assert SECRET not in json.dumps(answer.get("steps", []))
        word = "failed" if refused else "answered"
        tally[word] = tally.get(word, 0) + 1
    assert time.monotonic() - started < PATIENCE
    assert SECRET not in "".join(arena.log)
    now = SQLITE.dump(arena.settings)
    if refused or function in READING:
        assert now == arena.clean, "what is refused changes nothing"
        assert arena.listing() == arena.files
    if now != arena.clean or function == "SetState" or arena.listing() != arena.files:
        arena.reset()


@pytest.mark.soak
@settings(max_examples=REQUESTS, deadline=None)
@given(request=mutated(valid()))
def test_mutated_requests(arena: Arena, request: tuple[str, bytes]) -> None:
    check(arena, *request)


def test_the_mutated_requests_were_a_fair_mixture() -> None:
    """Too many that pass, or that fail at the first look, would test little."""
    print(tally)
    if tally:
        assert tally.get("answered", 0) > sum(tally.values()) * 0.05
        assert tally.get("ValidationError", 0) > sum(tally.values()) * 0.2


@settings(max_examples=REQUESTS // 8, deadline=None)
@given(function=st.sampled_from(sorted(FUNCTIONS)) | st.text(max_size=40), data=st.binary(max_size=200))
def test_random_bytes(arena: Arena, function: str, data: bytes) -> None:
    check(arena, function, data)


def test_the_valid_requests_are_valid(arena: Arena) -> None:
    """What the mutations start from works, so that what they break is what is tested."""
    for function, request in valid():
        try:
            answer = arena.client.call(function, request)
        except KolumnError as error:
            assert error.code in EXPECTED, (function, error)
        else:
            assert answer["success"], (function, answer)
        arena.reset()
