"""Policies end to end: what `plan` shows, `apply` and `destroy` obey, and a plan file cannot change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.servers import postgres

from .project import USERS, ProjectFolder

GUARDED = (
    USERS
    + """
variable "environment" {
  default = "production"
}
policy "no_drop" {
  when     = var.environment == "production"
  deny     = contains(["delete", "replace"], change.action)
  message  = "${change.address} would be dropped in ${var.environment}"
  hint     = "Ask the owner."
}
"""
)
EMPTIED = GUARDED[len(USERS) :]


def said(project: ProjectFolder, *words: str, code: int = 0) -> list[dict[str, Any]]:
    ran = project.run("plan", "--json", *words)
    assert ran.code == code, ran.out + ran.err
    found: list[dict[str, Any]] = ran.document["plan"]["policies"]
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [each["policy"] for each in found]


@pytest.fixture
def guarded(project: ProjectFolder) -> ProjectFolder:
    """A project with one table and a policy that forbids to drop it."""
    project.write(GUARDED)
    project.apply()
    return project


def test_a_plan_shows_what_policies_say(guarded: ProjectFolder) -> None:
    guarded.write(EMPTIED)
    ran = guarded.run("plan")
    assert ran.code == 1
    assert "Policies: 1 error, 1 warning" in ran.out
    assert "sqlite_table.users would be dropped in production" in ran.out
    assert "Ask the owner." in ran.out
    assert "A policy forbids this plan" in ran.out
    (denied, lost) = said(guarded, code=1)
    assert denied == {
        "policy": "no_drop",
        "builtin": False,
        "severity": "error",
        "outcome": "violated",
        "address": "sqlite_table.users",
        "message": "sqlite_table.users would be dropped in production",
        "hint": "Ask the owner.",
        "url": None,
        "file": None,
        "line": None,
        "overridable": False,
        "overridden": None,
    }
    assert (lost["policy"], lost["severity"], lost["builtin"]) == ("drop_table", "warning", True)


@pytest.mark.parametrize("words", [("apply", "--auto-approve"), ("destroy", "--auto-approve")])
def test_apply_and_destroy_obey(guarded: ProjectFolder, words: tuple[str, ...]) -> None:
    if words[0] == "apply":
        guarded.write(EMPTIED)
    before = guarded.ok("state", "pull").out
    ran = guarded.run(*words)
    assert ran.code == 1
    assert "no_drop" in ran.err and "Nothing was changed" in ran.err
    assert guarded.objects() == {"users"}
    assert guarded.ok("state", "pull").out == before
    ran = guarded.run(*words, "--json")
    assert ran.document["error"]["code"] == "policy_violation"
    assert [each["resource"] for each in ran.document["error"]["problems"]] == ["sqlite_table.users"]
    assert guarded.ok(*words, "-var", "environment=test").code == 0
    assert guarded.objects() == set()


def test_what_a_policy_forbids_is_not_asked_about(guarded: ProjectFolder) -> None:
    guarded.write(EMPTIED)
    ran = guarded.run("apply")
    assert "policy_violation" not in ran.out
    assert "forbids this plan" in ran.err
    assert "nobody to ask" not in ran.err


def test_warnings_hinder_nothing(guarded: ProjectFolder) -> None:
    guarded.write(EMPTIED.replace("when ", 'severity = "warning"\n  when '))
    assert sorted(names(said(guarded))) == ["drop_table", "no_drop"]
    guarded.apply()
    assert guarded.objects() == set()


def test_a_plan_without_changes_may_violate_a_policy(guarded: ProjectFolder) -> None:
    guarded.write(
        GUARDED
        + 'policy "named" {\n  for = "resource"\n  deny = resource.name == "users"\n  message = "no ${resource.name}"\n}\n'
    )
    (found,) = said(guarded, code=1)
    assert (found["policy"], found["file"], found["line"]) == ("named", str(guarded.folder / "main.kl"), 2)
    assert guarded.run("plan", "--detailed-exitcode").code == 1
    assert guarded.run("apply", "--auto-approve").code == 1


# Saved plans


def test_a_saved_plan_obeys_the_policies_at_the_apply(guarded: ProjectFolder, tmp_path: Path) -> None:
    plan = tmp_path / "p"
    loose = EMPTIED.replace("deny ", "enabled = false\n  deny ")
    guarded.write(loose)
    guarded.ok("plan", "--out", str(plan))
    guarded.write(EMPTIED)
    ran = guarded.run("apply", str(plan))
    assert ran.code == 1 and "no_drop" in ran.err
    assert guarded.objects() == {"users"}
    guarded.write(loose)
    guarded.ok("apply", str(plan))
    assert guarded.objects() == set()


def test_loosening_a_policy_needs_no_new_plan(guarded: ProjectFolder, tmp_path: Path) -> None:
    plan = tmp_path / "p"
    guarded.write(EMPTIED)
    assert guarded.run("plan", "--out", str(plan)).code == 1
    assert "no_drop" in guarded.ok("show", str(plan)).out
    assert guarded.run("apply", str(plan)).code == 1
    guarded.write(EMPTIED.replace("deny ", 'severity = "info"\n  deny '))
    guarded.ok("apply", str(plan))
    assert guarded.objects() == set()


def _without_policies(saved: dict[str, Any]) -> None:
    saved["policies"] = []
    saved["review"]["violations"] = []


def _harmless(saved: dict[str, Any]) -> None:
    for policy in saved["policies"]:
        policy.update(severity="info", condition=False, enabled=False)
    for violation in saved["review"]["violations"]:
        violation.update(severity="info", outcome="unknown", overridden="by me", overridable=True)


def _other_change(saved: dict[str, Any]) -> None:
    for change in saved["review"]["changes"]:
        change["action"] = "adopt"


def _other_variable(saved: dict[str, Any]) -> None:
    saved["review"]["changes"] = []


@pytest.mark.parametrize("tampered", [_without_policies, _harmless, _other_change, _other_variable])
def test_nothing_in_a_plan_file_loosens_a_policy(
    guarded: ProjectFolder, tmp_path: Path, tampered: Any
) -> None:
    plan = tmp_path / "p"
    guarded.write(EMPTIED)
    guarded.run("plan", "--out", str(plan))
    saved = json.loads(plan.read_text())
    assert saved["policies"][0]["name"] == "no_drop"
    tampered(saved)
    plan.write_text(json.dumps(saved))
    ran = guarded.run("apply", str(plan))
    assert ran.code == 1
    assert "no_drop" in ran.err
    assert guarded.objects() == {"users"}


# Going ahead


def test_overruling_a_policy(guarded: ProjectFolder, tmp_path: Path) -> None:
    guarded.write(EMPTIED)
    refused = guarded.run("apply", "--auto-approve", "--override-policy", "no_drop", "--reason", "x")
    assert refused.code == 1 and "must not be overruled" in refused.err
    guarded.write(EMPTIED.replace("deny ", "overridable = true\n  deny "))
    assert "--override-policy no_drop --reason TEXT" in guarded.run("apply", "--auto-approve").err
    unsaid = guarded.run("apply", "--auto-approve", "--override-policy", "no_drop")
    assert unsaid.code == 1 and "needs a reason" in unsaid.err
    assert guarded.objects() == {"users"}
    ran = guarded.ok(
        "apply", "--auto-approve", "--override-policy", "no_drop", "--reason", "agreed", "--json"
    )
    (found, _) = ran.document["plan"]["policies"]
    assert (found["policy"], found["overridden"]) == ("no_drop", "agreed")
    assert guarded.objects() == set()
    newest = guarded.ok("state", "history", "--json").document["history"][0]
    assert newest["reason"] == "apply against no_drop: agreed"
    noted = guarded.ok("audit", "--json").document
    assert "apply against no_drop: agreed" in json.dumps(noted)


def test_overruling_a_policy_of_a_saved_plan_and_of_destroy(guarded: ProjectFolder, tmp_path: Path) -> None:
    loose = GUARDED.replace("deny ", "overridable = true\n  deny ")
    guarded.write(loose)
    words = ("--override-policy", "no_drop", "--reason", "moved to the archive")
    assert "overruled: moved to the archive" in guarded.ok("destroy", "--auto-approve", *words).out
    assert guarded.objects() == set()
    guarded.apply()
    guarded.write(loose[len(USERS) :])
    plan = tmp_path / "p"
    guarded.run("plan", "--out", str(plan))
    guarded.ok("apply", str(plan), *words)
    assert guarded.objects() == set()


def test_postgres_obeys_as_well(project: ProjectFolder, tmp_path: Path) -> None:
    plan = tmp_path / "p"
    text = GUARDED.replace("sqlite_table", "postgres_table").replace("deny ", "overridable = true\n  deny ")
    emptied = text[text.index("variable") :]
    with postgres.server(15).database() as url:
        project.environment["KOLUMN_POSTGRES_URL"] = url

        def there() -> bool:
            with psycopg.connect(url) as connection:
                return connection.execute("SELECT to_regclass('users')").fetchone() != (None,)

        project.write(text)
        project.apply()
        project.write(emptied)
        assert "no_drop" in names(said(project, "--out", str(plan), code=1))
        saved = json.loads(plan.read_text())
        _harmless(saved)
        plan.write_text(json.dumps(saved))
        for words in (("apply", "--auto-approve"), ("destroy", "--auto-approve"), ("apply", str(plan))):
            ran = project.run(*words)
            assert ran.code == 1 and "no_drop" in ran.err
            assert there()
        project.ok("apply", str(plan), "--override-policy", "no_drop", "--reason", "agreed")
        assert not there()


def test_no_file_is_written_of_what_a_policy_forbids(guarded: ProjectFolder) -> None:
    guarded.write(EMPTIED.replace("deny ", "overridable = true\n  deny "))
    refused = guarded.run("migrate", "new", "emptied")
    assert refused.code == 1 and "no_drop" in refused.err
    assert not (guarded.folder / "migrations").exists()
    guarded.ok("migrate", "new", "emptied", "--override-policy", "no_drop", "--reason", "agreed")
    assert list((guarded.folder / "migrations").glob("**/*emptied*"))


# Faults


def test_a_faulty_policy_is_a_fault_of_the_configuration(guarded: ProjectFolder) -> None:
    guarded.write(GUARDED + 'policy "wrong" {\n  for = "resource"\n  deny = resource.config.comment > 3\n}\n')
    assert guarded.ok("validate").code == 0
    for words in (("plan",), ("apply", "--auto-approve")):
        ran = guarded.run(*words)
        assert ran.code == 1
        assert "policy wrong" in ran.err
        assert "main.kl:24:10" in ran.err
        assert "resource.config.comment > 3" in ran.err


def test_validate_checks_policies(project: ProjectFolder) -> None:
    project.write(
        USERS
        + """
        policy "a" {
          deny = change.nosuch
        }
        policy "b" {
          for     = "step"
          require = step.rows < 5 && step.colour == "red"
        }
        policy "drop_tabel" { severity = "error" }
        policy "table_rewrite" { max_row = 3 }
        policy "drop_column" {
          when = change.adress == "x"
        }
        policy "c" {
          for  = "plan"
          deny = plan.summary.deletes > 3
        }
        """
    )
    ran = project.run("validate", "--json")
    assert ran.code == 1
    problems = ran.document["error"]["problems"]
    assert [each["message"].split(".")[0] for each in problems] == [
        "policy table_rewrite has no max_row",
        "there is no built-in policy drop_tabel",
        "There is no nosuch here",
        "There is no colour here",
        "There is no deletes here",
        "There is no adress here",
    ]
    assert all(each["line"] for each in problems)
    assert project.run("plan").code == 1


def test_policies_without_a_fault_are_counted(guarded: ProjectFolder) -> None:
    assert guarded.ok("validate", "--json").document["policies"] > 20


# The command


def test_policies_are_listed_and_explained(guarded: ProjectFolder) -> None:
    guarded.write(
        GUARDED
        + 'policy "drop_table" {\n  severity = "error"\n}\npolicy "rename_table" {\n  enabled = false\n}\n'
    )
    text = guarded.ok("policy", "list").out
    assert "no_drop" in text and "rename_table" not in text
    assert "rename_table" in guarded.ok("policy", "list", "--all").out
    entries = {each["name"]: each for each in guarded.ok("policy", "list", "--json").document["policies"]}
    assert (entries["drop_table"]["severity"], entries["no_drop"]["builtin"]) == ("error", False)
    text = guarded.ok("policy", "explain", "table_rewrite").out
    assert "max_rows = 100000" in text and "Instead:" in text
    ran = guarded.run("policy", "explain", "drop_tabel")
    assert ran.code == 1 and "drop_table" in ran.err


def test_policies_are_tried_on_a_saved_plan(guarded: ProjectFolder, tmp_path: Path) -> None:
    plan = tmp_path / "p"
    guarded.write(EMPTIED)
    guarded.run("plan", "--out", str(plan))
    guarded.database.unlink()
    ran = guarded.run("policy", "test", str(plan))
    assert ran.code == 1 and "error no_drop" in ran.out
    ran = guarded.run("policy", "test", str(plan), "--json", "-var", "environment=test")
    assert (ran.code, ran.document["denied"]) == (0, False)
    assert names(ran.document["policies"]) == ["drop_table"]
    guarded.write(USERS + 'policies {\n  builtin = "none"\n}\n')
    assert guarded.ok("policy", "test", str(plan)).out == "No policy is violated.\n"
    assert not guarded.database.exists()


def test_without_a_project_the_built_in_policies_are_listed(project: ProjectFolder) -> None:
    assert "drop_table" in project.ok("policy", "list").out


def test_secrets_are_never_part_of_a_policy(project: ProjectFolder) -> None:
    project.write(
        """
        variable "token" {
          sensitive = true
          default   = "correct-horse"
        }
        create "sqlite_table" "settings" {
          column "id" {
            type        = "INTEGER"
            primary_key = true
          }
          column "token" {
            type    = "TEXT"
            default = "'${var.token}'"
          }
        }
        policy "shown" {
          for     = "column"
          deny    = column.default != null
          message = "default is ${column.default}"
        }
        policy "of_the_plan" {
          for     = "step"
          deny    = length(regexall("c.rrect", join(" ", step.sql))) > 0
          message = join(" ", step.sql)
        }
        """
    )
    ran = project.run("plan", "--json", "--out", str(project.folder / "p"))
    assert [each["message"] for each in ran.document["plan"]["policies"]] == ["default is (sensitive)"]
    assert "horse" not in ran.out + (project.folder / "p").read_text()
