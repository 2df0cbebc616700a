from __future__ import annotations

import json
import signal
import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from kolumn.contract.times import Timestamp
from kolumn.host.backends import Holder
from kolumn.host.backends.local import LocalBackend

from .project import POSTS, USERS, ProjectFolder

SECRET = "correct-horse-battery"


def test_a_saved_plan_is_applied_as_reviewed(project: ProjectFolder, tmp_path: Path) -> None:
    project.write('variable "column" {}\n' + USERS.replace('"email"', "var.column"))
    project.write(USERS)
    plan = tmp_path / "review.plan"
    saved = project.ok("plan", "--out", str(plan))
    assert "1 to create" in saved.out
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    assert "+ sqlite_table.users" in project.ok("show", str(plan)).out

    applied = project.ok("apply", str(plan))
    assert "Apply complete: 1 created" in applied.out
    assert project.objects() == {"users"}

    again = project.run("apply", str(plan))
    assert again.code == 1
    assert "Plan again" in again.err


def test_a_saved_plan_may_hold_references(project: ProjectFolder, tmp_path: Path) -> None:
    project.write(
        """
        create "sqlite_table" "parent" {
          column "id" { type = "integer", primary_key = true }
        }
        create "sqlite_table" "child" {
          column "parent_id" { type = "integer", references = sqlite_table.parent.id }
        }
        create "sqlite_index" "child_parent" {
          table   = sqlite_table.child
          columns = ["parent_id"]
        }
        """
    )
    plan = tmp_path / "saved.plan"
    project.ok("plan", "--out", str(plan))
    project.ok("apply", str(plan))
    assert "No changes" in project.ok("plan").out


def test_a_saved_plan_keeps_its_variables(project: ProjectFolder, tmp_path: Path) -> None:
    project.write('variable "name" {}\n' + USERS.replace('"users" {', '"users" {\n  name = var.name', 1))
    plan = tmp_path / "p"
    project.ok("plan", "-var", "name=people", "--out", str(plan))
    project.ok("apply", str(plan))
    assert project.objects() == {"people"}


@pytest.mark.parametrize("planned", ["with changes", "without changes"])
def test_a_saved_plan_does_not_fit_a_changed_database(
    project: ProjectFolder, tmp_path: Path, planned: str
) -> None:
    project.write(USERS)
    if planned == "without changes":
        project.apply()
    plan = tmp_path / "p"
    project.ok("plan", "--out", str(plan))
    project.sql("DROP TABLE IF EXISTS users; CREATE TABLE users (id INTEGER)")
    schema = project.rows("SELECT sql FROM sqlite_schema")

    stale = project.run("apply", str(plan), "--json")

    assert stale.code == 1
    assert stale.document["error"]["code"] == "stale_plan"
    assert stale.document["error"]["category"] == "StateError"
    assert project.rows("SELECT sql FROM sqlite_schema") == schema


def test_a_saved_plan_does_not_fit_a_changed_configuration(project: ProjectFolder, tmp_path: Path) -> None:
    project.write(USERS)
    plan = tmp_path / "p"
    project.ok("plan", "--out", str(plan))
    project.write(USERS.replace("email", "mail"))

    stale = project.run("apply", str(plan))

    assert stale.code == 1
    assert "sqlite_table.users" in stale.err
    assert project.objects() == set()


def test_what_is_no_plan_is_refused(project: ProjectFolder, tmp_path: Path) -> None:
    project.write(USERS)
    for content in (b"", b"{}", b'{"kind":"kolumn-plan","format_version":"99"}', b"\xff\xfe", b"[" * 100_000):
        (tmp_path / "p").write_bytes(content)
        ran = project.run("apply", str(tmp_path / "p"))
        assert ran.code == 1
        assert ran.err.startswith("Error: ")
        assert "Traceback" not in ran.err


def test_nobody_is_asked_where_nobody_is(project: ProjectFolder) -> None:
    project.write(USERS)
    ran = project.run("apply", stdin="yes\n")
    assert ran.code == 1
    assert "--auto-approve" in ran.err
    assert project.objects() == set()


