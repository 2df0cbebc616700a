from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from kolumn.contract.errors import OperationError, PermissionError, ValidationError
from tests.client import Client, wanted
from tests.command import run
from tests.providers.postgres.databases import (
    Database,
    apply,
    database,
    drop_roles,
    imported,
    roles,
    statements,
)
from tests.servers import postgres

SECRET = "correct horse battery staple"


@pytest.fixture
def name(server: postgres.Server) -> Iterator[str]:
    """The name of a role that is dropped afterwards."""
    made = f"role_{uuid.uuid4().hex[:10]}"
    yield made
    drop_roles(server, made)


@pytest.fixture
def made(server: postgres.Server) -> Iterator[Database]:
    with database(server) as found:
        yield found


def role(name: str, **config: Any) -> Any:
    return wanted("role", name, {"name": name, **config})


def described(server: postgres.Server, *names: str) -> list[str]:
    """Return what pg_dumpall says of roles, without what it keeps of passwords."""
    text = server.programs.run("pg_dumpall", "--globals-only", "--no-role-passwords", "-d", server.url)
    # Never is NULL at first, and 'infinity' once it was something else: there is no way back.
    lines = text.replace(" VALID UNTIL 'infinity'", "").splitlines()
    return sorted(line for line in lines if any(name in line for name in names))


