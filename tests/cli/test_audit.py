"""`kolumn audit` on a real project."""

from __future__ import annotations

import pytest

from .project import POSTS, USERS, ProjectFolder

WITH_SECRET = """
variable "word" {
  sensitive = true
}
create "sqlite_table" "codes" {
  column "code" {
    type    = "TEXT"
    default = "'${var.word}'"
  }
}
"""


@pytest.fixture
def noted(project: ProjectFolder) -> ProjectFolder:
    project.write(USERS)
    project.apply()
    project.write(USERS + POSTS)
    project.apply()
    project.write(POSTS.replace("references = sqlite_table.users.id", ""))
    project.apply()
    return project


def test_it_says_who_did_what(noted: ProjectFolder) -> None:
    lines = noted.ok("audit").out.splitlines()
    for words in (
        "create sqlite_table.users",
        "create sqlite_table.posts",
        "create sqlite_index.posts_by_author",
        "update sqlite_table.posts",
        "delete sqlite_table.users",
    ):
        assert sum(words in line and "succeeded" in line for line in lines) == 1, words
    assert "delete sqlite_table.users" not in lines[-1]
    assert "started" in lines[-1]
    assert "CREATE TABLE users" not in "\n".join(lines)
    assert "CREATE TABLE users" in noted.ok("audit", "--sql").out


def test_filters(noted: ProjectFolder) -> None:
    everything = noted.ok("audit", "--limit", "0", "--json").document["entries"]
    assert [int(each["id"]) for each in everything] == list(range(len(everything), 0, -1))
    users = noted.ok("audit", "--resource", "sqlite_table.users", "--json").document["entries"]
    assert [(each["action"], each["address"]) for each in users] == [
        ("delete", "sqlite_table.users"),
        ("create", "sqlite_table.users"),
    ]
    assert all(each["provider"] == "sqlite" for each in everything)
    actor = everything[0]["os_user"]
    assert noted.ok("audit", "--actor", actor, "--limit", "0", "--json").document["entries"] == everything
    assert noted.ok("audit", "--since", "1h", "--limit", "0", "--json").document["entries"] == everything
    assert noted.ok("audit", "--until", "1d", "--json").document["entries"] == []
    middle = everything[3]["time"]
    early = noted.ok("audit", "--until", middle, "--json").document["entries"]
    assert early == [each for each in everything if each["time"] < middle]
    limited = noted.ok("audit", "--limit", "2")
    assert len(limited.out.splitlines()) == 2
    assert "--limit 0" in limited.err
    assert noted.ok("audit", "--action", "nothing").out == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--since", "soon"),
        ("--until", "2025-13-01"),
        ("--since", "999999w"),
        ("--resource", "users"),
        ("--resource", "sqlite_nonsense.users"),
        ("--limit", "-1"),
        ("verify", "--since", "1h"),
        ("check",),
    ],
)
def test_what_makes_no_sense_is_refused(noted: ProjectFolder, words: tuple[str, ...]) -> None:
    ran = noted.run("audit", *words)
    assert ran.code == 1
    assert ran.err.startswith("Error: ")
    assert "Traceback" not in ran.err
    assert noted.run("audit", *words, "--json").document["error"]["category"] == "ValidationError"


def test_verify_is_content_with_what_was_written(noted: ProjectFolder) -> None:
    assert "intact" in noted.ok("audit", "verify").out
    document = noted.ok("audit", "verify", "--json").document
    assert document["intact"] is True
    (only,) = document["providers"]
    count = len(noted.ok("audit", "--limit", "0", "--json").document["entries"])
    assert (only["provider"], only["entries"], only["faults"]) == ("sqlite", count, [])


def test_verify_names_what_was_tampered_with_and_nothing_runs(noted: ProjectFolder) -> None:
    noted.sql("DROP TRIGGER kolumn_audit_update; UPDATE kolumn_audit SET actor = 'x' WHERE entry_number = 4")
    ran = noted.run("audit", "verify")
    assert ran.code == 1
    assert "entry 4 was altered" in ran.out
    document = noted.run("audit", "verify", "--json").document
    assert document["intact"] is False
    assert [each["entry"] for each in document["providers"][0]["faults"]] == [4]
    before = noted.objects()
    noted.write(USERS)
    refused = noted.run("apply", "--auto-approve")
    assert refused.code == 1
    assert "entry 4 was altered" in refused.err
    assert noted.objects() == before


def test_the_state_knows_when_the_tail_and_the_head_were_cut(noted: ProjectFolder) -> None:
    noted.sql(
        "DROP TRIGGER kolumn_audit_delete; DELETE FROM kolumn_audit WHERE entry_number > 5;"
        "UPDATE kolumn_audit_head SET entries = 5, entry_hash = "
        "(SELECT entry_hash FROM kolumn_audit WHERE entry_number = 5)"
    )
    ran = noted.run("audit", "verify")
    assert ran.code == 1
    assert "the trail was cut: the state knows of" in ran.out


def test_sensitive_values_of_a_project_are_not_in_it(project: ProjectFolder) -> None:
    project.write(WITH_SECRET)
    project.apply("-var", "word=ochsenkarren")
    assert project.rows("SELECT sql FROM sqlite_schema WHERE name = 'codes'")[0][0].count("ochsenkarren") == 1
    assert not [row for row in project.rows("SELECT * FROM kolumn_audit") if "ochsenkarren" in str(row)]
    assert "[REDACTED]" in project.ok("audit", "--sql", "-var", "word=ochsenkarren").out


def test_there_is_nothing_before_the_first_apply(project: ProjectFolder) -> None:
    project.write(USERS)
    assert project.ok("audit").out == ""
    assert "there is no audit trail" in project.ok("audit", "verify").out
    assert not project.database.exists()