def test_secrets_are_in_no_state_plan_or_output(project: ProjectFolder, tmp_path: Path) -> None:
    project.environment["KOLUMN_VAR_token"] = SECRET
    project.write(
        'variable "token" {\n  sensitive = true\n}\n'
        'output "token" {\n  value = var.token\n  sensitive = true\n}\n'
        + USERS.replace("not_null = true", "not_null = true\n    default = \"'${var.token}'\"")
    )
    plan = tmp_path / "p"
    runs = [
        project.ok("plan", "--sql", "--out", str(plan)),
        project.ok("plan", "--sql", "--json"),
        project.ok("show", str(plan), "--sql"),
        project.ok("apply", str(plan), "--sql"),
        project.ok("plan", "--sql"),
        project.ok("state", "show", "sqlite_table.users"),
        project.ok("state", "pull"),
        project.ok("output"),
        project.ok("output", "--json"),
    ]
    assert project.settled()
    assert SECRET in str(project.rows("SELECT sql FROM sqlite_schema")), "the database itself must have it"
    for ran in runs:
        assert SECRET not in ran.out + ran.err
    assert "(sensitive)" in runs[0].out
    assert SECRET.encode() not in project.state_bytes()
    assert SECRET.encode() not in plan.read_bytes()
    assert project.ok("output", "token", "--raw").out == SECRET

    project.environment["KOLUMN_VAR_token"] = "another-one-entirely"
    changed = project.ok("plan")
    assert "~ sqlite_table.users" in changed.out
    assert SECRET not in changed.out
    assert "another-one" not in changed.out


def test_a_saved_plan_needs_the_same_sensitive_value(project: ProjectFolder, tmp_path: Path) -> None:
    project.write(
        'variable "token" {\n  sensitive = true\n}\n'
        + USERS.replace("not_null = true", "not_null = true\n    default = \"'${var.token}'\"")
    )
    plan = tmp_path / "p"
    project.ok("plan", "-var", f"token={SECRET}", "--out", str(plan))
    assert SECRET.encode() not in plan.read_bytes()

    other = project.run("apply", str(plan), "-var", "token=something-else-here")
    assert other.code == 1
    assert "token" in other.err
    project.ok("apply", str(plan), "-var", f"token={SECRET}")
    assert project.objects() == {"users"}


def test_two_applies_at_once_do_not_mix(project: ProjectFolder) -> None:
    project.write(USERS + POSTS)
    project.apply()
    with closing(sqlite3.connect(project.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # the first apply now waits for the database
        project.write(USERS + POSTS + USERS.replace('"users"', '"more"'))
        first = project.start("apply", "--auto-approve", "--lock-timeout", "30")
        lock = project.folder / ".kolumn" / "lock"
        deadline = time.monotonic() + 20
        while not lock.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.02)

        second = project.run("apply", "--auto-approve")
        assert second.code == 1
        assert "kolumn apply" in second.err
        assert str(first.pid) in second.err
        writer.execute("ROLLBACK")
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0, out + err
    assert project.objects() == {"users", "posts", "posts_by_author", "more"}
    assert project.settled()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--lock-timeout", "20", "rm", "sqlite_table.users"], id="before the action"),
        pytest.param(["rm", "sqlite_table.users", "--lock-timeout", "20"], id="after it"),
        pytest.param(["--lock-timeout", "0", "rm", "--lock-timeout", "20", "sqlite_table.users"], id="both"),
    ],
)
def test_changing_the_state_waits_for_the_lock_as_long_as_told(
    project: ProjectFolder, words: list[str]
) -> None:
    project.write(USERS)
    project.apply()
    backend = LocalBackend(project.folder)
    released: list[float] = []

    def hold(held: threading.Event) -> None:
        with backend.lock(Holder(1, "elsewhere", "somebody", "apply", Timestamp.utc_now()), 0.0):
            held.set()
            time.sleep(0.6)
            released.append(time.monotonic())

    held = threading.Event()
    holder = threading.Thread(target=hold, args=(held,))
    holder.start()
    assert held.wait(10)
    impatient = project.run("state", "rm", "sqlite_table.users")
    assert impatient.code == 1
    assert "somebody on elsewhere" in impatient.err
    project.ok("state", *words)
    assert released
    assert time.monotonic() >= released[0]
    holder.join()
    assert project.ok("state", "list", "--json").document["resources"] == []


