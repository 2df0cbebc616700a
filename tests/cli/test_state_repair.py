"""`kolumn state validate` and `kolumn state repair` on states that somebody had their hands in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from .project import POSTS, USERS, ProjectFolder


@pytest.fixture
def applied(project: ProjectFolder) -> ProjectFolder:
    project.write(USERS + POSTS)
    project.apply()
    return project


def edit(project: ProjectFolder, change: Callable[[Any], object], *, honest: bool = True) -> None:
    """Change the stored state; `honest` through `state push`, else in the file."""
    pulled = json.loads(project.ok("state", "pull").out)
    change(pulled["state"])
    if honest:
        file = project.folder.parent / "edited.json"
        file.write_text(json.dumps(pulled))
        project.ok("state", "push", str(file))
        return
    with closing(sqlite3.connect(project.folder / ".kolumn" / "state.db")) as database:
        database.execute(
            "UPDATE state SET body = ? WHERE serial = ?",
            (json.dumps(pulled["state"]).encode(), pulled["serial"]),
        )
        database.commit()


def codes(project: ProjectFolder) -> list[str]:
    ran = project.run("state", "validate", "--json")
    document = ran.document
    assert ran.code == (0 if document["valid"] else 2)
    return [each["code"] for each in document["findings"]]


def users(state: Any) -> Any:
    return next(each for each in state["providers"]["sqlite"]["resources"] if each["name"] == "users")


def test_a_state_that_was_applied_is_valid(applied: ProjectFolder) -> None:
    ran = applied.ok("state", "validate")
    assert ran.out == "The state of serial 2 is valid.\n"
    before = applied.state_bytes()
    assert "nothing to mend" in applied.ok("state", "repair").out
    assert applied.state_bytes() == before


def test_without_a_state_there_is_nothing_to_validate(project: ProjectFolder) -> None:
    project.write(USERS)
    for action in ("validate", "repair"):
        ran = project.run("state", action)
        assert ran.code == 1
        assert "no state yet" in ran.err


def _other_record(state: Any) -> None:
    state["resources"]["sqlite_table.ghost"] = {"provider": "sqlite"}


FAULTS: list[tuple[str, Callable[[Any], object]]] = [
    ("record_without_resource", _other_record),
    ("resource_without_record", lambda state: state["resources"].pop("sqlite_table.users")),
    (
        "wrong_provider",
        lambda state: state["resources"]["sqlite_table.users"].update(provider="sqlite.other"),
    ),
    (
        "dangling_dependency",
        lambda state: state["resources"]["sqlite_table.posts"].update(depends_on=["sqlite_table.ghost"]),
    ),
    ("invalid_salt", lambda state: state.update(salt="no hex")),
    ("invalid_config", lambda state: users(state).update(config={"columns": 5})),
    ("config_digest_mismatch", lambda state: users(state)["config"].update(strict=True)),
    ("stale_digest", lambda state: users(state)["state"].update(digest="0" * 32)),
]


@pytest.mark.parametrize(("code", "fault"), FAULTS, ids=[code for code, _ in FAULTS])
def test_every_fault_is_mended(applied: ProjectFolder, code: str, fault: Callable[[Any], object]) -> None:
    edit(applied, fault)
    assert code in codes(applied)
    before = applied.state_bytes()
    dry = applied.run("state", "repair", "--dry-run", "--json").document
    assert code in [each["code"] for each in dry["repaired"]]
    assert applied.state_bytes() == before
    refused = applied.run("state", "repair")
    assert refused.code == 1
    assert "nobody to ask" in refused.err

    ran = applied.run("state", "repair", "--auto-approve", "--json")

    assert ran.code == 0, ran
    assert ran.document["serial"] == dry["serial"] + 1
    assert ran.document["left"] == []
    assert codes(applied) == []
    assert applied.run("state", "history", "--json").document["history"][0]["reason"] == "state repair"
    applied.apply()
    assert applied.settled()
    assert applied.run("drift").code == 0


def test_a_tampered_file_is_named_before_anything_runs(applied: ProjectFolder) -> None:
    edit(applied, lambda state: users(state)["config"].update(strict=True), honest=False)
    objects = applied.objects()
    for words in (
        ["plan"],
        ["apply", "--auto-approve"],
        ["drift"],
        ["state", "list"],
        ["destroy", "--auto-approve"],
    ):
        ran = applied.run(*words)
        assert ran.code == 1, words
        assert "is not what Kolumn wrote" in ran.err
    assert applied.objects() == objects
    assert codes(applied)[0] == "state_tampered"

    applied.ok("state", "repair", "--auto-approve")

    assert codes(applied) == []
    applied.apply()
    assert applied.settled()


def test_a_state_that_is_cut_off_is_replaced_by_the_last_sound_one(applied: ProjectFolder) -> None:
    applied.write(USERS)
    applied.apply()
    with closing(sqlite3.connect(applied.folder / ".kolumn" / "state.db")) as database:
        database.execute(
            "UPDATE state SET body = substr(body, 1, 40) WHERE serial = (SELECT max(serial) FROM state)"
        )
        database.commit()
    assert codes(applied) == ["state_tampered", "invalid_document"]

    ran = applied.run("state", "repair", "--auto-approve", "--json")

    assert ran.code == 0, ran
    assert "restore" in [each["repair"]["action"] for each in ran.document["repaired"] if each["repair"]]
    assert codes(applied) == []
    applied.apply()
    assert applied.settled()


def test_an_earlier_state_can_be_restored_over_a_tampered_one(applied: ProjectFolder) -> None:
    applied.write(USERS)
    applied.apply()
    edit(applied, lambda state: state.update(lineage="other"), honest=False)
    applied.ok("state", "restore", "2")
    assert applied.ok("state", "list").out.split() == [
        "sqlite_index.posts_by_author",
        "sqlite_table.posts",
        "sqlite_table.users",
    ]


def test_a_newer_format_is_left_alone(applied: ProjectFolder) -> None:
    edit(applied, lambda state: state["providers"]["sqlite"].update(version="9.0.0"))
    before = applied.state_bytes()
    ran = applied.run("state", "repair", "--auto-approve")
    assert ran.code == 2
    assert "upgrade Kolumn" in ran.out
    assert applied.state_bytes() == before