def kept(made: Database, name: str) -> str | None:
    return made.one(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'")  # type: ignore[no-any-return]


def test_every_attribute_becomes_any_other_and_comes_back_from_an_import(
    server: postgres.Server, made: Database, name: str
) -> None:
    with roles(server, "readers", "writers") as (readers, writers), made.kolumn() as client:
        plain = role(name)
        full = role(
            name,
            superuser=True,
            createdb=True,
            createrole=True,
            inherit=False,
            login=True,
            replication=True,
            bypassrls=True,
            connection_limit=7,
            valid_until="2031-02-03 04:05:06.7+02",
            member_of=[readers, {"name": writers, "admin": True}],
            settings={"work_mem": "64MB", "search_path": 'app, "My Schema"', "app.tenant": "x'y\\"},
            in_databases=[{"name": "postgres", "settings": {"statement_timeout": "5s"}}],
            comment="it's a \\ role",
        )
        apply(client, plain)
        before = described(server, name)
        apply(client, full)
        (flags,) = made.rows(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, NOT rolinherit, rolcanlogin, rolreplication, "
            "rolbypassrls, rolconnlimit = 7, rolvaliduntil = '2031-02-03 02:05:06.7Z' "
            f"FROM pg_roles WHERE rolname = '{name}'"
        )
        assert all(flags)
        after = described(server, name)
        assert any("search_path" in line and '"My Schema"' in line.replace("'", '"') for line in after)
        (found,) = (each for each in imported(client, "user") if each["name"] == name)
        apply(client, plain)
        assert described(server, name) == before
        apply(client, {**found, "action": "create"})
        assert described(server, name) == after
        comment = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = "
        assert made.one(f"{comment}'{name}'") == "it's a \\ role"


def test_each_attribute_alone(server: postgres.Server, made: Database, name: str) -> None:
    changes: list[dict[str, Any]] = [
        {"superuser": True},
        {"createdb": True},
        {"createrole": True},
        {"inherit": False},
        {"login": True},
        {"replication": True},
        {"bypassrls": True},
        {"connection_limit": 0},
        {"valid_until": "2030-01-01"},
        {"valid_until": "infinity"},
        {"settings": {"Work_Mem": 65536}},
        {"settings": {"search_path": ""}},
        {"in_databases": [{"name": "postgres", "settings": {"geqo": False}}]},
        {"comment": "said"},
    ]
    with made.kolumn() as client:
        apply(client, role(name))
        before = described(server, name)
        for change in changes:
            steps = apply(client, role(name, **change))["steps"] if "infinity" not in change.values() else [1]
            assert len(steps) == 1
            apply(client, role(name))
            assert described(server, name) == before


def test_memberships(server: postgres.Server, made: Database, name: str) -> None:
    def memberships() -> list[tuple[Any, ...]]:
        options = "inherit_option, set_option" if server.version >= 16 else "NULL, NULL"
        return made.rows(
            f"SELECT roleid::regrole::text, admin_option, {options} FROM pg_auth_members "
            f"WHERE member = '{name}'::regrole ORDER BY 1"
        )

    modern = server.version >= 16
    usual: tuple[bool | None, ...] = (True, True) if modern else (None, None)
    with roles(server, "a", "b") as (a, b), made.kolumn() as client:
        apply(client, role(name, member_of=[a]))
        assert memberships() == [(a, False, *usual)]
        apply(client, role(name, member_of=[{"name": a, "admin": True}, b]))
        assert memberships() == [(a, True, *usual), (b, False, *usual)]
        apply(client, role(name, member_of=[a]))
        assert memberships() == [(a, False, *usual)]
        apply(client, role(name, inherit=False, member_of=[a]))
        assert memberships() == [(a, False, *((False, True) if modern else (None, None)))]
        options = role(name, inherit=False, member_of=[{"name": a, "inherit": True, "set": False}])
        if modern:
            apply(client, options)
            assert memberships() == [(a, False, True, False)]
        else:
            assert client.refused("Plan", {"resources": [options]}).code == "unsupported_by_server"
        apply(client, role(name))
        assert memberships() == []


def test_memberships_keep_who_granted_them(server: postgres.Server, made: Database, name: str) -> None:
    if server.version < 16:
        pytest.skip("who granted a membership matters since PostgreSQL 16")
    with roles(server, "team", "lead") as (team, lead), made.kolumn() as client:
        made.run(f"GRANT {team} TO {lead} WITH ADMIN OPTION", f"CREATE ROLE {name}")
        made.run(f"SET ROLE {lead}; GRANT {team} TO {name}")
        apply(client, role(name, member_of=[team]))
        grantor = f"SELECT grantor::regrole::text FROM pg_auth_members WHERE member = '{name}'::regrole"
        assert made.one(grantor) == lead
        (found,) = (each for each in imported(client, "role") if each["name"] == name)
        assert found["config"]["member_of"] == [{"name": team, "granted_by": lead}]
        apply(client, role(name))
        assert made.rows(grantor) == []
        apply(client, found)
        assert made.one(grantor) == lead
        made.run(f"REVOKE {team} FROM {name} GRANTED BY {lead}")


def test_a_role_that_may_log_in_is_a_user(server: postgres.Server, made: Database, name: str) -> None:
    with made.kolumn() as client:
        apply(client, role(name))
        user = wanted("user", name, {"name": name})
        apply(client, user)
        assert made.one(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{name}'") is True
        assert name in {each["name"] for each in imported(client, "user")}
        assert name not in {each["name"] for each in imported(client, "role")}
        both = {"resources": [user, role(name, login=True)]}
        assert client.refused("Plan", both).problems[0].code == "duplicate_object"
        apply(client, role(name, login=True))
        apply(client, role(name))
        assert made.one(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{name}'") is False


def test_roles_are_renamed_with_what_they_own_and_have(
    server: postgres.Server, made: Database, name: str
) -> None:
    new = f"{name}_new"
    made.run(
        f"CREATE ROLE {name} LOGIN",
        "CREATE TABLE films (id integer)",
        f"GRANT SELECT ON films TO {name}",
        "CREATE TYPE mood AS ENUM ('happy')",
        f"ALTER TYPE mood OWNER TO {name}",
        f"CREATE POLICY own ON films TO {name} USING (true)",
    )
    try:
        with made.kolumn() as client:
            everything = json.loads(json.dumps(imported(client)).replace(name, new))
            user = wanted("user", new, {"name": new, "renamed_from": name})
            answer = apply(client, user, *everything)
            assert [step["description"] for step in answer["steps"]] == [f"rename user {name} to {new}"]
    finally:
        made.run(f"DROP OWNED BY {new}")
        drop_roles(server, new)


def test_roles_do_not_count_in_an_import_or_when_pruning(
    server: postgres.Server, made: Database, name: str
) -> None:
    made.run(f"CREATE ROLE {name}")
    with made.kolumn() as client:
        assert imported(client) == []
        assert not client.plan(prune=True, detail=True).get("steps")
        assert name in {each["name"] for each in imported(client, "role")}
        apply(client, role(name))
        # Managed, it is reported among all, so that a refresh does not take it for gone.
        assert [each["name"] for each in imported(client)] == [name]


def test_a_password_lets_its_user_in_and_is_seen_nowhere(
    server: postgres.Server, made: Database, name: str, tmp_path: Path
) -> None:
    if not server.demands_passwords:
        pytest.skip("this server trusts everybody")

    def login(password: str) -> None:
        url = server.url_of("postgres", name)
        psycopg.connect(url, password=password).close()

    with made.kolumn() as client:
        config = {"password": SECRET, "member_of": [postgres.PASSWORD_ROLE]}
        made.run(
            f"DO $$BEGIN CREATE ROLE {postgres.PASSWORD_ROLE}; EXCEPTION WHEN duplicate_object THEN END$$"
        )
        user = wanted("user", name, {"name": name, **config})
        plan = client.plan(user, detail=True)
        assert SECRET not in json.dumps(plan)
        apply(client, user)
        login(SECRET)
        with pytest.raises(psycopg.OperationalError):
            login("another one")
        found = client.done("ReadResource", {"resource_type": "user", "name": name})
        assert SECRET not in json.dumps(found)
        assert "SCRAM" not in json.dumps(found)
        again = {**user, "config": {**user["config"], "password": SECRET + "!"}}
        assert SECRET not in json.dumps(apply(client, again))
        login(SECRET + "!")
    assert server.log is not None
    text = server.log.read_text(errors="replace")
    assert SECRET not in text


def test_a_password_is_left_alone_where_it_is_not_given(
    server: postgres.Server, made: Database, name: str
) -> None:
    with made.kolumn() as client:
        apply(client, wanted("user", name, {"name": name, "password": SECRET}))
        before = kept(made, name)
        assert before is not None
        assert before.startswith("SCRAM-SHA-256$4096:")
        apply(client, wanted("user", name, {"name": name, "createdb": True}))
        assert kept(made, name) == before


@pytest.mark.parametrize("encryption", ["scram-sha-256", "md5"])
@pytest.mark.parametrize(
    "password", [SECRET, "ﬁ ª\u00ad", "пароль", "\u0627 \u0628", "a\u0627", "\U0001f511" * 3]
)
def test_superusers_compare_what_the_server_keeps(
    server: postgres.Server, made: Database, name: str, encryption: str, password: str
) -> None:
    made.run(f"CREATE ROLE {name}")
    with psycopg.connect(made.url, autocommit=True) as connection:
        connection.execute(f"SET password_encryption = '{encryption}'")  # type: ignore[arg-type]
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        )
    before = kept(made, name)
    with made.kolumn() as client:
        assert not client.plan(wanted("user", name, {"name": name, "password": password}), detail=True).get(
            "steps"
        )
        other = wanted("user", name, {"name": name, "password": password + "x"})
        assert len(client.plan(other, detail=True)["steps"]) == 1
        verifier = wanted("user", name, {"name": name, "password": before})
        assert not client.plan(verifier, detail=True).get("steps")
    assert kept(made, name) == before


def test_somebody_else_changed_the_password(server: postgres.Server, made: Database, name: str) -> None:
    user = wanted("user", name, {"name": name, "password": SECRET})
    with made.kolumn() as client:
        apply(client, user)
        made.run(f"ALTER ROLE {name} PASSWORD 'mischief'")
        assert statements(client.plan(user, detail=True)) == [f"ALTER ROLE {name} PASSWORD %s"]
        apply(client, user)
        made.run(f"ALTER ROLE {name} PASSWORD NULL")
        apply(client, user)


def test_without_the_right_to_look_the_configuration_decides(
    server: postgres.Server, made: Database, name: str
) -> None:
    with roles(server, "admin") as (admin,):
        made.run(f"ALTER ROLE {admin} LOGIN CREATEROLE CREATEDB")
        user = wanted("user", name, {"name": name, "password": SECRET})
        with made.kolumn(admin) as client:
            apply(client, user)
            assert (kept(made, name) or "").startswith("SCRAM-SHA-256$")
            assert not client.plan(user, detail=True).get("steps")
            made.run(f"COMMENT ON ROLE {name} IS 'by somebody else'")
            plan = client.plan(user, detail=True)  # what it is cannot be known, so it is set again
            assert statements(plan) == [
                f"ALTER ROLE {name} PASSWORD %s",
                f"COMMENT ON ROLE {name} IS NULL",
            ]
            apply(client, user)
            apply(client, {**user, "action": "delete", "config": {}})


def test_what_the_state_keeps_tells_nothing_of_a_password(
    server: postgres.Server, made: Database, name: str
) -> None:
    with made.kolumn() as client:
        apply(client, wanted("user", name, {"name": name, "password": SECRET}))
        (instance,) = client.done("GetState")["state"]["resources"]
        verifier = kept(made, name)
        assert verifier is not None
        shown = json.dumps({**instance, "config": {}})
        assert SECRET not in shown
        assert verifier not in shown


def test_a_role_with_something_left_is_not_dropped(
    server: postgres.Server, made: Database, name: str
) -> None:
    made.run(f"CREATE ROLE {name}", "CREATE TABLE films (id integer)", f"GRANT SELECT ON films TO {name}")
    made.run("CREATE TABLE theirs (id integer)", f"ALTER TABLE theirs OWNER TO {name}")
    with made.kolumn() as client:
        apply(client, role(name))
        error = client.refused("DeleteResource", {"resource_type": "role", "name": name})
        assert isinstance(error, OperationError)
        assert error.code == "dependents_exist"
        assert "privileges for table films" in error.message
        assert "owner of table theirs" in error.message
        # With all that stands in the way gone in the same plan, it works.
        gone = [
            {**each, "action": "delete", "config": {}}
            for each in imported(client)
            if each["resource_type"] == "grant"
        ]
        (table,) = (each for each in imported(client, "table") if each["name"] == "theirs")
        gone += [
            {**table, "action": "delete", "config": {}},
            {**role(name), "action": "delete", "config": {}},
        ]
        apply(client, *gone)


def test_new_roles_come_before_what_they_own_and_have(
    server: postgres.Server, made: Database, name: str
) -> None:
    with made.kolumn() as client:
        wants = [
            wanted("grant", "a", {"role": name, "object": "films", "privileges": ["select"]}),
            wanted("table", "films", {"columns": {"id": "integer"}, "owner": name}),
            wanted("policy", "p", {"table": "films", "roles": [name], "using": "true"}),
            wanted(
                "default_privileges",
                "d",
                {"owner": name, "on": "tables", "role": "public", "privileges": ["select"]},
            ),
            role(name),
        ]
        apply(client, *wants)
        assert made.one("SELECT tableowner FROM pg_tables WHERE tablename = 'films'") == name
        apply(client, *({**each, "action": "delete", "config": {}} for each in wants))
        assert made.rows(f"SELECT FROM pg_roles WHERE rolname = '{name}'") == []


def test_the_connected_role_is_protected(server: postgres.Server, made: Database) -> None:
    with made.kolumn() as client:
        apply(client, wanted("user", "postgres", _own(client)))
        for change in ({"superuser": False}, {"login": False}):
            lesser = role("postgres", **{**_own(client), "login": True, **change})
            error = client.refused("Plan", {"resources": [lesser]})
            assert isinstance(error, ValidationError)
            assert error.problems[0].code == "connected_role"
        error = client.refused("DeleteResource", {"resource_type": "user", "name": "postgres"})
        assert error.problems[0].code == "connected_role"


def _own(client: Client) -> dict[str, Any]:
    (found,) = (each["config"] for each in imported(client, "user") if each["name"] == "postgres")
    return {key: value for key, value in found.items() if key != "name"}


def test_every_fault_of_a_role_is_said_at_once(made: Database) -> None:
    faults: dict[str, tuple[dict[str, Any], str]] = {
        "public": ({}, "reserved_name"),
        "pg_admin": ({}, "reserved_name"),
        "none": ({}, "reserved_name"),
        "limit": ({"connection_limit": -2}, "invalid_range"),
        "time": ({"valid_until": "soon"}, "invalid_time"),
        "injected": ({"valid_until": "2030-01-01' SUPERUSER --"}, "invalid_time"),
        "parameter": ({"settings": {"a b": "x"}}, "invalid_parameter"),
        "value": ({"settings": {"work_mem": {"a": 1}}}, "wrong_type"),
        "itself": ({"member_of": ["itself"]}, "conflicting_attributes"),
        "twice": ({"member_of": ["a", "a"]}, "duplicate"),
    }
    requests = [role(name, **config) for name, (config, _) in faults.items()]
    with made.kolumn() as client:
        problems = client.refused("Plan", {"resources": requests}).problems
    assert {each.resource.partition(".")[2]: each.code for each in problems} == {
        name: code for name, (_, code) in faults.items()
    }


def test_who_may_not_create_roles_is_told_so(server: postgres.Server, made: Database, name: str) -> None:
    with roles(server, "nobody") as (nobody,):
        made.run(f"ALTER ROLE {nobody} LOGIN")
        with made.kolumn(nobody) as client:
            assert client.plan(role(name), detail=True)["steps"]
            error = client.refused("CreateResource", {"resource_type": "role", "name": name, "config": {}})
            assert isinstance(error, PermissionError)
            assert "create role" in error.message


@pytest.mark.parametrize(
    "odd", ['quo"te', "semi;colon", "Ünï cødé", "select", "%s", "current_user", "PUBLIC", "\\"]
)
def test_odd_names(server: postgres.Server, made: Database, odd: str) -> None:
    name, other = f"{odd}{server.version}", f"{odd}{server.version}x"
    settings = {"app.odd": odd, "search_path": '"' + odd.replace('"', '""') + '"'}
    wants = [
        wanted(
            "user", "one", {"name": name, "password": odd + "%s", "member_of": [other], "settings": settings}
        ),
        role(other, comment=odd),
    ]
    try:
        with made.kolumn() as client:
            apply(client, *wants)
            (found,) = (each for each in imported(client, "user") if each["config"]["name"] == name)
            assert found["config"]["member_of"] == [other]
            assert found["config"]["settings"] == settings
            apply(client, *({**each, "action": "delete", "config": {}} for each in wants))
            assert (
                made.one("SELECT count(*) FROM pg_roles WHERE rolname LIKE '%" + f"{server.version}x'") == 0
            )
    finally:
        drop_roles(server, name, other)


def test_the_command_shows_and_keeps_no_password(
    server: postgres.Server, made: Database, name: str, tmp_path: Path
) -> None:
    """Written in the clear in a file of the configuration, it is nowhere else."""
    configuration = tmp_path / "main.kl"
    variables = {"KOLUMN_POSTGRES_URL": made.url, "KOLUMN_SAFE_DESTROY": "false", "KOLUMN_LOG": "debug"}
    said = []

    def kolumn(*words: str, code: int = 0) -> None:
        done = run(tmp_path, *words, variables=variables)
        assert done.returncode == code, done.stderr
        said.append(done.stdout + done.stderr)

    for password in (SECRET, f"{SECRET} again"):
        configuration.write_text(
            f'create postgres_user "somebody" {{\n  name = "{name}"\n  password = "{password}"\n}}\n'
        )
        kolumn("plan", "--json")
        kolumn("plan", "--out", "saved.plan")
        kolumn("show", "saved.plan")
        kolumn("apply", "saved.plan")
        kolumn("plan", "--detailed-exitcode")
    kolumn("plan", "--refresh-only")
    kolumn("state", "show", "postgres_user.somebody")
    kolumn("import", "postgres", "--out", "imported", "--type", "postgres_user")
    configuration.write_text(
        configuration.read_text().replace("password", "connection_limit = 1\n  password")
    )
    configuration.write_text(configuration.read_text().replace("}", '  member_of = ["no such role"]\n}'))
    kolumn("apply", "--auto-approve", code=1)
    kolumn("destroy", "--auto-approve")
    shown = "\n".join(said)
    assert SECRET not in shown
    assert "SCRAM-SHA-256$" not in shown
    files = [each for each in tmp_path.rglob("*") if each.is_file() and each != configuration]
    assert len(files) > 3
    for each in files:
        assert SECRET.encode() not in each.read_bytes(), each
        assert b"SCRAM-SHA-256$" not in each.read_bytes(), each
