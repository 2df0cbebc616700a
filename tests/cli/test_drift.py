"""`kolumn drift`: found, adopted, reverted."""

from __future__ import annotations

from typing import Any

import pytest

from .project import POSTS, USERS, ProjectFolder

SECRET = "Hidden-zebra-42"


@pytest.fixture
def applied(project: ProjectFolder) -> ProjectFolder:
    project.write(USERS + POSTS)
    project.apply()
    return project


def found(project: ProjectFolder, *words: str) -> list[tuple[str, str, str]]:
    ran = project.run("drift", "--json", *words)
    document = ran.document
    assert ran.code == (2 if document["drifted"] else 0), ran
    return [(each["address"], each["kind"], each.get("attribute", "")) for each in document["findings"]]


CHANGES = """
ALTER TABLE users ADD COLUMN age INTEGER;
DROP INDEX posts_by_author;
CREATE TABLE strange (x);
"""


def test_nothing_drifted(applied: ProjectFolder) -> None:
    ran = applied.ok("drift")
    assert "No drift: 3 resources" in ran.out
    assert found(applied) == []


def test_what_drifted_is_told_and_changes_nothing(applied: ProjectFolder) -> None:
    applied.sql(CHANGES)
    state, objects = applied.state_bytes(), applied.objects()

    ran = applied.run("drift")

    assert ran.code == 2
    assert ran.out.splitlines()[0] == "sqlite_index.posts_by_author"
    assert "error   - is gone from the database" in ran.out
    assert "warning + column age: INTEGER" in ran.out
    assert "2 of 3 resources drifted (1 error, 1 warning)" in ran.out
    assert applied.run("drift", "--detailed-exitcode").code == 2
    assert (applied.state_bytes(), applied.objects()) == (state, objects)


def test_filters(applied: ProjectFolder) -> None:
    applied.sql(CHANGES)
    users, index = (
        ("sqlite_table.users", "added", "columns.age"),
        ("sqlite_index.posts_by_author", "removed", ""),
    )
    assert found(applied) == [index, users]
    assert found(applied, "--unmanaged") == [index, users, ("sqlite_table.strange", "unmanaged", "")]
    assert found(applied, "--severity", "error") == [index]
    assert found(applied, "--type", "sqlite_table") == found(applied, "--type", "table") == [users]
    assert found(applied, "--target", "sqlite_table.posts") == []
    assert found(applied, "--target", "sqlite_table.users", "--target", "sqlite_index.posts_by_author") == [
        index,
        users,
    ]
    assert "no managed resource" in applied.run("drift", "--target", "sqlite_table.no").err
    assert "resource type nonsense" in applied.run("drift", "--type", "nonsense").err
    assert applied.run("drift", "--out", "x").code == 1


def test_revert_brings_it_back(applied: ProjectFolder) -> None:
    applied.sql(CHANGES)

    refused = applied.run("drift", "--revert")
    assert refused.code == 1
    assert "nobody to ask" in refused.err
    ran = applied.ok("drift", "--revert", "--auto-approve")

    assert "1 created, 1 changed" in ran.out
    assert found(applied) == []
    assert applied.settled()
    assert "strange" in applied.objects()
    assert applied.ok("drift", "--revert", "--auto-approve").out.startswith("No drift")


def test_a_saved_revert_is_applied_later(applied: ProjectFolder) -> None:
    applied.sql(CHANGES)
    plan = str(applied.folder / "back.plan")
    applied.ok("drift", "--revert", "--out", plan)
    assert len(found(applied)) == 2

    applied.ok("apply", plan)

    assert found(applied) == []
    assert applied.settled()


def test_revert_of_one_target_leaves_the_rest(applied: ProjectFolder) -> None:
    applied.sql(CHANGES)
    applied.ok("drift", "--revert", "--auto-approve", "--target", "sqlite_table.users")
    assert found(applied) == [("sqlite_index.posts_by_author", "removed", "")]


def test_adopt_takes_reality_into_state_and_the_plan_sees_it(applied: ProjectFolder) -> None:
    applied.sql(CHANGES)
    objects = applied.objects()

    assert applied.run("drift", "--adopt").code == 1
    ran = applied.ok("drift", "--adopt", "--auto-approve")

    assert "1 forgotten, 1 refreshed" in ran.out
    assert "next plan compares" in ran.err
    assert applied.objects() == objects
    assert found(applied) == []
    plan = applied.run("plan", "--json").document["plan"]
    assert plan["summary"]["create"] == 1
    assert plan["summary"]["update"] == 1
    applied.sql("ALTER TABLE users ADD COLUMN more TEXT")
    assert found(applied) == [("sqlite_table.users", "added", "columns.more")]
    applied.write(
        USERS.replace(
            'column "email"',
            'column "age" {\n type = "INTEGER"\n}\ncolumn "more" {\n type = "TEXT"\n}\ncolumn "email"',
        )
        + POSTS
    )
    applied.apply()
    assert found(applied) == []


def test_what_configuration_ignores_is_no_drift(project: ProjectFolder) -> None:
    project.write(
        USERS.replace(
            'create "sqlite_table" "users" {',
            'create "sqlite_table" "users" {\n lifecycle {\n ignore_changes = ["column.age"]\n }',
        )
    )
    project.apply()
    project.sql("ALTER TABLE users ADD COLUMN age INTEGER")
    assert found(project) == []
    project.sql("ALTER TABLE users ADD COLUMN other INTEGER")
    assert found(project) == [("sqlite_table.users", "added", "columns.other")]


def test_sensitive_values_differ_unseen(project: ProjectFolder) -> None:
    def text(value: str) -> str:
        return (
            f'variable "code" {{\n type = string\n sensitive = true\n default = "{value}"\n}}\n'
            'create "sqlite_table" "vault" {\n column "code" {\n type = "TEXT"\n'
            ' default = "\'${var.code}\'"\n }\n column "n" {\n type = "INTEGER"\n }\n}\n'
        )

    project.write(text(SECRET))
    project.apply()
    assert SECRET.encode() not in project.state_bytes()
    assert found(project) == []

    project.sql("ALTER TABLE vault RENAME COLUMN n TO m")
    told = {(kind, path) for _, kind, path in found(project)}
    assert told == {("removed", "columns.n"), ("added", "columns.m")}, (
        "what is sealed is compared all the same"
    )

    project.sql("DROP TABLE vault; CREATE TABLE vault (code TEXT DEFAULT 'Another-tiger-43', n INTEGER)")
    ran = project.run("drift", "--json")
    assert ran.code == 2
    (finding,) = ran.document["findings"]
    assert finding["attribute"] == "columns.code.default"
    assert (finding["state_value"], finding["live_value"]) == ("(sensitive)", "(sensitive)")
    assert finding["sensitive"] is True
    for words in (["drift"], ["drift", "--json"], ["state", "validate", "--json"]):
        shown = project.run(*words)
        assert SECRET not in shown.out + shown.err
        assert "Another-tiger-43" not in shown.out + shown.err
    project.ok("drift", "--revert", "--auto-approve")
    assert found(project) == []


def test_a_resource_the_configuration_lost_cannot_be_reverted(applied: ProjectFolder) -> None:
    applied.write(USERS)
    applied.sql("DROP INDEX posts_by_author")
    ran = applied.run("drift", "--revert", "--auto-approve")
    assert ran.code == 1
    assert "configuration has it no longer" in ran.err


def test_nothing_is_managed_yet(project: ProjectFolder) -> None:
    project.write(USERS)
    ran: Any = project.ok("drift")
    assert "0 resources" in ran.out
