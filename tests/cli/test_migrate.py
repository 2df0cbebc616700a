"""`kolumn migrate`: plans as files, files run in order, found when they are not what was reviewed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolumn.host.providers import load
from tests.cli.databases import Place, place
from tests.client import Client, wanted
from tests.targets import TARGETS


@pytest.fixture(params=sorted(TARGETS))
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if reason := TARGETS[request.param].skip():
        pytest.skip(reason)
    with place(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Place]:
    with place("sqlite", tmp_path) as found:
        yield found


def files(here: Place) -> list[str]:
    return sorted(each.name for each in (here.project.folder / "migrations").iterdir())


def standings(here: Place, *words: str) -> dict[str, str]:
    document = here.project.ok("migrate", "status", "--json", *words).document
    return {each["version"]: each["standing"] for each in document["migrations"]}


def test_from_a_plan_to_files_to_the_database_and_back(here: Place) -> None:
    empty = here.dump()
    here.write("users id email")
    ran = here.project.ok("migrate", "new", "Add users!")
    assert "000001_add_users.up.sql" in ran.out
    assert here.dump() == empty, "writing changes nothing"
    assert files(here) == ["000001_add_users.down.sql", "000001_add_users.up.sql", "kolumn.sum"]
    assert standings(here) == {"1": "pending"}
    assert here.project.run("migrate", "status", "--exit-code").code == 2
    refused = here.project.run("migrate", "new", "more")
    assert refused.code == 1
    assert "migrate apply" in refused.err

    assert "CREATE TABLE" in here.project.ok("migrate", "plan").out
    assert here.dump() == empty
    assert "Applied 1 add_users" in here.project.ok("migrate", "apply").out
    assert here.project.settled(), "the state knows what the migration made"
    assert "users" in here.project.ok("state", "list").out
    here.sql("INSERT INTO users (id, email) VALUES (1, 'a@b.c');")

    here.write("users id email name", "posts id title")
    here.project.ok("migrate", "new", "grow")
    here.project.ok("migrate", "apply")
    assert here.project.settled()
    grown = here.dump()
    assert standings(here) == {"1": "applied", "2": "applied"}
    assert "Nothing waits" in here.project.ok("migrate", "apply").out

    assert "Rolled back 2 grow" in here.project.ok("migrate", "rollback").out
    assert standings(here) == {"1": "applied", "2": "pending"}
    assert here.project.ok("migrate", "apply").code == 0
    assert sorted(here.dump()) == sorted(grown)
    here.project.ok("migrate", "rollback", "--to", "0")
    assert standings(here) == {"1": "pending", "2": "pending"}
    assert [line for line in here.dump() if "users" in line or "posts" in line] == []
    assert here.project.ok("migrate", "apply", "--steps", "1").code == 0
    assert standings(here) == {"1": "applied", "2": "pending"}


def test_dropping_says_its_risk_in_the_file(here: Place) -> None:
    here.write("users id email", "posts id title")
    here.project.apply()
    here.write("users id")
    here.project.ok("migrate", "new", "less")
    texts = [each.read_text() for each in sorted((here.project.folder / "migrations").glob("*.up.sql"))]
    text = "\n".join(texts)
    assert "Risk, loses data: drops column email of table users" in text
    assert "drops table posts with all its rows" in text
    here.project.ok("migrate", "apply")
    assert here.project.settled()
    assert "posts" not in here.project.ok("state", "list").out
    ran = here.project.run("migrate", "rollback")
    if here.target.transactional:
        assert ran.code == 0, ran.err
    else:  # what commits by itself loses for good
        assert ran.code == 1
        assert "no way back" in ran.err


def test_an_altered_file_is_found_before_anything_runs(here: Place) -> None:
    here.write("users id email")
    here.project.ok("migrate", "new", "one")
    folder = here.project.folder / "migrations"
    whole = here.project.folder.parent / "whole"
    shutil.copytree(folder, whole)
    up, down = folder / "000001_one.up.sql", folder / "000001_one.down.sql"
    before = here.dump()

    def edit_sum() -> None:
        file = folder / "kolumn.sum"
        first, *rest = file.read_text().splitlines()
        file.write_text("\n".join([first, *rest[1:]]) + "\n")

    for name, damage in (
        ("000001_one.up.sql was altered", lambda: up.write_text(up.read_text() + "-- more\n")),
        ("000001_one.down.sql is missing", down.unlink),
        ("000002_two.up.sql is not in", lambda: (folder / "000002_two.up.sql").write_text("SELECT 1;")),
        ("kolumn.sum itself was altered", edit_sum),
        ("kolumn.sum is missing", (folder / "kolumn.sum").unlink),
    ):
        damage()
        for words in (["apply"], ["plan"], ["new", "two"]):
            ran = here.project.run("migrate", *words)
            assert ran.code == 1, name
            assert name in ran.err, ran.err
        assert any(name in line for line in here.project.ok("migrate", "status").out.splitlines()), name
        assert here.dump() == before
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
    up.write_text(up.read_text() + "-- reviewed\n")
    here.project.ok("migrate", "hash")
    here.project.ok("migrate", "apply")
    up.write_text(up.read_text() + "-- too late\n")
    here.project.ok("migrate", "hash")
    assert standings(here) == {"1": "altered"}
    for words in (["apply"], ["rollback"]):
        ran = here.project.run("migrate", *words)
        assert ran.code == 1
        assert "1 (one) is altered" in ran.err
    up.unlink()
    down.unlink()
    here.project.ok("migrate", "hash")
    assert standings(here) == {"1": "missing"}


def test_what_others_write_is_read(here: Place) -> None:
    folder = here.project.folder / "migrations"
    folder.mkdir()
    here.write("people id name", "pets id name")
    (folder / "V1__people.sql").write_text("CREATE TABLE people (id integer PRIMARY KEY, name text);\n")
    (folder / "U1__people.sql").write_text("DROP TABLE people;\n")
    (folder / "V1.1__pets.sql").write_text(
        "BEGIN;\nCREATE TABLE pets (id integer PRIMARY KEY);\nALTER TABLE pets ADD COLUMN name text; -- ; '\n"
        "INSERT INTO people VALUES (1, 'semi;colon'), (2, '--');\nCOMMIT;\n"
    )
    assert here.project.run("migrate", "apply").code == 1
    here.project.ok("migrate", "hash")
    here.project.ok("migrate", "apply")
    assert here.project.settled()
    assert standings(here) == {"1": "applied", "1.1": "applied"}
    ran = here.project.run("migrate", "rollback")
    assert ran.code == 1
    assert "1.1 (pets) has no file that goes back" in ran.err
    here.write("people id name age", "pets id name")
    here.project.ok("migrate", "new", "age")
    assert "V2__age.sql" in files(here)
    (folder / "R__views.sql").write_text("SELECT 1;")
    ran = here.project.run("migrate", "status")
    assert ran.code == 1
    assert "repeatable" in ran.err


def test_a_failing_script_says_where_and_leaves_nothing_where_it_can(here: Place) -> None:
    folder = here.project.folder / "migrations"
    folder.mkdir()
    here.write("users id email")
    (folder / "001_good.sql").write_text("CREATE TABLE users (id integer PRIMARY KEY, email text);")
    (folder / "002_bad.sql").write_text(
        "CREATE TABLE more (id integer);\nINSERT INTO nowhere VALUES (1);\nCREATE TABLE other (id integer);\n"
    )
    here.project.ok("migrate", "hash")
    ran = here.project.run("migrate", "apply")
    assert ran.code == 1
    assert "statement 2 of migration 2" in ran.err
    assert "Applied 1 good" in ran.out
    if not here.target.transactional:  # what it has done stands, and it goes on from there
        assert standings(here) == {"1": "applied", "2": "interrupted"}
        assert "more" in "".join(here.dump())
        here.sql("CREATE TABLE nowhere (id integer)")
        here.project.ok("migrate", "apply")
        assert standings(here) == {"1": "applied", "2": "applied"}
        return
    assert standings(here) == {"1": "applied", "2": "pending"}
    assert not any("more" in line.split() or "more(" in line for line in here.dump())
    assert here.project.settled()
    (folder / "002_bad.sql").write_text("COMMIT; SELECT 1;")
    here.project.ok("migrate", "hash")
    ran = here.project.run("migrate", "apply")
    assert ran.code == 1
    assert "no transaction" in ran.err


def test_without_a_transaction_it_goes_on_where_it_stopped(here: Place) -> None:
    folder = here.project.folder / "migrations"
    folder.mkdir()
    here.write("users id email")
    file = folder / "001_steps.up.sql"
    file.write_text(
        "-- kolumn: no transaction\nCREATE TABLE users (id integer PRIMARY KEY);\n"
        "INSERT INTO later VALUES (1);\nALTER TABLE users ADD COLUMN email text;\n"
    )
    here.project.ok("migrate", "hash")
    ran = here.project.run("migrate", "apply")
    assert ran.code == 1
    assert "The 1 before it stand" in ran.err
    assert standings(here) == {"1": "interrupted"}
    here.sql("CREATE TABLE later (id integer);")
    here.project.ok("migrate", "apply")
    assert standings(here) == {"1": "applied"}
    assert here.project.settled()


def test_files_run_by_other_means(here: Place, tmp_path: Path) -> None:
    """What `new` writes is plain SQL: any tool that runs the files makes the same database."""
    types = {
        "table",
        "index",
        "view",
        "trigger",
        "function",
        "enum",
        "sequence",
        "domain",
        "materialized_view",
    }
    with here.target.fresh(tmp_path / "model") as model:
        with Client(load(here.target.provider)).configure(model) as client:
            for sample in here.target.samples:
                for each in (*sample.needs, sample) if sample.type in types else ():
                    client.apply(wanted(each.type, each.name, each.config))
        url = model.get("url") or f"{here.target.provider}:///{model['path']}"
        here.project.ok("import", here.target.provider, "--url", url, "--out", str(here.project.folder))
        expected = here.target.dump(model)
    for file in here.project.folder.glob("providers*.kl"):
        file.unlink()
    here.project.ok("migrate", "new", "everything")
    folder = here.project.folder / "migrations"
    for up in sorted(folder.glob("*.up.sql")):
        here.sql(up.read_text())
    assert sorted(here.dump()) == sorted(line for line in expected if "kolumn" not in line.lower())
    for down in sorted(folder.glob("*.down.sql"), reverse=True):
        here.sql(down.read_text())
    here.project.ok("migrate", "apply")
    assert here.project.settled()
    here.project.ok("migrate", "rollback", "--to", "0")


def test_out_of_order(here: Place) -> None:
    folder = here.project.folder / "migrations"
    folder.mkdir()
    (folder / "001_a.sql").write_text("CREATE TABLE a (id integer);")
    (folder / "003_c.sql").write_text("CREATE TABLE c (id integer);")
    here.write("a id")
    here.project.ok("migrate", "hash")
    here.project.ok("migrate", "apply")
    (folder / "002_b.sql").write_text("CREATE TABLE b (id integer);")
    here.project.ok("migrate", "hash")
    assert standings(here)["2"] == "out of order"
    ran = here.project.run("migrate", "apply")
    assert ran.code == 1
    assert "--out-of-order" in ran.err
    here.project.ok("migrate", "apply", "--out-of-order")
    assert set(standings(here).values()) == {"applied"}


def test_bodies_with_semicolons_are_whole(lite: Place) -> None:
    folder = lite.project.folder / "migrations"
    folder.mkdir()
    lite.write("users id email")
    (folder / "001_trigger.sql").write_text(
        "CREATE TABLE users (id integer PRIMARY KEY, email text);\n"
        "CREATE TRIGGER low AFTER INSERT ON users BEGIN\n"
        "  UPDATE users SET email = lower(new.email) WHERE id = new.id;\n  SELECT 1;\nEND;\n"
        "INSERT INTO users VALUES (1, 'A;B');\n"
    )
    lite.project.ok("migrate", "hash")
    lite.project.ok("migrate", "apply")
    assert any("low" in line for line in lite.dump())


def test_a_rebuilt_table_keeps_what_refers_to_it(lite: Place) -> None:
    """SQLite rebuilds tables; with foreign keys enforced that would delete the rows that refer to them."""
    users = lite.table("users", "id", "email")
    posts = lite.table("posts", "id", "author").replace(
        'column "author" {\n    type = "text"',
        'column "author" {\n    type = "integer"\n    references = "users(id)"\n    on_delete = "cascade"',
    )
    lite.project.write(users + posts)
    lite.project.ok("migrate", "new", "first")
    lite.project.ok("migrate", "apply")
    lite.sql("INSERT INTO users VALUES (1, 'a'); INSERT INTO posts VALUES (1, 1);")
    lite.project.write(users.replace('type = "text"', 'type = "text"\n    not_null = true') + posts)
    lite.project.ok("migrate", "new", "strict")
    text = (lite.project.folder / "migrations" / "000002_strict.up.sql").read_text()
    assert text.startswith("-- kolumn: needs foreign_keys_off\n")
    lite.project.ok("migrate", "apply")
    assert lite.project.settled()
    assert any(re.match(r"rows posts: 1 ", line) for line in lite.dump())
    lite.project.ok("migrate", "rollback")
    assert any(re.match(r"rows posts: 1 ", line) for line in lite.dump())


def test_commands_are_explained(lite: Place) -> None:
    lite.write("users id email")
    for words in (
        ["migrate", "rollback", "--steps", "1", "--to", "2"],
        ["migrate", "rollback", "--to", "soon"],
        ["migrate", "status", "--provider", "oracle"],
        ["migrate", "new", "???"],
        ["migrate", "rollback", "--steps", "0"],
        ["migrate"],
        ["backup", "restore", "nothing"],
    ):
        ran = lite.project.run(*words)
        assert ran.code == 1, words
        assert "Error" in ran.err, words
        assert "Traceback" not in ran.err
    assert "no backup" in lite.project.ok("backup", "list").out
    assert lite.project.ok("migrate", "status", "--json").document["migrations"] == []
