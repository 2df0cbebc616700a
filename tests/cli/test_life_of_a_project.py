from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from .project import POSTS, USERS, ProjectFolder

FOREIGN = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, score REAL DEFAULT 1.5);
CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer(id) ON DELETE CASCADE,
                      total NUMERIC CHECK (total >= 0), UNIQUE (customer_id, total));
CREATE INDEX invoice_by_customer ON invoice (customer_id DESC) WHERE total > 0;
CREATE VIEW big AS SELECT * FROM invoice WHERE total > 100;
CREATE TRIGGER touch AFTER INSERT ON invoice BEGIN
  UPDATE customer SET score = score + 1 WHERE id = NEW.customer_id; END;
INSERT INTO customer (name) VALUES ('Ada'), ('Grace');
INSERT INTO invoice (customer_id, total) VALUES (1, 10), (2, 200);
"""


def test_import_adopt_change_and_destroy_a_database_somebody_else_made(project: ProjectFolder) -> None:
    project.sql(FOREIGN)
    before = project.rows("SELECT name, sql FROM sqlite_schema ORDER BY name")
    imported = project.run("import", "sqlite")
    assert imported.code == 0, imported.err
    assert project.ok("fmt", "--check").out == ""
    project.ok("validate")

    plan = project.ok("plan")
    assert "<- sqlite_table.customer" in plan.out
    assert "0 to create, 0 to change, 0 to delete, 5 to adopt" in plan.out
    project.apply()
    assert (
        project.rows("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'kolumn%' ORDER BY name")
        == before
    )
    assert "No changes. The database matches the configuration." in project.ok("plan").out
    assert project.settled()

    main = project.folder / "main.kl"
    text = main.read_text()
    main.write_text(text.replace('column "score" {', 'column "rating" {\n    renamed_from = "score"', 1))
    changed = project.ok("plan", "--sql")
    assert "~ sqlite_table.customer" in changed.out
    assert "1 to change" in changed.out
    project.apply()
    assert project.settled()
    assert project.rows("SELECT name, rating FROM customer ORDER BY id") == [("Ada", 2.5), ("Grace", 2.5)]
    assert project.rows("SELECT count(*) FROM invoice") == [(2,)]
    assert project.rows("PRAGMA foreign_key_check") == []

    destroyed = project.ok("destroy", "--auto-approve")
    assert "5 deleted" in destroyed.out
    assert project.objects() == set()
    assert "The project manages nothing" in project.ok("destroy", "--auto-approve").out


def test_init_gives_a_project_that_works(tmp_path: Path) -> None:
    project = ProjectFolder.at(tmp_path / "library")
    project.environment = {}
    written = project.ok("init")
    assert "main.kl" in written.out
    assert project.ok("fmt", "--check").out == ""
    project.ok("validate")
    assert "3 to create" in project.ok("plan").out
    applied = project.apply()
    assert "Apply complete: 3 created" in applied.out
    assert "tables = [authors, books]" in applied.out
    assert project.settled()
    assert (project.folder / "library.db").exists()

    again = project.run("init")
    assert again.code == 1
    assert "Nothing was written" in again.err


def test_plan_changes_nothing(project: ProjectFolder) -> None:
    project.write(USERS + POSTS)
    plan = project.ok("plan")

    assert "+ sqlite_table.users" in plan.out
    assert "column email: TEXT not_null" in plan.out
    assert "Plan: 3 to create, 0 to change, 0 to delete; 0 unchanged." in plan.out
    assert not (project.folder / ".kolumn" / "state.db").exists()
    assert not project.database.exists() or project.objects() == set()


def test_removed_from_the_configuration_is_deleted_and_the_rest_stays(project: ProjectFolder) -> None:
    project.write(USERS + POSTS)
    project.apply()
    project.sql("INSERT INTO users VALUES (1, 'a@example.org')")
    project.write(USERS)

    plan = project.ok("plan")
    assert "- sqlite_table.posts" in plan.out
    assert "the configuration no longer has it" in plan.out
    project.apply()

    assert project.objects() == {"users"}
    assert project.rows("SELECT email FROM users") == [("a@example.org",)]
    assert project.settled()


def test_only_prune_deletes_what_nobody_names(project: ProjectFolder) -> None:
    project.sql(
        "CREATE TABLE stray (id INTEGER); CREATE INDEX stray_index ON stray (id); CREATE TABLE Users "
        "(id INTEGER)"
    )
    project.write(USERS.replace('"users"', '"USERS"'))

    plan = project.ok("plan")
    assert "2 objects are not managed; --prune would delete them." in plan.out
    project.apply()
    assert "stray" in project.objects()

    pruned = project.ok("plan", "--prune")
    assert "no configuration names it (--prune)" in pruned.out
    assert "2 to delete" in pruned.out
    project.apply("--prune")
    assert {name.lower() for name in project.objects()} == {"users"}
    assert "No changes" in project.ok("plan", "--prune").out


def test_a_move_renames_and_keeps_every_row(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.sql("INSERT INTO users VALUES (1, 'a@example.org')")
    project.write(
        USERS.replace('"users"', '"people"')
        + "moved {\n  from = sqlite_table.users\n  to = sqlite_table.people\n}\n"
    )

    plan = project.ok("plan")
    assert "was sqlite_table.users" in plan.out
    assert "0 to delete" in plan.out
    project.apply()

    assert project.objects() == {"people"}
    assert project.rows("SELECT email FROM people") == [("a@example.org",)]
    assert project.ok("state", "list").out.split() == ["sqlite_table.people"]
    assert project.settled()


def test_a_move_of_the_address_alone_touches_no_database(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    moved = USERS.replace('"users" {', '"people" {\n  name = "users"', 1)
    project.write(moved + "moved {\n  from = sqlite_table.users\n  to = sqlite_table.people\n}\n")

    assert "1 to move" in project.ok("plan").out
    project.apply()
    assert project.objects() == {"users"}
    assert project.ok("state", "list").out.split() == ["sqlite_table.people"]
    assert project.settled()


def test_a_new_address_for_the_same_table_adopts_it_and_forgets_the_old_one(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.sql("INSERT INTO users VALUES (1, 'a@example.org')")
    project.write(USERS.replace('"users" {', '"people" {\n  name = "users"', 1))

    project.apply()
    assert project.rows("SELECT email FROM users") == [("a@example.org",)]
    assert project.ok("state", "list").out.split() == ["sqlite_table.people"]
    assert project.settled()


def test_prevent_destroy_protects_even_when_the_block_is_gone(project: ProjectFolder) -> None:
    protected = USERS.replace("{", "{\n  lifecycle {\n    prevent_destroy = true\n  }\n", 1)
    project.write(protected)
    project.apply()
    project.write(POSTS.replace("sqlite_table.users.id", '"users(id)"'))

    refused = project.run("plan")
    assert refused.code == 1
    assert "sqlite_table.users would be deleted" in refused.err
    project.write(protected)
    assert project.run("destroy", "--auto-approve").code == 1
    assert project.objects() == {"users"}
    project.write(USERS)
    project.apply()
    project.ok("destroy", "--auto-approve")
    assert project.objects() == set()


def test_ignored_changes_stay_as_they_are_in_the_database(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.sql("ALTER TABLE users ADD COLUMN nick TEXT")
    assert not project.settled()
    project.write(USERS.replace("{", "{\n  lifecycle {\n    ignore_changes = all\n  }\n", 1))
    project.apply()
    assert ("nick",) in project.rows("SELECT name FROM pragma_table_info('users')")
    assert project.settled()


def test_targets_leave_the_rest_alone(project: ProjectFolder) -> None:
    project.write(USERS + POSTS)
    project.apply("--target", "sqlite_table.users")
    assert project.objects() == {"users"}
    project.apply()
    project.ok("destroy", "--auto-approve", "--target", "sqlite_index.posts_by_author")
    assert project.objects() == {"users", "posts"}
    unknown = project.run("plan", "--target", "sqlite_table.nobody")
    assert unknown.code == 1
    assert "sqlite_table.nobody" in unknown.err


def test_refresh_only_follows_the_database_and_changes_nothing_there(project: ProjectFolder) -> None:
    project.write(USERS + POSTS)
    project.apply()
    project.sql("DROP INDEX posts_by_author; ALTER TABLE users ADD COLUMN nick TEXT")
    tables = project.rows("SELECT sql FROM sqlite_schema ORDER BY name")

    plan = project.ok("plan", "--refresh-only")
    assert "x sqlite_index.posts_by_author" in plan.out
    assert "<~ sqlite_table.users" in plan.out
    assert "State: 1 to refresh, 1 to forget." in plan.out
    project.apply("--refresh-only")

    assert project.rows("SELECT sql FROM sqlite_schema ORDER BY name") == tables
    assert "sqlite_index.posts_by_author" not in project.ok("state", "list").out
    assert "The state matches the database" in project.ok("plan", "--refresh-only").out
    assert not project.settled(), (
        "a refresh must not hide that the database is not what the configuration says"
    )
    project.apply()
    assert project.settled()
    assert project.objects() == {"users", "posts", "posts_by_author"}


def test_two_databases_under_aliases(project: ProjectFolder, tmp_path: Path) -> None:
    project.environment["KOLUMN_SQLITE_REPLICA_URL"] = f"sqlite:///{tmp_path}/replica.db"
    project.write(
        'provider "sqlite" {}\nprovider "sqlite" {\n  alias = "replica"\n}\n'
        + USERS
        + USERS.replace(
            '"users" {', '"copies" {\n  provider = sqlite.replica\n  depends_on = [sqlite_table.users]', 1
        )
    )
    project.apply()
    assert project.objects() == {"users"}
    replica = ProjectFolder(project.folder, tmp_path / "replica.db")
    assert replica.objects() == {"copies"}
    assert project.settled()
    project.ok("destroy", "--auto-approve")
    assert replica.objects() == set()


def test_discover_reads_the_database(project: ProjectFolder) -> None:
    project.sql("CREATE TABLE legacy (id INTEGER PRIMARY KEY, note TEXT)")
    project.write(
        'discover "sqlite_table" "legacy" {}\n'
        'create "sqlite_index" "by_note" {\n  table = discover.legacy.name\n  columns = ["note"]\n}\n'
    )
    project.ok("validate")
    project.apply()
    assert project.objects() == {"legacy", "by_note"}
    assert project.settled()

    project.write('discover "sqlite_table" "nowhere" {}\noutput "o" {\n  value = discover.nowhere.name\n}\n')
    missing = project.run("plan")
    assert missing.code == 1
    assert "found no sqlite_table" in missing.err
    assert "main.kl:1" in missing.err


def test_what_nobody_manages_is_called_by_its_identity(project: ProjectFolder) -> None:
    archive = project.database.with_name("archive.db")
    with closing(sqlite3.connect(archive)) as database:
        database.execute("CREATE TABLE z (a)")
        database.execute('CREATE TABLE "a.b" (a)')
    project.write(f'create "sqlite_schema" "arch" {{\n  path = "{archive}"\n}}\n')
    project.apply()
    project.write(USERS, "users.kl")
    addresses = ['sqlite_table.arch."a.b"', "sqlite_table.arch.z"]
    assert sorted(project.ok("plan", "--json").document["plan"]["unmanaged"]) == addresses

    pruned = project.ok("plan", "--prune", "--json").document["plan"]["resources"]
    assert sorted(each["address"] for each in pruned if each["action"] == "delete") == addresses
    assert "- sqlite_table.arch.z" in project.ok("plan", "--prune").out
    project.ok("apply", "--prune", "--auto-approve")
    with closing(sqlite3.connect(archive)) as database:
        assert database.execute("SELECT name FROM sqlite_schema").fetchall() == []
