"""What people read, where the other tests look at documents."""

from __future__ import annotations

from .project import POSTS, USERS, ProjectFolder


def test_schema_documents_every_attribute(project: ProjectFolder) -> None:
    overview = project.run("schema", "sqlite")
    assert overview.code == 0
    assert "sqlite_table" in overview.out
    table = project.run("schema", "sqlite", "table").out
    for words in (
        "name (string, required)",
        "columns (list",
        "default",
        "must be one of",
        "State:",
        "identity",
    ):
        assert words in table, words
    unknown = project.run("schema", "sqlite", "function")
    assert unknown.code == 1
    assert "It has" in unknown.err


def test_providers_lists_what_is_installed_and_what_is_used(project: ProjectFolder) -> None:
    project.write('provider "sqlite" {}\n' + USERS)
    text = project.ok("providers").out
    listed = text.split("Configured")[0]
    assert [name for name in ("duckdb", "mysql", "postgres", "sqlite") if f"\n  {name} " not in listed] == []
    assert "sqlite  1 resources" in text


def test_show_of_a_resource_lists_its_columns(project: ProjectFolder) -> None:
    project.write(USERS.replace("{", "{\n  lifecycle {\n    prevent_destroy = true\n  }\n", 1) + POSTS)
    project.apply()
    users = project.ok("show", "sqlite_table.users").out
    assert "protected   prevent_destroy" in users
    assert "email" in users
    assert "depends on  sqlite_table.users" in project.ok("state", "show", "sqlite_table.posts").out
    assert project.ok("show").out.split() == [
        "sqlite_index.posts_by_author",
        "sqlite_table.posts",
        "sqlite_table.users",
    ]
    missing = project.run("show", "sqlite_table.user")
    assert missing.code == 1
    assert "Did you mean sqlite_table.users?" in missing.err


def test_history_says_who_wrote_what_when(project: ProjectFolder) -> None:
    assert "There is no state yet." in project.ok("state", "history").out
    assert project.run("state", "pull").code == 1
    project.write(USERS)
    project.apply()
    newest = project.ok("state", "history").out.splitlines()[0]
    assert newest.split()[0] == "2"
    assert "apply" in newest
    assert "pending" in project.ok("state", "show", "--serial", "1").out
    assert project.run("state", "show", "--serial", "77").code == 1


def test_validate_finds_faults_of_every_resource_without_a_database(project: ProjectFolder) -> None:
    project.environment = {}
    project.write(
        'create "sqlite_table" "a" {\n  colum "id" {}\n}\n'
        'create "sqlite_index" "b" {\n  columns = ["x"]\n}\n'
        'create "sqlite_sequence" "c" {}\n'
        'create "sqlite_view" "d" {\n  definition = ["x"]\n}\n'
    )
    ran = project.run("validate")
    assert ran.code == 1
    assert "4 problems" in ran.err
    for words in (
        "Did you mean column?",
        "table is required",
        "sqlite_sequence",
        "definition must be a string",
    ):
        assert words in ran.err, words
    for line in (4, 7, 9):
        assert f"main.kl:{line}:" in ran.err, ran.err


def test_a_large_import_is_split_by_type(project: ProjectFolder) -> None:
    project.sql(
        "".join(f"CREATE TABLE t{n} (id INTEGER); CREATE INDEX i{n} ON t{n} (id);" for n in range(40))
    )
    text = project.ok("import", "sqlite").out
    assert "Imported 40 sqlite_table, 40 sqlite_index." in text
    assert sorted(path.name for path in project.folder.glob("*.kl")) == [
        "indexes.kl",
        "providers.kl",
        "tables.kl",
    ]
    plan = project.ok("plan").out
    assert "80 to adopt" in plan
    assert "... and 50 more" in plan
    project.apply()
    assert project.settled()


def test_only_some_types_are_imported_when_asked(project: ProjectFolder) -> None:
    project.sql("CREATE TABLE t (id INTEGER); CREATE INDEX i ON t (id)")
    assert "Imported 1 sqlite_table." in project.ok("import", "sqlite", "--type", "sqlite_table").out
    assert "sqlite_index" not in (project.folder / "main.kl").read_text()


def test_risks_are_said_in_words(project: ProjectFolder) -> None:
    project.write(USERS)
    project.apply()
    project.write(USERS.replace('"TEXT"', '"INTEGER"'))
    text = project.ok("plan").out
    assert "~ column email type: TEXT -> INTEGER" in text
    assert "(rewrites the table)" in text
    assert text.count("Lock: ") == 1
    project.write(USERS[: USERS.index('  column "email"')] + "}\n")
    assert "(loses data)" in project.ok("plan").out