def test_ctrl_c_stops_an_apply_and_says_what_stands(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    with closing(sqlite3.connect(project.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        project.write(USERS + USERS.replace('"users"', '"more"'))
        process = project.start("apply", "--auto-approve", "--lock-timeout", "60")
        lock = project.folder / ".kolumn" / "lock"
        deadline = time.monotonic() + 20
        while not lock.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130, out + err
        assert "Traceback" not in err
        writer.execute("ROLLBACK")
    assert project.objects() == {"users"}
    project.apply()
    assert project.objects() == {"users", "more"}


def test_killed_between_commit_and_state_forgets_nothing(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    before = project.ok("state", "pull").document
    project.write(USERS + POSTS)
    project.apply()
    # What a kill right after the database's commit leaves: the intentions, and the state of before.
    history = project.ok("state", "history", "--json").document["history"]
    assert [entry["reason"] for entry in history][:3] == ["apply", "apply", "apply"]
    project.ok("state", "restore", str(history[1]["serial"]))
    assert "pending" in project.ok("state", "list").out
    assert before["serial"] == 2

    assert "an interrupted apply left it" in project.ok("plan").out
    project.apply()
    assert project.settled()
    assert "pending" not in project.ok("state", "list").out

    project.ok("state", "restore", str(history[1]["serial"]))
    project.write(USERS)
    project.apply()
    assert project.objects() == {"users"}, "what the interrupted apply created is managed, so it goes"
    assert project.settled()


def test_state_can_be_looked_into_moved_and_restored(project: ProjectFolder, tmp_path: Path) -> None:
    project.write(USERS + POSTS)
    project.apply()
    listed = project.ok("state", "list").out.split()
    assert listed == ["sqlite_index.posts_by_author", "sqlite_table.posts", "sqlite_table.users"]
    shown = project.ok("state", "show", "sqlite_table.posts", "--json").document["resource"]
    assert shown["depends_on"] == ["sqlite_table.users"]
    assert shown["state"]["identity"]

    project.ok("state", "mv", "sqlite_table.users", "sqlite_table.people")
    assert "sqlite_table.people" in project.ok("state", "list").out
    assert project.run("state", "mv", "sqlite_table.posts", "sqlite_index.posts").code == 1
    assert project.run("state", "mv", "sqlite_table.nobody", "sqlite_table.x").code == 1

    history = project.ok("state", "history", "--json").document["history"]
    project.ok("state", "restore", str(history[1]["serial"]))
    assert project.ok("state", "list").out.split() == listed
    assert project.settled()

    pulled = tmp_path / "state.json"
    pulled.write_text(project.ok("state", "pull").out)
    project.ok("state", "rm", "sqlite_table.posts")
    assert "sqlite_table.posts" not in project.ok("state", "list").out
    assert "posts" in project.objects()
    stale = project.run("state", "push", str(pulled))
    assert stale.code == 1
    assert "--force" in stale.err
    project.ok("state", "push", str(pulled), "--force")
    assert project.ok("state", "list").out.split() == listed
    document = json.loads(pulled.read_text())
    document["state"]["lineage"] = "somebody-else"
    document["serial"] = project.ok("state", "pull").document["serial"]
    pulled.write_text(json.dumps(document))
    assert project.run("state", "push", str(pulled)).code == 1


CAREFUL = {"KOLUMN_SAFE_DESTROY": "true"}


def test_what_is_deleted_waits_and_comes_back(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.sql("INSERT INTO users VALUES (7, 'a@b')")
    project.ok("destroy", "--auto-approve", environment=CAREFUL)
    assert "users" not in project.objects()
    assert project.ok("state", "list").out.split() == ["sqlite_table.users", "(quarantined)"]
    (entry,) = project.ok("quarantine", "list", "--json").document["entries"]
    assert (entry["type"], entry["name"], entry["rows"], entry["expired"]) == ("table", "users", 1, False)
    assert entry["id"] in project.ok("quarantine", "list").out
    assert "moved table users" in project.ok("quarantine", "list", "sqlite_table.users").out
    back = project.ok("quarantine", "restore", "sqlite_table.users").out
    assert "Restored table users." in back
    assert "managed again: table users" in back
    assert project.objects() == {"users"}
    assert project.rows("SELECT id FROM users") == [(7,)]
    assert project.settled()
    assert "Nothing is in quarantine." in project.ok("quarantine", "list").err


def test_what_no_configuration_names_comes_back_unmanaged(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.write("")
    project.ok("apply", "--auto-approve", environment=CAREFUL)
    restored = project.ok("quarantine", "restore", "sqlite_table.users", "--json").document["restored"]
    assert restored[0]["unmanaged"] == ["table users"]
    assert project.ok("state", "list").out == ""
    assert project.objects() == {"users"}


def test_purging_waits_for_the_retention(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.ok("destroy", "--auto-approve", environment=CAREFUL)
    refused = project.run("quarantine", "purge", "sqlite_table.users")
    assert refused.code == 1
    assert "is kept until" in refused.err
    assert "--force" in project.ok("quarantine", "purge").err
    unknown = project.run("quarantine", "restore", "sqlite_table.nobody")
    assert unknown.code == 1
    assert "sqlite_table.nobody is not in quarantine" in unknown.err
    assert "for good" in project.ok("quarantine", "purge", "sqlite_table.users", "--force").out
    assert project.ok("state", "list").out == ""
    assert project.ok("quarantine", "list", "--json").document["entries"] == []


def test_a_failing_apply_leaves_database_and_state_as_they_were(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.sql("INSERT INTO users VALUES (1, 'x'), (-9223372036854775808, 'y')")
    project.write(
        USERS
        + POSTS
        + 'create "sqlite_index" "one_mail" {\n  table = sqlite_table.users.name\n'
        + '  columns = [{ expression = "abs(id)" }]\n}\n'
    )
    failed = project.run("apply", "--auto-approve", "--json")
    assert failed.code == 1
    document = failed.document
    assert document["success"] is False
    assert document["error"]["category"] == "OperationError"
    assert any(
        not each["success"] and each["address"] == "sqlite_index.one_mail" for each in document["results"]
    )
    assert project.objects() == {"users"}
    assert project.rows("SELECT count(*) FROM users") == [(2,)]

    said = project.run("apply", "--auto-approve")
    assert "x sqlite_index.one_mail:" in said.out
    assert "Nothing of it stands" in said.out
    assert said.err.count("integer overflow") == 1

    project.sql("DELETE FROM users WHERE id < 0")
    project.apply()
    assert project.settled()


def test_rows_in_the_way_are_shown_and_refused(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.sql("INSERT INTO users VALUES (1, 'x'), (2, 'x'), (3, 'y')")
    project.write(
        USERS
        + 'create "sqlite_index" "one_mail" {\n  table = sqlite_table.users.name\n'
        + '  columns = ["email"]\n  unique = true\n}\n'
    )
    words = "2 rows of users have the same email as another (email 'x')"
    assert f"! {words} (may fail)" in project.run("plan").out
    plan = project.run("plan", "--json").document
    (index,) = (each for each in plan["plan"]["resources"] if each["address"].endswith("one_mail"))
    (risk,) = index["steps"][0]["risks"]
    assert risk == {
        "kind": "may_fail",
        "message": words,
        "rows": {"table": "users", "count": 2, "key": ["email"], "keys": [["x"]]},
    }
    refused = project.run("apply", "--auto-approve")
    assert refused.code == 1
    assert words in refused.err
    assert project.objects() == {"users"}
    project.sql("DELETE FROM users WHERE id = 2")
    project.apply()
    assert project.settled()


def test_a_saved_refresh_does_not_fit_another_database(project: ProjectFolder, tmp_path: Path) -> None:
    project.write(USERS + POSTS)
    project.apply()
    project.sql("DROP INDEX posts_by_author")
    plan = tmp_path / "p"
    project.ok("plan", "--refresh-only", "--out", str(plan))
    project.sql("DROP TABLE posts")
    stale = project.run("apply", str(plan), "--json")
    assert stale.document["error"]["code"] == "stale_plan"

    project.ok("plan", "--refresh-only", "--out", str(plan))
    project.ok("apply", str(plan))
    assert project.ok("state", "list").out.split() == ["sqlite_table.users"]


def test_ctrl_c_ends_the_wait_for_the_lock(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    backend = LocalBackend(project.folder)
    with backend.lock(Holder(1, "elsewhere", "somebody", "apply", Timestamp.utc_now()), 0):
        process = project.start("apply", "--auto-approve", "--lock-timeout", "120")
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err


def test_a_person_who_removed_what_was_secret_does_not_show_it(project: ProjectFolder) -> None:
    project.environment["KOLUMN_VAR_token"] = SECRET
    variable = 'variable "token" {\n  sensitive = true\n}\n'
    secret = USERS.replace("not_null = true", "not_null = true\n    default = \"'${var.token}'\"")
    project.write(variable + secret)
    project.apply()
    del project.environment["KOLUMN_VAR_token"]

    project.write(USERS)
    for words in (["plan", "--sql"], ["plan", "--sql", "--json"]):
        ran = project.ok(*words)
        assert "sqlite_table.users" in ran.out
        assert SECRET not in ran.out + ran.err
    destroyed = project.ok("destroy", "--auto-approve", "--json")
    assert SECRET not in destroyed.out + destroyed.err
    assert project.objects() == set()


def test_an_error_about_something_sensitive_does_not_show_it(project: ProjectFolder) -> None:
    project.environment["KOLUMN_VAR_token"] = SECRET
    variable = 'variable "token" {\n  sensitive = true\n}\n'
    for written in (
        'not_null = true\n    default = "\'${var.token}"',
        'not_null = true\n    check = "${var.token} ((("',
        'not_null = true\n    collation = "${var.token}"',
        "not_null = var.token",
    ):
        project.write(variable + USERS.replace("not_null = true", written))
        for words in (["plan"], ["plan", "--json"], ["apply", "--auto-approve", "--log-level", "debug"]):
            ran = project.run(*words)
            assert ran.code == 1 or words[0] == "plan", written
            assert SECRET not in ran.out + ran.err
    assert SECRET.encode() not in project.state_bytes()
